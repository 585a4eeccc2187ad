"""Figures as words."""

from __future__ import annotations

import math

import pytest

from pointsman.evaluate.wording import deviation, money, percent, quantity, value_text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (quantity(2880.6), "2,881"),
        (quantity(28.84), "28.8"),
        (quantity(math.nan), "–"),
        (deviation(29.2, 2983), "29"),
        (deviation(0.25, 2983), "0.2"),
        (deviation(1.25, 12), "1.2"),
        (deviation(0.0, 576), "0"),
        (money(0.7659), "$0.766"),
        (money(0.00012345), "$0.000123"),
        (money(12.34), "$12.3"),
        (money(1234.5), "$1,234"),
        (money(0), "$0"),
        (money(math.nan), "–"),
        (percent(0.7666), "76.7"),
        (percent(math.nan), "–"),
        (value_text(10000), "10,000"),
        (value_text(0.0001), "0.0001"),
        (value_text("weighted"), "weighted"),
    ],
)
def test_figures_as_words(shown: str, expected: str) -> None:
    """Three significant figures of money, no false precision, a dash for what is missing."""
    assert shown == expected
