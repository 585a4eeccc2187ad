"""The folder in which a bench under budgets keeps its rows: a `resumable` one, with traces beside the runs.

- `meta.json`: what was run on what;
- `runs.jsonl`: one line a run;
- `traces.jsonl`: how money, prices and quality went over time, for some of the runs.

Takes finished runs, one at a time, and gives them back as `rows.Rows`. Refuses a trace of another run.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pointsman.errors import InputError
from pointsman.evaluate.json_files import LineFile, read_lines
from pointsman.evaluate.resumable import Layout, RowWriter
from pointsman.evaluate.rows import META, RUN, RUNS_FILE, TRACE, TRACES_FILE, Meta, Rows, Run, Trace

_RUNS = Layout(META, RUN, RUNS_FILE, "bench budget")


def read_rows(folder: Path) -> Rows:
    """All that a bench has saved in `folder` so far.

    A torn last line is ignored, and so is a trace whose run was not finished; of two traces of one run the later holds.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    meta, runs = _RUNS.read(folder)
    keys = {run.key for run in runs}
    traces = {trace.key: trace for trace in read_lines(folder / TRACES_FILE, TRACE.read) if trace.key in keys}
    return Rows(meta, runs, traces)


class RunWriter(RowWriter[Meta, Run]):
    """Appends finished runs and their traces; see `RowWriter`."""

    layout = _RUNS

    def __init__(self, folder: Path, meta: Meta) -> None:
        super().__init__(folder, meta)
        with self._files as files:
            self._traces = files.enter_context(closing(LineFile(folder / TRACES_FILE)))
            read_rows(folder)  # A trace that can't be read is told now, and not after the bench.
            self._files = files.pop_all()

    def append(self, run: Run, trace: Trace | None = None) -> None:
        """Put one finished run on the disk; its trace goes first, so that a run that counts has its trace.

        Raises:
            InputError: the key is there already, the trace is of another run, or a value is not fit to be saved.
        """
        place = f"run {run.key!r}"
        if run.key in self._done or (trace is not None and trace.key != run.key):
            raise InputError("its key is there already, or its trace has another one", place=place)
        if trace is not None:
            self._traces.append(TRACE.values(trace, f"trace {trace.key!r}"))
        super().append(run)
