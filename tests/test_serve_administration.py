"""Administration in process: what is read of a new key's fields, and who may do what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_serving import USD, Talk, model, settings_of
from pointsman.pool.settings import FundRule, TelemetrySettings, WindowRule
from pointsman.serve.administration import (
    KEY_FIELDS,
    audit,
    config,
    create_key,
    key_arguments,
    list_keys,
    reload,
    revoke_key,
)
from pointsman.serve.app import App
from pointsman.serve.gateway import Gateway
from pointsman.serve.keys import Budget
from pointsman.serve.openapi import NEW_KEY
from pointsman.serve.wire.errors import Refusal

NOW = 1_700_000_000 * USD
MASTER = "master-secret"

Act = Callable[[Gateway, Any, str], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("state")
    settings = settings_of(
        model("p/m"),
        state=state,
        funds=(FundRule("all", USD),),
        master_key=MASTER,
        telemetry=TelemetrySettings(log="off"),
    )
    made = Gateway(settings)
    made.logs.give_back()
    yield made
    asyncio.run(made.stop())


def act(what: Act, gateway: Gateway, body: Any = None, rest: str = "", key: str = MASTER) -> Talk:
    talk = Talk([b"" if body is None else orjson.dumps(body)], [("authorization", f"Bearer {key}")])
    asyncio.run(what(gateway, talk.client, rest))
    return talk


def refused(what: Act, gateway: Gateway, body: Any = None, rest: str = "", key: str = MASTER) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act(what, gateway, body, rest, key)
    return caught.value


# What is read


def test_all_fields_by_hand() -> None:
    """Every field of a new key, in the units of the ledger."""
    given = {
        "id": "team-a",
        "models": ["p/*"],
        "tags": ["eu"],
        "expires_in_s": 60,
        "budget_usd": "1.000000001",
        "budget_window": {"every": "month", "zone": "Europe/Berlin"},
        "requests_per_minute": 5,
        "tokens_per_minute": 0,
    }
    assert set(given) == set(KEY_FIELDS) == set(NEW_KEY["properties"])
    assert key_arguments(given, NOW) == {
        "id": "team-a",
        "models": ("p/*",),
        "tags": ("eu",),
        "expires_ns": NOW + 60 * USD,
        "budget": Budget(USD + 1, WindowRule("calendar", 0, "month", "Europe/Berlin")),
        "requests_per_minute": 5,
        "tokens_per_minute": 0,
    }


def test_nothing_is_asked_for() -> None:
    """Without a field there is no limit of that kind."""
    found = key_arguments({}, NOW)
    assert (found["models"], found["tags"]) == ((), ())
    assert all(found[name] is None for name in found if name not in {"models", "tags"})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**18))
def test_budgets_are_exact(nano: int) -> None:
    """Any number of nano-dollars, written as text, is that many; and as JSON's number where it has few digits."""
    text = f"{nano // USD}.{nano % USD:09d}"
    budget = key_arguments({"budget_usd": text}, NOW)["budget"]
    assert budget == Budget(nano, WindowRule())
    cents = nano // 10**7 % 10**9
    assert key_arguments({"budget_usd": cents / 100}, NOW)["budget"].amount_nano == cents * 10**7


@pytest.mark.parametrize(
    ("given", "window"),
    [
        (None, WindowRule()),
        ({"rolling_s": 86_400}, WindowRule("rolling", 86_400)),
        ({"every": "day"}, WindowRule("calendar", 0, "day", "UTC")),
    ],
)
def test_windows(given: Any, window: WindowRule) -> None:
    """Once and for all, rolling, or by the calendar."""
    assert key_arguments({"budget_usd": 1, "budget_window": given}, NOW)["budget"].window == window


WRONG: dict[str, list[Any]] = {
    "budget_usd": [True, "x", "NaN", "Infinity", -1, "1e30", "0.0000000001", [], {}, "sNaN", "1e-400"],
    "requests_per_minute": [True, 1.5, -1, "5", 10**13, []],
    "tokens_per_minute": [False, -1, "5"],
    "expires_in_s": [True, 1.5, -1, "5", 10**13],
    "id": [5, [], True],
    "models": ["p/*", [5], {}],
    "tags": ["eu", [None]],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values],
)
def test_fields_of_the_wrong_kind_are_named(field: str, value: Any) -> None:
    """A refusal with the field's name, never another error."""
    with pytest.raises(Refusal) as caught:
        key_arguments({field: value}, NOW)
    assert (caught.value.status, caught.value.param) == (400, field)


@pytest.mark.parametrize(
    "window",
    [
        "1d",
        5,
        {"rolling_s": "5"},
        {"rolling_s": 5, "every": "day"},
        {"every": 5},
        {"zone": "UTC"},
        {"rolling_s": 1.5},
        {"rolling_s": True},
        [],
    ],
)
def test_odd_windows_are_refused(window: Any) -> None:
    """What is no window is said to be none, and a window without a budget is of no use."""
    with pytest.raises(Refusal) as caught:
        key_arguments({"budget_usd": 1, "budget_window": window}, NOW)
    assert caught.value.param == "budget_window"
    with pytest.raises(Refusal):
        key_arguments({"budget_window": {"every": "day"}}, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["every", "zone", "rolling_s", "x"]), inner)
    ),
    max_leaves=4,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEY_FIELDS), JSON))
def test_whatever_comes_is_read_or_refused(given: dict[str, Any]) -> None:
    """No JSON value in any field makes another error than a refusal."""
    with suppress(Refusal):
        key_arguments(given, NOW)


# Who may, and what becomes of it


@pytest.mark.parametrize("what", [list_keys, create_key, revoke_key, reload, audit, config])
def test_the_administration_is_for_the_master_key(gateway: Gateway, what: Act) -> None:
    """A virtual key is forbidden, no key is not let in, and nothing is done."""
    secret, _ = gateway.keys.create(time.time_ns())
    before = gateway.keys.list()
    assert refused(what, gateway, {}, key=secret).status == 403
    assert refused(what, gateway, {}, key="wrong").status == 401
    assert gateway.keys.list() == before


def test_a_keys_life(gateway: Gateway) -> None:
    """Made with its secret in this one answer, limited at once, listed without it, revoked once."""
    made = act(create_key, gateway, {"id": "life", "budget_usd": 0.5, "requests_per_minute": 3})
    assert made.status == 201
    secret = made.json["key"]
    assert gateway.principal_of(secret).key_id == "life"
    assert {"key:life:budget", "key:life:rpm"} <= {rule.name for rule in gateway.scheme.funds}
    listed = act(list_keys, gateway)
    assert secret.encode() not in listed.body
    assert next(one for one in listed.json["data"] if one["id"] == "life")["budget"]["amount_nano"] == USD // 2
    assert act(revoke_key, gateway, rest="life").json["id"] == "life"
    assert not any(rule.name.startswith("key:life:") for rule in gateway.scheme.funds)
    with pytest.raises(Refusal):
        gateway.principal_of(secret)
    assert refused(revoke_key, gateway, rest="life").status == 404
    assert refused(create_key, gateway, {"id": "life"}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"id": "no/slash"},
        {"id": "master"},
        {"id": ""},
        {"unknown": 1},
        {"expires_in_s": 0},
        {"expires_in_s": 10**12},
        {"models": [""]},
        {"budget_usd": 1, "budget_window": {"every": "fortnight"}},
        {"budget_usd": 1, "budget_window": {"every": "day", "zone": "Mars/Base"}},
        {"budget_usd": 1, "budget_window": {"every": "day", "zone": "../../etc/passwd"}},
        {"budget_usd": 1, "budget_window": {"rolling_s": 0}},
        {"budget_usd": 1, "budget_window": {"rolling_s": -5}},
        {"budget_usd": 1, "budget_window": {"rolling_s": True}},
        {"budget_usd": 1, "budget_window": {"rolling_s": 2**63}},
        [],
        "text",
    ],
)
def test_a_key_that_could_never_work_is_not_made(gateway: Gateway, body: Any) -> None:
    """A 400 that says why; no key is left behind, and the gateway still decides."""
    before, scheme = gateway.keys.list(), gateway.scheme
    assert refused(create_key, gateway, body).status == 400
    assert gateway.keys.list() == before
    gateway.rebuild()
    assert [rule.name for rule in gateway.scheme.funds] == [rule.name for rule in scheme.funds]


def test_the_configuration_is_shown_without_secrets(gateway: Gateway) -> None:
    """What is in force, as JSON, and no key in it."""
    told = act(config, gateway)
    assert told.json["models"][0]["id"] == "p/m"
    assert told.json["funds"][0]["name"] == "all"
    assert MASTER.encode() not in told.body


def test_an_audit_is_told(gateway: Gateway) -> None:
    """200 and ok where the ledger adds up."""
    told = act(audit, gateway)
    assert (told.status, told.json["ok"], told.json["problems"]) == (200, True, [])


def test_a_reload_that_cannot_be_is_a_refusal(gateway: Gateway) -> None:
    """Settings made in code have nothing to read again; the old ones stay, and that is said."""
    refusal = refused(reload, gateway)
    assert refusal.status == 400
    assert "stays in force" in refusal.message


# The application in front of it


def answered(gateway: Gateway | None, method: str, path: str, key: str = MASTER) -> Talk:
    app = App(_never)
    app.gateway = gateway
    talk = Talk(headers=[("authorization", f"Bearer {key}")], method=method, path=path)
    asyncio.run(app(talk.client.scope, talk.receive, talk.send))
    return talk


def _never() -> Gateway:
    raise AssertionError


def test_what_is_where(gateway: Gateway) -> None:
    """Known paths answer, unknown ones don't, other methods are told which; errors speak the client's language."""
    assert answered(gateway, "GET", "/admin/audit").status == 200
    assert answered(gateway, "GET", "/nowhere").status == 404
    wrong = answered(gateway, "POST", "/admin/audit")
    assert (wrong.status, wrong.answer_headers["allow"]) == (405, "GET")
    assert answered(gateway, "GET", "/admin/audit", key="wrong").status == 401
    assert answered(gateway, "POST", "/v1/messages", key="wrong").json["type"] == "error"
    assert answered(gateway, "DELETE", "/admin/keys/nobody").status == 404
    assert answered(None, "GET", "/admin/audit").status == 503


def test_a_fault_of_its_own_tells_nothing(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody thought of is a 500 without a word of what it was."""

    def fail() -> None:
        raise ValueError("secret detail")

    monkeypatch.setattr(gateway, "audit", fail)
    told = answered(gateway, "GET", "/admin/audit")
    assert told.status == 500
    assert b"secret detail" not in told.body
