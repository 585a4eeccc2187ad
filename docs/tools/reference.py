"""Fills the pages below `reference/` from the code when the site is built, so that they can't fall behind it.

Each page has a line `<!-- generated -->`, which its maker's Markdown replaces. A page without the line, or a maker
that finds something untold, fails the build.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from reference_cli import commands_page
from reference_config import configuration_page
from reference_http import http_page
from reference_python import python_page

PLACE = "<!-- generated -->"
PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli": commands_page,
    "reference/configuration": configuration_page,
    "reference/http": http_page,
    "reference/python": python_page,
}


def fill(app: Any, docname: str, source: list[str]) -> None:  # noqa: ARG001  (Sphinx passes it)
    """Puts what a page's maker says in its place.

    Raises:
        ValueError: a page of the table has no place for it.
    """
    if docname in PAGES:
        if PLACE not in source[0]:
            raise ValueError(f"{docname} has no line {PLACE}")
        source[0] = source[0].replace(PLACE, PAGES[docname]())


SEVERAL = re.compile(r"(?P<indent>\s+)(?P<names>\w+(?:, \w+)+): (?P<told>.+)")


def apart(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: ARG001
    """A docstring's line for several names, `a, b: …`, as a line for each."""
    found = [(at, SEVERAL.fullmatch(line)) for at, line in enumerate(lines)]
    for at, line in reversed(found):
        if line is not None:
            each = line["names"].split(", ")
            lines[at : at + 1] = [f"{line['indent']}{one}: {line['told']}" for one in each]


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", apart, priority=400)  # before napoleon
    return {"parallel_read_safe": True}
