"""What the latest exchanges say of each model: how quick, how dear, how often it failed, what feedback it got.

Takes bodies of the journal, newest first; gives plain figures and the answers that have feedback. Mirrored queries and
an onboarding's probes count for nothing but the feedback that they got.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from pointsman.serve.keys import SHADOW
from pointsman.serve.recorder import ONBOARDING
from pointsman.serve.ui.profile import Scored


@dataclass(slots=True)
class Lately:
    """One model's latest exchanges.

    Attributes:
        total_s: of those that it served, from the request to the end of the answer.
        cost_nano: of the same.
        asked, failed: calls to its endpoints, and those that brought no answer.
    """

    total_s: list[float] = field(default_factory=list)
    cost_nano: list[int] = field(default_factory=list)
    asked: int = 0
    failed: int = 0

    def figures(self) -> dict[str, float | None]:
        """As a row of the models' page has them."""
        p50 = p99 = cost = None
        if self.total_s:
            p50, p99 = (float(one) * 1e3 for one in np.quantile(self.total_s, (0.5, 0.99)))
            cost = sum(self.cost_nano) / len(self.cost_nano)
        return {
            "cost_nano": cost,
            "total_p50_ms": p50,
            "total_p99_ms": p99,
            "failed_share": self.failed / self.asked if self.asked else None,
        }


@dataclass(slots=True)
class Recent:
    """All of them.

    Attributes:
        models: by id.
        served: how many each has served a client.
        parts: how many queries of clients fell into each topic.
        scored: answers with feedback whose topic is known.
        pairs: by model, what was expected of its answers and what feedback they got.
    """

    models: dict[str, Lately] = field(default_factory=dict)
    served: Counter[str] = field(default_factory=Counter)
    parts: Counter[int] = field(default_factory=Counter)
    scored: list[Scored] = field(default_factory=list)
    pairs: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)


def recent_of(rows: Iterable[tuple[bytes, float | None]]) -> Recent:
    """What bodies and their scores add up to."""
    found = Recent()
    for body, score in rows:
        kept = orjson.loads(body)
        if score is not None and kept["model"] is not None:
            _take_score(found, kept, score)
        if not (kept["key_id"] == SHADOW or kept["key_id"].startswith(ONBOARDING)):
            _take_in(found, kept)
    return found


def _take_in(found: Recent, kept: Mapping[str, Any]) -> None:
    if kept.get("part") is not None:
        found.parts[kept["part"]] += 1
    for hop in kept["hops"]:
        lately = found.models.setdefault(hop["model"], Lately())
        lately.asked += 1
        lately.failed += hop["fault"] is not None
    if kept["outcome"] == "served" and kept["model"] is not None:
        lately = found.models.setdefault(kept["model"], Lately())
        lately.total_s.append(kept["total_s"])
        lately.cost_nano.append(kept["cost_nano"])
        found.served[kept["model"]] += 1


def _take_score(found: Recent, kept: Mapping[str, Any], score: float) -> None:
    model = kept["model"]
    if kept.get("part") is not None:
        found.scored.append(Scored(kept["decision_id"], kept["part"], model, score))
    expected = figure_of(kept["candidates"], model, "quality")
    if expected is not None:
        pairs = found.pairs.setdefault(model, ([], []))
        pairs[0].append(expected)
        pairs[1].append(score)


def figure_of(candidates: Any, model: str, name: str) -> float | None:
    """One figure of one candidate, as the journal keeps them: by column, or by record where it is an older row."""
    if isinstance(candidates, Mapping):
        models = candidates.get("model") or []
        found = candidates[name][models.index(model)] if model in models else None
    else:
        found = next((one[name] for one in candidates if one["model"] == model), None)
    return None if found is None else float(found)
