"""The `funds` and `aliases` of a configuration. Whatever could never have an effect is refused.

A fund that no model can draw on, a pattern that fits nothing, an alias without candidates: each would be a limit or a
choice that somebody relies on and that isn't there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pointsman.pool.cards import Model
from pointsman.pool.config_nodes import Entry, nearest
from pointsman.pool.config_values import choice, matching, name, names, nano, number, seconds, span, whole
from pointsman.pool.settings import Alias, FundRule, Scarcity, WindowRule
from pointsman.records import UNITS, Unit

FUND_KEYS = ("name", "amount", "unit", "window", "zone", "models", "providers", "keys", "tags", "pace")
ALIAS_KEYS = ("models", "trade_off", "max_cost_usd", "tags", "scarcity", "queue")
PERIODS = ("minute", "hour", "day", "week", "month", "year")
OF_KEYS = "key:"  # begins the names of the funds that virtual keys bring along
AUTO = "auto"
OWN = "pointsman/"


def read_funds(entry: Entry, models: Sequence[Model]) -> tuple[FundRule, ...]:
    """The funds of the file, in its order.

    Raises:
        InputError: a malformed fund, a name twice, or a rule that nothing can draw on; with the line.
    """
    funds: dict[str, FundRule] = {}
    for one in entry.items():
        fund = _fund(one, models)
        if fund.name in funds:
            raise one.refusal(f"fund {fund.name!r} is given twice", "give funds unique names")
        funds[fund.name] = fund
    return tuple(funds.values())


def _fund(entry: Entry, models: Sequence[Model]) -> FundRule:
    given = entry.fields(FUND_KEYS)
    for key in ("name", "amount"):
        if key not in given:
            raise entry.refusal(f"the fund has no `{key}`", f"add `{key}: …`")
    title = name(given["name"])
    if title.startswith(OF_KEYS):
        raise entry.refusal(f"a fund's name begins with {OF_KEYS!r}", "use another one; these belong to virtual keys")
    unit: Unit = choice(UNITS)(given["unit"]) if "unit" in given else "usd"
    ids, providers = _drawing(given, models)
    window = _window(given)
    if "pace" in given and (unit != "usd" or window.kind != "none"):
        raise given["pace"].refusal("`pace` has no effect on this fund", "it is for US dollars without a `window`")
    return FundRule(
        name=title,
        amount=nano(given["amount"]) if unit == "usd" else whole()(given["amount"]),
        unit=unit,
        window=window,
        models=ids,
        providers=providers,
        keys=names(given["keys"]) if "keys" in given else (),
        tags=names(given["tags"]) if "tags" in given else (),
        pace_over_s=_whole_seconds(given["pace"]) if "pace" in given else FundRule("", 0).pace_over_s,
    )


def _drawing(given: Mapping[str, Entry], models: Sequence[Model]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids and providers that draw on a fund; one model at least must be among both."""
    known = [model.id for model in models]
    ids = _ids(given["models"], known) if "models" in given else ()
    if "providers" not in given:
        return ids, ()
    entry = given["providers"]
    providers, there = names(entry), {model.provider for model in models}
    for one in providers:
        if one not in there:
            raise entry.refusal(f"no model is of provider {one!r}", nearest(one, sorted(there)))
    if ids and not any(one.partition("/")[0] in providers for one in ids):
        raise entry.refusal("none of the fund's `models` is of its `providers`", "leave one of the two out")
    return ids, providers


def _ids(entry: Entry, known: Sequence[str]) -> tuple[str, ...]:
    """Exact ids for patterns; empty where the patterns fit every model."""
    found = matching(entry, known, names(entry))
    return () if len(found) == len(known) and "*" in names(entry) else found


def _window(given: Mapping[str, Entry]) -> WindowRule:
    entry = given.get("window")
    if entry is None or (not entry.is_mapping and entry.text == "none"):
        return _zoned(WindowRule(), given)
    if not entry.is_mapping:
        return _zoned(_written_window(entry), given)
    inner = entry.fields(("calendar", "rolling", "zone"))
    if ("calendar" in inner) == ("rolling" in inner):
        raise entry.refusal("the window is neither or both of `calendar` and `rolling`", "write one of them")
    if "zone" in inner and "zone" in given:
        raise given["zone"].refusal("`zone` is given twice", "leave one of them out")
    if "rolling" in inner:
        return _zoned(_rolling(inner["rolling"]), {**given, **inner})
    return _zoned(WindowRule("calendar", every=choice(PERIODS)(inner["calendar"])), {**given, **inner})


def _written_window(entry: Entry) -> WindowRule:
    if entry.text == "1mo":
        return WindowRule("calendar", every="month")
    if entry.text.endswith("mo"):
        raise entry.refusal(f"`window: {entry.written}` is unknown", "months are `1mo`; use days for other lengths")
    return _rolling(entry)


def _rolling(entry: Entry) -> WindowRule:
    return WindowRule("rolling", length_s=_whole_seconds(entry))


def _whole_seconds(entry: Entry) -> int:
    length = span(entry)
    if length < 1 or length != length.to_integral_value():
        raise entry.refusal(f"`{entry.name}: {entry.written}` is not of whole seconds", "use at least 1s")
    return int(length)


def _zoned(window: WindowRule, given: Mapping[str, Entry]) -> WindowRule:
    if "zone" not in given:
        return window
    entry = given["zone"]
    if window.kind != "calendar":
        raise entry.refusal("`zone` has no effect without a calendar window", "leave it out, or write `window: 1mo`")
    try:
        return WindowRule("calendar", every=window.every, zone=str(ZoneInfo(name(entry))))
    except (KeyError, ValueError, OSError):
        raise entry.refusal(f"time zone {entry.written!r} is unknown", "write for example Europe/Berlin") from None


def read_aliases(entry: Entry, models: Sequence[Model]) -> tuple[Alias, ...]:
    """The aliases of the file, after `auto`, which is always there.

    Raises:
        InputError: a malformed alias, one named as a model, or one without candidates; with the line.
    """
    found = {AUTO: Alias(AUTO)}
    ids = {model.id for model in models}
    for title, one in entry.pairs().items():
        if title in ids:
            raise one.refusal(f"alias {title!r} is named as a model", "rename it; a model's id asks for that model")
        if not title or not title.isprintable() or title.startswith(OWN):
            raise one.refusal(f"{title!r} is no name for an alias", f"leave {OWN!r} out, and write something")
        found[title] = Alias(title) if one.is_null else _alias(title, one, models)
    return tuple(found.values())


def _alias(title: str, entry: Entry, models: Sequence[Model]) -> Alias:
    given = entry.fields(ALIAS_KEYS)
    ids = _ids(given["models"], [model.id for model in models]) if "models" in given else ()
    tags = names(given["tags"]) if "tags" in given else ()
    if not any(model.tags >= set(tags) for model in models if not ids or model.id in ids):
        raise entry.refusal(f"no model of alias {title!r} has all of its `tags`", "give a model these tags")
    fields: dict[str, Any] = {}
    if "scarcity" in given:
        fields["scarcity"] = choice(get_args(Scarcity))(given["scarcity"])
    if "queue" in given:
        if fields.get("scarcity") != "queue":
            raise given["queue"].refusal("`queue` has no effect here", "add `scarcity: queue`, or leave it out")
        fields["queue_s"] = seconds(given["queue"])
    return Alias(
        name=title,
        models=ids,
        trade_off=number(most=10)(given["trade_off"]) if "trade_off" in given else None,
        max_cost_nano=nano(given["max_cost_usd"]) if "max_cost_usd" in given else None,
        tags=tags,
        **fields,
    )
