"""The drift watch in the gateway: rows of the journal to alarms, alarms to the file, and what follows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from made_serving import DAY, Dot, Told, model, rates, settings_of
from pointsman.errors import InputError
from pointsman.estimate.drift.mix import Mix
from pointsman.estimate.lengths import Lengths
from pointsman.onboard.folder import slug_of
from pointsman.outcomes import OutcomeLog, OutcomeRow, read
from pointsman.pool.cards import Usage
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import DriftSettings, FundRule, Settings, TelemetrySettings
from pointsman.records import Candidate, Estimates, Outcomes
from pointsman.router import embed
from pointsman.serve.build import build_scheme
from pointsman.serve.drift.aftermath import Aftermath, _verdict
from pointsman.serve.drift.alarms import Alarm, Alarms, active_by_model
from pointsman.serve.drift.drifting import Drifting
from pointsman.serve.drift.forgetting import forget, forgotten
from pointsman.serve.drift.topics import keep_topics, load_topics
from pointsman.serve.drift.watch import FILE, Watch
from pointsman.serve.finished import Finished, Hop
from pointsman.serve.fitting import Learned, fit_learned
from pointsman.serve.gateway import Gateway
from pointsman.serve.journal import Journal
from pointsman.serve.journal_file import ModelTally, open_journal, score_anew
from pointsman.serve.metrics import Metrics
from pointsman.serve.onboarding.onboardings import Onboardings, Wanted
from pointsman.serve.scheme import NANO, Scheme
from pointsman.serve.upstreams.openai_usage import read_usage
from pointsman.serve.wire.errors import Refusal

BEGIN_S = 1_800_000_000
INPUT, OUTPUT = 100, 200
SETTINGS = settings_of(
    model("p/one", price=rates(1, 4), quality=0.8), model("p/two", price=rates(1, 4), quality=0.6, history="two")
)
BILL_USD = (INPUT * 1 + OUTPUT * 4) / 1e6


def learned(*names: str, since: dict[str, float] | None = None) -> Learned:
    told = Told(names, tuple(0.7 + 0.1 * i for i in range(len(names))), (0.001,) * len(names), float(OUTPUT))
    prompts = embed(["x"] * 3, Dot(), np.array([100.0, 100.0, 100.0]))
    estimates = told.estimate(prompts)
    lengths = Lengths(np.full(len(names), 2.0))
    return Learned("print", told, estimates, prompts.input_tokens, lengths, 3, since=since or {})


def scheme_with(*names: str, mix: Mix | None = None, settings: Settings = SETTINGS) -> Scheme:
    return build_scheme(settings, Dot(), learned(*names) if names else None, (), {}, DAY, mix=mix)


@dataclass
class World:
    """A journal that exchanges are written to as if they had been served, one a second."""

    journal: Journal
    state: Path
    served: int = 0
    ids: list[str] = field(default_factory=list)

    def serve(self, score: float | None = None, quality: float = 0.7, **changed: Any) -> None:
        """One exchange of `p/one`."""
        self.served += 1
        id = f"dec_{self.served:012x}"
        output = changed.pop("output_tokens", OUTPUT)
        usage = Usage(INPUT, output, reported_usd=changed.pop("reported_usd", None))
        cost = changed.pop("cost_nano", round((INPUT * 1 + output * 4) / 1e6 * NANO))
        name = changed.pop("model", "p/one")
        finished = Finished(
            **{
                "decision_id": id,
                "at_ns": (BEGIN_S + self.served) * NANO,
                "key_id": "team-a",
                "shape": "chat",
                "asked": "auto",
                "outcome": "served",
                "status": 200,
                "reason": "best",
                "model": name,
                "usage": usage,
                "cost_nano": cost,
                "hops": (Hop(name, f"{name}@1", None, cost, 0.5),),
                "candidates": (Candidate(name, quality, 0.1, 0.001, float(INPUT + OUTPUT), 0.0, quality),),
            }
            | changed
        )
        assert self.journal.add(finished)
        self.ids.append(id)
        if score is not None:
            assert self.journal.feedback(id, score)
        if self.served % 500 == 0:
            self.journal.flush()

    def watched(self, watch: Watch, scheme: Scheme) -> list[Alarm]:
        """All alarms of what has come so far."""
        assert self.journal.flush()
        found = []
        while (look := watch.look(scheme)).rows:
            found += look.alarms
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    journal = Journal(tmp_path / "decisions.sqlite", 86_400.0 * 3650)
    yield World(journal, tmp_path)
    journal.close()


def watch_of(world: World, models: tuple[str, ...] = ("p/one", "p/two")) -> Watch:
    return Watch(world.state, models, now_s=lambda: float(BEGIN_S))


def coin(rng: np.random.Generator, chance: float) -> float:
    return float(rng.random() < chance)


# From rows to alarms


def test_a_silent_replacement(world: World) -> None:
    """Scores fall by 0.4 against the fit's estimates: one alarm, with the time and size of the change."""
    rng, watch, scheme = np.random.default_rng(0), watch_of(world), scheme_with("p/one")
    for chance in [0.7] * 400 + [0.3] * 150:
        world.serve(coin(rng, chance))
    (alarm,) = world.watched(watch, scheme)
    assert (alarm.kind, alarm.model) == ("score", "p/one")
    assert abs(alarm.since_s - (BEGIN_S + 401)) < 30
    assert alarm.low < -0.4 < alarm.high < -0.1
    assert "scores of p/one fell by 0." in alarm.says
    assert watch.look(scheme).alarms == []
    watch.close()


def test_priors_follow_their_answers_and_are_no_reference(world: World) -> None:
    """Of a model without recorded outcomes the feedback itself is watched: its estimate moves without an alarm."""
    rng, watch, scheme = np.random.default_rng(1), watch_of(world), scheme_with()
    for n in range(600):
        world.serve(coin(rng, 0.4), quality=0.4 + 0.4 * 0.99**n)
    assert world.watched(watch, scheme) == []
    for _ in range(200):
        world.serve(coin(rng, 0.9), quality=0.4)
    (alarm,) = world.watched(watch, scheme)
    assert alarm.after > alarm.before
    watch.close()


def test_a_halved_rate_within_fifty_receipts(world: World) -> None:
    """What the upstream says it charged halves after fifty receipts; tokens and our bill stay."""
    watch, scheme = watch_of(world), scheme_with("p/one")
    for factor in [1.0] * 50 + [0.5] * 50:
        world.serve(reported_usd=BILL_USD * factor)
    (alarm,) = world.watched(watch, scheme)
    assert alarm.kind == "cost"
    assert (alarm.before, alarm.after) == pytest.approx((1.0, 0.5), rel=0.02)
    assert (alarm.low, alarm.high) == pytest.approx((0.5, 0.5), rel=0.02)
    assert "answers of p/one cost 0.50 times (0.50 to 0.50) what they did at the rates in force" in alarm.says
    watch.close()


def test_longer_answers(world: World) -> None:
    """Answers twice as long as before, tokens at the same rates: an alarm of length and none of cost."""
    rng, watch, scheme = np.random.default_rng(2), watch_of(world), scheme_with("p/one")
    for factor in [1] * 300 + [2] * 120:
        world.serve(output_tokens=int(OUTPUT * factor * np.exp(rng.normal(0, 0.3))))
    (alarm,) = world.watched(watch, scheme)
    assert alarm.kind == "length"
    assert alarm.low < 2.0 < alarm.high
    watch.close()


def test_traffic_that_the_history_has_not_seen(world: World) -> None:
    """The history is the reference: queries that fall into one of its parts alone ring, with the data set's name."""
    counts = np.full(4, 100)
    mix = Mix(np.eye(4, 1, dtype=np.float32), counts, ("maths", "", "code", ""))
    watch, scheme = watch_of(world), scheme_with("p/one", mix=mix)
    for _ in range(60):
        world.serve(part=2)
    (alarm,) = world.watched(watch, scheme)
    assert (alarm.kind, alarm.model) == ("mix", "")
    assert alarm.parts[0][0] == 2
    assert alarm.parts[0][3] == "code"
    assert "(code) from 25.0%" in alarm.says
    watch.close()


def test_what_says_nothing_of_a_model_is_left_out(world: World) -> None:
    """Refusals, cut answers, embeddings, probes, models that are gone and lengths that nobody reported feed nothing."""
    watch, scheme = watch_of(world), scheme_with("p/one")
    for changed in (
        {"outcome": "upstream_failed"},
        {"outcome": "client_gone"},
        {"shape": "embeddings"},
        {"key_id": "onboard-p-one-1"},
        {"model": "p/gone"},
        {"usage": None},
        {"hops": ()},
    ):
        world.serve(0.5, **changed)
    assert world.watched(watch, scheme) == []
    assert all(streams.seen(name) == 0 for streams in watch._streams.values() for name in streams.names)
    world.serve(1.0, usage=replace(Usage(INPUT, OUTPUT), estimated=True))
    world.watched(watch, scheme)
    assert watch._streams["score"].seen("p/one") == 1
    assert watch._streams["length"].seen("p/one") == 0
    watch.close()


def test_mirrored_queries_are_no_traffic(world: World) -> None:
    """A copy for a model in the shadow counts for the model and not for the mix, in which the query is already."""
    mix = Mix(np.eye(2, 1, dtype=np.float32), np.array([10, 10]), ("", ""))
    mirrored = settings_of(replace(SETTINGS.models[0], duty="shadow"), SETTINGS.models[1])
    watch, scheme = watch_of(world), scheme_with("p/one", mix=mix, settings=mirrored)
    world.serve(part=1)
    world.serve(part=1, model="p/two")
    world.watched(watch, scheme)
    assert watch._streams["mix"].seen("traffic") == 20 + 1
    assert watch._streams["length"].seen("p/one") == 1
    watch.close()


@pytest.mark.parametrize("told", [0.00042, 0, 1])
def test_what_the_upstream_charges_is_read(told: float) -> None:
    """`usage.cost`, as OpenRouter tells it; without it, or where it is no sum of money, nothing is known."""
    counts = {"prompt_tokens": 3, "completion_tokens": 5}
    usage = read_usage({"usage": counts | {"cost": told}})
    assert usage is not None
    assert usage.reported_usd == told
    for none in ({}, {"cost": "1"}, {"cost": -1.0}, {"cost": True}, {"cost": float("nan")}, {"cost": None}):
        without = read_usage({"usage": counts | none})
        assert without is not None
        assert without.reported_usd is None


def test_settings_are_read_from_the_file(tmp_path: Path) -> None:
    """`learning.drift` has three keys with defaults; an unknown one is refused with its line."""
    path = tmp_path / "pointsman.yaml"
    text = "models: [{id: a/b, base_url: 'http://127.0.0.1:9/v1', key: none, rates: free}]\nlearning:\n  drift: "
    for given, expected in {
        "{}": DriftSettings(),
        "{watch: false}": DriftSettings(watch=False),
        "{reprobe_budget: 0.5, forget: false}": DriftSettings(reprobe_budget_nano=NANO // 2, forget=False),
    }.items():
        path.write_text(text + given)
        assert read_settings(path, {}, DAY).learning.drift == expected
    path.write_text(text + "{wach: true}")
    with pytest.raises(InputError, match=r"line 3.*wach"):
        read_settings(path, {}, DAY)


def test_the_first_feedback_counts(world: World) -> None:
    """A score that is given again is the last word in the journal, and no second value for the watch."""
    watch, scheme = watch_of(world), scheme_with("p/one")
    world.serve(1.0)
    world.watched(watch, scheme)
    world.journal.feedback(world.ids[0], 0.0)
    world.watched(watch, scheme)
    assert watch._streams["score"].seen("p/one") == 1
    watch.close()


def test_a_crash_raises_nothing_twice(world: World) -> None:
    """A watch that comes back where its file stood reads the same rows, and its alarm has the same id."""
    rng, scheme = np.random.default_rng(3), scheme_with("p/one")
    for chance in [0.7] * 300 + [0.2] * 150:
        world.serve(coin(rng, chance))
    first = watch_of(world)
    (before,) = world.watched(first, scheme)
    (world.state / FILE).unlink()  # it died before it could keep where it stood
    (again,) = world.watched(watch_of(world), scheme)
    assert again == before
    alarms = Alarms(world.state)
    assert alarms.raise_(before)
    assert not alarms.raise_(again)
    assert not Alarms(world.state).raise_(again)
    assert [one.id for one in alarms.all()] == [before.id]


def test_goes_on_after_a_restart(world: World) -> None:
    """The reference of before the restart is enough to find what changed after it."""
    rng, scheme = np.random.default_rng(4), scheme_with("p/one")
    for _ in range(400):
        world.serve(coin(rng, 0.8))
    watch = watch_of(world)
    assert world.watched(watch, scheme) == []
    watch.close()
    for _ in range(100):
        world.serve(coin(rng, 0.2))
    watch = watch_of(world, ("p/two", "p/one", "p/new"))
    (alarm,) = world.watched(watch, scheme)
    assert alarm.count_before > 300
    watch.close()


def test_a_file_that_cannot_be_read_begins_anew(world: World) -> None:
    """What is no state of the watch is said and replaced."""
    (world.state / FILE).write_bytes(b"nonsense")
    watch = watch_of(world)
    world.serve(1.0)
    assert world.watched(watch, scheme_with("p/one")) == []
    watch.close()
    assert watch_of(world)._exchange == 1


def test_references_begin_anew_with_what_they_are_taken_against(world: World) -> None:
    """New rates begin the costs anew, a fit that moves a model its scores; a fit that says the same changes nothing."""
    watch, scheme = watch_of(world), scheme_with("p/one")
    for _ in range(5):
        world.serve(0.5)
    world.watched(watch, scheme)

    def seen() -> tuple[int, int, int]:
        return tuple(watch._streams[kind].seen("p/one") for kind in ("score", "cost", "length"))  # type: ignore[return-value]

    assert seen() == (5, 5, 5)
    watch.look(scheme_with("p/one"))
    assert seen() == (5, 5, 5)
    dearer = settings_of(replace(SETTINGS.models[0], rates=(rates(2, 4),)), SETTINGS.models[1])
    watch.look(scheme_with("p/one", settings=dearer))
    assert seen() == (5, 0, 5)
    watch.look(scheme_with("two", "p/one", settings=dearer))  # its mean estimate is now 0.8
    assert seen() == (0, 0, 5)
    watch.close()


def test_numbers_that_begin_again(world: World) -> None:
    """Where all exchanges were swept, numbers begin at 1: the watch reads them all the same."""
    watch, scheme = watch_of(world), scheme_with("p/one")
    for _ in range(9):
        world.serve()
    world.watched(watch, scheme)
    with open_journal(world.state / "decisions.sqlite") as db:
        db.execute("delete from exchanges")
    for _ in range(3):
        world.serve()
    world.watched(watch, scheme)
    assert watch._streams["length"].seen("p/one") == 12
    watch.close()


# The alarms' file


def alarm_of(id: str = "score-1", kind: Any = "score", at_s: float = BEGIN_S + 9.0, **fields: Any) -> Alarm:
    given = {"since_s": float(BEGIN_S), "before": 0.0, "after": -0.3, "low": -0.4, "high": -0.2}
    rest = {"count_before": 400, "count_after": 60, "evidence": 2e6}
    return Alarm(**{"id": id, "kind": kind, "model": "p/two", "at_s": at_s} | given | rest | fields)


def test_alarms_are_what_their_lines_add_up_to(tmp_path: Path) -> None:
    """Raised, acknowledged once, judged; a line that a crash has torn changes nothing."""
    alarms = Alarms(tmp_path)
    assert alarms.all() == []
    assert alarms.raise_(alarm_of())
    assert alarms.raise_(alarm_of("mix-2", "mix", model="", parts=((3, 0.1, 0.4, "code"),)))
    assert active_by_model(alarms.all()) == {("score", "p/two"): 1, ("mix", ""): 1}
    with alarms.path.open("ab") as file:
        file.write(b'{"event": "acknowl')
    known = alarms.acknowledge("score-1", 5.0)
    assert known is not None
    assert known.acknowledged_s == 5.0
    again = alarms.acknowledge("score-1", 6.0)
    assert again == known
    assert alarms.acknowledge("nobody", 5.0) is None
    alarms.judge("mix-2", "all-clear", "it was nothing")
    first, second = Alarms(tmp_path).all()
    assert first == known
    assert (second.verdict, second.note, second.parts) == ("all-clear", "it was nothing", ((3, 0.1, 0.4, "code"),))
    assert active_by_model([first, second]) == {}
    assert json.loads(json.dumps(second.public()))["parts"] == [[3, 0.1, 0.4, "code"]]


# Forgetting


def test_forgetting_moves_forward_alone(tmp_path: Path) -> None:
    """The latest moment counts, by model; nothing is forgotten where nothing was."""
    assert forgotten(tmp_path) == {}
    forget(tmp_path, "two", 100.0)
    forget(tmp_path, "two", 50.0)
    forget(tmp_path, "one", 7.0)
    assert forgotten(tmp_path) == {"one": 7.0, "two": 100.0}


def test_what_is_forgotten_is_never_guessed(tmp_path: Path) -> None:
    """A file that isn't one is refused, by name, and so is a moment that is none."""
    for text in ("{", "[1]", '{"m": "yesterday"}', '{"m": -1}', '{"m": true}'):
        (tmp_path / "forgotten.json").write_text(text)
        with pytest.raises(InputError, match=r"forgotten\.json"):
            forgotten(tmp_path)
    with pytest.raises(InputError, match="no moment"):
        forget(tmp_path / "other", "m", float("nan"))


def quality_of(scheme: Scheme) -> Estimates:
    return scheme.snapshot.estimator.estimate(embed(["?"], Dot(), np.array([100.0])))


def test_after_forgetting_estimates_follow_the_new_level() -> None:
    """A fit from before counts no more for the model: its doubted declaration and its answers since do. Others stay."""
    tallies = {"p/two": ModelTally("p/two", scored=200, score_sum=40.0)}
    fit = learned("p/one", "two")
    before = quality_of(build_scheme(SETTINGS, Dot(), fit, (), tallies, DAY))
    after = quality_of(build_scheme(SETTINGS, Dot(), fit, (), tallies, DAY, forgotten={"two": 50.0}))
    assert before.quality[0] == pytest.approx([0.7, 0.8])
    assert after.quality[0, 1] == pytest.approx(0.2, abs=0.03)
    assert after.quality[0, 0] == before.quality[0, 0]
    assert after.spread[0, 0] == before.spread[0, 0]
    assert after.cost_usd[0, 0] == before.cost_usd[0, 0]


def test_a_fit_that_has_forgotten_counts_again() -> None:
    """The next fit left those outcomes out, so it is believed."""
    gone = {"two": 50.0}
    fresh = quality_of(build_scheme(SETTINGS, Dot(), learned("p/one", "two", since=gone), (), {}, DAY, forgotten=gone))
    assert fresh.quality[0, 1] == pytest.approx(0.8)


def test_a_new_fit_follows_the_new_level(tmp_path: Path) -> None:
    """Two models, one of which gets worse in the middle: a fit after forgetting knows its new level alone.

    The other one's estimates are of all its outcomes; and these stay where they are, to be replayed as ever.
    """
    rng, begin_s = np.random.default_rng(12), 1_700_000_000.0
    settings = settings_of(model("p/one"), model("p/two"), state=tmp_path)
    words = ("sum", "river", "verb", "stone", "noun", "prime", "cloud", "root")
    texts = [" ".join(rng.choice(words, 6)) for _ in range(240)]
    rows = [
        OutcomeRow(
            prompt_id=f"q{n}",
            prompt=text,
            dataset="live",
            model=name,
            score=coin(rng, chance if n < 120 else later),
            cost_usd=0.001,
            input_tokens=10.0,
            output_tokens=20.0,
            at_s=begin_s + n,
        )
        for n, text in enumerate(texts)
        for name, chance, later in (("p/one", 0.6, 0.6), ("p/two", 0.9, 0.1))
    ]
    OutcomeLog(tmp_path / "outcomes").append(rows)
    forget(tmp_path, "p/two", begin_s + 120)
    after = fit_learned(settings, "after")
    assert after is not None
    assert after.since == {"p/two": begin_s + 120}
    assert len(read(tmp_path / "outcomes")) == 240

    level = dict(zip(after.estimator.models, after.held_out.quality.mean(axis=0).tolist(), strict=True))
    mean = np.mean([row.score for row in rows if row.model == "p/one" and row.score is not None])
    assert level["p/two"] == pytest.approx(0.1, abs=0.08)
    assert level["p/one"] == pytest.approx(float(mean), abs=0.06)
    topics = load_topics(tmp_path, settings.learning.embedder)
    assert topics is not None
    assert topics.counts.sum() == 240


def test_what_was_declared_is_doubted() -> None:
    """Declared outcomes weigh a quarter after the change: twenty bad answers move a declaration of 0.6 further."""
    tallies = {"p/two": ModelTally("p/two", scored=20, score_sum=0.0)}
    trusting = quality_of(build_scheme(SETTINGS, Dot(), None, (), tallies, DAY)).quality[0, 1]
    doubting = quality_of(build_scheme(SETTINGS, Dot(), None, (), tallies, DAY, forgotten={"two": 1.0})).quality[0, 1]
    assert trusting == pytest.approx(0.6 * 24 / (24 + 20))
    assert doubting == pytest.approx(0.6 * 6 / (6 + 20))


# What follows an alarm


@dataclass
class Asked:
    """Stands for the onboardings: says what it was asked."""

    wanted: list[Wanted] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    refuses: bool = False

    def start(self, wanted: Wanted) -> str:
        if self.refuses:
            raise Refusal("overloaded", "two are running")
        self.wanted.append(wanted)
        self.busy.add(slug_of(wanted.model))
        return slug_of(wanted.model)

    def running(self) -> set[str]:
        return self.busy


def aftermath_of(state: Path, asked: Asked) -> Aftermath:
    return Aftermath(state, Alarms(state), cast("Onboardings", asked))


def ended(state: Path, asked: Asked, after: float, *, changed: bool, spent_usd: float = 0.25) -> None:
    """The onboarding has ended with this profile."""
    folder = state / "onboarding" / slug_of("p/two")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"again": True, "started_s": BEGIN_S + 10}))
    gap = {"mean": after - 0.8, "low": after - 0.88, "high": after - 0.72, "n": 40}
    change = {"before": 0.8, "after": after, "difference": gap, "p": 0.01, "changed": changed}
    (folder / "profile.json").write_text(json.dumps({"change": change, "spent_usd": spent_usd}))
    asked.busy.clear()


def raised(aftermath: Aftermath, alarm: Alarm, settings: DriftSettings, now_s: float = BEGIN_S + 9.0) -> Alarm:
    aftermath.alarms.raise_(alarm)
    aftermath.follow(alarm, "two", settings, now_s)
    found = aftermath.alarms.one(alarm.id)
    assert found is not None
    return found


def test_scores_alone_are_believed_where_nothing_can_be_asked(world: World) -> None:
    """Without a budget: outcomes from before count no more, and scores are added up anew from the change on."""
    for score, name in [(1.0, "p/two"), (0.9, "p/two"), (0.2, "p/two"), (0.1, "p/two"), (1.0, "p/one")]:
        world.serve(score, model=name)
    world.journal.flush()
    aftermath = aftermath_of(world.state, Asked())
    alarm = raised(aftermath, alarm_of(since_s=BEGIN_S + 3.0), DriftSettings())
    assert forgotten(world.state) == {"two": BEGIN_S + 3.0}
    tallies = world.journal.tallies()
    assert tallies["p/two"].scored == 2
    assert tallies["p/two"].score_sum == pytest.approx(0.3)
    assert (tallies["p/two"].answered, tallies["p/one"].scored) == (4, 1)
    assert "no longer count" in alarm.note
    assert alarm.active
    assert (world.state / "refit.request").exists()


def test_scores_anew_keep_what_others_add(world: World) -> None:
    """A model without exchanges since has an empty tally; one that nobody has asked has none; sums stay sums."""
    for score in (0.1, 0.7, 0.2):
        world.serve(score, model="p/two")
    world.journal.flush()
    with closing(open_journal(world.state / "decisions.sqlite")) as db:
        score_anew(db, "p/two", 9 * 10**18)
        score_anew(db, "p/nobody", 0)
    tally = world.journal.tallies()["p/two"]
    assert (tally.scored, tally.score_sum) == (0, 0.0)
    world.serve(0.4, model="p/two")
    world.journal.flush()
    assert world.journal.tallies()["p/two"].score_sum == pytest.approx(0.4)
    assert "p/nobody" not in world.journal.tallies()


def test_what_cannot_be_done_is_said(world: World) -> None:
    """A file of what is forgotten that can't be read: the alarm is raised once all the same, and tells of it."""
    (world.state / "forgotten.json").write_text("{")
    rng, scheme, metrics = np.random.default_rng(13), scheme_with("p/one"), Metrics()
    for chance in [0.9] * 200 + [0.1] * 100:
        world.serve(coin(rng, chance))
    world.journal.flush()
    drifting = Drifting(world.state, cast("Onboardings", Asked()), metrics)
    drifting._look(scheme, DriftSettings())
    (alarm,) = drifting.alarms.all()
    assert alarm.active
    assert "could not be done" in alarm.note
    assert b'pointsman_alarms_total{kind="score",model="p/one"} 1.0' in metrics.render()
    drifting.close()


def test_every_worker_follows_what_is_forgotten(tmp_path: Path) -> None:
    """Whoever wrote the file: a worker believes the model less within a tick, and solves prices at once."""
    settings = replace(SETTINGS, state=tmp_path, funds=(FundRule("all", NANO),), telemetry=TelemetrySettings(log="off"))
    gateway = Gateway(settings, number=1)
    try:
        before = gateway.scheme.typical.spread[0]
        forget(tmp_path, "two", 5.0)
        asyncio.run(gateway._watch_drift())
        after, priced_s = gateway.scheme.typical.spread[0], gateway._priced_s
        asyncio.run(gateway._solve())
        assert gateway._priced_s > priced_s
    finally:
        asyncio.run(gateway.stop())
    assert after[1] > 1.5 * before[1]
    assert after[0] == before[0]
    assert not (tmp_path / FILE).exists()  # the first worker alone watches


def test_nothing_is_looked_at_where_that_is_not_wanted(world: World) -> None:
    """`watch: false` reads nothing and writes nothing."""
    drifting = Drifting(world.state, cast("Onboardings", Asked()), Metrics())
    asyncio.run(drifting.look(scheme_with("p/one"), DriftSettings(watch=False)))
    drifting.close()
    assert not (world.state / FILE).exists()


def test_journals_of_before_get_the_list_of_feedback(tmp_path: Path) -> None:
    """A journal that was made without it has it when it is opened."""
    path = tmp_path / "decisions.sqlite"
    with closing(open_journal(path)) as db:
        db.execute("drop table feedback")
    with closing(open_journal(path)) as db:
        assert db.execute("select count(*) from feedback").fetchone() == (0,)


def test_nothing_is_forgotten_where_that_is_not_wanted(world: World) -> None:
    """`forget: false` leaves it at the alarm; alarms of cost, length and traffic never forget by themselves."""
    aftermath = aftermath_of(world.state, Asked())
    raised(aftermath, alarm_of(), DriftSettings(forget=False))
    for kind in ("cost", "length", "mix"):
        raised(aftermath, alarm_of(f"{kind}-1", kind), DriftSettings())
    assert forgotten(world.state) == {}


def test_asking_again_confirms(world: World) -> None:
    """The suspected model is asked its probes again, within the day's budget; only then it is forgotten."""
    asked = Asked()
    aftermath, settings = aftermath_of(world.state, asked), DriftSettings(reprobe_budget_nano=2 * NANO)
    alarm = raised(aftermath, alarm_of(), settings)
    assert alarm.verdict == "probing"
    assert asked.wanted == [Wanted("p/two", budget_usd="2", again=True)]
    aftermath.look({"p/two": "two"}, settings)
    assert forgotten(world.state) == {}
    ended(world.state, asked, after=0.5, changed=True)
    aftermath.look({"p/two": "two"}, settings)
    found = aftermath.alarms.one(alarm.id)
    assert found is not None
    assert found.verdict == "confirmed"
    assert "0.80 before and 0.50 now (40 probes)" in found.note
    assert forgotten(world.state) == {"two": BEGIN_S}


def test_asking_again_gives_the_all_clear(world: World) -> None:
    """Probes that score as before: the alarm is over and nothing is forgotten; what was spent is known exactly."""
    asked = Asked()
    aftermath, settings = aftermath_of(world.state, asked), DriftSettings(reprobe_budget_nano=NANO)
    raised(aftermath, alarm_of(), settings)
    ended(world.state, asked, after=0.79, changed=False, spent_usd=0.25)
    aftermath.look({"p/two": "two"}, settings)
    (found,) = aftermath.alarms.all()
    assert (found.verdict, found.active) == ("all-clear", False)
    assert forgotten(world.state) == {}
    # Not the same model again today, but another one, with what is left.
    assert "less than a day ago" in raised(aftermath, alarm_of("length-2", "length"), settings).note
    assert raised(aftermath, alarm_of("score-3", model="p/one"), settings).verdict == "probing"
    assert asked.wanted[-1] == Wanted("p/one", budget_usd="0.75", again=True)
    assert "budget" in raised(aftermath, alarm_of("length-4", "length", model="p/new"), settings).note
    tomorrow = BEGIN_S + 86_400.0 * 2
    assert raised(aftermath, alarm_of("length-5", "length", at_s=tomorrow), settings, tomorrow).verdict == "probing"


@pytest.mark.parametrize(
    ("kind", "after", "before", "low", "high", "changed", "verdict"),
    [
        ("score", -0.3, 0.8, -0.4, -0.1, True, "confirmed"),
        ("score", 0.3, 0.4, 0.1, 0.4, True, "confirmed"),
        ("score", -0.3, 0.8, 0.1, 0.4, True, "all-clear"),  # it got better, if anything
        ("score", -0.3, 0.8, -0.1, 0.1, False, "all-clear"),
        ("score", -0.3, 0.8, -0.4, 0.2, False, "unclear"),  # too few to tell
        ("score", -0.3, 0.1, 0.0, 0.0, False, "unclear"),  # nobody can do worse at these
        ("score", 0.3, 0.95, 0.0, 0.0, False, "unclear"),
        ("length", 2.0, 0.8, -0.3, -0.1, True, "confirmed"),
        ("length", 2.0, 0.8, -0.1, 0.1, False, "all-clear"),
        ("length", 2.0, 0.8, -0.3, 0.1, False, "unclear"),
    ],
)
def test_verdicts(kind: str, after: float, before: float, low: float, high: float, changed: bool, verdict: str) -> None:
    """Probes confirm a change in the alarm's direction; they clear it only where they would have shown half of it."""
    alarm = alarm_of(kind=kind, before=1.0 if kind == "length" else 0.0, after=after)
    assert _verdict(alarm, before, low, high, changed=changed) == verdict


def test_asking_that_comes_to_nothing_leaves_the_scores(world: World) -> None:
    """Where the probes can't be asked, or say nothing, an alarm of scores is believed and one of lengths is not."""
    asked = Asked()
    aftermath, settings = aftermath_of(world.state, asked), DriftSettings(reprobe_budget_nano=NANO)
    raised(aftermath, alarm_of("length-1", "length"), settings)
    asked.busy.clear()  # it ended without a profile
    aftermath.look({"p/two": "two"}, settings)
    (found,) = aftermath.alarms.all()
    assert (found.verdict, forgotten(world.state)) == ("unclear", {})
    asked.refuses = True
    tomorrow = BEGIN_S + 86_400.0 * 2
    other = raised(aftermath, alarm_of("score-2"), settings, tomorrow)
    assert "two are running" in other.note
    assert forgotten(world.state) == {"two": BEGIN_S}


# The partition of the traffic


class Split:
    """An embedder: each text is a number."""

    name, dimension = "split", 2

    def embed(self, texts: Any) -> Any:
        return np.array([[float(text), 1.0] for text in texts], np.float32)


def test_topics_are_made_once(tmp_path: Path) -> None:
    """From rows enough, for one embedder; another history doesn't change them, another embedder does."""
    texts = [str(i % 40) for i in range(400)]
    nothing = np.full((400, 1), np.nan)
    history = Outcomes(texts, texts, ["maths"] * 300 + ["live"] * 100, ("m",), nothing, nothing, nothing, np.ones(400))
    keep_topics(tmp_path, history.take(np.arange(50)), "split", Split())
    assert load_topics(tmp_path, "split") is None
    keep_topics(tmp_path, history, "split", Split())
    made = load_topics(tmp_path, "split")
    assert made is not None
    assert made.counts.sum() == 400
    assert set(made.names) <= {"maths", ""}
    keep_topics(tmp_path, history.take(np.arange(300)), "split", Split())
    again = load_topics(tmp_path, "split")
    assert again is not None
    assert np.array_equal(again.centres, made.centres)
    assert load_topics(tmp_path, "other") is None
    (tmp_path / "topics.npz").write_bytes(b"torn")
    assert load_topics(tmp_path, "split") is None


def test_topics_leave_probes_out(tmp_path: Path) -> None:
    """Nobody sends probes, so no part of the traffic is made of them."""
    texts, nothing = [str(i % 40) for i in range(400)], np.full((400, 1), np.nan)
    datasets = ["maths"] * 250 + ["probe:logic"] * 150
    history = Outcomes(texts, texts, datasets, ("m",), nothing, nothing, nothing, np.ones(400))
    keep_topics(tmp_path, history.take(np.arange(100, 400)), "split", Split())
    assert load_topics(tmp_path, "split") is None  # 150 rows of the traffic are too few
    keep_topics(tmp_path, history, "split", Split())
    made = load_topics(tmp_path, "split")
    assert made is not None
    assert made.counts.sum() == 250
