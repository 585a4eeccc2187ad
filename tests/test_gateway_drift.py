"""The drift watch in a running gateway of two workers: a silent replacement is found by feedback, and what follows."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway_kit import RUN, GatewayProcess, running_gateway, wait_until
from stub_upstream import Stub, start_stub

MODELS = (
    {"id": "stub/one", "rates": {"input": 1, "output": 4}, "quality": 0.8},
    {"id": "stub/two", "rates": {"input": 0.1, "output": 0.4}, "quality": 0.3},
)


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all tests."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Two workers, which see each other's feedback."""
    with running_gateway(tmp_path_factory.mktemp("drift"), stub, MODELS, workers=2) as running:
        yield running


def judged(gateway: GatewayProcess, scores: list[float]) -> None:
    """So many answers of the model, each judged, by whichever workers."""

    def one(score: float) -> None:
        answer = gateway.chat("stub/one")
        assert answer.status_code == 200
        given = {"decision_id": answer.headers["x-pointsman-decision-id"], "score": score}
        # Another worker hears of the decision a moment later.
        wait_until(lambda: gateway.post("/v1/feedback", given).status_code == 200)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, scores))


def alarms(gateway: GatewayProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.get("/admin/alarms").json()["data"]
    return found


def quality(gateway: GatewayProcess, model: str) -> float:
    """What the next query is told to expect of a model."""
    decided = gateway.post("/v1/route", {"model": "auto", "messages": [{"role": "user", "content": "How far?"}]}).json()
    return next(float(one["quality"]) for one in decided["candidates"] if one["model"] == model)


def command(gateway: GatewayProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, "alarms", "--state", str(gateway.state), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_silent_replacement_is_found_and_told(gateway: GatewayProcess) -> None:
    """One alarm over HTTP, in metrics, in the log and on the command line; estimates follow, and only the model's."""
    lots = random.Random(0)
    judged(gateway, [min(1.0, lots.gauss(0.85, 0.05)) for _ in range(90)])
    assert alarms(gateway) == []
    before = quality(gateway, "stub/two")
    judged(gateway, [max(0.0, lots.gauss(0.25, 0.05)) for _ in range(50)])
    wait_until(lambda: bool(alarms(gateway)), 30)
    (alarm,) = alarms(gateway)
    assert (alarm["kind"], alarm["model"], alarm["active"]) == ("score", "stub/one", True)
    assert alarm["low"] < -0.5  # it fell by 0.6; how many answers told so by then depends on when the watch looked
    assert alarm["high"] < -0.1
    counted = re.compile(r'^pointsman_alarms_total\{kind="score",model="stub/one"\} 1\.0$', re.MULTILINE)
    wait_until(lambda: counted.search(gateway.get("/metrics").text) is not None)
    active = 'pointsman_alarms_active{kind="score",model="stub/one"} 1.0'
    wait_until(lambda: active in gateway.get("/metrics").text)
    assert gateway.log.count("drift: scores of stub/one fell") == 1
    # What was declared and answered before is doubted and forgotten, in both workers.
    for _ in range(6):
        wait_until(lambda: quality(gateway, "stub/one") < 0.45, 30)
    assert quality(gateway, "stub/two") == pytest.approx(before)
    assert json.loads((gateway.state / "forgotten.json").read_text()).keys() == {"stub/one"}
    shown = json.loads(command(gateway, "--json").stdout)["alarms"]
    assert [one["id"] for one in shown] == [alarm["id"]]
    assert alarm["id"] in command(gateway).stdout


def test_an_alarm_is_acknowledged(gateway: GatewayProcess) -> None:
    """Over HTTP by an administrator, once and for all; the gauge falls, the alarm stays to be read."""
    (alarm,) = alarms(gateway)
    path = f"/admin/alarms/{alarm['id']}/acknowledge"
    assert gateway.post(path).json()["active"] is False
    assert alarms(gateway)[0]["acknowledged_s"] is not None
    inactive = re.compile(r'^pointsman_alarms_active\{kind="score",model="stub/one"\} NaN$', re.MULTILINE)
    wait_until(lambda: inactive.search(gateway.get("/metrics").text) is not None, 20)
    assert gateway.post("/admin/alarms/nobody/acknowledge").status_code == 404
    assert gateway.post(f"/admin/alarms/{alarm['id']}/forget").status_code == 404
    assert command(gateway, "--active").stdout.strip() == "No alarm."
    assert command(gateway, "--acknowledge", "nobody").returncode == 2


def test_keys_see_no_alarms(gateway: GatewayProcess) -> None:
    """Alarms are the administrator's."""
    key = gateway.key(id="team")
    for call in (httpx.get, httpx.post):
        path = "/admin/alarms" + ("/x/acknowledge" if call is httpx.post else "")
        assert call(gateway.url + path, headers={"authorization": f"Bearer {key}"}).status_code == 403


def test_the_command_names_a_missing_folder(tmp_path: Path) -> None:
    """No state folder is an error that says so."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, "alarms", "--state", str(tmp_path / "none")], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"there is no" in done.stderr
