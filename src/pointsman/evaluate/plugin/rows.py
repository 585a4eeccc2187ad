"""The saved rows of `bench plugin`: what a row is, and what is checked of it (`checked.Shape`).

`PluginMeta` says what was run on what; a `PluginRow` is one variant on one order of arrivals, newcomer and leaver;
`PluginRows` is a whole folder, from which every table, picture and export is made. `META` and `ROW` refuse records that
aren't fit. Opens no file (`folder`), computes no mean (`summary`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.evaluate.checked import Shape, count

ROWS_FILE = "rides.jsonl"
MOMENTS = 101  # shares 0, 0.01, ..., 1 of the arrivals


@dataclass(frozen=True, slots=True)
class PluginMeta:
    """What a folder of rows is about.

    Attributes:
        dataset: title of the outcome set.
        simulated: True where no real model answered.
        models: ids of all M models.
        test, history: numbers of queries.
        split, factor: of the budget.
        newcomers: how many models join in every order, 0 for all that may.
        embedder: text to vectors.
        left_out: one sentence on rows and models that were not used; empty if none.
        command: the command line that made the rows.
        seed: what all randomness comes from.
        version: of Pointsman.
    """

    dataset: str
    simulated: bool
    models: tuple[str, ...]
    test: int
    history: int
    split: str
    factor: float
    newcomers: int
    embedder: str
    left_out: str
    command: str
    seed: int
    version: str


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One variant on one pair.

    Attributes:
        key: stable id; a folder holds it once.
        variant, probes, order, newcomer, leaver: what was run; `probes` is 0 for a reference.
        arrivals: queries in all.
        joins, leaves: the first arrivals with the newcomer (all of them: it never came) and without the leaver.
        performance: sum of the scores of the served queries.
        cost_usd: what they cost.
        served, served_by_newcomer: queries served, in all and by the newcomer.
        fund_usd, spent_usd: what the newcomer's fund held, and what was spent of it.
        probes_usd: what its probes cost outside of the fund.
        settled: arrivals after joining until its budget is well spent, see `spending`; None if never.
        progress: sum of scores at `MOMENTS` even shares of the arrivals.
        seconds: placing and replaying.
    """

    key: str
    variant: str
    probes: int
    order: int
    newcomer: str
    leaver: str
    arrivals: int
    joins: int
    leaves: int
    performance: float
    cost_usd: float
    served: int
    served_by_newcomer: int
    fund_usd: float
    spent_usd: float
    probes_usd: float
    settled: int | None
    progress: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class PluginRows:
    """A folder, read: its meta, and its rows in the order they were written."""

    meta: PluginMeta
    rows: tuple[PluginRow, ...]


def _settled(value: object) -> int | None:
    return None if value is None else count(value)


def _conflict(row: PluginRow) -> str:
    """What in a row contradicts itself; empty if nothing."""
    if len(row.progress) != MOMENTS:
        return f"`progress` must have {MOMENTS} values"
    if row.spent_usd > row.fund_usd * (1 + 1e-9):
        return "`spent_usd` is more than `fund_usd`"
    if not row.served_by_newcomer <= row.served <= row.arrivals:
        return "`served_by_newcomer`, `served` and `arrivals` contradict each other"
    return ""


META = Shape(PluginMeta)
ROW = Shape(PluginRow, _conflict, settled=_settled)
