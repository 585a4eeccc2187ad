"""What each model is good at: mean scores by skill, from its onboarding's probes, and by topic, from what was recorded.

Takes profiles of onboardings, a `Past` with its partition, and feedback; gives the two heat maps of the models' page.
A cell without any score is empty, never zero.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointsman.estimate.drift.mix import Mix
from pointsman.records import Floats
from pointsman.serve.drift.topics import LIVE
from pointsman.serve.ui.past import Past

LEAST_TRAFFIC = 100  # queries, before shares are theirs and no longer the history's
NAMED = 2  # data sets that a topic's note names
EMPTY: dict[str, Any] = {"rows": [], "cells": {}}


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer with feedback: its decision, the topic of its prompt, who answered, and the score."""

    decision_id: str
    part: int
    model: str
    score: float


def skills_json(profiles: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Mean scores by skill.

    Args:
        profiles: of onboarded models, by id, as `onboard.profile.as_json` wrote them.
    """
    skills = {model: profile.get("skills") or {} for model, profile in profiles.items()}
    names = sorted({name for each in skills.values() for name in each})
    rows = [{"label": name, "note": _probed(name, skills.values()), "share": None} for name in names]
    cells = {model: [_mean(each.get(name)) for name in names] for model, each in skills.items() if each}
    return {"rows": rows, "cells": cells}


def _probed(name: str, skills: Iterable[Mapping[str, Any]]) -> str:
    counts = [int(each[name]["n"]) for each in skills if name in each]
    return f"{sum(counts):,} graded probes of {len(counts)} model{'' if len(counts) == 1 else 's'}"


def _mean(interval: Mapping[str, Any] | None) -> float | None:
    return None if interval is None else float(interval["mean"])


def topics_json(
    past: Past | None, mix: Mix | None, scored: Sequence[Scored], traffic: Mapping[int, int], models: Sequence[str]
) -> dict[str, Any]:
    """Mean scores by topic: recorded outcomes, and feedback that isn't among them yet.

    Args:
        past: None where it isn't there (yet): feedback alone counts then.
        mix: None where there is no partition; then there is no map.
        scored: the latest answers with feedback.
        traffic: how many of the latest queries fell into each part; where they are few, shares are the history's.
        models: ids, the columns in their order.
    """
    if mix is None:
        return EMPTY
    total, count = sums_by_part(past, len(mix.counts), scored, models)
    shares = _shares(mix, traffic)
    there = [part for part in range(len(mix.counts)) if shares[part] > 0 or count[part].any()]
    labels = labels_of(mix, past)
    rows = [
        {"label": labels[part], "note": _note(past, mix, part), "share": round(float(shares[part]), 6)}
        for part in there
    ]
    with np.errstate(invalid="ignore"):
        mean = total / count
    cells = {
        model: [None if not count[part, column] else float(mean[part, column]) for part in there]
        for column, model in enumerate(models)
        if count[:, column].any()
    }
    return {"rows": rows, "cells": cells}


def sums_by_part(
    past: Past | None, parts: int, scored: Sequence[Scored], models: Sequence[str]
) -> tuple[Floats, Floats]:
    """Sums of scores [P, M], and how many there are. Feedback that is among the recorded outcomes counts once."""
    total, count = np.zeros((parts, len(models))), np.zeros((parts, len(models)))
    column = {model: i for i, model in enumerate(models)}
    known: set[str] = set()
    if past is not None and past.parts is not None:
        known = set(past.prompt_ids)
        for i, model in enumerate(past.models):
            if model not in column:
                continue
            rows = np.flatnonzero(np.isfinite(past.score[:, i]))
            np.add.at(total[:, column[model]], past.parts[rows], past.score[rows, i])
            np.add.at(count[:, column[model]], past.parts[rows], 1.0)
    for one in scored:
        if one.model in column and 0 <= one.part < parts and one.decision_id not in known:
            total[one.part, column[one.model]] += one.score
            count[one.part, column[one.model]] += 1.0
    return total, count


def labels_of(mix: Mix, past: Past | None) -> list[str]:
    """A name for each topic: its data set, or the two that most of it came from; with a number where others share it.

    Args:
        past: None where it isn't there; a topic without a data set of its own has its number for a name then.
    """
    known = {name for name in mix.names if name} | set(() if past is None else past.datasets) - {"", LIVE}
    cut = len(_prefix(known))
    names = [
        name[cut:] or ", ".join(one[cut:] for one, _ in _datasets(past, part)[:NAMED]) or f"topic {part + 1}"
        for part, name in enumerate(mix.names)
    ]
    seen = dict[str, int]()
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(f"{name} {seen[name]}" if names.count(name) > 1 else name)
    return labels


def _prefix(datasets: Collection[str]) -> str:
    """What the names of all data sets begin with, up to the first slash; "" where there are fewer than two."""
    heads = {name.partition("/")[0] + "/" for name in datasets if "/" in name}
    head = next(iter(heads), "")
    return head if len(datasets) > 1 and all(name.startswith(head) for name in datasets) else ""


def _datasets(past: Past | None, part: int) -> list[tuple[str, int]]:
    """Data sets that a part's prompts came from, the most frequent first; the gateway's own traffic is none."""
    found = [] if past is None else past.datasets_of(part).most_common()
    return [(name, count) for name, count in found if name not in {"", LIVE}]


def _shares(mix: Mix, traffic: Mapping[int, int]) -> Floats:
    counts = np.array([traffic.get(part, 0) for part in range(len(mix.counts))], np.float64)
    if counts.sum() < LEAST_TRAFFIC:
        counts = mix.counts.astype(np.float64)
    shares: Floats = counts / max(1.0, float(counts.sum()))
    return shares


def _note(past: Past | None, mix: Mix, part: int) -> str:
    """How many prompts of the history that the partition was made of, and where they came from."""
    count = int(mix.counts[part])
    told = f"{count:,} prompt{'' if count == 1 else 's'}"
    datasets = _datasets(past, part)
    if not datasets:
        return told
    total = sum(count for _, count in datasets)
    return f"{told}: " + ", ".join(f"{name} {count / total:.0%}" for name, count in datasets[:NAMED])
