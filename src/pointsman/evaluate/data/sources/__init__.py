"""From what each source publishes to one long table of outcomes.

One module a source, each with `convert`: verified files in, the table of `outcomes.COLUMNS` and a line of notes out.
Every published schema is read strictly: a missing column or a strange value is an `InputError` that names the file; a
score outside [0, 1] or a missing cost leaves that cell out and is counted in the notes. Nothing is downloaded here
and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from pointsman.evaluate.data import catalog
from pointsman.evaluate.data.catalog import Downloaded
from pointsman.evaluate.data.sources import embedllm, leaderboard, llmrouterbench, routerbench, sprout

Converter = Callable[[Sequence[Downloaded]], tuple[pa.Table, str]]

CONVERTERS: dict[str, Converter] = {
    catalog.ROUTERBENCH.name: routerbench.convert,
    catalog.SPROUT.name: sprout.convert,
    catalog.SPROUT_O3MINI.name: sprout.convert,
    catalog.OPEN_LLM_LEADERBOARD.name: leaderboard.convert,
    catalog.EMBEDLLM.name: embedllm.convert,
    catalog.LLMROUTERBENCH.name: llmrouterbench.convert,
}
