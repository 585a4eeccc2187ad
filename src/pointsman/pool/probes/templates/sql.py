"""SQL: questions about three small tables, in SQLite's dialect. The rows are drawn; the questions are in `sql.yaml`.

Each question carries two queries that were written in different ways: one for the grader, the other the right reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, one, some
from pointsman.pool.probes.phrases import packaged

SKILL = "sql"
TABLES = """CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, day TEXT, total INTEGER);
CREATE TABLE lines (order_id INTEGER, product TEXT, quantity INTEGER);"""
CUSTOMERS = ("Adler", "Brandt", "Castro", "Dupont", "Evans", "Fabre", "Gomez", "Hansen", "Ito", "Jansen")
CITIES = ("Arden", "Belmar", "Corvo")
PRODUCTS = ("lamp", "chair", "desk", "shelf", "rug")


def data(rng: Generator) -> str:
    """The tables with rows in them; every order's day and total is unlike any other's, two customers never order."""
    people = enumerate(some(rng, CUSTOMERS, len(CUSTOMERS)), start=1)
    made = [TABLES, *(_row("customers", place, name, CITIES[place % len(CITIES)]) for place, name in people)]
    day = date(2025, 1, 3)
    for order, total in enumerate(some(rng, range(60, 990), 25), start=1):
        day += timedelta(days=between(rng, 1, 7))
        made.append(_row("orders", order, between(rng, 1, 8), day.isoformat(), total))
        bought = some(rng, PRODUCTS, between(rng, 1, 3))
        made += [_row("lines", order, product, between(rng, 1, 6)) for product in bought]
    return "\n".join(made)


def _row(table: str, *values: object) -> str:
    """A row of our own plain words and numbers, which Python and SQL write alike."""
    return f"INSERT INTO {table} VALUES {values!r};"  # noqa: S608


def asked(question: Mapping[str, Any], rng: Generator, language: str) -> Draft:
    """One question, its blanks filled, with rows of its own."""
    blanks = {"city": one(rng, CITIES), "product": one(rng, PRODUCTS), "amount": between(rng, 30, 60) * 10}
    said: dict[str, str] = {key: question[key].format(**blanks) for key in ("answer", "right", "wrong")}
    prompt = f"{TABLES}\n\n{question['prompt'][language].format(**blanks)}"
    ordered = bool(question.get("ordered", False))
    grader = {"kind": "sql", "schema": data(rng), "answer": said["answer"], "ordered": ordered}
    return Draft(prompt, grader, Reply(f"```sql\n{said['right']}\n```"), Reply(f"```sql\n{said['wrong']}\n```"), 160)


def _templates() -> tuple[Template, ...]:
    questions = packaged("sql.yaml")["questions"]
    return tuple(
        Template(each["name"], SKILL, each["difficulty"], " ".join(each["prompt"]), partial(asked, each))
        for each in questions
    )


TEMPLATES = _templates()
