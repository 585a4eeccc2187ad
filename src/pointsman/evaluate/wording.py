"""Figures and parameters as words, the same in every table and picture.

Takes numbers, parameters and settings; gives short texts: three significant figures of money, no false precision, a
dash for NaN. Rounds for the eye only, and computes nothing.
"""

from __future__ import annotations

import math

from pointsman.evaluate.summary import AXES, Setting, Value


def quantity(value: float) -> str:
    """A count or a sum of scores: 2,881 from a hundred on, 28.8 below, a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


def deviation(value: float, mean: float) -> str:
    """A standard deviation, no finer than its mean unless it is below one."""
    return f"{value:,.0f}" if value < 0.05 or (abs(mean) >= 100 and value >= 1) else f"{value:,.1f}"


def money(value: float) -> str:
    """US dollars to three significant figures: $0.766, $12.3, $1,230."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "$0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"${value:,.{places}f}"


def percent(value: float) -> str:
    """A share as a percentage with one decimal, without the sign: 76.7."""
    return "–" if math.isnan(value) else f"{100 * value:,.1f}"


def value_text(value: Value) -> str:
    """A parameter's value as its author would write it: 10,000 queries, factor 0.25, alpha 0.0001."""
    if isinstance(value, int) and value >= 1000:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


_AXIS_WORDS = {
    "test": "{} test queries",
    "factor": "budget factor {}",
    "split": "{} split",
    "scenario": "{} arrivals",
    "history": "{} queries of history",
    "models": "{} models",
}
AXIS_TITLES = {
    "test": "volume",
    "factor": "budget",
    "split": "the split of the budget",
    "scenario": "scenario",
    "history": "history",
    "models": "number of models",
    "k": "neighbours",
    "alpha": "PORT's alpha",
    "eps": "PORT's epsilon",
}
_SCENARIO_WORDS = {
    "iid": "arrivals in random order",
    "shift": "topics shift half-way",
    "burst": "bursty arrivals",
    "volume-low": "half the forecast volume",
    "volume-high": "double the forecast volume",
    "outage": "one model out for a fifth of the time",
    "rate-cut": "one model's rate cut",
}


def axis_words(axis: str, value: Value) -> str:
    """One parameter and its value as words."""
    if axis == "scenario":
        return _SCENARIO_WORDS.get(str(value), str(value))
    return _AXIS_WORDS.get(axis, axis + " {}").format(value_text(value))


def setting_words(setting: Setting) -> str:
    """A setting as words, for titles."""
    words = [axis_words(axis, getattr(setting, axis)) for axis in AXES]
    return ", ".join(words)
