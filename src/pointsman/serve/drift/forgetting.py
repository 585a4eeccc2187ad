"""From when on a model's outcomes count: what came before an alarm that was believed is forgotten in fits.

A small file beside the outcomes, `state/forgotten.json`: the model's name in outcomes -> Unix seconds. The outcomes
themselves stay where they are, so that a log can still be replayed; who reads them for a fit leaves the older ones out
(`outcomes.read_several(since=)`). A file that can't be read is refused rather than taken for an empty one: estimates
would silently go back to a model that is gone.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from pointsman.errors import InputError

FILE = "forgotten.json"


def forgotten(state: Path) -> dict[str, float]:
    """From when on outcomes count, Unix seconds, by the model's name in outcomes; empty where nothing is forgotten.

    Args:
        state: the gateway's state folder.

    Raises:
        InputError: the file is there and can't be used.
    """
    path = state / FILE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from None
    if not isinstance(found, dict) or not all(_is_time(at_s) for at_s in found.values()):
        raise _unusable(path, "it isn't a table of times by model")
    return {model: float(at_s) for model, at_s in found.items()}


def forget(state: Path, model: str, at_s: float) -> None:
    """Outcomes of a model from before a moment no longer count. A moment never moves back. Written aside, renamed.

    Args:
        state: the gateway's state folder.
        model: its name in outcomes.
        at_s: Unix seconds.

    Raises:
        InputError: the file is there and can't be used, or `at_s` is no moment.
    """
    if not _is_time(at_s):
        raise InputError(f"{at_s} is no moment", place=f"forgetting {model!r}", remedy="give Unix seconds")
    known = forgotten(state)
    known[model] = max(at_s, known.get(model, 0.0))
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = state / f".{FILE}.{os.getpid()}"
    aside.write_text(json.dumps(known, indent=1, sort_keys=True))
    aside.rename(state / FILE)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _unusable(path: Path, why: str) -> InputError:
    return InputError(
        f"what is forgotten can't be read: {why}",
        place=str(path),
        remedy="mend it, or remove it to count all outcomes again",
    )
