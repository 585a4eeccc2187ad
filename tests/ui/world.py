"""Gateways for the browser: one with a past, and one that was just started.

    with seeded_gateway(folder, stub) as gateway: ...

The past is simulated models over the scripted upstream, estimates fitted on recorded outcomes, 10,000 decisions, a
month's money and smaller funds (one of them empty), virtual keys, an alarm, an onboarded model and one that waits for
it, and queries that really went through it. To look at it in a browser of one's own:

    PYTHONPATH=tests python -m ui.world
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from typer.testing import CliRunner

from gateway_kit import MASTER, GatewayProcess, running_gateway
from pointsman.cli.onboard import app as onboard
from pointsman.evaluate.simulated import MODELS, simulate
from pointsman.outcomes import write
from pointsman.pool.probes import write_probes
from pointsman.pool.probes.probe import Probe
from pointsman.records import Outcomes
from pointsman.serve.drift.alarms import Alarm, Alarms
from stub_upstream import Stub, start_stub
from ui.made_journal import fill

SEED = 5
DECISIONS = 10_000
VIEWER = "sk-dashboard-0123456789"
NOTICE = "Simulated models"
SERVING = ("nano", "small-b", "code-small", "medium-a", "reasoning-small", "large-a")
NEWCOMER, WAITING = "simulated/large-b", "simulated/medium-context"
SKILLS = ("sums", "facts", "logic", "spelling")
ALARM = "a-cost-small-b"
ANSWER = "It is 42. This answer comes from a simulated model, so it says the same to everybody who asks."
TEAMS = {"team-search": 3.0, "team-app": 2.0, "batch": 0.5}


def model_entries(stub: Stub) -> list[dict[str, Any]]:
    """The configuration's models: six that serve, one that is onboarded in the beginning and one that waits."""
    by_id = {one.id: one for one in MODELS}
    entries = []
    for id in (*(f"simulated/{name}" for name in SERVING), NEWCOMER, WAITING):
        rates = {"input": by_id[id].input_rate, "output": by_id[id].output_rate}
        duty = {} if id not in {NEWCOMER, WAITING} else {"duty": "waiting"}
        entries.append({"id": id, "model": id.partition("/")[2], "rates": rates, **duty})
    return entries


FUNDS: tuple[dict[str, Any], ...] = (
    {"name": "month", "amount": 1_000, "window": "1mo", "zone": "Europe/Berlin"},
    {"name": "reasoning-day", "amount": 0.25, "window": {"calendar": "day"}, "models": ["simulated/reasoning-*"]},
    {"name": "trial", "amount": 0.000002, "models": ["simulated/nano"]},
    {"name": "tokens-per-minute", "amount": 400_000, "unit": "tokens", "window": "1m"},
    {"name": "batch-requests", "amount": 5_000, "unit": "requests", "window": {"calendar": "hour"}, "keys": ["batch"]},
)


def history() -> Outcomes:
    """Recorded outcomes of the models that serve."""
    every = simulate(800, seed=SEED)
    return every.only(np.array([every.models.index(f"simulated/{name}") for name in SERVING]))


@contextlib.contextmanager
def seeded_gateway(folder: Path, stub: Stub, *, decisions: int = DECISIONS) -> Iterator[GatewayProcess]:
    """The gateway with a past, for the length of a block."""
    past = history()
    folder.mkdir(parents=True, exist_ok=True)
    write(past, folder / "history")
    fill(folder / "state", past, decisions, time.time() - 30, SEED)
    Alarms(folder / "state").raise_(alarm(time.time()))
    for entry in model_entries(stub):
        stub.script(entry["model"], text=ANSWER)
    learning = {"history": str(folder / "history"), "store_prompts": True, "resolve": "2s"}
    dashboard = {"key": VIEWER, "notice": NOTICE}
    with running_gateway(
        folder, stub, model_entries(stub), FUNDS, learning=learning, dashboard=dashboard, failure={"backoff": "20ms"}
    ) as gateway:
        keys = {id: gateway.key(id=id, budget_usd=usd, budget_window={"every": "day"}) for id, usd in TEAMS.items()}
        gateway.key(id="old-script", models=["simulated/nano"], requests_per_minute=60)
        gateway.delete("/admin/keys/old-script")
        ask_around(gateway, stub, keys, past)
        onboarded(gateway, folder)
        yield gateway


def alarm(at_s: float) -> Alarm:
    """One that the drift watch could have raised an hour ago."""
    return Alarm(
        ALARM, "cost", "simulated/small-b", at_s - 3_600, at_s - 4_000, 1.0, 1.46, 1.31, 1.62, 820, 260, 20_000.0
    )


def ask_around(gateway: GatewayProcess, stub: Stub, keys: Mapping[str, str], past: Outcomes) -> None:
    """Queries of every kind: routed, named, streamed, in Anthropic's language, failed over, refused; and feedback."""
    with httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as http:
        for number, secret in enumerate(20 * list(keys.values())):
            ask(http, secret, past.texts[number], stream=number % 3 == 0, score=0.9 if number % 2 else 0.4)
        stub.script("large-a", {"status": 503}, {"text": ANSWER})
        ask(http, MASTER, "Which is longer, a mile or a kilometre?", model="simulated/large-a")
        for _ in range(4):
            ask(http, MASTER, "And again?", model="simulated/nano")


def ask(
    http: httpx.Client, key: str, text: str, *, model: str = "auto", stream: bool = False, score: float | None = None
) -> httpx.Response:
    """One question, and what its answer was worth."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    headers = {"authorization": f"Bearer {key}"}
    answer = http.post("/v1/chat/completions", json=body, headers=headers)
    if score is not None and answer.status_code == 200:
        given = {"decision_id": answer.headers["x-pointsman-decision-id"], "score": score}
        http.post("/v1/feedback", json=given, headers=headers)
    return answer


def probes_file(path: Path, count: int = 24) -> Path:
    """Probes that the scripted upstream answers rightly three times out of four."""
    write_probes(
        [
            Probe(
                f"t{n}",
                SKILLS[n % 4],
                "easy",
                "en",
                f"Question {n}: say a number.",
                {"kind": "regex", "pattern": "42" if n % 16 < 12 else "43"},
                origin="test",
            )
            for n in range(count)
        ],
        path,
    )
    return path


def onboarded(gateway: GatewayProcess, folder: Path) -> None:
    """The newcomer is asked its probes and serves from then on."""
    given = [NEWCOMER, "--config", str(gateway.config), "--url", gateway.url]
    given += ["--probes", str(probes_file(folder / "probes.jsonl")), "--force-all", "--no-wait", "--json"]
    done = CliRunner().invoke(onboard, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output


@contextlib.contextmanager
def fresh_gateway(folder: Path, stub: Stub, **sections: Any) -> Iterator[GatewayProcess]:
    """One without a past: nobody has asked it anything."""
    with running_gateway(folder, stub, funds=[{"name": "day", "amount": 5, "window": "24h"}], **sections) as gateway:
        yield gateway


def main() -> None:
    """Holds a seeded gateway with some traffic until it is interrupted."""
    with tempfile.TemporaryDirectory() as folder, start_stub() as stub, seeded_gateway(Path(folder), stub) as gateway:
        sys.stdout.write(f"{gateway.url}/ui/#key={MASTER}\n")
        sys.stdout.flush()
        lots, past = np.random.default_rng(0), history()
        with contextlib.suppress(KeyboardInterrupt), httpx.Client(base_url=gateway.url, timeout=60) as http:
            while True:
                ask(http, MASTER, past.texts[int(lots.integers(len(past)))], score=float(lots.random()))
                time.sleep(0.2)


if __name__ == "__main__":
    main()
