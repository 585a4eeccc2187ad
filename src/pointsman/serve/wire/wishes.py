"""What a client asks of the router itself: headers `x-pointsman-*` and the body's object `pointsman`, which wins.

Takes parsed values, gives `Wishes`. A name that isn't known is refused: a limit with a slip of the pen in its name
would otherwise be one that isn't kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.fields import malformed
from pointsman.serve.wire.query import Wishes

PREFIX = "x-pointsman-"
MOST_NAMES = 64
NAME_CHARS = 256
MOST_COST_USD = 1_000_000
NANO = 1_000_000_000

_NONE = Wishes()
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def read_wishes(headers: Mapping[str, str], given: Any = None) -> Wishes:
    """The wishes of one request.

    Args:
        headers: by lower-case name.
        given: the body's `pointsman`, None where there is none.

    Raises:
        Refusal: a name that isn't known, or a value that can't be read; names it.
    """
    named = [name for name in headers if name.startswith(PREFIX)]
    if not named and given is None:
        return _NONE
    if given is not None and not isinstance(given, dict):
        raise malformed("`pointsman` must be an object.", "pointsman")
    read: dict[str, Any] = {}
    for name in named:
        _take(read, name.removeprefix(PREFIX).replace("-", "_"), headers[name], name)
    for name, value in (given or {}).items():
        if value is not None:
            _take(read, name, value, f"pointsman.{name}")
    return Wishes(**read)


def _take(read: dict[str, Any], name: str, value: Any, param: str) -> None:
    if name not in _READERS:
        raise malformed(f"`{param}` is not known; there are {', '.join(_READERS)}.", param)
    field, reader = _READERS[name]
    read[field] = reader(value, param)


def _names(value: Any, param: str) -> tuple[str, ...]:
    """A list of names, or one text with commas between them."""
    if isinstance(value, str):
        value = [part for each in value.split(",") if (part := each.strip())]
    if not isinstance(value, list) or len(value) > MOST_NAMES:
        raise malformed(f"`{param}` must be a list of at most {MOST_NAMES} names.", param)
    return tuple(_name(each, param) for each in value)


def _name(value: Any, param: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_CHARS:
        raise malformed(f"`{param}` must be text of 1 to {NAME_CHARS} characters.", param)
    return value


def _trade_off(value: Any, param: str) -> float:
    number = _number(value, param)
    if not 0 <= number <= 10:
        raise malformed(f"`{param}` must be a number from 0 (quality alone) to 10 (the cheapest).", param)
    return float(number)


def _cost_nano(value: Any, param: str) -> int:
    """US dollars in whole nano-dollars, never more than was said."""
    number = _number(value, param)
    if not 0 <= number <= MOST_COST_USD:
        raise malformed(f"`{param}` must be US dollars from 0 to {MOST_COST_USD}.", param)
    return int(number * NANO)


def _number(value: Any, param: str) -> Decimal:
    """A finite number, exactly as it was written."""
    refusal: Refusal = malformed(f"`{param}` must be a number.", param)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refusal
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise refusal from None
    if not number.is_finite():
        raise refusal
    return number


def _flag(value: Any, param: str) -> bool:
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower())
    if not isinstance(value, bool):
        raise malformed(f"`{param}` must be true or false.", param)
    return value


_READERS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "models": ("models", _names),
    "trade_off": ("trade_off", _trade_off),
    "max_cost_usd": ("max_cost_nano", _cost_nano),
    "session": ("session", _name),
    "tags": ("tags", _names),
    "residency": ("residency", _names),
    "debug": ("debug", _flag),
    "stream_cost": ("stream_cost", _flag),
}
