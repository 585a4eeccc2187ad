"""The folder of a plug-in bench: a `resumable` one, its rows in `rides.jsonl`. Refuses what `rows` finds unfit."""

from __future__ import annotations

from pathlib import Path

from pointsman.evaluate.plugin.rows import META, ROW, ROWS_FILE, PluginMeta, PluginRow, PluginRows
from pointsman.evaluate.resumable import Layout, RowWriter

_RIDES = Layout(META, ROW, ROWS_FILE, "bench plugin")


def read_plugin(folder: Path) -> PluginRows:
    """All that a plug-in bench has saved in `folder` so far; a torn last line is ignored.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    return PluginRows(*_RIDES.read(folder))


class PluginWriter(RowWriter[PluginMeta, PluginRow]):
    """Appends finished rows; see `RowWriter`."""

    layout = _RIDES
