"""README and docs: links lead somewhere, commands exist, every block of code runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from docs_blocks import (
    INSTEAD,
    PAGES,
    ROOT,
    RUN,
    SHOWN,
    House,
    Page,
    blocks_of,
    environment,
    fate,
    program,
)
from pointsman.cli import app
from stub_upstream import start_stub

LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
COMMANDS = sorted(
    {
        line.split("  #")[0].strip()
        for page in PAGES
        for block in blocks_of(page)
        for line in block.lines
        if block.language == "sh" and line.startswith("pointsman ")
    }
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links_of(page: Path) -> list[str]:
    return [first or second for first, second in LINK.findall(FENCED.sub("", page.read_text()))]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch, program(folder / "bin"), start_stub() as stub:
        for name, value in environment(folder).items():
            patch.setenv(name, value)
        made = House(folder / "house", stub)
        yield made
        made.close()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there; every other one is a whole https address."""
    for link in links_of(page):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme in {"https", "mailto"}, link
            assert parts.netloc or parts.path, link
        elif parts.path:
            assert (page.parent / parts.path).exists(), f"{name_of(page)} links to {link}"


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line: str) -> None:
    """Every `pointsman …` line in a shell block names a command and options that the program has."""
    words = shlex.split(line, comments=True)
    command: list[str] = []
    for word in words[1:]:
        if word.startswith("-") or CliRunner().invoke(app, [*command, word, "--help"]).exit_code != 0:
            break
        command.append(word)
    assert command, line
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).output
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        assert option in shown, f"{line}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_what_it_is(page: Path) -> None:
    """A block is code that runs, or says that it is output; commands don't hide in output."""
    for block in blocks_of(page):
        assert block.language in {*RUN, *SHOWN} or block.language.startswith("{"), f"{name_of(page)}, line {block.line}"


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.language in RUN for b in blocks_of(page))], ids=name_of
)
def test_blocks_run(page: Path, tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a page's code runs, in order, in an empty folder, against a real gateway where it speaks of one."""
    monkeypatch.chdir(tmp_path)
    session = Page(page, tmp_path, house)
    try:
        session.run()
    finally:
        session.close()


def test_what_isnt_run_is_stated() -> None:
    """Each form in which something is carried out otherwise is used by a page; blocks that don't run at all are few."""
    lines = [line for page in PAGES for block in blocks_of(page) if block.language == "sh" for line in block.lines]
    for pattern, _, why in INSTEAD:
        assert any(pattern.search(line) for line in lines), f"{pattern.pattern} ({why})"
    fates = [fate(block) for page in PAGES for block in blocks_of(page) if block.language in RUN]
    assert fates.count("not run") <= len(fates) // 5


@pytest.mark.parametrize("target", ["venv", "demo", "test", "lint", "bench", "docs"])
def test_make_targets_that_the_readme_names_exist(target: str) -> None:
    """The Makefile has every target of the house."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_ci_runs_what_the_readme_says() -> None:
    """CI decides by the very command that the README gives for the tests."""
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
