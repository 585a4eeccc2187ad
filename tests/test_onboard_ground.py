"""What is known before the newcomer answers, which probes that chooses, and what its answers then say of it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from made_onboarding import answered, made_ground, made_probes, money_of
from made_serving import model
from pointsman.cli.onboard_tables import show
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.evaluate.simulated import simulate
from pointsman.onboard.choosing import most_telling, without_twins
from pointsman.onboard.folder import Folder, Kept, Plan
from pointsman.onboard.ground import Ground, answers_of, believe, learn, make_ground
from pointsman.onboard.opening import Chosen, Wanted, key_id, money_left, open_plan
from pointsman.onboard.profile import Profile, as_json, make_profile
from pointsman.onboard.run import asked_outcomes
from pointsman.onboard.stopping import foresee
from pointsman.pool.graders.grade import Grade
from pointsman.pool.probes.probe import Probe
from pointsman.records import Outcomes
from pointsman.router import embed

DAY = date(2026, 11, 1)
KNOWN, NEWCOMER = np.array([0, 2, 5, 8]), 4
PAST, PROBES = 250, 48


@pytest.fixture(scope="module")
def world() -> tuple[Outcomes, Outcomes, tuple[Probe, ...]]:
    """Outcomes of four models, of a fifth on the same simulated prompts, and the last 48 prompts as probes."""
    whole = simulate(PAST + PROBES, seed=12)
    probes = tuple(
        Probe(f"row-{row}", whole.datasets[row], "medium", "en", whole.texts[row], {"kind": "exact", "answer": "x"})
        for row in range(PAST, PAST + PROBES)
    )
    return whole.only(KNOWN), whole.only(np.array([NEWCOMER])), probes


@pytest.fixture(scope="module")
def ground(world: tuple[Outcomes, Outcomes, tuple[Probe, ...]]) -> Ground:
    outcomes, _, probes = world
    embedder = load_embedder("wordllama")
    known = learn(outcomes, embedder, 0)
    assert known is not None
    texts = [probe.prompt for probe in probes]
    pool = [model(f"p/{n}", history=name) for n, name in enumerate(outcomes.models)]
    return make_ground(
        "p/new",
        pool,
        list(outcomes.models),
        known,
        answers_of(known, outcomes, texts),
        embed(texts, embedder),
        money_of(len(pool) + 1, {"pool": (1.0, 1_000.0)}),
        DAY,
        0,
    )


def kept_of(newcomer: Outcomes, probes: tuple[Probe, ...]) -> list[Kept]:
    """The newcomer's recorded outcomes on the probes, as kept answers."""
    row_of = {text: row for row, text in enumerate(newcomer.texts)}
    found = []
    for probe in probes:
        row = row_of[probe.prompt]
        answer = replace(answered("?", round(float(newcomer.cost_usd[row, 0]) * 1e9)), output_tokens=50)
        found.append(Kept(probe.id, answer, "", Grade(float(newcomer.score[row, 0]), ""), "exact"))
    return found


def test_pool_at_todays_rates(ground: Ground) -> None:
    """600 typical queries; expected scores are those of the history, money is at the registry's rates."""
    assert ground.typical.quality.shape == (600, 4)
    assert ground.answered is not None
    assert ground.answered.score.shape == (PROBES, 4)
    assert np.isfinite(ground.answered.score).all()
    # $1 and $4 a million: an answer's cost follows from its tokens, whatever the history paid.
    low = ground.prompts.input_tokens * 1e-6
    assert (ground.typical.cost_usd >= low[:, None]).all()
    assert sum(len(rows) for rows in ground.groups) == 600


def test_belief_holds_the_truth(ground: Ground, world: tuple[Outcomes, Outcomes, tuple[Probe, ...]]) -> None:
    """After 48 probes the newcomer's true mean is within its interval, which is narrower than after 8."""
    _, newcomer, probes = world
    kept = kept_of(newcomer, probes)
    widths = []
    for count in (8, PROBES):
        rows = np.arange(count)
        found = believe(ground, rows, asked_outcomes("p/new", ground, rows, kept[:count]))
        assert (found.low <= found.quality).all()
        assert (found.quality <= found.high).all()
        widths.append(float((found.high - found.low).mean()))
        if count == PROBES:
            assert found.low.mean() <= newcomer.score.mean() <= found.high.mean()
    assert widths[1] < widths[0]


def test_profile_and_effect(ground: Ground, world: tuple[Outcomes, Outcomes, tuple[Probe, ...]]) -> None:
    """Resembling models are those with the highest correlation; shares are shares; the tables fit 80 by 60."""
    _, newcomer, probes = world
    kept = kept_of(newcomer, probes)
    rows = np.arange(PROBES)
    belief = believe(ground, rows, asked_outcomes("p/new", ground, rows, kept))
    profile = make_profile("p/new", probes, kept, ground, foresee(ground.typical, belief, ground.money))
    assert ground.answered is not None
    theirs = [np.corrcoef(newcomer.score[PAST:, 0], ground.answered.score[:, m])[0, 1] for m in range(4)]
    named = [one.model for one in profile.resembles]
    assert named == [ground.answered.models[m] for m in np.argsort(theirs)[::-1]]
    effect = profile.effect
    assert effect is not None
    assert effect.from_outcomes
    assert sum(one.after for one in effect.shares) <= 1 + 1e-9
    assert effect.low <= effect.high
    assert sum(one.before for one in effect.shares) <= 1 + 1e-9
    assert_fits(profile)


def assert_fits(profile: Profile) -> str:
    out = io.StringIO()
    show(profile, Console(file=out, width=80, color_system=None))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60
    return out.getvalue()


def test_chosen_probes_tell_more(ground: Ground, world: tuple[Outcomes, Outcomes, tuple[Probe, ...]]) -> None:
    """Sixteen chosen probes leave less unsure than the sixteen that would be chosen last; fewer are a prefix."""
    _, newcomer, probes = world
    assert ground.known is not None
    assert ground.answered is not None
    ranked = most_telling(probes, PROBES, ground.known.past.space, ground.probes, ground.answered)
    assert most_telling(probes, 5, ground.known.past.space, ground.probes, ground.answered) == ranked[:5]
    assert sorted(one.id for one in ranked) == sorted(one.id for one in probes)
    row = {probe.id: at for at, probe in enumerate(probes)}
    kept = {one.probe_id: one for one in kept_of(newcomer, probes)}

    def width(some: tuple[Probe, ...]) -> float:
        rows = np.array([row[probe.id] for probe in some])
        found = believe(ground, rows, asked_outcomes("p/new", ground, rows, [kept[probe.id] for probe in some]))
        return float((found.high - found.low).mean())

    assert width(ranked[:16]) < width(ranked[-16:])


def test_nobody_is_known() -> None:
    """Without outcomes the newcomer is its mean, the same for every query, and the pool is as declared."""
    probes = made_probes(20)
    ground = made_ground(probes, [0.9], [1e-6])
    kept = [Kept(one.id, answered("?"), "", Grade(float(n < 15), ""), "exact") for n, one in enumerate(probes)]
    found = believe(ground, np.arange(20), asked_outcomes("p/new", ground, np.arange(20), kept))
    assert set(found.quality.tolist()) == {0.75}
    assert found.cost_usd == pytest.approx(1e-6)
    profile = make_profile("p/new", probes, kept, ground, foresee(ground.typical, found, ground.money))
    assert profile.resembles == ()
    assert profile.effect is not None
    assert not profile.effect.from_outcomes
    assert "declared" in assert_fits(profile)
    assert as_json(profile)["skills"]["sql"]["n"] == 4


def test_alone() -> None:
    """A model that is the whole pool has a profile, and nothing to change."""
    probes = made_probes(3)
    asked = embed([probe.prompt for probe in probes], load_embedder("wordllama"))
    ground = make_ground("p/new", [], [], None, None, asked, money_of(1), DAY, 0)
    assert ground.typical.quality.shape == (600, 0)
    profile = make_profile("p/new", probes, [], ground, None)
    assert profile.effect is None
    assert profile.overall.n == 0
    assert "no score yet" in assert_fits(profile)


def test_too_thin_a_history_is_none() -> None:
    """Seven outcomes of a model are no history."""
    outcomes = simulate(7, seed=1).only(KNOWN)
    assert learn(outcomes, load_embedder("wordllama"), 0) is None


def test_twins_are_asked_once() -> None:
    """Two probes with one prompt would take each other's place in the outcomes: the first stays."""
    one, other = made_probes(2)
    assert without_twins([one, replace(other, prompt=one.prompt), other]) == (one, other)


# --- beginning and going on -------------------------------------------------------------------------------------------


def opened(
    path: Path,
    probes: tuple[Probe, ...],
    *,
    words: str | None = None,
    again: bool = False,
    restart: bool = False,
    finished: bool = False,
) -> tuple[Plan, tuple[Probe, ...], bool]:
    """Opens a plan whose probes would be these."""
    wanted = Wanted("p/new", 10, 0, again, words)
    return open_plan(
        Folder(path), wanted, lambda: Chosen(probes, "by hand", {}), 1.0, restart=restart, finished=finished
    )


def test_goes_on_with_what_it_began(tmp_path: Path) -> None:
    """The same command goes on with the same probes, whatever would be chosen now; --restart begins anew."""
    first, other = made_probes(5), made_probes(9)[5:]
    _, probes, resumed = opened(tmp_path, first)
    assert (probes, resumed) == (first, False)
    assert opened(tmp_path, other)[1:] == (first, True)
    assert opened(tmp_path, other, words="5")[1:] == (first, True)
    with pytest.raises(InputError, match="--restart"):
        opened(tmp_path, other, words="64")
    assert opened(tmp_path, other, restart=True)[1:] == (other, False)
    assert (tmp_path / "rounds" / "1" / "plan.json").is_file()


def test_again_is_another_round(tmp_path: Path) -> None:
    """Asking again puts the finished round away, goes on with an unfinished one, and leaves the first one's files."""
    probes = made_probes(5)
    opened(tmp_path, probes)
    assert not opened(tmp_path, probes, again=True)[2]
    assert opened(tmp_path, probes, again=True)[2]
    assert not opened(tmp_path, probes, again=True, finished=True)[2]
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["1", "2"]


def test_other_probes_than_planned(tmp_path: Path) -> None:
    """Probes that were changed on the disk meanwhile are refused: answers to others would count for them."""
    opened(tmp_path, made_probes(5))
    path = tmp_path / "probes.jsonl"
    path.write_text(path.read_text().replace("What is 0", "What was 0"))
    with pytest.raises(InputError, match="--restart"):
        opened(tmp_path, made_probes(5))


def test_one_at_a_time(tmp_path: Path) -> None:
    """Two processes can't onboard one model at once."""
    with (
        Folder(tmp_path).locked(),
        pytest.raises(InputError, match="another process"),
        Folder(tmp_path).locked(),
    ):
        pass


def test_what_was_spent_before_counts(tmp_path: Path) -> None:
    """Of 10 nano-dollars, keys spent 3 and 4: 3 are left; answers that cost more than the keys told count instead."""
    plan, _, _ = opened(tmp_path, made_probes(2))
    plan = replace(plan, keys={"a": 3, "b": 4, "c": None})
    assert money_left(plan, 5) == 3
    assert money_left(plan, 9) == 1
    with pytest.raises(InputError, match="used up"):
        money_left(plan, 10)
    assert len({key_id("m-1", keys, rounds) for rounds in (0, 1) for keys in ([], ["x"])}) == 4
