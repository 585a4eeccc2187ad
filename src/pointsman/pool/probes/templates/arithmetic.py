"""Arithmetic: sums, products, divisions, percentages, precedence, remainders of powers, fractions."""

from __future__ import annotations

from fractions import Fraction

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, between, number, one, text
from pointsman.pool.probes.phrases import say

SKILL = "arithmetic"


def _asked(expression: str, answer: int | float, language: str) -> Draft:
    return number(say("arithmetic.what_is", language, expression=expression), answer, language)


def add(rng: Generator, language: str) -> Draft:
    """Two two-digit numbers."""
    a, b = between(rng, 12, 89), between(rng, 12, 89)
    return _asked(f"{a} + {b}", a + b, language)


def times(rng: Generator, language: str) -> Draft:
    """The times table."""
    a, b = between(rng, 3, 12), between(rng, 3, 12)
    return _asked(f"{a} × {b}", a * b, language)


def subtract(rng: Generator, language: str) -> Draft:
    """Two two-digit numbers, the larger first."""
    b = between(rng, 11, 49)
    a = b + between(rng, 6, 48)
    return _asked(f"{a} − {b}", a - b, language)


def three_terms(rng: Generator, language: str) -> Draft:
    """Three-digit numbers, a sum and a difference."""
    a, b = between(rng, 213, 489), between(rng, 213, 489)
    c = between(rng, 117, 398)
    return _asked(f"{a} + {b} − {c}", a + b - c, language)


def multiply(rng: Generator, language: str) -> Draft:
    """Two two-digit numbers."""
    a, b = between(rng, 13, 49), between(rng, 13, 49)
    return _asked(f"{a} × {b}", a * b, language)


def divide(rng: Generator, language: str) -> Draft:
    """A division that comes out even."""
    quotient, divisor = between(rng, 13, 79), between(rng, 6, 19)
    return _asked(f"{quotient * divisor} ÷ {divisor}", quotient, language)


def percentage(rng: Generator, language: str) -> Draft:
    """A whole percentage of a number, with a whole result."""
    percent, base = between(rng, 3, 19) * 5, between(rng, 4, 40) * 20
    return number(say("arithmetic.percent", language, percent=percent, base=base), percent * base // 100, language)


def precedence(rng: Generator, language: str) -> Draft:
    """Brackets, a product and a quotient in one expression."""
    a, b, c = between(rng, 11, 58), between(rng, 11, 58), between(rng, 6, 9)
    quotient, divisor = between(rng, 12, 47), between(rng, 6, 14)
    expression = f"({a} + {b}) × {c} − {quotient * divisor} ÷ {divisor}"
    return _asked(expression, (a + b) * c - quotient, language)


def multiply_long(rng: Generator, language: str) -> Draft:
    """A four-digit number times a three-digit one, both odd."""
    a, b = 2 * between(rng, 1_113, 4_879) + 1, 2 * between(rng, 113, 487) + 1
    return _asked(f"{a} × {b}", a * b, language)


def remainder(rng: Generator, language: str) -> Draft:
    """The remainder of a power."""
    base, power, divisor = between(rng, 3, 12), between(rng, 15, 60), one(rng, (11, 13, 17, 19, 23))
    wording = say("arithmetic.remainder", language, base=base, power=power, divisor=divisor)
    return number(wording, pow(base, power, divisor), language, wrong=divisor + 4)


def fractions(rng: Generator, language: str) -> Draft:
    """A difference of two fractions in lowest terms."""
    first = Fraction(between(rng, 5, 11), 12)
    second = Fraction(between(rng, 2, 6), one(rng, (15, 16, 18, 20, 21)))
    third = Fraction(1, one(rng, (7, 9, 11)))
    prompt = say("arithmetic.fraction", language, expression=f"{first} − {second} + {third}")
    total = first - second + third
    wrong = f"{total.numerator + 1}/{total.denominator}"
    return text(prompt, str(total), wrong, ignore=("space",), stop=True)


TEMPLATES = (
    Template("add", SKILL, "easy", "en en de fr zh", add),
    Template("times", SKILL, "easy", "en es ja pt", times),
    Template("subtract", SKILL, "easy", "en en nl it", subtract),
    Template("three-terms", SKILL, "medium", "en de es", three_terms),
    Template("multiply", SKILL, "medium", "en en zh", multiply),
    Template("divide", SKILL, "medium", "en fr pt", divide),
    Template("percentage", SKILL, "medium", "en it nl", percentage),
    Template("precedence", SKILL, "hard", "en en ja", precedence),
    Template("multiply-long", SKILL, "hard", "en en en", multiply_long),
    Template("remainder", SKILL, "hard", "en en de", remainder),
    Template("fractions", SKILL, "hard", "en en en", fractions),
)
