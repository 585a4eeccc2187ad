"""What `dataset.yaml` says of an outcome folder: title, licence, source, notes, whether it is simulated.

Takes a folder, gives an `About`. Refuses what is not YAML, a key that nobody knows (and guesses which was meant) and
a value of the wrong type. Does not look at the outcomes.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from pointsman.errors import InputError
from pointsman.outcomes.layout import ABOUT_FILE


@dataclass(frozen=True, slots=True)
class About:
    """What `dataset.yaml` says of a folder; every field is optional.

    Attributes:
        title: what to call the set in a table; the folder's name where empty.
        licence: under which terms the outcomes and prompts may be used.
        source: where they come from.
        notes: what a reader of a figure should know.
        simulated: True where no real model answered.
    """

    title: str = ""
    licence: str = ""
    source: str = ""
    notes: str = ""
    simulated: bool = False


def read_about(folder: Path) -> About:
    """What `dataset.yaml` says, with the folder's name as title where it says nothing.

    Raises:
        InputError: it is not YAML, not a mapping, has an unknown key or a value of the wrong type.
    """
    path = folder / ABOUT_FILE
    about = About(**_about_fields(path)) if path.exists() else About()
    return about if about.title else replace(about, title=folder.resolve().name)


def _about_fields(path: Path) -> dict[str, Any]:
    known = {field.name: bool if field.name == "simulated" else str for field in fields(About)}
    values = _load_yaml(path)
    for key, value in values.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{close[0]}`" if close else f"use only {', '.join(known)}"
            raise InputError(f"unknown key `{key}`", place=str(path), remedy=hint)
        if not isinstance(value, known[key]):
            wanted = "true or false" if known[key] is bool else "text"
            raise InputError(
                f"`{key}` is {type(value).__name__}, expected {wanted}", place=str(path), remedy=f"write {wanted}"
            )
    return values


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError("is not readable YAML", place=place, remedy="correct or delete the file") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InputError("is not a mapping", place=str(path), remedy="write lines such as `title: My queries`")
    return values
