"""What becomes of a plug-in bench's rows: checks, folder, measures, tables, export; and how its runs are planned."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.plugin.export import export_plugin
from pointsman.evaluate.plugin.folder import PluginWriter, read_plugin
from pointsman.evaluate.plugin.pictures import plot_probes, plot_regret
from pointsman.evaluate.plugin.plan import Pair, Request, draw_pairs, parse_newcomers, parse_probes, tasks_of
from pointsman.evaluate.plugin.report import write_plugin_report
from pointsman.evaluate.plugin.rows import MOMENTS, PluginMeta, PluginRow, PluginRows
from pointsman.evaluate.plugin.spending import settled_after
from pointsman.evaluate.plugin.summary import measures, summarise
from pointsman.evaluate.plugin.tables import pair_table, plugin_table
from pointsman.evaluate.prepare import Setting
from pointsman.evaluate.render import to_markdown

META = PluginMeta(
    "made-up set", True, ("a", "b", "c"), 300, 200, "weighted", 1.0, 1, "wordllama", "", "cmd", 0, "0.1.0"
)


def row(variant: str, performance: float, *, probes: int = 0, order: int = 0, settled: int | None = 50) -> PluginRow:
    """A row that gains its performance evenly."""
    return PluginRow(
        key=f"{variant}|p{probes}|o{order}|a|b",
        variant=variant,
        probes=probes,
        order=order,
        newcomer="a",
        leaver="b",
        arrivals=300,
        joins=100,
        leaves=200,
        performance=performance,
        cost_usd=1.0,
        served=250,
        served_by_newcomer=0 if variant == "never" else 80,
        fund_usd=0.5,
        spent_usd=0.0 if variant == "never" else 0.4,
        probes_usd=0.01 * probes,
        settled=settled,
        progress=tuple(np.linspace(0.0, performance, MOMENTS).tolist()),
        seconds=0.1,
    )


def rows() -> PluginRows:
    """Two orders: 100 and 200 to gain over never's 100; `transfer` has 50 and 160 of it, `mean` nothing."""
    made = []
    for order, full in ((0, 200.0), (1, 300.0)):
        made += [row("from-the-start", 1.25 * full, order=order), row("full-history", full, order=order)]
        made += [row("never", 100.0, order=order, settled=None)]
        made += [row("mean", 100.0, probes=64, order=order, settled=None)]
    made += [row("transfer", 150.0, probes=64), row("transfer", 260.0, probes=64, order=1, settled=70)]
    return PluginRows(META, tuple(made))


def test_measures_by_hand() -> None:
    """Shares, gain closed and regret against the references of the same order."""
    found = {(one.row.variant, one.row.order): one for one in measures(rows())}
    first, second = found["transfer", 0], found["transfer", 1]
    assert (first.of_full, second.of_full) == pytest.approx((0.75, 260 / 300))
    assert (first.of_start, second.of_start) == pytest.approx((0.6, 260 / 375))
    assert (first.gain_closed, second.gain_closed) == pytest.approx((0.5, 0.8))
    assert first.regret[0] == 0.0
    assert first.regret[-1] == pytest.approx(50.0)
    assert first.spent_share == pytest.approx(0.8)
    assert found["never", 0].gain_closed == 0.0
    assert found["full-history", 1].regret == (0.0,) * MOMENTS


def test_summary_by_hand() -> None:
    """The gain closed is that of the sums, 210 of 300; the median time counts "never" as longest."""
    found = summarise(rows())
    ours = found["transfer", 64]
    assert ours.gain_closed == pytest.approx(0.7)
    assert ours.regret_end == pytest.approx(45.0)
    assert ours.settled_median == 60.0
    assert ours.pairs == 2
    assert ours.of_full_sd == pytest.approx(np.std([0.75, 260 / 300], ddof=1))
    assert math.isnan(found["mean", 64].settled_median)
    assert found["mean", 64].settled_share == 0.0
    assert list(found) == [("from-the-start", 0), ("full-history", 0), ("never", 0), ("transfer", 64), ("mean", 64)]


def test_pairs_without_references_wait() -> None:
    """A pair whose references aren't finished is in no mean, and with none finished there is nothing to say."""
    half = tuple(one for one in rows().rows if (one.variant, one.order) != ("never", 1))
    assert summarise(PluginRows(META, half))["transfer", 64].pairs == 1
    with pytest.raises(InputError, match="no pair is finished"):
        summarise(PluginRows(META, (row("transfer", 1.0, probes=8),)))


def test_tables_name_what_they_show() -> None:
    """References and variants apart, the best variant marked, one line a pair."""
    table = plugin_table(rows())
    assert [section.title for section in table.sections] == ["References", "Newly placed"]
    text = to_markdown(table)
    assert "transfer, 64" in text
    assert "| 70.0 |" in text
    assert [line.label for line in table.sections[1].lines if line.cells[1].best] == ["transfer, 64"]
    assert "+100.0" in to_markdown(pair_table(rows()))


def test_export_is_the_same_in_any_order_of_rows(tmp_path: Path) -> None:
    """Rows with their measures and a summary by variant and probes; undefined figures are null."""
    export_plugin(rows(), tmp_path / "one.json")
    export_plugin(PluginRows(META, rows().rows[::-1]), tmp_path / "other.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    found = json.loads((tmp_path / "one.json").read_text())
    assert found["summary"]["transfer"]["64"]["gain_closed"] == pytest.approx(0.7)
    assert found["summary"]["mean"]["64"]["settled_median"] is None
    assert len(found["runs"]) == 10
    assert {"of_from_the_start", "of_full_history", "gain_closed", "regret", "settled"} <= set(found["runs"][0])


def test_pictures_say_in_words_what_they_show() -> None:
    """Both pictures name every variant with its last value, simulated ones say so."""
    for picture in (plot_probes(rows()), plot_regret(rows())):
        assert "transfer" in picture.alt
        assert "never" in picture.alt
        assert any("simulated" in text.get_text() for text in picture.figure.texts)


def test_a_folder_gives_back_its_rows(tmp_path: Path) -> None:
    """What was appended is read again, a torn line is cut away, and the report is written from it."""
    with PluginWriter(tmp_path, META) as writer:
        for one in rows().rows:
            writer.append(one)
    assert read_plugin(tmp_path) == rows()
    lines = tmp_path / "rides.jsonl"
    lines.write_bytes(lines.read_bytes()[:-30])
    with PluginWriter(tmp_path, META) as writer:
        assert len(writer.done_keys()) == 9
        writer.append(rows().rows[-1])
    assert read_plugin(tmp_path) == rows()
    page = write_plugin_report(tmp_path, dpi=40).read_text()
    assert "transfer, 64" in page
    assert "Simulated" in page
    assert (tmp_path / "plugin-regret.png").is_file()


def test_a_folder_refuses_what_is_not_its_own(tmp_path: Path) -> None:
    """Another factor, a second writer, a key twice and a row that overspends are refused."""
    with PluginWriter(tmp_path, META) as writer:
        writer.append(row("never", 1.0))
        with pytest.raises(InputError, match="there already"):
            writer.append(row("never", 1.0))
        with pytest.raises(InputError, match="more than"):
            writer.append(replace(row("mean", 1.0), spent_usd=0.6))
        with pytest.raises(InputError, match="another bench is writing"):
            PluginWriter(tmp_path, META)
    with pytest.raises(InputError, match="factor"):
        PluginWriter(tmp_path, replace(META, factor=2.0))
    (tmp_path / "rides.jsonl").write_text('{"key": 1}\n')
    with pytest.raises(InputError, match="line 1"):
        read_plugin(tmp_path)


# ---- spending


def test_settled_by_hand() -> None:
    """Forty arrivals after joining, windows of two, forty dollars: a dollar each is even.

    Nothing is spent on the first four; then 38 or more are due on 36, and a dollar each is within 20 % of that.
    """
    drawn = np.array([9.0] * 3 + [0.0] * 4 + [1.0] * 36)
    assert settled_after(drawn, 40.0, 3) == 6
    assert settled_after(np.array([1.0] * 40), 40.0, 0) == 2
    assert settled_after(np.zeros(40), 40.0, 0) is None
    assert settled_after(np.zeros(40), 0.0, 0) is None
    assert settled_after(np.array([40.0] + [0.0] * 39), 40.0, 0) is None


@given(st.integers(1, 200), st.floats(0.1, 100.0))
def test_even_spending_is_settled_at_once(arrivals: int, fund: float) -> None:
    """Who spends the same on every arrival is settled after one window."""
    after = settled_after(np.full(arrivals, fund / arrivals), fund, 0)
    assert after == max(1, round(arrivals / 20))


# ---- plan


def test_every_model_joins_before_one_joins_twice() -> None:
    """Newcomers are dealt from a deck, leavers are others, and more orders change no pair that was there."""
    models, request = ["a", "b", "c", "d"], Request(Setting(10, seed=3), orders=8)
    pairs = draw_pairs(models, request)
    assert sorted(pair.newcomer for pair in pairs[:4]) == models
    assert sorted(pair.newcomer for pair in pairs[4:]) == models
    assert all(pair.newcomer != pair.leaver for pair in pairs)
    assert draw_pairs(models, replace(request, orders=3)) == pairs[:3]
    assert draw_pairs(models, replace(request, setting=Setting(10, seed=4))) != pairs
    everybody = draw_pairs(models, replace(request, orders=2, newcomers=None))
    assert [sorted(p.newcomer for p in everybody if p.order == order) for order in (0, 1)] == [models, models]
    with pytest.raises(InputError, match="newcomers"):
        draw_pairs(models, replace(request, newcomers=5))
    with pytest.raises(InputError, match="may join"):
        draw_pairs(["a"], request)


def test_tasks_have_keys_of_their_own() -> None:
    """Three references once, four variants for each number of probes."""
    tasks = tasks_of(Pair(0, "a", "b"), (8, 16))
    assert len(tasks) == 3 + 4 * 2
    assert len({task.key for task in tasks}) == len(tasks)


def test_options_are_read_strictly() -> None:
    """Lists of numbers above zero; `all` or a number of newcomers."""
    assert parse_probes("64, 8,8") == (8, 64)
    assert parse_newcomers("all") is None
    assert parse_newcomers("3") == 3
    for text in ("", "0", "8,x", "-8"):
        with pytest.raises(InputError, match="--probes"):
            parse_probes(text)
    for text in ("", "0", "some"):
        with pytest.raises(InputError, match="--newcomers"):
            parse_newcomers(text)
    with pytest.raises(InputError, match="orders"):
        Request(Setting(10), orders=0)
