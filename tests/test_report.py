"""The report: one page that needs nothing else, that nothing gets through, and that tells what was left out."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_rows import make_meta, make_rows, make_run, save
from page_parser import parsed
from pointsman.errors import InputError
from pointsman.evaluate.page import Section, page_text, tables_text
from pointsman.evaluate.report import headline, make_frame, make_sections, write_report
from pointsman.evaluate.rows import Rows
from pointsman.evaluate.tables import main_table, standing_table

FEW = ("port", "batchsplit-prorated", "paced", "cheapest-pooled", "approx-optimum")


def bare_page(rows: Rows) -> str:
    """The page without pictures: quick."""
    section = Section("policies", "The policies compared", tables=(main_table(rows), standing_table(rows)))
    return page_text(make_frame(rows), [section], {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported bench."""
    folder = save(make_rows(make_meta(3), policies=FEW, points=4), tmp_path_factory.mktemp("bench"))
    write_report(folder, dpi=20)
    return folder


def test_the_page_is_made_from_the_saved_rows_with_its_pictures_beside_it(folder: Path) -> None:
    """A page, a PNG and an SVG of every picture, the tables as Markdown, and nothing half-written."""
    names = {path.name for path in folder.iterdir()}
    pictures = {"performance", "progress", "spend", "prices", "served"}
    assert names == {"meta.json", "runs.jsonl", "traces.jsonl", "report.html", "tables.md"} | {
        f"{picture}.{kind}" for picture in pictures for kind in ("png", "svg")
    }
    assert (folder / "tables.md").read_text().startswith("### made-up set: weighted split")


def test_the_page_asks_nobody_for_anything(folder: Path) -> None:
    """No address but fragments of the page and pictures inside it; the policy forbids the rest."""
    text = (folder / "report.html").read_text()
    page = parsed(text)
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/svg+xml;base64,", "#")), value
    assert not re.search(r"@import|url\(", page.text("style"))
    assert not page.of("link")
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_only_our_own_style_and_script_may_run(folder: Path) -> None:
    """One style and one script, each with the hash that the page's policy names; no inline handlers."""
    page = parsed((folder / "report.html").read_text())
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv")) or ""
    for tag in ("style", "script"):
        assert len(page.of(tag)) == 1
        digest = b64encode(sha256("".join(page.texts[tag]).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.elements for name in attributes)


def test_every_picture_is_inside_and_described(folder: Path) -> None:
    """The page's picture is the very SVG beside it, with words for who can't see it."""
    page = parsed((folder / "report.html").read_text())
    images = page.of("img")
    assert len(images) == 5
    for image in images:
        assert len(image["alt"] or "") > 40
        assert image["width"]
        assert image["height"]
    inside = {b64decode((image["src"] or "").partition(",")[2]) for image in images}
    assert inside == {path.read_bytes() for path in folder.glob("*.svg")}


def test_the_page_tells_how_it_was_made_what_was_left_out_and_what_it_shows(folder: Path) -> None:
    """Command, left-out sentence, simulated, the check of every fund, the verdict; anchors lead somewhere."""
    page = parsed((folder / "report.html").read_text())
    assert page.text("code") == "pointsman bench budget"
    paragraphs = page.text("p")
    assert "1 of 5 models and 12 of 2,012 rows were left out for missing cells." in paragraphs
    assert "none was overspent" in paragraphs
    assert "paced is first among the online policies in the one cell there is" in paragraphs
    assert "Simulated: no real model answered" in page.text("span")
    targets = {attributes.get("id") for _, attributes in page.elements}
    assert all((link["href"] or "")[1:] in targets for link in page.of("a"))
    assert next(attributes for tag, attributes in page.elements if tag == "html")["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.of("meta"))


def test_making_it_again_changes_no_byte(folder: Path) -> None:
    """From the same rows, the same page: made from saved rows alone, without a clock."""
    before = (folder / "report.html").read_bytes()
    write_report(folder, dpi=20)
    assert (folder / "report.html").read_bytes() == before


def test_what_is_real_is_not_called_simulated() -> None:
    """The word appears with simulated rows only, on the page and in the Markdown."""
    rows = make_rows(make_meta(2, simulated=False), policies=FEW)
    assert "imulated" not in bare_page(rows).partition("<body>")[2].partition("<script>")[0]
    section = Section("x", "y", tables=(main_table(rows),))
    assert "simulated" not in tables_text([section], simulated=False)
    assert "(simulated)" in tables_text([section], simulated=True)
    assert (bool(make_frame(rows).simulated), bool(make_frame(replace(rows, meta=make_meta(2))).simulated)) == (
        False,
        True,
    )


def test_an_overspent_fund_is_an_alarm_on_the_page() -> None:
    """It must never happen; if it does, the report is the last to hide it."""
    meta = make_meta(2)
    run = make_run(meta, "paced", 0, key="the-run", budget={"a": 1.0}, spent={"a": 1.5})
    text = bare_page(Rows(meta, (run,), {}))
    assert "Overspent: run the-run spent 1.5 of the 1 in fund a." in text
    assert "1 were overspent" in text
    assert 'role="alert"' in text


def test_the_headline_by_hand() -> None:
    """Twice port, for the mean cost, against approx-optimum; nothing to say without paced."""
    meta = make_meta(2)
    paced = make_run(meta, "paced", 0, performance=200.0, cost_usd=0.5, relative=1.25)
    port = make_run(meta, "port", 0, performance=100.0)
    assert (
        headline(Rows(meta, (paced, port), {}))
        == "paced gets 200 points of score for $0.500: 2.00 × port, 125 % of approx-optimum."
    )
    assert headline(Rows(meta, (port,), {})) == ""


def test_a_sweep_has_its_section_and_a_plain_bench_has_none(tmp_path: Path) -> None:
    """The page shows what is in the rows: a sweep's two pictures and its table, or no such section."""
    rows = make_rows(replace(make_meta(2), sweep="factor"), values=(0.5, 1.0), policies=("port", "paced"), orders=1)
    sections = make_sections(replace(rows, traces={}))
    assert [section.anchor for section in sections] == ["policies", "ratios", "by-factor", "cells", "served"]
    by_factor = sections[2]
    assert [picture.name for picture in by_factor.pictures] == ["factor-performance", "factor-relative"]
    assert by_factor.folded[0].title == "Performance against budget"


def test_one_policy_alone_is_reported_too() -> None:
    """No rival, no ratio, no cell to be first in: those sections are not there."""
    rows = make_rows(make_meta(2), policies=("optimum",), orders=1)
    assert [section.anchor for section in make_sections(replace(rows, traces={}))] == ["policies", "served"]


def test_an_unfinished_or_empty_folder(tmp_path: Path) -> None:
    """A torn last line doesn't matter; no finished run is told, and nothing is written."""
    rows = make_rows(make_meta(2), policies=("paced",), orders=1, points=3)
    save(Rows(rows.meta, (), {}), tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="no runs yet"):
        write_report(tmp_path, dpi=20)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(InputError, match=r"no such file"):
        write_report(tmp_path / "nowhere")


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "&lt;b&gt;",
    "]]><!--",
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20) | st.sampled_from(HOSTILE)


@settings(max_examples=30, deadline=None)
@given(policy=texts, model=texts, title=texts, command=texts, left_out=texts)
def test_no_name_or_text_gets_through_as_markup(
    policy: str, model: str, title: str, command: str, left_out: str
) -> None:
    """Whatever the rows say, the page has the elements it has with harmless names, and shows the words as they are."""
    meta = replace(make_meta(2), models=(model, "m"), dataset=title, command=command, left_out=left_out)
    runs = (make_run(meta, policy, 0, key="a"), make_run(meta, "paced", 0, key="b"))
    page = parsed(bare_page(Rows(meta, runs, {})))
    plain = make_meta(2)
    harmless = (make_run(plain, "my-own", 0, key="a"), make_run(plain, "paced", 0, key="b"))
    expected = parsed(bare_page(Rows(plain, harmless, {})))
    assert len(page.of("script")) == len(page.of("style")) == 1
    assert page.texts["script"] == expected.texts["script"]
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in expected.elements} | {"sup"}
    assert page.text("code") == command
    assert title in page.text("h1")
    assert model in page.texts["li"]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_a_hostile_name_is_harmless_in_the_pictures_too(tmp_path: Path) -> None:
    """The whole report with names that would like to be scripts: no script in the page or in any SVG."""
    meta = replace(make_meta(2), models=("<script>alert(1)</script>", "b"), dataset="<script>x</script>")
    rows = make_rows(meta, policies=("<script>p</script>", "paced"), points=3, orders=1)
    page = write_report(save(rows, tmp_path), dpi=20).read_text()
    assert len(parsed(page).of("script")) == 1
    assert not any(b"<script" in path.read_bytes() for path in tmp_path.glob("*.svg"))
    assert "<script>" not in (tmp_path / "tables.md").read_text()
