"""How an onboarding's answers are graded, and what can't be; probes from a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_onboarding import answered
from made_serving import model, settings_of
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.onboard.asking import Answered, OutOfMoney
from pointsman.outcomes import OutcomeLog, OutcomeRow, prompt_id_of
from pointsman.pool.graders import Reply
from pointsman.pool.probes.probe import Probe
from pointsman.pool.settings import Settings
from pointsman.serve.onboarding.asking import ProbeAsking, body_of
from pointsman.serve.onboarding.candidates import candidates_of, choose, choose_again, from_log
from pointsman.serve.onboarding.grading import Graders, gradable, needs_judge, recorded_answers
from pointsman.serve.onboarding.past import Past, find_model, read_past

PROMPTS = [f"Which colour has thing number {n}?" for n in range(40)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three known models that answered forty prompts of a log: two are always right, one never."""
    state = tmp_path_factory.mktemp("state")
    rows = [
        OutcomeRow(
            prompt_id_of(text),
            text,
            "chat",
            f"k{m}",
            float(m < 2),
            1e-5,
            10,
            5,
            at_s=1.0,
            answer="blue" if m < 2 else f"x{n}",
        )
        for n, text in enumerate(PROMPTS)
        for m in range(3)
    ]
    OutcomeLog(state / "outcomes").append(rows)
    models = [model(f"p/k{m}", history=f"k{m}") for m in range(3)]
    return settings_of(*models, model("p/new", duty="waiting"), model("p/old", duty="retired"), state=state)


@pytest.fixture(scope="module")
def past(settings: Settings) -> Past:
    return read_past(settings, find_model(settings, "p/new"), load_embedder("wordllama"), 0)


def test_consensus(settings: Settings, past: Past) -> None:
    """Answers that most known models gave are believed, others aren't; each is a probability."""
    probes = from_log(past, recorded_answers(settings, past), False)
    assert len(probes) == 40
    assert {probe.skill for probe in probes} == {"chat"}
    graders = Graders(probes, past, recorded_answers(settings, past), load_embedder("wordllama"))
    assert graders.consensus
    pairs = [(probe, Reply("Blue." if n % 2 else "green")) for n, probe in enumerate(probes)]
    scores = np.array([grade.score for grade in graders.together(pairs)], np.float64)
    assert (scores[1::2] > 0.8).all()
    assert (scores[::2] < scores[1::2].min()).all()


def test_log_without_judge_or_answers(past: Past) -> None:
    """Where nobody could grade, that is said, with the remedy; an empty log likewise."""
    with pytest.raises(InputError, match="--judge"):
        from_log(past, {}, False)
    with pytest.raises(InputError, match="store_prompts"):
        from_log(Past(None, None), {}, True)


@dataclass
class Judging:
    """A judge that says what it is told to say."""

    say: Callable[[str], str]

    def ask(self, body: dict[str, Any]) -> Answered:
        return answered(self.say(body["messages"][0]["content"]))


def test_judged_log(settings: Settings, past: Past) -> None:
    """A judge is told the question and the answer, and its points are the score; without money there is no grade."""
    (probe, *_), seen = from_log(past, {}, True), list[str]()
    graders = Graders([probe], past, {}, load_embedder("wordllama"))

    def say(prompt: str) -> str:
        seen.append(prompt)
        return json.dumps({"score": 7})

    graders.judge_with(Judging(say))  # type: ignore[arg-type]
    assert graders.grade(probe, Reply("blue, I think")).score == 0.7
    assert probe.prompt in seen[0]
    assert "blue, I think" in seen[0]

    def broke(_prompt: str) -> str:
        raise OutOfMoney("key:onboard-x-1:budget")

    graders.judge_with(Judging(broke))  # type: ignore[arg-type]
    with pytest.raises(OutOfMoney):
        graders.grade(probe, Reply("blue"))


def test_needs_a_judge() -> None:
    """Found at any depth; the suite's own are left out, a user's are refused."""
    judged = {"kind": "judge", "rubric": "?"}
    nested = {"kind": "all", "of": [{"kind": "exact", "answer": "x"}, judged]}
    assert needs_judge(judged)
    assert needs_judge(nested)
    assert not needs_judge({"kind": "exact", "answer": "x"})
    plain = Probe("a", "s", "easy", "en", "?", {"kind": "exact", "answer": "x"})
    ours, own = Probe("b", "s", "easy", "en", "?", nested), Probe("c", "s", "easy", "en", "?", nested, origin="me")
    assert gradable([plain, ours], "the suite", judge=False) == (plain,)
    assert gradable([plain, own], "a file", judge=True) == (plain, own)
    for probes in ([plain, own], [ours]):
        with pytest.raises(InputError, match="--judge"):
            gradable(probes, "a file", judge=False)


def test_a_grader_that_cannot_be(past: Past) -> None:
    """A spec that can't be used is refused before anything is asked, with the probe's id."""
    probe = Probe("odd", "s", "easy", "en", "?", {"kind": "exakt", "answer": "x"})
    with pytest.raises(InputError, match="odd"):
        Graders([probe], past, {}, load_embedder("wordllama"))


def test_which_candidates() -> None:
    """A number and `suite` are of the suite; a missing file and a zero are refused."""
    whole, n, _ = candidates_of("suite", 0)
    assert len(whole) == n >= 400
    assert len({probe.prompt for probe in whole}) == n
    assert candidates_of(None, 0)[1] == 64
    assert candidates_of("16", 0)[1] == 16
    for words in ("0", "none.jsonl"):
        with pytest.raises(InputError, match="--probes"):
            candidates_of(words, 0)


def test_chosen_from_what_is_known(settings: Settings, past: Past) -> None:
    """Beside known models the most telling are taken, else they are spread; both say how."""
    probes = from_log(past, {}, True)
    found = choose(probes, 8, "your log", past, load_embedder("wordllama"), 0)
    assert len(found.probes) == 8
    assert "40 that 3 known models answered" in found.by
    spread = choose(probes, 8, "your log", Past(None, None), load_embedder("wordllama"), 0)
    assert len(spread.probes) == 8
    assert "spread" in spread.by


def test_again_knows_what_was_asked(past: Past, tmp_path: Path) -> None:
    """Only probes that this model has scores for are asked again, with those scores; none is refused."""
    log = OutcomeLog(tmp_path / "outcomes")
    texts = ["One?", "Two?", "Three?"]
    log.append([OutcomeRow(prompt_id_of(t), t, "probe:s", "new", 0.25 * n, 1e-5) for n, t in enumerate(texts[:2])])
    probes = [Probe(t, "s", "easy", "en", t, {"kind": "exact", "answer": "x"}) for t in texts]
    mine = Past(log.read(), None)
    assert dict(choose_again(probes, None, "a file", mine, "new", 0).before) == {"One?": 0.0, "Two?": 0.25}
    assert len(choose_again(probes, 1, "a file", mine, "new", 0).probes) == 1
    with pytest.raises(InputError, match="onboard it first"):
        choose_again(probes, None, "a file", mine, "other", 0)


def test_which_model(settings: Settings) -> None:
    """A retired model and an unknown one are refused, the latter with the nearest."""
    assert find_model(settings, "p/new").duty == "waiting"
    with pytest.raises(InputError, match="retired"):
        find_model(settings, "p/old")
    with pytest.raises(InputError, match="did you mean 'p/new'"):
        find_model(settings, "p/nex")


def test_body_of_a_probe() -> None:
    """System message, tools and limit are sent where a probe has them, and left out where it hasn't."""
    tool = {"type": "function", "function": {"name": "f"}}
    probe = Probe("a", "s", "easy", "en", "Hm?", {}, system="Be brief.", tools=(tool,), max_output_tokens=9)
    assert body_of(probe, "p/m") == {
        "model": "p/m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hm?"}],
        "max_tokens": 9,
        "tools": [tool],
    }
    assert "tools" not in body_of(Probe("a", "s", "easy", "en", "Hm?", {}), "p/m")


def test_nobody_there() -> None:
    """A gateway that doesn't answer is a failure that may pass, and no word of the probe is in it."""
    asking = ProbeAsking("http://127.0.0.1:9/v1", "sk-secret", "p/m")
    with pytest.raises(Exception, match="doesn't answer") as error:
        asking(Probe("a", "s", "easy", "en", "secret question", {}))
    asking.close()
    assert "secret" not in str(error.value)
