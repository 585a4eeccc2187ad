"""Invented reports for the prompts that carry a text to read: readable English of any length.

Takes `Draws`; gives paragraphs, alone or with statements hidden in them that a question can ask about. The
sentences don't add up to a story: they only have the length, the names and the figures of a real report.
"""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.evaluate.simulated.draws import Draws, Slots
from pointsman.evaluate.simulated.words import POOLS

SENTENCES = (
    "On {n:2-28} {month}, {role} reported that {project} had been delayed by {reason}.",
    "{full} of {company} said the figures for {month} were about {n:2-40} per cent lower than planned.",
    "The group visited {city} and {city} before agreeing on a final list of {n:3-30} sites.",
    "A short discussion followed about {subject}, although it was not on the agenda.",
    "{role} asked whether {project} could be finished before the end of {month}.",
    "In reply, {full} pointed to {reason} and asked for another {n:2-12} weeks.",
    "The budget for {project} now stands at {n:12-980} thousand euros, of which {n:5-95} per cent has been spent.",
    "Members agreed that {role} should write to {company} about {reason}.",
    "In the end {outcome}.",
    "Last year's survey of {n:120-4800} residents had put {subject} near the bottom of the list.",
    "This time {n:31-79} per cent of those who answered mentioned it first.",
    "{full}, who has worked in {city} since {n:1978-2019}, called the result a useful surprise.",
    "According to {role}, the main cause was {reason}.",
    "Two alternatives were presented: the first costs {n:11-99} thousand euros, the second needs {n:2-9} more people.",
    "Neither option solves the problem that {role} raised in {month}.",
    "The old contract with {company} runs out on {n:1-28} {month} and will not be renewed.",
    "{company} offered to deliver {n:40-900} crates of {things} at no extra charge.",
    "Storage remains the weakest point, since the hall in {city} holds only {n:200-3000} pallets.",
    "{full} reminded everyone that the keys must be returned on {weekday}.",
    "A trial with {n:2-14} volunteers begins on {weekday} and ends in {month}.",
    "If it succeeds, {role} will extend it to {city} and perhaps {city}.",
    "Some members doubted that {subject} deserved so much time.",
    "Others, among them {full}, thought the opposite.",
    "The letter from {city} was read aloud; {outcome}.",
    "Insurance covers damage up to {n:5-90} thousand euros but excludes anything caused by {reason}.",
    "Three of the {n:7-40} machines were out of use for most of {month}.",
    "Repairs were done by {company}, whose bill of {n:300-9800} euros has not been paid yet.",
    "{role} will prepare a summary in time for the meeting on {n:1-28} {month}.",
    "The number of visitors rose from {n:900-4000} to {n:4100-9800}, mostly on {weekday} afternoons.",
    "Most of them came to see the exhibition on {subject}.",
    "Complaints fell by {n:3-45} per cent after {project} was completed.",
    "A second reading of the report showed that {reason} had been left out of the calculation.",
    "{full} apologised for the mistake and {outcome}.",
    "It was also noted that the {colour} forms have replaced the {colour} ones.",
    "Staff in {city} will receive the training in {month}, everyone else a month later.",
    "Without {project}, {role} expects a shortfall of {n:20-700} thousand euros.",
    "The question of who pays was left to {role}.",
    "{company} and {company} have both shown interest in taking over {project}.",
    "By {weekday} evening {n:15-240} signatures had been collected against the proposal.",
    "Nothing in the new rules prevents {role} from asking for a second opinion.",
)

# A statement and the question that only this statement answers; kept slots tie the two together.
FACTS = (
    (
        "{full1} signed for parcel number {n1:1000-9999} at the {city1} office on {weekday1}.",
        "on which day did {full1} sign for the parcel in {city1}",
    ),
    (
        "The code word chosen by {role1} for {project1} was {codeword1}-{n1:10-99}.",
        "what code word did {role1} choose for {project1}",
    ),
    (
        "In {month1}, {company1} ordered {n1:12-990} crates of {things1} for {city1}.",
        "how many crates of {things1} did {company1} order in {month1}",
    ),
    (
        "{full1} lent {n1:40-900} euros to {full2} and asked for the money back before {month1}.",
        "who lent money to {full2}, and how much",
    ),
    (
        "Room {n1:100-899} is reserved for {role1} every {weekday1} until {month1}.",
        "which room is reserved for {role1} on {weekday1}s",
    ),
    (
        "The {colour1} folder with the plans for {project1} is kept by {full1} in {city1}.",
        "who keeps the plans for {project1}, and in which folder",
    ),
)


def sentences(draws: Draws, count: int) -> list[str]:
    """`count` sentences of a report; none is of the same kind as another until every kind has been used."""
    slots = Slots(draws, POOLS)
    kinds: list[str] = []
    while len(kinds) < count:
        kinds += draws.several(SENTENCES, count - len(kinds))
    return [opened(slots.fill(kind)) for kind in kinds]


def opened(sentence: str) -> str:
    """`sentence` with a capital letter at its start."""
    return sentence[0].upper() + sentence[1:]


def paragraphs(draws: Draws, parts: Sequence[str]) -> str:
    """The sentences `parts`, joined into paragraphs of four to seven."""
    found: list[str] = []
    start = 0
    while start < len(parts):
        size = draws.whole(4, 7)
        found.append(" ".join(parts[start : start + size]))
        start += size
    return "\n\n".join(found)


def report(draws: Draws, count: int) -> str:
    """A report of `count` sentences."""
    return paragraphs(draws, sentences(draws, count))


def report_with_facts(draws: Draws, count: int, hops: int) -> tuple[str, list[str]]:
    """A report of `count` sentences and more, `hops` of which answer the questions that come with it.

    Half as many look-alikes of each statement, about other people and places, are hidden in it too.
    """
    parts = sentences(draws, count)
    questions = []
    for statement, question in draws.several(FACTS, hops):
        asked = Slots(draws, POOLS)
        planted = [asked.fill(statement), *(Slots(draws, POOLS).fill(statement) for _ in range(draws.whole(0, 2)))]
        for sentence in planted:
            parts.insert(draws.whole(0, len(parts)), opened(sentence))
        questions.append(asked.fill(question))
    return paragraphs(draws, parts), questions
