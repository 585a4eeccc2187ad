"""Deferral rows with given areas, for tests that check figures."""

from __future__ import annotations

import numpy as np

from pointsman.evaluate.deferral.curve import POINTS
from pointsman.evaluate.deferral.records import DeferralMeta, DeferralRows, TrialRow


def deferral_meta(**changes: object) -> DeferralMeta:
    """What a small made-up bench is about."""
    facts = {
        "dataset": "made-up set",
        "simulated": True,
        "models": tuple(f"p/m{number}" for number in range(6)),
        "prompts": 100,
        "known": 4,
        "unseen": 2,
        "shift": False,
        "static": False,
        "costs": "constant",
        "left_out": "nothing left out",
        "command": "pointsman bench deferral",
        "seed": 0,
        "version": "0.1.0",
    }
    return DeferralMeta(**(facts | changes))  # type: ignore[arg-type]


def trial_row(method: str, trial: int, area: float, **changes: object) -> TrialRow:
    """One row with a straight curve; `changes` are laid over it."""
    line = np.linspace(0.0, 1.0, POINTS)
    facts: dict[str, object] = {
        "trial": trial,
        "method": method,
        "probes": 10,
        "probing": "random",
        "area": area,
        "area50": area / 2,
        "qnc": 0.5,
        "peak": min(1.0, 2 * area),
        "seconds": 0.25,
        "relative_cost": tuple(line.tolist()),
        "quality": tuple((2 * area * line).tolist()),
        "intervals": 0,
        "covered": 0,
    }
    facts |= changes
    key = f"{method}|p{facts['probes']}|{facts['probing']}|t{trial}"
    return TrialRow(**{"key": key, **facts})  # type: ignore[arg-type]


def deferral_rows(areas: dict[str, list[float]], **changes: object) -> DeferralRows:
    """Rows in which every method has the given areas, one a trial."""
    rows = (trial_row(name, t, area, **changes) for name, found in areas.items() for t, area in enumerate(found))
    return DeferralRows(deferral_meta(), tuple(rows))
