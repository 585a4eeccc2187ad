"""The pages that look closer, over HTTP: a gateway that has learned, decided and been told scores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_kit import wait_until
from made_insight import VIEWER, Seen, seen_gateway
from pointsman.pool.registry import read_settings
from pointsman.serve.gateway import today


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with seen_gateway(tmp_path_factory.mktemp("gate")) as found:
        wait_until(lambda: len(found.json("/ui/api/models")["topics"]["rows"]) > 0)
        yield found


def decided(seen: Seen, **asked: str) -> dict[str, Any]:
    """The latest decision of a kind, opened."""
    question = "&".join(f"{name}={value}" for name, value in asked.items())
    row = seen.json(f"/ui/api/decisions?limit=1&{question}")["rows"][0]
    found: dict[str, Any] = seen.json(f"/ui/api/decisions/{row['decision_id']}")
    assert found["row"] == row
    return found


def test_a_decision_opened(seen: Seen) -> None:
    """Prompt, candidates whose parts are their charge, neighbours (itself first), stages, the hop, entries."""
    found = decided(seen, asked="auto")
    assert found["prompt"]["text"] in seen.texts
    assert found["row"]["model"] == next(one["model"] for one in found["candidates"] if one["why"] == "chosen")
    for one in found["candidates"]:
        assert 0.0 <= one["low"] <= one["quality"] <= one["high"] <= 1.0
        assert sum(part["charge"] for part in one["parts"]) == pytest.approx(one["charge"], abs=1e-5)
    nearest = found["neighbours"]["rows"][0]
    assert nearest["similarity"] == pytest.approx(1.0, abs=1e-4)
    assert found["prompt"]["text"].startswith(nearest["text"])
    assert set(nearest["scores"]) == {"stub/big", "stub/mid", "stub/small"}
    assert found["topic"]["share"] > 0
    assert [stage["name"] for stage in found["stages"]][:3] == ["read", "decide", "hold"]
    assert [hop["fault"] for hop in found["hops"]] == [None]
    kinds = [entry["kind"] for entry in found["entries"]]
    assert (kinds[0], kinds[-1], set(kinds)) == ("hold", "post", {"hold", "post"})
    posted = sum(entry["amount"] for entry in found["entries"] if (entry["kind"], entry["fund"]) == ("post", "all"))
    assert posted == found["row"]["cost_nano"]
    assert found["raw"]["decision_id"] == found["row"]["decision_id"]


def test_a_model_by_name_had_no_rivals(seen: Seen) -> None:
    """The others are listed without figures."""
    found = decided(seen, asked="stub/mid")
    assert [(one["model"], one["score"] is None) for one in found["candidates"]] == [
        ("stub/mid", False),
        ("stub/big", True),
        ("stub/small", True),
    ]
    assert found["candidates"][1]["why"] == "The client named stub/mid."


def test_a_viewer_sees_no_prompt(seen: Seen) -> None:
    """Nor its neighbours' texts; all the rest is the same."""
    row = seen.json("/ui/api/decisions?limit=1")["rows"][0]
    path = f"/ui/api/decisions/{row['decision_id']}"
    mine, theirs = seen.json(path), seen.json(path, key=VIEWER)
    assert mine["prompt"]["text"] is not None
    assert theirs["prompt"]["text"] is None
    assert {one["text"] for one in theirs["neighbours"]["rows"]} == {None}
    assert mine["prompt"]["text"] not in seen.ui(path, key=VIEWER).text
    assert {name: mine[name] for name in ("row", "candidates", "entries", "raw", "topic")} == {
        name: theirs[name] for name in ("row", "candidates", "entries", "raw", "topic")
    }


def test_an_unknown_decision_is_not_found(seen: Seen) -> None:
    """Whatever its id looks like."""
    for id in ("dec_0", "%27%20or%201", "a/b"):
        assert seen.ui(f"/ui/api/decisions/{id}").status_code == 404


def test_the_models_page(seen: Seen) -> None:
    """Every model in order, the served ones with figures, topics from the history, a map of three, calibration."""
    page = seen.json("/ui/api/models", key=VIEWER)
    rows = {row["id"]: row for row in page["models"]}
    assert list(rows) == ["stub/big", "stub/mid", "stub/small"]
    assert {row["known_by"] for row in rows.values()} == {"fitted"}
    assert rows["stub/mid"]["health"] == "up"
    assert rows["stub/mid"]["total_p50_ms"] <= rows["stub/mid"]["total_p99_ms"]
    assert rows["stub/mid"]["cost_nano"] > 0
    assert all(len(cells) == len(page["topics"]["rows"]) for cells in page["topics"]["cells"].values())
    assert [one["id"] for one in page["likeness"]] == list(rows)
    assert page["likeness_why"] == ""
    assert page["skills"] == {"rows": [], "cells": {}}
    assert sum(row["scored"] for row in rows.values()) == 40
    assert sum(one["count"] for curve in page["calibration"] for one in curve["bins"]) >= 20


def test_the_trade_off_page(seen: Seen) -> None:
    """Where we stand, the frontier from the best to the cheapest, each model alone, sliders for the file's funds."""
    page = seen.json("/ui/api/trade-off")
    assert page["queries"] == 108  # of 120 every tenth named its model
    assert [fund["name"] for fund in page["funds"]] == ["all", "big-dollars", "mid-tokens"]
    qualities = [point["quality"] for point in page["frontier"]]
    assert qualities == sorted(qualities, reverse=True)
    alone = {one["id"]: one for one in page["models"]}
    assert qualities[0] >= alone["stub/big"]["quality"] - 1e-9
    assert page["frontier"][-1]["cost_nano"] <= min(one["cost_nano"] for one in alone.values())
    assert page["here"]["quality"] <= qualities[0] + 1e-9
    assert sum(page["here"]["shares"].values()) == pytest.approx(page["here"]["served"])


def test_more_money_by_replay(seen: Seen) -> None:
    """As things are it moves nobody; a hundred times the money buys more quality."""
    same = seen.json("/ui/api/trade-off/replay", {"funds": {}})
    assert (same["moved"], same["before"]) == (0.0, same["after"])
    rich = seen.json("/ui/api/trade-off/replay", {"funds": {"all": 5_000 * 10**9, "big-dollars": 500 * 10**9}}, VIEWER)
    assert rich["after"]["quality"] >= rich["before"]["quality"]
    for body in ({"funds": {"no": 1}}, {"knob": 11}, {"other": 1}, {"funds": {"all": "1"}}):
        assert seen.ui("/ui/api/trade-off/replay", body).status_code == 400


def test_a_change_is_written_for_review(seen: Seen) -> None:
    """Beside the configuration, which stays as it is; viewers may not; nothing to write is said."""
    body = {"funds": {"all": 7 * 10**9}, "knob": 4}
    before = seen.gateway.config.read_bytes()
    assert seen.ui("/ui/api/trade-off/write", body, VIEWER).status_code == 403
    found = seen.json("/ui/api/trade-off/write", body)
    assert seen.gateway.config.read_bytes() == before
    written = read_settings(Path(found["path"]), os.environ, today())
    assert (written.funds[0].amount, written.aliases[0].trade_off) == (7 * 10**9, 4.0)
    assert "+  amount: 7" in found["diff"]
    assert VIEWER not in found["diff"]
    nothing = seen.ui("/ui/api/trade-off/write", {"funds": {"all": 50 * 10**9}})
    assert (nothing.status_code, "nothing would change" in nothing.text) == (400, True)


def test_the_playground_routes_without_spending(seen: Seen) -> None:
    """A viewer may ask where a prompt would go; no hold, no decision, no text of others."""
    before = seen.json("/ui/api/decisions?limit=1")["rows"][0]["number"]
    found = seen.json("/ui/api/route", {"prompt": seen.texts[3]}, VIEWER)
    assert found["model"] == found["candidates"][0]["model"] or found["candidates"][0]["why"] != "chosen"
    assert found["neighbours"]["rows"][0]["similarity"] == pytest.approx(1.0, abs=1e-4)
    assert found["neighbours"]["rows"][0]["text"] is None
    assert seen.json("/ui/api/route", {"prompt": "Hello", "model": "stub/mid"})["model"] == "stub/mid"
    assert seen.ui("/ui/api/route", {"prompt": ""}).status_code == 400
    assert seen.ui("/ui/api/route", {"prompt": "a", "model": "no/such"}).status_code == 404
    assert seen.json("/ui/api/decisions?limit=1")["rows"][0]["number"] == before
    assert seen.gateway.open_holds() == []


def test_the_playground_sends(seen: Seen) -> None:
    """As a stream with the cost at its end, booked as the master key's; a viewer may not."""
    assert seen.ui("/ui/api/send", {"prompt": "Hello"}, VIEWER).status_code == 403
    answer = seen.ui("/ui/api/send", {"prompt": "What is six times seven?", "model": "stub/small"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"cost_nano_usd":' in answer.text
    assert answer.text.rstrip().endswith("[DONE]")
    decision = answer.headers["x-pointsman-decision-id"]
    wait_until(lambda: seen.ui(f"/ui/api/decisions/{decision}").status_code == 200)
    row = seen.json(f"/ui/api/decisions/{decision}")["row"]
    assert (row["key_id"], row["model"], row["stream"]) == ("master", "stub/small", True)


def test_nobody_looks_without_a_key(seen: Seen) -> None:
    """Each of the pages, and each change."""
    for path in ("/ui/api/models", "/ui/api/trade-off", "/ui/api/decisions/x"):
        assert seen.ui(path, key="sk-wrong").status_code in {401, 429}
    for path in ("/ui/api/route", "/ui/api/send", "/ui/api/trade-off/replay", "/ui/api/trade-off/write"):
        assert seen.ui(path, {"prompt": "a"}, key="sk-wrong").status_code in {401, 429}


def test_a_fresh_gateway_shows_that_there_is_nothing_yet(tmp_path: Path) -> None:
    """No decisions, no history: every page answers, and says why it is empty."""
    learning = {"store_prompts": False}
    with seen_gateway(tmp_path, queries=0, funds=[], learning=learning) as fresh:
        page = fresh.json("/ui/api/models")
        assert [row["health"] for row in page["models"]] == ["unknown"] * 3
        assert {row["known_by"] for row in page["models"]} == {"declared"}
        assert (page["likeness"], page["topics"]["rows"], page["calibration"]) == ([], [], [])
        assert "No recorded outcomes" in page["likeness_why"]
        trade = fresh.json("/ui/api/trade-off")
        assert (trade["queries"], trade["here"], trade["funds"]) == (0, None, [])
        assert "0 queries" in trade["why"]
        assert fresh.ui("/ui/api/trade-off/replay", {}).status_code == 400
        found = fresh.json("/ui/api/route", {"prompt": "Hello"})
        assert found["neighbours"] == {"rows": [], "why": "No recorded outcomes have been learned from yet."}
        answer = fresh.gateway.chat()
        fresh.gateway.decision(answer)
        opened = fresh.json(f"/ui/api/decisions/{answer.headers['x-pointsman-decision-id']}")
        assert opened["prompt"] == {"text": None, "why": "Prompts aren't kept (`learning.store_prompts`)."}
        assert opened["neighbours"]["rows"] == []
        assert opened["topic"] is None
        assert opened["entries"] == []
