"""One worker of the gateway: everything it has open, and the clockwork beside the queries.

Opens ledger, keys and journal in the state folder, builds the scheme in force, and ticks: prices, new keys, new
rates, a changed configuration, new fits, holds of workers that died. Takes settings; serves nobody itself (`app` does).
What fails in a tick is said and tried again at the next one; the scheme in force stays.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime

import aiohttp

from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.ledger.entries import Audit
from pointsman.ledger.sqlite import SqliteBook
from pointsman.pool.reload import Stamp, changed, stamp
from pointsman.pool.settings import Settings
from pointsman.serve.access import Keys, Principal
from pointsman.serve.again.beliefs import Beliefs
from pointsman.serve.beating import Beating
from pointsman.serve.build import build_scheme
from pointsman.serve.connector import TellingConnector
from pointsman.serve.conversations import looked_for
from pointsman.serve.drift.drifting import Drifting
from pointsman.serve.drift.forgetting import FILE as FORGOTTEN
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.duties import Duties
from pointsman.serve.exchange import Rig
from pointsman.serve.finished import Finished
from pointsman.serve.fits import Fits
from pointsman.serve.fitting import history_name
from pointsman.serve.health import Health
from pointsman.serve.journal import Journal
from pointsman.serve.keeping import Keeping
from pointsman.serve.learn import Traffic, posed, prices_of, solved, warm_up, with_prices
from pointsman.serve.logs import Logs
from pointsman.serve.metrics import Condition, Metrics
from pointsman.serve.onboarding.onboardings import Onboardings
from pointsman.serve.owners import Owner
from pointsman.serve.recorder import Recorder
from pointsman.serve.scheme import Scheme
from pointsman.serve.shadow import Shadow
from pointsman.serve.switchboard import Switchboard
from pointsman.serve.till import Till
from pointsman.serve.traces import Traces
from pointsman.serve.ui.front import Front
from pointsman.serve.wire.query import Query

TICK_S = 1.0
THREADS = 2  # for what is done beside the loop: solving, writing, auditing
BUSY_MS = 25  # other workers' acts take less; a ledger that is locked for longer must not stop the streams
STORE_S = 30.0
REBUILD_S = 30.0  # how often tallies of answers are taken over

log = logging.getLogger(__name__)


def today() -> date:
    """The day that rates are dated by."""
    return datetime.now(UTC).date()


class Gateway:
    """One worker; see the module.

    Args:
        settings: as read.
        reread: reads them again, for a reload; None where they were made in code.
        number: this worker's, from 0; the first one fits for all.
    """

    def __init__(self, settings: Settings, reread: Callable[[], Settings] | None = None, number: int = 0) -> None:
        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.settings, self._reread, self.number = settings, reread, number
        self.metrics, self.logs = Metrics(), Logs(settings.telemetry, _secrets(settings))
        self.logs.take_over()
        self.traces = Traces(settings.telemetry.otlp, self.logs.redact) if settings.telemetry.otlp else None
        self.keys = Keys(settings.state / "keys.sqlite", settings.master_key)
        self.journal = Journal(settings.state / "decisions.sqlite", settings.telemetry.keep_decisions_s)
        self.owner = Owner(settings.state)
        self.front = Front(settings.state)
        self.duties, self.onboardings = Duties(settings.state), Onboardings(settings)
        self.drifting = Drifting(settings.state, self.onboardings, self.metrics)
        self._forgotten, self._forgotten_stamp = forgotten(settings.state), stamp(settings.state / FORGOTTEN)
        self._ledger_path = settings.state / "ledger.sqlite"
        self._book = SqliteBook(self._ledger_path, busy_ms=BUSY_MS)
        self.till = Till(self._book, self._trouble)
        self.health = Health(settings.failure.cooldown_after, settings.failure.cooldown_s)
        self.traffic = Traffic(settings.routing.expect_per_day, settings.server.workers)
        self._embedder = load_embedder(settings.learning.embedder)
        self.fits = Fits(settings)
        self._priced_s = time.time()
        self.granted_ns: dict[str, int] = {}
        self._beliefs = Beliefs(settings.state)
        self._watched = self._stamp()
        self._keeping = Keeping(settings.state)
        self._priced_at = self._built_at = self._stored_at = time.monotonic()
        self._price_now = False
        self.beating = Beating(settings.state, self.owner.name, number)
        self.recorder = Recorder(
            settings, self.journal, self.metrics, self.logs, self.traces, self._recorded_as, self.beating.pulse
        )
        self.rig: Rig
        self.shadow: Shadow
        self._clockwork: asyncio.Task[None] | None = None
        self.switchboard = Switchboard(
            self._scheme(None), self.till, self.health, self._recall, self.owner.name, self.traffic.witness
        )
        self.put_in_force(self.switchboard.scheme)
        warm_up(self.switchboard.scheme)

    # Beginning and end

    async def start(self) -> None:
        """Opens connections and starts the clockwork; ends holds that dead workers left."""
        self._end_orphans()
        failure = self.settings.failure
        session = aiohttp.ClientSession(
            connector=TellingConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=failure.connect_s),
            auto_decompress=True,
            skip_auto_headers=("User-Agent",),
            headers={"user-agent": "pointsman", "accept-encoding": "identity"},
            read_bufsize=256 * 1024,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # Few threads, since each keeps memory of its own for the largest piece of work that it ever did.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "beside"))
        self.rig = Rig(self.switchboard, self.till, self.health, session, random.Random())  # noqa: S311 (jitter)
        self.recorder.start()
        self.shadow = Shadow(self.rig, self.recorder, self.metrics, random.Random())  # noqa: S311 (a sample)
        self._clockwork = asyncio.create_task(self._tick_forever())

    async def stop(self) -> None:
        """Books and writes everything that is left."""
        self.front.close()
        self.recorder.tell()
        if self._clockwork is not None:
            self._clockwork.cancel()
            await asyncio.gather(self._clockwork, return_exceptions=True)
            await self.shadow.stop()
            await self.rig.session.close()
        await asyncio.to_thread(self.onboardings.close)
        self.recorder.close()
        self.beating.close(time.time())
        self.drifting.close()
        self.till.close()
        self.journal.close()
        self.keys.close()
        self.fits.close()
        if self.traces is not None:
            self.traces.close()
        self.owner.close()

    # What is in force

    @property
    def scheme(self) -> Scheme:
        """What is in force now."""
        return self.switchboard.scheme

    def put_in_force(self, scheme: Scheme) -> None:
        """Swaps a scheme in whose funds or models may differ from the last one's."""
        self.till.declare(scheme.ledger_funds)
        for rule in scheme.funds:
            if rule.window.kind == "none" and rule.name not in self.granted_ns:
                first = next(iter(self.till.book.entries(fund=rule.name)), None)
                self.granted_ns[rule.name] = time.time_ns() if first is None else first.at_ns
        self.traffic.forget()
        self.switchboard.scheme = scheme

    def _scheme(self, prices: Mapping[str, float] | None) -> Scheme:
        self._built_at, self._keys_built = time.monotonic(), self.keys.generation
        scheme = build_scheme(
            self.duties.over(self.settings),
            self._embedder,
            self.fits.learned,
            self.keys.fund_rules(time.time_ns()),
            self.journal.tallies(),
            today(),
            prices,
            self._forgotten,
            self.fits.mix,
        )
        return self._beliefs.keep(scheme) if self.settings.learning.store_prompts else scheme

    def principal_of(self, secret: str) -> Principal:
        """Whose secret it is; a key that another process has just made is limited from its first query on.

        Raises:
            Refusal: no valid key.
        """
        principal = self.keys.authenticate(secret, time.time_ns())
        if self.keys.generation != self._keys_built:
            self.rebuild()
        return principal

    def rebuild(self) -> None:
        """The same settings with what keys, rates, answers and fits say now."""
        before = self.scheme
        after = self._scheme(prices_of(before))
        if after.funds == before.funds and (after.serving == before.serving).all():
            self.switchboard.scheme = after  # rows of latest queries still fit
        else:
            self.put_in_force(after)

    def reload(self) -> str:
        """Reads the configuration again; what can't be used leaves the old one in force.

        Returns:
            What there is to say of it, "" where nothing is wrong.

        Raises:
            InputError: the file can't be used; the old one stays in force.
        """
        if self._reread is None:
            raise InputError("these settings were made in code", remedy="start the gateway with a file")
        self._watched = self._stamp()
        try:
            fresh = self._reread()
            fixed = _needs_restart(self.settings, fresh)
            before, self.settings = self.settings, fresh
            try:
                self.put_in_force(self._scheme(prices_of(self.scheme)))
            except InputError:
                self.settings = before
                raise
        except InputError as error:
            self.metrics.reloaded(done=False)
            log.error("the configuration was not reloaded, the old one stays in force: %s", error)
            raise
        self.health.after, self.health.rest_s = fresh.failure.cooldown_after, fresh.failure.cooldown_s
        self.keys.set_master_key(fresh.master_key)
        self.logs.set_secrets(_secrets(fresh))
        self.recorder.store_prompts = fresh.learning.store_prompts
        self.metrics.reloaded(done=True)
        note = f"a restart is needed for: {', '.join(fixed)}" if fixed else ""
        log.info("the configuration was reloaded%s", f"; {note}" if note else "")
        return note

    # Beside the queries

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for step in (self._look_around, self._beat, self._solve, self._learn, self._watch_drift):
                try:
                    await step()
                except InputError as error:
                    log.warning("%s: %s", step.__name__.strip("_"), error)
                except Exception:
                    log.exception("%s failed; it is tried again", step.__name__.strip("_"))

    async def _look_around(self) -> None:
        """Keys, duties, configuration, dead workers, onboardings, the ledger's file, gauges."""
        new_keys, new_duties = self.keys.refresh(time.time_ns()), self.duties.look()
        if new_keys or new_duties or self.scheme.day != today():
            self.rebuild()
        path = self.settings.path
        if self._reread is not None and path is not None and changed(path, self._watched):
            self.reload()
        self._end_orphans()
        self.onboardings.look()
        await asyncio.to_thread(self._book.checkpoint)
        self.show()

    async def _beat(self) -> None:
        """What the last steps came to and where the funds stand, for the charts of the dashboard."""
        now = time.time()
        if self.beating.due(now):
            await self.beating.keep(now, self.till.recent(), prices_of(self.scheme), self.settings.dashboard)

    def _end_orphans(self) -> None:
        now = time.time_ns()
        charge = self.settings.failure.crashed_holds == "charge"
        self.till.flush()
        gone = self.owner.dead({hold.owner for hold in self.till.book.open_holds()})
        ended = self.till.book.expire(now, owners=gone, charge=charge) if gone else []
        ended += self.till.book.expire(now, charge=charge)
        if ended:
            log.warning(
                "%d holds of workers that died were ended (%s)", len(ended), "charged" if charge else "released"
            )

    async def _watch_drift(self) -> None:
        """Estimates against what came, in the first worker; what is forgotten counts no more in any."""
        if changed(self.settings.state / FORGOTTEN, self._forgotten_stamp):
            self._forgotten_stamp = stamp(self.settings.state / FORGOTTEN)
            self._forgotten = forgotten(self.settings.state)
            self.rebuild()
            self._price_now = True
        if self.number == 0:
            await self.drifting.look(self.scheme, self.settings.learning.drift)

    async def _solve(self) -> None:
        """New prices, from receipts and what is expected to come."""
        now = time.monotonic()
        passed = now - self._priced_at
        if (passed < self.settings.learning.resolve_s and not self._price_now) or not self.scheme.funds:
            return
        self._priced_at, self._price_now = now, False
        self.traffic.passed(passed)
        scheme = self.scheme
        program = posed(scheme, self.traffic, self.till.by_fund(), self.granted_ns, time.time_ns())
        price = await asyncio.to_thread(solved, scheme, program)
        if self.scheme is scheme:  # else something else was swapped in meanwhile: the next solve is for that
            self.switchboard.scheme, self._priced_s = with_prices(scheme, price), time.time()

    async def _learn(self) -> None:
        """Tallies of answers, outcomes to keep, and fits on them."""
        now = time.monotonic()
        if now - self._built_at > REBUILD_S:
            self.rebuild()
        if now - self._stored_at > STORE_S or self.recorder.full:
            self._stored_at = now
            await asyncio.to_thread(self.recorder.store)
        if self.fits.taken_over(self.settings):
            self.rebuild()
        if self.number == 0 and not self.fits.busy:
            await self._keeping.look(self.settings.learning.keep_s)
            await self.fits.begin(self.settings, self.recorder.store)

    # What happened

    def observe(self, finished: Finished, query: Query | None, principal: Principal | None = None) -> None:
        """One exchange, ended; its client has its answer, so models in the shadow may be asked. Never fails."""
        self.recorder.observe(finished, query)
        if query is not None and principal is not None:
            self.shadow.offer(finished, query, principal)

    def score(self, decision_id: str, score: float) -> bool:
        """Feedback: completes the outcome of a decision; False where nobody knows it."""
        return self.recorder.score(decision_id, score)

    def audit(self) -> Audit:
        """The ledger folded and compared, on a connection of its own."""
        with closing(SqliteBook(self._ledger_path)) as book:
            return book.audit()

    def _recorded_as(self, model: str) -> str:
        column = self.scheme.column.get(model)  # None where a reload removed the model while it answered
        return model if column is None else history_name(self.scheme.models[column])

    def _recall(self, key_id: str, query: Query) -> tuple[str, int] | None:
        """Where the conversation that a query continues was served last."""
        return self.journal.recall(looked_for(key_id, query))

    def show(self) -> None:
        """How the gateway stands, to the metrics."""
        self.recorder.tell()
        scheme = self.scheme
        names = [endpoint.name for model in scheme.models for endpoint in model.endpoints]
        journal = self.journal.health()
        self.metrics.settle(
            Condition(
                self.till.balances(),
                len(self.till.book.open_holds()),
                prices_of(scheme),
                self.health.states(names, time.monotonic()),
                self._priced_s,
                journal.waiting,
                journal.dropped,
                journal.failures,
                0 if self.traces is None else self.traces.dropped,
            )
        )

    def _stamp(self) -> Stamp | None:
        return None if self.settings.path is None else stamp(self.settings.path)

    def _trouble(self, what: str, why: str) -> None:
        log.error("the ledger could not %s: %s", what, why)


def _secrets(settings: Settings) -> list[str]:
    """What must never be in a log."""
    keys = [endpoint.key for model in settings.models for endpoint in model.endpoints]
    return [key for key in (*keys, settings.master_key, settings.dashboard.key) if key]


def _needs_restart(old: Settings, new: Settings) -> list[str]:
    """What a reload can't change."""
    pairs = {
        "state": (old.state, new.state),
        "server": (old.server, new.server),
        "telemetry": (old.telemetry, new.telemetry),
        "learning.embedder": (old.learning.embedder, new.learning.embedder),
        "learning.history": (old.learning.history, new.learning.history),
        "failure.connect": (old.failure.connect_s, new.failure.connect_s),
        "routing.expect_per_day": (old.routing.expect_per_day, new.routing.expect_per_day),
    }
    return [name for name, (one, other) in pairs.items() if one != other]
