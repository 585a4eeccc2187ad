"""Answers of the templates that hold something to read, found once more from the prompt alone, in another way."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal

import jsonschema_rs
import pytest

from pointsman.pool.probes.drafts import Item
from pointsman.pool.probes.phrases import packaged, phrases
from pointsman.pool.probes.suite import TEMPLATES, items

SEEDS = (0, 1, 2, 3)
Answer = Callable[[str, str], object]


def of_skill(skill: str) -> list[Item]:
    return [item for seed in SEEDS for item in items(seed) if item.probe.skill == skill]


def wordings(key: str, language: str) -> re.Pattern[str]:
    """A wording as a pattern with a group for each blank."""
    family, name = key.split(".")
    plain = re.escape(phrases()[family][name][language])
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^\\s。.]+?)", plain))


def by_height(prompt: str, language: str) -> object:
    """The only order of the people that fits, of all orders there are."""
    taller = [found.group("a", "b") for found in wordings("logic.taller", language).finditer(prompt)]
    taller += [found.group("b", "a") for found in wordings("logic.shorter", language).finditer(prompt)]
    people = sorted({name for pair in taller for name in pair})
    fitting = [
        order for order in itertools.permutations(people) if all(order.index(a) < order.index(b) for a, b in taller)
    ]
    assert len(fitting) == 1
    asked = [
        place for place in ("tallest", "second", "third", "fourth") if phrases()["logic"][place][language] in prompt
    ]
    place = ("tallest", "second", "third", "fourth").index(asked[0]) if asked else -1
    return fitting[0][place]


def truth(prompt: str, language: str) -> object:
    return str(eval(re.findall(r"expression: (.*)\. Answer", prompt)[0]))


def honest(prompt: str, language: str) -> object:
    """All sixteen worlds, each claim read from the prompt."""
    said = dict(re.findall(r'(\w+) says: "([^"]+)"', prompt))
    people = list(said)
    fitting = []
    for world in itertools.product((True, False), repeat=len(people)):
        tells = dict(zip(people, world, strict=True))
        if all(tells[who] == claim_holds(claim, tells) for who, claim in said.items()):
            fitting.append(", ".join(sorted(who for who in people if tells[who])) or "nobody")
    assert len(fitting) == 1
    return fitting[0]


def claim_holds(claim: str, tells: dict[str, bool]) -> bool:
    named = [tells[word] for word in re.findall(r"[A-Z]\w+", claim) if word in tells]
    if "liar" in claim:
        return not named[0]
    return named[0] is named[1] if "same kind" in claim else any(named)


def follows(prompt: str, language: str) -> object:
    """The option that holds in every world that the premises leave: which of the seven kinds of thing there are."""
    premises = re.findall(r"(?:All|No|Some) \w+ are \w+\.", prompt.split("Which of these", 1)[0])
    options = dict(re.findall(r"([ABC])\) (.*)", prompt))
    nouns = sorted({word for premise in premises for word in re.findall(r"(\w+) are (\w+)", premise)[0]})
    kinds = list(itertools.product((False, True), repeat=len(nouns)))
    worlds = [
        [dict(zip(nouns, kind, strict=True)) for kind, there in zip(kinds, world, strict=True) if there]
        for world in itertools.product((False, True), repeat=len(kinds))
    ]
    left = [
        world
        for world in worlds
        if all(any(thing[noun] for thing in world) for noun in nouns) and all(holds(one, world) for one in premises)
    ]
    sure = [letter for letter, sentence in options.items() if all(holds(sentence, world) for world in left)]
    assert len(sure) == 1
    return sure[0]


def holds(sentence: str, world: Sequence[dict[str, bool]]) -> bool:
    how, first, second = re.findall(r"(All|No|Some) (\w+) are (\w+)", sentence)[0]
    both = [thing[second] for thing in world if thing[first]]
    return {"All": all(both), "No": not any(both), "Some": any(both)}[how]


def swapped(prompt: str, language: str) -> object:
    """Who holds what, with a list of pairs in the order of the text."""
    holds_now = {found["name"]: found["thing"] for found in wordings("tracking.holds", language).finditer(prompt)}
    for found in wordings("tracking.swap", language).finditer(prompt):
        holds_now[found["a"]], holds_now[found["b"]] = holds_now[found["b"]], holds_now[found["a"]]
    asked = wordings("tracking.ask", language).search(prompt)
    assert asked is not None
    return holds_now[asked["name"]]


def walked(prompt: str, language: str) -> object:
    """With complex numbers: a right turn is a factor of minus i."""
    place, facing = 0j, 1j
    for turn, steps in re.findall(r"turn (left|right) and go (\d+)", prompt):
        facing *= -1j if turn == "right" else 1j
        place += facing * int(steps)
    return f"({place.real:.0f}, {place.imag:.0f})"


def printed(prompt: str, language: str) -> object:
    """What the program prints when it's run."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(re.findall(r"```python\n(.*)\n```", prompt, re.DOTALL)[0], {})
    return out.getvalue().strip()


def nth_word(prompt: str, language: str) -> object:
    words = re.split(r",\s", re.findall(r": (.*?)[.]", prompt)[0])
    return words[int(re.findall(r"\d", prompt)[0]) - 1]


def capitals(prompt: str, language: str) -> object:
    return prompt.split(": ")[1].upper()


def count_letter(prompt: str, language: str) -> object:
    letter, words = re.findall(r"[“„](.+?)[”“]", prompt)
    return len(words.split(letter)) - 1


def acronym(prompt: str, language: str) -> object:
    words = re.findall(r": ([\w ]+)\.", prompt)[0]
    return "".join(re.findall(r"\b\w", words)).upper()


def backwards(prompt: str, language: str) -> object:
    return "".join(reversed(re.findall(r"[“„](\w+)[”“]", prompt)[0]))


def cipher(prompt: str, language: str) -> object:
    by, word = re.findall(r"the one (\d) places.*“(\w+)”", prompt)[0]
    return "".join(chr((ord(letter) - 97 - int(by)) % 26 + 97) for letter in word)


def listed(prompt: str) -> list[str]:
    part: str = re.findall(r"[:：] ?(.*?)(?:\.\s|。)", prompt)[0]
    return part.split(", ")


def numbers(prompt: str, language: str) -> object:
    return ", ".join(map(str, sorted(int(found) for found in listed(prompt))))


def words(prompt: str, language: str) -> object:
    """By insertion."""
    found: list[str] = []
    for word in listed(prompt):
        found.insert(sum(other < word for other in found), word)
    return ", ".join(found)


def decimals(prompt: str, language: str) -> object:
    return ", ".join(sorted(listed(prompt), key=lambda one: -Decimal(one)))


def dated(prompt: str, language: str) -> object:
    part = re.findall(r": (.*?)\. [A-Z]", prompt)[0]
    return "; ".join(sorted(part.split("; "), key=lambda one: read_date(one, language)))


def read_date(written: str, language: str) -> date:
    for number, month in enumerate(phrases()["months"][language], 1):
        written = re.sub(rf"\b{month}\b", f" {number} ", written)
    found = [int(one) for one in re.findall(r"\d+", written)]
    return date(found[2], *((found[0], found[1]) if language == "en" else (found[1], found[0])))


def versions(prompt: str, language: str) -> object:
    part = re.findall(r"compared: (.*?)\. Answer", prompt)[0]
    return ", ".join(sorted(part.split(", "), key=lambda one: [int(place) for place in one.split(".")]))


def dependencies(prompt: str, language: str) -> object:
    after = {first: then for then, first in re.findall(r"(\w+) comes directly after (\w+)", prompt)}
    order = [next(task for task in after if task not in after.values())]
    while order[-1] in after:
        order.append(after[order[-1]])
    return ", ".join(order)


def rows(prompt: str) -> list[tuple[str, str, int, int]]:
    found = re.findall(r"^\| (\S+) \| (\S+) \| (\d+) \| (\d+) \|$", prompt, re.MULTILINE)
    return [(item, colour, int(stock), int(cost)) for item, colour, stock, cost in found]


def cell(prompt: str, language: str) -> object:
    question = prompt.split("\n\n")[1]
    return next(stock for item, _, stock, _ in rows(prompt) if re.search(rf"\b{item}\b", question))


def dearest(prompt: str, language: str) -> object:
    return {cost: item for item, _, _, cost in rows(prompt)}[max(cost for *_, cost in rows(prompt))]


def colour_total(prompt: str, language: str) -> object:
    totals: Counter[str] = Counter()
    for _, colour, stock, _ in rows(prompt):
        totals[colour] += stock
    return next(total for colour, total in totals.items() if re.search(rf"\b{colour}\b", prompt.split("\n\n")[1]))


def worth(prompt: str, language: str) -> object:
    """By a query."""
    colour, least = re.findall(r"colour (\w+) and a stock of more than (\d+)", prompt)[0]
    query = "SELECT SUM(stock * cost) FROM t WHERE colour = ? AND stock > ?"
    return queried(prompt, query, colour, int(least))


def second_highest(prompt: str, language: str) -> object:
    return queried(prompt, "SELECT item FROM t ORDER BY stock * cost DESC LIMIT 1 OFFSET 1")


def queried(prompt: str, query: str, *values: object) -> object:
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE t (item, colour, stock, cost)")
    base.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows(prompt))
    return base.execute(query, values).fetchone()[0]


def needle(prompt: str, language: str) -> object:
    found = wordings("harbour.needle", language).findall(prompt)
    assert len(found) == 1
    return int(found[0])


def last_password(prompt: str, language: str) -> object:
    return wordings("harbour.password", language).findall(prompt)[-1]


def tally(prompt: str, language: str) -> object:
    return sum(line.endswith(phrases()["harbour"]["fog"][language].split("}")[1]) for line in prompt.splitlines())


def chest(prompt: str, language: str) -> object:
    holder = re.findall(r"passed the key to the iron chest on to (\w+)", prompt)[0]
    house = re.findall(rf"{holder} lodges at the (\w+) House", prompt)[0]
    return int(re.findall(rf"the {house} House is number (\d+)", prompt)[0])


def tonnage(prompt: str, language: str) -> object:
    ship = re.findall(r"grain did the (\w+) unload", prompt)[0]
    return sum(map(int, re.findall(rf"the {ship} unloaded (\d+) tonnes of grain", prompt)))


ORACLES: dict[str, dict[str, Answer]] = {
    "logic": {
        "three-people": by_height,
        "five-people": by_height,
        "truth": truth,
        "knights": honest,
        "follows": follows,
    },
    "state tracking": {"few-swaps": swapped, "some-swaps": swapped, "many-swaps": swapped, "walk": walked},
    "code reading": dict.fromkeys(
        ("total", "slices", "lengths", "swaps", "counts", "nested", "recursion", "closures", "defaults"), printed
    ),
    "letters and words": {
        **{"nth-word": nth_word, "upper": capitals, "count-letter": count_letter, "acronym": acronym},
        **{"backwards": backwards, "cipher": cipher},
    },
    "ordering": {
        **{"numbers": numbers, "words": words, "signed": decimals, "dates": dated, "versions": versions},
        "dependencies": dependencies,
    },
    "tables": {"cell": cell, "most": dearest, "total": colour_total, "worth": worth, "second": second_highest},
    "long context": {"needle": needle, "last-change": last_password, "tally": tally, "keys": chest, "tonnage": tonnage},
}


@pytest.mark.parametrize("skill", ORACLES)
def test_answers_are_right(skill: str) -> None:
    """The right reply is what another way gives, over four seeds and every language."""
    for item in of_skill(skill):
        template = re.findall(r"/(.+?)-\d+(?:@\d+)?$", item.probe.id)[0]
        assert item.right.text == str(ORACLES[skill][template](item.probe.prompt, item.probe.language)), item.probe.id


@pytest.mark.parametrize("skill", ORACLES)
def test_every_template_has_a_second_way(skill: str) -> None:
    """No template of these skills is left unchecked."""
    assert {template.name for template in TEMPLATES if template.skill == skill} == set(ORACLES[skill])


def fetched(schema: str, reply: str, ordered: bool) -> list[tuple[object, ...]]:
    base = sqlite3.connect(":memory:")
    base.executescript(schema)
    found = base.execute(reply.removeprefix("```sql\n").removesuffix("\n```")).fetchall()
    return found if ordered else sorted(found, key=repr)


def test_queries_agree() -> None:
    """Each SQL question's two queries, written in different ways, fetch the same rows; the wrong one doesn't."""
    for item in of_skill("sql"):
        schema, ordered = item.probe.grader["schema"], item.probe.grader["ordered"]
        wanted = fetched(schema, item.probe.grader["answer"], ordered)
        assert wanted, item.probe.id
        assert fetched(schema, item.right.text, ordered) == wanted, item.probe.id
        assert fetched(schema, item.wrong.text, ordered) != wanted, item.probe.id


def test_ordered_questions_say_so() -> None:
    """A query's rows must be in order just where its answer sorts them."""
    for question in packaged("sql.yaml")["questions"]:
        assert question.get("ordered", False) == question["answer"].rsplit(")")[-1].__contains__("ORDER BY")


def code(reply: str) -> str:
    return reply.removeprefix("```python\n").removesuffix("\n```")


@pytest.mark.parametrize(
    "item", [item for item in items() if item.probe.skill == "code writing"], ids=lambda i: i.probe.id
)
def test_code_passes_its_tests(item: Item) -> None:
    """The right program passes every test, run plainly; the wrong one fails."""
    tests = item.probe.grader["tests"]
    space: dict[str, object] = {}
    exec(code(item.right.text), space)
    exec(tests, space)
    assert f"`{item.probe.grader['entry']}" in item.probe.prompt
    space = {}
    exec(code(item.wrong.text), space)
    with pytest.raises((AssertionError, IndexError, TypeError, ValueError)):
        exec(tests, space)


def test_extracted_values_are_in_the_text() -> None:
    """Whatever is to be extracted stands in the text: names and numbers as they are, days and times in parts."""
    for item in of_skill("extraction"):
        wanted, prompt = item.probe.grader["equals"], item.probe.prompt
        if "people" in wanted:
            assert wanted == {"people": summed(prompt)}
            continue
        for value in leaves(wanted):
            assert str(value) in prompt or derived(str(value), prompt, item.probe.language), (item.probe.id, value)


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [value]


def derived(value: str, prompt: str, language: str) -> bool:
    if value == "None":
        return "phone" in prompt
    if ":" in value:
        hour, minute = value.split(":")
        return f"{int(hour) - 12}:{minute}" in prompt
    day = datetime.strptime(value, "%Y-%m-%d")
    return all(part in prompt for part in (str(day.day), str(day.year), phrases()["months"][language][day.month - 1]))


def summed(prompt: str) -> list[dict[str, object]]:
    dropped = re.findall(r"Number (\d+) was a mistake", prompt)[0]
    paid: dict[str, list[Decimal]] = {}
    for place, who, amount in re.findall(r"(\d+)\. (\w+) paid (\d+\.\d\d)", prompt):
        if place != dropped:
            paid.setdefault(who, []).append(Decimal(amount))
    return [{"name": who, "payments": len(own), "cents": int(100 * sum(own))} for who, own in sorted(paid.items())]


def test_wanted_calls_are_possible() -> None:
    """The wanted call names an offered tool, and its arguments fit that tool's schema; what isn't said isn't asked."""
    for item in of_skill("tool choice"):
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in item.probe.tools}
        assert len(offered) == len(item.probe.tools) >= 3
        for call in item.right.tool_calls:
            arguments = json.loads(call.arguments)
            jsonschema_rs.validate(offered[call.name], arguments)
            assert set(arguments) == set(offered[call.name]["required"])


def test_tool_arguments_follow_from_the_prompt() -> None:
    """Days and lengths that have to be worked out are right."""
    for item in of_skill("tool choice"):
        if "/forecast-" in item.probe.id:
            today, later = re.findall(r"(\d{4}-\d\d-\d\d).*?(\d+) d", item.probe.prompt)[0]
            wanted = date.fromisoformat(item.probe.grader["arguments"]["date"])
            assert (wanted - date.fromisoformat(today)).days == int(later)
        if "/none-needed-" in item.probe.id and "hours" in item.probe.prompt:
            assert int(item.right.text) == 60 * int(re.findall(r"(\d+) hours", item.probe.prompt)[0])
        if "/event-" in item.probe.id:
            start, hour, minute = map(int, re.findall(r"from (\d+) p.m. until (\d+):(\d\d)", item.probe.prompt)[0])
            assert item.probe.grader["arguments"]["minutes"] == 60 * (hour - start) + minute
            assert item.probe.grader["arguments"]["start"] == f"{start + 12}:00"
