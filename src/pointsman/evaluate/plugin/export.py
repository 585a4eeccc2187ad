"""Saved rows as one JSON file, for other programs: every row with its measures, and the summary by variant.

Takes `rows.PluginRows` and a path; writes a whole file or none, the same bytes for the same rows in whatever order
they finished. Undefined figures are null.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pointsman.evaluate.checked import json_value
from pointsman.evaluate.json_files import document, write_aside
from pointsman.evaluate.plugin.rows import PluginRows
from pointsman.evaluate.plugin.summary import Measure, measures, summarise


def export_plugin(rows: PluginRows, path: Path) -> None:
    """Write the rows and their summary as one JSON file, whole or not at all.

    `summary` is by variant, then by number of probes ("0" for a reference). `progress` and `regret` are at even shares
    0, 0.01, ..., 1 of the arrivals.

    Raises:
        InputError: no pair has all of its references yet.
    """
    meta = rows.meta
    summary: dict[str, dict[str, object]] = {}
    for (variant, probes), found in summarise(rows).items():
        summary.setdefault(variant, {})[str(probes)] = json_value(asdict(found))
    out = {
        "dataset": meta.dataset,
        "models": len(meta.models),
        "test": meta.test,
        "history": meta.history,
        "split": meta.split,
        "factor": meta.factor,
        "runs": [_run(one) for one in measures(rows)],
        "summary": summary,
    }
    write_aside(path, document(out))


def _run(one: Measure) -> object:
    figures = {
        "of_from_the_start": one.of_start,
        "of_full_history": one.of_full,
        "gain_closed": one.gain_closed,
        "spent_share": one.spent_share,
        "regret": one.regret,
    }
    return json_value({**asdict(one.row), **figures})
