"""The demo's simulated servers: what they answer, how they stream and fail; and what they make of the probe suite."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from pointsman.demo.answers import write_answers
from pointsman.demo.cast import CAST
from pointsman.demo.model_server import PIECES, Server, last_words, pieces_of
from pointsman.demo.probing import NEEDS, probe_outcomes
from pointsman.demo.scene import columns, simulated_scene
from pointsman.evaluate.simulated import MODELS
from pointsman.evaluate.simulated.models import SKILLS
from pointsman.outcomes import prompt_id_of
from pointsman.pool.graders import Reply, grader_of
from pointsman.pool.probes.suite import items

PROMPT = "How far is it?"
TOLD = {
    "model": "simulated/small",
    "called": "small",
    "first_token_s": 0.0001,
    "tokens_per_s": 1e9,
    "verbosity": 1.0,
    "seed": 0,
    "answers": {prompt_id_of(PROMPT): {"input": 5, "output": 12}},
}


def ask(told: dict[str, Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """Runs a few requests against a server of its own."""

    async def run() -> None:
        async with TestClient(TestServer(Server(told).app())) as client:
            await work(client)

    asyncio.run(run())


def query(text: str = PROMPT, **more: Any) -> dict[str, Any]:
    return {"model": "small", "messages": [{"role": "user", "content": text}], **more}


def test_a_planned_answer_has_its_planned_size() -> None:
    """The usage of a planned prompt is what the truth says, and the answer says that it is simulated."""

    async def work(client: Any) -> None:
        whole = await (await client.post("/v1/chat/completions", json=query())).json()
        assert whole["usage"] == {"prompt_tokens": 5, "completion_tokens": 12, "total_tokens": 17}
        assert whole["system_fingerprint"] == "simulated"
        assert whole["model"] == "simulated/small"
        assert "imulated" in whole["choices"][0]["message"]["content"]
        assert whole["choices"][0]["finish_reason"] == "stop"
        listed = await (await client.get("/v1/models")).json()
        assert [one["owned_by"] for one in listed["data"]] == ["simulated"]

    ask(TOLD, work)


def test_a_limit_cuts_the_answer_off() -> None:
    """No answer is longer than the request allows, and the finish reason says that it was cut off."""

    async def work(client: Any) -> None:
        for name in ("max_tokens", "max_completion_tokens"):
            whole = await (await client.post("/v1/chat/completions", json=query() | {name: 7})).json()
            assert whole["usage"]["completion_tokens"] == 7
            assert whole["choices"][0]["finish_reason"] == "length"

    ask(TOLD, work)


def test_what_nobody_planned_is_answered_the_same_way_every_time() -> None:
    """A prompt that isn't in the file has sizes that follow from its text alone."""

    async def work(client: Any) -> None:
        sizes = [
            (await (await client.post("/v1/chat/completions", json=query(text))).json())["usage"]
            for text in ("Something else", "Something else", "And again another thing")
        ]
        assert sizes[0] == sizes[1] != sizes[2]
        assert all(one["completion_tokens"] > 0 for one in sizes)

    ask(TOLD, work)


def test_a_stream_says_the_same_as_a_whole_answer() -> None:
    """Pieces of a stream add up to the whole answer; usage comes where it is asked for, and the end marker last."""

    async def work(client: Any) -> None:
        whole = await (await client.post("/v1/chat/completions", json=query())).json()
        asked = query(stream=True, stream_options={"include_usage": True})
        text = await (await client.post("/v1/chat/completions", json=asked)).text()
        lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
        assert lines[-1] == "[DONE]"
        events = [json.loads(line) for line in lines[:-1]]
        said = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
        assert said == whole["choices"][0]["message"]["content"]
        assert events[-1]["usage"] == whole["usage"]
        assert len(events) <= PIECES + 3

    ask(TOLD, work)


def test_a_server_fails_until_that_is_taken_back() -> None:
    """While it fails every call gets 503 and an error in OpenAI's shape; afterwards it answers as before."""

    async def work(client: Any) -> None:
        for failing, status in ((True, 503), (False, 200)):
            assert (await client.post("/control", json={"failing": failing})).status == 200
            answer = await client.post("/v1/chat/completions", json=query())
            assert answer.status == status
            assert failing == ("error" in await answer.json())
        assert (await client.post("/control", data=b"no JSON")).status == 400
        assert (await client.post("/v1/chat/completions", data=b"no JSON")).status == 400

    ask(TOLD, work)


def test_last_words_by_hand() -> None:
    """The latest message of the user counts, in one piece or in parts."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert last_words([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]) == "x"
    assert last_words([{"role": "system", "content": "s"}, {"role": "user", "content": parts}]) == "a\nb"


@given(st.text(max_size=400))
def test_pieces_add_up(text: str) -> None:
    """Cutting an answer into pieces loses nothing and makes few of them."""
    pieces = pieces_of({"role": "assistant", "content": text})
    assert "".join(one["content"] for one in pieces) == text
    assert 1 <= len(pieces) <= PIECES + 1


def test_every_skill_of_the_suite_has_its_needs() -> None:
    """Each skill that the suite asks for is made of latent skills whose shares add up to one."""
    assert set(NEEDS) == {item.probe.skill for item in items()}
    for needs in NEEDS.values():
        assert set(needs) <= set(SKILLS)
        assert sum(needs.values()) == pytest.approx(1.0)


def test_better_models_answer_more_probes() -> None:
    """The mean score on the suite goes with a model's skills; scores are 0 or 1, answers within their limits."""
    outcomes = probe_outcomes(0)
    means = outcomes.score.mean(axis=0)
    skills = np.array([sum(model.skills) for model in MODELS])
    assert np.corrcoef(means, skills)[0, 1] > 0.9
    assert set(np.unique(outcomes.score)) == {0.0, 1.0}
    limits = np.array([item.probe.max_output_tokens for item in items()])
    assert (outcomes.output_tokens <= limits[:, None]).all()


def test_probes_are_graded_as_the_truth_says(tmp_path: Path) -> None:
    """What a server answers to a probe earns its grade: the graders find right what the skill model made right."""
    scene, part = simulated_scene(10, 2, seed=0), CAST[2]
    probes = probe_outcomes(0)
    path = tmp_path / "one.json"
    write_answers(part, scene.traffic, probes, 0, path)
    told = json.loads(path.read_text(encoding="utf-8"))
    truth = columns(probes, [part.id]).score[:, 0]
    agree = []
    for item, true in zip(items(), truth, strict=True):
        message = told["answers"][prompt_id_of(item.probe.prompt)]["message"]
        if item.probe.grader["kind"] in {"code", "tools"} or message.get("tool_calls"):
            continue
        score = grader_of(item.probe.grader).grade(Reply(message["content"])).score
        agree.append(score is not None and (score > 0.5) == bool(true))
    assert len(agree) > 400
    assert np.mean(agree) > 0.97
    first = scene.traffic
    assert (
        told["answers"][prompt_id_of(first.texts[0])]["output"] == first.output_tokens[0, first.models.index(part.id)]
    )
