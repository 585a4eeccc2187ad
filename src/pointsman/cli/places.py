"""Where the command line keeps and finds things."""

from __future__ import annotations

import os
from pathlib import Path

from pointsman.errors import InputError
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import read
from pointsman.records import Outcomes

SIMULATED = "simulated"


def cache_dir() -> Path:
    """`POINTSMAN_CACHE`, else `pointsman` in the user's cache folder."""
    home = os.environ.get("POINTSMAN_CACHE")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman"


def outcomes_at(place: str, seed: int = 0) -> Outcomes:
    """The outcome folder at `place`, or the shipped simulated workload where it is the word `simulated`.

    Raises:
        InputError: neither; or a malformed folder.
    """
    if place == SIMULATED:
        return simulate(seed=seed)
    if not Path(place).is_dir():
        raise InputError(
            "there is no such folder",
            place=place,
            remedy="give a folder with outcomes.parquet, fetch one with `pointsman data fetch`, or say `simulated`",
        )
    return read(Path(place))
