"""The wordings of the templates in the languages of the suite, read from `phrases.yaml` once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def say(key: str, language: str, /, **values: object) -> str:
    """The wording `family.name` in a language, with its blanks filled."""
    family, name = key.split(".")
    wording: str = phrases()[family][name][language]
    return wording.format(**values)


def names_of(language: str) -> list[str]:
    """First names that are usual in a language."""
    names = phrases()["people"]
    found: list[str] = names.get(language, names["en"])
    return found


@cache
def phrases() -> dict[str, Any]:
    """Family → name → language → wording."""
    return packaged("phrases.yaml")


def packaged(path: str) -> dict[str, Any]:
    """A data file of the suite, shipped beside this module."""
    source = files("pointsman.pool.probes").joinpath(path).read_text(encoding="utf-8")
    # The C loader builds the same plain values as SafeLoader, about eight times as fast.
    found: dict[str, Any] = yaml.load(source, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return found
