"""A gateway that has learned from recorded outcomes, kept prompts and answered, for tests of pages that look closer.

with seen_gateway(folder) as seen:
    seen.json("/ui/api/models")
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from gateway_kit import MASTER, GatewayProcess, running_gateway, wait_until
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import write
from pointsman.serve.again.kept import kept_decisions
from stub_upstream import start_stub

VIEWER = "sk-viewer-0123456789"
PROMPTS = 200  # as many as a partition of topics needs
FUNDS = [
    {"name": "all", "amount": 50, "window": "24h"},
    {"name": "big-dollars", "amount": 5, "models": ["stub/big"], "window": "24h"},
    {"name": "mid-tokens", "amount": 900_000_000, "unit": "tokens", "models": ["stub/mid"], "window": "24h"},
]
SECTIONS: dict[str, Any] = {
    "routing": {"expect_per_day": 1_000_000, "patience": "0s"},
    "learning": {"store_prompts": True, "resolve": "200ms"},
    "telemetry": {"log": "off"},
    "dashboard": {"key": VIEWER},
}


@dataclass(frozen=True)
class Seen:
    """The gateway and how its dashboard is asked.

    Attributes:
        gateway: as `gateway_kit` runs it.
        texts: prompts of its history.
    """

    gateway: GatewayProcess
    texts: tuple[str, ...]

    def ui(self, path: str, body: Any = None, key: str = MASTER) -> httpx.Response:
        """A GET, or a POST where there is a body, with a key in place of a session."""
        headers = {"authorization": f"Bearer {key}", "x-pointsman-ui": "1"}
        with httpx.Client(base_url=self.gateway.url, headers=headers, timeout=30, trust_env=False) as client:
            return client.get(path) if body is None else client.post(path, json=body)

    def json(self, path: str, body: Any = None, key: str = MASTER) -> Any:
        """What it answers, which has to be an answer."""
        answer = self.ui(path, body, key)
        assert answer.status_code == 200, answer.text
        return answer.json()


def history_in(folder: Path, models: tuple[str, ...] = ("stub/big", "stub/mid", "stub/small")) -> tuple[str, ...]:
    """Simulated outcomes under the stub's names, the best model first; their texts."""
    made = simulate(PROMPTS, seed=1)
    best = np.argsort(-made.score.mean(axis=0))
    write(replace(made.only(best[[0, 5, 11]][: len(models)]), models=models), folder)
    return tuple(made.texts)


@contextlib.contextmanager
def seen_gateway(folder: Path, queries: int = 120, funds: Any = FUNDS, **sections: Any) -> Iterator[Seen]:
    """A gateway that has answered so many queries, each third one with feedback."""
    texts = history_in(folder / "history")
    learning = SECTIONS["learning"] | {"history": str(folder / "history")}
    with (
        start_stub() as stub,
        running_gateway(folder, stub, funds=funds, **(SECTIONS | {"learning": learning} | sections)) as gateway,
    ):
        with ThreadPoolExecutor(4) as pool:
            ids = list(pool.map(lambda n: _ask(gateway, texts[n % len(texts)], n), range(queries)))
        served = sum(id is not None for id in ids)
        wait_until(lambda: len(list(kept_decisions(gateway.state))) >= served if served else True)
        yield Seen(gateway, texts)


def _ask(gateway: GatewayProcess, text: str, number: int) -> str | None:
    model = "stub/mid" if number % 10 == 9 else "auto"
    answer = gateway.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}]})
    decision_id: str | None = answer.headers.get("x-pointsman-decision-id")
    if answer.status_code == 200 and number % 3 == 0:
        gateway.post("/v1/feedback", {"decision_id": decision_id, "score": (number % 4) / 3})
    return decision_id
