"""The configuration's reference: each key with its type and default from the code, and what it is for.

Types and defaults come from the tables that read the file and from the values they fill; what a key is for stands in
`docs/configuration.md`, and a key that isn't told there fails the build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pointsman.pool import config_funds, config_models, config_rates, config_sections, registry
from pointsman.pool.settings import Settings

PAGE = Path(__file__).parent.parent / "configuration.md"
UNITS = {"_s": "a length of time", "_bytes": "a size", "_nano": "US dollars"}
PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
SPANS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LISTS: Mapping[str, tuple[str, ...]] = {
    "models": config_models.KEYS,
    "rates": config_rates.KEYS,
    "funds": config_funds.FUND_KEYS,
    "aliases": config_funds.ALIAS_KEYS,
}


def configuration_page() -> str:
    """Markdown: the top, the lists, and the sections."""
    top = [_listed("Top", registry.KEYS)]
    lists = [_listed(f"`{name}`", keys) for name, keys in LISTS.items()]
    return "\n\n".join([*top, *lists, *(_section(name) for name in registry.SECTIONS)])


def told_of(title: str) -> dict[str, tuple[str, str]]:
    """What the page says of each key below a heading: its default and its meaning."""
    part = re.split(rf"^##+ {re.escape(title)}$", PAGE.read_text(), flags=re.MULTILINE)[1].split("\n#")[0]
    rows = re.findall(r"^\| (`[^|]+?) \| ([^|]*?) \|\s*([^|]*?) \|$", part, re.MULTILINE)
    return {key: (default, meaning) for names, default, meaning in rows for key in re.findall(r"`([^`]+)`", names)}


def _listed(title: str, keys: tuple[str, ...]) -> str:
    """Keys that readers of their own read: with the page's defaults, which a test holds against the code."""
    told = _complete(title, keys)
    rows = [f"| `{key}` | {told[key][0]} | {_from_below(told[key][1])} |" for key in keys]
    return "\n".join([f"## {title}", "", "| key | default | what for |", "|---|---|---|", *rows])


def _section(name: str) -> str:
    table: config_sections.Table = getattr(config_sections, name.upper())
    kind = get_type_hints(Settings)[name]
    told = _complete(f"`{name}`", tuple(table))
    hints, made = get_type_hints(kind), kind()
    rows = []
    for key, (field, _) in table.items():
        default = told[key][0] if key == "drift" else default_of(field, getattr(made, field))
        rows.append(f"| `{key}` | {type_of(field, hints[field])} | {default} | {_from_below(told[key][1])} |")
    untold = {one.name for one in fields(kind)} - {field for field, _ in table.values()}
    if untold:
        raise ValueError(f"no key of `{name}` sets {sorted(untold)}")
    return "\n".join([f"## `{name}`", "", "| key | type | default | what for |", "|---|---|---|---|", *rows])


def _complete(title: str, keys: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    told = told_of(title)
    missing = [key for key in keys if not told.get(key, ("", ""))[1]]
    if missing:
        raise ValueError(f"{PAGE.name} doesn't say what {missing} of {title} are for")
    return told


def _from_below(text: str) -> str:
    """Links of a page one folder up."""
    return re.sub(r"\]\((?!https?:|#)", "](../", text)


def type_of(field: str, hint: Any) -> str:
    """A field's type in words; its unit stands last in its name."""
    given = [one for one in get_args(hint) or (hint,) if one is not type(None)]
    if get_origin(hint) is Literal:
        return ", ".join(f"`{word}`" for word in given)
    for suffix, words in UNITS.items():
        if field.endswith(suffix):
            return words
    return " or ".join(PLAIN.get(one, "a mapping") for one in given)


def default_of(field: str, value: Any) -> str:
    """A default as the file would say it; a dash for none."""
    if value is None or value == "":
        return "–"
    if field.endswith("_s") and not isinstance(value, str):
        return f"`{_span(value)}`"
    if field.endswith("_bytes"):
        return f"`{value // 1024**2}MB`" if value % 1024**2 == 0 else f"`{value // 1024}KB`"
    if field.endswith("_nano"):
        return f"`{value / 10**9:g}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _span(seconds: float) -> str:
    if seconds == 0 or seconds != int(seconds):
        return "0" if seconds == 0 else f"{seconds * 1000:g}ms"
    unit, each = next((unit, each) for unit, each in SPANS.items() if seconds % each == 0)
    return f"{seconds / each:g}{unit}"
