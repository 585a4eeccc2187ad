"""Algebra: equations, systems, roots, sequences, with whole solutions."""

from __future__ import annotations

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, between, number, one, some
from pointsman.pool.probes.phrases import say

SKILL = "algebra"


def signed(value: int, letter: str = "") -> str:
    """A term with its sign before it, as in " − 3x"."""
    size = "" if letter and abs(value) == 1 else str(abs(value))
    return f" {'−' if value < 0 else '+'} {size}{letter}"


def _solve(equations: str, letter: str, answer: int, language: str) -> Draft:
    return number(say("algebra.solve", language, equations=equations, letter=letter), answer, language)


def missing(rng: Generator, language: str) -> Draft:
    """The number that is missing in a sum."""
    a, b = between(rng, 11, 58), between(rng, 11, 58)
    return number(say("algebra.missing", language, equation=f"□ + {a} = {a + b}"), b, language)


def one_step(rng: Generator, language: str) -> Draft:
    """A linear equation with one x."""
    a, x, b = between(rng, 2, 9), between(rng, 2, 12), between(rng, 3, 25)
    return _solve(f"{a}x + {b} = {a * x + b}", "x", x, language)


def evaluate(rng: Generator, language: str) -> Draft:
    """A quadratic at a small number."""
    a, b, x = between(rng, 2, 5), between(rng, 3, 15), between(rng, 2, 6)
    return number(say("algebra.evaluate", language, formula=f"{a}x² + {b}", x=x), a * x * x + b, language)


def two_sides(rng: Generator, language: str) -> Draft:
    """A linear equation with x on both sides."""
    c, x = between(rng, 2, 6), between(rng, -9, 12)
    a, b = c + between(rng, 2, 7), between(rng, 3, 30)
    return _solve(f"{a}x − {b} = {c}x{signed((a - c) * x - b)}", "x", x, language)


def two_unknowns(rng: Generator, language: str) -> Draft:
    """Two linear equations."""
    x, y, a, b = between(rng, 2, 14), between(rng, 2, 14), between(rng, 2, 5), between(rng, 2, 5)
    return _solve(f"{a}x + y = {a * x + y}, x − {b}y = {x - b * y}".replace("= -", "= −"), "x", x, language)


def sequence(rng: Generator, language: str) -> Draft:
    """A sequence whose differences grow evenly."""
    start, step, growth = between(rng, 2, 11), between(rng, 2, 7), between(rng, 1, 4)
    terms = [start + step * k + growth * k * (k - 1) // 2 for k in range(6)]
    shown = ", ".join(map(str, terms[:5]))
    return number(say("algebra.sequence", language, terms=shown), terms[5], language)


def larger_root(rng: Generator, language: str) -> Draft:
    """The larger root of a quadratic with a leading coefficient."""
    a, small, gap = between(rng, 2, 4), between(rng, -14, -3), between(rng, 8, 25)
    large = small + gap
    equation = f"{a}x²{signed(-a * (small + large), 'x')}{signed(a * small * large)} = 0"
    return number(say("algebra.root", language, equation=equation), large, language)


def three_unknowns(rng: Generator, language: str) -> Draft:
    """Three linear equations in three unknowns, with determinant 5."""
    x, y, z = between(rng, 2, 15), between(rng, 2, 15), between(rng, 2, 15)
    equations = f"x + y + z = {x + y + z}, 2x − y + z = {2 * x - y + z}, x + 2y − z = {x + 2 * y - z}"
    letter = one(rng, "xyz")
    return _solve(equations.replace("= -", "= −"), letter, {"x": x, "y": y, "z": z}[letter], language)


def polynomial(rng: Generator, language: str) -> Draft:
    """The remainder of a cubic divided by x − a."""
    b, c, d = some(rng, [-7, -5, -4, 3, 5, 6, 8], 3)
    a = between(rng, 3, 6)
    cubic = f"2x³{signed(b, 'x²')}{signed(c, 'x')}{signed(d)}"
    answer = 2 * a**3 + b * a**2 + c * a + d
    return number(say("algebra.remainder", language, polynomial=cubic, a=a), answer, language)


def squares(rng: Generator, language: str) -> Draft:
    """The sum of squares from sum and product."""
    x, y = some(rng, range(4, 19), 2)
    return number(say("algebra.squares", language, sum=x + y, product=x * y), x * x + y * y, language)


TEMPLATES = (
    Template("missing", SKILL, "easy", "en zh it pt", missing),
    Template("one-step", SKILL, "easy", "en en de fr es", one_step),
    Template("evaluate", SKILL, "easy", "en nl", evaluate),
    Template("two-sides", SKILL, "medium", "en en fr", two_sides),
    Template("two-unknowns", SKILL, "medium", "en en es ja", two_unknowns),
    Template("sequence", SKILL, "medium", "en pt zh", sequence),
    Template("larger-root", SKILL, "hard", "en en de", larger_root),
    Template("three-unknowns", SKILL, "hard", "en en", three_unknowns),
    Template("polynomial", SKILL, "hard", "en en", polynomial),
    Template("squares", SKILL, "hard", "en es it", squares),
)
