"""Prompts that carry a text to read: extraction, classification, summaries, translation, long-context questions.

Each writer takes `Draws` and gives a `Written`; lengths are heavy-tailed, as they are wherever people paste.
"""

from __future__ import annotations

from pointsman.evaluate.simulated.draws import Draws, Slots
from pointsman.evaluate.simulated.passages import opened, report, report_with_facts, sentences
from pointsman.evaluate.simulated.words import POOLS
from pointsman.evaluate.simulated.written import Written

_MESSAGES = (
    (
        "Hello, {full1} here from {company1}. Please send {n1:2-90} boxes of {things1} to our {city1} branch before "
        "{n2:2-28} {month1}. The reference is {surname1}-{n3:1000-9999} and we pay within {n:10-60} days.",
        ("sender", "company", "quantity", "item", "city", "deadline", "reference"),
    ),
    (
        "INCIDENT {n3:100-999} / {weekday1}. At {n1:1-12}:{n:10-59} the alarm in the {city1} hall went off. {full1} "
        "switched off the pump after {n2:3-50} minutes. Cause: {reason1}. Damage about {n:200-9000} euros.",
        ("number", "day", "time", "place", "person", "cause", "damage_eur"),
    ),
    (
        "Invoice {surname1}/{n1:2015-2024}/{n2:1-800}\n{company1}, {city1}\n{n:2-40} x {things1} at {n:2-30}.50 EUR\n"
        "{n:1-9} hours of labour at {n:30-90}.00 EUR\nDiscount {n:2-15} %\nPayable by {n:1-28} {month1}",
        ("invoice_number", "company", "lines", "discount_percent", "due_date", "total_eur"),
    ),
    (
        "I'd like a table for {n1:2-12} on {weekday1}, {n:2-28} {month1}, somewhere by the window. {name1} has a nut "
        "allergy and {name} may join later. You can reach me at +{n:30-99} {n:100-999} {n:1000-9999}. Best, {full2}",
        ("guests", "date", "allergies", "phone", "booked_by", "wishes"),
    ),
    (
        "{full1} ({n1:22-63}) worked as {job1} in {city1} from {n:1995-2008} to {n:2009-2015} and has been with "
        "{company1} since. Speaks three languages, has a licence for lorries, looks for a post in {city2}.",
        ("name", "age", "last_job", "employer", "languages", "wanted_city"),
    ),
)
_JSON_LIMITS = (
    "Use null where a value is missing.",
    "Dates must be in ISO 8601.",
    "Keys must be in camelCase and sorted.",
    "Numbers must not be strings.",
    "Add a confidence between 0 and 1 for each field.",
    "Nest everything about people under `people`.",
    "Return one object per message in an array.",
    "Output nothing but the JSON.",
)


def extraction(draws: Draws) -> Written:
    """One to ten messages and the fields to take from them; the more of either, the harder."""
    messages = draws.tailed(1, 10)
    picked = [draws.pick(_MESSAGES) for _ in range(messages)]
    body = "\n---\n".join(Slots(draws, POOLS).fill(text) for text, _ in picked)
    known = tuple(dict.fromkeys(field for _, fields in picked for field in fields))
    fields = draws.several(known, draws.whole(2, 9))
    limits = draws.several(_JSON_LIMITS, draws.tailed(1, 5) - 1)
    ask = draws.pick(("Extract {0} as JSON.", "Give me a JSON object with the keys {0}.", "Return JSON with: {0}."))
    text = f"{ask.format(', '.join(fields))} {' '.join(limits)}".strip() + f"\n\n{body}"
    difficulty = -2.1 + 0.16 * len(fields) + 0.35 * len(limits) + 0.13 * messages
    return Written(text, difficulty, 12 * len(fields) * messages**0.8 + 15)


_PRAISE = (
    "I love {feature} of this {product1}.",
    "The {product1} arrived on {weekday} and works perfectly.",
    "For {n:12-240} euros this is a great {product1}.",
    "Even {name} likes it, and that says something.",
    "{n:2-9} months on, still as good as new.",
)
_BLAME = (
    "{feature} broke after {n:2-40} days.",
    "I asked for my money back on {weekday} and heard nothing.",
    "Don't buy this {product1}.",
    "My old {product1} was better, and it cost {n:5-60} euros.",
    "Sadly {feature} is useless.",
)
_SLY = (
    "Well done, {n:2-9} parcels and not one of them with the {product1} in it.",
    "If you enjoy waiting, this {product1} is for you.",
    "The {product1} is fine, I suppose, for a museum.",
    "I would give {feature} five stars if it were not for everything else.",
    "Not bad, not bad at all, said nobody about {feature}.",
)
_LABELS = (
    "positive",
    "negative",
    "mixed",
    "neutral",
    "sarcastic",
    "refund request",
    "delivery problem",
    "question",
    "praise",
    "defect",
    "price complaint",
    "spam",
)
_LABEL_ASKS = (
    "Classify this review as one of: {0}.\n\n{1}",
    "Labels: {0}\nText: {1}\nLabel:",
    "Which of {0} fits best? Reply with the label alone.\n\n{1}",
    "{1}\n\nPick every label that applies from {0}.",
)


def classification(draws: Draws) -> Written:
    """A review and the labels to choose from; sly reviews and long lists of labels are harder."""
    slots = Slots(draws, POOLS)
    sly = draws.tailed(1, 4) - 1
    tones = draws.pick((_PRAISE, _BLAME, _PRAISE + _BLAME))
    clauses = draws.several(tones, draws.whole(1, 6)) + draws.several(_SLY, sly)
    labels = draws.several(_LABELS, draws.whole(2, 10))
    review = " ".join(opened(slots.fill(clause)) for clause in clauses)
    text = draws.pick(_LABEL_ASKS).format(", ".join(labels), review)
    mixed = 0.4 if tones == _PRAISE + _BLAME else 0.0
    return Written(text, -2.1 + 0.17 * len(labels) + 0.5 * sly + mixed, 8)


_SUMMARY_ASKS = (
    ("Summarise the following in {n:1-2} sentences.", 0.3),
    ("Give the {n:3-7} main points of this text as bullets.", -0.2),
    ("Write an abstract of at most {n:40-90} words.", 0.3),
    ("What are the decisions in this report? List them with who is responsible.", 0.5),
    ("Sum this up for {role}, who has not been to any meeting.", 0.2),
    ("tl;dr please", -0.6),
    ("Shorten this to a third without losing a figure.", 0.8),
    ("Write a headline and a two-sentence summary.", -0.4),
)


def summary(draws: Draws) -> Written:
    """A report of 5 to 120 sentences to shorten."""
    length = draws.tailed(5, 120)
    ask, shift = draws.pick(_SUMMARY_ASKS)
    text = f"{Slots(draws, POOLS).fill(ask)}\n\n{report(draws, length)}"
    return Written(text, -1.6 + 0.02 * length + shift, 60 + 1.4 * length)


_TARGETS = (
    ("French", -0.8),
    ("German", -0.7),
    ("Spanish", -0.8),
    ("Italian", -0.6),
    ("Portuguese", -0.6),
    ("Dutch", -0.4),
    ("Polish", -0.1),
    ("Japanese", 0.1),
    ("Turkish", 0.2),
    ("Finnish", 0.5),
    ("Icelandic", 1.0),
    ("Swahili", 0.9),
    ("Basque", 1.2),
    ("Yoruba", 1.6),
)
_FOREIGN_LINES = (
    "Die Sitzung am {n:2-28}. wurde verschoben, weil die Unterlagen aus {city} fehlten.",
    "{name} hat {n:2-40} Kisten bestellt, aber nur die Hälfte ist angekommen.",
    "Le rapport de {full} n'a pas convaincu les habitants de {city}.",
    "Il reste {n:3-90} places, mais personne ne veut partir avant lundi.",
    "El tren de {city} llegó con {n:10-90} minutos de retraso y nadie pidió disculpas.",
    "{name} dice que la llave está debajo de la maceta, como siempre.",
    "La riunione con {company} è durata {n:2-6} ore senza alcun risultato.",
    "Os moradores de {city} pediram mais {n:2-30} dias para responder.",
    "De vergadering in {city} duurde {n:2-6} uur en leverde niets op.",
)
_STYLES = ("", "", "", " Keep the tone formal.", " Make it sound natural.", " Keep names and numbers as they are.")


def translation(draws: Draws) -> Written:
    """One to fifteen sentences to translate out of English, or one to five into it."""
    style = draws.pick(_STYLES)
    if draws.chance(0.3):
        slots = Slots(draws, POOLS)
        lines = [slots.fill(line) for line in draws.several(_FOREIGN_LINES, draws.tailed(1, 5))]
        return Written(
            f"Translate into English.{style}\n\n{' '.join(lines)}", -1.3 + 0.12 * len(lines), 22 * len(lines)
        )
    length = draws.tailed(1, 15)
    language, rare = draws.pick(_TARGETS)
    ask = draws.pick(("Translate into {0}:", "How do you say this in {0}?", "Please put the following into {0}."))
    text = f"{ask.format(language)}{style}\n\n{' '.join(sentences(draws, length))}"
    return Written(text, rare - 0.3 + 0.05 * length, 30 * length)


def long_context(draws: Draws) -> Written:
    """A report of 30 to 200 sentences and one to three questions, each answered by one sentence in it."""
    length, hops = draws.tailed(30, 200), draws.tailed(1, 3)
    body, questions = report_with_facts(draws, length, hops)
    joined = ", and ".join(questions)
    ask = draws.pick(("According to the text, {0}?", "Answer from the report alone: {0}?", "Find out {0}."))
    text = f"{body}\n\n{ask.format(joined)}" if draws.chance(0.7) else f"{ask.format(joined)}\n\n{body}"
    return Written(text, -1.5 + 0.011 * length + 0.5 * hops, 30 + 20 * hops)
