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
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from pointsman import __version__
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.lengths import Lengths, fit_lengths
from pointsman.outcomes import PART_FILES, part_files, read_several
from pointsman.pool.cards import Model
from pointsman.pool.settings import Settings
from pointsman.records import Estimates, Floats, Outcomes, Prompts
from pointsman.router import embed

SAMPLE = 3_000  # rows that stand for what comes, when prices are solved
LEAST_SCORED = 30  # outcomes with a score, before a model's column is fitted and not left to its prior


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
    """

    fingerprint: str
    estimator: Estimator
    held_out: Estimates
    input_tokens: Floats
    lengths: Lengths
    rows: int


def learned_folder(settings: Settings) -> Path:
    """Where fits are kept."""
    return settings.state / "learned"


def outcome_folders(settings: Settings) -> list[Path]:
    """The outcome folders to learn from that are there."""
    stored = settings.state / "outcomes"
    given = [settings.learning.history] if settings.learning.history is not None else []
    return given + ([stored] if any(stored.glob(PART_FILES)) else [])


def fingerprint_of(settings: Settings) -> str | None:
    """Of everything that a fit depends on: outcomes, embedder, models, version. None where there are no outcomes.

    Raises:
        InputError: the history that the settings name isn't there.
    """
    folders = outcome_folders(settings)
    if not folders:
        return None
    digest = sha256(f"{__version__}|{settings.learning.embedder}|{settings.routing.quantile}".encode())
    digest.update("|".join(sorted(history_name(model) for model in settings.models)).encode())
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


def fit_learned(settings: Settings, fingerprint: str) -> Learned | None:
    """Fits, keeps the file and removes older ones; None where no model has enough scored outcomes.

    Raises:
        InputError: outcomes that can't be read.
    """
    history = _history(settings)
    if history is None:
        return None
    prompts = embed(history.texts, load_embedder(settings.learning.embedder), history.input_tokens)
    fitted = fit_blend(history, prompts, seed=0)
    lots = np.sort(np.random.default_rng(0).permutation(len(history))[:SAMPLE])
    learned = Learned(
        fingerprint,
        fitted.estimator,
        fitted.held_out.take(lots),
        prompts.input_tokens[lots],
        fit_lengths(history.output_tokens, _answers(fitted.held_out, prompts), quantile=settings.routing.quantile),
        len(history),
    )
    _keep(learned, learned_folder(settings))
    return learned


def _answers(estimates: Estimates, prompts: Prompts) -> Floats:
    """Expected output tokens [Q, M]."""
    return np.maximum(0.0, estimates.tokens - prompts.input_tokens[:, None])


def history_name(model: Model) -> str:
    """What a model is called in recorded outcomes."""
    return model.history or model.id


def _history(settings: Settings) -> Outcomes | None:
    """The outcomes of the registry's models, those with enough scores."""
    whole = read_several(outcome_folders(settings))
    names = {history_name(model) for model in settings.models}
    scored = np.isfinite(whole.score).sum(axis=0)
    costed = np.isfinite(whole.cost_usd).sum(axis=0)
    columns = [i for i, name in enumerate(whole.models) if name in names and min(scored[i], costed[i]) >= LEAST_SCORED]
    if not columns:
        return None
    kept = whole.only(np.array(columns))
    return kept.take(np.flatnonzero(np.isfinite(kept.score).any(axis=1)))


def _keep(learned: Learned, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{learned.fingerprint}.fit"
    aside = path.with_suffix(f".{os.getpid()}.partial")
    with aside.open("wb") as file:
        pickle.dump(learned, file, protocol=pickle.HIGHEST_PROTOCOL)
    aside.rename(path)
    for old in folder.glob("*.fit"):
        if old != path:
            old.unlink(missing_ok=True)


def _in_child(settings: Settings, fingerprint: str) -> None:
    os.nice(10)
    fit_learned(settings, fingerprint)


def start_fit(settings: Settings, fingerprint: str) -> multiprocessing.process.BaseProcess:
    """A child process that fits and keeps the file; look for it with `load_learned` when it has ended."""
    child = multiprocessing.get_context("spawn").Process(target=_in_child, args=(settings, fingerprint), daemon=True)
    child.start()
    return child
