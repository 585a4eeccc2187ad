"""A published set from its home into an outcome folder: download, verify, convert, write.

Takes a source's name and a destination; gives a report. Refuses a destination that is taken before anything is
downloaded, and leaves nothing half-made behind: the folder appears, whole, at the end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pointsman import outcomes
from pointsman.evaluate.data import catalog
from pointsman.evaluate.data.catalog import Source
from pointsman.evaluate.data.hub import Hub, download
from pointsman.evaluate.data.sources import CONVERTERS


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch brought.

    Attributes:
        name, title, licence: of the source.
        folder: where the outcomes are now.
        files, bytes: what was downloaded, or was in the cache.
        outcomes: rows written: one per query and model.
        queries, models: how many of each; `missing_cells` of queries x models lack a score or a cost.
        notes: what a reader of a figure should know.
    """

    name: str
    title: str
    licence: str
    folder: str
    files: int
    bytes: int
    outcomes: int
    queries: int
    models: int
    missing_cells: int
    notes: str


def fetch(name: str, folder: Path, hub: Hub, *, overwrite: bool = False) -> FetchReport:
    """Downloads the set `name` and writes it to `folder`.

    Raises:
        InputError: there is no such source, the folder is taken, the download fails or is not what it should be.
    """
    source = catalog.source(name)
    outcomes.check_free(folder, overwrite=overwrite)
    files = download(source, hub)
    table, notes = CONVERTERS[source.name](files)
    said = " ".join(filter(None, (source.notes, notes)))
    outcomes.write_table(table, folder, _about(source, said), overwrite=overwrite)
    return FetchReport(
        name=source.name,
        title=source.title,
        licence=source.licence,
        folder=str(folder),
        files=len(files),
        bytes=sum(file.local.stat().st_size for file in files),
        notes=said,
        **asdict(outcomes.size_of(table)),
    )


def _about(source: Source, notes: str) -> outcomes.About:
    return outcomes.About(source.title, source.licence, f"{source.home} at {source.revision}", notes)
