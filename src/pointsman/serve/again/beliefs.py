"""What the estimators of a scheme added to their fit, kept by name, so that a decision can be made again from its text.

A fit's file says what recorded outcomes teach; on top of it a scheme has priors, tallies of answers and the day's
rates, which change with every answer. Takes schemes; keeps the small part that isn't the fit in `state/beliefs/`,
written aside and renamed, the latest ones alone, and gives an estimator back from both parts. Kept only where prompts
are.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from pointsman.estimate.fitted import Estimator
from pointsman.estimate.registered import Registered
from pointsman.serve.fitting import LEARNED, Learned
from pointsman.serve.scheme import Scheme

FOLDER = "beliefs"
MOST = 200


class Beliefs:
    """One worker's hand on the folder.

    Args:
        state: the gateway's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER
        self._latest = ""

    def keep(self, scheme: Scheme) -> Scheme:
        """The scheme with its estimators' name, by which they are kept."""
        estimator = scheme.snapshot.estimator
        if not isinstance(estimator, Registered):
            return scheme
        own = (estimator.models, estimator.column, estimator.prior, estimator.rating, scheme.fit)
        body = pickle.dumps(own, protocol=pickle.HIGHEST_PROTOCOL)
        name = sha256(body).hexdigest()[:16]
        if name != self._latest:
            self._write(name, body)
            self._latest = name
        return replace(scheme, beliefs=name)

    def _write(self, name: str, body: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = self._folder / f".{name}.{os.getpid()}"
        aside.write_bytes(body)
        aside.rename(self._folder / name)
        kept = sorted((path for path in self._folder.iterdir() if not path.name.startswith(".")), key=_age)
        for old in kept[:-MOST]:
            old.unlink(missing_ok=True)


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # another worker was quicker
        return 0


def estimator_of(state: Path, name: str) -> Estimator | None:
    """The estimators of a scheme by their name; None where they, or the fit that they are of, are gone."""
    try:
        models, column, prior, rating, fit = pickle.loads((state / FOLDER / name).read_bytes())  # noqa: S301 (our own)
        base = None
        if fit:
            learned = pickle.loads((state / LEARNED / f"{fit}.fit").read_bytes())  # noqa: S301 (our own)
            if not isinstance(learned, Learned):
                return None
            base = learned.estimator
        return Registered(models, base, column, prior, rating)
    except Exception:  # bytes that are no pickle raise nearly anything; what can't be read is gone
        return None
