"""Configurations written by the program: values to YAML text, and a file that is in place only if it reads back.

A written file is first read under another name, with every environment variable that it names taken as set, so that
what `pointsman init` and `pointsman config import` leave behind is never refused for its form later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import yaml

from pointsman.errors import InputError
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings

STAND_IN = "https://not-set.invalid"  # reads as a key and as an address
WIDTH = 110


class _Dumper(yaml.SafeDumper):
    """Exact decimals as numbers, and no references between parts that happen to be equal."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002
        return super().increase_indent(flow, False)


def _decimal(dumper: yaml.SafeDumper, number: Decimal) -> yaml.Node:
    written = format(number.normalize(), "f")
    return dumper.represent_scalar("tag:yaml.org,2002:float" if "." in written else "tag:yaml.org,2002:int", written)


_Dumper.add_representer(Decimal, _decimal)


def to_yaml(document: Any) -> str:
    """YAML text of mappings, lists, texts and numbers; inner ones on a line of their own, decimals exact."""
    written: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=WIDTH
    )
    return written


def commented(text: str) -> str:
    """The text as comment lines."""
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())


class Completed(Mapping[str, str]):
    """An environment in which every variable is set: those that aren't stand for any key or address."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        """The variable, or what stands in for it."""
        return self._environ.get(name) or STAND_IN

    def __iter__(self) -> Iterator[str]:
        """The names that are set."""
        return iter(self._environ)

    def __len__(self) -> int:
        """How many are set."""
        return len(self._environ)


def write_settings(text: str, path: Path, environ: Mapping[str, str], today: date, *, force: bool = False) -> Settings:
    """Write a configuration that reads back, for its owner's eyes only; returns what it says.

    Raises:
        InputError: the file is there and `force` is not given, it can't be written, or it wouldn't read back.
    """
    if path.exists() and not force:
        raise InputError("the file is there already", place=str(path), remedy="choose another name, or give --force")
    try:
        handle, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    aside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        settings = read_settings(aside, Completed(environ), today)
        aside.replace(path)
    except InputError as error:
        raise InputError(error.what, place=error.place.replace(name, str(path)), remedy=error.remedy) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        aside.unlink(missing_ok=True)
    return settings


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot be written ({error.strerror or error})", place=str(path), remedy="choose a folder that can be written"
    )
