"""What happens while the traffic runs: a model is plugged in, another one fails and comes back.

Takes a scene and the gateway's administration; keeps `Event`s, each said as it happens, and how the newcomer joined.
The onboarding is the gateway's own: real probes, asked, graded and paid for, beside the traffic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httpx

from pointsman.demo.administration import Administration
from pointsman.demo.scene import Scene
from pointsman.demo.standings import Joined, Known
from pointsman.demo.told import Event
from pointsman.demo.traffic import told_within
from pointsman.errors import InputError
from pointsman.pool.settings import Settings
from pointsman.serve.fitting import newest_learned

NANO = 1e9
LOOK_S = 0.5
ONBOARDING_USD = "0.05"


class Story:
    """One demo's.

    Args:
        scene: whose plan it follows.
        admin: of the gateway.
        settings: the gateway's, for what it has learned.
        servers: addresses of the models, by id.
        passed_s: the clock.
        say: told of every event.
    """

    def __init__(
        self,
        scene: Scene,
        admin: Administration,
        settings: Settings,
        servers: Mapping[str, str],
        passed_s: Callable[[], float],
        say: Callable[[Event], None],
    ) -> None:
        self._scene, self._admin, self.settings, self._servers = scene, admin, settings, servers
        self._passed_s, self._say = passed_s, say
        self.events: list[Event] = []
        self.joined: Joined | None = None
        self.probes_usd = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Everything in its time, or until it is told to stop."""
        await asyncio.gather(self._plug_in(stop), self._fail(stop))

    @property
    def next(self) -> str:
        """What happens next, for people."""
        plan, now = self._scene.plan, self._passed_s()
        turns = (
            (plan.plug_in_s, f"{self._scene.newcomer} is plugged in"),
            (plan.fails_s, f"{self._scene.failing} fails"),
            (plan.recovers_s, f"{self._scene.failing} is back"),
            (plan.seconds, "the traffic ends"),
        )
        return next((f"{what} in {at_s - now:.0f} s" for at_s, what in turns if at_s > now), "the last answers come in")

    def tell(self, kind: str, what: str) -> None:
        """One more event."""
        event = Event(self._passed_s(), kind, what)
        self.events.append(event)
        self._say(event)

    async def _plug_in(self, stop: asyncio.Event) -> None:
        model = self._scene.newcomer
        if await told_within(stop, self._scene.plan.plug_in_s - self._passed_s()):
            return
        try:
            await self._admin.onboard(model, ONBOARDING_USD, self._scene.onboarding_probes)
            self.tell("plugged_in", f"{model} is plugged in: the gateway asks it probes, beside the traffic")
            while not await told_within(stop, LOOK_S):
                if await self._taken_in(model):
                    return
        except (InputError, httpx.HTTPError) as error:
            self.tell("not_taken_in", f"{model} could not be onboarded: {error}")

    async def _taken_in(self, model: str) -> bool:
        """Whether its onboarding has ended; if it has, how it came is noted."""
        told = await self._admin.onboarding(model)
        progress = told.get("progress") or {}
        self.probes_usd = float(progress.get("spent_nano") or 0) / NANO
        if not progress.get("done"):
            if told.get("running"):
                return False
            raise InputError(str(told.get("said") or "the onboarding ended without a word").strip()[-300:])
        known = await asyncio.to_thread(known_now, self.settings)
        if known is not None and model in known.estimator.models:
            self.joined = Joined(self._passed_s(), known, self.probes_usd)
        graded, mean = progress.get("graded"), progress.get("mean")
        score = "" if mean is None else f", mean score {mean:.2f}"
        self.tell("taken_in", f"{model} serves: {graded} probes graded{score}, ${self.probes_usd:.4f}")
        return True

    async def _fail(self, stop: asyncio.Event) -> None:
        model, plan = self._scene.failing, self._scene.plan
        called = str(self._scene.models[model]["model"])
        if await told_within(stop, plan.fails_s - self._passed_s()):
            return
        await self._admin.switch(self._servers[model], called, failing=True)
        self.tell("fails", f"{model} fails: every call gets 503")
        if await told_within(stop, plan.recovers_s - self._passed_s()):
            return
        await self._admin.switch(self._servers[model], called, failing=False)
        self.tell("is_back", f"{model} is back")


def known_now(settings: Settings) -> Known | None:
    """What the gateway's newest fit knows."""
    learned = newest_learned(settings)
    return None if learned is None else Known(learned.estimator, learned.held_out)
