"""Running the deferral bench: planned rows, saved one by one, the same however they are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from made_trials import deferral_meta
from pointsman.errors import InputError
from pointsman.evaluate.deferral import run
from pointsman.evaluate.deferral.coverage import count_covered, groups_of, has_intervals, widened
from pointsman.evaluate.deferral.curve import POINTS
from pointsman.evaluate.deferral.protocol import Parting, Trial, make_trial
from pointsman.evaluate.deferral.records import DeferralRows, TrialRow
from pointsman.evaluate.deferral.rows import DeferralWriter, read_deferral
from pointsman.evaluate.deferral.run import Ground, Request, check, run_deferral
from pointsman.records import Estimates, Floats, Ints, Prompts
from worlds import outcomes


def ground_of(queries: int = 200, models: int = 6) -> Ground:
    """A small random world with vectors that tell its topics apart."""
    world = outcomes(queries, models, 4)
    rng = np.random.default_rng(1)
    topic = np.array([int(name.partition("-")[2]) for name in world.datasets])
    vectors = np.eye(8)[topic] + 0.3 * rng.normal(size=(queries, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Ground(world, Prompts(world.texts, vectors.astype(np.float32), world.input_tokens))


def made(folder: Path, request: Request, workers: int = 1, ground: Ground | None = None) -> DeferralRows:
    ground = ground or ground_of()
    with DeferralWriter(folder, deferral_meta()) as writer:
        run_deferral(ground, check(request, ground.outcomes), writer, workers=workers)
    return read_deferral(folder)


def figures(rows: DeferralRows) -> dict[str, TrialRow]:
    """Rows by key, without their clock."""
    return {row.key: replace(row, seconds=0.0) for row in rows.rows}


REQUEST = Request(("zero", "knn"), 2, (5, 12))


def test_one_row_a_trial_method_and_number_of_probes(tmp_path: Path) -> None:
    """Each with its key, figures within the scores, and a curve at 101 points."""
    progress: list[tuple[int, int]] = []
    ground = ground_of()
    with DeferralWriter(tmp_path, deferral_meta()) as writer:
        run_deferral(
            ground, check(REQUEST, ground.outcomes), writer, workers=1, progress=lambda _, a, b: progress.append((a, b))
        )
    rows = read_deferral(tmp_path).rows
    assert [row.key for row in rows[:4]] == [
        "zero|p5|random|t0",
        "zero|p12|random|t0",
        "knn|p5|random|t0",
        "knn|p12|random|t0",
    ]
    assert len(rows) == 8
    assert progress[0] == (0, 8)
    assert progress[-1] == (8, 8)
    for row in rows:
        assert len(row.quality) == POINTS
        assert 0 <= row.area <= row.peak <= 1
        assert (row.intervals, row.covered) == (0, 0)


def test_rows_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    """A torn file is completed with the same figures; a longer request adds its rows and changes none."""
    first = made(tmp_path, REQUEST)
    path = tmp_path / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-50])
    assert figures(made(tmp_path, REQUEST)) == figures(first)
    before = path.read_bytes()
    longer = made(tmp_path, Request(("zero", "knn", "oracle"), 3, (5, 12, 20)))
    assert path.read_bytes().startswith(before)
    assert len(longer.rows) == 27
    # Fewer probes are the start of more: what else is run changes nothing.
    assert {key: figures(longer)[key] for key in figures(first)} == figures(first)


def test_processes_make_the_same_rows(tmp_path: Path) -> None:
    """Two workers give what one gives, in whatever order."""
    assert figures(made(tmp_path / "two", REQUEST, workers=2)) == figures(made(tmp_path / "one", REQUEST))


def test_pareto_random_mixes_neighbours(tmp_path: Path) -> None:
    """Its curve lies nowhere above the zero router's on one trial of a world where probes are all labels there are."""
    ground = ground_of()
    ground = replace(
        ground, outcomes=replace(ground.outcomes, score=np.tile([0.1, 0.2, 0.3, 0.35, 0.4, 0.9], (200, 1)))
    )
    rows = {row.method: row for row in made(tmp_path, Request(("zero", "pareto-random"), 4), ground=ground).rows}
    assert all(a <= b + 1e-9 for a, b in zip(rows["pareto-random"].quality, rows["zero"].quality, strict=True))


def test_costs_may_be_known_or_estimated(tmp_path: Path) -> None:
    """The oracle that knows each cost gets more for less than the one that knows their means."""
    areas = {}
    for costs in ("constant", "estimated"):
        areas[costs] = made(tmp_path / costs, Request(("oracle",), 1, costs=costs)).rows[0].area
    assert areas["estimated"] > areas["constant"]


def test_picked_probes_are_the_same_for_every_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are picked once a trial and number, and their rows stay apart from those of random ones."""
    asked: list[int] = []

    def pick(trial: Trial, probes: int) -> Ints:
        asked.append(probes)
        return np.arange(len(trial.validation))[::-1][:probes]

    monkeypatch.setitem(run.PICKS, "picked", pick)
    picked = made(tmp_path, replace(REQUEST, probing="picked"))
    assert asked == [5, 12] * 2
    assert {row.probing for row in picked.rows} == {"picked"}
    both = figures(made(tmp_path, replace(REQUEST, probes=(5, 20))))
    assert len(both) == 8 + 8
    assert both["knn|p5|picked|t0"].area != both["knn|p5|random|t0"].area


def test_a_static_pool_has_no_probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row a method and trial, of 0 probes; asking for a number or for picking is refused."""
    monkeypatch.setitem(run.PICKS, "picked", lambda _trial, probes: np.arange(probes))
    static = Request(("zero", "kmeans"), 1, parting=Parting(static=True))
    assert [row.key for row in made(tmp_path, static).rows] == ["zero|p0|random|t0", "kmeans|p0|random|t0"]
    for asked in (replace(static, probes=(5,)), replace(static, probing="picked")):
        with pytest.raises(InputError, match="static pool has no probes"):
            check(asked, ground_of().outcomes)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (Request(("zero",), 0), "--trials: 0 trials are asked"),
        (Request(("zero",), 1, (21,)), "--probes: 21 probes are asked, a trial has 20 validation prompts; use 1 to 20"),
        (Request(("zero",), 1, (0,)), "--probes: 0 probes"),
        (Request(("zero",), 1, costs="free"), "--costs: 'free' is unknown; use constant or estimated"),
        (Request(("zero",), 1, probing="best"), "--probing: 'best' is unknown; use random"),
    ],
)
def test_requests_that_make_no_sense_are_refused(request_: Request, told: str) -> None:
    """Thing, place and remedy."""
    with pytest.raises(InputError) as refusal:
        check(request_, ground_of().outcomes)
    assert told in str(refusal.value)


def test_all_validation_prompts_are_the_default() -> None:
    """Without a number all of them are asked; several are put in order and taken once."""
    world = ground_of().outcomes
    assert check(Request(("zero",)), world).probes == (20,)
    assert check(Request(("zero",), probes=(12, 5, 12)), world).probes == (5, 12)


# ---- intervals


@dataclass(frozen=True)
class Guess:
    """An estimator that is `error` off the truth and says so."""

    chance: Floats
    error: float

    @property
    def models(self) -> tuple[str, ...]:
        return tuple("ab")

    def estimate(self, prompts: Prompts) -> Estimates:
        raise NotImplementedError

    def intervals(self, prompts: Prompts, groups: Sequence[Ints], level: float) -> tuple[Floats, Floats, Floats]:
        """Normal, for the mean, the same for every group."""
        half = norm.ppf(0.5 + level / 2) * self.error
        bounds = (self.chance, self.chance - half, self.chance + half)
        mean, low, high = (np.tile(one, (len(groups), 1)) for one in bounds)
        return mean, low, high


def test_widening_by_hand() -> None:
    """Widths combine in squares: 3 of the model's own and 4 of the sample's give 5."""
    z = norm.ppf(0.95)
    size = 25  # of scores with mean 0.5: standard error 0.1
    own = 0.075 * z
    low, high = widened(np.array([0.5]), np.array([0.5 - own]), np.array([0.5]), size)
    assert low == pytest.approx(0.5 - 0.125 * z)
    assert high == pytest.approx(0.5 + 0.1 * z)


def test_an_honest_estimator_is_covered_nine_times_in_ten() -> None:
    """True chances plus an error that is told: 90 % of the observed means are inside, give or take sampling."""
    ground, looked, held = ground_of(3000), 0, 0
    trial = make_trial(ground.outcomes, ground.prompts, 0, Parting())
    for seed in range(60):
        rng = np.random.default_rng(seed)
        chance = np.array([0.3, 0.8])
        test = replace(trial.test, score=(rng.random(trial.test.score.shape) < chance).astype(np.float64))
        guess = Guess(chance + 0.03 * rng.normal(size=2), 0.03)
        assert has_intervals(guess)
        one, in_it = count_covered(guess, replace(trial, test=test))
        looked, held = looked + one, held + in_it
    groups = groups_of(trial.test, trial.test_prompts, trial.seed)
    assert looked == 60 * 2 * len(groups)
    assert held / looked == pytest.approx(0.9, abs=0.04)
    assert all(len(rows) >= 30 for rows in groups)
    assert 2 < len(groups) <= 17
    assert math.isclose(len(groups[0]), 900)


def test_small_tests_are_one_group() -> None:
    """Too few prompts for two groups of thirty: only the whole is looked at."""
    ground = ground_of(100)
    trial = make_trial(ground.outcomes, ground.prompts, 0, Parting())
    assert [len(rows) for rows in groups_of(trial.test, trial.test_prompts, 0)] == [30]
