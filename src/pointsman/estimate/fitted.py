"""What every estimator gives back: one protocol and the pair that a fit returns.

An estimator is frozen: it knows its models and turns prompts into estimates. New outcomes mean a new fit, which
takes seconds; nothing here learns in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Estimates, Outcomes, Prompts


class Estimator(Protocol):
    """Anything that says what each model would score and cost on new prompts."""

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the M models, in the order of the columns of `estimate`."""

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread for Q prompts, each [Q, M]."""


@dataclass(frozen=True)
class Fitted:
    """An estimator and what it would have said of its own history.

    Attributes:
        estimator: fitted on the whole history.
        held_out: for every row of the history, the estimate of a fit that did not see that row. Prices are solved
            on these, because they are distributed like estimates of new prompts; the estimator's own answers on
            its history are not.
    """

    estimator: Estimator
    held_out: Estimates


def estimate_in_chunks(estimate: Callable[[Prompts], Estimates], prompts: Prompts, rows: int) -> Estimates:
    """What `estimate` says of Q prompts, `rows` of them at a time: any Q, in bounded memory."""
    if len(prompts) <= rows:
        return estimate(prompts)
    starts = range(0, len(prompts), rows)
    return Estimates.stacked([estimate(prompts.take(np.arange(at, min(at + rows, len(prompts))))) for at in starts])


def check_history(history: Outcomes, prompts: Prompts) -> None:
    """Refuse a history that nothing can be learned from.

    Raises:
        InputError: no rows, rows that don't match the prompts, vectors or costs that aren't finite, or a model
            without a single score.
    """
    if len(history) == 0:
        raise InputError("the history is empty", place=history.title, remedy="give at least one row of outcomes")
    if len(prompts) != len(history) or prompts.vectors.shape[0] != len(history):
        raise InputError(
            f"{len(history)} outcomes but {len(prompts)} prompts and {prompts.vectors.shape[0]} vectors",
            place=history.title,
            remedy="embed exactly the texts of the history, in their order",
        )
    finite = np.isfinite(prompts.vectors).all(axis=1) & np.isfinite(prompts.input_tokens)
    if not finite.all():
        raise InputError(
            "a vector or an input token count is not a finite number",
            place=f"{history.title}, row {int(finite.argmin())}",
            remedy="embed and count the texts again",
        )
    _check_models(history)


def _check_models(history: Outcomes) -> None:
    """Refuse a model that has no score or no cost at all: nothing can be estimated for it."""
    for name, cells in (("score", history.score), ("cost_usd", history.cost_usd)):
        empty = ~np.isfinite(cells).any(axis=0)
        if empty.any():
            raise InputError(
                f"model {history.models[int(empty.argmax())]!r} has no `{name}` in the history",
                place=history.title,
                remedy="leave that model out or add outcomes for it",
            )


def check_width(vectors_width: int, fitted_width: int) -> None:
    """Refuse vectors of another embedder than the fit's."""
    if vectors_width != fitted_width:
        raise InputError(
            f"the vectors have {vectors_width} dimensions, the estimator was fitted on {fitted_width}",
            place="prompts",
            remedy="embed new prompts with the embedder that the history was embedded with",
        )
