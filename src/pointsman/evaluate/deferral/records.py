"""The saved rows of `bench deferral`: what a row is, and what is checked of it (`checked.Shape`).

`DeferralMeta` says what was run on what; a `TrialRow` is one method on one trial's prompts and models with one number
of probes; `DeferralRows` is a whole folder, from which every table, picture and export is made.
`META` and `TRIAL` refuse records that aren't fit. A QNC that is never reached is infinite here and null in JSON.
Opens no file (`rows`), computes no mean (`summary`), knows nothing of methods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pointsman.evaluate.checked import Shape, amount, one_of
from pointsman.evaluate.deferral.curve import POINTS

ROWS_FILE = "trials.jsonl"

PROBINGS = ("random", "picked")
COSTS = ("constant", "estimated")


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One method on one trial.

    Attributes:
        key: stable id; a folder holds it once.
        trial: its number; the same number has the same prompts and models for every method.
        method: its name, see `roster`.
        probes: labelled prompts of every unseen model; 0 in a static pool, where all labels are there.
        probing: how the probes were chosen, "random" or "picked".
        area, area50, qnc, peak: see `curve`; `qnc` is infinite where the curve never gets there.
        seconds: fitting, placing and estimating, on one core.
        relative_cost, quality: the curve at 101 even relative costs from 0 to 1.
        intervals, covered: 90 % intervals looked at, and those that held; 0 and 0 where a method gives none.
    """

    key: str
    trial: int
    method: str
    probes: int
    probing: str
    area: float
    area50: float
    qnc: float
    peak: float
    seconds: float
    relative_cost: tuple[float, ...]
    quality: tuple[float, ...]
    intervals: int
    covered: int


@dataclass(frozen=True, slots=True)
class DeferralMeta:
    """What a folder of rows is about.

    Attributes:
        dataset: title of the outcome set.
        simulated: True where no real model answered.
        models: ids of all models.
        prompts: how many, in all.
        known, unseen: numbers of models in either part; both are all models in a static pool.
        shift: whole tasks were held out for the test.
        static: every model was known.
        costs: "constant" or "estimated", what decisions took the costs to be.
        left_out: one sentence on rows and models that were not used; empty if none.
        command: the command line that made the rows.
        seed: what all randomness comes from.
        version: of Pointsman.
        embedder: text to vectors.
    """

    dataset: str
    simulated: bool
    models: tuple[str, ...]
    prompts: int
    known: int
    unseen: int
    shift: bool
    static: bool
    costs: str
    left_out: str
    command: str
    seed: int
    version: str
    embedder: str = "wordllama"


@dataclass(frozen=True)
class DeferralRows:
    """A folder, read: its meta, and its rows in the order they were written."""

    meta: DeferralMeta
    rows: tuple[TrialRow, ...]


def _ratio(value: object) -> float:
    """An amount, or infinity for null."""
    return math.inf if value is None or (isinstance(value, float) and value == math.inf) else amount(value)


def _conflict(row: TrialRow) -> str:
    """What in a row contradicts itself; empty if nothing."""
    if len(row.relative_cost) != POINTS or len(row.quality) != POINTS:
        return f"`relative_cost` and `quality` must have {POINTS} values each"
    if row.covered > row.intervals:
        return f"{row.covered} intervals held of {row.intervals}"
    return ""


META = Shape(DeferralMeta, costs=one_of(COSTS))
TRIAL = Shape(TrialRow, _conflict, probing=one_of(PROBINGS), qnc=_ratio)
