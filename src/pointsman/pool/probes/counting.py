"""What a set of probes holds: counts by skill, difficulty and language, as rows and as a Markdown table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pointsman.pool.probes.probe import DIFFICULTIES, Difficulty, Probe


@dataclass(frozen=True, slots=True)
class SkillCount:
    """One skill's probes.

    Attributes:
        skill: its name.
        difficulties: how many are easy, medium and hard.
        languages: how many there are by language, the most frequent first.
        kinds: the kinds of their graders, the most frequent first.
        prompt_characters: of the middle one's prompt.
    """

    skill: str
    difficulties: Mapping[Difficulty, int]
    languages: Mapping[str, int]
    kinds: tuple[str, ...]
    prompt_characters: int

    @property
    def probes(self) -> int:
        """How many."""
        return sum(self.difficulties.values())


def describe(probes: Iterable[Probe]) -> tuple[SkillCount, ...]:
    """One row for each skill, in the order in which skills first occur."""
    by_skill: dict[str, list[Probe]] = {}
    for probe in probes:
        by_skill.setdefault(probe.skill, []).append(probe)
    return tuple(_counted(skill, own) for skill, own in by_skill.items())


def _counted(skill: str, probes: Sequence[Probe]) -> SkillCount:
    levels = Counter(probe.difficulty for probe in probes)
    return SkillCount(
        skill=skill,
        difficulties={level: levels[level] for level in DIFFICULTIES},
        languages=dict(Counter(probe.language for probe in probes).most_common()),
        kinds=tuple(kind for kind, _ in Counter(str(probe.grader.get("kind")) for probe in probes).most_common()),
        prompt_characters=int(median(len(probe.prompt) for probe in probes)),
    )


def table(probes: Iterable[Probe]) -> str:
    """A Markdown table of `describe`, with a last row for all."""
    held = tuple(probes)
    rows = [*describe(held)]
    if rows:
        rows.append(_counted("all", held))
    head = ["skill", "probes", *DIFFICULTIES, "languages", "prompt, characters (median)", "graders"]
    lines = [head, ["---", *["--:"] * 4, "---", "--:", "---"], *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: SkillCount) -> list[str]:
    levels = [str(row.difficulties[level]) for level in DIFFICULTIES]
    languages = ", ".join(f"{language} {count}" for language, count in row.languages.items())
    return [row.skill, str(row.probes), *levels, languages, str(row.prompt_characters), ", ".join(row.kinds)]
