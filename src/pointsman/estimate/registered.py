"""Estimates for the models in the registry, in its order and at today's rates.

A history names models of its day, at rates and with a count of tokens of its own. Takes an estimator fitted on it, a
prior for the models that it doesn't know, and what the registry says of money; gives an `Estimator` over exactly the
registry's models. Quality, spread and answer lengths are the history's or the prior's; money and tokens are computed
anew, so a rate that changes needs no fit. It learns nothing, and no model is without a rate: a rate that isn't known
is NaN, and refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.prior import Prior
from pointsman.records import Estimates, Floats, Ints, Mask, Prompts


@dataclass(frozen=True)
class Rating:
    """What tokens cost today, as floats: for estimates, never for a bill.

    Attributes:
        input_usd, output_usd: float [M], US dollars per token, at least zero.
        request_usd: float [M], US dollars per call.
        token_ratio: float [M], a model's own count of a prompt's tokens over the gateway's.
    """

    input_usd: Floats
    output_usd: Floats
    request_usd: Floats
    token_ratio: Floats

    def __post_init__(self) -> None:
        for name in ("input_usd", "output_usd", "request_usd", "token_ratio"):
            given = getattr(self, name)
            if given.shape != self.input_usd.shape or not (np.isfinite(given).all() and (given >= 0).all()):
                raise InputError(
                    f"`{name}` is {given}", place="rates", remedy="give every model a finite number of at least zero"
                )


@dataclass(frozen=True)
class Registered:
    """An estimator over the registry's models; see the module.

    Attributes:
        models: M ids, in the registry's order.
        base: fitted on recorded outcomes; None where there are none.
        column: int [M], a model's column in the base's estimates, -1 where it has none.
        prior: over the same M models; used where `column` is -1.
        rating: today's money.

    Raises:
        InputError: columns that the base doesn't have, a prior or rates of other models.
    """

    models: tuple[str, ...]
    base: Estimator | None
    column: Ints
    prior: Prior
    rating: Rating
    _known: Mask = field(init=False, repr=False, compare=False)
    _all_known: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        width = 0 if self.base is None else len(self.base.models)
        fits = self.column.shape == (len(self.models),) and bool(((self.column >= -1) & (self.column < width)).all())
        if not fits or self.prior.models != self.models or self.rating.input_usd.shape != self.column.shape:
            raise InputError(
                f"{len(self.models)} models, columns {self.column.tolist()} of {width}, a prior over "
                f"{len(self.prior.models)}, rates of {len(self.rating.input_usd)}",
                place="registered estimates",
                remedy="lay out columns, prior and rates in the order of the registry's models",
            )
        object.__setattr__(self, "_known", self.column >= 0)
        object.__setattr__(self, "_all_known", bool((self.column >= 0).all()))

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread of Q prompts, each [Q, M]."""
        base = None if self.base is None else self.base.estimate(prompts)
        return self.rated(base, prompts.input_tokens)

    def rated(self, base: Estimates | None, input_tokens: Floats) -> Estimates:
        """The same from the base's own estimates [Q, its models]: of a history, for example, its held-out ones.

        Args:
            base: None where there is no base.
            input_tokens: float [Q], as counted by the gateway.
        """
        quality, spread, output = self._beliefs(base, input_tokens)
        input_ = input_tokens[:, None] * self.rating.token_ratio
        cost = input_ * self.rating.input_usd + output * self.rating.output_usd + self.rating.request_usd
        return Estimates(quality, cost, input_ + output, spread)

    def _beliefs(self, base: Estimates | None, input_tokens: Floats) -> tuple[Floats, Floats, Floats]:
        """Quality, spread and output tokens, each [Q, M]: the base's where it has a column, else the prior's."""
        prior = self.prior
        if base is None:
            rows = np.ones((len(input_tokens), 1))
            return rows * prior.quality, rows * prior.spread, rows * prior.output_tokens
        quality, spread = base.quality.take(self.column, axis=1), base.spread.take(self.column, axis=1)
        output = np.maximum(0.0, base.tokens.take(self.column, axis=1) - input_tokens[:, None])
        if self._all_known:
            return quality, spread, output
        known = self._known
        return (
            np.where(known, quality, prior.quality),
            np.where(known, spread, prior.spread),
            np.where(known, output, prior.output_tokens),
        )


def columns_of(history: tuple[str, ...], base: tuple[str, ...]) -> Ints:
    """Where each model's recorded outcomes are, int [M], from its name in them ("" or an unknown one: -1).

    Raises:
        InputError: a name that isn't empty and isn't there.
    """
    place = {name: i for i, name in enumerate(base) if name}
    for name in history:
        if name and name not in place:
            raise InputError(
                f"no outcomes are recorded for {name!r}",
                place="`history` of a model",
                remedy=f"use one of {', '.join(base[:8])}{', …' if len(base) > 8 else ''}, or leave it out",
            )
    return np.array([place.get(name, -1) for name in history], dtype=np.int64)
