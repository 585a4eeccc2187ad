"""The outcome folder: what each model scored, cost and wrote on each query, on disk.

A folder holds `outcomes.parquet` (one row per query and model), any number of later parts `outcomes-*.parquet`, and
an optional `dataset.yaml`. Takes folders and gives `records.Outcomes`, dense arrays with NaN where nothing was
recorded; and the way back. A null in a parquet column means "not recorded"; NaN and infinity are refused.

`reading` gives a folder as arrays and `writing` makes one, `log` appends to one, `coverage` says what a benchmark can
use. Below them: `layout` (names), `texts` (what follows from a text alone), `about` (`dataset.yaml`), `checks` (is a
table one of outcomes). Refuses to guess: a malformed file is one `InputError`. Nothing here prints or logs a prompt's
text, or knows where outcomes come from (downloads and foreign tables are `evaluate.data`). The names are loaded when
they are first used: deciding needs no parquet.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.outcomes.about import About, read_about
    from pointsman.outcomes.checks import check
    from pointsman.outcomes.coverage import LeftOut, check_coverage, complete
    from pointsman.outcomes.layout import (
        ABOUT_FILE,
        COLUMNS,
        MAIN_FILE,
        NUMBER_COLUMNS,
        OPTIONAL_COLUMNS,
        PART_FILES,
        TEXT_COLUMNS,
    )
    from pointsman.outcomes.log import PART_DIGITS, OutcomeLog, OutcomeRow
    from pointsman.outcomes.reading import part_files, read, read_several
    from pointsman.outcomes.texts import CHARACTERS_PER_TOKEN, prompt_id_of, token_estimates
    from pointsman.outcomes.timed import Timed, read_timed
    from pointsman.outcomes.writing import Size, check_free, dense_table, size_of, write, write_table

__all__ = [
    "ABOUT_FILE",
    "CHARACTERS_PER_TOKEN",
    "COLUMNS",
    "MAIN_FILE",
    "NUMBER_COLUMNS",
    "OPTIONAL_COLUMNS",
    "PART_DIGITS",
    "PART_FILES",
    "TEXT_COLUMNS",
    "About",
    "LeftOut",
    "OutcomeLog",
    "OutcomeRow",
    "Size",
    "Timed",
    "check",
    "check_coverage",
    "check_free",
    "complete",
    "dense_table",
    "part_files",
    "prompt_id_of",
    "read",
    "read_about",
    "read_several",
    "read_timed",
    "size_of",
    "token_estimates",
    "write",
    "write_table",
]

_HOMES = {
    "about": (
        "About",
        "read_about",
    ),
    "checks": ("check",),
    "coverage": (
        "LeftOut",
        "check_coverage",
        "complete",
    ),
    "layout": (
        "ABOUT_FILE",
        "COLUMNS",
        "MAIN_FILE",
        "NUMBER_COLUMNS",
        "OPTIONAL_COLUMNS",
        "PART_FILES",
        "TEXT_COLUMNS",
    ),
    "log": (
        "PART_DIGITS",
        "OutcomeLog",
        "OutcomeRow",
    ),
    "reading": (
        "part_files",
        "read",
        "read_several",
    ),
    "texts": (
        "CHARACTERS_PER_TOKEN",
        "prompt_id_of",
        "token_estimates",
    ),
    "timed": (
        "Timed",
        "read_timed",
    ),
    "writing": (
        "Size",
        "check_free",
        "dense_table",
        "size_of",
        "write",
        "write_table",
    ),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"pointsman.outcomes.{home}"), name)
    raise AttributeError(f"module 'pointsman.outcomes' has no attribute {name!r}")
