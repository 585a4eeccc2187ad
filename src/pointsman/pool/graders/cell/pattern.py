"""The job of a regular expression: the search by itself, where it can be ended however long it would take."""

from __future__ import annotations

import re
from typing import Any


def run(subject: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Whether the pattern is found in the text, or is all of it."""
    pattern = re.compile(asked["pattern"])
    found = pattern.fullmatch(subject) if asked["full"] else pattern.search(subject)
    return {"right": found is not None, "why": "the pattern fits" if found else "the pattern doesn't fit"}
