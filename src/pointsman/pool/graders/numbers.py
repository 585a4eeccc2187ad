"""Numbers in free text: which one is the answer, and what it may mean. Pure.

A written number can have several readings: "1.234" is 1.234, or 1234 as Germans write it; "75%" is 75, or 0.75.
Which was meant is not said in the text, so all readings are given.
"""

from __future__ import annotations

import re
import unicodedata
from math import isfinite

from pointsman.pool.graders.texts import marked

GROUPED = r"\d{1,3}(?:[,.'’\u00a0\u202f\u2009 _]\d{3})+(?!\d)(?:[.,]\d+)?"
PLAIN = r"\d+(?:[.,]\d+)?|[.,]\d+"
SIZES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
NUMBER = re.compile(
    rf"""(?P<sign>(?<![\w.,)])[-+−–]\s?(?:[$€£¥]\s?)?|\b(?:minus|negative)\s)?
    (?:\\[dt]?frac\s*\{{\s*(?P<over>-?{PLAIN})\s*\}}\s*\{{\s*(?P<under>{PLAIN})\s*\}}
    |(?<![A-Za-z\d_.])(?P<number>{GROUPED}|{PLAIN})
     (?:\s*[x×*·]\s*10\s*(?:\^|\*\*)?\s*\{{?(?P<power>[-−]?\d{{1,3}})\}}?|[eE](?P<exponent>[-+]?\d{{1,3}})(?!\w))?
     (?:\s(?P<upper>\d+)/(?P<lower>\d+)|\s?/\s?(?P<divisor>\d+(?:[.,]\d+)?)(?!\s?/|\d))?)
    (?P<percent>\s?(?:%|\\%|percent\b|per\s?cent\b|Prozent\b))?
    (?:\s(?P<size>hundred|thousand|million|billion|trillion|dozen)\b)?""",
    re.VERBOSE | re.IGNORECASE,
)
UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
UNITS += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NAMED = {word: value for value, word in enumerate(UNITS)} | {word: 10 * value for value, word in enumerate(TENS, 2)}
IN_WORDS = "|".join((*NAMED, *SIZES))
SPELLED = re.compile(rf"\b(?:(?:minus|negative)\s)?(?:{IN_WORDS})(?:(?:[\s-]|\sand\s)(?:{IN_WORDS}))*\b", re.IGNORECASE)
ASIDE = re.compile(r"[(\[][^()\[\]]*[)\]]")
LIST_NUMBER = re.compile(r"^\s*(?:step\s*)?\d{1,2}[.):]\s+(?=\D)", re.MULTILINE | re.IGNORECASE)
MOST_CHARACTERS = 4_000
EQUALS = re.compile(r"[=≈]|\b(?:equals|is|are|ist|est|es|makes|gives|leaves)\b", re.IGNORECASE)
DOUBT = re.compile(r"\s*\S{0,12}\s*\b(?:or|oder|ou|either)\b\W*\Z", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Þ])|\n+")


def answers(text: str) -> list[list[float]]:
    """The readings of each number that stands as the answer: mostly one number; two where a reply won't decide.

    Gives:
        a list of readings a number; empty where the text holds no number.
    """
    # What isn't announced stands at the end; and to look at all numbers of a long reply takes time quadratic in them.
    said = [_plain(part[:MOST_CHARACTERS]) for part in marked(text)[-1:]]
    text = _plain(text[-MOST_CHARACTERS:])
    parts = [(part, True) for part in said] + [(part, False) for part in reversed(SENTENCE.split(text))]
    return next((found for part, first in parts if (found := _of_sentence(part, first=first))), [])


def readings(text: str) -> list[float]:
    """What a text that is one number may mean; empty where it's none."""
    found = NUMBER.search(_plain(text))
    return _read(found) if found else _spelled(text)


def _plain(text: str) -> str:
    """Without the dress of numbers: LaTeX, currencies between sign and digit, digits of other scripts, list numbers."""
    text = re.sub(r"[½⅓⅔¼¾⅕⅛⅜⅝⅞]", lambda one: f" {unicodedata.normalize('NFKC', one[0]).replace('⁄', '/')}", text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda one: "^" + unicodedata.normalize("NFKC", one[0]), text)
    text = unicodedata.normalize("NFKC", text).replace("{,}", ",").replace("\\,", "").replace("\\!", "")
    return LIST_NUMBER.sub("", re.sub(r"(?<=\d)\*\*|\*\*(?=[-−\d$€])|__", "", text))


def _of_sentence(sentence: str, *, first: bool) -> list[list[float]]:
    """The answer of one sentence: after its last `=`, else its first or its last number; both sides of an "or"."""
    found = list(NUMBER.finditer(sentence))
    if not found:
        spelled = [_spelled(one[0]) for one in SPELLED.finditer(sentence)]
        return spelled[:1] if first else spelled[-1:]
    outside = [one for one in found if not any(a.start() < one.start() < a.end() for a in ASIDE.finditer(sentence))]
    kept = outside or found
    equals = [one.end() for one in re.finditer(r"[=≈]", sentence) if one.end() <= kept[-1].start()]
    after = [one for one in kept if not equals or one.start() >= equals[-1]]
    told = [one.end() for one in EQUALS.finditer(sentence) if one.end() <= after[-1].start()]
    if first or equals:
        chosen = 0
    else:
        chosen = next((i for i, one in enumerate(after) if told and one.start() >= told[-1]), len(after) - 1)
    return [_read(one) for one in _undecided(sentence, after, chosen)]


def _undecided(sentence: str, found: list[re.Match[str]], chosen: int) -> list[re.Match[str]]:
    """The chosen number, and a neighbour that it's joined to by an "or"."""
    both = [found[chosen]]
    if chosen + 1 < len(found) and DOUBT.match(sentence[found[chosen].end() : found[chosen + 1].start()]):
        both.append(found[chosen + 1])
    if chosen > 0 and DOUBT.match(sentence[found[chosen - 1].end() : found[chosen].start()]):
        both.append(found[chosen - 1])
    return both


def _read(found: re.Match[str]) -> list[float]:
    """Every meaning that a written number may have, the likeliest first."""
    if found["over"]:
        values = [_ratio(over, under) for over in _floats(found["over"]) for under in _floats(found["under"])]
    else:
        values = [_scaled(value, found) for value in _floats(found["number"])]
    sign = -1.0 if (found["sign"] or "+").strip()[:1] in "-−–mMnN" else 1.0
    values = [sign * value * SIZES.get((found["size"] or "").lower(), 1.0) for value in values]
    if found["percent"]:
        values += [value / 100 for value in values]
    return [value for value in values if isfinite(value)]


def _scaled(value: float, found: re.Match[str]) -> float:
    power = int((found["power"] or found["exponent"] or "0").replace("−", "-"))
    value = value * 10.0**power if power < 300 else float("inf")
    if found["lower"]:
        return value + _ratio(float(found["upper"][:300]), float(found["lower"][:300]))
    return _ratio(value, _floats(found["divisor"])[0]) if found["divisor"] else value


def _ratio(over: float, under: float) -> float:
    return over / under if under else float("nan")


def _floats(written: str) -> list[float]:
    """Readings of digits with points and commas in them: as English writes them first, then as others do."""
    tight = re.sub(r"[\s'’_]", "", written)
    english = float(tight.replace(",", "")) if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?|-?\d*\.?\d+", tight) else None
    other = None
    if re.fullmatch(r"-?\d{1,3}(\.\d{3})+(,\d+)?|-?\d*,\d+", tight):
        other = float(tight.replace(".", "").replace(",", "."))
    if english is None and other is None:
        return [float(re.sub(r"[^\d-]", "", tight) or "nan")]
    return [one for one in (english, other) if one is not None]


def _spelled(text: str) -> list[float]:
    """An English number in words, such as "forty-two" or "three hundred and five"."""
    found = SPELLED.search(text)
    if not found:
        return []
    total, part = 0.0, 0.0
    for word in re.findall(r"[a-z]+", found[0].lower()):
        if word in {"and", "minus", "negative"}:
            continue
        if word in NAMED:
            part += NAMED[word]
        elif word in {"hundred", "dozen"}:
            part = max(part, 1.0) * SIZES[word]
        else:
            total, part = total + max(part, 1.0) * SIZES[word], 0.0
    return [-(total + part)] if found[0][:5].lower() in {"minus", "negat"} else [total + part]
