"""A table as a value, and the same table for a terminal, as Markdown or as HTML.

Takes a `Table` (columns, sections, cells that know their number); gives a rich table, Markdown text or an HTML
element that all say the same. Every name is shown as it is: none is read as markup, whatever it holds.
Knows nothing of benches, and chooses and computes no figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure or word: its text, what to sort it by (NaN: nothing), its deviation, whether it is the best."""

    text: str
    value: float = math.nan
    spread: str = ""
    best: bool = False

    @property
    def full(self) -> str:
        """Text and deviation."""
        return f"{self.text} ± {self.spread}" if self.spread else self.text


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: what it is about, a mark that the caption explains, one cell a further column."""

    label: str
    cells: tuple[Cell, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one heading; an empty heading shows none."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, and a shorter one for narrow terminals."""

    name: str
    short: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first of `columns` is over the labels, then one a cell."""

    title: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    caption: str = ""


def to_rich(table: Table) -> RichTable:
    """The table for a terminal; names are shown as they are, never read as markup."""
    out = RichTable(
        title=Text(table.title, style="bold"),
        caption=Text(table.caption) if table.caption else None,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    longest = max((len(_label(line)) for section in table.sections for line in section.lines), default=0)
    for number, column in enumerate(table.columns):
        out.add_column(Text(column.short or column.name), justify="right" if number else "left", no_wrap=longest < 36)
    for section in table.sections:
        if section.title:
            out.add_row(Text(section.title, style="italic dim"))
        for line in section.lines:
            out.add_row(
                Text(_label(line)), *(Text(cell.full, style="bold" if cell.best else "") for cell in line.cells)
            )
    return out


def to_markdown(table: Table) -> str:
    """The table in GitHub's Markdown, its caption below, every special character escaped."""
    width = len(table.columns) - 1
    lines = [
        _markdown_row(_markdown_text(column.name) for column in table.columns),
        _markdown_row(["---", *["---:"] * width]),
    ]
    for section in table.sections:
        if section.title:
            lines.append(_markdown_row([f"*{_markdown_text(section.title)}*", *[""] * width]))
        lines.extend(_markdown_line(line) for line in section.lines)
    caption = f"\n{_markdown_text(table.caption)}\n" if table.caption else ""
    return "\n".join(lines) + "\n" + caption


def to_html(table: Table) -> Markup:
    """The table as an HTML element without its caption, all escaped; `data-value` holds what a column sorts by."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(column.name) for column in table.columns)
    bodies = Markup("").join(_html_section(section, len(table.columns)) for section in table.sections)
    return Markup('<table aria-label="{}"><thead><tr>{}</tr></thead>{}</table>').format(table.title, head, bodies)


def _label(line: Line) -> str:
    return f"{line.label} {line.mark}" if line.mark else line.label


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_line(line: Line) -> str:
    cells = (f"**{_markdown_text(cell.full)}**" if cell.best else _markdown_text(cell.full) for cell in line.cells)
    return _markdown_row([_markdown_text(_label(line)), *cells])


def _markdown_text(text: str) -> str:
    """Text that Markdown shows as it is: marks escaped, tags and entities disarmed, on one line."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{letter}" if letter in "\\`*_[]|~$!" else letter for letter in flat)


def _html_section(section: Section, width: int) -> Markup:
    heading = Markup('<tr class="group"><th colspan="{}" scope="rowgroup">{}</th></tr>').format(width, section.title)
    lines = Markup("").join(_html_line(line) for line in section.lines)
    return Markup("<tbody>{}{}</tbody>").format(heading if section.title else Markup(""), lines)


def _html_line(line: Line) -> Markup:
    mark = Markup(" <sup>{}</sup>").format(line.mark) if line.mark else Markup("")
    cells = Markup("").join(_html_cell(cell) for cell in line.cells)
    return Markup('<tr><th scope="row">{}{}</th>{}</tr>').format(line.label, mark, cells)


def _html_cell(cell: Cell) -> Markup:
    spread = Markup(' <span class="sd">± {}</span>').format(cell.spread) if cell.spread else Markup("")
    value = "" if math.isnan(cell.value) else repr(float(cell.value))
    return Markup('<td data-value="{}"{}>{}{}</td>').format(
        value, Markup(' class="best"') if cell.best else Markup(""), cell.text, spread
    )
