"""The sections of a configuration that are plain tables of settings: server, routing, failure, learning, telemetry,
dashboard.

Each table says which key of the file sets which field, and how it is read; what the file leaves out keeps the default
of `pool.settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from pointsman.pool.config_nodes import Entry
from pointsman.pool.config_values import (
    address,
    choice,
    nano,
    number,
    positive,
    seconds,
    secret,
    size,
    text,
    truth,
    whole,
)
from pointsman.pool.settings import DriftSettings, FailureSettings, RoutingSettings, TelemetrySettings

Table = Mapping[str, tuple[str, Callable[[Entry], Any]]]
Made = TypeVar("Made")
JUST_ABOVE_HALF = "0.500001"
JUST_BELOW_ONE = "0.999999"

some_time = positive(seconds)


def folder(entry: Entry) -> Path:
    """A path; a relative one begins at the folder of the file, wherever the program is started."""
    return entry.path.parent / Path(text(entry)).expanduser()


def existing_folder(entry: Entry) -> Path:
    """A path of a folder that is there.

    Raises:
        InputError: it isn't.
    """
    found = folder(entry)
    if not found.is_dir():
        raise entry.refusal(f"there is no folder {entry.written}", f"make it, or leave `{entry.name}` out")
    return found


def share(entry: Entry) -> float | dict[str, float]:
    """A share from 0 to 1, or such shares by pattern.

    Raises:
        InputError: neither.
    """
    read = number(most=1)
    return {pattern: read(one) for pattern, one in entry.pairs().items()} if entry.is_mapping else read(entry)


def worded(kind: type[Any], field: str) -> Callable[[Entry], Any]:
    """A reader of the words that a field's type allows."""
    return choice(get_args(get_type_hints(kind)[field]))


SERVER: Table = {
    "host": ("host", text),
    "port": ("port", whole(most=65_535)),
    "workers": ("workers", whole(least=1, most=1_024)),
    "body_limit": ("body_bytes", size),
    "header_limit": ("header_bytes", size),
    "connections": ("connections", whole(least=1, most=1_000_000)),
    "client_timeout": ("client_timeout_s", some_time),
    "drain": ("drain_s", seconds),
}
ROUTING: Table = {
    "ceiling": ("ceiling", worded(RoutingSettings, "ceiling")),
    "quantile": ("quantile", number(least=JUST_ABOVE_HALF, most=JUST_BELOW_ONE)),
    "stay_margin": ("stay_margin", number(most=1)),
    "batch": ("batch", whole(least=1, most=4_096)),
    "patience": ("patience_s", seconds),
    "explore": ("explore", number(most=Decimal("0.2"))),
    "expect_per_day": ("expect_per_day", positive(number(most=Decimal(10) ** 12))),
}
FAILURE: Table = {
    "connect": ("connect_s", some_time),
    "first_token": ("first_token_s", some_time),
    "between_tokens": ("between_tokens_s", some_time),
    "total": ("total_s", some_time),
    "retries": ("retries", whole(most=100)),
    "fallbacks": ("fallbacks", whole(most=100)),
    "backoff": ("backoff_s", some_time),
    "cooldown_after": ("cooldown_after", whole(least=1, most=1_000_000)),
    "cooldown": ("cooldown_s", some_time),
    "hedge_after": ("hedge_after_s", some_time),
    "crashed_holds": ("crashed_holds", worded(FailureSettings, "crashed_holds")),
    "hold": ("hold_s", some_time),
}
DRIFT: Table = {
    "watch": ("watch", truth),
    "reprobe_budget": ("reprobe_budget_nano", nano),
    "forget": ("forget", truth),
}


def drift(entry: Entry) -> DriftSettings:
    """`learning.drift`."""
    return read_section(entry, DriftSettings, DRIFT)


LEARNING: Table = {
    "history": ("history", existing_folder),
    "store_prompts": ("store_prompts", truth),
    "embedder": ("embedder", text),
    "resolve": ("resolve_s", some_time),
    "refit": ("refit_s", seconds),
    "keep": ("keep_s", seconds),
    "shadow_share": ("shadow_share", share),
    "shadow_budget": ("shadow_budget_nano", nano),
    "drift": ("drift", drift),
}
TELEMETRY: Table = {
    "log": ("log", worded(TelemetrySettings, "log")),
    "level": ("level", worded(TelemetrySettings, "level")),
    "metrics": ("metrics", truth),
    "metrics_public": ("metrics_public", truth),
    "otlp": ("otlp", address),
    "keep_decisions": ("keep_decisions_s", some_time),
}
DASHBOARD: Table = {
    "enabled": ("enabled", truth),
    "key": ("key", secret),
    "session": ("session_s", some_time),
    "notice": ("notice", text),
}


def read_section(entry: Entry | None, kind: type[Made], table: Table) -> Made:
    """The settings of one section.

    Raises:
        InputError: an unknown key, or a value that can't be used; with the line.
    """
    if entry is None:
        return kind()
    given = entry.fields(table)
    return kind(**{table[key][0]: table[key][1](value) for key, value in given.items()})
