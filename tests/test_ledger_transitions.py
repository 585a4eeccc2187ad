"""The table of a hold's life, and the diagram of it in the documentation."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

from pointsman.ledger.transitions import FIRST, LAST, TABLE, EndKind, Event, State, diagram

DOCS = Path(__file__).parent.parent / "docs" / "ledger.md"


def test_the_documented_diagram_is_the_table() -> None:
    """docs/ledger.md shows the diagram that the table draws."""
    assert f"```mermaid\n{diagram()}\n```" in DOCS.read_text(encoding="utf-8")


def test_a_hold_is_made_once_and_ended_once() -> None:
    """From nothing there is one way, from held one for each ending, and from an end there is none."""
    ways = {pair for pair in product(get_args(State), get_args(Event)) if pair in TABLE}
    assert ways == {(FIRST, "hold"), *(("held", kind) for kind in get_args(EndKind))}
    assert {TABLE["held", kind] for kind in get_args(EndKind)} == LAST
