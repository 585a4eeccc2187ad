"""Text as graders compare it: folded, in words, and the parts of a reply that hold its answer. Pure and linear."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Literal, get_args

Ignored = Literal["case", "punctuation", "space", "accents"]
IGNORED: tuple[Ignored, ...] = get_args(Ignored)

THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+-]*)[^\n]*$", re.MULTILINE)
# What announces an answer. Its text runs to the end of the line.
ANSWER = (
    r"(?:final\s+answer|correct\s+answer|correct\s+(?:option|choice)|answer|result|solution|conclusion|"
    r"antwort|ergebnis|réponse|résultat|respuesta|resultado|risposta|risultato|resposta|答案|答え)"
)
MARK = re.compile(
    rf"\b{ANSWER}\**\s*(?:is\b|ist\b|est\b|es\b|è\b|would\s+be\b|[:=：是])[\s:*]*|^\s*####\s*",
    re.IGNORECASE | re.MULTILINE,
)
BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SPACELESS = re.compile(r"[぀-ヿ㐀-鿿가-힯฀-๿]")
MOST_CHARACTERS = 100_000


def spoken(text: str) -> str:
    """What a model said, without the thoughts that some write between `<think>` tags, up to a length."""
    return THOUGHT.sub("", text[:MOST_CHARACTERS]).strip()


def folded(text: str, ignore: Collection[Ignored]) -> str:
    """A text without the differences that don't count; compatible characters (ﬁ, Ａ) are always one."""
    text = unicodedata.normalize("NFKC", text)
    if "accents" in ignore:
        text = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    if "case" in ignore:
        text = text.casefold()
    if "punctuation" in ignore:
        text = "".join(_without_mark(one) for one in text)
    return " ".join(text.split()) if {"space", "punctuation"} & set(ignore) else text


def _without_mark(character: str) -> str:
    if character in "'’":
        return ""
    return " " if unicodedata.category(character)[0] == "P" or character in "`^~|<>" else character


def words(text: str) -> list[str]:
    """Words, casefolded; each character of a script without spaces is a word of its own."""
    spaced = SPACELESS.sub(lambda found: f" {found[0]} ", unicodedata.normalize("NFKC", text).casefold())
    return WORD.findall(spaced)


def marked(text: str) -> list[str]:
    r"""What a reply announces as its answer, in order: after "the answer is", `####`, or in `\boxed{}`."""
    boxed = BOXED.findall(text)
    if boxed:
        return [boxed[-1].strip()]
    marks = list(MARK.finditer(text))
    ends = [*(one.start() for one in marks[1:]), len(text)]
    said = [text[mark.end() : end].strip().split("\n", 1)[0] for mark, end in zip(marks, ends, strict=False)]
    return [one for one in said if one.strip("*_.: ")]


def fenced(text: str) -> list[tuple[str, str]]:
    """Fenced blocks, as (language, content); one that isn't closed runs to the end."""
    blocks, opened = [], None
    for fence in FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif not fence[2] and fence[1][0] == opened[1][0] and len(fence[1]) >= len(opened[1]):
            blocks.append((opened[2].lower(), text[opened.end() + 1 : fence.start()]))
            opened = None
    if opened is not None:
        blocks.append((opened[2].lower(), text[opened.end() + 1 :]))
    return blocks


def shortened(text: str, most: int = 60) -> str:
    """A text on one line, for people."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
