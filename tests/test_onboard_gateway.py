"""`pointsman onboard` against a real gateway process and the scripted upstream: every way that it begins and ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from gateway_kit import GatewayProcess, free_port, running_gateway, wait_until
from pointsman.cli.onboard import app
from pointsman.errors import InputError
from pointsman.onboard.folder import slug_of
from pointsman.outcomes import read
from pointsman.pool.duties import read_duties
from pointsman.pool.probes import write_probes
from pointsman.pool.probes.probe import Probe
from stub_upstream import Stub, start_stub

SKILLS = ("sums", "facts", "logic", "spelling")
WAITING = ("new", "flaky", "poor", "killed", "stopped", "fickle", "mute")
RATES = {"input": 1, "output": 4}


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One serving model, one retired, and some that wait."""
    old = {"id": "stub/old", "rates": {"input": 5, "output": 20}, "quality": 0.3}
    gone = {"id": "stub/gone", "rates": RATES, "duty": "retired"}
    waiting = [{"id": f"stub/{name}", "model": name, "rates": RATES, "duty": "waiting"} for name in WAITING]
    with running_gateway(
        tmp_path_factory.mktemp("onboarded"),
        stub,
        [old, gone, *waiting],
        [{"name": "pool", "amount": 100}],
        failure={"retries": 0, "cooldown_after": 1_000},
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Signals mean what they meant before."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def probes_file(path: Path, count: int, right: int) -> Path:
    """Probes whose answer is 42 for the first `right` of them and something else for the rest."""
    write_probes(
        [
            Probe(
                f"t{n}",
                SKILLS[n % 4],
                "easy",
                "en",
                f"Question {n}: say a number.",
                {"kind": "exact", "answer": "42" if n < right else "43"},
                origin="test",
            )
            for n in range(count)
        ],
        path,
    )
    return path


def arguments(gateway: GatewayProcess, model: str, probes: Path, *more: str) -> list[str]:
    return [f"stub/{model}", "--config", str(gateway.config), "--url", gateway.url, "--probes", str(probes), *more]


def onboarded(gateway: GatewayProcess, model: str, probes: Path, *more: str) -> dict[str, Any]:
    """The command in this process; its profile."""
    waiting = [] if model == "new" else ["--no-wait"]
    done = CliRunner().invoke(
        app, [*arguments(gateway, model, probes, *more), "--json", *waiting], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def begun(gateway: GatewayProcess, model: str, probes: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "pointsman", "onboard", *arguments(gateway, model, probes, *more)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def folder(gateway: GatewayProcess, model: str) -> Path:
    return gateway.state / "onboarding" / slug_of(f"stub/{model}")


def answers(gateway: GatewayProcess, model: str) -> list[dict[str, Any]]:
    path = folder(gateway, model) / "answers.jsonl"
    whole = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in whole if line.endswith(b"\n")]


def keys_of(gateway: GatewayProcess, model: str) -> list[dict[str, Any]]:
    found = gateway.get("/admin/keys").json()["data"]
    return [key for key in found if key["models"] == [f"stub/{model}"]]


def test_from_waiting_to_serving(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """32 probes, 24 right: 0.75, stored with answers, paid by a key of its own; then it serves, known by outcomes."""
    stub.script("new", text="42")
    probes = probes_file(tmp_path / "mine.jsonl", 32, 24)
    found = onboarded(gateway, "new", probes, "--force-all")
    assert (found["overall"]["mean"], found["overall"]["n"], found["asked"]) == (0.75, 32, 32)
    assert set(found["skills"]) == set(SKILLS)
    assert stub.calls()["by_model"]["new"] == 32
    stored = read(gateway.state / "outcomes")
    column = stored.models.index("stub/new")
    assert stored.score[:, column].mean() == 0.75
    assert set(stored.datasets) == {f"probe:{skill}" for skill in SKILLS}
    (key,) = keys_of(gateway, "new")
    assert key["id"].startswith("onboard-")
    assert key["revoked_ns"]
    plan = json.loads((folder(gateway, "new") / "plan.json").read_bytes())
    costs = sum(line["cost_nano"] for line in answers(gateway, "new"))
    assert plan["keys"] == {key["id"]: costs}
    assert found["spent_usd"] == pytest.approx(costs / 1e9)
    assert read_duties(gateway.state)["stub/new"] == "serving"
    assert any(note.startswith("The gateway knows it by 32 outcomes") for note in found["notes"]), found["notes"]
    progress = json.loads((folder(gateway, "new") / "progress.json").read_bytes())
    assert (progress["done"], progress["asked"], progress["of"], progress["stage"]) == (True, 32, 32, "done")
    gateway.settled()

    again = onboarded(gateway, "new", probes)  # a second run asks nothing
    assert again["overall"] == found["overall"]
    assert stub.calls()["by_model"]["new"] == 32
    assert len(keys_of(gateway, "new")) == 1
    with pytest.raises(InputError, match="--restart"):  # other probes than it began with
        onboarded(gateway, "new", probes, "--probes", "7")


def test_retries(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """An upstream that fails twice and then answers loses no probe."""
    stub.script("flaky", {"status": 503}, {"status": 503}, {"text": "42"})
    found = onboarded(gateway, "flaky", probes_file(tmp_path / "p.jsonl", 4, 4), "--concurrency", "1")
    assert (found["asked"], found["failed"], found["overall"]["mean"]) == (4, 0, 1.0)
    assert stub.calls()["by_model"]["flaky"] == 6


def test_no_answer_at_all(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """A model whose upstream refuses everything is given up, with what the gateway said."""
    stub.script("mute", status=400)
    with pytest.raises(InputError, match="in a row brought no answer"):
        onboarded(gateway, "mute", probes_file(tmp_path / "p.jsonl", 30, 30), "--concurrency", "2")
    assert stub.calls()["by_model"]["mute"] <= 12
    assert json.loads((folder(gateway, "mute") / "progress.json").read_bytes())["error"]
    assert keys_of(gateway, "mute")[0]["revoked_ns"]


def test_budget_is_never_exceeded(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """Money for a few answers: it ends cleanly, then goes on with more money, which counts what was spent before."""
    stub.script("poor", text="42")
    probes = probes_file(tmp_path / "p.jsonl", 24, 24)
    found = onboarded(gateway, "poor", probes, "--budget", "$0.0012", "--force-all")
    asked = found["asked"]
    assert 0 < asked < 24
    assert found["ended"] == f"budget used up after {asked} probes"
    assert found["spent_usd"] <= 0.0012
    assert "stub/poor" not in read_duties(gateway.state)  # too few to serve by
    with pytest.raises(InputError, match="budget"):
        onboarded(gateway, "poor", probes, "--budget", "0.000000001")
    found = onboarded(gateway, "poor", probes, "--budget", "$0.1", "--force-all")
    assert found["asked"] == 24 == stub.calls()["by_model"]["poor"]
    plan = json.loads((folder(gateway, "poor") / "plan.json").read_bytes())
    assert sum(plan["keys"].values()) == sum(line["cost_nano"] for line in answers(gateway, "poor"))


def test_killed_midway(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """Killed with two in flight: no answer is lost, and at most those two are asked for again."""
    stub.script("killed", text="42", first_token_s=0.1)
    probes = probes_file(tmp_path / "p.jsonl", 20, 20)
    process = begun(gateway, "killed", probes, "--concurrency", "2")
    wait_until(lambda: len(answers(gateway, "killed")) >= 6, 60)
    process.kill()
    process.wait()
    before = [line["probe"] for line in answers(gateway, "killed")]
    (key,) = keys_of(gateway, "killed")
    assert key["revoked_ns"] is None  # nobody could
    found = onboarded(gateway, "killed", probes, "--concurrency", "2", "--force-all")
    assert found["asked"] == 20 <= stub.calls()["by_model"]["killed"] <= 22
    kept = [line["probe"] for line in answers(gateway, "killed")]
    assert kept[: len(before)] == before
    assert len(kept) == len(set(kept)) == 20
    assert all(one["revoked_ns"] for one in keys_of(gateway, "killed"))
    stored = read(gateway.state / "outcomes")
    assert (stored.score[:, stored.models.index("stub/killed")] == 1.0).sum() == 20


def test_interrupted(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """Ctrl-C: exit code 130, everything asked is kept, graded and stored; the next run asks exactly the rest."""
    stub.script("stopped", text="42", first_token_s=0.1)
    probes = probes_file(tmp_path / "p.jsonl", 20, 20)
    process = begun(gateway, "stopped", probes, "--concurrency", "2")
    wait_until(lambda: len(answers(gateway, "stopped")) >= 4, 60)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    kept = len(answers(gateway, "stopped"))
    assert 4 <= kept < 20
    assert stub.calls()["by_model"]["stopped"] == kept
    progress = json.loads((folder(gateway, "stopped") / "progress.json").read_bytes())
    assert (progress["done"], progress["error"], progress["graded"]) == (False, "interrupted", kept)
    assert keys_of(gateway, "stopped")[0]["revoked_ns"]
    found = onboarded(gateway, "stopped", probes, "--force-all")
    assert found["asked"] == 20 == stub.calls()["by_model"]["stopped"]


def test_again_finds_a_model_that_was_replaced(gateway: GatewayProcess, stub: Stub, tmp_path: Path) -> None:
    """Asked again, the same model is the same; one that answers wrongly now has changed, by how much and how surely."""
    stub.script("fickle", text="42")
    probes = probes_file(tmp_path / "p.jsonl", 20, 16)
    onboarded(gateway, "fickle", probes, "--force-all")
    same = onboarded(gateway, "fickle", probes, "--again")["change"]
    assert (same["before"], same["after"], same["p"], same["changed"]) == (0.8, 0.8, 1.0, False)
    stub.script("fickle", text="no idea")
    other = onboarded(gateway, "fickle", probes, "--again")["change"]
    assert (other["before"], other["after"], other["changed"]) == (0.8, 0.0, True)
    assert other["difference"]["mean"] == pytest.approx(-0.8)
    assert other["difference"]["n"] == 20
    assert other["p"] < 1e-6


@pytest.mark.parametrize(
    ("model", "more", "says"),
    [
        ("stub/nwe", (), "did you mean 'stub/new'"),
        ("stub/gone", (), "retired"),
        ("stub/old", ("--probes", "there/is/none.jsonl"), "no such file"),
        ("stub/new", ("--budget", "0"), "no sum of money"),
        ("stub/new", ("--budget", "much"), "no sum of money"),
        ("stub/new", ("--judge", "stub/jugde"), "no model 'stub/jugde'"),
        ("stub/new", ("--judge", "stub/new"), "judge itself"),
        ("stub/old", ("--again", "--probes", "5"), "onboard it first"),
    ],
)
def test_refusals(gateway: GatewayProcess, model: str, more: tuple[str, ...], says: str) -> None:
    """What can't be done is said before anything is asked, with the remedy."""
    given = [model, "--config", str(gateway.config), "--url", gateway.url, *more]
    with pytest.raises(InputError, match=says):
        CliRunner().invoke(app, given, catch_exceptions=False)


def test_bad_probes(gateway: GatewayProcess, tmp_path: Path) -> None:
    """A file of probes that can't be used names file and line."""
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": "x"}\n')
    with pytest.raises(InputError, match=r"bad\.jsonl"):
        CliRunner().invoke(app, arguments(gateway, "old", path), catch_exceptions=False)


def test_starts_a_gateway_of_its_own(stub: Stub, gateway: GatewayProcess, tmp_path: Path) -> None:
    """Where nobody answers, a gateway is started for the asking and ended after it; without a master key, refused."""
    stub.script("alone", text="42")
    port = free_port()
    model = {"id": "stub/alone", "model": "alone", "rates": RATES, "duty": "waiting"}
    settings = gateway.settings | {"models": [old := gateway.settings["models"][0], {**old, **model}], "funds": []}
    settings |= {"state": str(tmp_path / "state"), "server": {"port": port}}
    config = tmp_path / "pointsman.yaml"
    config.write_text(yaml.safe_dump(settings))
    probes = probes_file(tmp_path / "p.jsonl", 6, 6)
    given = ["stub/alone", "--config", str(config), "--probes", str(probes), "--shadow", "--json", "--no-wait"]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(done.stdout.splitlines()[-1])["overall"]["mean"] == 1.0
    assert read_duties(tmp_path / "state") == {"stub/alone": "shadow"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    config.write_text(yaml.safe_dump({key: value for key, value in settings.items() if key != "master_key"}))
    with pytest.raises(InputError, match="master_key"):
        CliRunner().invoke(app, given, catch_exceptions=False)
