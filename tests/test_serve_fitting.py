"""Fits for serving: known by what they depend on, kept in files, made again when a file can't be read."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_serving import model, settings_of
from pointsman.errors import InputError
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import OutcomeLog, OutcomeRow, write
from pointsman.pool.settings import LearningSettings, RoutingSettings, Settings
from pointsman.serve.fitting import (
    KEPT_FITS,
    Learned,
    fingerprint_of,
    fit_learned,
    learned_folder,
    load_learned,
    outcome_folders,
    start_fit,
)
from pointsman.serve.knowing import LEAST_SCORED


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """Outcomes of 120 simulated queries on three models, and the models' names."""
    folder = tmp_path_factory.mktemp("history") / "outcomes"
    made = simulate(120, seed=4).only(np.array([0, 2, 5]))
    write(made, folder)
    return folder, made.models


@pytest.fixture
def settings(history: tuple[Path, tuple[str, ...]], tmp_path: Path) -> Settings:
    folder, names = history
    models = (model("p/a", history=names[0]), model("p/b", history=names[1]), model("p/new"))
    return settings_of(*models, state=tmp_path / "state", learning=LearningSettings(history=folder))


@pytest.fixture(scope="module")
def fitted(history: tuple[Path, tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Learned, bytes]:
    """One fit, made by a child process beside older ones of which the newest stay, and its file's bytes."""
    folder, names = history
    models = (model("p/a", history=names[0]), model("p/b", history=names[1]), model("p/new"))
    state = tmp_path_factory.mktemp("state")
    made = settings_of(*models, state=state, learning=LearningSettings(history=folder))
    for age in range(KEPT_FITS):
        keep(made, b"old", f"older-{age}")
        os.utime(learned_folder(made) / f"older-{age}.fit", (1_000.0 - age, 1_000.0 - age))
    child = start_fit(made, "print")
    child.join(60)
    assert child.exitcode == 0
    left = sorted(path.name for path in learned_folder(made).iterdir())
    assert left == [*(f"older-{age}.fit" for age in range(KEPT_FITS - 1)), "print.fit"]
    found = load_learned(made, "print")
    assert found is not None
    return found, (learned_folder(made) / "print.fit").read_bytes()


def keep(settings: Settings, content: bytes, name: str = "print") -> None:
    learned_folder(settings).mkdir(parents=True, exist_ok=True)
    (learned_folder(settings) / f"{name}.fit").write_bytes(content)


def test_a_fit_covers_the_registrys_recorded_models(
    fitted: tuple[Learned, bytes], history: tuple[Path, tuple[str, ...]]
) -> None:
    """A child process fits the models that both the history and the registry have, and leaves this one file alone."""
    learned, _ = fitted
    assert set(learned.estimator.models) == set(history[1][:2])
    assert learned.rows == 120
    assert learned.held_out.quality.shape == (120, 2)
    assert len(learned.input_tokens) == 120
    assert (learned.lengths.factor > 0).all()


def test_a_kept_fit_is_loaded_as_it_was(settings: Settings, fitted: tuple[Learned, bytes]) -> None:
    """What is loaded says what was fitted, and only under its own fingerprint."""
    learned, content = fitted
    keep(settings, content)
    found = load_learned(settings, "print")
    assert found is not None
    assert np.array_equal(found.held_out.quality, learned.held_out.quality)
    keep(settings, content, "another")
    assert load_learned(settings, "another") is None
    assert load_learned(settings, "missing") is None


def test_a_file_that_cannot_be_read_is_no_fit(settings: Settings, fitted: tuple[Learned, bytes]) -> None:
    """Empty, cut off, of another version, or something else altogether: as if it weren't there, and never an error."""
    _, content = fitted
    for broken in (
        b"",
        b"garbage",
        content[:40],
        content[: len(content) // 2],
        pickle.dumps({"a": 1}),
        b"cno_such\nx\n.",
    ):
        keep(settings, broken)
        assert load_learned(settings, "print") is None
    (learned_folder(settings) / "folder.fit").mkdir()
    assert load_learned(settings, "folder") is None


def test_bits_that_fell_over_are_no_error(settings: Settings, fitted: tuple[Learned, bytes]) -> None:
    """Bytes changed anywhere in the file's frame give a fit or none."""
    _, content = fitted
    rng = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(content[:3_000])
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(0, 256)
        keep(settings, bytes(broken))
        load_learned(settings, "print")


def test_without_outcomes_there_is_no_fit(tmp_path: Path) -> None:
    """No history and nothing stored: nothing to know a fit by."""
    bare = settings_of(model("p/a"), state=tmp_path)
    assert fingerprint_of(bare) is None
    assert outcome_folders(bare) == []


def test_a_history_that_isnt_there_is_refused(tmp_path: Path) -> None:
    """A folder that the settings name must exist; what to do is said."""
    with pytest.raises(InputError, match="no such folder"):
        fingerprint_of(settings_of(model("p/a"), state=tmp_path, learning=LearningSettings(history=tmp_path / "no")))


CHANGES: dict[str, Callable[[Settings], Settings]] = {
    "embedder": lambda s: replace(s, learning=replace(s.learning, embedder="wordllama#cap_tokens=64")),
    "quantile": lambda s: replace(s, routing=RoutingSettings(quantile=0.9)),
    "models": lambda s: replace(s, models=s.models[:1]),
    "history": lambda s: replace(s, models=(replace(s.models[0], history="other"), *s.models[1:])),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_fit_depends_on_changes_its_fingerprint(settings: Settings, what: str) -> None:
    """Embedder, quantile, models and their names in the history."""
    assert fingerprint_of(CHANGES[what](settings)) != fingerprint_of(settings)


def test_what_a_fit_does_not_depend_on_changes_nothing(settings: Settings) -> None:
    """Rates, funds, and the order of models leave the fingerprint as it is."""
    other = replace(settings, models=settings.models[::-1], master_key="x")
    assert fingerprint_of(other) == fingerprint_of(settings)


def test_new_outcomes_change_the_fingerprint(settings: Settings) -> None:
    """A part that the gateway stored is part of it, and so is a file that was written anew."""
    before = fingerprint_of(settings)
    log = OutcomeLog(settings.state / "outcomes")
    path = log.append([OutcomeRow("q", "text", "live", "p/a", score=1.0, cost_usd=0.1)])
    stored = fingerprint_of(settings)
    assert stored != before
    assert outcome_folders(settings) == [settings.learning.history, settings.state / "outcomes"]
    assert path is not None
    os.utime(path, ns=(1, 1))
    assert fingerprint_of(settings) not in {before, stored}


def test_too_few_scores_are_left_to_declarations(tmp_path: Path) -> None:
    """A model's column is fitted from its thirtieth scored outcome on; where no model has as many there is no fit."""
    settings = settings_of(model("p/a"), state=tmp_path)
    log = OutcomeLog(settings.state / "outcomes")
    rows = [
        OutcomeRow(
            f"q{i}", f"question {i}", "live", "p/a", score=i % 2, cost_usd=0.01, input_tokens=9.0, output_tokens=9.0
        )
        for i in range(LEAST_SCORED)
    ]
    log.append(rows[:-1])
    assert fit_learned(settings, "few") is None
    assert not learned_folder(settings).exists()
    log.append(rows[-1:])
    found = fit_learned(settings, "enough")
    assert found is not None
    assert found.rows == LEAST_SCORED
