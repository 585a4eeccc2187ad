"""One HTML page that needs nothing but itself, and its pictures and tables beside it: what all reports share.

Takes sections of tables and pictures and what is said around them (`Frame`); writes `report.html`, every picture as
PNG and SVG, and `tables.md` into one folder; each file whole or not at all, the page last.
The page makes no request, lets only its own script run (a content security policy pins it by hash), and escapes every
name and text that it is given. Reads no rows and computes no figure.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pointsman.evaluate.json_files import write_aside
from pointsman.evaluate.plots import Picture, to_png, to_svg
from pointsman.evaluate.render import Table, to_html, to_markdown

PAGE_FILE, TABLES_FILE = "report.html", "tables.md"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: tables before its pictures, and tables that stay folded after them."""

    anchor: str
    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    folded: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page says around its sections.

    Attributes:
        title: the heading, and the title of the window.
        simulated: what the figures of a simulated set don't show, as one sentence; empty where real models answered.
        headline, verdict: one or two sentences each, above the facts; a missing headline leaves no gap.
        alarms: what must never happen and did.
        facts: names and values.
        command: what was run.
        left_out: what of the data set was left out; empty where nothing was.
        notes: further paragraphs on how the page was made.
        words: heading of a list that explains words, and the words with their meanings.
        models: ids.
        sources: the files that the page is made from, as part of a sentence.
        version: of the package.
    """

    title: str
    simulated: str
    headline: str
    verdict: str
    alarms: Sequence[str]
    facts: Sequence[tuple[str, str]]
    command: str
    left_out: str
    notes: Sequence[str]
    words: tuple[str, Sequence[tuple[str, str]]]
    models: Sequence[str]
    sources: str
    version: str


def write_page(folder: Path, frame: Frame, sections: Sequence[Section], dpi: int) -> Path:
    """Write the pictures, the tables and the page into `folder`; gives the page's path.

    Args:
        dpi: of the PNGs, which are 12 inches wide.
    """
    vectors = {picture.name: to_svg(picture) for section in sections for picture in section.pictures}
    for picture in (picture for section in sections for picture in section.pictures):
        write_aside(folder / f"{picture.name}.png", to_png(picture, dpi))
        write_aside(folder / f"{picture.name}.svg", vectors[picture.name])
    write_aside(folder / TABLES_FILE, tables_text(sections, simulated=bool(frame.simulated)).encode())
    write_aside(folder / PAGE_FILE, page_text(frame, sections, vectors).encode())
    return folder / PAGE_FILE


def tables_text(sections: Iterable[Section], *, simulated: bool) -> str:
    """Every table of the page as Markdown, the simulated ones named so."""
    told = " (simulated)" if simulated else ""
    tables = [table for section in sections for table in (*section.tables, *section.folded)]
    return "\n".join(f"### {_heading(table.title)}{told}\n\n{to_markdown(table)}" for table in tables)


def _heading(title: str) -> str:
    return " ".join(title.replace("<", "&lt;").split())


def page_text(frame: Frame, sections: Sequence[Section], vectors: Mapping[str, bytes]) -> str:
    """The page itself, its pictures inside it as SVG, by their names in `vectors`."""
    style, script = _asset("report.css"), _asset("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            {field.name: getattr(frame, field.name) for field in fields(frame)},
            style=style,
            style_hash=_hash(style),
            script=script,
            script_hash=_hash(script),
            sections=[_shown(section, vectors) for section in sections],
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pointsman.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> Markup:
    """A style or script of ours: the only text that enters the page as it is."""
    return Markup(files("pointsman.evaluate").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _shown(section: Section, vectors: Mapping[str, bytes]) -> dict[str, object]:
    """A section with its tables as HTML and its pictures inside the page."""
    return {
        "anchor": section.anchor,
        "title": section.title,
        "text": section.text,
        "tables": [_shown_table(table) for table in section.tables],
        "folded": [_shown_table(table) for table in section.folded],
        "pictures": [_shown_picture(picture, vectors[picture.name]) for picture in section.pictures],
    }


def _shown_table(table: Table) -> dict[str, object]:
    return {"title": table.title, "html": to_html(table), "caption": table.caption}


def _shown_picture(picture: Picture, vector: bytes) -> dict[str, object]:
    width, height = picture.figure.get_size_inches()
    source = f"data:image/svg+xml;base64,{b64encode(vector).decode()}"
    shown = {"name": picture.name, "title": picture.title, "alt": picture.alt, "source": source}
    return {**shown, "height": round(1200 * height / width)}
