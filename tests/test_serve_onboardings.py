"""Onboardings over HTTP: their processes, how many at once, what is told of them, how they end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway_kit import wait_until
from made_serving import model, scheme_of, settings_of
from pointsman.onboard.folder import slug_of
from pointsman.pool.settings import ServerSettings, Settings
from pointsman.serve.onboarding import onboardings as module
from pointsman.serve.onboarding.onboardings import AT_ONCE, LOCK, Onboardings, Wanted, command, own_address
from pointsman.serve.onboarding.pages import wanted_of
from pointsman.serve.wire.errors import Refusal

# What stands in for the command where only the processes matter: it says how far it is and waits to be ended.
SLOW = "import json, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(json.dumps({'asked': 3})); time.sleep(60)"


@pytest.fixture
def pool(tmp_path: Path) -> Settings:
    return settings_of(model("p/a"), model("p/b"), model("p/c"), state=tmp_path, path=tmp_path / "pointsman.yaml")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, pool: Settings) -> Iterator[Onboardings]:
    """Onboardings whose processes wait."""

    def stand_in(settings: Settings, wanted: Wanted) -> list[str]:
        folder = settings.state / "onboarding" / slug_of(wanted.model)
        if wanted.probes == 0:
            return [sys.executable, "-c", "raise SystemExit('there is no such thing')"]
        return [sys.executable, "-c", SLOW, str(folder / "progress.json")]

    monkeypatch.setattr(module, "command", stand_in)
    made = Onboardings(pool)
    yield made
    made.close()


def refusal(act: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        act(*arguments)
    return caught.value


def test_the_command_by_hand(pool: Settings) -> None:
    """What was asked for becomes the command's options, and what wasn't keeps its defaults; no secret among them."""
    pool = settings_of(*pool.models, path=Path("x.yaml"), master_key="sk-secret")
    plain = command(pool, Wanted("p/a"))
    assert plain[:5] == [sys.executable, "-m", "pointsman", "onboard", "p/a"]
    assert plain[5:] == ["--config", "x.yaml", "--url", "http://127.0.0.1:8400", "--json"]
    full = command(pool, Wanted("p/a", 32, "0.5", shadow=True, judge="p/b"))
    assert full[len(plain) :] == ["--probes", "32", "--budget", "0.5", "--judge", "p/b", "--shadow"]
    assert "sk-secret" not in " ".join(full)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("a.b", "http://a.b:1"),
    ],
)
def test_where_it_asks(host: str, url: str) -> None:
    """A gateway that listens everywhere is asked on this machine."""
    assert own_address(ServerSettings(host=host, port=1)) == url


def test_one_a_model_and_two_at_once_over_all_workers(slow: Onboardings, pool: Settings) -> None:
    """A second worker sees the first one's processes, counts them, and can cancel them; all is told by the folder."""
    other = Onboardings(pool)
    name = slow.start(Wanted("p/a"))
    assert (name, other.running()) == (slug_of("p/a"), {name})
    assert refusal(other.start, Wanted("p/a")).status == 409
    other.start(Wanted("p/b"))
    assert len(slow.running()) == AT_ONCE
    assert refusal(slow.start, Wanted("p/c")).type == "overloaded"
    wait_until(lambda: (other.one("p/a") or {})["progress"] == {"asked": 3}, 20)
    assert [(one["id"], one["running"]) for one in slow.all()] == sorted([(name, True), (slug_of("p/b"), True)])
    assert other.cancel("p/a")
    wait_until(lambda: slow.running() == {slug_of("p/b")}, 20)
    told = slow.one(name)
    assert told is not None
    assert (told["running"], told["progress"]) == (False, {"asked": 3})
    assert not slow.cancel("p/a")
    slow.look()
    assert (pool.state / "refit.request").exists()
    slow.start(Wanted("p/c"))  # there is room again
    other.close()
    slow.close()
    assert slow.running() == set()


def test_its_process_is_at_low_priority_and_ends_with_the_worker(slow: Onboardings, pool: Settings) -> None:
    """The decisions beside it go first; when the worker stops, nothing is left of it."""
    name = slow.start(Wanted("p/a"))
    child = psutil.Process(int((pool.state / "onboarding" / name / LOCK).read_text()))
    assert child.nice() >= 10
    slow.close()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_one_that_fails_says_why(slow: Onboardings) -> None:
    """Its last words are told, and it is running no more."""
    name = slow.start(Wanted("p/a", probes=0))
    wait_until(lambda: not slow.running(), 20)
    told = slow.one(name)
    assert told is not None
    assert "there is no such thing" in told["said"]
    assert slow.one("p/b") is None
    assert slow.one("../onboarding") is None


def test_settings_without_a_file_start_none(pool: Settings) -> None:
    """A process would have nothing to read."""
    assert refusal(Onboardings(settings_of(*pool.models, state=pool.state)).start, Wanted("p/a")).status == 400


BAD: tuple[dict[str, Any], ...] = (
    {},
    {"model": 1},
    {"model": "p/none"},
    {"model": "p/gone"},
    {"model": "p/a", "probes": 0},
    {"model": "p/a", "probes": True},
    {"model": "p/a", "probes": 1.5},
    {"model": "p/a", "budget_usd": "much"},
    {"model": "p/a", "budget_usd": -1},
    {"model": "p/a", "shadow": "yes"},
    {"model": "p/a", "judge": "p/none"},
)


@pytest.mark.parametrize("given", BAD)
def test_what_cannot_be_asked_for(given: dict[str, Any]) -> None:
    """A model that isn't there or is retired, and fields of the wrong kind, are refused by name."""
    scheme = scheme_of(settings_of(model("p/a"), model("p/gone", duty="retired")))
    error = refusal(wanted_of, given, scheme)
    assert error.type == "invalid_request_error"
    assert error.param in {"model", "probes", "budget_usd", "shadow", "judge"}


def test_what_can() -> None:
    """Dollars come exactly, as a number or a text."""
    scheme = scheme_of(settings_of(model("p/a"), model("p/b")))
    whole = {"model": "p/a", "probes": 8, "budget_usd": 0.1, "shadow": True, "judge": "p/b"}
    assert wanted_of(whole, scheme) == Wanted("p/a", 8, "0.1", True, "p/b")
    assert wanted_of({"model": "p/a", "budget_usd": "0.000000001"}, scheme).budget_usd == "0.000000001"
