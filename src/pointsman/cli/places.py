"""Where the command line keeps and finds things."""

from __future__ import annotations

import os
from pathlib import Path

from pointsman.errors import InputError
from pointsman.evaluate.data.samples import local_pool
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import read
from pointsman.records import Outcomes

SIMULATED = "simulated"
LOCAL_POOL = "local-pool"


def cache_dir() -> Path:
    """`POINTSMAN_CACHE`, else `pointsman` in the user's cache folder."""
    home = os.environ.get("POINTSMAN_CACHE")
    if home:
        return Path(home)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman"


def outcomes_at(place: str, seed: int = 0) -> Outcomes:
    """The outcome folder at `place`, or what is shipped where it is the word `simulated` or `local-pool`.

    Raises:
        InputError: neither; or a malformed folder.
    """
    if place == SIMULATED:
        return simulate(seed=seed)
    if place == LOCAL_POOL:
        return local_pool()
    if not Path(place).is_dir():
        raise InputError(
            "there is no such folder",
            place=place,
            remedy="give a folder with outcomes.parquet (`pointsman data fetch`), or say `simulated` or `local-pool`",
        )
    return read(Path(place))
