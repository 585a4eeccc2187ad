"""A router's estimator with models added to it that it was never fitted on.

`past_of` prepares, while there is time, what adding a model needs: the resemblance of models and a sample of held-out
estimates. `Past.place` then takes milliseconds: it gives the estimator with the new models' columns at the end, and
the sample with theirs, on which prices are solved again. Nothing is fitted when a model comes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.fitted import Estimator, Fitted
from pointsman.estimate.unseen.known import mean_output_tokens, relative_length
from pointsman.estimate.unseen.place import Probes
from pointsman.estimate.unseen.transfer import Placed, Transfer, transfer_from
from pointsman.records import Estimates, Floats, Outcomes, Prompts

MOST_ROWS = 10_000


@dataclass(frozen=True)
class Extended:
    """The estimator of M models with N placed ones after them.

    Attributes:
        base: of the M models.
        placed: of the others, in the order of their columns.
        mean_tokens: float [M], mean answer lengths of the base's models.
    """

    base: Estimator
    placed: tuple[Placed, ...]
    mean_tokens: Floats

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of all models, the base's first."""
        return (*self.base.models, *(name for each in self.placed for name in each.models))

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread, each [Q, M + N]; the base is asked once."""
        return self.beside(self.base.estimate(prompts), prompts.input_tokens)

    def beside(self, known: Estimates, input_tokens: Floats) -> Estimates:
        """The placed models' columns put after the base's estimates [Q, M]."""
        length = relative_length(known.tokens, input_tokens, self.mean_tokens)
        added = [each.estimate_from(known.quality, length, input_tokens) for each in self.placed]
        fields = ("quality", "cost_usd", "tokens", "spread")
        return Estimates(*(np.hstack([getattr(one, name) for one in (known, *added)]) for name in fields))


@dataclass(frozen=True)
class Past:
    """What a router keeps of its history so that models can be added; see `past_of`.

    Attributes:
        space: where new models are placed, by the likeness to the base's.
        extended: the estimator as it is now.
        held_out: the base's held-out estimates of a sample of the history [R, M].
        input_tokens: float [R], of the same rows.
    """

    space: Transfer
    extended: Extended
    held_out: Estimates
    input_tokens: Floats

    def place(self, probes: Probes) -> Past:
        """The past with the asked models added.

        Args:
            probes: with the outcomes of the base's models as `known`.

        Raises:
            InputError: a model that is there already, or probes that don't fit.
        """
        twice = set(probes.asked.models) & set(self.extended.models)
        if twice:
            raise InputError(
                f"model {sorted(twice)[0]!r} is there already",
                place="probes",
                remedy="fit the router again to renew what is known of it",
            )
        placed = (*self.extended.placed, self.space.place(probes))
        return replace(self, extended=replace(self.extended, placed=placed))

    def sample(self) -> Estimates:
        """Held-out estimates of the history's sample for all models, [R, M + N]."""
        return self.extended.beside(self.held_out, self.input_tokens)


def past_of(history: Outcomes, prompts: Prompts, fitted: Fitted, seed: int = 0) -> Past:
    """From a fit of H outcomes, on the same prompts; at most 10,000 rows are kept.

    Raises:
        InputError: as `transfer_from`.
    """
    space = transfer_from(history, prompts, fitted, seed)
    rows = np.sort(np.random.default_rng((seed, 43)).permutation(len(history))[:MOST_ROWS])
    extended = Extended(fitted.estimator, (), mean_output_tokens(history))
    return Past(space, extended, fitted.held_out.take(rows), prompts.input_tokens[rows])
