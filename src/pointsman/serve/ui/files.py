"""The built pages in memory: read once, compressed once, each with its tag.

Takes a folder; gives files by their path in it. Nothing outside of it can be named: what isn't in the table isn't
there. A folder that was built anew is read anew.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
PAGE = "index.html"
# What a browser may be given; anything else in the folder (the build's own notes) isn't served.
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
SQUEEZED = frozenset({".html", ".js", ".css", ".svg", ".webmanifest"})
LEVEL = 9


@dataclass(frozen=True, slots=True)
class File:
    """One file.

    Attributes:
        kind: its content type.
        tag: for `etag`, with quotes.
        plain, squeezed: its bytes, and compressed with gzip; None where that gains nothing.
    """

    kind: str
    tag: str
    plain: bytes
    squeezed: bytes | None


class Files:
    """The folder.

    Args:
        folder: where the pages were built.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._built_ns = -1
        self._files: Mapping[str, File] = {}

    def get(self, path: str) -> File | None:
        """A file by its path in the folder, with `/`; None where there is none. The first call reads them all."""
        built_ns = _changed_ns(self._folder / PAGE)
        if built_ns != self._built_ns:
            self._files, self._built_ns = read_all(self._folder), built_ns
        return self._files.get(path)


def _changed_ns(page: Path) -> int:
    try:
        return page.stat().st_mtime_ns
    except OSError:
        return 0


def read_all(folder: Path) -> dict[str, File]:
    """Every file that a browser may be given, by its path in the folder; none where there is no folder."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in KINDS and path.is_file())
    return {path.relative_to(folder).as_posix(): _read(path) for path in found}


def _read(path: Path) -> File:
    plain = path.read_bytes()
    squeezed = gzip.compress(plain, LEVEL, mtime=0) if path.suffix in SQUEEZED else plain
    tag = f'"{sha256(plain).hexdigest()[:24]}"'
    return File(KINDS[path.suffix], tag, plain, squeezed if len(squeezed) < len(plain) else None)
