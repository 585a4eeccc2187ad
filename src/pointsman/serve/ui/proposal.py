"""A change of the configuration, written beside it for somebody to look at: `pointsman.proposed.yaml`, and the diff.

Takes the configuration's path, new amounts of funds and a new trade-off of an alias; replaces nothing but these values
in the text as it stands, so that comments and order stay. What was written is read back as settings and must say just
what was asked for and nothing else; else nothing is left behind. The configuration itself is never touched.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from difflib import unified_diff
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import yaml

from pointsman.errors import InputError
from pointsman.pool.config_nodes import ENVIRONMENT, MERGE
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Alias, Settings

NANO = 1_000_000_000
BY_HAND = "change it by hand"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to change.

    Attributes:
        amounts: by fund, in whole units: nano-dollars, tokens or requests.
        alias: whose trade-off.
        trade_off: 0 to 10; None leaves it as it is.
    """

    amounts: Mapping[str, int]
    alias: str = "auto"
    trade_off: float | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters from `start` to `end` of the text become `text`."""

    start: int
    end: int
    text: str


def propose(path: Path, wanted: Wanted, environ: Mapping[str, str], today: date) -> tuple[Path, str]:
    """Writes the proposal, and gives its path and the unified diff.

    Args:
        path: of the configuration.
        environ: where its variables are looked up.
        today: of the rates.

    Raises:
        InputError: nothing would change, a value can't be found or replaced in the text, or what comes of it would say
            something else.
    """
    before = read_settings(path, environ, today)
    text = path.read_bytes().decode("utf-8")  # line ends as they are
    changed = edited(text, edits_of(text, before, wanted))
    if changed == text:
        raise InputError("nothing would change", place=str(path), remedy="move a slider first")
    target = path.with_name(f"{path.stem}.proposed{path.suffix or '.yaml'}")
    _write(target, changed, lambda aside: _check(read_settings(aside, environ, today), before, wanted, path))
    lines = unified_diff(text.splitlines(), changed.splitlines(), path.name, target.name, lineterm="")
    return target, "\n".join(lines) + "\n"


def edited(text: str, edits: list[Edit]) -> str:
    """The text with every edit made."""
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def edits_of(text: str, settings: Settings, wanted: Wanted) -> list[Edit]:
    """What has to be replaced; values that are as wanted already are left as they are written.

    Args:
        text: of the configuration.
        settings: what it says.

    Raises:
        InputError: a fund that the text doesn't hold, or a value that stands in a part shared by others.
    """
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    shared = _shared(top)
    found = []
    for rule in settings.funds:
        amount = wanted.amounts.get(rule.name, rule.amount)
        if amount != rule.amount:
            written = _plain(Decimal(amount) / NANO) if rule.unit == "usd" else str(amount)
            found.append(_replaced(_amount_node(top, rule.name), written, f"`amount` of fund {rule.name!r}", shared))
    unknown = wanted.amounts.keys() - {rule.name for rule in settings.funds}
    if unknown:
        raise InputError(f"the configuration has no fund {min(unknown)!r}", remedy="limits of keys are the keys' own")
    if wanted.trade_off is not None and wanted.trade_off != _trade_off(settings, wanted.alias):
        found.append(_trade_off_edit(text, top, wanted.alias, _plain(Decimal(str(wanted.trade_off))), shared))
    return found


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _trade_off(settings: Settings, alias: str) -> float:
    """None and 0 are the same: no price on money beside the funds'."""
    found = next((one.trade_off for one in settings.aliases if one.name == alias), None)
    return 0.0 if found is None else found


def _shared(top: Any) -> set[int]:
    """Nodes that several places of the text refer to, and everything in them: no value of one place alone."""
    times = Counter(id(one) for node in _below(top) for one in _inside(node))
    roots = [node for node in _below(top) if times[id(node)] > 1]
    return {id(one) for root in roots for one in _below(root)}


def _below(top: Any) -> list[Any]:
    """A node and all nodes in it, each once."""
    found, left, seen = [], [top], {id(top)}
    while left:
        node = left.pop()
        found.append(node)
        fresh = [one for one in _inside(node) if id(one) not in seen]
        seen.update(map(id, fresh))
        left.extend(fresh)
    return found


def _inside(node: Any) -> list[Any]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _child(node: Any, name: str) -> tuple[Any, Any] | None:
    """A key and its value in a mapping; None where they aren't there."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((key, value) for key, value in node.value if key.tag != MERGE and key.value == name), None)


def _amount_node(top: Any, fund: str) -> Any:
    funds = _child(top, "funds")
    for entry in funds[1].value if funds is not None and isinstance(funds[1], yaml.SequenceNode) else ():
        name, amount = _child(entry, "name"), _child(entry, "amount")
        if name is not None and name[1].value == fund and amount is not None:
            return amount[1]
    raise InputError(f"the amount of fund {fund!r} doesn't stand with its name", remedy=BY_HAND)


def _replaced(node: Any, written: str, what: str, shared: set[int]) -> Edit:
    """One value, replaced where it stands.

    Raises:
        InputError: other parts of the text use the same value, or it isn't written there.
    """
    plain = isinstance(node, yaml.ScalarNode) and node.style in {None, "'", '"'}
    if not plain or id(node) in shared or str(node.value).startswith(ENVIRONMENT):
        place = f"line {node.start_mark.line + 1}"
        raise InputError(f"{what} isn't a plain value of its own", place=place, remedy=BY_HAND)
    return Edit(node.start_mark.index, node.end_mark.index, written)


def _trade_off_edit(text: str, top: Any, alias: str, written: str, shared: set[int]) -> Edit:
    """The alias's trade-off, replaced or put in: into its mapping, the section, or the end of the file."""
    own = f"{{trade_off: {written}}}"
    section = _child(top, "aliases")
    if section is None and not top.flow_style:
        end = "" if text.endswith("\n") else "\n"
        return Edit(len(text), len(text), f"{end}\naliases:\n  {alias}: {own}\n")
    if section is None:
        return _into(top, "aliases", f"{{{alias}: {own}}}", shared)
    entry = _child(section[1], alias)
    if entry is None:
        return _into(section[1], alias, own, shared, key=section[0])
    value = _child(entry[1], "trade_off")
    if value is not None and not _is_null(value[1]):
        return _replaced(value[1], written, f"`trade_off` of alias {alias!r}", shared)
    key, node = (entry[0], entry[1]) if value is None else value
    return _into(node, "trade_off", written, shared, key=key)


def _is_null(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _into(node: Any, name: str, value: str, shared: set[int], key: Any = None) -> Edit:
    """`name: value` as the first pair of a mapping, or in the place of nothing.

    Raises:
        InputError: the mapping is shared with others.
    """
    if id(node) in shared:
        raise InputError(f"`{name}` would stand in a part that others share", remedy=BY_HAND)
    start = node.start_mark.index
    if _is_null(node):
        whole = value if key is not None and key.value == name else f"{{{name}: {value}}}"
        return Edit(start, node.end_mark.index, whole if node.value else f" {whole}")
    if node.flow_style:
        return Edit(start + 1, start + 1, f"{name}: {value}" + (", " if node.value else ""))
    return Edit(start, start, f"{name}: {value}\n" + " " * node.start_mark.column)


def _check(found: Settings, before: Settings, wanted: Wanted, path: Path) -> None:
    """Refuses a text that says anything else than was asked for."""
    funds = tuple(replace(rule, amount=wanted.amounts.get(rule.name, rule.amount)) for rule in before.funds)
    aliases = tuple(_leaning(one, wanted) for one in before.aliases)
    if replace(found, path=path) != replace(before, path=path, funds=funds, aliases=aliases):
        raise InputError("this change can't be written into the text as it stands", place=str(path), remedy=BY_HAND)


def _leaning(alias: Alias, wanted: Wanted) -> Alias:
    if alias.name != wanted.alias or wanted.trade_off is None or wanted.trade_off == (alias.trade_off or 0.0):
        return alias
    return replace(alias, trade_off=wanted.trade_off)


def _write(target: Path, text: str, check: Callable[[Path], None]) -> None:
    """Aside, checked there, then renamed; readable by its owner alone, as a configuration may hold keys."""
    try:
        handle, name = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise _unwritable(target, error) from None
    aside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        check(aside)
        aside.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        aside.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot be written ({error.strerror or error})", place=str(path), remedy="let the gateway write to its folder"
    )
