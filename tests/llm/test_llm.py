"""The gateway in front of a real LLM server: llama.cpp's, with a small model. Skipped where it isn't installed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from llm_server import missing, running_llm
from openai import OpenAI
from typer.testing import CliRunner

from gateway_kit import MASTER, GatewayProcess, running_gateway
from pointsman.cli.onboard import app
from pointsman.outcomes import read
from pointsman.pool.duties import read_duties
from pointsman.pool.probes import spread_probes, suite, write_probes

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "installed")

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France? Answer with one word."}]
EXACT: dict[str, Any] = {"messages": QUESTION, "max_tokens": 16, "temperature": 0, "seed": 7}
NANO = 10**9


@dataclass(frozen=True)
class Served:
    """A real server, as the kit takes it."""

    url: str


@pytest.fixture(scope="module")
def llm() -> Iterator[Served]:
    """The model's server."""
    with running_llm() as url:
        yield Served(url)


@pytest.fixture(scope="module")
def gateway(llm: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with the model under two names: a dear one that is believed to be better, and a cheap one."""
    models = [
        {"id": "local/dear", "model": "smollm2", "rates": {"input": 10, "output": 20}, "quality": 0.8, "context": 2048},
        {"id": "local/cheap", "model": "smollm2", "rates": {"input": 1, "output": 2}, "quality": 0.7, "context": 2048},
        {"id": "local/new", "model": "smollm2", "rates": {"input": 2, "output": 4}, "context": 2048, "duty": "waiting"},
    ]
    funds: list[dict[str, Any]] = [
        {"name": "all", "amount": 1_000},
        {"name": "dear", "amount": 3, "unit": "requests", "models": ["local/dear"], "keys": ["few"]},
        {"name": "cents", "amount": "0.001", "keys": ["cents"]},
    ]
    learning = {"resolve": "1h"}  # no prices meanwhile: the funds alone decide
    with running_gateway(tmp_path_factory.mktemp("llm"), llm, models, funds, learning=learning) as running:
        yield running
        running.settled()


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[OpenAI]:
    """The real client."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0) as made:
        yield made


def test_usage_booked_is_what_the_server_counts(client: OpenAI, gateway: GatewayProcess, llm: Served) -> None:
    """Asked directly and through the gateway the server counts the same tokens, and these are what is paid for."""
    direct = httpx.post(f"{llm.url}/v1/chat/completions", json=EXACT, timeout=60).json()["usage"]
    raw = client.chat.completions.with_raw_response.create(model="local/dear", **EXACT)
    usage = raw.parse().usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (direct["prompt_tokens"], direct["completion_tokens"])
    booked = gateway.decision(raw.http_response)  # type: ignore[arg-type]
    assert (booked["usage"]["input_tokens"], booked["usage"]["output_tokens"]) == (
        direct["prompt_tokens"],
        direct["completion_tokens"],
    )
    assert not booked["usage"]["estimated"]
    cached = booked["usage"]["cached_tokens"]
    assert 0 <= cached <= direct["prompt_tokens"]
    assert booked["cost_nano"] == direct["prompt_tokens"] * 10_000 + direct["completion_tokens"] * 20_000


def test_a_stream_says_and_costs_the_same(client: OpenAI, gateway: GatewayProcess) -> None:
    """The same text in pieces, with usage for who asks; its cost is booked either way."""
    whole = client.chat.completions.create(model="local/dear", **EXACT)
    gateway.settled()
    spent = gateway.balance("all").spent
    for wanted in (False, True):
        options: Any = {"include_usage": True} if wanted else openai.omit
        chunks = list(client.chat.completions.create(model="local/dear", stream=True, stream_options=options, **EXACT))
        assert (
            "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
        )
        counted = [c.usage for c in chunks if c.usage is not None]
        assert whole.usage is not None
        assert [one.completion_tokens for one in counted] == [whole.usage.completion_tokens] * len(counted)
        assert len(counted) == int(wanted)
    gateway.settled()
    cost = whole.usage.prompt_tokens * 10_000 + whole.usage.completion_tokens * 20_000
    assert gateway.balance("all").spent - spent == 2 * cost


def test_auto_chooses_between_the_two(client: OpenAI) -> None:
    """The better one while quality is all, the cheaper one where the client leans on money."""
    create = client.chat.completions.with_raw_response.create
    for trade_off, model in ((0, "local/dear"), (10, "local/cheap")):
        answer = create(model="auto", extra_body={"pointsman": {"trade_off": trade_off}}, **EXACT)
        assert answer.headers["x-pointsman-model"] == model


def test_a_fund_of_requests_runs_out_and_the_other_model_serves(gateway: GatewayProcess) -> None:
    """The dear name serves three times, then `auto` goes to the cheap one, and asking for the dear one is refused."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key(id="few"), max_retries=0) as client:
        create = client.chat.completions.with_raw_response.create
        wish = {"pointsman": {"trade_off": 0}}
        served = [create(model="auto", extra_body=wish, **EXACT).headers["x-pointsman-model"] for _ in range(5)]
        assert served == ["local/dear"] * 3 + ["local/cheap"] * 2
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="local/dear", **EXACT)


def costs_until_refused(client: OpenAI) -> Iterator[int]:
    """What each answer cost, in nano-dollars, until the fund is empty."""
    try:
        for _ in range(20):
            raw = client.chat.completions.with_raw_response.create(model="local/cheap", **EXACT)
            yield round(float(raw.headers["x-pointsman-cost-usd"]) * NANO)
    except openai.RateLimitError:
        return
    raise AssertionError("nothing was ever refused")


def test_a_fund_of_money_runs_out(gateway: GatewayProcess) -> None:
    """Answers are served while one more can be held; what was spent is the sum of their costs, to the nano-dollar."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key(id="cents"), max_retries=0) as client:
        costs = list(costs_until_refused(client))
    gateway.settled()
    balance = gateway.balance("cents")
    assert (balance.spent, balance.held) == (sum(costs), 0)
    assert 0 <= math.floor(balance.amount / max(costs)) - len(costs) <= 2


def test_other_shapes_are_answered_too(client: OpenAI, gateway: GatewayProcess) -> None:
    """The Responses API, old completions, and Anthropic's messages come from the same server."""
    assert client.responses.create(model="local/cheap", input="Say hello.", max_output_tokens=16).output_text
    assert client.completions.create(model="local/cheap", prompt="Once upon a time", max_tokens=16).choices[0].text
    told = gateway.post("/v1/messages", {"model": "local/cheap", "max_tokens": 16, "messages": QUESTION}).json()
    assert told["content"][0]["text"]
    assert told["usage"]["output_tokens"] > 0


def test_a_real_model_is_onboarded(gateway: GatewayProcess, tmp_path: Path) -> None:
    """A waiting model answers probes for real: asked, graded, stored, paid from a fund of its own; then it serves."""
    short = [probe for probe in suite() if probe.max_output_tokens <= 32 and len(probe.prompt) < 240]
    probes = spread_probes(short, 20)
    write_probes(probes, tmp_path / "probes.jsonl")
    arguments = ["local/new", "--config", str(gateway.config), "--url", gateway.url, "--budget", "$0.05"]
    arguments += [
        "--probes",
        str(tmp_path / "probes.jsonl"),
        "--concurrency",
        "2",
        "--force-all",
        "--no-wait",
        "--json",
    ]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    profile = json.loads(done.stdout.splitlines()[-1])
    assert (profile["asked"], profile["graded"]) == (20, 20)
    assert 0 < profile["spent_usd"] < 0.05
    assert read_duties(gateway.state)["local/new"] == "serving"
    stored = read(gateway.state / "outcomes")
    assert set(stored.texts) == {probe.prompt for probe in probes}
    assert math.isclose(profile["spent_usd"], float(stored.cost_usd.sum()), rel_tol=1e-9)
    named = gateway.chat(model="local/new", messages=QUESTION, max_tokens=8)
    assert named.headers["x-pointsman-model"] == "local/new"
