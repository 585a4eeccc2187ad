"""A gateway as processes of its own, in front of the scripted upstream, for the length of a block.

    with start_stub() as stub, running_gateway(tmp_path, stub) as gateway:
        answer = gateway.post("/v1/chat/completions", {"model": "auto", "messages": [...]})

Every process that is started here is ended here, by its number, however the block ends.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil
import yaml

from pointsman.ledger.entries import Audit, Balance, OpenHold
from pointsman.ledger.sqlite import SqliteBook

MASTER = "sk-master-0123456789abcdef"
START_S = 180.0
STOP_S = 20.0
RUN = "from pointsman.cli import main; main()"
PLAIN = [{"role": "user", "content": "What is six times seven?"}]

# A model of each kind of upstream; the costlier, the better.
MODELS: tuple[dict[str, Any], ...] = (
    {"id": "stub/big", "rates": {"input": 5, "output": 20}, "tier": "frontier"},
    {"id": "stub/mid", "rates": {"input": 1, "output": 4}, "tier": "large"},
    {"id": "stub/small", "rates": {"input": 0.1, "output": 0.4}, "tier": "small"},
)


class Upstream(Protocol):
    """Where models are: the scripted upstream, or a real server."""

    @property
    def url(self) -> str:
        """Its address, without `/v1`."""
        ...


def openai_model(stub: Upstream, **fields: Any) -> dict[str, Any]:
    """A model entry whose upstream is the stub, in OpenAI's language; it is able to do everything."""
    able = ["tools", "vision", "json", "streaming"]
    given = {"kind": "openai", "base_url": f"{stub.url}/v1", "key": "none", "context": 128_000, "capabilities": able}
    return given | fields


def anthropic_model(stub: Upstream, **fields: Any) -> dict[str, Any]:
    """The same in Anthropic's language."""
    rates = {"input": 3, "output": 15, "cached": 0.3, "cache_write": 3.75}
    return openai_model(stub, kind="anthropic", rates=rates, tier="frontier") | fields


def gemini_model(stub: Upstream, **fields: Any) -> dict[str, Any]:
    """The same in Gemini's language."""
    rates = {"input": 1.25, "output": 10}
    return openai_model(stub, kind="gemini", base_url=f"{stub.url}/v1beta", rates=rates, tier="large") | fields


def embedding_model(stub: Upstream, **fields: Any) -> dict[str, Any]:
    """A model that gives vectors and nothing else."""
    given = openai_model(stub, rates={"input": 0.02}, shapes=["embeddings"], capabilities=["embeddings"])
    return given | fields


class GatewayProcess:
    """The handle on a gateway; made by `running_gateway`.

    Attributes:
        state: its state folder.
        config: its configuration's path.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], workers: int) -> None:
        self.state, self.config = folder / "state", folder / "pointsman.yaml"
        self.port, self.workers = free_port(), workers
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.write(settings)

    def write(self, settings: Mapping[str, Any]) -> None:
        """Puts another configuration in the file's place, all at once."""
        self.settings = dict(settings)
        aside = self.config.with_suffix(".aside")
        aside.write_text(yaml.safe_dump({"state": str(self.state), **settings}, sort_keys=False))
        aside.replace(self.config)

    # Its life

    def start(self) -> None:
        """Starts it, on the same port as ever, and waits until it is ready."""
        command = [sys.executable, "-c", RUN, "serve", "--config", str(self.config), "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, "--workers", str(self.workers)], stdout=log, stderr=log)
        wait_until(self._ready, START_S)

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"the gateway didn't start:\n{self.log}")
        with contextlib.suppress(httpx.TransportError):
            return self._http.get("/health/readiness").status_code == 200 and len(self.owners()) >= self.workers
        return False

    def owners(self) -> list[str]:
        """Names of the workers that live."""
        folder = self.state / "workers"
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return [name for name in names if psutil.pid_exists(int(name.partition("-")[0]))]

    @property
    def pid(self) -> int:
        """Of the process that was started: the worker itself where there is one, else the one that watches them."""
        assert self._process is not None
        return self._process.pid

    @property
    def children(self) -> list[psutil.Process]:
        """The workers' processes where there are several."""
        return [one for one in psutil.Process(self.pid).children() if _is_worker(one)]

    def signal(self, what: signal.Signals) -> None:
        """Sends a signal to the process that was started."""
        assert self._process is not None
        self._process.send_signal(what)

    def wait(self, seconds: float = STOP_S) -> int:
        """Its exit code, when it has ended."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self) -> int:
        """Asks it to end, waits, and gives its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill9(self) -> None:
        """Ends it and its workers at once, as a power cut would."""
        if self._process is None:
            return
        family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait(STOP_S)
        psutil.wait_procs(family[1:], timeout=STOP_S)

    def close(self) -> None:
        """Ends whatever is left of it."""
        self._http.close()
        if self._process is not None and self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill9()

    # Asking it

    @property
    def log(self) -> str:
        """Everything that it has printed."""
        return self._log.read_text(errors="replace")

    @property
    def headers(self) -> dict[str, str]:
        """What an administrator sends."""
        return {"authorization": f"Bearer {MASTER}"}

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """An administrator's POST; underscores in the names of headers stand for dashes."""
        return self._http.post(path, json=body, headers=self.headers | _dashed(headers))

    def get(self, path: str, **headers: str) -> httpx.Response:
        """An administrator's GET."""
        return self._http.get(path, headers=self.headers | _dashed(headers))

    def delete(self, path: str) -> httpx.Response:
        """An administrator's DELETE."""
        return self._http.delete(path, headers=self.headers)

    def chat(self, model: str = "auto", **fields: Any) -> httpx.Response:
        """One chat completion."""
        return self.post("/v1/chat/completions", {"model": model, "messages": PLAIN} | fields)

    def stream(self, model: str = "auto", path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
        """One streamed answer, read to its end."""
        return self.post(path, {"model": model, "messages": PLAIN, "stream": True} | fields)

    def key(self, **fields: Any) -> str:
        """A new virtual key's secret."""
        made = self.post("/admin/keys", fields)
        assert made.status_code == 201, made.text
        return str(made.json()["key"])

    def decision(self, answer: httpx.Response) -> dict[str, Any]:
        """What the gateway tells of the decision behind an answer, once it has ended."""
        path = f"/v1/decisions/{answer.headers['x-pointsman-decision-id']}"
        wait_until(lambda: self.get(path).status_code == 200)
        found: dict[str, Any] = self.get(path).json()
        return found

    def written(self, answer: httpx.Response) -> None:
        """Waits until the decision behind an answer is in the file, where every worker finds it."""
        asked = "select count(*) from exchanges where decision_id = ?"
        with contextlib.closing(sqlite3.connect(self.state / "decisions.sqlite", timeout=10)) as db:
            wait_until(lambda: db.execute(asked, (answer.headers["x-pointsman-decision-id"],)).fetchone()[0] == 1)

    # Its ledger, from outside

    @contextlib.contextmanager
    def book(self) -> Iterator[SqliteBook]:
        """The ledger on a connection of one's own."""
        with contextlib.closing(SqliteBook(self.state / "ledger.sqlite", create=False)) as book:
            yield book

    def balance(self, fund: str) -> Balance:
        """Where a fund stands."""
        with self.book() as book:
            return next(one for one in book.balances(time.time_ns()) if one.fund == fund)

    def open_holds(self) -> list[OpenHold]:
        """Holds that nobody has ended."""
        with self.book() as book:
            return list(book.open_holds())

    def settled(self, seconds: float = 10.0) -> Audit:
        """The audit, when every hold has ended: no hold is open, every fund's `held` is zero, all entries balance."""
        wait_until(lambda: not self.open_holds(), seconds)
        with self.book() as book:
            assert all(one.held == 0 for one in book.balances(time.time_ns()))
            audit = book.audit()
        assert audit.ok, audit.problems
        return audit

    def integrity(self) -> str:
        """What SQLite itself says of the ledger's file."""
        with contextlib.closing(sqlite3.connect(self.state / "ledger.sqlite")) as connection:
            return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def _is_worker(process: psutil.Process) -> bool:
    """Not the process that keeps track of what workers share, and none that has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one too
        return "spawn_main" in " ".join(process.cmdline())
    return False


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Looks again and again until something is true; the time is a limit and nothing is said about speed."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not so after {seconds:g} s"
        time.sleep(0.02)


def settings_of(
    stub: Upstream, models: Sequence[Mapping[str, Any]] = (), funds: Sequence[Mapping[str, Any]] = (), **sections: Any
) -> dict[str, Any]:
    """A configuration over the stub: its models (the three of `MODELS` if none are given) complete themselves."""
    return {
        "master_key": MASTER,
        "models": [openai_model(stub, **model) for model in models or MODELS],
        "funds": [dict(fund) for fund in funds],
        **sections,
    }


@contextlib.contextmanager
def running_gateway(
    folder: Path,
    stub: Upstream,
    models: Sequence[Mapping[str, Any]] = (),
    funds: Sequence[Mapping[str, Any]] = (),
    *,
    workers: int = 1,
    **sections: Any,
) -> Iterator[GatewayProcess]:
    """A gateway that is ready, for the length of a block.

    Args:
        folder: for its configuration, state and log.
        stub: the upstream of its models.
        models: entries of the configuration; what they leave out makes them models of the stub.
        funds: entries.
        workers: how many processes answer.
        sections: everything else in the configuration, such as `failure` or `aliases`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gateway = GatewayProcess(folder, settings_of(stub, models, funds, **sections), workers)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.close()
