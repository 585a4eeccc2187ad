"""The reply shares enough of its words, or characters, with a reference.

ROUGE-L: F1 of the longest common subsequence of words (Lin, 2004). chrF: F2 of character n-grams up to 6, spaces left
out (Popović, 2015), as sacreBLEU reckons a sentence without smoothing. Tokens: F1 of the bags of words, as SQuAD does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import spoken, words

CHRF_ORDER, CHRF_BETA = 6, 2.0
MOST_WORDS, MOST_CHARACTERS = 2_000, 20_000


def f_score(shared: float, found: float, wanted: float, beta: float = 1.0) -> float:
    """The F score of counts; 0 where nothing is shared."""
    if not shared:
        return 0.0
    precision, recall, weight = shared / found, shared / wanted, beta**2
    return (1 + weight) * precision * recall / (weight * precision + recall)


def rouge_l(found: str, wanted: str) -> float:
    """F1 of the longest common subsequence of words; in [0, 1]."""
    a, b = words(found)[:MOST_WORDS], words(wanted)[:MOST_WORDS]
    return f_score(common_subsequence(a, b), len(a), len(b))


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence: Hyyrö's bits, one whole number for a row of the table."""
    places: dict[str, int] = {}
    for index, word in enumerate(b):
        places[word] = places.get(word, 0) | 1 << index
    full = (1 << len(b)) - 1
    row = full
    for word in a:
        hit = row & places.get(word, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(b) - row.bit_count()


def tokens_f1(found: str, wanted: str) -> float:
    """F1 of the bags of words; in [0, 1]."""
    a, b = Counter(words(found)[:MOST_WORDS]), Counter(words(wanted)[:MOST_WORDS])
    return f_score((a & b).total(), a.total(), b.total())


def chrf(found: str, wanted: str) -> float:
    """Precision and recall of character n-grams, averaged over the orders that both texts have, as F2; in [0, 1]."""
    a, b = ("".join(text[:MOST_CHARACTERS].split()) for text in (found, wanted))
    precisions, recalls = [], []
    for order in range(1, min(CHRF_ORDER, len(a), len(b)) + 1):
        x, y = _grams(a, order), _grams(b, order)
        shared = (x & y).total()
        precisions.append(shared / x.total())
        recalls.append(shared / y.total())
    if not precisions or not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return (1 + CHRF_BETA**2) * precision * recall / (CHRF_BETA**2 * precision + recall)


def _grams(text: str, order: int) -> Counter[str]:
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))


METRICS: dict[str, Callable[[str, str], float]] = {"rouge-l": rouge_l, "chrf": chrf, "tokens": tokens_f1}


@dataclass(frozen=True, slots=True)
class Overlap:
    """Compares with references."""

    references: tuple[str, ...]
    least: float | None
    metric: str
    kind: ClassVar[str] = "overlap"
    blind_to: ClassVar[str] = (
        "meaning: a good reply in other words scores low, and one that turns a reference around (a `not`, a wrong name "
        "or number) scores high"
    )

    def grade(self, reply: Reply) -> Grade:
        """With `least`: 1 where the best overlap reaches it, else 0. Without: the overlap itself."""
        said = spoken(reply.text)
        best = min(1.0, max(METRICS[self.metric](said, one) for one in self.references))
        shown = f"{self.metric} {best:.2f}"
        if self.least is None:
            return Grade(best, shown)
        return Grade(float(best >= self.least), f"{shown}, {self.least:g} asked")


def overlap_of(fields: Fields) -> Overlap:
    """From `references`, `least` and `metric` (rouge-l, chrf, tokens)."""
    references = fields.texts("references")
    least = fields.number("least", least=0.0) if fields.given("least") else None
    if least is not None and least > 1:
        raise fields.refusal("least", f"is {least:g}", "use a share, 0 to 1")
    if not all(words(one) for one in references):
        raise fields.refusal("references", "holds a text without words", "write what a good reply says")
    return Overlap(references, least, fields.one_of("metric", tuple(METRICS), "rouge-l"))
