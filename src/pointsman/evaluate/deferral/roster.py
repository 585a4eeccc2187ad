"""The methods of `bench deferral` as tables and pictures show them: names, families, one line on each.

Takes the name of a method in the rows; gives its `Entry`, and the one order that all tables and pictures keep. A
clairvoyant method knows what nobody can know of an unseen model and isn't ranked with the rest. Runs no method
(`methods`). Refuses no name in saved rows: one that nobody knows is shown after the published ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Family = Literal["reference", "published", "ours", "clairvoyant"]

FAMILY_TITLES: dict[Family, str] = {
    "reference": "No look at the prompt",
    "published": "Published",
    "ours": "Pointsman",
    "clairvoyant": "Clairvoyant",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A method as tables and pictures show it.

    Attributes:
        name: as in the rows.
        family: what it is compared as.
        about: one line, without a final stop.
    """

    name: str
    family: Family
    about: str = ""

    @property
    def ranked(self) -> bool:
        """Whether it knows of an unseen model nothing but its probes: only such methods are ranked."""
        return self.family != "clairvoyant"


ROSTER: tuple[Entry, ...] = (
    Entry("zero", "reference", "each model's mean over its probes: ZeroRouter, the Pareto hull of the means"),
    Entry("pareto-random", "reference", "random mixtures of neighbouring models that no other one dominates"),
    Entry("knn", "published", "mean over the nearest probes, their number tuned on known models"),
    Entry("kmeans", "published", "UniRoute: mean error on the probes of the prompt's K-means cluster"),
    Entry("learned-map", "published", "UniRoute: soft clusters learned from the known models' errors"),
    Entry("attributes", "published", "K-means on interpretable attributes of the text"),
    Entry("mlp-retrained", "published", "a perceptron on the vectors, trained anew on the probes"),
    Entry("matfac-retrained", "published", "matrix factorisation, trained anew on the probes"),
    Entry("transfer", "ours", "Bayesian regression of the new model's scores on the known models', with intervals"),
    Entry(
        "transfer-consensus",
        "ours",
        "the same on labels that are only agreement with the known models; answers simulated from scores",
    ),
    Entry("mlp-clairvoyant", "clairvoyant", "the perceptron, trained on all models' labels of all training prompts"),
    Entry("matfac-clairvoyant", "clairvoyant", "the factorisation, trained on the same"),
    Entry("oracle", "clairvoyant", "knows every test score"),
)

_BY_NAME = {entry.name: entry for entry in ROSTER}


def entry_of(name: str) -> Entry:
    """The method of that name; one that nobody knows counts as published."""
    return _BY_NAME.get(name, Entry(name, "published"))


def in_order(names: Iterable[str]) -> list[str]:
    """Method names in the one order that all tables and pictures keep."""
    listed, families = list(_BY_NAME), list(FAMILY_TITLES)

    def place(name: str) -> tuple[int, int, str]:
        return families.index(entry_of(name).family), listed.index(name) if name in _BY_NAME else len(listed), name

    return sorted(names, key=place)
