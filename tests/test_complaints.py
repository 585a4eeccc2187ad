"""What users of other gateways complain about, each as a test: one gateway with two workers, one that has a history.

What other files test in depth has a short test here too, so that the list is whole.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from gateway_kit import (
    MASTER,
    PLAIN,
    RUN,
    GatewayProcess,
    anthropic_model,
    embedding_model,
    openai_model,
    running_gateway,
    settings_of,
    wait_until,
)
from gateway_storm import storm, watched
from made_outcomes import folder_of, table
from pointsman.errors import InputError
from pointsman.outcomes import read
from pointsman.pool.registry import read_settings
from stub_upstream import Stub, start_stub

FAILURE = {"first_token": "700ms", "between_tokens": "700ms", "total": "5s", "retries": 0, "cooldown_after": 1_000}
DAY = date(2026, 11, 1)


def funds() -> list[dict[str, Any]]:
    """The funds of the complaints; most belong to one key alone."""
    few = {"unit": "requests", "amount": 5}
    return [
        {"name": "all", "amount": 1_000_000},
        {"name": "c01", "unit": "requests", "amount": 10, "keys": ["c01"]},
        {"name": "c02", "unit": "requests", "amount": 6, "keys": ["c02"]},
        {"name": "c03", **few, "keys": ["c03"]},
        {"name": "c04", "unit": "requests", "amount": 1, "window": "2s", "keys": ["c04"]},
        {"name": "c06", **few, "keys": ["c06"]},
        {"name": "c07", "unit": "requests", "amount": 0, "models": ["c07/b"]},
        {"name": "c09", "amount": 1, "keys": ["c09"]},
        {"name": "c10", "amount": "0.000001", "models": ["c10/dear"]},
        {"name": "c11-model", "unit": "requests", "amount": 1, "models": ["c11/a"]},
        {"name": "c11-provider", "unit": "requests", "amount": 3, "providers": ["c11"]},
        {"name": "c11-scarce", "amount": "0.5", "window": "30d", "models": ["scarce/dear"]},
    ]


def models(stub: Stub) -> list[dict[str, Any]]:
    """Models of the complaints, by name."""

    def one(id: str, quality: float, **fields: Any) -> dict[str, Any]:
        given = {"model": id.replace("/", "-"), "rates": {"input": 1, "output": 2}, "quality": quality}
        return openai_model(stub, id=id, **given | fields)

    detailed = {"input": 10, "output": 20, "cached": 1, "reasoning": 30}
    return [
        *(
            one(f"{name}/{letter}", q)
            for name in ("c07", "c11", "c19", "c22")
            for letter, q in (("a", 0.6), ("b", 0.5))
        ),
        one("plain/model", 0.4),
        one("c10/dear", 0.9, rates={"input": 100, "output": 100}),
        one("c10/cheap", 0.5),
        one("scarce/dear", 0.9, rates={"input": 100, "output": 100}),
        one("c12/openai", 0.4, rates=detailed),
        anthropic_model(stub, id="c12/claude", model="c12-claude", quality=0.4),
        one("c17/small", 0.95, context=2_000, rates={"input": 0.1, "output": 0.1}),
        one("c17/large", 0.4, context=100_000),
        one("c18/here", 0.60, rates={"input": 1, "output": 1, "cached": 0.1}),
        one("c18/there", 0.61, rates={"input": 1, "output": 1, "cached": 0.1}),
        one("c18/best", 0.99),
        embedding_model(stub, id="emb/small", model="emb-small"),
    ]


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with two workers."""
    folder = tmp_path_factory.mktemp("complaints")
    aliases = {"c19": {"models": ["c19/*"]}, "c22": {"models": ["c22/*"]}, "c10": {"models": ["c10/*"]}}
    sections = {"aliases": aliases, "failure": FAILURE, "learning": {"resolve": "500ms"}}
    with running_gateway(folder, stub, models(stub), funds(), workers=2, **sections) as running:
        yield running
        running.settled()


@pytest.fixture(autouse=True)
def _fresh(stub: Stub) -> None:
    stub.reset()


def ask(gateway: GatewayProcess, key: str, path: str = "/v1/chat/completions", **body: Any) -> httpx.Response:
    """A request on a connection of its own, so that any worker may answer it."""
    body = {"model": "plain/model", "messages": PLAIN} | body
    return httpx.post(gateway.url + path, json=body, headers={"authorization": f"Bearer {key}"}, timeout=30)


def only(*patterns: str) -> dict[str, Any]:
    """The wish for these models alone."""
    return {"pointsman": {"models": list(patterns)}}


def served_by(answer: httpx.Response) -> str:
    """Who answered."""
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-pointsman-model"])


# Budgets


def test_complaint_01_check_then_increment_overspends_under_concurrency(gateway: GatewayProcess, stub: Stub) -> None:
    """A budget is looked at, many queries pass, and all of them are booked afterwards."""
    stub.script("plain-model", first_token_s=0.05)
    with watched(gateway, "c01") as seen:
        statuses = storm(gateway, gateway.key(id="c01"), 60, model="plain/model")
    assert statuses == {200: 10, 429: 50}
    assert seen.most <= 10


def test_complaint_02_a_counter_per_worker(gateway: GatewayProcess) -> None:
    """Every worker or pod has a counter of its own, so the limit is multiplied by their number."""
    key = gateway.key(id="c02")
    statuses = Counter(ask(gateway, key).status_code for _ in range(20))
    assert statuses == {200: 6, 429: 14}


def test_complaint_03_reservations_that_leak_and_turn_into_false_429s(gateway: GatewayProcess, stub: Stub) -> None:
    """Money reserved for calls that failed or were cut off never comes back."""
    key = gateway.key(id="c03")
    stub.script("plain-model", *[{"status": 500}] * 12, {})
    assert [ask(gateway, key).status_code for _ in range(12)] == [502] * 12
    assert [ask(gateway, key).status_code for _ in range(6)] == [200] * 5 + [429]


def test_complaint_04_windows_that_never_reset(gateway: GatewayProcess) -> None:
    """A budget that is spent stays spent when its time is over."""
    key = gateway.key(id="c04")
    assert ask(gateway, key).status_code == 200
    refused = ask(gateway, key)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 4
    wait_until(lambda: ask(gateway, key).status_code == 200, 15)


def test_complaint_05_a_limit_that_is_configured_and_silently_not_enforced(
    gateway: GatewayProcess, stub: Stub, tmp_path: Path
) -> None:
    """A slip in the configuration, or a key that another worker hasn't heard of yet, and there is no limit."""
    for slip in ({"model": ["plain/*"]}, {"models": ["plian/*"]}, {"providers": ["plian"]}):
        path = tmp_path / "pointsman.yaml"
        path.write_text(yaml.safe_dump(settings_of(stub, models(stub), [{"name": "f", "amount": 1, **slip}])))
        with pytest.raises(InputError, match=r"line \d+"):
            read_settings(path, {}, DAY)
        command = [sys.executable, "-c", RUN, "serve", "--config", str(path), "--port", "0"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "line" in refused.stderr) == (2, True)
    key = gateway.key(id="c05", requests_per_minute=1)
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(answer.status_code for answer in pool.map(lambda _: ask(gateway, key), range(8)))
    assert statuses == {200: 1, 429: 7}


def test_complaint_06_another_api_surface_bypasses_the_budget(gateway: GatewayProcess) -> None:
    """Chat is limited, but embeddings, Anthropic's messages or the Responses API are not."""
    key, most = gateway.key(id="c06"), {"max_tokens": 50}
    surfaces: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {}),
        ("/v1/completions", {"prompt": "Six times seven is"}),
        ("/v1/responses", {"input": "Six times seven is"}),
        ("/v1/messages", most),
        ("/v1/embeddings", {"model": "emb/small", "input": "one"}),
    ]
    for path, body in surfaces:
        assert ask(gateway, key, path, **body).status_code == 200, path
    for path, body in surfaces:
        assert ask(gateway, key, path, **body).status_code == 429, path
        assert ask(gateway, key, path.removeprefix("/v1"), **body).status_code == 429, path


def test_complaint_07_a_fallback_escapes_the_budget(gateway: GatewayProcess, stub: Stub) -> None:
    """The first model fails, and the second one is asked though its own budget is empty."""
    stub.script("c07-a", status=500)
    stub.script("plain-model", {})
    answer = ask(gateway, MASTER, model="auto", **only("c07/*", "plain/*"))
    assert served_by(answer) == "plain/model"
    assert "c07-b" not in stub.calls()["by_model"]


def test_complaint_08_a_stream_shows_no_cost(gateway: GatewayProcess) -> None:
    """What a streamed answer cost is zero in the books, and unknown to the client."""
    answer = ask(gateway, MASTER, stream=True, pointsman={"stream_cost": True})
    decision = gateway.decision(answer)
    assert decision["cost_nano"] > 0
    assert not decision["usage"]["estimated"]
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert chunks[-1]["pointsman"]["cost_nano_usd"] == decision["cost_nano"]
    unreported = ask(gateway, MASTER, stream=True)
    assert '"usage":{' not in unreported.text.replace(" ", "")


def test_complaint_09_a_disconnect_loses_or_invents_spend(gateway: GatewayProcess, stub: Stub) -> None:
    """A client that leaves mid-stream costs nothing, or the whole ceiling, whatever was written."""
    stub.script("plain-model", output_tokens=1_000, between_s=0.03)
    key = gateway.key(id="c09")
    with httpx.stream(
        "POST",
        f"{gateway.url}/v1/chat/completions",
        json={"model": "plain/model", "messages": PLAIN, "stream": True, "max_tokens": 1_000},
        headers={"authorization": f"Bearer {key}"},
    ) as answer:
        for _ in zip(range(3), answer.iter_lines(), strict=False):
            pass
    gateway.settled()
    written = stub.calls()["output_tokens"]
    assert 0 < gateway.balance("c09").spent < (200 * 1 + 1_000 * 2) * 1_000 / 2
    assert 0 < written < 500


def test_complaint_10_reject_instead_of_degrading_to_a_cheaper_model(gateway: GatewayProcess) -> None:
    """The best model's budget is gone, and the query is refused though a cheaper model could serve it."""
    answer = ask(gateway, MASTER, model="c10")
    assert served_by(answer) == "c10/cheap"
    assert gateway.decision(answer)["reason"] in {"best_payable", "cheapest_payable", "best"}
    assert ask(gateway, MASTER, model="c10/dear").status_code == 429


def test_complaint_11_no_budgets_by_provider_or_model_and_no_pacing(gateway: GatewayProcess) -> None:
    """There is one budget for all, and it is gone on the third of the month."""
    # By name, since pacing would rather keep what is scarce: one call for a model, three for its provider.
    assert [ask(gateway, MASTER, model="c11/a").status_code for _ in range(2)] == [200, 429]
    assert [ask(gateway, MASTER, model="c11/b").status_code for _ in range(3)] == [200, 200, 429]
    assert ask(gateway, MASTER, model="auto", **only("c11/*")).status_code == 429

    # Pacing: a fund that can't pay for what is expected has a price, which only worthwhile queries pay. Each worker
    # solves on its own share of the traffic, so it is asked for until the worker that answers has seen enough of it.
    def dearer() -> bool:
        charged = gateway.decision(ask(gateway, MASTER, model="auto", **only("scarce/*", "plain/*")))
        charges = {one["model"]: one["charge"] for one in charged["candidates"]}
        return bool(charges["scarce/dear"] > charges["plain/model"])

    def price() -> float:
        answer = httpx.get(gateway.url + "/v1/funds", headers=gateway.headers, timeout=30)
        return float({one["fund"]: one["price"] for one in answer.json()["data"]}["c11-scarce"] or 0)

    wait_until(lambda: dearer() and price() > 0, 60)


def test_complaint_12_cached_reasoning_and_cache_write_tokens_are_mispriced(
    gateway: GatewayProcess, stub: Stub
) -> None:
    """All input tokens cost the same in the books, though the provider bills some at a tenth and others at more."""
    stub.script("c12-openai", input_tokens=1_000, cached_tokens=600, reasoning_tokens=50)
    whole = gateway.decision(ask(gateway, MASTER, model="c12/openai"))
    assert whole["cost_nano"] == 400 * 10_000 + 600 * 1_000 + 6 * 20_000 + 50 * 30_000
    stub.script("c12-claude", input_tokens=1_000, cached_tokens=200, cache_write_tokens=100)
    for stream in (False, True):
        claude = gateway.decision(ask(gateway, MASTER, "/v1/messages", model="c12/claude", max_tokens=9, stream=stream))
        assert claude["cost_nano"] == 700 * 3_000 + 200 * 300 + 100 * 3_750 + 6 * 15_000


def test_complaint_13_one_bad_rate_row_poisons_everything(stub: Stub, tmp_path: Path) -> None:
    """An unknown or senseless rate counts as zero, or as not a number, and every sum with it."""
    path = tmp_path / "pointsman.yaml"
    for rates in ({"input": "nan", "output": 1}, {"input": -1, "output": 1}, {"output": 1}, None, "cheap"):
        bad = openai_model(stub, id="nobody/knows-this", rates=rates)
        if rates is None:
            del bad["rates"]
        path.write_text(yaml.safe_dump({"models": [bad]}))
        with pytest.raises(InputError, match=r"line \d+"):
            read_settings(path, {}, DAY)
    path.write_text(yaml.safe_dump({"models": [openai_model(stub, id="nobody/knows-this", rates="free")]}))
    assert read_settings(path, {}, DAY).models[0].rates[0].source == "free"


# Routing


def proof_of(n: int) -> str:
    """A short hard prompt."""
    return f"Prove that the sum of {n} odd numbers is even or odd, by induction on {n + 3}."


def greeting_of(n: int) -> str:
    """An easy one that is as long."""
    return f"Say hello to the guest with the number {n} and wish a nice day, not {n + 3}."


PROOFS, GREETINGS = [proof_of(n) for n in range(60)], [greeting_of(n) for n in range(60)]


@pytest.fixture(scope="module")
def learned(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that has recorded outcomes: the cheapest model fails at proofs, and at nothing else."""
    folder = tmp_path_factory.mktemp("learned")
    scores = {"h/large": (0.9, 0.9), "h/medium": (0.6, 0.9), "h/small": (0.05, 0.9)}
    costs = {"h/large": 3e-3, "h/medium": 1e-3, "h/small": 1e-4}
    rows = [
        {"prompt_id": f"p{n}", "prompt": text, "dataset": "d", "model": model, "score": scores[model][easy],
         "cost_usd": costs[model], "input_tokens": 20.0, "output_tokens": 40.0}
        for easy, texts in enumerate((PROOFS, GREETINGS))
        for n, text in enumerate(texts, 100 * easy)
        for model in scores
    ]  # fmt: skip
    history = folder_of(table(rows), folder / "history")
    rates = {"h/large": 30, "h/medium": 10, "h/small": 1}
    given = [{"id": id, "model": id[2:], "rates": {"input": rate, "output": rate}} for id, rate in rates.items()]
    learning = {"history": str(history), "store_prompts": True}
    with running_gateway(folder, stub, given, [{"name": "all", "amount": 1_000_000}], learning=learning) as running:
        yield running


def routed(gateway: GatewayProcess, prompt: str) -> dict[str, Any]:
    """The decision for a prompt, without asking anybody."""
    found: dict[str, Any] = gateway.post("/v1/route", {"prompt": prompt, "pointsman": {"trade_off": 1}}).json()
    return found


def test_complaint_14_heuristics_send_proofs_and_chemistry_to_the_cheapest_tier(learned: GatewayProcess) -> None:
    """A short hard question looks simple to a rule of thumb."""
    proof, greeting = routed(learned, proof_of(71)), routed(learned, greeting_of(71))
    quality = {one["model"]: one["quality"] for one in proof["candidates"]}
    assert quality["h/small"] < 0.4 < 0.7 < quality["h/large"]
    assert proof["model"] != "h/small"
    assert greeting["model"] == "h/small"


def test_complaint_15_more_than_two_models_without_retraining(learned: GatewayProcess, stub: Stub) -> None:
    """A router knows a strong and a weak model, and a third one means training it again."""
    before = learned.settings
    more = openai_model(stub, id="new/model", model="new", rates={"input": 0.5, "output": 0.5}, quality=0.97)
    learned.write(before | {"models": [*before["models"], more]})
    assert learned.post("/admin/reload").status_code == 200
    candidates = {one["model"]: one for one in routed(learned, PROOFS[0])["candidates"]}
    assert set(candidates) == {"h/large", "h/medium", "h/small", "new/model"}
    assert candidates["new/model"]["spread"] > candidates["h/large"]["spread"]
    assert served_by(learned.chat(messages=[{"role": "user", "content": proof_of(72)}])) == "new/model"
    learned.write(before)
    assert learned.post("/admin/reload").status_code == 200


def test_complaint_16_no_dependence_on_a_paid_embedding_api(learned: GatewayProcess, stub: Stub) -> None:
    """Routing needs somebody's embedding endpoint, its key and its time."""
    routed(learned, "Prove that 7 is prime.")
    assert stub.calls()["count"] == 0
    others = {one.raddr.port for one in psutil.Process(learned.pid).net_connections("tcp") if one.raddr}
    mine = {one.laddr.port for one in psutil.Process().net_connections("tcp")}
    ours = mine | {int(stub.url.rpartition(":")[2])}
    assert others <= ours


def test_complaint_17_context_windows_ignored(gateway: GatewayProcess, stub: Stub) -> None:
    """A long prompt goes to a model that can't read it, and fails."""
    long = [{"role": "user", "content": "word " * 4_000}]
    assert served_by(ask(gateway, MASTER, model="auto", **only("c17/*"))) == "c17/small"
    assert served_by(ask(gateway, MASTER, model="auto", messages=long, **only("c17/*"))) == "c17/large"
    refused = ask(gateway, MASTER, model="auto", messages=long, **only("c17/small"))
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "no_capable_model")
    assert stub.calls()["by_model"] == {"c17-small": 1, "c17-large": 1}


@pytest.mark.parametrize("how", ["session", "prefix"])
def test_complaint_18_flipping_models_loses_the_prompt_cache_and_pinning_over_pays(
    gateway: GatewayProcess, how: str
) -> None:
    """Each turn goes to another model and the cache is lost, or all turns stay with a bad one for ever."""
    turns = [{"role": "user", "content": f"Let us talk by {how}. " * 20}]
    wishes = {"session": "s-18"} if how == "session" else {}
    first = ask(gateway, MASTER, model="auto", messages=turns, pointsman={"models": ["c18/here"], **wishes})
    gateway.written(first)  # the next turn may come to the other worker
    answer = first.json()["choices"][0]["message"]
    turns += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": "Go on."}]

    def next_turn(*models: str) -> str:
        wish = {"models": list(models), **wishes}
        return served_by(ask(gateway, MASTER, model="auto", messages=turns, pointsman=wish))

    fresh = [{"role": "user", "content": "Something else"}]
    assert served_by(ask(gateway, MASTER, model="auto", messages=fresh, **only("c18/*here"))) == "c18/there"
    assert next_turn("c18/*here") == "c18/here"
    assert next_turn("c18/*") == "c18/best"


def test_complaint_19_fallbacks_keyed_on_the_alias(gateway: GatewayProcess, stub: Stub) -> None:
    """A list per alias says who comes next, whatever the query, and leads to models that it may not use."""
    stub.script("c19-a", status=500)
    answer = ask(gateway, MASTER, model="c19")
    assert served_by(answer) == "c19/b"
    candidates = [one["model"] for one in gateway.decision(answer)["candidates"]]
    assert candidates == ["c19/a", "c19/b"]
    stub.script("c19-b", status=500)
    assert ask(gateway, MASTER, model="c19", **only("c19/*")).status_code in {502, 503}
    assert set(stub.calls()["by_model"]) == {"c19-a", "c19-b"}


def test_complaint_20_why_this_model(gateway: GatewayProcess, learned: GatewayProcess) -> None:
    """Nobody can say why a query went where it went."""
    for running in (gateway, learned):
        answer = running.chat()
        decision = running.decision(answer)
        assert decision["model"] == served_by(answer)
        assert decision["reason"]
        for one in decision["candidates"]:
            assert set(one) == {"model", "quality", "spread", "cost_usd", "tokens", "charge", "score"}
            assert one["score"] == pytest.approx(one["quality"] - one["charge"], abs=1e-6), one  # kept in seven digits
    assert "outcomes" in routed(learned, "x")["estimates_from"]


def test_complaint_21_no_offline_replay_and_no_ab(learned: GatewayProcess) -> None:
    """What was served can't be replayed, scored or compared with what another policy would have done."""
    answer = learned.chat(messages=[{"role": "user", "content": "Prove it for the log."}])
    decision = answer.headers["x-pointsman-decision-id"]
    given = learned.post("/v1/feedback", {"decision_id": decision, "score": 0.5})
    assert given.json()["recorded"] is True
    wait_until(lambda: learned.decision(answer)["score"] == 0.5)
    assert learned.post("/v1/feedback", {"decision_id": "dec_none", "score": 1}).status_code == 404
    learned.stop()
    kept = read(learned.state / "outcomes")
    assert "Prove it for the log." in kept.texts


# Operations


def test_complaint_22_no_fallback_once_a_stream_hangs_before_its_first_token(
    gateway: GatewayProcess, stub: Stub
) -> None:
    """The upstream says 200 and then nothing; the client waits for ever."""
    stub.script("c22-a", hang="first")
    assert served_by(ask(gateway, MASTER, model="c22", stream=True)) == "c22/b"


def test_complaint_23_no_first_token_timeout(gateway: GatewayProcess, stub: Stub) -> None:
    """There is one time-out for everything, so it is too short for long answers or too long for dead ones."""
    stub.script("plain-model", hang="headers")
    answer = ask(gateway, MASTER, stream=True)
    assert (answer.status_code, answer.json()["error"]["type"]) == (504, "upstream_timeout")
    stub.script("plain-model", output_tokens=40, between_s=0.03)  # longer than the first-token time-out altogether
    assert ask(gateway, MASTER, stream=True).text.rstrip().endswith("[DONE]")


def test_complaint_24_slow_and_memory_hungry_with_figures_nobody_can_reproduce(gateway: GatewayProcess) -> None:
    """The proxy takes half a gigabyte and tens of milliseconds, and its benchmark isn't in the repository."""
    for worker in gateway.children:
        assert worker.memory_info().rss < 400 * 1024 * 1024
    assert float(gateway.chat("plain/model").headers["x-pointsman-overhead-ms"]) >= 0
    assert (Path(__file__).parents[1] / "benchmarks" / "gateway" / "run.py").is_file()


def test_complaint_25_metrics_wrong_with_more_than_one_worker(gateway: GatewayProcess) -> None:
    """Each scrape shows another worker's counters, and none the sum."""

    def counted() -> float:
        lines = gateway.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(r"pointsman_requests_total\{", line))

    def logged() -> int:
        return gateway.log.count('"event":"exchange"')

    for _ in range(20):
        assert ask(gateway, MASTER).status_code == 200
    # Whichever worker answers a scrape, it tells of all requests that were ever logged.
    wait_until(lambda: {counted() for _ in range(4)} == {logged()})
