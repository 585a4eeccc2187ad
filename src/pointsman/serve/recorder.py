"""What becomes of an exchange that has ended: journal, outcomes, metrics, log, traces; and its score, when one comes.

Takes `Finished` values and feedback on the event loop; what writes to the disk is called in a thread. Nothing here may
hurt a query: what can't be recorded is said, and the query is none the worse. Prompts are kept only where the owner
asked for it, and never those of an onboarding, which keeps its own.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace

from pointsman.errors import InputError
from pointsman.outcomes import OutcomeLog, OutcomeRow
from pointsman.pool.settings import Settings
from pointsman.serve.conversations import remembered_as
from pointsman.serve.finished import Finished
from pointsman.serve.journal import Journal
from pointsman.serve.logs import Logs
from pointsman.serve.metrics import Metrics
from pointsman.serve.prompts import Prompts
from pointsman.serve.pulse import Pulse
from pointsman.serve.scheme import NANO
from pointsman.serve.traces import Traces
from pointsman.serve.wire.query import Query

STORED_ROWS = 500  # outcomes that are written as one part
TELL_S = 0.05  # how long exchanges are gathered for log and metrics
FEEDBACK = "feedback"  # who made a score: whoever asked
ONBOARDING = "onboard-"  # how ids of onboardings' keys begin

log = logging.getLogger(__name__)


class Recorder:
    """One worker's; see the module.

    Args:
        settings: what to keep, and where.
        recorded_as: a model's name in outcomes.
        pulse: told of everything that ended, and of scores.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        metrics: Metrics,
        logs: Logs,
        traces: Traces | None,
        recorded_as: Callable[[str], str],
        pulse: Pulse,
    ) -> None:
        self.store_prompts = settings.learning.store_prompts
        self._journal, self._metrics, self._logs, self._traces = journal, metrics, logs, traces
        self._recorded_as, self._pulse = recorded_as, pulse
        self._outcomes = OutcomeLog(settings.state / "outcomes")
        self._prompts = Prompts(settings.state / "prompts.sqlite", settings.telemetry.keep_decisions_s)
        self._rows: list[OutcomeRow] = []
        self._ended: list[Finished] = []
        self._later: Callable[[], object] = self.tell  # at once, until there is a loop

    def start(self) -> None:
        """From now on there is a loop."""
        loop = asyncio.get_running_loop()
        self._later = lambda: loop.call_later(TELL_S, self.tell)

    def close(self) -> None:
        """Writes what is left."""
        self.tell()
        self.store()
        self._prompts.close()

    @property
    def full(self) -> bool:
        """Whether outcomes enough for a part are waiting."""
        return len(self._rows) >= STORED_ROWS

    def observe(self, finished: Finished, query: Query | None) -> None:
        """One exchange, ended: to the journal and the outcomes, and to metrics, log and traces soon. Never fails."""
        try:
            if finished.decision_id and query is not None:
                self._remember(finished, query)  # before the exchange: who finds that in the file finds this too
                self._journal.add(finished)
        except Exception:
            log.exception("an exchange could not be recorded")
        self._ended.append(finished)
        if len(self._ended) == 1:
            self._later()

    def tell(self) -> None:
        """Metrics, log and traces of what has ended; many at once take a third of the time that each alone would."""
        ended, self._ended = self._ended, []
        try:
            for finished in ended:
                self._metrics.observe(finished)
            clients = [finished for finished in ended if not finished.key_id.startswith(ONBOARDING)]
            self._pulse.note(clients, time.time())
            self._logs.exchange(*ended)
            if self._traces is not None:
                for finished in ended:
                    self._traces.add(finished)
        except Exception:
            log.exception("exchanges could not be told of")

    def _remember(self, finished: Finished, query: Query) -> None:
        usage = finished.usage
        if finished.outcome != "served" or finished.model is None or usage is None:
            return
        for digest in remembered_as(finished.key_id, query):
            self._journal.remember(digest, finished.model, usage.input_tokens)
        if not finished.key_id.startswith(ONBOARDING):
            # By the decision and not by the text: asking again must not take a score back.
            self._keep(finished, query, finished.decision_id)

    def mirrored(self, finished: Finished, query: Query, served_id: str) -> None:
        """One query asked of a model in the shadow: as one that was served, but for metrics, log and conversations.

        Its outcome stands in the row of the query as it was served; a score comes by its own decision.
        """
        try:
            self._journal.add(finished)
            if finished.outcome == "served":
                self._keep(finished, query, served_id)
        except Exception:
            log.exception("a mirrored query could not be recorded")

    def _keep(self, finished: Finished, query: Query, prompt_id: str) -> None:
        """An outcome, where prompts are kept."""
        usage, model = finished.usage, finished.model
        if not self.store_prompts or not query.text or usage is None or model is None:
            return
        row = OutcomeRow(
            prompt_id,
            query.text,
            "live",
            self._recorded_as(model),
            cost_usd=finished.cost_nano / NANO,
            input_tokens=float(usage.input_tokens),
            output_tokens=float(usage.output_tokens),
            at_s=finished.at_ns / NANO,
            propensity=finished.propensity,
        )
        self._rows.append(row)
        self._prompts.add(finished.decision_id, row)

    def score(self, decision_id: str, score: float) -> bool:
        """Feedback: completes the outcome of a decision; False where nobody knows it."""
        known = self._journal.feedback(decision_id, score)
        if known:
            self._pulse.score(score, time.time())
        try:
            row = self._prompts.get(decision_id) if known else None
        except sqlite3.Error as error:  # the journal has the score; what can't be read is its prompt alone
            log.warning("the prompt of a scored decision can't be read: %s", error)
            row = None
        if row is not None:
            self._rows.append(replace(row, score=score, grader=FEEDBACK))
        return known

    def prompt_of(self, decision_id: str) -> str | None:
        """The text of an answered query; None where prompts aren't kept, or this one isn't any more."""
        try:
            row = self._prompts.get(decision_id)
        except sqlite3.Error as error:
            log.warning("the prompt of a decision can't be read: %s", error)
            return None
        return None if row is None else row.prompt

    def store(self) -> None:
        """Writes outcomes and prompts that wait; in a thread, or at the end."""
        rows, self._rows = self._rows, []
        latest = {(row.prompt_id, row.model): row for row in rows}  # one row a query and model in each part
        try:
            self._prompts.flush()
        except (OSError, sqlite3.Error) as error:
            log.warning("prompts that wait for feedback can't be written yet: %s", error)
        try:
            self._outcomes.append(latest.values())
        except (OSError, InputError) as error:
            log.warning("%d outcomes were not kept: %s", len(rows), error)
