"""The recorded outcomes as the dashboard looks at them: where prompts lie, what each model scored, which topic it was.

Takes the folders that the fit in force was learned from and an embedder; gives a `Past`, made in a thread of its own
when somebody first asks, and kept for one fit. It is let go as soon as the fit's file is gone, as it is after a
deletion. Memory is bounded: at most 20,000 prompts, drawn by lot where there are more, at 1 kB each for a vector of 256
numbers (20 MB), as much again for the beginnings of their texts, and 8 bytes for each score.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from pointsman.errors import InputError
from pointsman.estimate.drift.mix import Mix
from pointsman.estimate.embedder import Embedder
from pointsman.outcomes import part_files, read_several
from pointsman.pool.settings import Settings
from pointsman.records import Floats, Ints, Outcomes, Vectors
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.fitting import history_name, learned_folder, outcome_folders

MOST_PROMPTS = 20_000
MOST_CELLS = 2_000_000  # of a query and a model: reading takes about 100 bytes each for a moment
TEXT_CHARS = 400
EMBEDDED_TOGETHER = 64
PAUSE_S = 0.001  # after each: the decisions of this process share the interpreter with this thread


@dataclass(frozen=True)
class Past:
    """Recorded prompts N and what M models scored on them.

    Attributes:
        prompt_ids, texts, datasets: N each; texts are cut.
        vectors: float32 [N, D], unit length.
        group: int [N], the same for prompts of the same text.
        parts: int [N], of the partition of the traffic; None where there is none.
        models: M ids of the configuration.
        score: float [N, M], NaN where nothing was recorded.
    """

    prompt_ids: Sequence[str]
    texts: Sequence[str]
    datasets: Sequence[str]
    vectors: Vectors
    group: Ints
    parts: Ints | None
    models: tuple[str, ...]
    score: Floats

    def __len__(self) -> int:
        return len(self.texts)

    def datasets_of(self, part: int) -> Counter[str]:
        """How many prompts of a part came from each data set."""
        rows = [] if self.parts is None else np.flatnonzero(self.parts == part).tolist()
        return Counter(self.datasets[i] for i in rows)


def read_past(settings: Settings, embedder: Embedder, mix: Mix | None) -> Past:
    """The outcomes that a gateway learns from; in a thread.

    Raises:
        InputError: there are none, too many to be looked through, or they can't be read.
    """
    folders = outcome_folders(settings)
    if not folders:
        raise InputError("no outcomes are recorded yet", remedy="give `learning.history`, or switch on `store_prompts`")
    cells = sum(pq.ParquetFile(path).metadata.num_rows for folder in folders for path in part_files(folder))
    if cells > MOST_CELLS:
        raise InputError(f"{cells:,} recorded outcomes are too many to look through beside the traffic")
    if settings.learning.embedder.startswith("openai:"):
        raise InputError("looking at the history would pay the embedding service again for all of it")
    names = {history_name(model): model.id for model in settings.models}
    return past_of(read_several(folders, since=forgotten(settings.state)), names, embedder, mix)


def past_of(outcomes: Outcomes, names: Mapping[str, str], embedder: Embedder, mix: Mix | None, seed: int = 0) -> Past:
    """Outcomes as a `Past`.

    Args:
        names: ids of the configuration's models by their names in the outcomes; others are left out.
        mix: the partition of the traffic, None for none.
        seed: of the lot that is drawn where there are more prompts than are kept.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(outcomes))[:MOST_PROMPTS])
    columns = np.array([i for i, name in enumerate(outcomes.models) if name in names], np.int64)
    drawn = outcomes.only(columns).take(rows)
    vectors = _embedded(drawn.texts, embedder)
    return Past(
        drawn.prompt_ids,
        [text[:TEXT_CHARS] for text in drawn.texts],
        drawn.datasets,
        vectors,
        _groups(drawn.texts),
        None if mix is None else mix.parts(vectors),
        tuple(names[name] for name in drawn.models),
        drawn.score,
    )


def _groups(texts: Sequence[str]) -> Ints:
    known: dict[str, int] = {}
    return np.array([known.setdefault(text, len(known)) for text in texts], np.int64)


def _embedded(texts: Sequence[str], embedder: Embedder) -> Vectors:
    out = np.empty((len(texts), embedder.dimension), np.float32)
    for start in range(0, len(texts), EMBEDDED_TOGETHER):
        out[start : start + EMBEDDED_TOGETHER] = embedder.embed(texts[start : start + EMBEDDED_TOGETHER])
        time.sleep(PAUSE_S)
    return out


def still_there(settings: Settings, fit: str) -> bool:
    """Whether the file of a fit is there; a deletion takes it away with everything that was made of the same texts."""
    return bool(fit) and (learned_folder(settings) / f"{fit}.fit").is_file()
