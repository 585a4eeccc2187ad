"""Fields of a request's body, each of the type it must have, or a refusal that names it. No I/O.

A field that is null is one that is not there, as all the APIs read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.serve.wire.errors import Refusal

# More tokens than any model writes; a number beyond it is a mistake, and sums of money stay in 64 bits below it.
MOST_TOKENS = 2**31 - 1


def malformed(message: str, param: str | None = None) -> Refusal:
    """The refusal of a field."""
    return Refusal("invalid_request_error", message, param=param)


def whole(body: Mapping[str, Any], name: str, *, least: int = 0, most: int = MOST_TOKENS) -> int | None:
    """A whole number, None where there is none.

    Raises:
        Refusal: it is something else, or not within the limits.
    """
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        raise malformed(f"`{name}` must be a whole number from {least} to {most}.", name)
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """True or false, false where there is none.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None or value is False:
        return False
    if value is not True:
        raise malformed(f"`{name}` must be true or false.", name)
    return True


def text(body: Mapping[str, Any], name: str) -> str | None:
    """A string, None where there is none.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise malformed(f"`{name}` must be a string.", name)


def listed(body: Mapping[str, Any], name: str) -> list[Any]:
    """A list, empty where there is none.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"`{name}` must be a list.", name)
    return value


def objects(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects, empty where there is none.

    Raises:
        Refusal: it is something else, or one of them is.
    """
    values = listed(body, name)
    for place, value in enumerate(values):
        if not isinstance(value, dict):
            raise malformed(f"`{name}[{place}]` must be an object.", f"{name}[{place}]")
    return values


def keyed(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, empty where there is none.

    Raises:
        Refusal: it is something else.
    """
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(f"`{name}` must be an object.", name)
    return value
