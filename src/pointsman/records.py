"""The values that pass between rooms: frozen, no logic beyond checking their own shape.

Arrays are read-only by convention: Q queries, M models, F funds, D dimensions of an embedding.
Money in estimates is float US dollars; exact integer nano-dollars belong to the ledger, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

Unit = Literal["usd", "tokens", "requests"]
Reason = Literal["best", "best_payable", "cheapest_payable", "nothing_payable", "not_worth_it", "lost"]
REASONS: tuple[Reason, ...] = get_args(Reason)
UNITS: tuple[Unit, ...] = ("usd", "tokens", "requests")


@dataclass(frozen=True, slots=True)
class Fund:
    """A limited amount of one unit, and the models that draw on it.

    Attributes:
        name: unique among the funds in force.
        amount: what may be spent over the horizon, in `unit`; zero is allowed and means closed.
        unit: "usd", "tokens" (input plus output) or "requests".
        models: ids of the models that draw on it; None means every model.
    """

    name: str
    amount: float
    unit: Unit = "usd"
    models: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("a fund has no name", remedy="give every fund a unique name")
        if self.unit not in UNITS:
            raise InputError(
                f"unit {self.unit!r} is unknown", place=f"fund {self.name!r}", remedy=f"use one of {', '.join(UNITS)}"
            )
        if not np.isfinite(self.amount) or self.amount < 0:
            raise InputError(
                f"amount {self.amount!r} is not a finite number of at least zero",
                place=f"fund {self.name!r}",
                remedy="give what may be spent, for example 25.0",
            )
        if self.models is not None and not self.models:
            raise InputError(
                "no model draws on it",
                place=f"fund {self.name!r}",
                remedy="list at least one model, or leave `models` out to mean every model",
            )


@dataclass(frozen=True, slots=True)
class Prompts:
    """Queries as the estimators see them.

    Attributes:
        texts: Q strings.
        vectors: float32 [Q, D], one embedding a text, unit length.
        input_tokens: float [Q], known before routing.
    """

    texts: Sequence[str]
    vectors: Vectors
    input_tokens: Floats

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Ints) -> Prompts:
        """The same queries at `rows`, in that order."""
        return Prompts([self.texts[i] for i in rows], self.vectors[rows], self.input_tokens[rows])


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What happened to Q queries on M models; NaN where nothing was recorded (never zero).

    Attributes:
        prompt_ids, texts, datasets: Q strings each; `datasets` is the task a prompt came from.
        models: M ids.
        score: float [Q, M] in [0, 1].
        cost_usd: float [Q, M], at least zero.
        output_tokens: float [Q, M].
        input_tokens: float [Q], the same for every model (the mean, where tokenizers differ).
        title: what to call the set in a table.
        simulated: True where no real model answered; said wherever the figures appear.
    """

    prompt_ids: Sequence[str]
    texts: Sequence[str]
    datasets: Sequence[str]
    models: tuple[str, ...]
    score: Floats
    cost_usd: Floats
    output_tokens: Floats
    input_tokens: Floats
    title: str = "outcomes"
    simulated: bool = False

    def __post_init__(self) -> None:
        shape = (len(self.texts), len(self.models))
        for name in ("score", "cost_usd", "output_tokens"):
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"`{name}` has shape {getattr(self, name).shape}, expected {shape} (queries, models)",
                    place=self.title,
                    remedy="pass one row a query and one column a model",
                )
        if self.input_tokens.shape != shape[:1]:
            raise InputError(
                f"`input_tokens` has shape {self.input_tokens.shape}, expected {shape[:1]}",
                place=self.title,
                remedy="pass one number a query",
            )

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Ints) -> Outcomes:
        """The same outcomes at `rows`, in that order."""
        return Outcomes(
            [self.prompt_ids[i] for i in rows],
            [self.texts[i] for i in rows],
            [self.datasets[i] for i in rows],
            self.models,
            self.score[rows],
            self.cost_usd[rows],
            self.output_tokens[rows],
            self.input_tokens[rows],
            self.title,
            self.simulated,
        )

    def only(self, columns: Ints) -> Outcomes:
        """The same outcomes for the models at `columns`, in that order."""
        return Outcomes(
            self.prompt_ids,
            self.texts,
            self.datasets,
            tuple(self.models[i] for i in columns),
            self.score[:, columns],
            self.cost_usd[:, columns],
            self.output_tokens[:, columns],
            self.input_tokens,
            self.title,
            self.simulated,
        )


@dataclass(frozen=True, slots=True)
class Estimates:
    """What is expected of Q queries on M models.

    Attributes:
        quality: float [Q, M], expected score in [0, 1].
        cost_usd: float [Q, M], expected cost, at least zero.
        tokens: float [Q, M], expected input plus output tokens.
        spread: float [Q, M], standard error of `quality`: how far the expectation itself may be off.
    """

    quality: Floats
    cost_usd: Floats
    tokens: Floats
    spread: Floats

    def __len__(self) -> int:
        return len(self.quality)

    def take(self, rows: Ints | slice) -> Estimates:
        """The same estimates at `rows`."""
        return Estimates(self.quality[rows], self.cost_usd[rows], self.tokens[rows], self.spread[rows])

    @staticmethod
    def stacked(pieces: Sequence[Estimates]) -> Estimates:
        """The rows of at least one piece, in order, as estimates of their own."""
        return Estimates(
            np.concatenate([piece.quality for piece in pieces]),
            np.concatenate([piece.cost_usd for piece in pieces]),
            np.concatenate([piece.tokens for piece in pieces]),
            np.concatenate([piece.spread for piece in pieces]),
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model's part in one decision: score = quality − charge, the charge being what its amounts are worth now.

    Attributes:
        model: its id.
        quality, spread, cost_usd, tokens: as estimated.
        charge: Σ over the funds it draws on of price × amount, in quality.
        score: what the models are ranked by; -inf where the model was not to be taken.
    """

    model: str
    quality: float
    spread: float
    cost_usd: float
    tokens: float
    charge: float
    score: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The model chosen for one query, and why.

    Attributes:
        model: its id; None when no model is worth its price or none can be paid.
        reason: which of these it was.
        candidates: every model, best score first.
    """

    model: str | None
    reason: Reason
    candidates: tuple[Candidate, ...] = field(default=())

    @property
    def chosen(self) -> Candidate | None:
        """The chosen model's own figures."""
        return next((one for one in self.candidates if one.model == self.model), None)
