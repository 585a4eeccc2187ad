"""A change of the configuration for review: just the values asked for, the rest of the text as it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.pool.registry import read_settings
from pointsman.serve.ui.proposal import Wanted, propose

DAY = date(2026, 11, 1)
USD = 1_000_000_000
HEAD = """\
# Who may answer.
models:
  - {id: p/a, kind: openai, base_url: "http://127.0.0.1:1/v1", key: none, rates: {input: 1, output: 2}}
  - {id: p/b, kind: openai, base_url: "http://127.0.0.1:1/v1", key: none, rates: {input: 1, output: 2}}
"""
FUNDS = """\
funds:
  - name: all
    amount: 25   # dollars a month, as agreed
    window: 1mo
  - {name: calls, unit: requests, amount: '500', window: 1h}
"""


def proposed(folder: Path, text: str, wanted: Wanted) -> tuple[str, str]:
    """The proposal's text and the diff."""
    path = folder / "pointsman.yaml"
    path.write_bytes(text.encode())
    target, diff = propose(path, wanted, {}, DAY)
    assert path.read_bytes() == text.encode()
    assert target == folder / "pointsman.proposed.yaml"
    return target.read_bytes().decode(), diff


def test_one_amount_is_replaced_where_it_stands(tmp_path: Path) -> None:
    """By hand: 25 becomes 12.5; comment, order and the other fund stay; the diff is that one line."""
    text, diff = proposed(tmp_path, HEAD + FUNDS, Wanted({"all": 12_500_000_000}))
    assert text == (HEAD + FUNDS).replace("amount: 25 ", "amount: 12.5 ")
    changed = [line for line in diff.splitlines() if line[0] in "+-"]
    assert changed == [
        "--- pointsman.yaml",
        "+++ pointsman.proposed.yaml",
        "-    amount: 25   # dollars a month, as agreed",
        "+    amount: 12.5   # dollars a month, as agreed",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pointsman.proposed.yaml", "pointsman.yaml"]
    assert (tmp_path / "pointsman.proposed.yaml").stat().st_mode & 0o077 == 0


def test_several_changes_at_once(tmp_path: Path) -> None:
    """A quoted number of requests, a dollar amount and a trade-off that wasn't there."""
    text, _ = proposed(tmp_path, HEAD + FUNDS, Wanted({"all": 30 * USD, "calls": 700}, "auto", 3.5))
    assert "amount: 700, window" in text
    assert "amount: 30 " in text
    assert text.endswith("\naliases:\n  auto: {trade_off: 3.5}\n")


ALIASES = {
    "": "\naliases:\n  auto: {trade_off: 3}\n",
    "aliases:\n": "aliases: {auto: {trade_off: 3}}\n",
    "aliases: ~\n": "aliases: {auto: {trade_off: 3}}\n",
    "aliases: {}\n": "aliases: {auto: {trade_off: 3}}\n",
    "aliases:\n  thrifty: {trade_off: 9}\n": "aliases:\n  auto: {trade_off: 3}\n  thrifty: {trade_off: 9}\n",
    "aliases:\n  auto: # ours\n": "aliases:\n  auto: {trade_off: 3} # ours\n",
    "aliases:\n  auto: {}\n": "aliases:\n  auto: {trade_off: 3}\n",
    "aliases:\n  auto: {trade_off: 8.5} # why\n": "aliases:\n  auto: {trade_off: 3} # why\n",
    "aliases:\n  auto:\n    trade_off:\n": "aliases:\n  auto:\n    trade_off: 3\n",
    "aliases:\n  auto:\n    # keep\n    scarcity: decline\n": (
        "aliases:\n  auto:\n    # keep\n    trade_off: 3\n    scarcity: decline\n"
    ),
    "aliases: {auto: {scarcity: decline}}\n": "aliases: {auto: {trade_off: 3, scarcity: decline}}\n",
}


@pytest.mark.parametrize("before", ALIASES)
def test_a_trade_off_finds_its_place(tmp_path: Path, before: str) -> None:
    """Whatever stands there: nothing, an empty section, an alias without one, one that is to be another."""
    text, _ = proposed(tmp_path, HEAD + before, Wanted({}, "auto", 3.0))
    assert text == HEAD + ALIASES[before]


def test_a_configuration_in_json_stays_json_like(tmp_path: Path) -> None:
    """One line with braces, and no aliases."""
    text = (
        '{"models": [{"id": "p/a", "kind": "openai", "base_url": "http://127.0.0.1:1/v1", "key": "none", '
        '"rates": {"input": 1, "output": 2}}], "funds": [{"name": "all", "amount": 25}]}'
    )
    found, _ = proposed(tmp_path, text, Wanted({"all": 2 * USD}, "auto", 3.0))
    assert found.startswith("{aliases: {auto: {trade_off: 3}}, ")
    assert '"amount": 2}' in found


def test_line_ends_and_other_letters_stay(tmp_path: Path) -> None:
    """Carriage returns and letters beyond ASCII don't move the place of an edit."""
    text = ("# für Größeres 🚂\n" + HEAD + FUNDS).replace("\n", "\r\n")
    found, _ = proposed(tmp_path, text, Wanted({"all": USD}))
    assert found == text.replace("amount: 25 ", "amount: 1 ")


REFUSED = {
    "nothing would change": (FUNDS, Wanted({"all": 25 * USD}, "auto", 0.0)),
    "no fund 'other'": (FUNDS, Wanted({"other": 1})),
}
SHARED = """\
funds:
  - &first {name: all, amount: 25}
  - {<<: *first, name: more}
"""


@pytest.mark.parametrize("why", ["nothing would change", "no fund 'other'"])
def test_what_changes_nothing_is_refused(tmp_path: Path, why: str) -> None:
    """And nothing is written."""
    text, wanted = REFUSED[why]
    with pytest.raises(InputError, match=why):
        proposed(tmp_path, HEAD + text, wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["pointsman.yaml"]


def test_a_value_that_others_share_is_left_to_people(tmp_path: Path) -> None:
    """Changing it would change two funds."""
    with pytest.raises(InputError, match="by hand"):
        proposed(tmp_path, HEAD + SHARED, Wanted({"all": USD}))
    with pytest.raises(InputError, match="by hand"):
        proposed(tmp_path, HEAD + SHARED, Wanted({"more": USD}))
    assert [path.name for path in tmp_path.iterdir()] == ["pointsman.yaml"]


def test_a_value_from_the_environment_is_left_to_people(tmp_path: Path) -> None:
    """The file names a variable; writing a number over it would undo that."""
    path = tmp_path / "pointsman.yaml"
    path.write_text(HEAD + FUNDS.replace("25 ", "os.environ/BUDGET "))
    with pytest.raises(InputError, match="line 7"):
        propose(path, Wanted({"all": USD}), {"BUDGET": "25"}, DAY)


def test_a_folder_that_cant_be_written_says_so(tmp_path: Path) -> None:
    """Where even root can't: the folder has gone by then."""
    with pytest.raises(InputError, match="cannot be read"):
        propose(tmp_path / "gone" / "pointsman.yaml", Wanted({"all": USD}), {}, DAY)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**15), st.integers(0, 10**9), st.integers(1, 1000))
def test_what_is_written_reads_back(tmp_path: Path, nano: int, calls: int, knob: int) -> None:
    """Any amount, down to the nano-dollar, and any setting of the knob: the proposal says just that, else the same."""
    path = tmp_path / "pointsman.yaml"
    path.write_text(HEAD + FUNDS)
    before = read_settings(path, {}, DAY)
    target, _ = propose(path, Wanted({"all": nano, "calls": calls}, "auto", knob / 100), {}, DAY)
    after = read_settings(target, {}, DAY)
    assert [rule.amount for rule in after.funds] == [nano, calls]
    assert after.aliases[0].trade_off == knob / 100
    same = [replace(rule, amount=0) for rule in after.funds] == [replace(rule, amount=0) for rule in before.funds]
    assert same
    assert replace(after, funds=(), aliases=(), path=None) == replace(before, funds=(), aliases=(), path=None)
