"""Answers of the templates with numbers and dates, found once more from the prompt alone, in another way."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from itertools import combinations, product

import pytest

from pointsman.pool.probes.drafts import Item
from pointsman.pool.probes.phrases import phrases
from pointsman.pool.probes.suite import TEMPLATES, items

SEEDS = (0, 1, 2, 3, 4)
SKILLS = ("arithmetic", "algebra", "word problems", "dates and times", "units")
Answer = Callable[[str, str], object]


def whole(prompt: str) -> list[int]:
    """The whole numbers of a prompt, in order."""
    return [int(found) for found in re.findall(r"\d+", prompt)]


def value(expression: str, **letters: int) -> Fraction:
    """An expression as it's written for people, worked out exactly."""
    plain = expression.replace("×", "*").replace("÷", "/").replace("−", "-").replace("^", "**")
    plain = plain.replace("²", "**2").replace("³", "**3")
    plain = re.sub(r"(\d)([a-z])", r"\1*\2", plain)
    plain = re.sub(r"(?<!\*\*)(?<![\w])(\d+)", r"Fraction(\1)", plain)
    return Fraction(eval(plain, {"Fraction": Fraction, **letters}))


def expression(prompt: str, language: str) -> object:
    """The longest run of digits and signs, worked out."""
    return value(max(re.findall(r"[\d(][\d\s()+−×÷/]*[\d)]", prompt), key=len))


def percentage(prompt: str, language: str) -> object:
    percent, base = whole(prompt)
    return sum(Fraction(base, 100) for _ in range(percent))


def remainder(prompt: str, language: str) -> object:
    base, power, divisor = whole(prompt)
    left = 1
    for _ in range(power):
        left = left * base % divisor
    return left


def solved(prompt: str, language: str) -> object:
    """The only whole solution of the equations, by trying."""
    equations = re.findall(r"[\dxyz][\dxyz² +−]*=[\dxyz +−]*[\dxyz]", prompt)
    letters = sorted(set("".join(equations)) & set("xyz"))
    sides = [equation.split("=") for equation in equations]
    found = [
        dict(zip(letters, numbers, strict=True))
        for numbers in product(range(-15, 21) if len(letters) < 3 else range(2, 16), repeat=len(letters))
        if all(roughly(left, letters, numbers) == roughly(right, letters, numbers) for left, right in sides)
    ]
    asked = re.findall(r"(?<![\w])([xyz])(?![\w²])", prompt.split(equations[-1])[1])[0]
    assert len(found) == 1
    return found[0][asked]


def roughly(side: str, letters: list[str], numbers: tuple[int, ...]) -> int:
    """A side of a linear equation."""
    known = dict(zip(letters, numbers, strict=True))
    terms = re.findall(r"([+−]?)(\d*)([xyz]?)", side.replace(" ", ""))
    return sum(
        (-1 if sign == "−" else 1) * int(digits or 1) * (known[letter] if letter else 1)
        for sign, digits, letter in terms
        if digits or letter
    )


def missing(prompt: str, language: str) -> object:
    add, total = whole(prompt)
    return next(number for number in range(200) if number + add == total)


def evaluated(prompt: str, language: str) -> object:
    formula = re.findall(r"= (\d+x² \+ \d+)", prompt)[0]
    return value(formula, x=int(re.findall(r"f\((\d+)\)", prompt)[0]))


def sequence(prompt: str, language: str) -> object:
    """By third differences that vanish."""
    terms = whole(prompt)
    return 3 * terms[-1] - 3 * terms[-2] + terms[-3]


def larger_root(prompt: str, language: str) -> object:
    quadratic = re.findall(r"(\d+x².*) = 0", prompt)[0]
    return max(x for x in range(-60, 60) if value(quadratic, x=x) == 0)


def polynomial(prompt: str, language: str) -> object:
    """By long division, coefficient by coefficient."""
    a, b, c, d = (
        int(found.replace("− ", "-").replace("+ ", "") or 1)
        for found in re.findall(r"remainder when (\d+)x³ ([+−] \d+)x² ([+−] \d+)x ([+−] \d+) is", prompt)[0]
    )
    at = int(re.findall(r"x − (\d+)\?", prompt)[0])
    row = 0
    for coefficient in (a, b, c, d):
        row = row * at + coefficient
    return row


def squares(prompt: str, language: str) -> object:
    total, times = whole(prompt)
    x = next(x for x in range(total) if x * (total - x) == times)
    return x**2 + (total - x) ** 2


def change(prompt: str, language: str) -> object:
    numbers = [number for number in whole(prompt) if not (language == "ja" and number == 1)]
    if language == "ja":
        numbers = whole(prompt.replace("1冊", ""))
    cost, count, note = numbers
    return note - sum(cost for _ in range(count))


def marbles(prompt: str, language: str) -> object:
    has, gives, finds = whole(prompt)
    return has + finds - gives


def journey(prompt: str, language: str) -> object:
    kilometres, speed = whole(prompt) if language not in {"zh", "ja"} else whole(prompt)[::-1]
    return Fraction(kilometres, speed) * 60


def boxes(prompt: str, language: str) -> object:
    rolls, size = whole(prompt)
    while rolls >= size:
        rolls -= size
    return rolls


def sale(prompt: str, language: str) -> object:
    cost, percent, off = whole(prompt)
    return cost - Fraction(cost * percent, 100) - off


def ages(prompt: str, language: str) -> object:
    ratio, years = whole(prompt)
    young = next(age for age in range(1, 100) if ratio * age + years == 2 * (age + years))
    return ratio * young


def pumps(prompt: str, language: str) -> object:
    """Minute by minute."""
    a, b = whole(prompt)[:2]
    level, minutes = Fraction(0), 0
    while level < 1:
        level += Fraction(1, 60 * a) + (Fraction(1, 60 * b) if minutes >= 60 else 0)
        minutes += 1
    assert level == 1
    return minutes


def snail(prompt: str, language: str) -> object:
    """Day by day."""
    wall, up, slips = whole(prompt)[:3]
    height, day = 0, 1
    while height + up < wall:
        height, day = height + up - slips, day + 1
    return day


def mixture(prompt: str, language: str) -> object:
    a, x, b, y = whole(prompt)
    return Fraction(a * x + b * y, a + b)


def handshakes(prompt: str, language: str) -> object:
    guests, family = whole(prompt)
    return sum(not (one < family and two < family) for one, two in combinations(range(guests), 2))


def weekday_after(prompt: str, language: str) -> object:
    """Day by day, round the week."""
    days = phrases()["weekdays"][language]
    place = min((prompt.index(day), place) for place, day in enumerate(days) if day in prompt)[1]
    for _ in range(whole(prompt)[0]):
        place = place + 1 if place < 6 else 0
    return days[place]


def minutes(prompt: str, language: str) -> object:
    one, two = (datetime.strptime(found, "%H:%M") for found in re.findall(r"\d\d:\d\d", prompt))
    return (two - one).seconds // 60


def arrival(prompt: str, language: str) -> object:
    hour, minute, hours, more = whole(prompt)[:4]
    return "{:02d}:{:02d}".format(*divmod((60 * (hour + hours) + minute + more) % 1440, 60))


def spoken_dates(prompt: str, language: str = "en") -> list[date]:
    names = phrases()["months"][language]
    found = re.findall(rf"(\d+)\.? ({'|'.join(names)}) (\d{{4}})", prompt)
    return [date(int(year), names.index(month) + 1, int(day)) for day, month, year in found]


def days_between(prompt: str, language: str) -> object:
    first, last = spoken_dates(prompt, language)
    return sum(1 for one in range(first.toordinal(), last.toordinal()) if one)


def weekday_of(prompt: str, language: str) -> object:
    return calendar.day_name[spoken_dates(prompt)[1].weekday()]


def flight(prompt: str, language: str) -> object:
    """With the time zones of the standard library."""
    zones = [timezone(timedelta(hours=int(found))) for found in re.findall(r"UTC([+-]\d+)", prompt)]
    hour, minute = map(int, re.findall(r"at (\d\d):(\d\d)", prompt)[0])
    hours, more = map(int, re.findall(r"takes (\d+) hours (\d+) minutes", prompt)[0])
    day = spoken_dates(prompt)[0]
    start = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zones[0])
    return f"{(start + timedelta(hours=hours, minutes=more)).astimezone(zones[1]):%Y-%m-%d %H:%M}"


def workdays(prompt: str, language: str) -> object:
    """Day by day."""
    day, left = spoken_dates(prompt)[0], int(re.findall(r"(\d+) working days later", prompt)[0])
    assert calendar.day_name[day.weekday()] in prompt
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day.isoformat()


def larger_to_smaller(prompt: str, language: str) -> object:
    factors = {"minutes": 60, "centimetres": 100, "grams": 1000, "millilitres": 1000, "metres": 1000}
    small = re.findall(r"How many (\w+) are", prompt)
    return whole(prompt)[0] * (factors[small[0]] if small else 100)


def seconds(prompt: str, language: str) -> object:
    m, s = whole(prompt)
    return timedelta(minutes=m, seconds=s).total_seconds()


def parts(prompt: str, language: str) -> object:
    kilos, grams, count = whole(prompt)[:3]
    return Fraction(1000 * kilos + grams, count)


def speed(prompt: str, language: str) -> object:
    return whole(prompt)[0] * 3600 / 1000


def fahrenheit(prompt: str, language: str) -> object:
    celsius = int(re.findall(r"(-?\d+) °C", prompt)[0])
    return celsius * 1.8 + 32


def transfer(prompt: str, language: str) -> object:
    gigabytes, megabits = int(re.findall(r"of (\d+) GB", prompt)[0]), int(re.findall(r"(\d+) Mbit", prompt)[0])
    return gigabytes * 8e9 / (megabits * 1e6)


def fuel(prompt: str, language: str) -> object:
    """How far a litre goes first, then how many of them a hundred kilometres take."""
    kilometres_a_litre = whole(prompt)[0] * 1.609344 / 3.785411784
    return round(100 / kilometres_a_litre, 1)


def density(prompt: str, language: str) -> object:
    """In metres and kilograms."""
    a, b, c = (int(found) for found in re.findall(r"(\d+) [cm]m", prompt)[:3])
    grams = float(re.findall(r"([\d.]+) g/cm", prompt)[0])
    return a / 100 * b / 100 * c / 1000 * grams * 1000


ORACLES: dict[str, Answer] = {
    **dict.fromkeys(("add", "times", "subtract", "three-terms", "multiply", "divide", "precedence"), expression),
    **{"multiply-long": expression, "percentage": percentage, "remainder": remainder, "fractions": expression},
    **dict.fromkeys(("one-step", "two-sides", "two-unknowns", "three-unknowns"), solved),
    **{"missing": missing, "evaluate": evaluated, "sequence": sequence, "larger-root": larger_root},
    **{"polynomial": polynomial, "squares": squares, "change": change, "marbles": marbles, "journey": journey},
    **{"boxes": boxes, "sale": sale, "ages": ages, "pumps": pumps, "snail": snail, "mixture": mixture},
    **{"handshakes": handshakes, "weekday-after": weekday_after, "minutes": minutes, "arrival": arrival},
    **{"days-between": days_between, "weekday-of": weekday_of, "flight": flight, "workdays": workdays},
    **{"larger-to-smaller": larger_to_smaller, "seconds": seconds, "parts": parts, "speed": speed},
    **{"fahrenheit": fahrenheit, "transfer": transfer, "fuel": fuel, "density": density},
}


def instances(name: str) -> list[Item]:
    """All instances of a template, over the seeds."""
    part = f"/{name}-"
    return [
        item
        for seed in SEEDS
        for item in items(seed)
        if item.probe.skill in SKILLS and re.fullmatch(rf".*{part}\d+(@\d+)?", item.probe.id)
    ]


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_answers_are_right(name: str) -> None:
    """The answer in the grader is what another way gives, over five seeds and every language."""
    found = instances(name)
    assert found
    for item in found:
        said = item.right.text if isinstance(item.probe.grader["answer"], list) else item.probe.grader["answer"]
        right = ORACLES[name](item.probe.prompt, item.probe.language)
        if isinstance(said, str) and "/" in said:
            assert Fraction(said) == right
            assert str(Fraction(said)) == said
        elif isinstance(said, str):
            assert said == right
        else:
            assert math.isclose(float(said), float(right), rel_tol=1e-4), item.probe.prompt  # type: ignore[arg-type]


def test_every_template_with_numbers_has_a_second_way() -> None:
    """No template of these skills is left unchecked."""
    assert {template.name for template in TEMPLATES if template.skill in SKILLS} == set(ORACLES)


def test_answers_stay_small_where_digits_are_grouped_with_points() -> None:
    """Where 1.234 may mean 1,234, no answer has four digits."""
    for seed in SEEDS:
        for item in items(seed):
            grader = item.probe.grader
            if grader["kind"] == "numeric" and item.probe.language in {"de", "fr", "es", "it", "pt", "nl"}:
                assert abs(grader["answer"]) < 1_000 or item.probe.skill == "units", item.probe.id
