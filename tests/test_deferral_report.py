"""The report of a deferral bench: one page that says what the rows say and lets nothing through."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_deferral import TOPICS, make_deferral_meta, make_deferral_rows, make_made_up_atlas, make_trial
from page_parser import parsed
from pointsman.errors import InputError
from pointsman.evaluate.deferral.atlas import Atlas, save_atlas
from pointsman.evaluate.deferral.records import DeferralRows
from pointsman.evaluate.deferral.report import (
    cluster_table,
    headline,
    make_frame,
    make_sections,
    write_deferral_report,
)
from pointsman.evaluate.deferral.rows import DeferralWriter
from pointsman.evaluate.deferral.tables import deferral_table
from pointsman.evaluate.page import Section, page_text

META = make_deferral_meta()
FEW = ("zero", "knn", "kmeans", "transfer", "oracle")
PICTURES = {"curves", "gains", "areas", "probes", "coverage", "heat", "likeness"}


def save(rows: DeferralRows, folder: Path) -> Path:
    """The folder that a bench with these rows would have left."""
    with DeferralWriter(folder, rows.meta) as writer:
        for row in rows.rows:
            writer.append(row)
    return folder


def bare_page(rows: DeferralRows, atlas: Atlas | None = None) -> str:
    """The page without pictures: quick."""
    tables = (deferral_table(rows),) if atlas is None else (deferral_table(rows), cluster_table(atlas))
    return page_text(make_frame(rows, atlas), [Section("methods", "The methods compared", tables=tables)], {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported bench with an atlas."""
    rows = make_deferral_rows(META, methods=FEW, trials=3, probes=(16, 64))
    folder = save(rows, tmp_path_factory.mktemp("deferral"))
    save_atlas(make_made_up_atlas(META.models, TOPICS), folder)
    write_deferral_report(folder, dpi=20)
    return folder


# ---- the folder


def test_the_page_is_made_from_the_saved_rows_with_its_pictures_beside_it(folder: Path) -> None:
    """A page, a PNG and an SVG of every picture, the tables as Markdown, and nothing half-written."""
    pictures = {f"{picture}.{kind}" for picture in PICTURES for kind in ("png", "svg")}
    others = {"meta.json", "trials.jsonl", "atlas.json", "report.html", "tables.md"}
    assert {path.name for path in folder.iterdir()} == pictures | others
    tables = (folder / "tables.md").read_text()
    assert tables.startswith("### made-up set: 64 probes")
    assert "### Clusters of prompts (simulated)" in tables
    assert "| court, law, judge |" in tables


def test_the_page_asks_nobody_for_anything_and_runs_its_own_script_alone(folder: Path) -> None:
    """No address but fragments and pictures inside it, one style, one script; the policy forbids the rest."""
    page = parsed((folder / "report.html").read_text())
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/svg+xml;base64,", "#")), value
    assert not page.of("link")
    assert len(page.of("style")) == len(page.of("script")) == 1
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert (policy or "").startswith("default-src 'none'; img-src data:;")


def test_every_picture_is_inside_and_described_and_every_anchor_leads_somewhere(folder: Path) -> None:
    """The page's picture is the very SVG beside it, with words for who can't see it."""
    page = parsed((folder / "report.html").read_text())
    images = page.of("img")
    assert all(len(image["alt"] or "") > 40 for image in images)
    inside = {b64decode((image["src"] or "").partition(",")[2]) for image in images}
    assert inside == {path.read_bytes() for path in folder.glob("*.svg")}
    targets = {attributes.get("id") for _, attributes in page.elements}
    assert all((link["href"] or "")[1:] in targets for link in page.of("a"))


def test_the_page_tells_how_it_was_made_and_what_it_shows(folder: Path) -> None:
    """Command, what was left out, the convention, the methods, and that all of it is simulated."""
    page = parsed((folder / "report.html").read_text())
    assert page.text("code") == "pointsman bench deferral"
    paragraphs = page.text("p")
    assert "1 of 10 models and 12 of 2,012 rows were left out for missing cells." in paragraphs
    assert "The same for all methods." in paragraphs
    assert "Made from meta.json, trials.jsonl and atlas.json beside this page" in paragraphs
    assert "Simulated: no real model answered" in page.text("span")
    assert "UniRoute: mean error on the probes of the prompt's K-means cluster" in page.text("dd")


def test_making_it_again_changes_no_byte(folder: Path) -> None:
    """From the same rows, the same page: made from saved rows alone, without a clock."""
    before = (folder / "report.html").read_bytes()
    write_deferral_report(folder, dpi=10)
    assert (folder / "report.html").read_bytes() == before


def test_an_empty_folder_is_told_and_left_as_it_was(tmp_path: Path) -> None:
    """Nothing is written before there is something to write."""
    save(DeferralRows(META, ()), tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="no rows yet"):
        write_deferral_report(tmp_path, dpi=20)
    assert sorted(tmp_path.iterdir()) == before


# ---- what it says


def test_the_headline_by_hand() -> None:
    """Transfer's mean area, and its mean distance to what it is compared with; the best method without transfer."""
    areas = {"zero": (0.6, 0.7), "kmeans": (0.6, 0.68), "transfer": (0.62, 0.71), "oracle": (0.9, 0.9)}
    found = [make_trial(name, at, area=area) for name, pair in areas.items() for at, area in enumerate(pair)]
    assert headline(DeferralRows(META, tuple(found))) == (
        "transfer: mean area 0.6650 (+0.0150 against zero, +0.0250 against kmeans)."
    )
    others = [row for row in found if row.method != "transfer"]
    assert headline(DeferralRows(META, tuple(others))) == "zero: mean area 0.6500 (+0.0100 against kmeans)."
    assert headline(DeferralRows(META, tuple(row for row in found if row.method == "oracle"))) == ""


def test_the_verdict_says_whether_the_sign_test_holds() -> None:
    """Nine of nine trials tell the two apart at 0.01, three of three don't."""
    rows = [make_trial(name, at, area=area) for name, area in (("zero", 0.5), ("transfer", 0.6)) for at in range(9)]
    many = make_frame(DeferralRows(META, tuple(rows)), None).verdict
    assert many.startswith("transfer is above zero in 100 % of 9 trials; a sign test at 0.01 tells the two apart. ")
    few = make_frame(DeferralRows(META, tuple(row for row in rows if row.trial < 3)), None).verdict
    assert "of 3 trials; a sign test at 0.01 doesn't tell the two apart. Main table: 64 probes" in few


def test_an_unfinished_bench_says_so() -> None:
    """Methods with fewer trials than others are an alarm; equal ones are none."""
    rows = make_deferral_rows(META, methods=FEW, trials=3)
    assert make_frame(rows, None).alarms == []
    text = bare_page(replace(rows, rows=rows.rows[:-1]))
    assert "Not finished: some methods have 2 trials, others 3." in text
    assert 'role="alert"' in text


def test_sections_appear_with_what_they_show() -> None:
    """One number of probes, no intervals, no atlas: the comparison alone."""
    rows = make_deferral_rows(META, methods=("zero", "knn"), trials=2)
    assert [section.anchor for section in make_sections(rows, None)] == ["methods"]
    both = make_deferral_rows(META, methods=("zero", "transfer"), trials=2, picked=("transfer",))
    sections = make_sections(both, make_made_up_atlas(META.models, TOPICS))
    assert [section.anchor for section in sections] == ["methods", "probes", "intervals", "kinds", "likeness"]
    assert sections[1].folded[0].title == "Area against the number of probes"
    assert "64 picked probes" in sections[1].folded[1].title


def test_what_is_real_is_not_called_simulated() -> None:
    """The word appears with simulated rows only."""
    rows = make_deferral_rows(make_deferral_meta(simulated=False), methods=FEW, trials=1)
    assert "imulated" not in bare_page(rows).partition("<body>")[2].partition("<script>")[0]
    assert "no atlas" not in bare_page(rows)
    assert "meta.json and trials.jsonl beside" in bare_page(rows)


def test_a_static_pool_has_a_page_of_its_own_words() -> None:
    """Nothing is unseen, and there are no probes to count."""
    rows = make_deferral_rows(replace(META, static=True, known=9, unseen=9), methods=FEW, trials=2, probes=(0,))
    text = bare_page(rows)
    assert "routing among known models" in text
    assert "Probes a model" not in text
    assert "Models, all known" in text


def test_the_best_model_of_a_cluster_is_named() -> None:
    """The highest mean there, of the models that have one."""
    atlas = make_made_up_atlas(("a", "b"), (("law",), ("verse",)))
    (section,) = cluster_table(atlas).sections
    assert section.lines[1].label == "verse"
    assert [cell.text for cell in section.lines[1].cells][2] == "b"  # Model a has no score there.


# ---- nothing gets through

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "]]><!--",
)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20) | st.sampled_from(HOSTILE)


@settings(max_examples=25, deadline=None)
@given(method=texts, model=texts, title=texts, command=texts, word=texts)
def test_no_name_or_text_gets_through_as_markup(method: str, model: str, title: str, command: str, word: str) -> None:
    """Whatever rows and atlas say, the page has harmless elements only, and shows the words as they are."""
    meta = replace(make_deferral_meta(2), models=(model, "m"), dataset=title, command=command)
    rows = DeferralRows(meta, tuple(make_trial(name, 0, key=key) for key, name in enumerate_keys(method, "zero")))
    page = parsed(bare_page(rows, make_made_up_atlas((model, "m"), ((word,), ()))))
    harmless = replace(rows, meta=make_deferral_meta(2))
    expected = parsed(bare_page(harmless, make_made_up_atlas(("a", "m"), (("law",), ()))))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in expected.elements} | {"sup"}
    assert len(page.of("script")) == len(page.of("style")) == 1
    assert page.texts["script"] == expected.texts["script"]
    assert page.text("code") == command
    assert title in page.text("h1")
    assert model in page.texts["li"]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def enumerate_keys(*names: str) -> list[tuple[str, str]]:
    return [(f"k{place}", name) for place, name in enumerate(names)]


def test_a_hostile_name_is_harmless_in_the_pictures_too(tmp_path: Path) -> None:
    """The whole report with names that would like to be scripts: no script in the page or in any SVG."""
    evil = "<script>alert(1)</script>"
    meta = replace(make_deferral_meta(3), models=(evil, "b", "c"), dataset=evil)
    rows = make_deferral_rows(meta, methods=(evil, "zero", "transfer"), trials=2, probes=(8, 16))
    save_atlas(make_made_up_atlas(meta.models, ((evil,), ("law",))), save(rows, tmp_path))
    page = write_deferral_report(tmp_path, dpi=20).read_text()
    assert len(parsed(page).of("script")) == 1
    assert not any(b"<script" in path.read_bytes() for path in tmp_path.glob("*.svg"))
    assert not re.search(r"<script>alert", (tmp_path / "tables.md").read_text())
