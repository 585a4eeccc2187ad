"""Estimators for serving, fitted in a process of their own and kept in a file: a start needs no fit, a fit no memory.

Takes settings; gives `Learned` from the outcomes that they name and those that the gateway stored, or None where there
are none to learn from. A file is known by a fingerprint of everything that the fit depends on, and is written aside
and renamed. The fit runs in a child process at low priority, so the decisions beside it don't wait and its memory
goes back when it ends. Files are read from the gateway's own state folder alone.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from pointsman import __version__
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.lengths import Lengths, fit_lengths
from pointsman.outcomes import PART_FILES, part_files, read_several
from pointsman.pool.cards import Model
from pointsman.pool.settings import Settings
from pointsman.records import Estimates, Floats, Outcomes
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.drift.topics import keep_topics
from pointsman.serve.knowing import How, know

FORM = 5  # of a kept fit; another one is made where it was written in an older form
LEARNED = "learned"
KEPT_FITS = 3  # the newest is used; the others let decisions made with them be made again
SAMPLE = 3_000  # rows that stand for what comes, when prices are solved


@dataclass(frozen=True)
class Learned:
    """What a fit gives the gateway.

    Attributes:
        fingerprint: of all that it depends on.
        estimator: of the models with recorded outcomes, by their names in the history.
        held_out: estimates [R, M] of a sample of the history, by fits that didn't see them.
        input_tokens: float [R], of the same rows.
        lengths: how long answers may get.
        rows: outcomes learned from.
        known_by: by a model's name in the history, how it is known ("fitted" on its own outcomes, or "placed" beside
            the fitted ones) and on how many scored outcomes.
        since: what was forgotten of them, as in `serve.drift.forgetting`.
    """

    fingerprint: str
    estimator: Estimator
    held_out: Estimates
    input_tokens: Floats
    lengths: Lengths
    rows: int
    known_by: Mapping[str, tuple[How, int]] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)


def learned_folder(settings: Settings) -> Path:
    """Where fits are kept."""
    return settings.state / LEARNED


def outcome_folders(settings: Settings) -> list[Path]:
    """The outcome folders to learn from that are there."""
    stored = settings.state / "outcomes"
    given = [settings.learning.history] if settings.learning.history is not None else []
    return given + ([stored] if any(stored.glob(PART_FILES)) else [])


def fingerprint_of(settings: Settings) -> str | None:
    """Of everything that a fit depends on: outcomes, what of them is forgotten, embedder, models, version.

    None where there are no outcomes.

    Raises:
        InputError: the history that the settings name isn't there, or what is forgotten can't be read.
    """
    folders = outcome_folders(settings)
    if not folders:
        return None
    digest = sha256(f"{__version__}|{FORM}|{settings.learning.embedder}|{settings.routing.quantile}".encode())
    digest.update("|".join(sorted(history_name(model) for model in settings.models)).encode())
    digest.update(repr(sorted(forgotten(settings.state).items())).encode())
    for folder in folders:
        for path in part_files(folder):
            state = path.stat()
            digest.update(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]


def load_learned(settings: Settings, fingerprint: str) -> Learned | None:
    """A fit made earlier; None where there is none, or it can't be read."""
    path = learned_folder(settings) / f"{fingerprint}.fit"
    try:
        with path.open("rb") as file:
            found = pickle.load(file)  # noqa: S301 (a file that this program wrote into its own folder)
    except Exception:  # bytes that are no pickle raise nearly anything; another fit takes the file's place
        return None
    return found if isinstance(found, Learned) and found.fingerprint == fingerprint else None


def newest_learned(settings: Settings) -> Learned | None:
    """The fit that was made last, whatever it depends on; None where there is none that can be read."""
    newest = newest_fingerprint(settings)
    return None if newest is None else load_learned(settings, newest)


def newest_fingerprint(settings: Settings) -> str | None:
    """Of the fit that was made last; None where there is none."""
    paths = learned_folder(settings).glob("*.fit")
    newest = max(paths, key=lambda path: path.stat().st_mtime, default=None)
    return None if newest is None else newest.stem


def fit_learned(settings: Settings, fingerprint: str) -> Learned | None:
    """Fits, keeps the file and removes older ones; None where no model has enough scored outcomes.

    Raises:
        InputError: outcomes that can't be read.
    """
    since, embedder = forgotten(settings.state), load_embedder(settings.learning.embedder)
    outcomes = _outcomes(settings, since)
    keep_topics(settings.state, outcomes, settings.learning.embedder, embedder)
    known = know(outcomes, embedder)
    if known is None:
        return None
    rows = len(known.held_out)
    lots = np.sort(np.random.default_rng(0).permutation(rows)[:SAMPLE])
    learned = Learned(
        fingerprint,
        known.estimator,
        known.held_out.take(lots),
        known.input_tokens[lots],
        fit_lengths(known.answers, _answers(known.held_out, known.input_tokens), quantile=settings.routing.quantile),
        rows,
        known.known_by,
        since,
    )
    _keep(learned, learned_folder(settings))
    return learned


def _answers(estimates: Estimates, input_tokens: Floats) -> Floats:
    """Expected output tokens [Q, M]."""
    return np.maximum(0.0, estimates.tokens - input_tokens[:, None])


def history_name(model: Model) -> str:
    """What a model is called in recorded outcomes."""
    return model.history or model.id


def _outcomes(settings: Settings, since: Mapping[str, float]) -> Outcomes:
    """The outcomes of the registry's models that aren't forgotten."""
    whole = read_several(outcome_folders(settings), since=since)
    names = {history_name(model) for model in settings.models}
    return whole.only(np.array([i for i, name in enumerate(whole.models) if name in names], np.int64))


def _keep(learned: Learned, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{learned.fingerprint}.fit"
    aside = path.with_suffix(f".{os.getpid()}.partial")
    with aside.open("wb") as file:
        pickle.dump(learned, file, protocol=pickle.HIGHEST_PROTOCOL)
    aside.rename(path)
    for old in sorted(folder.glob("*.fit"), key=lambda one: one.stat().st_mtime_ns)[:-KEPT_FITS]:
        old.unlink(missing_ok=True)


def _in_child(settings: Settings, fingerprint: str) -> None:
    os.nice(10)
    fit_learned(settings, fingerprint)


def start_fit(settings: Settings, fingerprint: str) -> multiprocessing.process.BaseProcess:
    """A child process that fits and keeps the file; look for it with `load_learned` when it has ended."""
    child = multiprocessing.get_context("spawn").Process(target=_in_child, args=(settings, fingerprint), daemon=True)
    child.start()
    return child
