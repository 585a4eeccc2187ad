"""From a probe's `grader` to the grader that it describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from pointsman.errors import InputError
from pointsman.pool.graders.choice import choice_of
from pointsman.pool.graders.code import code_of
from pointsman.pool.graders.combined import Combined
from pointsman.pool.graders.exact import exact_of
from pointsman.pool.graders.facts import facts_of
from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grader
from pointsman.pool.graders.judge import Judge, judged_of, pairwise_of
from pointsman.pool.graders.numeric import numeric_of
from pointsman.pool.graders.overlap import overlap_of
from pointsman.pool.graders.patterns import pattern_of
from pointsman.pool.graders.rules import rules_of
from pointsman.pool.graders.sql import sql_of
from pointsman.pool.graders.structured import structured_of
from pointsman.pool.graders.tools import tool_of

ALONE: Mapping[str, Callable[[Fields], Grader]] = {
    "exact": exact_of,
    "numeric": numeric_of,
    "choice": choice_of,
    "regex": pattern_of,
    "json": structured_of,
    "code": code_of,
    "sql": sql_of,
    "overlap": overlap_of,
    "facts": facts_of,
    "rules": rules_of,
    "tool": tool_of,
}
WITH_JUDGE: Mapping[str, Callable[[Fields, Judge | None], Grader]] = {"judge": judged_of, "pairwise": pairwise_of}
KINDS: tuple[str, ...] = (*ALONE, *WITH_JUDGE, "all")
DEEPEST = 4


def grader_of(spec: Mapping[str, Any], judge: Judge | None = None) -> Grader:
    """The grader that a spec describes.

    Args:
        spec: a mapping with a `kind`; the fields of each kind are in docs/graders.md.
        judge: the model that judges, from a prompt to its answer; needed for `judge` and `pairwise` alone.

    Raises:
        InputError: an unknown kind or field, or a field that can't be used; names it, and the remedy.
    """
    return _built(spec, judge, 0)


def _built(spec: Mapping[str, Any], judge: Judge | None, depth: int) -> Grader:
    if not isinstance(spec, Mapping):
        raise InputError(f"{spec!r:.60} is no mapping", place="grader", remedy="write `kind: …` and its fields")
    kind = spec.get("kind")
    if kind not in KINDS:
        close = get_close_matches(str(kind), KINDS, n=1)
        remedy = f"did you mean `{close[0]}`" if close else f"use one of {', '.join(KINDS)}"
        raise InputError(
            f"kind {kind!r:.60} is unknown" if kind else "`kind` is missing", place="grader", remedy=remedy
        )
    fields = Fields(spec, kind)
    if kind == "all":
        found: Grader = _combined(fields, judge, depth)
    else:
        found = WITH_JUDGE[kind](fields, judge) if kind in WITH_JUDGE else ALONE[kind](fields)
    fields.done()
    return found


def _combined(fields: Fields, judge: Judge | None, depth: int) -> Combined:
    if depth >= DEEPEST:
        raise fields.refusal("of", f"is nested more than {DEEPEST} deep", "write the parts into one list")
    return Combined(tuple(_built(one, judge, depth + 1) for one in fields.items("of")))
