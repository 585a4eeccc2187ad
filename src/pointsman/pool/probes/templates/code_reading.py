"""Code reading: what a short Python program prints. Each snippet has a second, independent way to its answer."""

from __future__ import annotations

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, english, one, some

SKILL = "code reading"
WORDS = ("lantern", "harbour", "meadow", "compass", "orchard", "thimble", "granite", "pebble", "saffron", "willow")


def _printed(code: str, output: str, wrong: str) -> Draft:
    grader = {"kind": "exact", "answer": output, "ignore": ["space"]}
    prompt = f"What does this Python program print?\n\n```python\n{code}\n```\n\nAnswer with the output alone."
    return Draft(prompt, grader, Reply(output), Reply(wrong), 40)


def total(rng: Generator) -> Draft:
    """A loop that adds."""
    most, step = between(rng, 9, 18), between(rng, 2, 3)
    code = f"total = 0\nfor i in range(1, {most}, {step}):\n    total += i\nprint(total)"
    count = (most - 2) // step + 1
    answer = count + step * count * (count - 1) // 2
    return _printed(code, str(answer), str(answer + most))


def slices(rng: Generator) -> Draft:
    """A slice of a word."""
    word, start = one(rng, WORDS), between(rng, 1, 2)
    code = f'word = "{word}"\nprint(word[{start}:{start + 3}] + word[-1])'
    return _printed(code, word[start] + word[start + 1] + word[start + 2] + word[len(word) - 1], word)


def lengths(rng: Generator) -> Draft:
    """A comprehension with a condition."""
    words, least = some(rng, WORDS, 4), between(rng, 7, 8)
    code = f"words = {words}\nprint([len(w) for w in words if len(w) < {least}])"
    kept = ", ".join(str(len(word)) for word in words if len(word) < least)
    return _printed(code, f"[{kept}]", str([len(word) for word in words] + [0]))


def swaps(rng: Generator) -> Draft:
    """Two lists that turn out to be one."""
    a, b, c = some(rng, range(2, 10), 3)
    code = f"a = [{a}, {b}]\nb = a\nb.append({c})\na = a + [{a}]\nprint(len(a), len(b), sum(b))"
    return _printed(code, f"4 3 {a + b + c}", f"3 3 {a + b + c}")


def counts(rng: Generator) -> Draft:
    """A dictionary of counts."""
    letters = "".join(one(rng, "abcd") for _ in range(11))
    code = (
        f'counts = {{}}\nfor ch in "{letters}":\n    counts[ch] = counts.get(ch, 0) + 1\n'
        "best = max(sorted(counts), key=lambda ch: counts[ch])\nprint(best, counts[best])"
    )
    most = max(letters.count(letter) for letter in "abcd")
    first = next(letter for letter in "abcd" if letters.count(letter) == most)
    return _printed(code, f"{first} {most}", f"{first} {most + 1}")


def recursion(rng: Generator) -> Draft:
    """A recursion with two branches."""
    n, base = between(rng, 6, 8), between(rng, 2, 4)
    code = f"def f(n):\n    if n < 2:\n        return {base}\n    return f(n - 1) + 2 * f(n - 2)\n\nprint(f({n}))"
    # a(n) = a(n-1) + 2 a(n-2) with both starts b solves to b (2^(n+1) + (-1)^n) / 3.
    answer = base * (2 ** (n + 1) + (-1) ** n) // 3
    return _printed(code, str(answer), str(answer + base))


def nested(rng: Generator) -> Draft:
    """Nested loops with `break` and `continue`."""
    size, skip, stop = between(rng, 6, 10), between(rng, 2, 4), between(rng, 2, 5)
    code = (
        f"n = 0\nfor i in range({size}):\n    if i % {skip} == 0:\n        continue\n    for j in range(i):\n"
        f"        if j == {stop}:\n            break\n        n += j\nprint(n)"
    )
    rows = [min(i, stop) for i in range(size) if i % skip]
    answer = sum(row * (row - 1) // 2 for row in rows)
    return _printed(code, str(answer), str(answer + 1))


def closures(rng: Generator) -> Draft:
    """Functions made in a loop share its variable."""
    count, factor = between(rng, 3, 6), between(rng, 2, 9)
    code = (
        f"fs = []\nfor k in range({count}):\n    fs.append(lambda x: x * {factor} + k)\n"
        f"print([f({count}) for f in fs][0], fs[-1](1))"
    )
    last = count - 1
    return _printed(code, f"{count * factor + last} {factor + last}", f"{count * factor} {factor + last}")


def defaults(rng: Generator) -> Draft:
    """A list as a default value is kept between calls."""
    a, b, c = some(rng, range(2, 10), 3)
    code = f"def add(x, seen=[]):\n    seen.append(x)\n    return sum(seen)\n\nprint(add({a}), add({b}, []), add({c}))"
    return _printed(code, f"{a} {b} {a + c}", f"{a} {b} {c}")


TEMPLATES = (
    Template("total", SKILL, "easy", "en en en", english(total)),
    Template("slices", SKILL, "easy", "en en en", english(slices)),
    Template("lengths", SKILL, "easy", "en en", english(lengths)),
    Template("swaps", SKILL, "medium", "en en en", english(swaps)),
    Template("counts", SKILL, "medium", "en en en", english(counts)),
    Template("nested", SKILL, "medium", "en en en", english(nested)),
    Template("recursion", SKILL, "hard", "en en en", english(recursion)),
    Template("closures", SKILL, "hard", "en en en", english(closures)),
    Template("defaults", SKILL, "hard", "en en en", english(defaults)),
)
