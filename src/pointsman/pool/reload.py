"""Whether a file is another one than it was: its time, size and identity, not its text."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes when a file is written or replaced; None where there is none (as for a moment in a rename)."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def changed(path: Path, last: Stamp | None) -> bool:
    """Whether the file is there and is no longer the one of that stamp."""
    now = stamp(path)
    return now is not None and now != last
