"""`funds.yaml` -> funds, with the line of everything that can't be used.

funds:
  - {name: gpt-4o, amount: 5.00, unit: usd, models: [openai/gpt-4o]}
  - {name: all, amount: 20}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pointsman.errors import InputError
from pointsman.records import Fund

KEYS = ("name", "amount", "unit", "models")


def read_funds(path: Path) -> list[Fund]:
    """The funds of a file, in its order.

    Raises:
        InputError: no file, not YAML, an unknown or missing key, an amount that is no number; with the line.
    """
    if not path.is_file():
        raise InputError("there is no such file", place=str(path), remedy="write one; see `pointsman route --help`")
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError(
            "this is not YAML", place=where, remedy="see `pointsman route --help` for an example"
        ) from None
    return [_fund(node, path) for node in _listed(root, path)]


def _listed(root: Any, path: Path) -> list[Any]:
    found = _mapping(root, path, "the file").get("funds") if root is not None else None
    if not isinstance(found, yaml.SequenceNode) or not found.value:
        raise InputError("there is no list `funds`", place=str(path), remedy="begin the file with `funds:` and a list")
    unknown = [key for key in _mapping(root, path, "the file") if key != "funds"]
    if unknown:
        raise InputError(f"key {unknown[0]!r} is unknown", place=str(path), remedy="the only key is `funds`")
    return list(found.value)


def _mapping(node: Any, path: Path, what: str) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{what} is not a mapping", place=_at(path, node), remedy="write `key: value` pairs")
    return {str(key.value): value for key, value in node.value}


def _at(path: Path, node: Any) -> str:
    return f"{path}, line {node.start_mark.line + 1}" if node is not None else str(path)


def _fund(node: Any, path: Path) -> Fund:
    place, given = _at(path, node), _mapping(node, path, "a fund")
    for key, value in given.items():
        if key not in KEYS:
            raise InputError(f"key {key!r} is unknown", place=_at(path, value), remedy=f"use {', '.join(KEYS)}")
    for key in ("name", "amount"):
        if key not in given:
            raise InputError(f"the fund has no `{key}`", place=place, remedy=f"add `{key}: …`")
    plain = yaml.SafeLoader("").construct_document(node)
    if isinstance(plain["amount"], bool) or not isinstance(plain["amount"], int | float):
        raise InputError(f"amount {plain['amount']!r} is no number", place=place, remedy="write for example 25.0")
    models = plain.get("models")
    if models is not None and not (isinstance(models, list) and all(isinstance(m, str) for m in models)):
        raise InputError("`models` is not a list of ids", place=place, remedy="write `models: [provider/model]`")
    try:
        return Fund(
            str(plain["name"]),
            float(plain["amount"]),
            plain.get("unit", "usd"),
            None if models is None else tuple(models),
        )
    except InputError as error:
        raise InputError(f"{error.place}: {error.what}", place=place, remedy=error.remedy) from None
