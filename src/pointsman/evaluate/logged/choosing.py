"""The policies of a replay by name: those of the bench, `always:MODEL`, and `as-served`, which no policy plays.

Takes names and the models' ids; gives policies. Refuses a name that nobody knows, and a model that isn't there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from pointsman.decide.policies import Briefing, Policy, Traits, View, make_policy
from pointsman.decide.policies.policy import one_hot
from pointsman.errors import InputError
from pointsman.records import Floats

AS_SERVED = "as-served"
ALWAYS = "always:"


@dataclass(frozen=True, slots=True)
class Always:
    """One model for every query that its funds can pay; nobody for the others."""

    column: int

    @property
    def traits(self) -> Traits:
        """Asks first; looks at estimates for what a query will draw alone."""
        return Traits("blend")

    def begin(self, briefing: Briefing) -> int:
        """How many models there are."""
        return int(briefing.funds.draws.shape[1])

    def scores(self, state: int, view: View) -> tuple[Floats, int]:
        """One for the model, nothing for the others."""
        return one_hot(np.full(len(view.estimates), self.column), state), state

    def price(self, state: int) -> None:  # noqa: ARG002
        """It has none."""
        return


def policy_by_name(name: str, models: Sequence[str]) -> Policy:
    """The policy of a name.

    Raises:
        InputError: nobody knows it, or `always:` names a model that has no outcomes.
    """
    if not name.startswith(ALWAYS):
        return make_policy(name)
    model = name.removeprefix(ALWAYS)
    if model not in models:
        close = get_close_matches(model, models, n=1)
        hint = f"did you mean {ALWAYS}{close[0]}" if close else f"the models are {', '.join(models)}"
        raise InputError(f"model {model!r} has no outcomes to judge it by", place="--policy", remedy=hint)
    return Always(list(models).index(model))
