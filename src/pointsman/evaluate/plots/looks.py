"""The colours: ink and paper, one look a policy in every picture, and what can be read on white.

Takes a policy's name or a colour; gives its line's colour, width, dashes and marker, and a darker colour for text.
Colours survive colour blindness (Okabe and Ito 2008, two of Paul Tol's); what pools the budgets is dashed, a
reference dotted. Refuses no name: one that nobody knows has a look of its own. Draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pointsman.evaluate.roster import policy_named
from pointsman.records import Floats

INK, FAINT, PAPER = "#1f2328", "#656d76", "#ffffff"


@dataclass(frozen=True, slots=True)
class Look:
    """How a policy's line is drawn: its colour, width in points, dashes and marker."""

    colour: str
    width: float = 1.3
    dashes: Any = "solid"
    marker: str = "o"


GREY = "#a3a9b1"
LOOKS = {
    "port": Look("#D55E00", 2.4),
    "paced": Look("#0072B2", 3.2),
    "paced-pooled": Look("#56B4E9", 2.4, (0, (4, 1.5))),
    "batchsplit-prorated": Look("#009E73", 2.0, marker="s"),
    "greedy-feasible": Look("#CC79A7", 1.8, marker="^"),
    "mirror-descent": Look("#882255", 1.8, marker="D"),
    "pid-pacing": Look("#999933", 1.8, marker="v"),
    "cheapest-pooled": Look("#E69F00", 2.0, (0, (4, 1.5)), "s"),
    "approx-optimum": Look("#30363d", 1.6, (0, (1, 1.6)), "None"),
    "optimum": Look("#30363d", 1.6, (0, (1, 1.6)), "None"),
    "random": Look(GREY, marker="o"),
    "greedy-perf": Look(GREY, marker="^"),
    "greedy-cost": Look(GREY, marker="v"),
    "knn-perf": Look(GREY, marker="<"),
    "knn-cost": Look(GREY, marker=">"),
    "batchsplit": Look("#7d858e", 1.6, marker="s"),
    "text-perf": Look(GREY, marker="D"),
    "text-cost": Look(GREY, marker="P"),
}


def look_of(policy: str) -> Look:
    """A policy's own look; on other estimates (`NAME@SOURCE`) the same, thinner."""
    plain, _, source = policy.partition("@")
    look = LOOKS.get(plain, Look("#6f42c1", 1.8, marker="X"))
    return replace(look, width=0.6 * look.width, marker="X") if source else look


def marked(name: str) -> str:
    """A policy's name, with a dagger if it pools the budgets."""
    return f"{name} †" if policy_named(name).pooled else name


def rgb_of(colour: str) -> Floats:
    """A colour such as #0072B2 as three floats in [0, 1]."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def text_colour(colour: str) -> str:
    """The colour, darkened until it can be read on white (contrast of at least 4.5, WCAG 2)."""
    rgb = rgb_of(colour)
    while 1.05 / (luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.94
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def luminance(rgb: Floats) -> float:
    """How light a colour is, from 0 to 1 (WCAG 2)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))
