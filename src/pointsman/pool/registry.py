"""`pointsman.yaml` -> settings, checked as a whole before anything starts.

Takes a path, an environment and the day; reads that one file and nothing else. Whatever can't be used is refused with
its line: unknown keys, rules without effect, unknown rates, variables that aren't set. There is no half-read file: the
caller gets all of the settings or an error, and a running gateway keeps what it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pointsman.pool.config_funds import AUTO, read_aliases, read_funds
from pointsman.pool.config_models import read_models
from pointsman.pool.config_nodes import Entry, compose
from pointsman.pool.config_sections import (
    DASHBOARD,
    FAILURE,
    LEARNING,
    ROUTING,
    SERVER,
    TELEMETRY,
    folder,
    read_section,
)
from pointsman.pool.config_values import on_loopback, secret
from pointsman.pool.duties import left_without
from pointsman.pool.settings import (
    DashboardSettings,
    FailureSettings,
    LearningSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
)

SECTIONS = ("server", "routing", "failure", "learning", "telemetry", "dashboard")
KEYS = ("state", "master_key", "models", "funds", "aliases", *SECTIONS)
STATE = "pointsman-state"


def read_settings(path: Path, environ: Mapping[str, str], today: date) -> Settings:
    """The settings of a file.

    Args:
        path: of the YAML file.
        environ: where `os.environ/NAME` and the providers' keys are looked up.
        today: the day (UTC) whose rates must be known.

    Raises:
        InputError: anything in it that can't be used, with file and line.
    """
    top = compose(path, environ)
    given = top.fields(KEYS)
    if "models" not in given:
        raise top.refusal("there is no list `models`", "add `models:` and a list, see docs/configuration.md")
    models = read_models(given["models"], today)
    settings = Settings(
        models=models,
        funds=read_funds(given["funds"], models) if "funds" in given else (),
        aliases=read_aliases(given["aliases"], models) if "aliases" in given else Settings(models).aliases,
        state=folder(given["state"]) if "state" in given else path.parent / STATE,
        master_key=secret(given["master_key"]) if "master_key" in given else None,
        server=read_section(given.get("server"), ServerSettings, SERVER),
        routing=read_section(given.get("routing"), RoutingSettings, ROUTING),
        failure=read_section(given.get("failure"), FailureSettings, FAILURE),
        learning=read_section(given.get("learning"), LearningSettings, LEARNING),
        telemetry=read_section(given.get("telemetry"), TelemetrySettings, TELEMETRY),
        dashboard=read_section(given.get("dashboard"), DashboardSettings, DASHBOARD),
        path=path,
    )
    _check_times(given.get("failure", top), settings.failure)
    _check_door(given.get("server", top), settings)
    _check_dashboard(given.get("dashboard", top), settings)
    _check_auto(given.get("aliases", given["models"]), settings)
    return settings


def _check_times(entry: Entry, failure: FailureSettings) -> None:
    if failure.hold_s < failure.total_s:
        raise entry.refusal(
            f"a hold lives {failure.hold_s:g}s, less than an exchange may take ({failure.total_s:g}s)",
            "raise `hold`, or lower `total`",
        )


def _check_dashboard(entry: Entry, settings: Settings) -> None:
    if settings.dashboard.key is not None and settings.dashboard.key == settings.master_key:
        raise entry.refusal(
            "the dashboard's `key` is the `master_key`, so whoever may look could change everything",
            "give it a key of its own, or leave it out and sign in with the master key",
        )


def _check_auto(entry: Entry, settings: Settings) -> None:
    if AUTO in left_without(settings):
        raise entry.refusal(
            f"no model of alias {AUTO!r} has `duty: serving`, so nobody would be served",
            "leave `duty` out of at least one of its models",
        )


def _check_door(entry: Entry, settings: Settings) -> None:
    if settings.master_key is None and not on_loopback(settings.server.host):
        raise entry.refusal(
            f"`host: {settings.server.host}` can be reached from outside, and there is no `master_key`",
            "add `master_key: os.environ/POINTSMAN_MASTER_KEY`, or listen on 127.0.0.1",
        )
