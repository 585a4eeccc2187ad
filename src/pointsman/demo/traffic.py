"""The traffic: every planned query at its time, by the real `openai` client, with a team's key; and feedback on some.

Takes a scene, an address and the keys; keeps an `Answer` for every query that was sent. Whoever serves a query is known
by the gateway's headers, how good the answer was by the scene's truth, or by a grader where the answer is real. It
retries nothing: the gateway does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import openai

from pointsman.demo.plan import Planned
from pointsman.demo.scene import Judge, Scene
from pointsman.pool.graders import Reply

SERVED_BY, DECISION = "x-pointsman-model", "x-pointsman-decision-id"
LATEST_S = 6.0  # what "queries a second" looks back on
FEEDBACK_S = (0.5, 3.0)  # after the answer, as people are
STOPPED_S = 5.0  # for what is in flight when everything is to end

Ending = Literal["served", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How one query ended.

    Attributes:
        planned: the query.
        ending: whether it was served, refused by the gateway, or failed.
        model: who served it.
        score: how good it was.
        at_s: when it ended, since the traffic began.
        why: of a refusal or a failure, the error's code.
    """

    planned: Planned
    ending: Ending
    model: str | None
    score: float | None
    at_s: float
    why: str = ""


class Traffic:
    """One demo's.

    Args:
        scene: whose plan it follows.
        url: the gateway's address.
        keys: of the teams, by their names.
        judge: scores an answer.
        patience_s: how long a client waits for one.
    """

    def __init__(self, scene: Scene, url: str, keys: Mapping[str, str], judge: Judge, patience_s: float) -> None:
        self._scene, self._judge, self._patience_s = scene, judge, patience_s
        self._clients = {team: _client(url, key, patience_s) for team, key in keys.items()}
        self._lots = random.Random(len(scene.plan.queries))  # noqa: S311 (how long people take)
        self._began = 0.0
        self.began_s = 0.0  # by the clock that never goes back
        self.sent = 0
        self.answers: list[Answer] = []

    @property
    def passed_s(self) -> float:
        """Since the traffic began."""
        return asyncio.get_running_loop().time() - self._began if self._began else 0.0

    @property
    def per_second(self) -> float:
        """Queries that ended lately."""
        since = self.passed_s - LATEST_S
        latest = sum(1 for _ in _while(lambda one: one.at_s >= since, reversed(self.answers)))
        return latest / max(1.0, min(LATEST_S, self.passed_s))

    def shares(self, seconds: float) -> Counter[str]:
        """Who served what ended lately."""
        since = self.passed_s - seconds
        return Counter(one.model for one in _while(lambda one: one.at_s >= since, reversed(self.answers)) if one.model)

    async def run(self, stop: asyncio.Event) -> None:
        """Sends everything in its time, or until it is told to stop; then lets what is in flight end."""
        self._began, self.began_s = asyncio.get_running_loop().time(), time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for planned in self._scene.plan.queries:
            if await told_within(stop, planned.at_s - self.passed_s):
                break
            self.sent += 1
            task = asyncio.create_task(self._ask(planned))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await told_within(stop, self._scene.plan.seconds - self.passed_s)
        if tasks:
            patience_s = STOPPED_S if stop.is_set() else self._patience_s / 3
            _, late = await asyncio.wait(tasks, timeout=patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    async def _ask(self, planned: Planned) -> None:
        client = self._clients[planned.team]
        try:
            model, decision, reply = await self._answered(client, planned)
        except openai.APIStatusError as error:
            ending: Ending = "failed" if error.status_code >= 500 else "refused"
            self._keep(planned, ending, None, None, str(error.type or error.status_code))
            return
        except openai.APIError as error:
            self._keep(planned, "failed", None, None, type(error).__name__)
            return
        score = self._judge(planned.row, model, reply)
        self._keep(planned, "served", model, score)
        if planned.scored and score is not None:
            await self._feed_back(client, decision, score)

    def _keep(self, planned: Planned, ending: Ending, model: str | None, score: float | None, why: str = "") -> None:
        self.answers.append(Answer(planned, ending, model, score, self.passed_s, why))

    async def _answered(self, client: openai.AsyncOpenAI, planned: Planned) -> tuple[str, str, Reply]:
        """Who answered, by which decision, and what."""
        asked: dict[str, Any] = {"model": "auto", "messages": self._messages(planned.row)}
        raw = await client.chat.completions.with_raw_response.create(**asked, stream=planned.stream)
        model, decision = raw.headers[SERVED_BY], raw.headers[DECISION]
        answer: Any = raw.parse()
        if not planned.stream:
            choice = answer.choices[0]
            return model, decision, Reply(choice.message.content or "", whole=choice.finish_reason != "length")
        text, whole = "", True
        async for chunk in answer:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                whole = whole and choice.finish_reason != "length"
        return model, decision, Reply(text, whole=whole)

    def _messages(self, row: int) -> list[dict[str, str]]:
        system = self._scene.probes[row].system if self._scene.probes else ""
        said = [{"role": "user", "content": self._scene.traffic.texts[row]}]
        return [{"role": "system", "content": system}, *said] if system else said

    async def _feed_back(self, client: openai.AsyncOpenAI, decision: str, score: float) -> None:
        await asyncio.sleep(self._lots.uniform(*FEEDBACK_S))
        with contextlib.suppress(openai.APIError):  # nobody insists on their opinion
            await client.post("/feedback", body={"decision_id": decision, "score": score}, cast_to=httpx.Response)


def _client(url: str, key: str, patience_s: float) -> openai.AsyncOpenAI:
    own = openai.DefaultAsyncHttpxClient(trust_env=False)  # a proxy of the environment has no part in this
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=patience_s, http_client=own)


def _while(true: Callable[[Answer], bool], answers: Any) -> Any:
    for one in answers:
        if not true(one):
            return
        yield one


async def told_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event is set by then."""
    if seconds <= 0:
        return event.is_set()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()
