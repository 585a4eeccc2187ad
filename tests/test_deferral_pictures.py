"""The pictures of a deferral bench: true to the rows, readable, honest about what is simulated and what is cut."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from made_deferral import ALL, TOPICS, make_deferral_meta, make_deferral_rows, make_made_up_atlas, make_trial
from pointsman.errors import InputError
from pointsman.evaluate.deferral.pictures import (
    plot_areas,
    plot_coverage,
    plot_curve_gains,
    plot_curves,
    plot_heat,
    plot_likeness,
    plot_probes,
)
from pointsman.evaluate.deferral.pictures.areas import coverage
from pointsman.evaluate.deferral.pictures.looks import LOOKS, look_of
from pointsman.evaluate.deferral.pictures.maps import MOST_ROWS
from pointsman.evaluate.deferral.pictures.placing import place_labels
from pointsman.evaluate.deferral.pictures.series import curve_gains, gains, groups_of, main_groups, standard_error
from pointsman.evaluate.deferral.records import DeferralRows
from pointsman.evaluate.plots import Picture, to_png, to_svg

META = make_deferral_meta()
NAMES = ["curves", "gains", "areas", "probes", "coverage", "heat", "likeness"]


@pytest.fixture(scope="module")
def rows() -> DeferralRows:
    """All methods, two numbers of probes, picked ones too."""
    return make_deferral_rows(META, probes=(16, 64), picked=("zero", "transfer", "transfer-consensus"))


def pictures_of(rows: DeferralRows, topics: tuple[tuple[str, ...], ...] = TOPICS) -> list[Picture]:
    """All pictures there are of a bench and of an atlas with its models."""
    atlas = make_made_up_atlas(rows.meta.models, topics)
    drawn = [plot(rows) for plot in (plot_curves, plot_curve_gains, plot_areas, plot_probes, plot_coverage)]
    drawn += [plot_heat(atlas, rows.meta), plot_likeness(atlas, rows.meta)]
    return [picture for picture in drawn if picture is not None]


def texts_of(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.findobj(Text) if text.get_text()]


def renderer_of(picture: Picture) -> RendererAgg:
    canvas = FigureCanvasAgg(picture.figure)
    return canvas.get_renderer()  # type: ignore[no-untyped-call, no-any-return]


def boxes_of(picture: Picture, renderer: RendererAgg) -> dict[str, Bbox]:
    """Where the texts of the first axes stand, in pixels, without their ticks."""
    texts = picture.figure.axes[0].texts
    shown = {f"{place} {text.get_text()}": text for place, text in enumerate(texts) if text.get_text()}
    return {words: text.get_window_extent(renderer) for words, text in shown.items()}


def overlap(one: Bbox, other: Bbox) -> bool:
    return bool(
        min(one.x1, other.x1) - max(one.x0, other.x0) > 0.5 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
    )


# ---- by hand


def test_areas_are_compared_within_a_trial() -> None:
    """0.6 and 0.7 against zero's 0.5 and 0.65 are 0.1 and 0.05; a trial that zero lacks counts for nothing."""
    found = [make_trial("transfer", trial, area=area) for trial, area in ((0, 0.6), (1, 0.7), (2, 0.9))]
    found += [make_trial("zero", trial, area=area) for trial, area in ((1, 0.65), (0, 0.5))]
    groups = groups_of(DeferralRows(META, tuple(found)))
    assert [group.method for group in groups] == ["zero", "transfer"]
    assert gains(groups[1], groups) == pytest.approx([0.1, 0.05])
    assert curve_gains(groups[1], groups).shape == (2, 101)
    assert gains(groups[1], groups[1:]).tolist() == []
    assert standard_error(np.array([0.1, 0.05])) == pytest.approx(0.025)
    assert math.isnan(float(standard_error(np.array([0.1]))))


def test_picked_probes_are_judged_against_zero_on_random_ones() -> None:
    """So that picked and random probes compare; against zero on picked ones only where there is no other."""
    found = [make_trial("zero", 0, area=0.5), make_trial("zero", 0, probing="picked", area=0.6)]
    groups = groups_of(DeferralRows(META, (*found, make_trial("transfer", 0, probing="picked", area=0.7))))
    assert [group.name for group in groups] == ["zero", "zero, picked", "transfer, picked"]
    assert gains(groups[2], groups) == pytest.approx([0.2])
    assert gains(groups[2], groups[1:]) == pytest.approx([0.1])


def test_the_curves_drawn_are_the_means_of_the_rows_at_most_probes(rows: DeferralRows) -> None:
    """With 64 probes, not 16; the area at the name, the oracle left out."""
    picture = plot_curves(rows)
    transfer = next(group for group in main_groups(groups_of(rows)) if group.name == "transfer")
    assert transfer.probes == 64
    drawn = [np.asarray(line.get_ydata()) for line in picture.figure.axes[0].lines]
    (seen,) = {len(line) for line in drawn if len(line) > 3}  # Leaders have three points.
    mean = transfer.curves.mean(axis=0)[:seen]
    assert sum(len(line) == seen and np.allclose(line, mean) for line in drawn) == 1
    assert f"transfer {transfer.areas.mean():.4f}" in texts_of(picture)
    assert "oracle" not in picture.alt


def test_the_words_beside_a_row_of_dots() -> None:
    """Mean, standard error, and the share above zero, ties counting half."""
    found = [make_trial("zero", trial, area=0.5) for trial in range(4)]
    found += [make_trial("knn", trial, area=area) for trial, area in enumerate((0.52, 0.5, 0.49, 0.51))]
    picture = plot_areas(DeferralRows(META, tuple(found)))
    assert picture is not None
    assert "+0.0050 ± 0.0065 62 %" in [" ".join(text.split()) for text in texts_of(picture)]


def test_coverage_by_hand() -> None:
    """18 of 20 and 27 of 30 intervals are 90 %."""
    found = tuple(make_trial("transfer", at, intervals=n, covered=c) for at, (n, c) in enumerate(((20, 18), (30, 27))))
    (group,) = groups_of(DeferralRows(META, found))
    assert coverage(group) == 0.9
    picture = plot_coverage(DeferralRows(META, found))
    assert picture is not None
    assert "90.0 %" in texts_of(picture)


def test_the_heat_map_says_differences_from_the_models_mean() -> None:
    """In points, the best model on top, a dash where nothing is recorded; the last row is the mean of all."""
    atlas = make_made_up_atlas(("a/low", "a/high"), (("law",), ("verse",)))
    means, score = np.array([0.4, 0.6]), np.array([[0.5, np.nan], [0.5, 0.8]])
    picture = plot_heat(replace(atlas, model_means=means, score=score), META)
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["high", "low", "all models"]
    assert [text.get_text() for text in axes.texts[:6]] == ["−10", "+20", "+10", "–", "0", "+20"]
    assert "law: +0.0; verse: +20.0" in picture.alt


def test_of_very_many_models_a_part_is_drawn_and_the_note_says_so() -> None:
    """The best and the worst among them; a cluster without telling words says so."""
    models = tuple(f"m/{number}" for number in range(100))
    atlas = make_made_up_atlas(models, (("law",), ()))
    picture = plot_heat(atlas, META)
    labels = [label.get_text() for label in picture.figure.axes[0].get_yticklabels()]
    assert len(labels) == MOST_ROWS + 1
    order = np.argsort(-atlas.model_means)
    assert [labels[0], labels[-2]] == [str(order[0]), str(order[-1])]
    assert any(f"{MOST_ROWS} of 100 models" in text for text in texts_of(picture))
    assert "no telling word" in texts_of(picture)


# ---- what is not there


def test_without_zero_one_number_of_probes_or_intervals_there_is_no_such_picture() -> None:
    """None, and the curves alone."""
    rows = make_deferral_rows(META, methods=("knn", "oracle"), trials=1)
    assert [plot(rows) for plot in (plot_curve_gains, plot_areas, plot_probes, plot_coverage)] == [None] * 4
    assert "knn" in plot_curves(rows).alt
    alone = make_deferral_rows(META, methods=("oracle",), trials=1)
    assert "oracle" in plot_curves(alone).alt
    with pytest.raises(InputError, match="no trials yet"):
        plot_curves(DeferralRows(META, ()))


def test_a_static_pool_has_no_probes_to_count() -> None:
    """All labels are there: zero probes are no point on a logarithmic axis, and nothing is unseen."""
    meta = replace(META, static=True, known=9, unseen=9)
    rows = make_deferral_rows(meta, methods=("zero", "knn"), probes=(0,))
    assert plot_probes(rows) is None
    assert any("9 models, all known" in text for text in texts_of(plot_curves(rows)))
    assert not any("probes" in text for text in texts_of(plot_curves(rows)))


# ---- properties of every picture


def test_every_picture_is_a_png_and_an_svg_and_says_what_is_in_it(rows: DeferralRows) -> None:
    """Seven pictures, each with a name of its own; the same bytes for the same rows."""
    found = pictures_of(rows)
    assert [picture.name for picture in found] == NAMES
    for picture in found:
        assert to_png(picture, dpi=20)[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(picture.alt) > 40
    assert to_svg(found[-1]) == to_svg(plot_likeness(make_made_up_atlas(rows.meta.models, TOPICS), rows.meta))


def test_what_is_simulated_says_so_in_every_picture_and_what_is_not_does_not(rows: DeferralRows) -> None:
    """The word stands in the title and in a tag."""
    for picture in pictures_of(rows):
        assert len([text for text in texts_of(picture) if "simulated" in text]) == 2
    for picture in pictures_of(replace(rows, meta=make_deferral_meta(simulated=False))):
        assert not any("simulated" in text for text in texts_of(picture))


def test_no_text_leaves_the_sheet_or_covers_another() -> None:
    """Long names, all methods, many models and clusters: everything can be read."""
    meta = make_deferral_meta(30, dataset="A data set with a very long name that nobody would read in full " * 2)
    meta = replace(
        meta, models=tuple(f"provider/some-long-model-name-{n}-instruct-v{n}" for n in range(30)), shift=True
    )
    strange = "a-method-of-somebody-else-with-a-very-long-name"
    rows = make_deferral_rows(meta, methods=(*ALL, strange), probes=(16, 64), picked=("transfer-consensus", "zero"))
    topics = tuple((f"electroencephalography{at}", "antidisestablishmentarianism", "word") for at in range(14))
    for picture in pictures_of(rows, topics):
        sheet, renderer = picture.figure.get_size_inches(), renderer_of(picture)
        drawn = picture.figure.get_tightbbox(renderer)
        assert drawn.x0 >= -0.02, picture.name
        assert drawn.x1 <= sheet[0] + 0.02, picture.name
        assert drawn.y0 >= -0.02, picture.name
        assert drawn.y1 <= sheet[1] + 0.02, picture.name
        if picture.name != "heat":  # Its headings are slanted: their boxes overlap, they do not.
            for (one, box), (other, another) in combinations(boxes_of(picture, renderer).items(), 2):
                assert not overlap(box, another), (picture.name, one, other)


def test_a_dollar_sign_is_no_mathematics_and_a_strange_letter_no_warning() -> None:
    """Names and words are drawn as they are; what the font lacks is a box."""
    meta = replace(make_deferral_meta(2, dataset="cost $x_1$ of 模型"), models=("a/$m$", "b/模"))
    rows = make_deferral_rows(meta, methods=("$p^2$", "zero", "模"), trials=2, probes=(4, 8))
    found = pictures_of(rows, (("$w_1$", "模型"),))
    assert any("$p^2$" in text for text in texts_of(found[0]))
    assert any("$w_1$, □□" in text for text in texts_of(found[-2]))
    assert all(to_png(picture, dpi=20) for picture in found)


def test_every_method_has_a_look_of_its_own() -> None:
    """Colour and dashes together tell them apart; a method that nobody knows has another one."""
    looks = [(look_of(name).colour, str(look_of(name).dashes)) for name in (*ALL, "unknown")]
    assert set(LOOKS) == set(ALL)
    assert len(set(looks)) == len(looks)


# ---- names in the plane


def touches(box: tuple[float, float, float, float], point: tuple[float, float], radius: float) -> bool:
    x, y = min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3])
    return math.hypot(point[0] - x, point[1] - y) < radius - 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 200), st.floats(0, 100)), min_size=1, max_size=25),
    st.floats(5, 60),
)
def test_no_two_names_overlap_none_hides_a_point_and_all_are_in_view(
    points: list[tuple[float, float]], width: float
) -> None:
    """Wherever the points are; a name without room is left out rather than written over another."""
    sizes = np.tile([width, 8.0], (len(points), 1))
    centres = place_labels(np.array(points), sizes, (-50.0, -20.0, 250.0, 120.0), 3.0)
    boxes = [(x - width / 2, y - 4, x + width / 2, y + 4) for x, y in (centre for centre in centres if centre)]
    for one, other in combinations(boxes, 2):
        assert (
            min(one[2], other[2]) - max(one[0], other[0]) <= 1e-6
            or min(one[3], other[3]) - max(one[1], other[1]) <= 1e-6
        )
    for box in boxes:
        assert not any(touches(box, point, 3.0) for point in points)
        assert box[0] >= -50 - 1e-6
        assert box[1] >= -20 - 1e-6
        assert box[2] <= 250 + 1e-6
        assert box[3] <= 120 + 1e-6


def test_a_point_alone_has_its_name_to_the_right() -> None:
    """As near as the point allows, on the same height."""
    ((x, y),) = (
        centre for centre in place_labels(np.zeros((1, 2)), np.array([[20.0, 8.0]]), (-99, -99, 99, 99), 4.0) if centre
    )
    assert y == pytest.approx(0)
    assert x == pytest.approx(14.2)
    assert place_labels(np.zeros((1, 2)), np.array([[20.0, 8.0]]), (-9, -9, 9, 9), 4.0) == [None]


def test_a_model_without_room_for_its_name_is_counted() -> None:
    """Eighty models in one spot: the picture says how many names are missing."""
    models = tuple(f"model-{number}" for number in range(80))
    atlas = replace(make_made_up_atlas(models, (("law",),)), places=np.zeros((80, 2)))
    texts = texts_of(plot_likeness(atlas, META))
    named = sum(model in texts for model in models)
    assert 1 < named < 80
    assert f"{80 - named} models without room for a name" in texts
