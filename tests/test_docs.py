"""README and docs: links lead somewhere, commands exist, Python blocks run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pointsman.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    for first, second in LINK.findall(page.read_text()):
        target = (first or second).split("#")[0]
        if target and "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every `pointsman …` line in a shell block names a command and options that the program has."""
    lines = [line for text in blocks(page, "sh") for line in text.replace("\\\n", " ").splitlines()]
    for line in lines:
        words = shlex.split(line, comments=True)
        if not words or words[0] != "pointsman":
            continue
        command: list[str] = []
        for word in words[1:]:
            if word.startswith("-") or CliRunner().invoke(app, [*command, word, "--help"]).exit_code != 0:
                break
            command.append(word)
        assert command, line
        shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "400", "TERM": "dumb"}).output
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert option in shown, f"{line}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of a page runs, in order, in one namespace, away from the project."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for text in blocks(page, "python"):
        exec(compile(text, page.name, "exec"), namespace)


@pytest.mark.parametrize("target", ["venv", "demo", "test", "lint", "bench", "docs"])
def test_make_targets_that_the_readme_names_exist(target: str) -> None:
    """The Makefile has every target of the house."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_ci_runs_what_the_readme_says() -> None:
    """CI decides by the very command that the README gives for the tests."""
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
