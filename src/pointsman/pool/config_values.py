"""Single values of the configuration: numbers, money, times, sizes, addresses. Each names its line when it's wrong.

Numbers are read from the text in the file, never through a float, except where a setting is a float itself. A
secret's text appears in no error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

from pointsman.pool.config_nodes import Entry, nearest

NANO = 1_000_000_000
SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3_600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
NUMBER = re.compile(r"[+-]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
MOST = Decimal(10) ** 15
FINEST = -18

Chosen = TypeVar("Chosen")


def exact(entry: Entry, *, least: int | str = 0, most: int | str | Decimal = MOST) -> Decimal:
    """A number, exact.

    Raises:
        InputError: no number, more than 18 decimals, or outside [least, most].
    """
    written = entry.text
    found = _decimal(written) if NUMBER.fullmatch(written) else None
    if found is None:
        raise entry.refusal(f"`{entry.name}: {entry.written}` is no number", "write for example 0.15")
    if _places(found) > -FINEST:
        raise entry.refusal(f"`{entry.name}: {entry.written}` has more than {-FINEST} decimals", "round it")
    if not Decimal(least) <= found <= Decimal(most):
        raise entry.refusal(f"`{entry.name}: {entry.written}` is out of range", f"use {least} to {_shown(most)}")
    return found


def _decimal(written: str) -> Decimal | None:
    try:
        return Decimal(written.replace("_", ""))
    except InvalidOperation:
        return None


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _shown(bound: int | str | Decimal) -> str:
    return f"{bound:.0e}" if isinstance(bound, Decimal) else str(bound)


def number(*, least: int | str = 0, most: int | str | Decimal = MOST) -> Callable[[Entry], float]:
    """A reader of floats in a range."""
    return lambda entry: float(exact(entry, least=least, most=most))


def whole(*, least: int = 0, most: int | Decimal = MOST) -> Callable[[Entry], int]:
    """A reader of whole numbers in a range; `200_000` and `2e5` are whole."""

    def read(entry: Entry) -> int:
        found = exact(entry, least=least, most=most)
        if found != found.to_integral_value():
            raise entry.refusal(f"`{entry.name}: {entry.written}` is not whole", "leave the decimals out")
        return int(found)

    return read


def nano(entry: Entry) -> int:
    """US dollars as whole nano-dollars.

    Raises:
        InputError: no number, negative, or finer than a nano-dollar.
    """
    found = exact(entry, most=10**9) * NANO
    if found != found.to_integral_value():
        raise entry.refusal(f"`{entry.name}: {entry.written}` is finer than a nano-dollar", "use at most 9 decimals")
    return int(found)


def seconds(entry: Entry) -> float:
    """A length of time, such as `200ms`, `30s`, `10m`, `24h`, `7d`, `2w` or `0`."""
    return float(span(entry))


def span(entry: Entry) -> Decimal:
    """A length of time in seconds, exact.

    Raises:
        InputError: no number with a unit of time.
    """
    written = entry.text
    if written == "0":
        return Decimal(0)
    found = QUANTITY.fullmatch(written)
    if found is None or found[2] not in SECONDS:
        raise entry.refusal(
            f"`{entry.name}: {entry.written}` is no length of time",
            "write a number and a unit: 200ms, 30s, 10m, 24h or 7d",
        )
    length = Decimal(found[1]) * SECONDS[found[2]]
    if length > 100 * 366 * SECONDS["d"]:
        raise entry.refusal(f"`{entry.name}: {entry.written}` is more than a hundred years", "write a shorter time")
    return length


def positive(read: Callable[[Entry], float]) -> Callable[[Entry], float]:
    """The same reader, with zero refused."""

    def checked(entry: Entry) -> float:
        found = read(entry)
        if found <= 0:
            raise entry.refusal(f"`{entry.name}: {entry.written}` is not above zero", "write more, or leave it out")
        return found

    return checked


def size(entry: Entry) -> int:
    """A number of bytes, such as `64KB` or `20MB`, in powers of 1024; at least one kilobyte.

    Raises:
        InputError: no size, or not of whole bytes.
    """
    found = QUANTITY.fullmatch(entry.text)
    if found is None or found[2].upper() not in BYTES:
        raise entry.refusal(f"`{entry.name}: {entry.written}` is no size", "write for example 64KB or 20MB")
    count = Decimal(found[1]) * BYTES[found[2].upper()]
    if count != count.to_integral_value() or not 1024 <= count <= 2**40:
        raise entry.refusal(f"`{entry.name}: {entry.written}` is out of range", "use whole bytes, 1KB to 1024GB")
    return int(count)


def truth(entry: Entry) -> bool:
    """True or false.

    Raises:
        InputError: anything else.
    """
    known = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    written = entry.text.lower()
    if written not in known:
        raise entry.refusal(f"`{entry.name}: {entry.written}` is neither true nor false", "write true or false")
    return known[written]


def day(entry: Entry) -> date:
    """A date, such as 2026-01-31.

    Raises:
        InputError: no date.
    """
    try:
        return date.fromisoformat(entry.text)
    except ValueError:
        raise entry.refusal(f"`{entry.name}: {entry.written}` is no date", "write for example 2026-01-31") from None


def text(entry: Entry) -> str:
    """A text without control characters; it may come from the environment, so no error quotes it.

    Raises:
        InputError: none there.
    """
    return _printable(entry, entry.text)


def name(entry: Entry) -> str:
    """A text as it stands in the file: an id, a name, a pattern or a tag.

    Raises:
        InputError: none there.
    """
    return _printable(entry, entry.written)


def _printable(entry: Entry, found: str) -> str:
    if not found or not found.isprintable():
        raise entry.refusal(f"`{entry.name}` is empty or cannot be shown", "write plain characters")
    return found


def names(entry: Entry) -> tuple[str, ...]:
    """A list of names, none twice; a single one is a list of one.

    Raises:
        InputError: an empty list, or a name twice.
    """
    found = [(one, name(one)) for one in (entry.items() if entry.is_list else [entry])]
    for index, (one, value) in enumerate(found):
        if value in [earlier for _, earlier in found[:index]]:
            raise one.refusal(f"{value!r} stands twice in `{entry.name}`", "remove one of them")
    if not found:
        raise entry.refusal(f"`{entry.name}` is an empty list", f"list something, or leave `{entry.name}` out")
    return tuple(value for _, value in found)


def choice(known: Sequence[Chosen]) -> Callable[[Entry], Chosen]:
    """A reader of one of a few words."""

    def read(entry: Entry) -> Chosen:
        return one_of(entry, known)

    return read


def choices(known: Sequence[Chosen]) -> Callable[[Entry], frozenset[Chosen]]:
    """A reader of a list of some of a few words; it may be empty."""

    def read(entry: Entry) -> frozenset[Chosen]:
        return frozenset(one_of(one, known) for one in (entry.items() if entry.is_list else [entry]))

    return read


def one_of(entry: Entry, known: Sequence[Chosen]) -> Chosen:
    """The member of `known` that an entry says.

    Raises:
        InputError: none is; says which is nearest.
    """
    for one in known:
        if one == entry.text:
            return one
    remedy = nearest(entry.written, [str(one) for one in known])
    raise entry.refusal(f"{entry.written!r} is unknown in `{entry.name}`", remedy)


def secret(entry: Entry) -> str | None:
    """A key that can be sent in a header; None where `none` is written. Its text appears in no error.

    Raises:
        InputError: empty, a variable that isn't set, or characters that no header can carry.
    """
    found = entry.text
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise entry.refusal(f"`{entry.name}` holds characters that no key has", "give the key as one ASCII word")
    return None if found == "none" else found


def headers(entry: Entry) -> dict[str, str]:
    """Header names and values; a value's text appears in no error.

    Raises:
        InputError: a name or a value that HTTP doesn't allow.
    """
    found = {}
    for name, value in entry.pairs().items():
        if not HEADER_NAME.fullmatch(name):
            raise value.refusal(f"{name!r} is no header name", "use letters, digits and dashes")
        if not (value.text.isascii() and value.text.isprintable()):
            raise value.refusal(f"header `{name}` holds characters that no header has", "use ASCII")
        found[name.lower()] = value.text
    return found


def address(entry: Entry, *, query: bool = False) -> str:
    """An http or https address without a final slash; it may end in a query where `query` allows it.

    Raises:
        InputError: no scheme or host; a user, a query or a fragment in it.
    """
    found = entry.text.rstrip("/")
    try:
        parts = urlsplit(found)
        port = parts.port
    except ValueError:
        raise entry.refusal(f"`{entry.name}` is no address", "write for example https://api.example.com/v1") from None
    sound = found.isascii() and found.isprintable() and " " not in found and port != 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or not sound:
        raise entry.refusal(f"`{entry.name}` is no address", "write for example https://api.example.com/v1")
    if parts.username is not None or parts.fragment or (parts.query and not query):
        raise entry.refusal(
            f"`{entry.name}` holds a user, a query or a fragment", "leave them out; `key` and `headers` carry secrets"
        )
    return found


def on_loopback(host: str) -> bool:
    """Whether a host is this machine, and nobody else's."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def matching(entry: Entry, known: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The known names that fit any of the patterns (`*`, `?` and `[…]` as in a shell), in their own order.

    Raises:
        InputError: a pattern that fits none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise entry.refusal(f"{pattern!r} in `{entry.name}` fits no model", nearest(pattern, known))
    return tuple(name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns))
