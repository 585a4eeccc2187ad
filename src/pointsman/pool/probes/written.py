"""The hand-written items, read from `written/*.yaml`: what all of a file share, then one entry an item.

An entry's keys say how it's graded, in short: `options` and `answer` (lettered choice), `facts`, `translations`,
`tests` and `entry` (code), `answered` and `admits` (refusals), `exactly`, `rules`; or it has a whole `grader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zlib import crc32

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Item
from pointsman.pool.probes.phrases import packaged, phrases, say
from pointsman.pool.probes.probe import Probe

FILES = (
    *("facts", "everyday", "classification", "summaries", "translation"),
    *("instructions", "safety", "code_writing"),
)
BRIEF_WORDS = 30
# A reference against the others of the same item reaches 0.57 to 0.93; in Chinese and Japanese, whose words are a
# character or two, 0.31 to 0.86. A reference of another item stays below 0.28.
LEAST_LIKENESS = 0.5
LEAST_LIKENESS_SPACELESS = 0.3
REFUSED = {
    "en": "I'm sorry, but I can't help with that.",
    "de": "Es tut mir leid, aber dabei kann ich nicht helfen.",
    "fr": "Je suis désolé, mais je ne peux pas vous aider.",
    "es": "Lo siento, pero no puedo ayudarte con eso.",
}

Entry = Mapping[str, Any]


def written() -> Iterator[Item]:
    """Every hand-written item, file by file."""
    for name in FILES:
        document = packaged(f"written/{name}.yaml")
        for entry in document["items"]:
            yield _item({"language": "en", **{key: document[key] for key in document if key != "items"}, **entry})


def slug(skill: str) -> str:
    """A skill as a part of ids."""
    return skill.replace(" ", "-")


def _item(entry: Entry) -> Item:
    prompt, grader, right, wrong = _forms()[_form_of(entry)](entry)
    probe = Probe(
        id=f"{slug(entry['skill'])}/{entry['id']}",
        skill=entry["skill"],
        difficulty=entry["difficulty"],
        language=entry["language"],
        prompt=prompt,
        grader=grader,
        max_output_tokens=entry["max_output_tokens"],
    )
    return Item(probe, Reply(right), Reply(wrong))


Form = tuple[str, dict[str, Any], str, str]


def _forms() -> dict[str, Callable[[Entry], Form]]:
    return {
        "options": _choice,
        "facts": _facts,
        "translations": _translation,
        "tests": _code,
        "answered": _answered,
        "premise": _premise,
        "admits": _admits,
        "exactly": _exactly,
        "rules": _rules,
    }


def _form_of(entry: Entry) -> str:
    return next(form for form in _forms() if form in entry)


def _choice(entry: Entry) -> Form:
    options = dict(zip("ABCDEF", _turned(entry["options"], entry["id"]), strict=False))
    answer = next(letter for letter, words in options.items() if words == entry["answer"])
    listed = "\n".join(f"{letter}) {words}" for letter, words in options.items())
    prompt = f"{entry['prompt']}\n{listed}\n{say('letters.alone', entry['language'])}"
    wrong = next(letter for letter in options if letter != answer)
    return prompt, {"kind": "choice", "answer": answer, "options": options}, answer, wrong


def _turned(options: list[str], name: str) -> list[str]:
    """The options, begun at one that hangs on the id, so that no letter is right more often than the others."""
    first = (crc32(name.encode()) >> 8) % len(options)
    return [*options[first:], *options[:first]]


def _facts(entry: Entry) -> Form:
    grader: dict[str, Any] = {"kind": "facts", "all": entry["facts"]}
    if "none" in entry:
        grader["none"] = entry["none"]
    # Languages without spaces have no words to count.
    if entry["language"] not in {"zh", "ja"}:
        grader["most_words"] = entry.get("most_words", BRIEF_WORDS)
    return entry["prompt"], grader, entry["right"], entry["wrong"]


def _translation(entry: Entry) -> Form:
    references = entry["translations"]
    spaceless = " " not in references[0]
    least = LEAST_LIKENESS_SPACELESS if spaceless else LEAST_LIKENESS
    grader = {"kind": "overlap", "references": references, "least": least, "metric": "chrf"}
    return entry["prompt"], grader, references[0], entry["wrong"]


def _code(entry: Entry) -> Form:
    grader = {"kind": "code", "language": "python", "tests": entry["tests"], "entry": entry["entry"]}
    fenced = [f"```python\n{entry[which]}\n```" for which in ("right", "wrong")]
    return entry["prompt"], grader, fenced[0], fenced[1]


def _answered(entry: Entry) -> Form:
    language = entry["language"]
    grader = {"kind": "facts", "all": entry["answered"], "none": phrases()["refusing"][language]}
    return entry["prompt"], grader, entry["right"], REFUSED[language]


def _premise(entry: Entry) -> Form:
    return entry["prompt"], {"kind": "facts", "all": entry["premise"]}, entry["right"], entry["wrong"]


def _admits(entry: Entry) -> Form:
    grader = {"kind": "facts", "all": [phrases()["admitting"][entry["admits"]]]}
    return entry["prompt"], grader, entry["right"], entry["wrong"]


def _exactly(entry: Entry) -> Form:
    grader = {"kind": "exact", "answer": entry["exactly"], "ignore": entry.get("ignore", [])}
    answer = entry["exactly"] if isinstance(entry["exactly"], str) else entry["exactly"][0]
    return entry["prompt"], grader, answer, entry["wrong"]


def _rules(entry: Entry) -> Form:
    return entry["prompt"], {"kind": "rules", "checks": entry["rules"]}, entry["right"], entry["wrong"]
