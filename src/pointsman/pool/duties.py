"""What each model may do now: a small file in the state folder, laid over the configuration's `duty`.

`state/duties.json`: a model's id -> its duty, since when, and why. An onboarding that ends, `pointsman retire` and an
alarm write it; every worker of a gateway looks at it each second. Written aside and renamed under a lock, so that two
writers lose nothing and a reader sees one whole file or the other. Ids that the configuration doesn't have are kept
and have no effect. It decides nothing: `serve.duties` does.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pointsman.errors import InputError
from pointsman.pool.cards import Duty, Model
from pointsman.pool.settings import Settings

FILE = "duties.json"


@dataclass(frozen=True, slots=True)
class Given:
    """A duty that was given to a model while the gateway ran, or between two runs.

    Attributes:
        duty: what it may do.
        at_s: since when, Unix seconds.
        why: a few words for people.
    """

    duty: Duty
    at_s: float
    why: str


def duties_path(state: Path) -> Path:
    """The file of a state folder, whether it is there or not."""
    return state / FILE


def read_given(state: Path) -> dict[str, Given]:
    """What was given, by the model's id; empty where there is no file.

    Raises:
        InputError: the file is there and can't be used.
    """
    path = duties_path(state)
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from None
    if not isinstance(found, dict):
        raise _unusable(path, "it isn't a table by model")
    return {model: _given(path, model, one) for model, one in found.items()}


def read_duties(state: Path) -> dict[str, Duty]:
    """The same, the duties alone.

    Raises:
        InputError: the file is there and can't be used.
    """
    return {model: one.duty for model, one in read_given(state).items()}


def set_duty(state: Path, model: str, duty: Duty, why: str, at_s: float | None = None) -> None:
    """Gives a model a duty; a running gateway sees it within a second.

    Args:
        state: the gateway's state folder.
        model: its id.
        duty: what it may do from now on.
        why: a few words for people.
        at_s: Unix seconds; None for now.

    Raises:
        InputError: no such duty, a model without a name, or a file that can't be used.
    """
    if duty not in get_args(Duty) or not model:
        known = ", ".join(get_args(Duty))
        raise InputError(f"duty {duty!r} for model {model!r}", place="duties", remedy=f"use one of {known}")
    with _changing(state) as given:
        given[model] = Given(duty, time.time() if at_s is None else at_s, why)


def clear_duty(state: Path, model: str) -> None:
    """Takes back what was given: the configuration's own duty counts again.

    Raises:
        InputError: the file is there and can't be used.
    """
    with _changing(state) as given:
        given.pop(model, None)


def with_duties(settings: Settings, duties: Mapping[str, Duty]) -> Settings:
    """The settings with these duties laid over those of their models; the same settings where nothing differs."""
    models = tuple(_on_duty(model, duties.get(model.id, model.duty)) for model in settings.models)
    return settings if models == settings.models else replace(settings, models=models)


def left_without(settings: Settings) -> tuple[str, ...]:
    """Names of the aliases behind which no model serves."""
    serving = [model for model in settings.models if model.duty == "serving"]
    return tuple(
        alias.name
        for alias in settings.aliases
        if not any(
            (not alias.models or model.id in alias.models) and model.tags.issuperset(alias.tags) for model in serving
        )
    )


def _on_duty(model: Model, duty: Duty) -> Model:
    return model if model.duty == duty else replace(model, duty=duty)


@contextmanager
def _changing(state: Path) -> Iterator[dict[str, Given]]:
    """What is given, to be changed; nobody else changes it meanwhile, and it is in place when the block ends well."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / f".{FILE}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        given = read_given(state)
        yield given
        aside = state / f".{FILE}.{os.getpid()}.partial"
        table = {name: {"duty": one.duty, "at_s": one.at_s, "why": one.why} for name, one in given.items()}
        aside.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
        aside.rename(duties_path(state))


def _given(path: Path, model: str, one: Any) -> Given:
    fields: dict[str, Any] = one if isinstance(one, dict) else {}
    at_s, why = fields.get("at_s", 0.0), fields.get("why", "")
    duty: Duty | None = next((known for known in get_args(Duty) if known == fields.get("duty")), None)
    timed = isinstance(at_s, int | float) and not isinstance(at_s, bool)
    if duty is None or not timed or not isinstance(why, str):
        raise _unusable(path, f"{model!r} has no duty of {', '.join(get_args(Duty))}")
    return Given(duty, float(at_s), why)


def _unusable(path: Path, why: str) -> InputError:
    return InputError(
        f"what models may do can't be read: {why}",
        place=str(path),
        remedy="mend it, or remove it: the configuration's own duties count then",
    )
