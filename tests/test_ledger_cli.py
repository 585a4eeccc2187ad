"""`pointsman ledger`: the commands, as a person or a script runs them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledger_conformance import T0, ask, ending
from pointsman.cli.ledger import app
from pointsman.errors import InputError
from pointsman.ledger.entries import LedgerFund
from pointsman.ledger.sqlite import SqliteBook


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder in which 2 dollars of 10 were spent, 1 above the hold, and a dollar is held."""
    with closing(SqliteBook(tmp_path / "ledger.sqlite")) as book:
        book.declare([LedgerFund("all", 10_000_000_000), LedgerFund("calls", 9, "requests")], T0)
        book.hold([ask("a", {"all": 1_000_000_000, "calls": 1}), ask("b", {"all": 1_000_000_000})], T0)
        book.end([ending("a", "post", all=2_000_000_001, calls=1)], T0)
    return tmp_path


def run(*args: object, code: int = 0) -> Result:
    """What a command says, wide enough for its tables."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in args], catch_exceptions=False)
    assert result.exit_code == code
    return result


def test_audit(state: Path) -> None:
    """A good ledger ends with 0 and a bad one with 1; both as a table and as JSON."""
    assert "the audit is fine" in run("audit", "--state", state).output
    said = json.loads(run("audit", "--state", state, "--json").output)
    assert said["ok"]
    assert said["overruns"] == [{"fund": "all", "amount": 1_000_000_001}]
    with closing(sqlite3.connect(state / "ledger.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE sums SET spent = 5")
    assert "problem: the sums of fund 'all'" in run("audit", "--state", state, code=1).output
    assert not json.loads(run("audit", "--state", state, "--json", code=1).output)["ok"]


def test_balances(state: Path) -> None:
    """Money is shown to the nano-dollar."""
    said = run("balances", "--state", state).output
    assert "6.999999999" in said
    assert "10.00" in said
    told = json.loads(run("balances", "--state", state, "--json").output)
    assert [(b["fund"], b["held"], b["remaining"]) for b in told] == [("all", 10**9, 6_999_999_999), ("calls", 0, 8)]


def test_entries(state: Path) -> None:
    """Entries by fund, hold and time; JSON is one object a line."""
    assert "2.000000001" in run("entries", "--state", state, "--hold", "a").output
    told = [
        json.loads(line)
        for line in run("entries", "--state", state, "--fund", "calls", "--json").output.split("\n")
        if line
    ]
    assert [entry["kind"] for entry in told] == ["grant", "hold", "post"]
    assert run("entries", "--state", state, "--since", "2030-01-01", "--json").output == ""
    assert len(run("entries", "--state", state, "--limit", 2, "--json").output.splitlines()) == 2


def test_figures_are_never_cut(state: Path) -> None:
    """In a narrow terminal a figure is broken over lines, and has no dots in it."""
    result = CliRunner(env={"COLUMNS": "60"}).invoke(app, ["balances", "--state", str(state)])
    assert "…" not in result.output


def test_correct(state: Path) -> None:
    """A correction in dollars is exact and booked once."""
    args = (
        "correct",
        "--state",
        state,
        "--fund",
        "all",
        "--amount",
        "-0.000000001",
        "--reason",
        "credit",
        "--id",
        "c1",
    )
    assert run(*args).output == "c1: -0.000000001 usd booked as spent in all\n"
    assert "was booked before" in run(*args).output
    assert json.loads(run(*args, "--json").output) == {"id": "c1", "fund": "all", "amount": -1, "repeated": True}
    assert "7.00 " in run("balances", "--state", state).output
    assert run("audit", "--state", state)


@pytest.mark.parametrize(
    ("fund", "amount", "what"),
    [
        ("all", "1e-10", "nine decimals"),
        ("calls", "0.5", "whole"),
        ("all", "nan", "decimals"),
        ("x", "1", "no such fund"),
    ],
)
def test_corrections_that_cant_be(state: Path, fund: str, amount: str, what: str) -> None:
    """An amount that isn't exact or a fund that isn't there is refused, and nothing booked."""
    with pytest.raises(InputError, match=what):
        run("correct", "--state", state, "--fund", fund, "--amount", amount, "--reason", "r", "--id", "c")
    assert run("entries", "--state", state, "--hold", "c", "--json").output == ""


def test_no_ledger_there(tmp_path: Path) -> None:
    """A folder without a ledger is told so, and none is made."""
    with pytest.raises(InputError, match="no such ledger"):
        run("audit", "--state", tmp_path)
    assert list(tmp_path.iterdir()) == []
