"""The tables of a log with one outcome a query, and in plain words what it can't say.

Takes the log and a row a policy; gives `render.Table` values, sentences, and plain values for JSON. Computes no
estimate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pointsman.evaluate.logged.choosing import AS_SERVED
from pointsman.evaluate.logged.sparse import SparseLog, SparseRow
from pointsman.evaluate.offpolicy import Estimate
from pointsman.evaluate.render import Cell, Column, Line, Section, Table
from pointsman.evaluate.wording import money, percent, quantity

FEW = 30  # effective queries, below which an interval from weights can't be trusted

_VALUE_CAPTION = (
    "Mean score a query (nobody served: 0), 90 % intervals by resampling queries. Direct: the estimates alone. SNIPS: "
    "recorded scores weighed by inverse propensity. DR: estimates, corrected by weighed scores. Effective: how many "
    "equally weighted queries the weights are worth; ‡ fewer than 30: don't trust SNIPS. Unsupported: choices that the "
    "log can't have shown. Cost: as recorded where the model is the one that answered, else by estimate."
)


def value_table(log: SparseLog, rows: Sequence[SparseRow]) -> Table:
    """What every policy would have served, cost and scored."""
    columns = (
        Column("Policy"),
        Column("Served %"),
        Column("Cost $"),
        Column("Direct"),
        Column("SNIPS"),
        Column("DR"),
        Column("Effective", "Eff."),
        Column("Unsupported %", "Uns. %"),
    )
    lines = tuple(Line(row.policy, _cells(log, row), _mark(row)) for row in rows)
    return Table(f"{log.title}: {len(log):,} queries played", columns, (Section("", lines),), _VALUE_CAPTION)


def _mark(row: SparseRow) -> str:
    return "‡" if row.policy != AS_SERVED and row.known.effective < FEW else ""


def _cells(log: SparseLog, row: SparseRow) -> tuple[Cell, ...]:
    known = row.known
    served = known.unsupported / max(1, row.served)
    as_served = row.policy == AS_SERVED
    return (
        Cell(percent(row.served / len(log)), row.served),
        Cell(money(row.cost_known_usd).lstrip("$"), row.cost_known_usd),
        Cell("–") if as_served else Cell(f"{row.value.direct.value:.2f}", row.value.direct.value),
        _with_interval(row.value.snips),
        Cell("–") if as_served else _with_interval(row.value.robust),
        Cell("–") if as_served else Cell(quantity(known.effective), known.effective),
        Cell("–") if as_served else Cell(percent(served), served),
    )


def _with_interval(one: Estimate) -> Cell:
    if math.isnan(one.value):
        return Cell("–")
    return Cell(f"{one.value:.2f} ({one.low:.2f}–{one.high:.2f})", one.value)


def fund_use(rows: Sequence[SparseRow]) -> Table:
    """What each policy takes of every fund, by estimate, in the fund's unit."""
    names = list(dict.fromkeys(name for row in rows for name in row.spent))
    lines = tuple(
        Line(row.policy, tuple(Cell(f"{row.spent[name]:.4g}" if name in row.spent else "–") for name in names))
        for row in rows
        if row.spent
    )
    return Table("Taken of every fund, by estimate", (Column("Policy"), *map(Column, names)), (Section("", lines),))


def mix_table(log: SparseLog, rows: Sequence[SparseRow]) -> Table:
    """Which model serves what share, by policy."""
    lines = tuple(
        Line(row.policy, tuple(Cell(percent(row.served_by[name] / len(log))) for name in log.models)) for row in rows
    )
    return Table(
        "Who serves what, % of the queries", (Column("Policy"), *map(Column, log.models)), (Section("", lines),)
    )


def unknowns(log: SparseLog, rows: Sequence[SparseRow]) -> list[str]:
    """What can't be known from this log, one sentence each."""
    scored = np.isfinite(log.score)
    told = np.isfinite(log.propensity)
    said = []
    if not scored.any():
        said.append("No played query has a score, so only the estimates' own word is here, and nothing checks it.")
    elif not scored.all():
        said.append(
            f"{_share(~scored)} of the played queries have no score. Estimates weigh those that have one, as if chance "
            "had chosen which do; if people score mostly what went wrong, all of them are too low."
        )
    if not told.any():
        said.append(
            "No propensities are recorded: what another model would have scored is the estimates' word alone (Direct). "
            "Set routing.explore above zero to learn more."
        )
    else:
        said.append(_chance_words(log))
    worst = max((row for row in rows if row.policy != AS_SERVED), key=lambda row: row.known.unsupported, default=None)
    if worst is not None and worst.known.unsupported:
        said.append(
            f"Of {worst.policy}'s choices {worst.known.unsupported / max(1, worst.served):.1%} are such as this log "
            "can't have shown (another model than the one that was certain to answer). DR rests on the estimates "
            "there, and SNIPS takes the others for all."
        )
    few = [row.policy for row in rows if row.policy != AS_SERVED and 0 < row.known.effective < FEW]
    if few:
        said.append(f"Weights are worth fewer than {FEW} queries for {', '.join(few)}: their intervals are too narrow.")
    cut = sum(row.known.clipped for row in rows)
    if cut:
        said.append(f"{cut} weights were cut to the limit, which pulls IPS and SNIPS towards zero and DR to the model.")
    return [*said, *_always(log)]


def _chance_words(log: SparseLog) -> str:
    told = np.isfinite(log.propensity)
    chance = told & (log.propensity < 1.0)
    words = f"{_share(chance)} of the played queries could have gone elsewhere by chance"
    return f"{words}; {_share(~told)} have no known propensity (named by the client, or answered by a fallback)."


def _always(log: SparseLog) -> list[str]:
    said = [
        "The choices of a policy that spends money depend on those before. They are made on estimates alone, never on "
        "what the log drew, and are taken as given: had it run, its users would have come back with other queries.",
        "Refused queries, and what filters (keys, tags, tools, context) a query had to pass, are not in the log: here "
        "every model may serve.",
    ]
    if log.left_out:
        said.insert(0, f"{log.left_out:,} queries are left out: their model has too few scored outcomes before them.")
    return said


def _share(mask: Any) -> str:
    return f"{float(np.mean(mask)):.1%}"


def as_json(log: SparseLog, rows: Sequence[SparseRow]) -> dict[str, Any]:
    """Everything, as plain values; NaN as null."""
    found: dict[str, Any] = _plain(
        {
            "log": log.title,
            "simulated": log.simulated,
            "queries": len(log),
            "fitted_on": log.fitted_on,
            "left_out": log.left_out,
            "models": list(log.models),
            "policies": [asdict(row) for row in rows],
            "cannot_be_known": unknowns(log, rows),
        }
    )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
