"""Routes every LLM query to the right model, online, so that fixed budgets buy the most quality."""

from pointsman.errors import InputError
from pointsman.outcomes import OutcomeLog, read
from pointsman.records import Candidate, Decision, Estimates, Fund, Outcomes
from pointsman.router import Router

__version__ = "0.1.0"

__all__ = [
    "Candidate",
    "Decision",
    "Estimates",
    "Fund",
    "InputError",
    "OutcomeLog",
    "Outcomes",
    "Router",
    "__version__",
    "read",
]
