"""What the gateway does when upstreams or clients are slow, break off, talk nonsense or go away.

Each test has models of its own, so that what one makes of an endpoint's health doesn't reach another.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway_kit import MASTER, PLAIN, GatewayProcess, openai_model, running_gateway, settings_of, wait_until
from stub_upstream import Stub, start_stub

NAMES = (
    "reached", "headers", "first", "middle", "total", "whole", "once", "patient", "order", "few", "rest", "hedge",
    "cut", "event", "garbage", "ending", "html", "huge", "left", "early", "unread", "refused", "credentials", "drain",
    "two", "debug", "tail", "silent",
)  # fmt: skip
FAILURE = {
    "connect": "500ms",
    "first_token": "1s",
    "between_tokens": "1s",
    "total": "3s",
    "retries": 1,
    "fallbacks": 2,
    "backoff": "20ms",
    "cooldown_after": 3,
    "cooldown": "1s",
}
SERVER = {"client_timeout": "1500ms", "body_limit": "1MB", "header_limit": "16kB", "drain": "10s"}
RATES = ({"input": 4, "output": 4}, {"input": 2, "output": 2}, {"input": 1, "output": 1})
QUALITY = (0.9, 0.8, 0.7)


def models_of(stub: Stub, blind: str) -> list[dict[str, Any]]:
    """Three models for each name, a, b and c, each worse than the one before; and some with odd addresses."""
    models = [
        {"id": f"{name}/{letter}", "model": f"{name}-{letter}", "rates": rates, "quality": quality}
        for name in NAMES
        for letter, rates, quality in zip("abc", RATES, QUALITY, strict=True)
    ]
    odd = {"rates": RATES[0], "quality": 0.95}
    models.append({"id": "reached/nobody", "base_url": "http://127.0.0.1:9/v1", **odd})
    models.append({"id": "reached/blind", "base_url": blind, **odd})
    places = [{"name": f"two-{i}", "base_url": f"{stub.url}/v1", "model": f"place-{i}"} for i in (1, 2)]
    models.append({"id": "two/places", "endpoints": places, "rates": RATES[0], "quality": 0.95})
    return models


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all tests."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def blind() -> Iterator[str]:
    """An address where a connection is never accepted: the place for those that wait is taken."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.fixture(scope="module")
def gateway(stub: Stub, blind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with little patience."""
    folder = tmp_path_factory.mktemp("failure")
    funds = [{"name": "all", "amount": 1_000_000}, {"name": "calls", "amount": 10**9, "unit": "requests"}]
    models = models_of(stub, blind)
    with running_gateway(folder, stub, models, funds, failure=FAILURE, server=SERVER) as running:
        yield running
        with contextlib.suppress(httpx.TransportError):
            running.settled()


@pytest.fixture(autouse=True)
def _books(gateway: GatewayProcess) -> Iterator[None]:
    """After each test every hold has ended and the books balance."""
    yield
    gateway.settled()


def among(name: str, letters: str = "abc") -> dict[str, Any]:
    """The wish to be served by models of a name."""
    return {"models": [f"{name}/{letter}" for letter in letters]}


def faults(decision: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Who was asked, and how it failed."""
    return [(hop["model"], hop["fault"]) for hop in decision["hops"]]


def events(answer: httpx.Response) -> list[Any]:
    """The data of a stream's events."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def text_of(answer: httpx.Response) -> str:
    """The text that came over a stream."""
    chunks = [one for one in events(answer) if isinstance(one, dict)]
    return "".join(c["delta"].get("content") or "" for one in chunks for c in one.get("choices", ()))


# Before the first token: somebody else answers


@pytest.mark.parametrize(("model", "stream"), [("nobody", False), ("blind", True)])
def test_an_endpoint_that_cant_be_reached_is_replaced(gateway: GatewayProcess, model: str, stream: bool) -> None:
    """A refused connection, and one that nobody accepts, cost nothing and end in another model's answer."""
    wish = {"models": [f"reached/{model}", "reached/a"]}
    answer = gateway.chat(pointsman=wish, stream=stream)
    assert (answer.status_code, answer.headers["x-pointsman-model"]) == (200, "reached/a")
    decision = gateway.decision(answer)
    assert faults(decision)[0] == (f"reached/{model}", "connect")
    assert faults(decision)[-1] == ("reached/a", None)
    assert [hop["cost_nano"] for hop in decision["hops"][:-1]] == [0] * (len(decision["hops"]) - 1)


@pytest.mark.parametrize("place", ["headers", "first"])
def test_a_stream_that_hangs_before_its_first_token_is_answered_by_another(
    gateway: GatewayProcess, stub: Stub, place: str
) -> None:
    """The first-token time-out falls back, whether the upstream sent its headers or not; its prompt may be billed."""
    stub.script(f"{place}-a", hang=place)
    answer = gateway.stream(pointsman=among(place))
    assert answer.headers["x-pointsman-model"] == f"{place}/b"
    assert text_of(answer) == "The answer to this is forty-two."
    decision = gateway.decision(answer)
    assert (f"{place}/a", "timeout") in faults(decision)
    assert decision["hops"][0]["cost_nano"] > 0
    assert decision["cost_nano"] == sum(hop["cost_nano"] for hop in decision["hops"])
    wait_until(lambda: stub.calls()["open"] == 0)


def test_an_answer_that_never_comes_ends_in_a_time_out(gateway: GatewayProcess, stub: Stub) -> None:
    """A whole answer has the total time-out; the client is told so with status 504."""
    for letter in "abc":
        stub.script(f"whole-{letter}", hang="first")
    answer = gateway.chat(pointsman=among("whole"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (504, "upstream_timeout")


def test_a_failure_that_may_pass_is_tried_again(gateway: GatewayProcess, stub: Stub) -> None:
    """One 503, then an answer of the same model."""
    stub.script("once-a", {"status": 503, "retry_after": 0.1}, {})
    answer = gateway.chat(pointsman=among("once"))
    assert answer.headers["x-pointsman-model"] == "once/a"
    assert faults(gateway.decision(answer)) == [("once/a", "overloaded"), ("once/a", None)]


def test_a_long_pause_asked_for_is_not_waited_out(gateway: GatewayProcess, stub: Stub) -> None:
    """An upstream that wants a minute's rest is left alone, and the next best model answers."""
    stub.script("patient-a", {"status": 429, "retry_after": 60}, {})
    answer = gateway.chat(pointsman=among("patient"))
    assert faults(gateway.decision(answer)) == [("patient/a", "overloaded"), ("patient/b", None)]


def test_fallbacks_follow_the_scores(gateway: GatewayProcess, stub: Stub) -> None:
    """Each further model is the next best by score, and every hop was held for and ended in the ledger."""
    stub.script("order-a", status=500)
    stub.script("order-b", garbage="html")
    answer = gateway.chat(pointsman=among("order"))
    decision = gateway.decision(answer)
    asked = [model for model, _ in faults(decision)]
    assert list(dict.fromkeys(asked)) == [one["model"] for one in decision["candidates"]]
    assert (faults(decision)[-1], answer.status_code) == (("order/c", None), 200)
    with gateway.book() as book:
        hops = {entry.id for entry in book.entries() if entry.id.startswith(decision["decision_id"])}
    assert hops == {f"{decision['decision_id']}:{hop}" for hop in range(len(asked))}


def test_the_explanation_after_a_fallback_names_who_answered(gateway: GatewayProcess, stub: Stub) -> None:
    """Asked to explain itself, the gateway names the model whose answer this is."""
    stub.script("debug-a", status=500)
    stub.script("debug-b", status=500)
    answer = gateway.chat(pointsman=among("debug") | {"debug": True})
    assert answer.status_code == 200
    explained = json.loads(answer.headers["x-pointsman-explanation"])
    assert explained["model"] == answer.headers["x-pointsman-model"] == "debug/c"


def test_there_is_an_end_to_trying(gateway: GatewayProcess, stub: Stub) -> None:
    """All fail: the client gets an error in its shape, with nothing of the upstream's page in it."""
    for letter in "abc":
        stub.script(f"few-{letter}", garbage="html")
    answer = gateway.chat(pointsman=among("few"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "upstream_error")
    assert "html" not in answer.text
    assert sum(stub.calls()["by_model"].get(f"few-{letter}", 0) for letter in "abc") == 4


def test_a_bad_request_is_passed_on_and_not_tried_elsewhere(gateway: GatewayProcess, stub: Stub) -> None:
    """What the upstream refuses as the client's fault is the client's to see, in the upstream's words."""
    stub.script("refused-a", status=400, error={"error": {"message": "too odd", "type": "odd", "code": "x"}})
    answer = gateway.chat(pointsman=among("refused"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "too odd")
    assert "refused-b" not in stub.calls()["by_model"]


def test_a_wrong_key_of_ours_is_not_the_clients_to_see(gateway: GatewayProcess, stub: Stub) -> None:
    """The upstream's 401 is the gateway's fault: another model answers, and it isn't tried again."""
    stub.script("credentials-a", status=401)
    answer = gateway.chat(pointsman=among("credentials"))
    assert faults(gateway.decision(answer)) == [("credentials/a", "credentials"), ("credentials/b", None)]


def test_another_endpoint_of_the_same_model_comes_first(gateway: GatewayProcess, stub: Stub) -> None:
    """A model with two endpoints is asked at the second when the first one fails."""
    stub.script("place-1", status=503)
    answer = gateway.chat("two/places")
    assert answer.status_code == 200
    hops = gateway.decision(answer)["hops"]
    assert [(hop["endpoint"], hop["fault"]) for hop in hops] == [("two-1", "overloaded"), ("two-2", None)]


def test_an_endpoint_rests_after_failures_and_is_probed_by_one_query(gateway: GatewayProcess, stub: Stub) -> None:
    """Three failures close it, nobody asks it meanwhile, then one query probes it, and a success opens it again."""
    stub.script("rest-a", status=500)
    for _ in range(3):
        assert gateway.chat(pointsman=among("rest", "ab")).headers["x-pointsman-model"] == "rest/b"
    failed = stub.calls()["by_model"]["rest-a"]
    resting = gateway.chat(pointsman=among("rest", "ab"))
    assert stub.calls()["by_model"]["rest-a"] == failed
    assert [one["model"] for one in gateway.decision(resting)["candidates"]] == ["rest/b"]
    alone = gateway.chat("rest/a")
    assert (alone.status_code, alone.json()["error"]["type"]) == (503, "upstream_overloaded")
    assert int(alone.headers["retry-after"]) >= 1
    stub.script("rest-a", first_token_s=0.3)

    def served() -> str:
        return gateway.chat(pointsman=among("rest", "ab")).headers["x-pointsman-model"]

    wait_until(lambda: served() == "rest/a", 20)
    assert stub.calls()["by_model"]["rest-a"] == failed + 1
    assert served() == "rest/a"


def test_a_hedge_asks_two_and_books_both(gateway: GatewayProcess, stub: Stub) -> None:
    """With hedging on, a slow first token makes a second model start: the quicker answers, both are paid for."""
    stub.script("hedge-a", hang="first")
    with reloaded(gateway, failure=FAILURE | {"hedge_after": "100ms", "first_token": "3s"}):
        answer = gateway.stream(pointsman=among("hedge", "ab"))
        assert answer.headers["x-pointsman-model"] == "hedge/b"
        assert text_of(answer) == "The answer to this is forty-two."
        decision = gateway.decision(answer)
    costs = {hop["model"]: hop["cost_nano"] for hop in decision["hops"]}
    assert set(costs) == {"hedge/a", "hedge/b"}
    assert all(cost > 0 for cost in costs.values())
    assert decision["cost_nano"] == sum(costs.values())


# After the first token: the stream ends with an error, and what was used is paid


@pytest.mark.parametrize(
    ("name", "script", "kind"),
    [
        ("middle", {"hang": "middle"}, "upstream_timeout"),
        ("total", {"output_tokens": 500, "between_s": 0.1}, "upstream_timeout"),
        ("cut", {"cut": "middle"}, "upstream_error"),
        ("event", {"error_after": 3}, "upstream_error"),
    ],
)
def test_a_stream_that_fails_midway_ends_with_an_error_event(
    gateway: GatewayProcess, stub: Stub, name: str, script: dict[str, Any], kind: str
) -> None:
    """What came is relayed, an error event follows, nobody else is asked, and what was used is posted."""
    stub.script(f"{name}-a", **script)
    answer = gateway.stream(pointsman=among(name))
    assert answer.status_code == 200
    assert text_of(answer)
    last = [one for one in events(answer) if one != "[DONE]"][-1]
    assert last["error"]["type"] == kind, last
    decision = gateway.decision(answer)
    assert (decision["outcome"], len(decision["hops"])) == ("upstream_failed", 1)
    assert decision["cost_nano"] > 0
    assert f"{name}-b" not in stub.calls()["by_model"]
    wait_until(lambda: stub.calls()["open"] == 0)


def test_a_stream_without_its_end_marker_is_served(gateway: GatewayProcess, stub: Stub) -> None:
    """An upstream that closes after its finish reason has ended; usage that it didn't report is estimated, not zero."""
    stub.script("ending-a", ending=False, usage="none")
    answer = gateway.stream(pointsman=among("ending"))
    assert events(answer)[-1] == "[DONE]"
    decision = gateway.decision(answer)
    assert (decision["outcome"], decision["usage"]["estimated"]) == ("served", True)
    assert decision["usage"]["input_tokens"] > 0
    assert decision["usage"]["output_tokens"] > 0


def test_nonsense_in_a_stream_doesnt_break_the_relay(gateway: GatewayProcess, stub: Stub) -> None:
    """An event that isn't JSON is relayed like any other: it is the client's to read."""
    stub.script("garbage-a", garbage="json")
    answer = gateway.stream(pointsman=among("garbage"))
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("[DONE]") or "error" in answer.text


def test_bytes_behind_the_end_dont_hold_the_client_up(gateway: GatewayProcess, stub: Stub) -> None:
    """A stream that is served is booked as served, however its upstream's connection ends."""
    answers = [gateway.stream(pointsman=among("tail")) for _ in range(5)]
    assert {gateway.decision(answer)["outcome"] for answer in answers} == {"served"}


def test_half_a_page_and_an_answer_without_end(gateway: GatewayProcess, stub: Stub) -> None:
    """Half of a JSON body is garbage; another model answers."""
    stub.script("html-a", garbage="json")
    answer = gateway.chat(pointsman=among("html"))
    assert answer.headers["x-pointsman-model"] == "html/b"
    assert ("html/a", "garbage") in faults(gateway.decision(answer))


def test_an_answer_beyond_all_bounds_is_not_kept(gateway: GatewayProcess, stub: Stub) -> None:
    """An answer of more than 64 MB is cut off as garbage, instead of filling the memory."""
    with reloaded(gateway, failure=FAILURE | {"first_token": "30s", "between_tokens": "30s", "total": "60s"}):
        stub.script("huge-a", size=66 * 1024 * 1024)
        answer = gateway.chat(pointsman=among("huge"))
        assert answer.headers["x-pointsman-model"] == "huge/b"
        assert faults(gateway.decision(answer))[0] == ("huge/a", "garbage")


# Clients


def connected(gateway: GatewayProcess, body: dict[str, Any]) -> socket.socket:
    """A client that has sent a request and reads nothing yet."""
    data = json.dumps({"messages": PLAIN} | body).encode()
    client = connection(gateway)
    client.sendall(_head(length=len(data)) + data)
    return client


def connection(gateway: GatewayProcess) -> socket.socket:
    """A client that has said nothing yet."""
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=15)


def _head(path: str = "/v1/chat/completions", **headers: Any) -> bytes:
    given = {"host": "gateway", "authorization": f"Bearer {MASTER}", "content-type": "application/json"}
    given |= {{"length": "content-length"}.get(name, name.replace("_", "-")): value for name, value in headers.items()}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode()


def _status(client: socket.socket) -> int:
    """The status of the answer; 0 where the connection is closed without one."""
    with contextlib.suppress(ConnectionError):
        line = client.recv(65_536).split(b"\r\n")[0]
        return int(line.split()[1]) if line else 0
    return 0


def latest(gateway: GatewayProcess, model: str) -> dict[str, Any]:
    """The log line of the latest exchange of a model."""
    lines = [json.loads(line) for line in gateway.log.splitlines() if line.startswith("{")]
    found = [line for line in lines if line.get("event") == "exchange" and line.get("model") == model]
    return found[-1] if found else {}


def test_a_client_that_leaves_midway_pays_for_what_was_written(gateway: GatewayProcess, stub: Stub) -> None:
    """A disconnect cuts the upstream's stream, and posts what it had written: neither nothing nor all."""
    stub.script("left-a", output_tokens=1000, between_s=0.05)
    with connected(gateway, {"model": "left/a", "stream": True}) as client:
        client.recv(4096)
    wait_until(lambda: stub.calls()["open"] == 0)
    wait_until(lambda: latest(gateway, "left/a").get("outcome") == "client_gone")
    line = latest(gateway, "left/a")
    assert 0 < line["cost_usd"] < 1000 * 4e-6


def test_a_client_that_leaves_before_the_first_token_doesnt_keep_the_upstream_busy(
    gateway: GatewayProcess, stub: Stub
) -> None:
    """A stream whose client has gone is cut before its first token too; the prompt that was read is paid."""
    stub.script("early-a", hang="first")
    with reloaded(gateway, failure=FAILURE | {"first_token": "600s", "total": "600s"}):
        with connected(gateway, {"model": "early/a", "stream": True}):
            wait_until(lambda: stub.calls()["open"] == 1)
        wait_until(lambda: stub.calls()["open"] == 0)
    wait_until(lambda: latest(gateway, "early/a").get("outcome") == "client_gone")


def test_a_client_that_doesnt_read_is_left(gateway: GatewayProcess, stub: Stub) -> None:
    """Nobody takes the bytes: after the client time-out the stream is given up, and what was written is posted."""
    stub.script("unread-a", text=("x" * 200_000 + " ") * 100)
    with connected(gateway, {"model": "unread/a", "stream": True}):
        wait_until(lambda: latest(gateway, "unread/a").get("outcome") == "client_gone", 20)
    assert latest(gateway, "unread/a")["cost_usd"] > 0


def test_a_body_that_doesnt_come_ends_in_408(gateway: GatewayProcess) -> None:
    """A client that sends half of its body, or none of it, is told that it took too long."""
    half = b'{"model": "au'
    with connection(gateway) as silent, connection(gateway) as slow:
        silent.sendall(_head(length=100))
        slow.sendall(_head(length=100) + half)
        slow.sendall(b"t")
        assert [_status(silent), _status(slow)] == [408, 408]


def test_bodies_have_a_limit(gateway: GatewayProcess) -> None:
    """A body above the limit is refused with 413, whether its length is declared or not; a compressed one with 415."""
    with connection(gateway) as client:
        client.sendall(_head(length=5_000_000))
        assert _status(client) == 413
    with connection(gateway) as client, contextlib.suppress(OSError):
        client.sendall(_head(transfer_encoding="chunked"))
        for _ in range(40):
            client.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        assert _status(client) == 413
    with connection(gateway) as client:
        client.sendall(_head(length=10, content_encoding="gzip") + b"0123456789")
        assert _status(client) == 415


def test_headers_have_a_limit(gateway: GatewayProcess) -> None:
    """Headers above the limit are refused, however many or long they are; those below it aren't."""
    assert gateway.get("/v1/models", padding="x" * 4_000).status_code == 200
    for headers in ({"padding": "x" * 200_000}, {f"padding_{i}": "x" * 50 for i in range(1_000)}):
        with contextlib.suppress(httpx.TransportError):
            assert gateway.get("/v1/models", **headers).status_code in {400, 431}


def test_a_request_that_never_gets_to_its_body_is_cut_off(gateway: GatewayProcess) -> None:
    """Neither a client that says nothing nor one that never ends its headers keeps its connection."""
    with connection(gateway) as silent, connection(gateway) as slow:
        slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nx-slow: ")
        assert {_status(silent), _status(slow)} <= {0, 408}


# Its own life


@contextlib.contextmanager
def reloaded(gateway: GatewayProcess, **sections: Any) -> Iterator[None]:
    """Other settings for the length of a block."""
    before = gateway.settings
    gateway.write(before | sections)
    try:
        assert gateway.post("/admin/reload").json().get("reloaded"), gateway.log.splitlines()[-1]
        yield
    finally:
        gateway.write(before)
        assert gateway.post("/admin/reload").json()["reloaded"]


def names(gateway: GatewayProcess) -> set[str]:
    """What can be asked for."""
    return {one["id"] for one in gateway.get("/v1/models").json()["data"]}


def test_sighup_reads_the_configuration_again(gateway: GatewayProcess, stub: Stub) -> None:
    """A new model and a new fund are in force, queries in flight keep the old ones, spending is kept."""
    before, spent = gateway.settings, gateway.balance("all").spent
    more = openai_model(stub, id="new/model", rates={"input": 1, "output": 1})
    funds = [{"name": "all", "amount": 900_000}, *before["funds"][1:], {"name": "new", "amount": 1}]
    gateway.write(before | {"models": [*before["models"], more], "funds": funds})
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "new/model" in names(gateway))
    assert gateway.chat("new/model").status_code == 200
    wait_until(lambda: gateway.balance("new").spent > 0)
    assert gateway.balance("all").amount == 900_000 * 10**9
    assert gateway.balance("all").spent > spent
    gateway.write(before)
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "new/model" not in names(gateway))


def test_a_changed_file_is_read_by_itself(gateway: GatewayProcess, stub: Stub) -> None:
    """Nobody has to tell the gateway that its configuration has changed."""
    before = gateway.settings
    more = openai_model(stub, id="noticed/model", rates={"input": 1, "output": 1})
    gateway.write(before | {"models": [*before["models"], more]})
    wait_until(lambda: "noticed/model" in names(gateway))
    gateway.write(before)
    wait_until(lambda: "noticed/model" not in names(gateway))


@pytest.mark.parametrize("how", ["signal", "admin"])
def test_a_configuration_that_cant_be_used_leaves_the_old_one(gateway: GatewayProcess, how: str) -> None:
    """A slip in the file is told with its line, and the old one serves on."""
    before = gateway.settings
    said = gateway.log.count("not reloaded")
    gateway.write(before | {"fonds": []})
    try:
        if how == "signal":
            gateway.signal(signal.SIGHUP)
        else:
            answer = gateway.post("/admin/reload")
            assert answer.status_code == 400
            assert "line" in answer.json()["error"]["message"]
        wait_until(lambda: gateway.log.count("not reloaded") > said)
        assert "fonds" in gateway.log
        assert gateway.chat().status_code == 200
    finally:
        gateway.write(before)
        assert gateway.post("/admin/reload").status_code == 200


def test_a_locked_ledger_refuses_and_recovers(gateway: GatewayProcess, stub: Stub) -> None:
    """While nothing can be booked nothing is spent: clients get 503 and a pause, and what had ended is booked later."""
    stub.script("silent-a", output_tokens=20, between_s=0.05)
    found: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: found.append(gateway.stream("silent/a")))
    with reloaded(gateway, failure=FAILURE | {"between_tokens": "20s", "total": "30s"}):
        thread.start()
        wait_until(lambda: stub.calls()["by_model"].get("silent-a", 0) == 1)
        with gateway.book() as book:
            book.begin(write=True)
            refused = gateway.chat("silent/b")
            book.leave()
        thread.join()
    assert events(found[0])[-1] == "[DONE]", "a stream in flight doesn't suffer"
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "ledger_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert "silent-b" not in stub.calls()["by_model"]
    assert found[0].status_code == 200
    assert gateway.decision(found[0])["cost_nano"] > 0


def test_the_settings_of_these_tests_are_read_as_meant(stub: Stub) -> None:
    """The configuration names each model once."""
    ids = [model["id"] for model in settings_of(stub, models_of(stub, stub.url))["models"]]
    assert len(ids) == len(set(ids)) == 3 * len(NAMES) + 3


def test_told_to_end_it_ends_what_is_in_flight_first(gateway: GatewayProcess, stub: Stub) -> None:
    """SIGTERM: no new connections, the stream in flight is written to its end and paid, then the process is gone."""
    stub.script("drain-a", output_tokens=20, between_s=0.05)
    found: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: found.append(gateway.stream("drain/a")))
    thread.start()
    wait_until(lambda: stub.calls()["by_model"].get("drain-a", 0) == 1)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() in {0, -signal.SIGTERM}
    thread.join()
    assert text_of(found[0]) == "w " * 20
    assert events(found[0])[-1] == "[DONE]"
    with pytest.raises(httpx.ConnectError):
        gateway.get("/health/liveliness")
    assert gateway.settled().ok
