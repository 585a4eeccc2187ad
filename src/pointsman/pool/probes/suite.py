"""The suite: every template's instances and every hand-written item, in one order that never changes.

Takes a seed; gives probes. The same seed gives the same suite; another one gives other instances of the templates,
so that a suite that leaked into training data can be left behind. Hand-written items are the same under every seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from zlib import crc32

import numpy as np

from pointsman.errors import InputError
from pointsman.pool.probes.drafts import Draft, Item, Template
from pointsman.pool.probes.probe import Probe
from pointsman.pool.probes.templates import (
    algebra,
    arithmetic,
    code_reading,
    dates,
    extraction,
    instructions,
    logic,
    long_context,
    ordering,
    sql,
    strings,
    tables,
    tool_choice,
    tracking,
    units,
    word_problems,
)
from pointsman.pool.probes.written import slug, written

TEMPLATES: tuple[Template, ...] = (
    *arithmetic.TEMPLATES,
    *algebra.TEMPLATES,
    *word_problems.TEMPLATES,
    *logic.TEMPLATES,
    *tracking.TEMPLATES,
    *strings.TEMPLATES,
    *ordering.TEMPLATES,
    *dates.TEMPLATES,
    *units.TEMPLATES,
    *tables.TEMPLATES,
    *code_reading.TEMPLATES,
    *sql.TEMPLATES,
    *extraction.TEMPLATES,
    *tool_choice.TEMPLATES,
    *instructions.TEMPLATES,
    *long_context.TEMPLATES,
)
MOST_TRIES = 100


def suite(seed: int = 0) -> tuple[Probe, ...]:
    """The probes that Pointsman ships.

    Args:
        seed: of the templates' draws, not negative. Ids of made probes end in `@seed` where it isn't 0.

    Raises:
        InputError: a negative seed.
    """
    return tuple(item.probe for item in items(seed))


@lru_cache(maxsize=8)
def items(seed: int = 0) -> tuple[Item, ...]:
    """The suite with a right and a wrong reply to each probe; see `suite`."""
    if seed < 0:
        raise InputError(f"the seed is {seed}", place="probe suite", remedy="use 0 or more")
    made = (item for template in TEMPLATES for item in _instances(template, seed))
    return (*made, *written())


def _instances(template: Template, seed: int) -> Iterator[Item]:
    """One instance for each of a template's languages, no two with the same prompt."""
    asked: set[str] = set()
    for index, language in enumerate(template.languages.split()):
        draft = _drawn(template, seed, index, language, asked)
        asked.add(draft.prompt)
        yield Item(_probe(template, draft, seed, index, language), draft.right, draft.wrong)


def _drawn(template: Template, seed: int, index: int, language: str, asked: set[str]) -> Draft:
    """The first draw whose prompt is new; its generator follows from names and numbers alone."""
    key = crc32(f"{template.skill}/{template.name}".encode())
    for attempt in range(MOST_TRIES):
        draft = template.make(np.random.default_rng([seed, key, index, attempt]), language)
        if draft.prompt not in asked:
            return draft
    raise AssertionError(f"template {template.name} has too few instances")


def _probe(template: Template, draft: Draft, seed: int, index: int, language: str) -> Probe:
    return Probe(
        id=f"{slug(template.skill)}/{template.name}-{index + 1}" + (f"@{seed}" if seed else ""),
        skill=template.skill,
        difficulty=template.difficulty,
        language=language,
        prompt=draft.prompt,
        grader=draft.grader,
        system=draft.system,
        tools=draft.tools,
        max_output_tokens=draft.max_output_tokens,
    )
