"""Prompts that ask for a calculation or a deduction: arithmetic, word problems, logic puzzles.

Each writer takes `Draws` and gives a `Written`; the number of steps, digits and clues is both in the text and in
its difficulty. Nobody works out the answers, and a puzzle drawn at random may have none.
"""

from __future__ import annotations

from itertools import pairwise

from pointsman.evaluate.simulated.draws import Draws, Slots
from pointsman.evaluate.simulated.words import FIRST_NAMES, POOLS
from pointsman.evaluate.simulated.written import Written

_ASK_SUM = (
    "What is {0}?",
    "Compute {0}.",
    "Work out {0} and give only the final number.",
    "Calculate {0}. Show your steps.",
    "Evaluate the expression {0}.",
    "Please tell me the value of {0}, thanks",
    "{0} = ?",
    "I need the exact result of {0} for a spreadsheet check.",
)
_ASK_OTHER = (
    ("What is {n:2-95} % of {n:100-9000}?", -1.4),
    ("Convert {n:3-900} kilometres to miles, rounded to one decimal.", -1.1),
    ("Write {n:2-19}/{n:20-64} as a decimal with {n:2-5} places.", -0.6),
    ("What remains when {n:1000-99999} is divided by {n:7-97}?", -0.1),
    ("Find the greatest common divisor of {n:120-9000} and {n:120-9000}.", 0.0),
    ("A sequence starts at {n:2-90} and grows by {n:3-19} each time. What is its term number {n:12-60}?", -0.5),
    ("Write {n:200-60000} in binary.", 0.2),
    ("How many primes are there between {n:20-90} and {n:100-400}?", 0.7),
    ("What is {n:11-29} to the power of {n:3-6}?", 0.6),
    ("Round {n:100-999}.{n:1000-9999} to two decimals and then multiply it by {n:3-19}.", -0.2),
)


def arithmetic(draws: Draws) -> Written:
    """A sum to do, harder with every operand, digit and multiplication."""
    if draws.chance(0.4):
        ask, difficulty = draws.pick(_ASK_OTHER)
        return Written(Slots(draws, POOLS).fill(ask), difficulty, 60)
    operands, digits = draws.whole(2, 6), draws.whole(1, 6)
    signs = [draws.pick(("+", "-", "*", "+")) for _ in range(operands - 1)]
    expression = _number(draws, digits)
    for sign in signs:
        expression = f"{expression} {sign} {_number(draws, digits)}"
        if draws.chance(0.15):
            expression = f"({expression})"
    difficulty = -2.3 + 0.3 * operands + 0.3 * digits + 0.12 * digits * signs.count("*")
    return Written(draws.pick(_ASK_SUM).format(expression), difficulty, 25 + 18 * operands)


def _number(draws: Draws, digits: int) -> str:
    return str(draws.whole(max(2, 10 ** (digits - 1)), 10**digits - 1))


_STORY_OPENINGS = (
    "{name1} is {job} and starts the week with {n1:20-400} {things1}.",
    "There are {n1:20-400} {things1} in {name1}'s shop in {city}.",
    "{name1} collects {things1} and owned {n1:20-400} of them last {month}.",
    "A lorry carrying {n1:20-400} {things1} leaves {city} for {name1}'s warehouse.",
)
_STORY_STEPS = (
    "On {weekday} {name} gives away {n:3-18} of them.",
    "Then a third of what is left is sold for {n:2-9} euros apiece.",
    "{name} brings {n:2-12} boxes with {n:4-24} {things1} in each.",
    "Half of the remaining {things1} turn out to be {colour}.",
    "After that, {n:5-30} per cent of them are damaged and thrown out.",
    "{name} borrows {n:2-15} and returns twice as many on {weekday}.",
    "Every {weekday} for {n:2-6} weeks, {n:2-11} more arrive.",
    "The rest are shared equally among {n:3-9} friends, and {name1} keeps what cannot be shared.",
    "{name} has {n:2-5} times as many and swaps a quarter of them for {name1}'s {colour} ones.",
)
_STORY_ASIDES = (
    "The shop is {n:2-40} minutes from the station.",
    "{name}, who is {n:19-70}, prefers {things}.",
    "The weather in {city} was unusually good.",
    "A ticket for the museum costs {n:4-22} euros.",
)
_STORY_QUESTIONS = (
    "How many {things1} does {name1} have now?",
    "How many {things1} are left at the end?",
    "What number of {things1} remains?",
)
_EQUATION_STORIES = (
    (
        "{name1} is {n:2-5} times as old as {name2}. In {n:3-15} years their ages will add up to {n:50-99}. "
        "How old is {name2} today?",
        -0.1,
    ),
    (
        "A train leaves {city1} at {n:40-95} km/h. {n:1-3} hours later a second train follows at {n:100-190} km/h. "
        "After how many hours does it catch up?",
        0.3,
    ),
    (
        "{name1} mixes a {n:5-30} % salt solution with a {n:35-80} % one to get {n:2-20} litres at {n:31-34} %. "
        "How much of each is needed?",
        0.8,
    ),
    (
        "One pump fills a pool in {n:3-9} hours, another in {n:10-16} hours, and a drain empties it in "
        "{n:18-40} hours. With all three open, how long does it take to fill the pool?",
        1.1,
    ),
    (
        "{name1} invests {n:2-90}00 euros, part at {n:2-4} % and the rest at {n:5-9} % a year. "
        "After one year the interest is {n:60-900} euros. How much was invested at the lower rate?",
        0.7,
    ),
    (
        "The sum of two numbers is {n:30-200} and their difference is {n:2-28}. What are the two numbers?",
        -1.0,
    ),
    (
        "A rectangular field is {n:3-40} m longer than it is wide and has an area of {n:200-4000} square metres. "
        "Find its perimeter.",
        0.4,
    ),
    (
        "{name1} sells {n:20-90} tickets, some at {n:4-9} euros and some at {n:10-18}, for {n:300-900} euros in all. "
        "If every cheap ticket had cost one euro more, how would the total change, and how many were cheap?",
        1.0,
    ),
)


def word_problem(draws: Draws) -> Written:
    """A story with a number as its answer: a chain of one to eight steps, or a pair of equations in disguise."""
    slots = Slots(draws, POOLS)
    if draws.chance(0.35):
        story, difficulty = draws.pick(_EQUATION_STORIES)
        return Written(slots.fill(story), difficulty, 190)
    steps = draws.tailed(1, 8)
    middle = draws.several(_STORY_STEPS, steps)
    asides = draws.several(_STORY_ASIDES, draws.whole(0, 2))
    for aside in asides:
        middle.insert(draws.whole(0, len(middle)), aside)
    parts = [draws.pick(_STORY_OPENINGS), *middle, draws.pick(_STORY_QUESTIONS)]
    text = " ".join(slots.fill(part) for part in parts)
    return Written(text, -1.6 + 0.42 * steps + 0.3 * len(asides), 60 + 35 * steps)


_CLUES = (
    "{0} finished before {1}.",
    "{1} was not next to {0}.",
    "{0} finished somewhere after {1}.",
    "There was exactly one person between {0} and {1}.",
    "{0} was either first or directly behind {1}.",
)
_SWAP_THINGS = ("balls", "gifts", "books", "seats", "partners")
_CLAIMS = ("says that {0} is lying", "says that {0} tells the truth", "says that {0} and {1} are of the same kind")
_RULES = (
    "All {0} are {1}.",
    "No {1} are {0}.",
    "Some {0} are {1}.",
    "Everything that is not {1} is {0}.",
    "Some {1} are not {0}.",
)
_KINDS = ("glips", "norks", "tavels", "brims", "quods", "wickers", "sools", "dathers", "pimmels", "corvins")


def logic(draws: Draws) -> Written:
    """One of four kinds of puzzle about `size` people or things."""
    size = draws.whole(3, 8)
    writer = draws.pick((_race, _swaps, _liars, _syllogism))
    return writer(draws, size)


def _race(draws: Draws, size: int) -> Written:
    people = draws.several(FIRST_NAMES, size)
    clues = [draws.pick(_CLUES).format(*draws.several(people, 2)) for _ in range(size)]
    text = (
        f"{size} people took part in a race: {', '.join(people)}. {' '.join(clues)} "
        f"Who came {draws.pick(('first', 'second', 'last', 'third'))}?"
    )
    return Written(text, -1.7 + 0.42 * size, 80 + 30 * size)


def _swaps(draws: Draws, size: int) -> Written:
    people = draws.several(FIRST_NAMES, min(size, 5))
    things = draws.pick(_SWAP_THINGS)
    colours = draws.several(POOLS["colour"], len(people))
    held = ", ".join(f"{who} has {colour}" for who, colour in zip(people, colours, strict=True))
    swaps = [" and ".join(draws.several(people, 2)) + " swap." for _ in range(size)]
    text = (
        f"{len(people)} friends hold {things}: {held}. {' '.join(swaps)} "
        f"Which of the {things} does {draws.pick(people)} have at the end?"
    )
    return Written(text, -1.9 + 0.36 * size, 50 + 20 * size)


def _liars(draws: Draws, size: int) -> Written:
    people = draws.several(FIRST_NAMES, size)
    claims = [f"{who} {draws.pick(_CLAIMS).format(*draws.several(people, 2))}." for who in people]
    text = (
        f"On an island everyone either always lies or always tells the truth. {' '.join(claims)} "
        f"{draws.pick(people)} tells the truth. Does {draws.pick(people)}?"
    )
    return Written(text, -1.2 + 0.44 * size, 90 + 30 * size)


def _syllogism(draws: Draws, size: int) -> Written:
    kinds = draws.several(_KINDS, size)
    rules = [draws.pick(_RULES).format(first, second) for first, second in pairwise(kinds)]
    text = (
        f"Assume the following. {' '.join(rules)} Does it follow that {draws.pick(('all', 'some', 'no'))} "
        f"{kinds[0]} are {kinds[-1]}? Answer valid or invalid and explain in one sentence."
    )
    return Written(text, -1.5 + 0.3 * size, 60)
