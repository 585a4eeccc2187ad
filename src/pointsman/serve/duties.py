"""Who may be asked for what, by duty: serving models by everyone, the others by name and by few, retired by nobody.

`Duties` watches the file of `pool.duties` for one worker. A model that is waiting or in the shadow is no candidate of
any alias, no fallback and no hedge, and counts in no price; it may be named by the master key and by keys that list
exactly its id. Takes settings, principals and models; changes nothing itself.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pointsman.errors import InputError
from pointsman.pool.cards import Duty, Model
from pointsman.pool.duties import duties_path, left_without, read_duties, with_duties
from pointsman.pool.reload import stamp
from pointsman.pool.settings import FundRule, Settings, WindowRule
from pointsman.serve.access import Principal
from pointsman.serve.keys import SHADOW
from pointsman.serve.wire.errors import Refusal

log = logging.getLogger(__name__)


class Duties:
    """The duties in force in one worker.

    Args:
        state: the gateway's state folder.

    Raises:
        InputError: the file is there and can't be used.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._stamp = stamp(duties_path(state))
        self._given: dict[str, Duty] = read_duties(state)

    def look(self) -> bool:
        """Whether they have changed since the last look; a file that can't be used is said once and changes nothing."""
        now = stamp(duties_path(self._state))
        if now == self._stamp:
            return False
        self._stamp = now
        try:
            fresh = read_duties(self._state)
        except InputError as error:
            log.error("duties stay as they were: %s", error)
            return False
        before, self._given = self._given, fresh
        if before == fresh:
            return False
        log.info("duties given now: %s", ", ".join(f"{name} {duty}" for name, duty in sorted(fresh.items())) or "none")
        return True

    def over(self, settings: Settings) -> Settings:
        """The settings with the duties in force."""
        return with_duties(settings, self._given)


def may_name(principal: Principal, model: Model) -> bool:
    """Whether somebody may ask for this very model."""
    if model.duty == "retired":
        return False
    if model.duty == "serving":
        return principal.permits(model.id)
    return principal.admin or model.id in principal.models


def check_named(principal: Principal, model: Model) -> None:
    """Lets those through who may ask for this very model.

    Raises:
        Refusal: it is retired, or it isn't serving yet, or the key may not use it.
    """
    if model.duty == "retired":
        raise Refusal(
            "not_found_error",
            f"The model `{model.id}` is retired. GET /v1/models lists those that serve; `auto` chooses.",
            param="model",
            code="model_retired",
        )
    if not may_name(principal, model):
        why = "" if model.duty == "serving" else f": it is {DOING[model.duty]}, so a key has to list its id"
        raise Refusal("permission_error", f"This key may not use `{model.id}`{why}.", param="model")


DOING: dict[Duty, str] = {
    "serving": "serving",
    "waiting": "waiting to be onboarded",
    "shadow": "in the shadow",
    "retired": "retired",
}


def shadow_funds(settings: Settings) -> tuple[FundRule, ...]:
    """What mirrored traffic may cost a day, besides every other fund that its models draw on; none without it."""
    if not any(model.duty == "shadow" for model in settings.models):
        return ()
    window = WindowRule("calendar", every="day")
    return (FundRule(f"key:{SHADOW}:budget", settings.learning.shadow_budget_nano, "usd", window, keys=(SHADOW,)),)


def trouble_of(settings: Settings) -> str:
    """What there is to say of aliases behind which nobody serves; "" where there is nothing."""
    names = left_without(settings)
    return f"no model is serving behind {', '.join(f'`{name}`' for name in names)}" if names else ""
