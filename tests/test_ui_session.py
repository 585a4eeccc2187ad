"""Who may look at the dashboard, who may change something, and what keeps others out."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_dashboard import LOOK, MASTER, OURS, Browser, client_of, dashboard_settings, made_gateway
from pointsman.errors import InputError
from pointsman.pool.settings import DashboardSettings
from pointsman.serve.gateway import Gateway
from pointsman.serve.ui.fence import CSP
from pointsman.serve.ui.seal import FILE, Door, Granted, Seal, same, seal_of
from pointsman.serve.ui.session import admin_of, changer_of, viewer_of
from pointsman.serve.wire.errors import Refusal

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with made_gateway(dashboard_settings(tmp_path)) as made:
        yield made


# The cookie


def test_a_cookie_by_hand() -> None:
    """What was signed is read back until its time is over, for as long as its key is in force."""
    seal, granted = Seal(SECRET), Granted("admin", changes=True, expires_s=100.0)
    cookie = seal.sign(granted, "key")
    assert seal.read(cookie, {"admin": "key", "viewer": None}, 99.9) == granted
    assert seal.read(cookie, {"admin": "key", "viewer": None}, 100.0) is None
    assert seal.read(cookie, {"admin": "other", "viewer": None}, 99.9) is None
    assert seal.read(cookie, {"admin": None, "viewer": "key"}, 99.9) is None
    assert Seal(SECRET[::-1]).read(cookie, {"admin": "key", "viewer": None}, 99.9) is None


@given(st.text(max_size=80))
def test_no_text_is_a_cookie(text: str) -> None:
    """Nothing that wasn't signed is taken, whatever it looks like, and nothing breaks on it."""
    assert Seal(SECRET).read(text, {"admin": "key", "viewer": "other"}, 0.0) is None


@given(st.data())
def test_a_changed_cookie_is_none(data: st.DataObject) -> None:
    """One letter changed in what it says or in its mark, and it is worth nothing."""
    cookie = Seal(SECRET).sign(Granted("viewer", changes=False, expires_s=9e9), "key")
    place = data.draw(st.integers(0, len(cookie) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
    changed = cookie[:place] + letter + cookie[place + 1 :]
    found = Seal(SECRET).read(changed, {"admin": "key", "viewer": "key"}, 0.0)
    assert found is None or found == Granted("viewer", changes=False, expires_s=9e9)  # the last letter has spare bits


def test_the_secret_is_made_once(tmp_path: Path) -> None:
    """Workers that start together share one secret, which nobody else can read; one cut short is refused."""
    with ThreadPoolExecutor(8) as pool:
        seals = list(pool.map(lambda _: seal_of(tmp_path), range(8)))
    granted = Granted("admin", changes=False, expires_s=9e9)
    assert len({seal.sign(granted, "") for seal in seals}) == 1
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    (tmp_path / FILE).write_bytes(b"short")
    with pytest.raises(InputError, match="remove it"):
        seal_of(tmp_path)


def test_keys_are_compared() -> None:
    """A key is itself and no other; one that isn't set is nobody's, not even the empty text's."""
    assert same("a", "a")
    assert not same("a", "b")
    assert not same("", None)
    assert not same("\udcff", "a")


def test_the_door_by_hand() -> None:
    """Ten wrong keys within a minute shut it until the first of them is a minute old."""
    door = Door()
    for second in range(10):
        assert door.shut_s(float(second)) is None
        door.wrong(float(second))
    assert door.shut_s(10.0) == 50.0
    assert door.shut_s(60.0) is None


# Who is who


def test_nobody_without_a_session(gateway: Gateway) -> None:
    """Data needs a session; who asks about the session itself is told that there is none, and no more than that."""
    visitor = Browser(gateway)
    for path in ("now", "decisions", "funds", "entries", "keys", "alarms", "onboardings", "live"):
        assert visitor.get(f"/ui/api/{path}").status == 401, path
    told = visitor.get("/ui/api/session").json()
    assert told | {"version": ""} == {
        "signed_in": False,
        "role": None,
        "changes": False,
        "prompts": False,
        "needs_key": True,
        "expires_s": None,
        "version": "",
        "notice": "Simulated models",
        "workers": 1,
    }


@pytest.mark.parametrize(
    ("key", "changes", "role"),
    [(MASTER, False, "admin"), (MASTER, True, "admin"), (LOOK, False, "viewer")],
)
def test_signing_in(gateway: Gateway, key: str, changes: bool, role: str) -> None:
    """A key opens a session of its role, which the cookie carries from then on, and signing out ends."""
    visitor = Browser(gateway)
    answer = visitor.sign_in(key, changes=changes)
    assert answer.status == 200
    told = visitor.get("/ui/api/session").json()
    assert told == answer.json()
    assert (told["role"], told["changes"], told["prompts"]) == (role, changes, role == "admin")
    assert key not in answer.headers["set-cookie"]
    assert visitor.get("/ui/api/funds").status == 200
    assert visitor.ask("DELETE", "/ui/api/session").json()["signed_in"] is False
    assert visitor.cookie == ""
    assert visitor.get("/ui/api/funds").status == 401


def test_changes_are_given_up_without_a_key(gateway: Gateway) -> None:
    """A session that may change things turns into one that only looks, which ends no later; not the other way."""
    visitor = Browser(gateway)
    ends_s = visitor.sign_in(MASTER, changes=True).json()["expires_s"]
    given_up = visitor.ask("POST", "/ui/api/session", {"changes": False})
    assert given_up.status == 200
    told = visitor.get("/ui/api/session").json()
    assert (told["role"], told["changes"], told["expires_s"]) == ("admin", False, ends_s)
    assert visitor.ask("POST", "/ui/api/session", {"changes": True}).status == 401
    assert Browser(gateway).ask("POST", "/ui/api/session", {"changes": False}).status == 401


def test_the_cookie_stays_with_the_browser(gateway: Gateway) -> None:
    """No script reads it, no other site sends it, nothing beside the dashboard gets it, and over TLS only TLS does."""
    line = Browser(gateway).sign_in().headers["set-cookie"]
    assert {"Path=/ui", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} <= set(line.split("; "))
    assert "Secure" not in line
    secure = Browser(gateway, OURS | {"x-forwarded-proto": "https"}).sign_in().headers["set-cookie"]
    assert "Secure" in secure.split("; ")


def test_a_viewer_changes_nothing(gateway: Gateway) -> None:
    """The dashboard's key never opens changes, and a session without them is refused whatever it asks for."""
    visitor = Browser(gateway)
    assert visitor.sign_in(LOOK, changes=True).status == 403
    for key in (LOOK, MASTER):
        visitor.sign_in(key)
        for method, path in CHANGES:
            assert visitor.ask(method, path, {}).status == 403, (key, path)
    visitor.sign_in(LOOK)
    assert visitor.ask("POST", "/ui/api/audit").status == 403


CHANGES = (
    ("POST", "/ui/api/keys"),
    ("DELETE", "/ui/api/keys/team-a"),
    ("POST", "/ui/api/alarms/a/acknowledge"),
    ("POST", "/ui/api/onboardings"),
    ("DELETE", "/ui/api/onboardings/p-big"),
)


def test_scripts_send_a_key(gateway: Gateway) -> None:
    """A key in a header needs no cookie: the master key may change things, the dashboard's may look."""
    admin = viewer_of(gateway, client_of(authorization=f"Bearer {MASTER}"))
    assert (admin.role, admin.changes, admin.principal.admin) == ("admin", True, True)
    viewer = viewer_of(gateway, client_of(authorization=f"Bearer {LOOK}"))
    assert (viewer.role, viewer.changes, viewer.prompts, viewer.principal.admin) == ("viewer", False, False, False)
    with pytest.raises(Refusal, match="authentication_error"):
        viewer_of(gateway, client_of(authorization="Bearer sk-pm-other"))
    with pytest.raises(Refusal, match="permission_error"):
        admin_of(gateway, client_of(authorization=f"Bearer {LOOK}"))
    assert changer_of(gateway, client_of(authorization=f"Bearer {MASTER}")).changes


def test_a_virtual_key_opens_nothing(gateway: Gateway) -> None:
    """Keys for queries are none for the dashboard."""
    secret, _ = gateway.keys.create(1)
    assert Browser(gateway).sign_in(secret).status == 401


def test_a_changed_key_ends_its_sessions(gateway: Gateway) -> None:
    """After the dashboard's key was changed its sessions are over, while the master key's go on."""
    viewer, admin = Browser(gateway), Browser(gateway)
    viewer.sign_in(LOOK)
    admin.sign_in(MASTER)
    gateway.settings = replace(gateway.settings, dashboard=DashboardSettings(key="sk-another"))
    assert viewer.get("/ui/api/funds").status == 401
    assert admin.get("/ui/api/funds").status == 200
    gateway.settings = replace(gateway.settings, master_key="sk-another-master")
    assert admin.get("/ui/api/funds").status == 401


def test_a_session_ends(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts for as long as the configuration says."""
    visitor = Browser(gateway)
    expires_s = visitor.sign_in().json()["expires_s"]
    monkeypatch.setattr(time, "time", lambda: expires_s - 1)
    assert visitor.get("/ui/api/funds").status == 200
    monkeypatch.setattr(time, "time", lambda: expires_s)
    assert visitor.get("/ui/api/funds").status == 401


def test_wrong_keys_shut_the_door(gateway: Gateway) -> None:
    """After ten wrong keys in a minute nobody gets in by a key; sessions that are open stay so."""
    inside, outside = Browser(gateway), Browser(gateway)
    inside.sign_in()
    assert [outside.sign_in(f"wrong-{i}").status for i in range(10)] == [401] * 10
    shut = outside.sign_in(MASTER)
    assert shut.status == 429
    assert 0 < int(shut.headers["retry-after"]) <= 60
    assert outside.get("/ui/api/funds", authorization=f"Bearer {MASTER}").status == 429
    assert inside.get("/ui/api/funds").status == 200


# Other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8400"}, 200),
        ({"origin": "https://gateway.example", "x_forwarded_host": "gateway.example"}, 200),
        ({"x_pointsman_ui": ""}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8401"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_other_sites_change_nothing(gateway: Gateway, headers: dict[str, str], status: int) -> None:
    """Whatever isn't a GET needs our header, and comes from our own pages where it says from where."""
    visitor = Browser(gateway)
    visitor.sign_in()
    assert visitor.ask("POST", "/ui/api/audit", **headers).status == status
    assert visitor.ask("POST", "/ui/api/session", {"key": MASTER}, **headers).status == status


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/ui/api/session", "/ui/api/now", "/ui/api/nothing", "/ui/nothing.js"])
def test_every_answer_is_fenced(gateway: Gateway, path: str) -> None:
    """Whatever it answers, a browser is told to run no other script and to show it in nobody's frame."""
    headers = Browser(gateway).get(path).headers
    assert headers["content-security-policy"] == CSP.decode()
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert (headers.get("cache-control") == "no-store") is path.startswith("/ui/api/")
    assert "content-security-policy" not in Browser(gateway).get("/health").headers


# Without a key, and not at all


def test_an_open_gateway(tmp_path: Path) -> None:
    """Without any key everyone on the machine is an administrator who only looks, until changes are switched on."""
    with made_gateway(dashboard_settings(tmp_path, master_key=None, dashboard=DashboardSettings())) as made:
        visitor = Browser(made)
        told = visitor.get("/ui/api/session").json()
        assert (told["role"], told["changes"], told["needs_key"], told["expires_s"]) == ("admin", False, False, None)
        assert visitor.ask("POST", "/ui/api/keys", {}).status == 403
        assert visitor.sign_in("", changes=True).json()["changes"] is True
        assert visitor.ask("POST", "/ui/api/keys", {"id": "team-a"}).status == 201
        # A key ever made closes the gateway: then nobody is an administrator any more.
        assert visitor.get("/ui/api/funds").status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8400", 200), ("127.0.0.2", 200), ("[::1]:8400", 200), ("evil.example:8400", 403), ("", 403)],
)
def test_an_open_gateway_has_local_names(tmp_path: Path, host: str, status: int) -> None:
    """A foreign name that was made to lead to this machine opens nothing."""
    with made_gateway(dashboard_settings(tmp_path, master_key=None, dashboard=DashboardSettings())) as made:
        assert Browser(made).get("/ui/api/funds", host=host).status == status


def test_switched_off(tmp_path: Path) -> None:
    """A dashboard that is switched off isn't there, for anybody."""
    with made_gateway(dashboard_settings(tmp_path, dashboard=DashboardSettings(enabled=False, key=LOOK))) as made:
        for path in ("/ui", "/ui/", "/ui/api/session", "/ui/api/now", "/ui/api/live"):
            assert Browser(made).get(path, authorization=f"Bearer {MASTER}").status == 404, path
        assert Browser(made).sign_in().status == 404
