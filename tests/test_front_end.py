"""The front-end as it is shipped: built from the sources that are here, whole, and of nobody else's server."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UI = ROOT / "ui"
STATIC = ROOT / "src" / "pointsman" / "serve" / "ui" / "static"
BESIDE = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
MOST_GZIP_BYTES = 400_000
# Names that are written into the files without ever being asked for: XML namespaces, licences, links for people.
NAMED_ONLY = re.compile(
    rb"https?://(www\.w3\.org|www\.apache\.org|github\.com|echarts\.apache\.org|bit\.ly|preactjs\.com)"
)


def test_what_is_shipped_was_built_from_these_sources() -> None:
    """`make ui` was run after the last change: the hash in the built files is the one of `ui/built-from.mjs`."""
    paths = [*BESIDE, *(str(path.relative_to(UI)) for path in (UI / "src").rglob("*") if path.is_file())]
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.encode() + b"\0" + (UI / path).read_bytes() + b"\0")
    assert (STATIC / "built_from.txt").read_text().strip() == digest.hexdigest(), "run `make ui` and commit the result"


def test_the_lock_file_has_hashes_and_no_address() -> None:
    """npm's lock file names no server to download from, and a hash for every package."""
    packages = json.loads((UI / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert name == "" or package.get("integrity", "").startswith("sha512-"), name


def test_every_file_that_the_page_names_is_there() -> None:
    """The first page asks for files of its own folder only, and they exist."""
    named = re.findall(r'(?:src|href)="([^"]+)"', (STATIC / "index.html").read_text())
    assert named
    for one in named:
        assert one.startswith("/ui/"), one
        assert (STATIC / one.removeprefix("/ui/")).is_file(), one


@pytest.mark.parametrize("kind", ["*.js", "*.css", "*.html"])
def test_nothing_comes_from_elsewhere(kind: str) -> None:
    """No script, style or page names another server, but for names that nobody asks."""
    files = list(STATIC.rglob(kind))
    assert files
    for path in files:
        text = path.read_bytes()
        for found in re.finditer(rb"https?://[a-z0-9.-]+", text):
            assert NAMED_ONLY.match(text, found.start()), f"{path.name}: {found.group().decode()}"


def test_it_is_small() -> None:
    """All of it together, compressed, loads at once on any line."""
    whole = sum(len(gzip.compress(path.read_bytes(), 6)) for path in STATIC.rglob("*.*") if path.suffix != ".txt")
    assert whole < MOST_GZIP_BYTES


def test_scripts_and_styles_stand_in_files() -> None:
    """The page has no script and no style of its own, which its own policy would refuse."""
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page)


def test_all_of_it_is_in_the_wheel(tmp_path: Path) -> None:
    """Who installs the package has the dashboard, without Node and without a network."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    for path in STATIC.rglob("*"):
        if path.is_file():
            assert f"pointsman/serve/ui/static/{path.relative_to(STATIC).as_posix()}" in names
