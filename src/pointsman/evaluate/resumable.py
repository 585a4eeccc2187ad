"""The folder of a bench: `meta.json` says what was run on what, a file beside it holds one line a row.

Takes finished rows, one at a time, each on the disk before the next, and gives them back. An interruption costs the
rows in progress and nothing else; opening the folder again resumes it. Refuses the rows of another bench, a key twice,
a second writer and a line that can't be read. What is checked of a row its `checked.Shape` knows.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from pointsman.errors import InputError
from pointsman.evaluate.checked import Shape, excerpt
from pointsman.evaluate.json_files import LineFile, document, read_document, read_lines, write_aside

META_FILE = "meta.json"


class Keyed(Protocol):
    """A record with a stable id, which a folder holds once."""

    @property
    def key(self) -> str:
        """The id."""


Meta = TypeVar("Meta")
Row = TypeVar("Row", bound=Keyed)


@dataclass(frozen=True, slots=True)
class Layout(Generic[Meta, Row]):
    """What one kind of bench keeps in its folder.

    Attributes:
        meta, row: what makes a record of meta.json, and of a line.
        rows_file: name of the file of rows.
        command: of `pointsman`, that writes such folders.
    """

    meta: Shape[Meta]
    row: Shape[Row]
    rows_file: str
    command: str

    def read(self, folder: Path) -> tuple[Meta, tuple[Row, ...]]:
        """What the rows are about, and all that were saved so far; a torn last line is ignored.

        Raises:
            InputError: no meta.json, a key twice, or a file that holds something else than rows (with its line number).
        """
        meta = read_document(folder / META_FILE, self.meta.read, self.command)
        path, keys = folder / self.rows_file, set[str]()
        rows = read_lines(path, self.row.read)
        for number, row in enumerate(rows, start=1):
            if row.key in keys:
                place = f"{path}, line {number}"
                raise InputError(f"key {row.key!r} is there twice", place=place, remedy="delete one of the two lines")
            keys.add(row.key)
        return meta, tuple(rows)

    def refuse_other_bench(self, path: Path, new: Meta) -> None:
        """Refuse to mix the rows of two benches; a longer command (more orders, more policies) is the same bench.

        Raises:
            InputError: what the rows of `path` are about differs from `new` in something else than the command.
        """
        old = read_document(path, self.meta.read, self.command)
        for name in self.meta.names:
            before, now = getattr(old, name), getattr(new, name)
            if name != "command" and before != now:
                raise InputError(
                    f"the folder holds rows with `{name}` {excerpt(before)}, this command has {excerpt(now)}",
                    place=str(path),
                    remedy="give another --out, or delete the folder",
                )


class RowWriter(Generic[Meta, Row]):
    """Appends finished rows to a folder; opening the folder again resumes it. A bench's own writer sets `layout`.

    One writer at a time: a second one is refused while the first is open.

    Args:
        folder: made if it isn't there.
        meta: must agree with the folder's own in everything but the command, which is replaced.

    Raises:
        InputError: another writer has the folder, it holds rows of something else, or rows that can't be read.
    """

    layout: Layout[Meta, Row]

    def __init__(self, folder: Path, meta: Meta) -> None:
        self.folder = folder
        with ExitStack() as files:
            self._rows = files.enter_context(closing(LineFile(folder / self.layout.rows_file)))
            path = folder / META_FILE
            if path.is_file():
                self.layout.refuse_other_bench(path, meta)
            write_aside(path, document(self.layout.meta.values(meta, "meta")))
            self._done = {row.key for row in self.layout.read(folder)[1]}
            self._files = files.pop_all()

    def done_keys(self) -> frozenset[str]:
        """Keys of the rows that are on the disk."""
        return frozenset(self._done)

    def append(self, row: Row) -> None:
        """Put one finished row on the disk.

        Raises:
            InputError: the key is there already, or a value is not fit to be saved.
        """
        place = f"row {row.key!r}"
        if row.key in self._done:
            raise InputError("its key is there already", place=place)
        self._rows.append(self.layout.row.values(row, place))
        self._done.add(row.key)

    def close(self) -> None:
        """Let the folder go; nothing is pending."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()
