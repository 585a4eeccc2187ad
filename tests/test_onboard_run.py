"""`onboard` in memory: what is asked, kept, graded and stored; when it ends; what a kill leaves."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_onboarding import Kept, answered, made_ground, made_probes, made_rim, money_of, planned, right
from pointsman.errors import InputError
from pointsman.onboard.asking import Answered, OutOfMoney, Unanswered, pause_s
from pointsman.onboard.folder import ANSWERS, Folder, slug_of
from pointsman.onboard.profile import make_profile
from pointsman.onboard.run import MOST_FAILURES, onboard
from pointsman.outcomes import prompt_id_of
from pointsman.pool.graders.grade import Grade
from pointsman.pool.probes.probe import Probe


def test_by_hand(tmp_path: Path) -> None:
    """Five probes, four right: five answers kept, five outcomes with the raw answers, a mean of 0.8."""
    probes, store = made_probes(5), Kept()
    ask = right(probes)
    ask = replace(ask, answers={**ask.answers, "p3": answered("nonsense", 7_000)})
    found = onboard(planned(tmp_path, probes), probes, made_rim(ask, tmp_path, store))
    assert found.ended == ""
    assert len(found.kept) == 5
    assert sorted((row.prompt, row.score, row.answer) for row in store.rows) == sorted(
        (f"What is {n} and {n}?", 0.0 if n == 3 else 1.0, "nonsense" if n == 3 else str(2 * n)) for n in range(5)
    )
    row = next(row for row in store.rows if row.answer == "nonsense")
    assert (row.prompt_id, row.dataset, row.model) == (prompt_id_of(row.prompt), "probe:facts", "new")
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (7e-6, 10, 5)
    assert (row.at_s, row.grader) == (1_000.0, "exact")
    profile = make_profile("p/new", probes, found.kept, None, None)
    assert profile.overall.mean == 0.8
    assert profile.skills["facts"].mean == 0.0
    assert profile.cost_usd == pytest.approx(11e-6 / 5)
    assert profile.spent_usd == pytest.approx(11e-6)
    assert (profile.asked, profile.graded, profile.failed, profile.latency_ms) == (5, 5, 0, (20.0, 20.0))


def test_second_run_asks_nothing(tmp_path: Path) -> None:
    """The same plan again asks nobody and stores nothing twice."""
    probes, store = made_probes(12), Kept()
    plan = planned(tmp_path, probes)
    onboard(plan, probes, made_rim(right(probes), tmp_path, store))

    def nobody(_probe: Probe) -> Answered:
        raise AssertionError("asked twice")

    found = onboard(plan, probes, made_rim(nobody, tmp_path, store))
    assert len(found.kept) == len(store.rows) == 12


@settings(max_examples=12)
@given(st.integers(0, 20), st.integers(1, 5), st.integers(0, 2))
def test_a_kill_anywhere_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, at: int, width: int, torn: int
) -> None:
    """Killed after any answer, in asking, grading or storing: what is on the disk is never asked for again."""
    path = tmp_path_factory.mktemp("killed")
    probes, store, asked = made_probes(20), Kept(), list[str]()
    lock = threading.Lock()
    inner = right(probes)

    class Killed(BaseException):
        pass

    def ask(probe: Probe) -> Answered:
        with lock:
            asked.append(probe.id)
        return inner(probe)

    def grade(probe: Probe, reply: object) -> Grade:
        with lock:
            if len(asked) > at:
                raise Killed
        return Grade(1.0, "")

    plan = planned(path, probes)
    with contextlib.suppress(Killed):
        onboard(plan, probes, made_rim(ask, path, store, grade=grade), concurrency=width)
    if torn and (path / ANSWERS).exists():
        with (path / ANSWERS).open("ab") as file:
            file.write(b'{"probe": "p19", "te'[: 10 * torn])
    before = list(asked)
    on_disk = {one.probe_id for one in Folder(path).kept()[0]}
    assert on_disk == set(before)  # every answer that came was kept before it was graded
    at = 100
    found = onboard(plan, probes, made_rim(ask, path, store, grade=grade), concurrency=width)
    assert sorted(asked) == sorted(probe.id for probe in probes)
    assert {row.prompt for row in store.rows} == {probe.prompt for probe in probes}
    assert all(one.grade for one in found.kept)


def test_retries(tmp_path: Path) -> None:
    """What may pass is tried three times and no more, after what was asked for; what won't pass is tried once."""
    probes, waited, tries = made_probes(3), list[float](), dict[str, int]()

    def ask(probe: Probe) -> Answered:
        tries[probe.id] = tries.get(probe.id, 0) + 1
        if probe.id == "p0" and tries["p0"] < 3:
            raise Unanswered("503: busy", again=True, after_s=2.0)
        if probe.id == "p1":
            raise Unanswered("504: slow", again=True)
        if probe.id == "p2":
            raise Unanswered("400: too long", again=False)
        return answered("0")

    rim = made_rim(ask, tmp_path, sleep=waited.append)
    plan = planned(tmp_path, probes)
    found = onboard(plan, probes, rim, concurrency=1)
    assert tries == {"p0": 3, "p1": 3, "p2": 1}
    assert waited[:2] == [2.0, 2.0]
    assert 0.25 <= waited[2] <= 0.5
    assert 0.5 <= waited[3] <= 1.0
    assert {one.probe_id: one.failure for one in found.kept} == {"p0": "", "p1": "504: slow", "p2": "400: too long"}
    assert make_profile("p/new", probes, found.kept, None, None).failures == {"504: slow": 1, "400: too long": 1}
    onboard(plan, probes, made_rim(right(probes), tmp_path))  # the next run asks those again, and those alone
    assert tries["p0"] == 3
    assert all(one.answer for one in Folder(tmp_path).kept()[0])


@given(st.integers(1, 10), st.one_of(st.none(), st.floats(0, 1e6)), st.floats(0, 1, exclude_max=True))
def test_pauses(tried: int, after_s: float | None, lot: float) -> None:
    """A pause is above zero, at most half a minute, and at least what was asked for within that."""
    pause = pause_s(tried, after_s, lot)
    assert 0 < pause <= 30
    assert pause >= min(after_s or 0.0, 30)


def test_model_that_never_answers(tmp_path: Path) -> None:
    """It is given up after eight probes, with the reason; not after sixty-four."""
    probes, asked = made_probes(64), list[str]()

    def ask(probe: Probe) -> Answered:
        asked.append(probe.id)
        raise Unanswered("500: broken", again=False)

    with pytest.raises(InputError, match="500: broken"):
        onboard(planned(tmp_path, probes), probes, made_rim(ask, tmp_path), concurrency=1)
    assert len(asked) == MOST_FAILURES


def test_budget_ends_the_asking(tmp_path: Path) -> None:
    """Money for seven answers: seven are kept, the end is clean and says so."""
    probes, left = made_probes(20), [7]
    inner, lock = right(probes), threading.Lock()

    def ask(probe: Probe) -> Answered:
        with lock:
            if left[0] == 0:
                raise OutOfMoney("key:onboard-new-1:budget")
            left[0] -= 1
        return inner(probe)

    store = Kept()
    found = onboard(planned(tmp_path, probes), probes, made_rim(ask, tmp_path, store), concurrency=4)
    assert found.ended == "budget used up after 7 probes"
    assert len(store.rows) == 7


def test_money_that_is_only_held_comes_back(tmp_path: Path) -> None:
    """Where others in flight hold the money, the probe is put back and asked when they are done."""
    probes, flying = made_probes(12), threading.Semaphore(1)
    inner, gate = right(probes), threading.Barrier(2, timeout=20)
    first = threading.Event()

    def ask(probe: Probe) -> Answered:
        if not flying.acquire(blocking=False):
            gate.wait()
            raise OutOfMoney("key:onboard-new-1:budget")
        try:
            if not first.is_set():
                first.set()
                gate.wait()  # in flight until somebody was refused
            return inner(probe)
        finally:
            flying.release()

    found = onboard(planned(tmp_path, probes), probes, made_rim(ask, tmp_path), concurrency=2)
    assert found.ended == ""
    assert len(found.kept) == 12


def test_no_money_at_all(tmp_path: Path) -> None:
    """Not one answer can be paid for: refused, with the fund that is short."""

    def broke(_probe: Probe) -> Answered:
        raise OutOfMoney("pool")

    probes = made_probes(3)
    with pytest.raises(InputError, match="fund 'pool' can't pay"):
        onboard(planned(tmp_path, probes), probes, made_rim(broke, tmp_path))


def test_interrupt_keeps_what_is_in_flight(tmp_path: Path) -> None:
    """Ctrl-C: no further probe is asked; those in flight are waited for, kept and stored."""
    probes, store, asked = made_probes(20), Kept(), list[str]()
    inner = right(probes)

    def ask(probe: Probe) -> Answered:
        asked.append(probe.id)
        return inner(probe)

    calls = [0]

    def report(_progress: object) -> None:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt

    found = onboard(planned(tmp_path, probes), probes, made_rim(ask, tmp_path, store, report=report), concurrency=2)
    assert found.stopped
    assert found.ended == "interrupted"
    assert 3 <= len(asked) <= 6
    assert len(store.rows) == len(asked) == len(found.kept)


def test_stops_early_and_not_before_sixteen(tmp_path: Path) -> None:
    """A model that is always wrong beside one of 0.9 serves nobody: asking ends between 16 and 64 probes."""
    probes = made_probes(64)
    wrong = replace(right(probes), answers={probe.id: answered("no") for probe in probes})
    ground = made_ground(probes, [0.9], [1e-6], money_of(2, {"pool": (1.0, 1_000.0)}))
    found = onboard(planned(tmp_path, probes), probes, made_rim(wrong, tmp_path), ground, concurrency=1)
    assert found.ended.startswith("stopped early: even at its best")
    assert len(found.kept) == 16
    assert found.outlook is not None
    assert found.outlook.best_share == 0.0
    going_on = onboard(planned(tmp_path, probes), probes, made_rim(wrong, tmp_path), ground, stop_early=False)
    assert len(going_on.kept) == 64
    assert going_on.ended == ""


def test_ungraded_answers_have_no_score(tmp_path: Path) -> None:
    """What the grader can't tell is stored without a score and counts in no mean."""
    probes, store = made_probes(4), Kept()

    def half(probe: Probe, _reply: object) -> Grade:
        return Grade(None if probe.id == "p0" else 1.0, "?")

    found = onboard(planned(tmp_path, probes), probes, made_rim(right(probes), tmp_path, store, grade=half))
    profile = make_profile("p/new", probes, found.kept, None, None)
    assert (profile.asked, profile.graded, profile.untold, profile.overall.n) == (4, 3, 1, 3)
    assert [row.score for row in store.rows if row.prompt == probes[0].prompt] == [None]


def test_graded_together(tmp_path: Path) -> None:
    """Where answers are graded in each other's light, that is done once, when all are there."""
    probes, store, seen = made_probes(9), Kept(), list[int]()

    def together(pairs: object) -> list[Grade]:
        seen.append(len(pairs))  # type: ignore[arg-type]
        return [Grade(0.25, "")] * len(pairs)  # type: ignore[arg-type]

    rim = made_rim(right(probes), tmp_path, store, grade_together=together)
    onboard(planned(tmp_path, probes), probes, rim)
    assert seen == [9]
    assert [row.score for row in store.rows] == [0.25] * 9
    assert {row.grader for row in store.rows} == {"consensus"}


def test_slugs() -> None:
    """Slugs are harmless as file names and key ids, and two models never share one."""
    names = ["a/b", "a-b", "A/B", "../../etc/passwd", "x" * 200, "…", ""]
    slugs = [slug_of(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(len(slug) <= 47 and slug[0].isalnum() and "/" not in slug for slug in slugs)


def test_a_broken_plan_is_refused(tmp_path: Path) -> None:
    """A plan that can't be read is refused with the file and a remedy, not taken for none."""
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(InputError, match="restart"):
        Folder(tmp_path).plan()


def test_put_away(tmp_path: Path) -> None:
    """What is put away is whole, and numbered."""
    probes = made_probes(2)
    for number in (1, 2):
        planned(tmp_path, probes)
        Folder(tmp_path).put_away()
        assert (tmp_path / "rounds" / str(number) / "plan.json").is_file()
    assert Folder(tmp_path).plan() is None
