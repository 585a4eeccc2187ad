"""Shapes of records: what a field says by its type, what a shape adds, what comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.checked import Shape, amount, json_value, text


@dataclass(frozen=True)
class Stay:
    """Something to check."""

    guest: str
    nights: int
    bill: Mapping[str, float]
    note: str = ""


STAY = Shape(Stay, lambda stay: "no night" if stay.bill and not stay.nights else "", guest=text)


def test_a_record_by_hand() -> None:
    """Types say what is checked unless the shape does; a default is no excuse for a missing field."""
    raw = {"guest": "Ada", "nights": 2, "bill": {"bed": 80}, "note": ""}
    stay = STAY.read(raw, "here", "")
    assert stay == Stay("Ada", 2, {"bed": 80.0})
    assert STAY.values(stay, "here") == raw
    for change, told in (
        ({"guest": ""}, "here: `guest` is '', expected text; mend it."),
        ({"note": None}, "here: `note` is None, expected text, perhaps empty; mend it."),
        ({"nights": 0}, "here: no night; mend it."),
        ({"pool": 1}, "here: `pool` is not a known field; mend it."),
    ):
        with pytest.raises(InputError) as refusal:
            STAY.read({**raw, **change}, "here", "mend it")
        assert str(refusal.value) == told
    with pytest.raises(InputError, match="`note` is missing"):
        STAY.read({name: raw[name] for name in ("guest", "nights", "bill")}, "here", "")


def test_what_is_not_finite_is_null() -> None:
    """At any depth; tuples are lists."""
    assert json_value({"a": (1.0, math.nan), "b": [math.inf]}) == {"a": [1.0, None], "b": [None]}


@given(st.floats() | st.integers() | st.booleans() | st.none() | st.text())
def test_amounts_are_finite_and_not_negative(value: object) -> None:
    """A number from zero up that a float can hold is given back; all else is told."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        assert amount(value) == float(value)
    else:
        with pytest.raises(ValueError, match="a finite number of at least zero"):
            amount(value)
