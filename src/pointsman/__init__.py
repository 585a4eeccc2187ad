"""Routes every LLM query to the right model, online, so that fixed budgets buy the most quality.

The public names are loaded when they are first used: `pointsman --help` needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "InputError": "errors",
    "OutcomeLog": "outcomes",
    "read": "outcomes",
    "Router": "router",
    **dict.fromkeys(("Candidate", "Decision", "Estimates", "Fund", "Outcomes"), "records"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pointsman' has no attribute {name!r}")
    return getattr(import_module(f"pointsman.{_HOMES[name]}"), name)
