"""The site's reference comes out of the code: nothing is missing in it, and what it says is so."""

from __future__ import annotations

import re
import sys
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import pointsman
from pointsman.cli import COMMANDS
from pointsman.pool import config_sections, registry
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings
from pointsman.pool.writing import Completed
from pointsman.serve.app import ROUTES
from pointsman.serve.openapi import document

TOOLS = Path(__file__).parent.parent / "docs" / "tools"
MODEL = {"models": [{"id": "p/m", "base_url": "http://127.0.0.1:9", "rates": "free"}]}
FOR_PROGRAMS = ("/v1/", "/admin/")  # beside these there are shorter spellings, pages for people, and health


@pytest.fixture(scope="module", autouse=True)
def tools() -> Any:
    """docs/tools can be imported from, as Sphinx does it."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


def page(name: str, maker: str) -> str:
    made: str = getattr(import_module(name), maker)()
    return made


def rows(text: str, section: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    part = text.split(f"## `{section}`\n")[1].split("\n#", maxsplit=1)[0]
    return [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in part.splitlines() if line.startswith("| `")]


def test_a_key_by_hand() -> None:
    """A time is told as a time, with its default and what it is for."""
    told = page("reference_config", "configuration_page")
    assert "| `first_token` | a length of time | `1m` | limit until the first token |" in told
    assert "| `body_limit` | a size | `20MB` | the largest request |" in told


@pytest.mark.parametrize("section", registry.SECTIONS)
def test_every_key_is_there_and_its_default_is_the_default(tmp_path: Path, section: str) -> None:
    """A file that says the defaults as the reference tells them is a file that says nothing."""
    found = rows(page("reference_config", "configuration_page"), section)
    table: config_sections.Table = getattr(config_sections, section.upper())
    assert [cells[0].strip("`") for cells in found] == list(table)
    said = {cells[0].strip("`"): yaml.safe_load(cells[2].strip("`")) for cells in found if cells[2] not in {"–", ""}}
    path = tmp_path / "pointsman.yaml"
    path.write_text(yaml.safe_dump({**MODEL, section: said}, allow_unicode=True))
    settings = read_settings(path, Completed({}), date(2026, 6, 1))
    assert getattr(settings, section) == getattr(Settings(models=()), section)


@pytest.mark.parametrize("name", ["models", "rates", "funds", "aliases"])
def test_every_key_of_the_lists_is_there(name: str) -> None:
    """Lists are told key by key, each with what it is for."""
    keys = import_module("reference_config").LISTS[name]
    found = rows(page("reference_config", "configuration_page"), name)
    assert [cells[0].strip("`") for cells in found] == list(keys)
    assert all(len(cells[-1]) > 2 for cells in found)


def test_a_key_that_nobody_explains_fails_the_build() -> None:
    """What `docs/configuration.md` doesn't say can't be left out of the reference unseen."""
    with pytest.raises(ValueError, match="nonsense"):
        import_module("reference_config")._complete("`server`", ("host", "nonsense"))


def test_every_path_is_there() -> None:
    """Each operation of the OpenAPI document has a section, and the document has each path that is answered."""
    told = page("reference_http", "http_page")
    operations = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert set(re.findall(r"^### `([A-Z]+) (\S+)`$", told, re.MULTILINE)) == {(m.upper(), p) for m, p in operations}
    plain = {re.sub(r"\{\w+\}$", "", path).rstrip("/") for _, path in operations}
    assert {path.rstrip("/") for path in ROUTES if path.startswith(FOR_PROGRAMS)} <= plain


def test_every_command_and_option_is_there() -> None:
    """Each command, those below it, and each option of each."""
    told = page("reference_cli", "commands_page")
    for name in COMMANDS:
        command: Any = typer.main.get_command(import_module(f"pointsman.cli.{name}").app)
        below = dict(getattr(command, "commands", {}))
        for words, one in [(name, command)] if not below else [(f"{name} {key}", below[key]) for key in below]:
            part = told.split(f" `pointsman {words}`\n")[1].split("\n#")[0]
            own = [one for one in one.params if one.name not in import_module("reference_cli").OF_EVERY_ONE]
            options = [option for one in own if not one.hidden for option in one.opts if option.startswith("--")]
            assert all(f"`{option}" in part for option in options), words


def test_every_public_name_is_there() -> None:
    """All that the package offers, by autodoc."""
    told = page("reference_python", "python_page")
    named = set(re.findall(r"^\.\. auto\w+:: pointsman\.(\w+)$", told, re.MULTILINE))
    assert named == set(pointsman.__all__) - {"__version__"}


def test_pages_are_filled_in_their_place() -> None:
    """The mark is replaced; a page of the table without one fails, and other pages stay as they are."""
    reference = import_module("reference")
    source, other = ["# Title\n\n<!-- generated -->\n"], ["# Other\n"]
    reference.fill(None, "reference/http", source)
    reference.fill(None, "index", other)
    assert source[0].startswith("# Title\n\n## Queries")
    assert other == ["# Other\n"]
    with pytest.raises(ValueError, match="no line"):
        reference.fill(None, "reference/http", ["# Title\n"])


def test_a_line_for_several_names_becomes_several() -> None:
    """Docstrings may explain names together; the reference has a line for each."""
    lines = ["Attributes:", "    a, b: as estimated.", "    c: a list, of all."]
    import_module("reference").apart(None, "class", "", None, None, lines)
    assert lines == ["Attributes:", "    a: as estimated.", "    b: as estimated.", "    c: a list, of all."]


def test_a_diagram_by_hand() -> None:
    """Three states in a row stand in three columns, and every way has its label."""
    diagram = import_module("state_diagram")
    ways = diagram.ways_of(["stateDiagram-v2", "    [*] --> open: begin", "    open --> [*]: close"])
    assert ways == [("start", "open", "begin"), ("open", "end", "close")]
    spots = diagram.spots_of(ways)
    assert spots["start"][0] < spots["open"][0] < spots["end"][0]
    drawn = diagram.drawn(ways)
    assert drawn.count('class="way" d=') == 2
    assert all(f">{word}</text>" in drawn for word in ("begin", "close", "open"))


@pytest.mark.parametrize("lines", [["graph TD"], ["stateDiagram-v2", "    note left of a"], []])
def test_other_diagrams_are_refused(lines: list[str]) -> None:
    """What can't be drawn fails the build instead of being left out."""
    with pytest.raises(ValueError, match=r"stateDiagram|transition"):
        import_module("state_diagram").ways_of(lines)
