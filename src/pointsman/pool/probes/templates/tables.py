"""Reading a small table: a cell, a total, a row that fits, an average under a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, number, one, some, text
from pointsman.pool.probes.phrases import phrases, say

SKILL = "tables"


@dataclass(frozen=True, slots=True)
class Row:
    """One product in a stock list."""

    item: str
    colour: str
    stock: int
    cost: int


def _rows(rng: Generator, language: str, count: int) -> list[Row]:
    items: Sequence[str] = phrases()["goods"][language]
    colours: Sequence[str] = phrases()["colours"][language]
    stocks, costs = some(rng, range(11, 98), count), some(rng, range(3, 60), count)
    chosen = some(rng, items, count)
    picked = [one(rng, colours[:3]) for _ in range(count)]
    return [Row(*cells) for cells in zip(chosen, picked, stocks, costs, strict=True)]


def _shown(rows: Sequence[Row], language: str) -> str:
    head: str = say("tables.head", language)
    body = [f"| {row.item} | {row.colour} | {row.stock} | {row.cost} |" for row in rows]
    return "\n".join([head, "|---|---|---|---|", *body])


def _asked(rows: Sequence[Row], question: str, language: str) -> str:
    return f"{_shown(rows, language)}\n\n{question}"


def cell(rng: Generator, language: str) -> Draft:
    """One cell."""
    rows = _rows(rng, language, 4)
    row = one(rng, rows)
    return number(_asked(rows, say("tables.cell", language, item=row.item), language), row.stock, language)


def most(rng: Generator, language: str) -> Draft:
    """The row with the largest value."""
    rows = _rows(rng, language, 6)
    ranked = sorted(rows, key=lambda row: row.cost)
    return text(_asked(rows, say("tables.most", language), language), ranked[-1].item, ranked[0].item)


def total(rng: Generator, language: str) -> Draft:
    """A total over the rows of one colour."""
    rows = _rows(rng, language, 7)
    colour = rows[0].colour
    answer = sum(row.stock for row in rows if row.colour == colour)
    question = say("tables.total", language, colour=colour)
    return number(_asked(rows, question, language), answer, language)


def worth(rng: Generator, language: str) -> Draft:
    """A total of products over the rows that fit two conditions."""
    rows = _rows(rng, language, 10)
    least = sorted(row.stock for row in rows)[3]
    colour = one(rng, [row.colour for row in rows if row.stock > least])
    answer = sum(row.stock * row.cost for row in rows if row.stock > least and row.colour == colour)
    question = say("tables.worth", language, least=least, colour=colour)
    return number(_asked(rows, question, language), answer, language)


def second(rng: Generator, language: str) -> Draft:
    """The second largest product of two columns."""
    rows = _rows(rng, language, 8)
    while len({row.stock * row.cost for row in rows}) < len(rows):
        rows = _rows(rng, language, 8)
    ranked = sorted(rows, key=lambda row: -row.stock * row.cost)
    return text(_asked(rows, say("tables.second", language), language), ranked[1].item, ranked[0].item)


TEMPLATES = (
    Template("cell", SKILL, "easy", "en en de es fr", cell),
    Template("most", SKILL, "easy", "en en", most),
    Template("total", SKILL, "medium", "en en de es fr", total),
    Template("worth", SKILL, "hard", "en en", worth),
    Template("second", SKILL, "hard", "en en en", second),
)
