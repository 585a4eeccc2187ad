"""What a plug-in bench runs: variants, numbers of probes, and which model joins and which leaves in which order.

Takes what the user asked for, gives one `Task` for every row. A task's key is what makes the bench resumable. Runs
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pointsman.errors import InputError
from pointsman.evaluate.budgets import check_factor, check_split
from pointsman.evaluate.prepare import Setting

Variant = Literal["from-the-start", "full-history", "never", "transfer", "kmeans", "mean", "exploration"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
REFERENCES: tuple[Variant, ...] = ("from-the-start", "full-history", "never")
PROBED: tuple[Variant, ...] = ("transfer", "kmeans", "mean", "exploration")
ABOUT: dict[str, str] = {
    "from-the-start": "the newcomer is there from the first query, known by the whole history",
    "full-history": "it joins after a third of the queries, but is known by the whole history",
    "never": "it doesn't join; its money stays unspent",
    "transfer": "it joins known by its probes alone: what the known models' outcomes tell of them carries over",
    "kmeans": "the same with UniRoute's clusters, K by the paper's rule",
    "mean": "the same with the mean over its probes for every query",
    "exploration": (
        "no probes: the first queries that it can pay go to it, their outcomes are its probes for `transfer`, and it "
        "is placed anew from all of its own outcomes as they come"
    ),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One order of arrivals, the model that joins in it and the one that leaves."""

    order: int
    newcomer: str
    leaver: str


@dataclass(frozen=True, slots=True)
class Task:
    """One row: a variant with so many probes (0 for a reference) on one pair."""

    variant: Variant
    probes: int
    pair: Pair

    @property
    def key(self) -> str:
        """Stable id within a folder, whose meta says the rest."""
        return f"{self.variant}|p{self.probes}|o{self.pair.order}|{self.pair.newcomer}|{self.pair.leaver}"


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; see `pointsman bench plugin --help`.

    Attributes:
        setting: tested queries, seed, embedder.
        split, factor: of the budget.
        orders: random orders of arrival.
        newcomers: how many models join, one after the other, in every order; None for all that may.
        probes: numbers of probe prompts, rising.
    """

    setting: Setting
    split: str = "weighted"
    factor: float = 1.0
    orders: int = 5
    newcomers: int | None = 1
    probes: tuple[int, ...] = (8, 16, 64, 128)

    def __post_init__(self) -> None:
        check_split(self.split)
        check_factor(self.factor)
        for name in ("orders", "newcomers"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise InputError(f"{number} {name} are asked", place=f"--{name}", remedy="use at least 1")


def parse_probes(text: str) -> tuple[int, ...]:
    """Numbers of probes from a comma-separated list, rising, each once.

    Raises:
        InputError: no number, or one that isn't whole and above zero.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise InputError(
            f"probes {text!r} are not whole numbers above zero", place="--probes", remedy="give for example 8,16,64,128"
        )
    return tuple(sorted({int(word) for word in words}))


def parse_newcomers(text: str) -> int | None:
    """A number, or None for `all`.

    Raises:
        InputError: neither.
    """
    if text == "all":
        return None
    if not (text.isdecimal() and int(text) > 0):
        raise InputError(
            f"newcomers {text!r} is no number above zero", place="--newcomers", remedy="give 1, 2, … or all"
        )
    return int(text)


def draw_pairs(eligible: Sequence[str], request: Request) -> list[Pair]:
    """Who joins and who leaves, order by order.

    Newcomers are dealt from a shuffled deck of the eligible models, shuffled again when it is used up, so that each
    has its turn before one has a second; the leaver is any other of them. More orders add pairs and change none.

    Raises:
        InputError: fewer than two eligible models, or fewer than the newcomers asked.
    """
    each = len(eligible) if request.newcomers is None else request.newcomers
    if len(eligible) < max(2, each):
        raise InputError(
            f"{each} newcomers are asked, {len(eligible)} models may join or leave",
            place="--newcomers",
            remedy=f"use 1 to {len(eligible)}" if len(eligible) >= 2 else "two models of use are needed at least",
        )
    deck, rng = _deal(eligible, request.setting.seed), np.random.default_rng((request.setting.seed, 21))
    pairs = []
    for order in range(request.orders):
        for _ in range(each):
            newcomer = next(deck)
            others = [model for model in eligible if model != newcomer]
            pairs.append(Pair(order, newcomer, others[int(rng.integers(len(others)))]))
    return pairs


def _deal(eligible: Sequence[str], seed: int) -> Iterator[str]:
    rng = np.random.default_rng((seed, 20))
    while True:
        yield from (eligible[i] for i in rng.permutation(len(eligible)))


def tasks_of(pair: Pair, probes: Sequence[int]) -> list[Task]:
    """All rows of a pair, references first."""
    references = [Task(variant, 0, pair) for variant in REFERENCES]
    return references + [Task(variant, number, pair) for variant in PROBED for number in probes]
