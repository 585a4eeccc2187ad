"""One table in three dresses that say the same, whatever the names in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from made_rows import make_meta, make_rows
from pointsman.evaluate.render import Cell, Column, Line, Section, Table, to_html, to_markdown, to_rich
from pointsman.evaluate.tables import main_table


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and every tag that was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def html_rows(table: Table) -> Cells:
    parser = Cells()
    parser.feed(str(to_html(table)))
    return parser


def expected_rows(table: Table) -> list[list[str]]:
    rows = []
    for section in table.sections:
        rows += [[section.title]] if section.title else []
        for line in section.lines:
            label = f"{line.label} {line.mark}" if line.mark else line.label
            rows.append([label, *(cell.full for cell in line.cells)])
    return rows


def test_the_terminal_markdown_and_html_say_the_same() -> None:
    """One source: every label and figure of the table is in all three."""
    table = main_table(make_rows(make_meta(3)))
    assert html_rows(table).rows[1:] == expected_rows(table)
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(to_rich(table))
    printed = [re.split(r"\s{2,}", line.strip()) for line in console.export_text().splitlines()]
    console.file.close()
    markdown = [
        [cell.strip().replace("\\", "").strip("*") for cell in line.strip("|").split(" | ")]
        for line in to_markdown(table).splitlines()
        if line.startswith("|")
    ]
    for row in expected_rows(table):
        assert row in printed, "eighty columns are enough for the main table"
        assert [*row, *[""] * (8 - len(row))] in markdown


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
hostile = st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "a|b", "[bold]x[/]", "`x`"]
)


def one_line(label: str, text: str) -> Table:
    section = Section(label, (Line(label, (Cell(text, 1.0, text, best=True),), label),))
    return Table(label, (Column(label), Column(text)), (section,), text)


@given(names | hostile, names | hostile)
def test_no_name_gets_through_the_html_as_markup(label: str, text: str) -> None:
    """Whatever the names, the page has the table's own tags only, and shows the names as they are."""
    table = one_line(label, text)
    parser = html_rows(table)
    assert set(parser.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "sup", "span"}
    assert parser.rows == [[label, text], [label], [f"{label} {label}", f"{text} ± {text}"]]


@given(names | hostile, names | hostile)
def test_no_name_breaks_the_markdown(label: str, text: str) -> None:
    """Every line keeps its two cells, and no tag, entity or mark of a name is left standing."""
    rows = [line for line in to_markdown(one_line(label, text)).split("\n") if line.startswith("|")]
    assert len(rows) == 4
    for row in rows:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3
    assert "<" not in to_markdown(one_line(label, text))


@given(names | hostile)
def test_a_terminal_shows_names_as_they_are(label: str) -> None:
    """Square brackets in a name are no markup."""
    table = to_rich(one_line(label, "x"))
    assert str(next(iter(table.columns[0].cells))) == label
