"""Worked examples for the settings that show some: three of the kind that a question seems to be of.

Takes a question, gives turns. The kind is told by a few words alone, for example "JSON"; where none fits the examples
are mixed. Written before any probe was answered, and changed for none.
"""

from __future__ import annotations

import re

Turns = tuple[tuple[str, str], ...]

# The first that fits counts.
CUES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(cue, re.IGNORECASE | re.DOTALL | re.MULTILINE))
    for kind, cue in (
        ("sql", r"\bsql\b|\bcreate table\b"),
        ("json", r"\bjson\b"),
        ("code", r"\bwrite\b.{0,40}\b(python|function)\b|\bdef \w+\(.*\bwrite\b"),
        ("reading", r"\bdef \w+\(|\bprint\(|^\s*for \w+ in "),
        ("translating", r"\btranslat|übersetz|\btradui|\btraduc|\btradur|\bvertaal"),
        ("choice", r"^\s*\(?[A-D][).:]\s.*^\s*\(?[B-E][).:]\s"),
        ("summary", r"\bsummar"),
        ("classes", r"\bclassif|\bsentiment\b|\bcategor|\blabel\b"),
        ("numbers", r"\d.*\d"),
    )
)

EXAMPLES: dict[str, Turns] = {
    "sql": (
        (
            "Table pets(id, name, age). Write an SQL query for the names of pets older than 3.",
            "SELECT name FROM pets WHERE age > 3;",
        ),
        ("Table sales(id, shop, amount). How many sales are there? SQL only.", "SELECT COUNT(*) FROM sales;"),
        (
            "Table sales(id, shop, amount). Give the total amount of each shop in SQL.",
            "SELECT shop, SUM(amount) FROM sales GROUP BY shop;",
        ),
    ),
    "json": (
        (
            "Give name and age as JSON: Rita turned 40 in May.",
            '{"name": "Rita", "age": 40}',
        ),
        (
            "Extract item and price as JSON: The lamp was sold for 25 euros.",
            '{"item": "lamp", "price": 25}',
        ),
        (
            "Extract the cities as a JSON list: We flew from Oslo to Rome.",
            '["Oslo", "Rome"]',
        ),
    ),
    "code": (
        (
            "Write a Python function double(x) that returns twice x.",
            "```python\ndef double(x):\n    return 2 * x\n```",
        ),
        (
            "Write a Python function evens(items) that returns the even numbers of a list.",
            "```python\ndef evens(items):\n    return [item for item in items if item % 2 == 0]\n```",
        ),
        (
            "Write a Python function shout(text) that returns the text in capitals.",
            "```python\ndef shout(text):\n    return text.upper()\n```",
        ),
    ),
    "reading": (
        ("What does this print?\nprint(len('tree') + 1)", "5"),
        ("What does this print?\nx = 2\nfor i in range(3):\n    x = x + i\nprint(x)", "5"),
        ("What does f(3) return?\ndef f(n):\n    return [n, n * n]", "[3, 9]"),
    ),
    "translating": (
        ("Translate into French: The dog sleeps.", "Le chien dort."),
        ("Translate into German: I drink water.", "Ich trinke Wasser."),
        ("Translate into Spanish: The door is open.", "La puerta está abierta."),
    ),
    "choice": (
        ("Which is a fruit?\nA) chair\nB) apple\nC) river\nD) shoe", "B"),
        ("Which animal flies?\nA) horse\nB) shark\nC) eagle\nD) snail", "C"),
        ("What do cows drink?\nA) water\nB) sand\nC) ink\nD) oil", "A"),
    ),
    "summary": (
        (
            "Summarise in one sentence: The museum opened in 1912. Last year 40,000 people came to see its ships.",
            "The museum, opened in 1912, drew 40,000 people to its ships last year.",
        ),
        (
            "Summarise: Ana runs a bakery in Lyon. She bakes 300 loaves a day and sells out by noon.",
            "Ana's bakery in Lyon sells its 300 daily loaves by noon.",
        ),
        (
            "Summarise: The bridge was closed on Monday after a flood. It reopens on Friday.",
            "A flood closed the bridge on Monday; it reopens on Friday.",
        ),
    ),
    "classes": (
        ("Is the review positive or negative? 'I would buy it again.'", "positive"),
        ("Classify as sports, science or food: 'The striker scored twice.'", "sports"),
        ("Classify as sports, science or food: 'The soup needs more salt.'", "food"),
    ),
    "numbers": (
        ("What is 12 + 9?", "21"),
        ("Tom has 4 boxes of 6 eggs and eats 3 eggs. How many are left?", "21"),
        ("Solve for x: 2x + 3 = 11.", "4"),
    ),
    "tools": (
        ("Turn the lamp in the hall on.", '{"name": "switch_lamp", "arguments": {"room": "hall", "on": true}}'),
        ("How high is Mont Blanc?", "4,806 metres"),
        ("Book a table for two at Luigi's.", '{"name": "book_table", "arguments": {"place": "Luigi\'s", "people": 2}}'),
    ),
    "mixed": (
        ("What is the capital of Italy?", "Rome"),
        ("What is 12 + 9?", "21"),
        ("Name two colours, separated by a comma.", "red, blue"),
    ),
}


def kind_of(question: str) -> str:
    """What a question seems to ask for: a key of `EXAMPLES`."""
    return next((kind for kind, cue in CUES if cue.search(question)), "mixed")


def examples_for(question: str, *, tools: bool = False) -> Turns:
    """Questions with their answers, to go before it."""
    return EXAMPLES["tools" if tools else kind_of(question)]
