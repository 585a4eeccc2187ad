"""A gateway's dashboard in one process: requests as a browser or a script makes them, through the whole application.

Nothing here listens. `Browser` keeps its cookie as a browser does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from made_serving import USD, Talk, model, settings_of
from pointsman.pool.settings import DashboardSettings, FundRule, Settings, TelemetrySettings, WindowRule
from pointsman.serve.app import App
from pointsman.serve.client import Client
from pointsman.serve.gateway import Gateway

MASTER = "sk-master-0123456789abcdef"
LOOK = "sk-look-0123456789abcdef"
ORIGIN = "http://127.0.0.1:8400"
OURS = {"x-pointsman-ui": "1", "host": "127.0.0.1:8400"}


def dashboard_settings(state: Path, **sections: Any) -> Settings:
    """Two models, two funds, both keys."""
    given: dict[str, Any] = {
        "funds": (
            FundRule("pool", 10 * USD, window=WindowRule("calendar", 0, "month")),
            FundRule("calls", 1_000, "requests", WindowRule("rolling", 60)),
        ),
        "master_key": MASTER,
        "telemetry": TelemetrySettings(log="off"),
        "dashboard": DashboardSettings(key=LOOK, notice="Simulated models"),
    }
    return settings_of(model("p/big"), model("p/small"), state=state, **given | sections)


@contextmanager
def made_gateway(settings: Settings) -> Iterator[Gateway]:
    """A worker that hasn't been started: it answers, and nothing ticks."""
    made = Gateway(settings)
    made.logs.give_back()
    try:
        yield made
    finally:
        asyncio.run(made.stop())


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return orjson.loads(self.body)


@dataclass
class Browser:
    """One visitor of a gateway.

    Attributes:
        headers: sent with everything.
        cookie: as the gateway set it last; "" for none.
    """

    gateway: Gateway
    headers: dict[str, str] = field(default_factory=lambda: dict(OURS))
    cookie: str = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; underscores in the names of headers stand for dashes, and an empty one isn't sent."""
        return asyncio.run(self.asked(method, path, body, **headers))

    async def asked(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The same inside a loop."""
        given = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie and "cookie" not in given:
            given["cookie"] = f"other=1; pointsman_ui={self.cookie}"
        talk = Talk([b"" if body is None else orjson.dumps(body)])
        await self._app()(scope_of(method, path, given), talk.receive, talk.send)
        start = talk.sent[0]
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        if "set-cookie" in found:
            self.cookie = SimpleCookie(found["set-cookie"])["pointsman_ui"].value
        return Answer(start["status"], found, b"".join(message.get("body", b"") for message in talk.sent[1:]))

    def get(self, path: str, **headers: str) -> Answer:
        """A GET."""
        return self.ask("GET", path, **headers)

    def sign_in(self, key: str = MASTER, **fields: Any) -> Answer:
        """A session in exchange for a key."""
        return self.ask("POST", "/ui/api/session", {"key": key} | fields)

    def _app(self) -> App:
        app = App(lambda: self.gateway)
        app.gateway = self.gateway
        return app


def scope_of(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """An ASGI scope."""
    plain, _, question = path.partition("?")
    return {
        "type": "http",
        "scheme": "http",
        "method": method,
        "path": unquote(plain),
        "query_string": question.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
    }


def client_of(method: str = "GET", path: str = "/ui/api/now", **headers: str) -> Client:
    """A client that says nothing more."""
    talk = Talk([b""])
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(scope_of(method, path, given), talk.receive, talk.send)
