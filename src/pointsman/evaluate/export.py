"""Saved rows as one JSON file, for other programs: the runs, and their summary by policy.

Takes `rows.Rows` and a path; writes a whole file or none, the same bytes for the same runs in whatever order they
finished. Undefined figures are null. Refuses rows without a run, and runs that don't belong in one mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pointsman.evaluate.checked import json_value
from pointsman.evaluate.json_files import document, write_aside
from pointsman.evaluate.rows import Rows, Run
from pointsman.evaluate.summary import along, base_setting, by_setting, summarise, swept_field

_EXPORTED = (
    "policy",
    "split",
    "factor",
    "order",
    "scenario",
    "performance",
    "cost_usd",
    "efficiency",
    "served",
    "relative",
    "budget",
    "spent",
    "decide_us_per_query",
    "seconds",
)


def export_json(rows: Rows, path: Path) -> None:
    """Write the runs and their summary as one JSON file, whole or not at all.

    `summary` is over the runs of the base setting alone (`base_setting`): a mean over settings would mean nothing.
    A sweep's runs carry the swept parameter as one more key, and the file one more object, `sweep`: the parameter,
    the base setting, and one summary by policy for every value. Undefined figures are null.

    Raises:
        InputError: there are no runs, or runs that don't belong in one mean.
    """
    write_aside(path, document(_export(rows)))


def _export(rows: Rows) -> dict[str, object]:
    meta, base = rows.meta, base_setting(rows)
    extra = swept_field(meta.sweep) if meta.sweep else "policy"
    names = dict.fromkeys((*_EXPORTED, extra))
    out: dict[str, object] = {
        "dataset": meta.dataset,
        "models": len(meta.models),
        "test": meta.test,
        "history": meta.history,
        "runs": [{name: json_value(getattr(run, name)) for name in names} for run in sorted(rows.runs, key=_place_of)],
        "summary": _summaries(by_setting(rows)[base]),
    }
    if meta.sweep:
        values = [{extra: value, "summary": _summaries(found)} for value, found in along(rows, extra).items()]
        out["sweep"] = {"parameter": meta.sweep, "base": asdict(base), "values": values}
    return out


def _place_of(run: Run) -> tuple[object, ...]:
    return run.policy, run.split, run.factor, run.test, run.scenario, run.order, run.key


def _summaries(policies: Mapping[str, Sequence[Run]]) -> dict[str, object]:
    return {policy: json_value(asdict(summarise(policies[policy]))) for policy in sorted(policies)}
