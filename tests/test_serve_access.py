"""Who is let in: keys, their limits as funds, and the command line that makes them."""

from __future__ import annotations

import hmac
import json
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pointsman.cli.keys import app, span_s, usd_nano, window_rule
from pointsman.errors import InputError
from pointsman.pool.settings import FundRule, WindowRule
from pointsman.serve.access import Keys, Principal, require_admin, secret_from
from pointsman.serve.keys import Budget, KeyFile, fund_rules
from pointsman.serve.wire.errors import Refusal

NOW = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "keys.sqlite"


@pytest.fixture
def keys(path: Path) -> Iterator[Keys]:
    made = Keys(path, "the-master-key")
    yield made
    made.close()


def refusal(keys: Keys, secret: str, at_ns: int = NOW) -> Refusal:
    with pytest.raises(Refusal) as raised:
        keys.authenticate(secret, at_ns)
    return raised.value


def test_a_key_opens_what_it_was_made_for(keys: Keys) -> None:
    """A new key's secret gives its id, models, tags and expiry, and no administration."""
    secret, record = keys.create(NOW, id="team-a", models=["openai/*"], tags=["eu"], expires_ns=NOW + SECOND)
    assert secret.startswith("sk-pm-")
    assert len(secret) == len("sk-pm-") + 43
    assert record.hash == sha256(secret.encode()).digest()
    assert keys.authenticate(secret, NOW) == Principal("team-a", False, ("openai/*",), ("eu",), NOW + SECOND)


def test_the_master_key_opens_everything(keys: Keys) -> None:
    """The master key is the administrator and may use every model."""
    master = keys.authenticate("the-master-key", NOW)
    assert master.admin
    assert master.key_id == "master"
    assert master.permits("any/model")
    require_admin(master)


def test_a_virtual_key_is_no_administrator(keys: Keys) -> None:
    """The administration is closed to virtual keys."""
    secret, _ = keys.create(NOW)
    with pytest.raises(Refusal) as raised:
        require_admin(keys.authenticate(secret, NOW))
    assert raised.value.status == 403


def test_a_refusal_does_not_say_what_was_wrong(keys: Keys) -> None:
    """Missing, unknown, nearly right, expired and revoked keys get the same answer, with status 401."""
    old, _ = keys.create(NOW, id="old", expires_ns=NOW + SECOND)
    gone, _ = keys.create(NOW, id="gone")
    keys.revoke("gone", NOW)
    wrong = ["", "nothing", "the-master-ke", "the-master-key ", old[:-1], gone]
    answers = [refusal(keys, secret) for secret in wrong] + [refusal(keys, old, NOW + SECOND)]
    assert {(answer.status, answer.message, answer.param, answer.code) for answer in answers} == {
        (401, answers[0].message, None, None)
    }
    assert answers[0].type == "authentication_error"


@given(secret=st.text(max_size=80))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_but_a_secret_opens(keys: Keys, secret: str) -> None:
    """Any text at all, half surrogate pairs among it, is refused unless it is a secret."""
    assert refusal(keys, secret).status == 401


def test_secrets_are_compared_in_constant_time(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Master and virtual keys are compared by `hmac.compare_digest`, over hashes of equal length."""
    secret, record = keys.create(NOW)
    seen: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def spy(a: bytes, b: bytes) -> bool:
        seen.append((a, b))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    keys.authenticate(secret, NOW)
    given_hash = sha256(secret.encode()).digest()
    assert seen == [(given_hash, sha256(b"the-master-key").digest()), (given_hash, record.hash)]


def test_nothing_secret_is_kept_or_shown(keys: Keys, path: Path) -> None:
    """No file of the folder holds the secret, its owner alone may read it, and no representation shows the hash."""
    secret, record = keys.create(NOW, id="team-a")
    for kept in path.parent.iterdir():
        assert secret.encode() not in kept.read_bytes()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert record.hash.hex() not in repr(record)
    assert str(record.hash) not in repr(record)
    assert "hash" not in record.public()


def test_another_process_is_seen_within_a_second(keys: Keys, path: Path) -> None:
    """A key made elsewhere opens, and one revoked elsewhere closes, a second later at the latest."""
    elsewhere = Keys(path, "the-master-key")
    secret, _ = elsewhere.create(NOW, id="new")
    assert keys.authenticate(secret, NOW + SECOND).key_id == "new"
    elsewhere.revoke("new", NOW + SECOND)
    assert keys.authenticate(secret, NOW + SECOND + 1).key_id == "new"
    assert refusal(keys, secret, NOW + 2 * SECOND).status == 401
    elsewhere.close()


def test_refresh_says_whether_funds_may_have_changed(keys: Keys, path: Path) -> None:
    """True once after a change, even if a query has met it first; False without one."""
    assert not keys.refresh(NOW)
    elsewhere = Keys(path)
    secret, _ = elsewhere.create(NOW, id="new", requests_per_minute=3)
    elsewhere.close()
    before = keys.generation
    keys.authenticate(secret, NOW + SECOND)
    assert keys.generation != before
    assert keys.refresh(NOW + SECOND)
    assert not keys.refresh(NOW + 2 * SECOND)
    keys.revoke("new", NOW)
    assert keys.refresh(NOW + 2 * SECOND)
    keys.create(NOW, id="newer", requests_per_minute=3)
    assert [rule.name for rule in keys.fund_rules(NOW)] == ["key:newer:rpm"]


def test_keys_that_cannot_be_read_let_nobody_in_but_the_master(keys: Keys) -> None:
    """When the file fails, a virtual key is refused with 503 and the master key still opens."""
    secret, _ = keys.create(NOW)
    keys.close()
    assert refusal(keys, secret, NOW + SECOND).status == 503
    assert keys.authenticate("the-master-key", NOW + SECOND).admin


def test_without_any_key_everyone_is_let_in_until_the_first_is_made(path: Path) -> None:
    """No master key and no virtual key: open. From the first key on it stays closed, even when that one is revoked."""
    keys = Keys(path)
    assert keys.authenticate("", NOW) == Principal("", admin=True)
    secret, _ = keys.create(NOW, id="first")
    assert keys.authenticate(secret, NOW).key_id == "first"
    assert refusal(keys, "").status == 401
    keys.revoke("first", NOW)
    assert refusal(keys, "").status == 401
    keys.close()


def test_an_empty_master_key_is_refused(path: Path) -> None:
    """An empty variable in the environment must not let in whoever gives no key."""
    with pytest.raises(InputError, match="empty"):
        Keys(path, "")


def test_limits_become_funds_that_the_key_alone_draws_on(keys: Keys) -> None:
    """Budget, requests and tokens a minute, by names of their own; keys that are over draw on nothing."""
    month = WindowRule("calendar", every="month", zone="Europe/Berlin")
    _, record = keys.create(NOW, id="a", budget=Budget(5, month), requests_per_minute=60, tokens_per_minute=1_000)
    minute = WindowRule("rolling", 60)
    wanted = [
        FundRule("key:a:budget", 5, "usd", month, keys=("a",)),
        FundRule("key:a:rpm", 60, "requests", minute, keys=("a",)),
        FundRule("key:a:tpm", 1_000, "tokens", minute, keys=("a",)),
    ]
    assert fund_rules(record) == wanted
    assert keys.fund_rules(NOW) == tuple(wanted)
    keys.revoke("a", NOW)
    keys.create(NOW, id="b", budget=Budget(0), expires_ns=NOW + 1)
    assert keys.fund_rules(NOW + 1) == ()


def test_keys_survive_a_restart_whole(keys: Keys, path: Path) -> None:
    """What is read again is what was made."""
    _, record = keys.create(NOW, models=["a/*"], tags=["x"], budget=Budget(7, WindowRule("rolling", 60)))
    keys.create(NOW + 1, id="b")
    revoked = keys.revoke("b", NOW + 2)
    again = Keys(path)
    assert again.list() == (record, revoked)
    again.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "master"},
        {"id": ""},
        {"id": "a b"},
        {"id": "a:b"},
        {"id": "x" * 65},
        {"expires_ns": NOW},
        {"requests_per_minute": -1},
        {"tokens_per_minute": 2**63},
        {"budget": Budget(-1)},
        {"models": ["a/*", ""]},
        {"tags": [""]},
    ],
)
def test_a_key_that_could_not_work_is_not_made(keys: Keys, wrong: dict[str, Any]) -> None:
    """Ids that others could be mistaken for, limits below zero and the like are refused, and nothing is kept."""
    with pytest.raises(InputError):
        keys.create(NOW, **wrong)
    assert keys.list() == ()


def test_an_id_is_used_once(keys: Keys) -> None:
    """A revoked key's id stays taken, since entries in the ledger go by it."""
    keys.create(NOW, id="a")
    assert keys.revoke("a", NOW) is not None
    assert keys.revoke("a", NOW) is None
    assert keys.revoke("never", NOW) is None
    with pytest.raises(InputError, match="is or was"):
        keys.create(NOW, id="a")


def test_another_file_is_not_taken_for_keys(tmp_path: Path) -> None:
    """Garbage, another SQLite file and another version are refused and left as they are."""
    garbage, other, newer = tmp_path / "garbage", tmp_path / "other", tmp_path / "newer"
    garbage.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with sqlite3.connect(other) as db:
        db.execute("create table t (a)")
    KeyFile(newer).close()
    with sqlite3.connect(newer) as db:
        db.execute("pragma user_version = 99")
    for path in (garbage, other, newer):
        before = path.read_bytes()[:8]
        with pytest.raises(InputError):
            Keys(path)
        assert path.read_bytes()[:8] == before
    with pytest.raises(InputError):
        Keys(garbage / "keys.sqlite")


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer  abc "}, "abc"),
        ({"authorization": "Basic abc", "x-api-key": "x"}, "x"),
        ({"authorization": "abc"}, ""),
        ({"x-api-key": "x", "api-key": "y"}, "x"),
        ({"api-key": "y"}, "y"),
        ({}, ""),
    ],
)
def test_where_a_client_puts_its_key(headers: dict[str, str], secret: str) -> None:
    """OpenAI's, Anthropic's and Azure's headers, in this order."""
    assert secret_from(headers) == secret


@given(
    globs=st.lists(st.text("ab/*?[]!", min_size=1, max_size=5), max_size=4),
    model=st.text("ab/*", min_size=1, max_size=5),
)
@settings(max_examples=200)
def test_models_are_matched_as_in_a_shell(globs: list[str], model: str) -> None:
    """`permits` agrees with `fnmatchcase` on each pattern; no patterns permit everything."""
    expected = not globs or any(fnmatchcase(model, glob) for glob in globs)
    assert Principal("k", models=tuple(globs)).permits(model) == expected


# --- the command line -------------------------------------------------------------------------------------------------


def run(*words: str) -> Any:
    return CliRunner().invoke(app, [*words], env={"COLUMNS": "200", "TERM": "dumb"})


def test_the_command_line_makes_lists_and_revokes(tmp_path: Path) -> None:
    """A key from its making to its end; the secret is shown once and opens until then."""
    state = ("--state", str(tmp_path))
    limits = ("--budget-usd", "2.5", "--window", "1mo", "--zone", "Europe/Berlin", "--rpm", "60", "--tpm", "9000")
    made = json.loads(run("create", *state, "--id", "a", "--model", "x/*", "--tag", "t", *limits, "--json").output)
    keys = Keys(tmp_path / "keys.sqlite", "m")
    month = WindowRule("calendar", every="month", zone="Europe/Berlin")
    assert keys.authenticate(made["secret"], NOW).models == ("x/*",)
    assert keys.list()[0].budget == Budget(2_500_000_000, month)
    for command in (("list", *state), ("list", *state, "--json"), ("revoke", "a", *state)):
        done = run(*command)
        assert done.exit_code == 0
        assert "a" in done.output
        assert made["secret"] not in done.output
    assert json.loads(run("list", *state, "--json").output)["keys"][0]["state"] == "revoked"
    assert refusal(keys, made["secret"], keys.list()[0].created_ns + 10 * SECOND).status == 401
    keys.close()


def test_the_command_line_prints_for_people(tmp_path: Path) -> None:
    """Without `--json` the secret stands on a line of its own, and a table lists every key."""
    made = run(
        "create", "--state", str(tmp_path), "--id", "a", "--expires-in", "30d", "--budget-usd", "1", "--window", "24h"
    )
    secret = made.output.splitlines()[1]
    assert secret.startswith("sk-pm-")
    run("create", "--state", str(tmp_path), "--id", "b")
    shown = run("list", "--state", str(tmp_path)).output
    assert "$1 in 86400 s" in shown
    assert "live" in shown


def test_the_command_line_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    """A window without a budget, unknown keys and an empty state are errors with a remedy."""
    state = ("--state", str(tmp_path))
    for words in (("list",), ("revoke", "a"), ("create", "--window", "1mo"), ("create", "--expires-in", "soon")):
        done = run(*words, *state)
        assert isinstance(done.exception, InputError)
        assert done.exception.remedy
    run("create", *state)
    assert isinstance(run("revoke", "a", *state).exception, InputError)


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "0.0000000001", "1e30"])
def test_money_is_exact_or_refused(text: str) -> None:
    """No number, less than nothing, finer than a nano-dollar or too much to count is refused."""
    with pytest.raises(InputError, match="US dollars"):
        usd_nano(text)


def test_windows_are_written_as_in_the_configuration() -> None:
    """None, a length of time, a month, a calendar period with a zone."""
    assert usd_nano("0.000000001") == 1
    assert span_s("2w", "x") == 1_209_600
    assert window_rule("none", "UTC") == WindowRule()
    assert window_rule("24h", "UTC") == WindowRule("rolling", 86_400)
    assert window_rule("1mo", "UTC") == replace(window_rule("month", "UTC"))
    assert window_rule("day", "Asia/Tokyo") == WindowRule("calendar", every="day", zone="Asia/Tokyo")
    for text, zone in (("fortnight", "UTC"), ("24h", "Asia/Tokyo"), ("day", "Mars/Olympus"), ("day", "../etc")):
        with pytest.raises(InputError):
            window_rule(text, zone)
