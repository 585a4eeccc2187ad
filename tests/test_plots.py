"""The pictures: readable, honest about what is simulated, drawn without global state, the same from the same rows."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from made_rows import make_meta, make_rows, make_run
from pointsman.errors import InputError
from pointsman.evaluate.plots import (
    MOST_PANELS,
    Picture,
    Reliability,
    plot_axis,
    plot_performance,
    plot_prices,
    plot_progress,
    plot_reliability,
    plot_scores,
    plot_served,
    plot_spend,
    to_png,
    to_svg,
)
from pointsman.evaluate.plots.looks import LOOKS, look_of, luminance, rgb_of, text_colour
from pointsman.evaluate.rows import Rows
from pointsman.records import Candidate, Decision

FEW = ("port", "batchsplit-prorated", "paced", "paced-pooled", "approx-optimum", "optimum")


@pytest.fixture(scope="module")
def rows() -> Rows:
    """A small bench of few policies."""
    return make_rows(make_meta(4), policies=FEW, points=5)


def pictures_of(rows: Rows) -> list[Picture]:
    """All pictures of a bench without a sweep."""
    drawn = [plot_performance(rows), plot_served(rows), plot_progress(rows), plot_spend(rows), plot_prices(rows)]
    return [picture for picture in drawn if picture is not None]


def texts_of(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.findobj(Text) if text.get_text()]


def decision(scores: list[float]) -> Decision:
    candidates = [Candidate(f"m/{at}", 0.5, 0.1, 0.01, 100.0, 0.5 - score, score) for at, score in enumerate(scores)]
    return Decision("m/0", "best", tuple(candidates))


# ---- by hand


def test_the_bars_say_the_means_of_the_rows() -> None:
    """110 and 130 are drawn as a bar of 120, and written as 120 ± 14."""
    meta = make_meta(2)
    runs = tuple(make_run(meta, "paced", order, performance=value) for order, value in enumerate((110.0, 130.0)))
    picture = plot_performance(Rows(meta, runs, {}))
    (bar,) = picture.figure.axes[0].patches
    assert bar.get_width() == 120  # type: ignore[attr-defined]
    assert any(text.startswith("120 ± 14") for text in texts_of(picture))
    assert "paced 120" in picture.alt


def test_the_expected_calibration_error_by_hand() -> None:
    """Off by 0.1 in one of ten and by 0.2 in nine of ten is 0.19; an empty bin counts for nothing."""
    bins = Reliability(np.array([0.2, 0.6, 0.9]), np.array([0.3, 0.4, math.nan]), np.array([1, 9, 0]))
    assert bins.error == pytest.approx(0.19)
    assert math.isnan(Reliability(np.zeros(1), np.zeros(1), np.zeros(1, dtype=np.int64)).error)


def test_spend_is_drawn_as_a_share_of_the_runs_own_budget(rows: Rows) -> None:
    """The last point of a line is spent ÷ budget of that fund."""
    picture = plot_spend(rows, ("paced",))
    assert picture is not None
    run = next(run for run in rows.runs if run.policy == "paced" and run.order == 0)
    largest = max(run.budget, key=lambda fund: run.budget[fund])
    drawn = picture.figure.axes[0].lines[1].get_ydata()
    assert np.asarray(drawn)[-1] == pytest.approx(run.spent[largest] / run.budget[largest])


# ---- properties of every picture


def test_every_picture_is_a_png_and_an_svg_of_the_promised_width(rows: Rows) -> None:
    """Twelve inches: 1200 pixels at 100 dpi; an alt text names what is in it."""
    found = pictures_of(rows)
    assert [picture.name for picture in found] == ["performance", "served", "progress", "spend", "prices"]
    for picture in found:
        png = to_png(picture, dpi=20)
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">I", png[16:20]) == (240,)
        assert len(picture.alt) > 40
    assert to_svg(found[0]).startswith(b"<?xml")


def test_what_is_simulated_says_so_in_every_picture_and_what_is_not_does_not(rows: Rows) -> None:
    """The word stands in the title and in a tag."""
    for picture in pictures_of(rows):
        said = [text for text in texts_of(picture) if "simulated" in text]
        assert len(said) == 2
    for picture in pictures_of(replace(rows, meta=make_meta(4, simulated=False))):
        assert not any("simulated" in text for text in texts_of(picture))


def test_no_text_leaves_the_sheet() -> None:
    """Long names, many policies and funds: everything written stays on the picture."""
    meta = replace(
        make_meta(18), dataset="A data set with a very long name that nobody would want to read in full " * 2
    )
    meta = replace(meta, models=tuple(f"provider/some-long-model-name-{n}-instruct-v{n}" for n in range(18)))
    rows = make_rows(meta, points=4, orders=1)
    sweep = make_rows(replace(meta, sweep="factor"), values=(0.25, 1.0), orders=2)
    for picture in (*pictures_of(rows), plot_axis(sweep, "factor")):
        figure = picture.figure
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
        width, height = figure.bbox.width, figure.bbox.height
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent(renderer)
                assert box.x0 >= -2, (picture.name, text.get_text())
                assert box.x1 <= width + 2, (picture.name, text.get_text())
                assert box.y0 >= -2, (picture.name, text.get_text())
                assert box.y1 <= height + 2, (picture.name, text.get_text())


def test_a_dollar_sign_is_no_mathematics_and_a_strange_letter_no_warning() -> None:
    """Names are drawn as they are; what the font lacks is a box, line ends are blanks."""
    meta = replace(make_meta(2), dataset="cost $x_1$ of 模型\nand more", models=("a/$m$", "b/模"))
    picture = plot_served(make_rows(meta, policies=("$p^2$", "paced"), orders=1))
    assert "$p^2$" in texts_of(picture)
    assert any(text.startswith("cost $x_1$ of □□ and more") for text in texts_of(picture))
    assert to_png(picture, dpi=20)


def test_the_same_rows_give_the_same_bytes(rows: Rows) -> None:
    """No date, no random id: a report that is made again doesn't change."""
    assert to_svg(plot_performance(rows)) == to_svg(plot_performance(rows))
    assert to_png(plot_performance(rows), 20) == to_png(plot_performance(rows), 20)


def test_every_colour_that_a_name_is_written_in_can_be_read_on_white() -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2) for the names at the lines' ends."""
    for look in (*LOOKS.values(), look_of("my-own")):
        rgb = rgb_of(text_colour(look.colour))
        assert 1.05 / (luminance(rgb) + 0.05) >= 4.4


def test_drawing_needs_no_pyplot_and_changes_no_global_style() -> None:
    """A fresh interpreter draws a picture without pyplot, and finds matplotlib's style as it was."""
    code = (
        "import sys, matplotlib, numpy as np;"
        # Asking for the backend would choose one, and load pyplot.
        "style = lambda: {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != 'backend'};"
        "before = style();"
        "from pointsman.evaluate.plots import *;"
        "bins = Reliability(np.array([.5]), np.array([.4]), np.array([3]));"
        "to_png(plot_reliability({'a': bins}, title='t'), 20);"
        "assert 'matplotlib.pyplot' not in sys.modules; assert style() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---- what is drawn when


@pytest.mark.parametrize("axis", ["factor", "split", "k"])
def test_a_sweep_is_drawn_in_both_measures(axis: str) -> None:
    """Numbers or names along the axis; `optimum` is left to the table; every other policy is named at its end."""
    values = {"factor": (0.25, 1.0, 2.0), "split": ("weighted", "uniform"), "k": (1, 5, 100)}[axis]
    rows = make_rows(replace(make_meta(3), sweep=axis), values=values, policies=FEW)  # type: ignore[arg-type]
    for metric in ("performance", "relative"):
        picture = plot_axis(rows, axis, metric)
        assert picture.name == f"{axis}-{metric}"
        words = " ".join(texts_of(picture))
        assert all(name in words for name in FEW if name != "optimum")
        assert "optimum " not in words.replace("approx-optimum ", "")
    assert picture.figure.axes[0].get_xscale() == ("log" if axis == "k" else "linear")


def test_a_policy_that_has_not_run_everywhere_is_drawn_where_it_has() -> None:
    """A missing value is a shorter line, not a zero and not an error."""
    rows = make_rows(
        replace(make_meta(3), sweep="factor"), values=(0.5, 1.0, 2.0), policies=("port", "paced"), orders=1
    )
    kept = tuple(run for run in rows.runs if run.policy == "paced" or run.factor > 0.5)
    unknown = tuple(replace(run, relative=math.nan) if run.policy == "port" else run for run in kept)
    lengths = {
        len(np.asarray(line.get_xdata())) for line in plot_axis(replace(rows, runs=kept), "factor").figure.axes[0].lines
    }
    assert {2, 3} <= lengths
    assert "port" not in plot_axis(replace(rows, runs=unknown), "factor", "relative").alt


def test_without_traces_or_prices_there_is_no_picture_of_them(rows: Rows) -> None:
    """Nothing to draw is None, not an empty frame."""
    bare = replace(rows, traces={})
    assert plot_progress(bare) is plot_spend(bare) is plot_prices(bare) is None
    unpriced = make_rows(make_meta(3), policies=("batchsplit", "random"), points=4)
    assert plot_prices(unpriced) is None
    assert plot_spend(unpriced) is None


def test_a_pooled_fund_has_its_own_picture_only_when_nothing_else_is_priced() -> None:
    """The one fund of a pooled policy is not drawn among the funds of the others."""
    both = plot_prices(make_rows(make_meta(3), policies=("paced", "paced-pooled"), points=4))
    alone = plot_prices(make_rows(make_meta(3), policies=("paced-pooled",), points=4))
    assert both is not None
    assert alone is not None
    assert (len(both.figure.axes), len(alone.figure.axes)) == (3, 1)


def test_a_short_spike_of_a_price_doesnt_flatten_the_rest() -> None:
    """One moment at 1,000 among prices of 1 ends the axis at 3, and the picture says that spikes are cut off."""
    rows = make_rows(make_meta(2), policies=("paced",), points=21, orders=1)
    (trace,) = rows.traces.values()
    spiky = dict.fromkeys(trace.price, (1.0,) * 10 + (1000.0,) + (1.0,) * 10)
    picture = plot_prices(replace(rows, traces={trace.key: replace(trace, price=spiky)}))
    assert picture is not None
    assert all(axes.get_ylim() == (0, 3) for axes in picture.figure.axes)
    assert any("spikes cut off" in text for text in texts_of(picture))
    free = dict.fromkeys(trace.price, (0.0,) * 21)
    assert plot_prices(replace(rows, traces={trace.key: replace(trace, price=free)})) is not None


def test_of_very_many_funds_the_largest_are_drawn_and_the_picture_says_so() -> None:
    """A hundred panels help nobody; leaving some out silently would help less."""
    picture = plot_spend(make_rows(make_meta(40), policies=("port", "paced"), points=3, orders=1))
    assert picture is not None
    assert len(picture.figure.axes) == MOST_PANELS
    assert any("the 24 largest of 40 funds" in text for text in texts_of(picture))


def test_nothing_at_all_is_told() -> None:
    """No runs, no picture."""
    with pytest.raises(InputError, match="no runs yet"):
        plot_performance(Rows(make_meta(2), (), {}))


def test_a_bench_in_which_nobody_got_anything_can_still_be_drawn() -> None:
    """All zero: bars of no length, axes that hold."""
    meta = make_meta(2)
    nothing = {
        "performance": 0.0,
        "relative": math.nan,
        "efficiency": math.nan,
        "served": 0,
        "served_by": {},
        "arrivals": 0,
    }
    runs = tuple(make_run(meta, name, 0, **nothing) for name in ("port", "paced"))
    for picture in (plot_performance(Rows(meta, runs, {})), plot_served(Rows(meta, runs, {}))):
        assert to_png(picture, dpi=20)


def test_calibration_and_one_decision_are_drawn() -> None:
    """Several estimators side by side; a candidate that can't be taken has no score and says so."""
    bins = Reliability(np.linspace(0.1, 0.9, 5), np.linspace(0.2, 0.8, 5), np.array([5, 0, 7, 8, 9]))
    picture = plot_reliability({"before": bins, "after": bins}, title="Calibration", simulated=True)
    assert "before: expected calibration error" in picture.alt
    assert to_png(picture, dpi=20)
    scores = plot_scores(decision([0.4, 0.2, -math.inf]))
    assert "m/2 quality 0.500, score can't be taken" in scores.alt
    assert to_png(scores, dpi=20)
    nobody = plot_scores(replace(decision([-math.inf]), model=None, reason="nothing_payable"))
    assert "chosen: nobody (nothing payable)" in nobody.alt
    many = plot_scores(decision([0.1] * 20), most=12)
    assert any("8 more are not drawn" in text for text in texts_of(many))
