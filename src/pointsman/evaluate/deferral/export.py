"""Saved deferral rows as one JSON file, for other programs: the trials, and their summary by method.

Takes `rows.DeferralRows` and a path; writes a whole file or none, the same bytes for the same rows in whatever order
they finished. What is never reached or undefined is null. Refuses rows without a trial.
"""

from __future__ import annotations

from pathlib import Path

from pointsman.evaluate.checked import json_value
from pointsman.evaluate.deferral.records import DeferralRows, TrialRow
from pointsman.evaluate.deferral.roster import in_order
from pointsman.evaluate.deferral.summary import Key, MethodSummary, base_of, groups_of, summarise
from pointsman.evaluate.json_files import document, write_aside

_EXPORTED = ("trial", "method", "area", "area50", "qnc", "peak", "seconds")
_SUMMARISED = ("area_mean", "area_sd", "qnc_median", "peak_mean", "beats_zero", "beats_knn", "beats_kmeans", "coverage")


def export_deferral(rows: DeferralRows, path: Path) -> None:
    """Write the trials and their summary as one JSON file, whole or not at all.

    `summary` is over the rows with the most probes. Where there are several numbers of probes, or picked ones beside
    random ones, every trial says which it is of, and `by_probes` holds a summary for each, by number and probing.

    Raises:
        InputError: there are no rows.
    """
    write_aside(path, document(_export(rows)))


def _export(rows: DeferralRows) -> dict[str, object]:
    found, groups = summarise(rows), groups_of(rows)
    names = (*_EXPORTED, "probes", "probing") if len(groups) > 1 else _EXPORTED
    out: dict[str, object] = {
        "dataset": rows.meta.dataset,
        "trials": [{name: json_value(getattr(row, name)) for name in names} for row in _sorted(rows)],
        "summary": _summaries(found, *base_of(rows)),
    }
    if len(groups) > 1:
        by_probes: dict[str, dict[str, object]] = {}
        for probes, probing in groups:
            by_probes.setdefault(str(probes), {})[probing] = _summaries(found, probes, probing)
        out["by_probes"] = by_probes
    return out


def _sorted(rows: DeferralRows) -> list[TrialRow]:
    rank = {name: place for place, name in enumerate(in_order({row.method for row in rows.rows}))}
    return sorted(rows.rows, key=lambda row: (row.trial, rank[row.method], row.probes, row.probing == "picked"))


def _summaries(found: dict[Key, MethodSummary], probes: int, probing: str) -> dict[str, object]:
    methods = in_order(method for method, *group in found if group == [probes, probing])
    return {
        method: {name: json_value(getattr(found[method, probes, probing], name)) for name in _SUMMARISED}
        for method in methods
    }
