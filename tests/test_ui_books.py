"""The pages of books: entries of the ledger, the audit, keys, onboardings."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from made_dashboard import LOOK, Browser, dashboard_settings, made_gateway
from made_serving import USD
from pointsman.ledger.entries import Ask, Ending, LedgerFund, Line, Option
from pointsman.ledger.sqlite import SqliteBook
from pointsman.ledger.window import Window
from pointsman.serve.onboarding.onboardings import LOCK
from pointsman.serve.ui import books, pages
from pointsman.serve.ui.books import entries_page
from pointsman.serve.ui.live import onboarding_json
from pointsman.serve.wire.errors import Refusal

AT = 1_790_000_000 * USD


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two grants; a hold that was posted, one that was voided, one on two funds that expired; a correction."""
    path = tmp_path_factory.mktemp("state") / "ledger.sqlite"
    with closing(SqliteBook(path)) as book:
        book.declare([LedgerFund("pool", 100), LedgerFund("calls", 9, "requests", Window("rolling", 60))], AT)
        for i, lines in enumerate([(Line("pool", 10),), (Line("pool", 20),), (Line("pool", 30), Line("calls", 1))]):
            book.hold([Ask(f"dec_{i}:0", [Option("p/m", lines)], AT + 10 * USD)], AT + i * USD)
        book.end([Ending("dec_0:0", "post", (Line("pool", 12),)), Ending("dec_1:0", "void")], AT + 5 * USD)
        book.expire(AT + 20 * USD, charge=True)
        book.correct("c-1", "pool", -2, "the invoice says so", AT + 30 * USD)
    return path


def rows_of(path: Path, **question: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = entries_page(path, question)["rows"]
    return found


def test_entries_by_hand(ledger: Path) -> None:
    """Newest first, each with what it is about: set aside, booked, given back, granted."""
    told = [(row["kind"], row["fund"], row["unit"], row["amount"], row["decision_id"]) for row in rows_of(ledger)]
    assert told == [
        ("correct", "pool", "usd", -2, None),
        ("expire", "calls", "requests", 1, "dec_2"),
        ("expire", "pool", "usd", 30, "dec_2"),
        ("void", "pool", "usd", 20, "dec_1"),
        ("post", "pool", "usd", 12, "dec_0"),
        ("hold", "calls", "requests", 1, "dec_2"),
        ("hold", "pool", "usd", 30, "dec_2"),
        ("hold", "pool", "usd", 20, "dec_1"),
        ("hold", "pool", "usd", 10, "dec_0"),
        ("grant", "calls", "requests", 9, None),
        ("grant", "pool", "usd", 100, None),
    ]
    first, last = rows_of(ledger)[-1], rows_of(ledger)[0]
    assert (first["number"], first["hold_id"], first["note"], first["at_s"]) == (1, None, "window: none", AT / 1e9)
    assert (last["hold_id"], last["note"]) == (None, "the invoice says so")
    assert rows_of(ledger, kind="post")[0]["hold_id"] == "dec_0:0"


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"fund": "pool"},
        {"fund": "none"},
        {"kind": "hold"},
        {"fund": "calls", "kind": "hold"},
        {"decision": "dec_2"},
    ],
)
@pytest.mark.parametrize("limit", ["1", "2", "500"])
def test_pages_follow_each_other(ledger: Path, question: dict[str, str], limit: str) -> None:
    """Page after page every entry that was asked for comes once, as looking through all of them finds it."""
    every = rows_of(ledger)
    names = {"fund": "fund", "kind": "kind", "decision": "decision_id"}
    expected = [row for row in every if all(row[names[name]] == value for name, value in question.items())]
    found: list[dict[str, Any]] = []
    before: int | None = 10**9
    while before is not None:
        told = entries_page(ledger, question | {"limit": limit, "before": str(before)})
        found, before = found + told["rows"], told["next"]
    assert found == expected


def test_a_page_looks_only_so_far(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a stretch of the ledger has nothing of what was asked for, the page says where to go on."""
    monkeypatch.setattr(books, "SPANNED", 4)
    told = entries_page(ledger, {"kind": "grant"})
    assert (told["rows"], told["next"]) == ([], 8)
    assert told["funds"] == ["calls", "pool"]
    assert told["kinds"] == ["grant", "hold", "post", "void", "expire", "correct"]


@pytest.mark.parametrize("question", [{"kind": "gift"}, {"order": "asc"}, {"before": "x"}, {"decision": "dec_*"}])
def test_a_question_without_sense(ledger: Path, question: dict[str, str]) -> None:
    """What means nothing is refused."""
    with pytest.raises(Refusal, match="invalid_request_error"):
        entries_page(ledger, question)


# Over HTTP


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Browser]:
    with made_gateway(dashboard_settings(tmp_path)) as made:
        found = Browser(made)
        found.sign_in(changes=True)
        yield found


def test_the_gateways_own_ledger(visitor: Browser) -> None:
    """A fresh gateway has granted its funds, and its books balance."""
    told = visitor.get("/ui/api/entries").json()
    assert [(row["kind"], row["fund"]) for row in told["rows"]] == [("grant", "calls"), ("grant", "pool")]
    audit = visitor.ask("POST", "/ui/api/audit").json()
    assert (audit["ok"], audit["entries"], audit["problems"]) == (True, 2, [])
    assert audit["took_s"] >= 0
    assert [fund["name"] for fund in visitor.get("/ui/api/funds").json()["funds"]] == ["pool", "calls"]


def test_a_keys_life(visitor: Browser) -> None:
    """A key is made, its secret told once, shown with its budget, and ended; viewers see all of it but the secret."""
    asked = {"id": "team-a", "budget_usd": "1.5", "tags": ["eu"], "requests_per_minute": 5, "expires_in_s": 60}
    made = visitor.ask("POST", "/ui/api/keys", asked)
    assert made.status == 201
    secret = made.json()["key"]
    assert visitor.gateway.principal_of(secret).key_id == "team-a"
    viewer = Browser(visitor.gateway)
    viewer.sign_in(LOOK)
    (told,) = viewer.get("/ui/api/keys").json()["keys"]
    assert told == {name: value for name, value in made.json().items() if name != "key"} | {"fund": told["fund"]}
    assert (told["id"], told["budget_usd"], told["requests_per_minute"], told["tags"]) == ("team-a", "1.5", 5, ["eu"])
    assert told["expires_s"] == pytest.approx(told["created_s"] + 60)
    assert (told["fund"]["of_key"], told["fund"]["remaining"]) == ("team-a", 1_500_000_000)
    names = [fund["name"] for fund in viewer.get("/ui/api/funds").json()["funds"]]
    assert names == ["pool", "calls", "key:team-a:budget", "key:team-a:rpm"]
    ended = visitor.ask("DELETE", "/ui/api/keys/team-a").json()
    assert ended["revoked_s"] == pytest.approx(time.time(), abs=60)
    assert visitor.ask("DELETE", "/ui/api/keys/team-a").status == 404
    assert visitor.ask("POST", "/ui/api/keys", {"id": "team-a"}).status == 400
    assert visitor.ask("POST", "/ui/api/keys", {"limit": 1}).status == 400


def test_the_newest_keys(visitor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are without number; the newest of them are shown, the newest first."""
    for i in range(5):
        visitor.gateway.keys.create(i + 1, id=f"team-{i}")
    monkeypatch.setattr(pages, "MOST_KEYS", 3)
    assert [key["id"] for key in visitor.get("/ui/api/keys").json()["keys"]] == ["team-4", "team-3", "team-2"]


# Onboardings


PROGRESS = {"stage": "asking", "asked": 9, "graded": 7, "of": 40, "spent_nano": 5, "mean": 0.5, "low": 0.4, "high": 0.6}


def told(**changes: Any) -> dict[str, Any]:
    """As the gateway tells of one."""
    return {"id": "p-m-123456", "model": "p/m", "running": True, "progress": PROGRESS, "said": None} | changes


def test_an_onboarding_by_hand() -> None:
    """How far it is while it runs; what it said last where it ended without a word of its own."""
    assert onboarding_json(told(), {}) == {
        "slug": "p-m-123456",
        "model": "p/m",
        **PROGRESS,
        "eta_s": None,
        "done": False,
        "error": "",
    }
    just_begun = onboarding_json(told(model=None, progress=None), {"p-m-123456": "p/m"})
    assert (just_begun["model"], just_begun["stage"], just_begun["of"]) == ("p/m", "beginning", 0)
    done = onboarding_json(told(running=False, progress=PROGRESS | {"done": True}), {})
    assert (done["done"], done["error"]) == (True, "")
    failed = onboarding_json(told(running=False, said="reading\nno money is left\n"), {})
    assert (failed["done"], failed["error"]) == (True, "no money is left")
    assert onboarding_json(told(running=False), {})["error"] == "it was broken off"
    own = onboarding_json(told(running=False, progress=PROGRESS | {"done": True, "error": "no money"}, said="x"), {})
    assert own["error"] == "no money"


def test_onboardings_over_http(visitor: Browser) -> None:
    """They are listed from the state folder; what can't be begun or cancelled is refused."""
    folder = visitor.gateway.settings.state / "onboarding" / "p-m-123456"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(json.dumps({"model": "p/m"}))
    (folder / "progress.json").write_text(json.dumps(PROGRESS | {"done": True}))
    (folder / LOCK).write_text("1")
    (one,) = visitor.get("/ui/api/onboardings").json()["onboardings"]
    assert (one["slug"], one["model"], one["done"]) == ("p-m-123456", "p/m", True)
    assert visitor.ask("POST", "/ui/api/onboardings", {"model": "p/none"}).status == 400
    refused = visitor.ask("POST", "/ui/api/onboardings", {"model": "p/big", "budget_usd": "1"})
    assert "no file" in refused.json()["error"]["message"]  # settings made in code
    assert visitor.ask("DELETE", "/ui/api/onboardings/p-m-123456").status == 404
