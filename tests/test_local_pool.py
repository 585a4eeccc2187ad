"""The pool of real models: its settings and front over a stand-in for llama.cpp, and the sample data made with it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))  # the benchmark is no part of the package

from local_pool.asking import CHAT, TEXT, calls, completion, most_alike
from local_pool.examples import CUES, EXAMPLES, examples_for, kind_of
from local_pool.export import KEPT, export
from local_pool.front import Answers, Front
from local_pool.profile import profile
from local_pool.route import Against, interval, table
from local_pool.run import chosen
from local_pool.settings import SETTINGS, TERSE, Setting, by_name, model_entries
from local_pool.tools import called, told
from local_pool.weights import WEIGHTS
from pointsman.cli.places import LOCAL_POOL, outcomes_at
from pointsman.errors import InputError
from pointsman.evaluate.data.samples import LOCAL_POOL_FOLDER, local_pool
from pointsman.outcomes import OutcomeLog, OutcomeRow, prompt_id_of, read, read_about
from pointsman.pool.probes import Probe, suite
from pointsman.pool.registry import read_settings

POOL = by_name()
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "What is 17 * 23?"}], "max_tokens": 64}
WEATHER: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_the_plain_setting_sends_the_query_as_it_came() -> None:
    """Its messages, its limit, the setting's temperature, a seed: nothing else."""
    (call,) = calls(POOL["smol"], ASKED | {"temperature": 0.9})
    assert call.path == CHAT
    assert call.body == {"temperature": 0.0, "seed": 7, "max_tokens": 64, "messages": ASKED["messages"]}


def test_a_setting_puts_its_words_first_and_its_limit_holds() -> None:
    """The terse one: its own system message before the query's, 24 tokens though 64 are asked."""
    messages = [{"role": "system", "content": "Be kind."}, *ASKED["messages"]]
    (call,) = calls(POOL["smol-terse"], ASKED | {"messages": messages})
    assert call.body["messages"] == [{"role": "system", "content": f"{TERSE}\n\nBe kind."}, *ASKED["messages"]]
    assert call.body["max_tokens"] == 24


def test_examples_are_turns_of_the_chat() -> None:
    """Three questions about numbers with their answers, then the query."""
    (call,) = calls(POOL["smol-examples"], ASKED)
    roles = [one["role"] for one in call.body["messages"]]
    assert roles == ["user", "assistant"] * 3 + ["user"]
    assert call.body["messages"][1]["content"] == EXAMPLES["numbers"][0][1]


def test_a_base_model_gets_one_text_to_go_on_with() -> None:
    """Examples, question, an open answer; and it stops before it asks itself another question."""
    messages = [{"role": "system", "content": "Be brief."}, *ASKED["messages"]]
    (call,) = calls(POOL["gemma"], ASKED | {"messages": messages, "stop": "!"})
    shown = "".join(f"Question: {asked}\nAnswer: {said}\n\n" for asked, said in EXAMPLES["numbers"])
    assert call.path == TEXT
    assert call.body["prompt"] == f"Be brief.\n\n{shown}Question: What is 17 * 23?\nAnswer:"
    assert call.body["stop"] == ["\nQuestion:", "!"]


def test_the_vote_asks_three_times_with_seeds_of_their_own() -> None:
    """Else the requests are alike."""
    bodies = [call.body for call in calls(POOL["smol-vote"], ASKED)]
    assert [body.pop("seed") for body in bodies] == [7, 8, 9]
    assert bodies[0] == bodies[1] == bodies[2]


def test_tools_are_told_in_words() -> None:
    """The chat template knows none; with examples, those of tools are shown."""
    (call,) = calls(POOL["smol-examples"], ASKED | {"tools": WEATHER})
    assert "tools" not in call.body
    assert call.body["messages"][0] == {"role": "system", "content": told(WEATHER)}
    assert "get_weather(city: string): Weather of a city" in told(WEATHER)
    assert call.body["messages"][2]["content"] == EXAMPLES["tools"][0][1]


@given(st.sampled_from(SETTINGS), st.integers(1, 10_000), st.text(min_size=1, max_size=200))
def test_no_setting_exceeds_its_limit_or_loses_the_question(setting: Setting, limit: int, question: str) -> None:
    """Whatever is asked."""
    for call in calls(setting, {"messages": [{"role": "user", "content": question}], "max_tokens": limit}):
        assert 1 <= call.body["max_tokens"] <= min(limit, setting.most_output_tokens)
        text = call.body["prompt"] if setting.base else call.body["messages"][-1]["content"]
        assert question in text


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Write an SQL query that counts the rows of pets.", "sql"),
        ("Give the date as JSON.", "json"),
        ("Write a Python function add(a, b).", "code"),
        ("What does this print?\nprint(1 + 1)", "reading"),
        ("Übersetze ins Englische: Haus", "translating"),
        ("Which one?\nA) this\nB) that", "choice"),
        ("Summarise the text.", "summary"),
        ("Is the sentiment good or bad?", "classes"),
        ("What is 3 plus 4?", "numbers"),
        ("Who wrote Hamlet?", "mixed"),
    ],
)
def test_examples_are_of_the_kind_that_the_question_seems_to_be_of(question: str, kind: str) -> None:
    """By a few words alone."""
    assert kind_of(question) == kind
    assert examples_for(question) == EXAMPLES[kind]


def test_every_kind_has_three_examples_and_none_is_a_probe() -> None:
    """What is shown isn't asked."""
    assert {kind for kind, _ in CUES} | {"tools", "mixed"} == set(EXAMPLES)
    assert all(len(turns) == 3 for turns in EXAMPLES.values())
    asked = {probe.prompt for probe in suite()}
    assert not [text for turns in EXAMPLES.values() for text, _ in turns if text in asked]


# --- what comes back --------------------------------------------------------------------------------------------------


def chat_answer(text: str, sent: int = 10, made: int = 4) -> dict[str, Any]:
    """What llama.cpp answers to a chat."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "x", "created": 1, "choices": [choice], "usage": {"prompt_tokens": sent, "completion_tokens": made}}


def test_of_three_answers_the_one_most_like_the_others_is_given_and_all_are_charged() -> None:
    """Worked by hand: "it is 391" and "391" share a word, "no idea" shares none with either."""
    answers = [chat_answer("no idea"), chat_answer("it is 391", made=7), chat_answer("391")]
    told_back = completion(POOL["smol-vote"], ASKED, answers)
    assert told_back["choices"][0]["message"]["content"] == "it is 391"
    assert told_back["usage"] == {"prompt_tokens": 30, "completion_tokens": 15, "total_tokens": 45}


def test_a_base_models_text_becomes_a_message() -> None:
    """Without the space that it begins with."""
    answer = {"choices": [{"text": " 391\n", "finish_reason": "stop"}], "usage": chat_answer("")["usage"]}
    assert completion(POOL["gemma"], ASKED, [answer])["choices"][0]["message"]["content"] == "391"


def test_a_call_is_read_out_of_the_text() -> None:
    """An offered tool's name and its arguments; with or without words around them."""
    (call,) = called('Sure: {"name": "get_weather", "arguments": {"city": "Oslo"}} ok', WEATHER)
    assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    answer = chat_answer('{"name": "get_weather", "arguments": {"city": "Oslo"}}')
    choice = completion(POOL["smol"], ASKED | {"tools": WEATHER}, [answer])["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None


@given(st.one_of(st.text(max_size=60), st.text(max_size=40).map(lambda text: '{"name": "get_weather"' + text)))
def test_reading_a_call_never_fails(text: str) -> None:
    """Whatever a model writes, at most one call of an offered tool with an object of arguments."""
    for call in called(text, WEATHER):
        assert call["function"]["name"] == "get_weather"
        assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert called(text, []) == []


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_an_answer_that_most_agree_on_wins(texts: list[str]) -> None:
    """The place is one of theirs; where all are equal it is the first; a majority of equal texts with words wins."""
    assert 0 <= most_alike(texts) < len(texts)
    assert most_alike([texts[0]] * 3) == 0
    assert most_alike(["odd", "the same", "the same"]) == 1


# --- the front --------------------------------------------------------------------------------------------------------


def with_front(
    path: Path, use: Callable[[TestClient[Any, Any], list[Any]], Awaitable[None]], status: int = 200
) -> None:
    """Runs `use` on a front over a stand-in for llama.cpp, with the bodies that the stand-in was sent."""

    async def run() -> None:
        sent: list[Any] = []

        async def answer(request: web.Request) -> web.Response:
            sent.append(await request.json())
            if status != 200:
                return web.json_response({"error": {"message": "too long"}}, status=status)
            told_back = chat_answer(f"answer {len(sent)}")
            if request.path == TEXT:
                told_back["choices"] = [{"text": " answer", "finish_reason": "length"}]
            return web.json_response(told_back)

        app = web.Application()
        app.router.add_post("/v1/{what:.*}", answer)
        async with TestServer(app) as llama:
            upstreams = {name: [str(llama.make_url("")).rstrip("/")] for name in WEIGHTS}
            with closing(Answers(path)) as answers:
                front = Front(SETTINGS, upstreams, answers)
                async with TestClient(TestServer(front.app())) as client:
                    await use(client, sent)

    asyncio.run(run())


def test_the_front_answers_for_every_setting(tmp_path: Path) -> None:
    """Every model that it lists, with the tokens of what was really sent."""

    async def use(client: TestClient[Any, Any], sent: list[Any]) -> None:
        listed = [one["id"] for one in (await (await client.get("/v1/models")).json())["data"]]
        assert listed == [one.name for one in SETTINGS]
        for one in SETTINGS:
            before = len(sent)
            answer = await (await client.post(CHAT, json=ASKED | {"model": one.name, "seed": before})).json()
            assert answer["model"] == one.name
            assert answer["choices"][0]["message"]["content"].startswith("answer")
            assert len(sent) - before == one.tries
            assert answer["usage"]["total_tokens"] == 14 * one.tries

    with_front(tmp_path / "answers.jsonl", use)


def test_what_was_answered_before_is_not_asked_again(tmp_path: Path) -> None:
    """Not in the same run and not in the next; a line that a crash cut short is passed over."""
    path = tmp_path / "answers.jsonl"
    found: list[Any] = []

    async def use(client: TestClient[Any, Any], sent: list[Any]) -> None:
        for _ in range(2):
            answer = await client.post(CHAT, json=ASKED | {"model": "smol"})
            found.append((await answer.json(), len(sent)))

    with_front(path, use)
    path.write_text(path.read_text() + '{"key": "torn')
    with_front(path, use)
    assert [asked for _, asked in found] == [1, 1, 0, 0]
    assert all(answer == found[0][0] for answer, _ in found)


def test_the_front_refuses_what_it_can_not_do(tmp_path: Path) -> None:
    """Unknown models, bodies that are no query, streams: 400; nothing reaches llama.cpp."""

    async def use(client: TestClient[Any, Any], sent: list[Any]) -> None:
        wrong: list[Any] = [ASKED | {"model": "gpt"}, [], {"model": "smol"}, {"model": "smol", "messages": []}]
        for body in (*wrong, ASKED | {"model": "smol", "stream": True}):
            answer = await client.post(CHAT, json=body)
            assert answer.status == 400, body
            assert (await answer.json())["error"]["type"] == "invalid_request_error"
        assert sent == []

    with_front(tmp_path / "answers.jsonl", use)


def test_a_refusal_of_llama_is_passed_on_and_not_kept(tmp_path: Path) -> None:
    """For example of a prompt that is longer than its context."""
    path = tmp_path / "answers.jsonl"

    async def use(client: TestClient[Any, Any], _: list[Any]) -> None:
        assert (await client.post(CHAT, json=ASKED | {"model": "smol"})).status == 400

    with_front(path, use, status=400)
    assert path.read_text() == ""


# --- settings, the choice of probes, export ---------------------------------------------------------------------------


def test_the_settings_are_models_of_a_configuration(tmp_path: Path) -> None:
    """The gateway reads them; all but the first wait to be onboarded; names are unique, and all weights are used."""
    entries = model_entries("http://127.0.0.1:9")
    path = tmp_path / "pointsman.yaml"
    path.write_text(yaml.safe_dump({"master_key": "sk-x", "models": entries}))
    settings = read_settings(path, {}, date(2030, 1, 1))
    assert [model.id for model in settings.models] == [one.model for one in SETTINGS]
    assert [model.duty for model in settings.models] == ["serving", *["waiting"] * (len(SETTINGS) - 1)]
    assert len({one.model for one in SETTINGS}) == len(SETTINGS)
    assert {one.weights for one in SETTINGS} == set(WEIGHTS)


def test_probes_are_spread_over_skills_and_none_is_too_long() -> None:
    """As many of each skill as there are, give or take one, while the skill has any."""
    picked = chosen(suite(), 60, 2_000)
    assert len(picked) == 60
    assert max(len(one.prompt) + len(one.system) for one in picked) <= 2_000
    skills = [one.skill for one in picked]
    assert max(map(skills.count, skills)) - min(map(skills.count, skills)) <= 1


def made_log(folder: Path, probes: list[Probe]) -> None:
    """A gateway's outcomes of these probes for the first two settings; the first row is graded anew later."""
    rows = [
        OutcomeRow(
            prompt_id_of(one.prompt), one.prompt, "probe:x", setting.model, 0.0, 1e-6, 5, 2, answer="no", grader="x"
        )
        for setting in SETTINGS[1::-1]
        for one in probes
    ]
    log = OutcomeLog(folder)
    log.append(rows)
    log.append([replace(rows[0], score=1.0, answer="y")])


def test_the_export_keeps_the_last_of_each_and_says_what_it_is(tmp_path: Path) -> None:
    """Probes that were asked alone, in their order, with raw answers; the folder reads as outcomes."""
    probes = list(suite()[:3])
    made_log(tmp_path / "log", probes)
    size = export(tmp_path / "log", tmp_path / "set", probes[:2])
    assert (size.outcomes, size.queries, size.models) == (4, 2, 2)
    kept = pq.read_table(tmp_path / "set" / "outcomes.parquet")
    assert kept.column_names == list(KEPT)
    assert kept["answer"].to_pylist() == ["no", "y", "no", "no"]  # the second setting answered the first probe anew
    outcomes = read(tmp_path / "set")
    assert list(outcomes.texts) == [probe.prompt for probe in probes[:2]]
    assert not outcomes.simulated
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"outcomes.parquet", "dataset.yaml"}


def test_an_export_of_nothing_is_an_error(tmp_path: Path) -> None:
    """A folder without outcomes."""
    with pytest.raises(InputError):
        export(tmp_path, tmp_path / "set", suite()[:1])


# --- the figures ------------------------------------------------------------------------------------------------------


def test_an_interval_holds_the_mean_and_no_difference_has_no_width() -> None:
    """Against the normal approximation: 1.96 standard errors each way."""
    differences = np.random.default_rng(0).normal(0.1, 1.0, 400)
    low, high = interval(differences, np.random.default_rng(1))
    error = 1.96 * differences.std() / 20
    assert abs(low - (differences.mean() - error)) < 0.01
    assert abs(high - (differences.mean() + error)) < 0.01
    assert interval(np.full(5, 0.25), np.random.default_rng(0)) == (0.25, 0.25)


def test_the_table_has_a_line_a_model() -> None:
    """In Markdown."""
    line = table([Against("local/x", 0.012345, 0.5, 0.55, 0.05, 0.01, 0.09)]).splitlines()[-1]
    assert line == "| local/x | 0.0123 | 0.500 | 0.550 | +0.050 (+0.010 to +0.090) |"


# --- the sample data --------------------------------------------------------------------------------------------------


def test_the_sample_data_is_labelled() -> None:
    """What it is, whose terms, how it was made, and that real models answered."""
    about = read_about(LOCAL_POOL_FOLDER)
    assert about.title
    assert about.licence
    assert "benchmarks/local_pool" in about.source
    assert "SmolLM2" in about.notes
    assert not about.simulated


def test_every_row_of_the_sample_data_is_a_probe_of_the_suite() -> None:
    """By its prompt, under its skill."""
    skills = {probe.prompt: f"probe:{probe.skill}" for probe in suite()}
    outcomes = local_pool()
    assert [skills.get(text) for text in outcomes.texts] == list(outcomes.datasets)
    assert list(outcomes.prompt_ids) == [prompt_id_of(text) for text in outcomes.texts]


def test_every_model_of_the_pool_answered_at_its_rates() -> None:
    """Costs are the recorded tokens at the settings' rates; a score where there is an answer, on nearly every row."""
    rows = pq.read_table(LOCAL_POOL_FOLDER / "outcomes.parquet").to_pylist()
    rates = {one.model: one for one in SETTINGS}
    assert {row["model"] for row in rows} == set(rates)
    for row in rows:
        rate = rates[row["model"]]
        cost = (row["input_tokens"] * rate.input_usd + row["output_tokens"] * rate.output_usd) / 1e6
        assert row["cost_usd"] == pytest.approx(cost, abs=1e-9)
    assert np.isfinite(local_pool().score).mean() > 0.95


def test_the_sample_data_goes_by_its_name() -> None:
    """`--data local-pool`."""
    found = outcomes_at(LOCAL_POOL)
    assert found.models == local_pool().models
    assert len(profile(found).splitlines()) == len(set(found.datasets)) + 5


def test_no_weights_are_shipped() -> None:
    """The folder holds outcomes and what they are, in less than a megabyte."""
    held = list(LOCAL_POOL_FOLDER.iterdir())
    assert {path.name for path in held} == {"outcomes.parquet", "dataset.yaml"}
    assert sum(path.stat().st_size for path in held) < 1_000_000
