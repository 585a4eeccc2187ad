"""The gateway as processes: one worker in this one, or several beside each other on one socket and one state folder.

Takes the path of a configuration; runs until it is told to stop. A worker that dies is started again, SIGHUP makes
every worker read its configuration anew, SIGTERM and SIGINT let the queries in flight end first. The server is
uvicorn (uvloop, httptools); nothing here knows what a query is.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import uvicorn

from pointsman.errors import InputError
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings
from pointsman.serve.app import App
from pointsman.serve.fitting import fingerprint_of, fit_learned, load_learned
from pointsman.serve.gateway import Gateway
from pointsman.serve.metrics_folder import FOLDER_VARIABLE, prepare_folder
from pointsman.serve.protocol import limited

log = logging.getLogger(__name__)

LOOPBACK = ("127.", "::1", "localhost")
RESTART_S = 1.0
BACKLOG = 2_048
# Objects made before the garbage collector looks at the young, and how often it looks further. Exchanges leave hardly
# any cycles, and Python's own 700 would make it a tenth of all work.
COLLECT_AFTER = (10_000, 10, 10)


def settings_at(path: Path, host: str | None = None, port: int | None = None, workers: int | None = None) -> Settings:
    """The settings of a file, with what the command line says instead.

    Raises:
        InputError: the file can't be used, or an open gateway would listen to others than this machine.
    """
    settings = read_settings(path, os.environ, datetime.now(UTC).date())
    server = settings.server
    server = replace(
        server,
        host=server.host if host is None else host,
        port=server.port if port is None else port,
        workers=server.workers if workers is None else workers,
    )
    if settings.master_key is None and not server.host.startswith(LOOPBACK):
        raise InputError(
            f"there is no `master_key`, and {server.host} can be reached from other machines",
            place=str(path),
            remedy="set `master_key: os.environ/POINTSMAN_MASTER_KEY`, or listen on 127.0.0.1",
        )
    return replace(settings, server=server)


def serve(path: Path, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
    """Serves until told to stop.

    Raises:
        InputError: what can't be used, before anything listens.
    """
    settings = settings_at(path, host, port, workers)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    prepare_fit(settings)
    listening = listen(settings)
    if settings.server.workers == 1:
        work(path, settings, listening, 0)
    else:
        Supervisor(path, settings, listening).run()


def prepare_fit(settings: Settings) -> None:
    """Estimators fitted and kept, in a child process whose memory goes back, unless they are there already.

    Raises:
        InputError: outcomes that can't be read.
    """
    fingerprint = fingerprint_of(settings)
    if fingerprint is None or load_learned(settings, fingerprint) is not None:
        return
    child = multiprocessing.get_context("spawn").Process(target=fit_learned, args=(settings, fingerprint))
    child.start()
    child.join()
    if child.exitcode:
        fit_learned(settings, fingerprint)  # here, so that the reason is told


def listen(settings: Settings) -> socket.socket:
    """The socket that all workers share.

    Raises:
        InputError: the address can't be listened on.
    """
    server = settings.server
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((server.host, server.port))
    except OSError as error:
        raise InputError(
            f"can't listen on {server.host}:{server.port} ({error.strerror})", remedy="give another --host or --port"
        ) from None
    listening.set_inheritable(True)
    return listening


def work(path: Path, settings: Settings, listening: socket.socket, number: int) -> None:
    """One worker, until it is told to stop."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    server = settings.server

    def reread() -> Settings:
        fresh = settings_at(path, server.host, server.port, server.workers)
        return replace(fresh, state=settings.state)

    app = App(lambda: Gateway(settings, reread, number))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=limited(server.header_bytes, server.client_timeout_s),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on what a proxy says of the client
        date_header=True,
        limit_concurrency=server.connections,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(server.drain_s),
    )
    running = _Worker(config, app)
    running.run(sockets=[listening])
    if not running.started:
        raise SystemExit(3)


class _Worker(uvicorn.Server):
    """uvicorn's server, which also reads the configuration again on SIGHUP and says when it is ready."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens."""
        await super().startup(sockets)
        spare_the_collector()
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._reload)
            supervisor = multiprocessing.parent_process()
            if supervisor is not None:
                loop.add_reader(supervisor.sentinel, self._orphaned, supervisor.sentinel)
            if self._app.gateway is not None:
                origin = self._app.gateway.scheme.origin
                log.info("ready on http://%s:%s; estimates from %s", host, port, origin)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends; whoever only looks at the dashboard is not waited for."""
        if self._app.gateway is not None:
            self._app.gateway.front.close()
        await super().shutdown(sockets)

    def _orphaned(self, sentinel: int) -> None:
        """Nobody would pass on a signal any more, nor start another worker."""
        asyncio.get_running_loop().remove_reader(sentinel)
        log.error("the process that watches the workers has gone, so this one ends too")
        self.should_exit = True

    def _reload(self) -> None:
        gateway = self._app.gateway
        if gateway is not None:
            with contextlib.suppress(InputError):  # the gateway has said why, and keeps the old one
                gateway.reload()


def spare_the_collector() -> None:
    """Everything made so far stays: the garbage collector never walks through estimators and modules again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


class Supervisor:
    """Several workers: started, started again when they die, told what this process is told."""

    def __init__(self, path: Path, settings: Settings, listening: socket.socket) -> None:
        self.path, self.settings, self._listening = path, settings, listening
        self._stopping = False
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[BaseProcess] = []

    def run(self) -> None:
        """Until SIGTERM or SIGINT."""
        folder = self.settings.state / "metrics"
        prepare_folder(folder)
        os.environ[FOLDER_VARIABLE] = str(folder)  # read by the workers, when they begin
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        self._workers = [self._start(number) for number in range(self.settings.server.workers)]
        while not self._stopping:
            time.sleep(RESTART_S)
            self._replace_dead()
        for worker in self._workers:
            worker.join(self.settings.server.drain_s + 10)
            if worker.is_alive():
                worker.kill()

    def _start(self, number: int) -> BaseProcess:
        self._reread()
        worker = self._context.Process(target=_in_worker, args=(self.path, self.settings, self._listening, number))
        worker.start()
        return worker

    def _reread(self) -> None:
        """What the others may have reloaded meanwhile, a worker must begin with; a file with a slip changes nothing."""
        server = self.settings.server
        with contextlib.suppress(InputError):
            fresh = settings_at(self.path, server.host, server.port, server.workers)
            self.settings = replace(fresh, state=self.settings.state)

    def _replace_dead(self) -> None:
        for number, worker in enumerate(self._workers):
            if not worker.is_alive() and not self._stopping:
                print(f"worker {worker.pid} ended with code {worker.exitcode}; another is started", flush=True)
                self._workers[number] = self._start(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._stopping = True
        self._tell(signal.SIGTERM)

    def _reload(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._tell(signal.SIGHUP)

    def _tell(self, what: signal.Signals) -> None:
        for worker in self._workers:
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, what)


def _in_worker(path: Path, settings: Settings, listening: socket.socket, number: int) -> None:
    work(path, settings, listening, number)
