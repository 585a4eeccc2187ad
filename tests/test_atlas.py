"""The atlas: aggregates only, words that tell clusters apart, and a plane that keeps distances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA

from pointsman.errors import InputError
from pointsman.evaluate.deferral.atlas import (
    ATLAS_FILE,
    LEAST_PROMPTS,
    Atlas,
    class_tfidf,
    cluster_prompts,
    load_atlas,
    make_atlas,
    map_models,
    model_distances,
    residuals,
    save_atlas,
    scale_down,
    telling_words,
)
from pointsman.records import Floats, Outcomes, Prompts

NAN = np.nan


def world(score: Floats, texts: list[str], vectors: Floats) -> tuple[Outcomes, Prompts]:
    """Outcomes and prompts with these scores."""
    rows, models = score.shape
    names = [str(row) for row in range(rows)]
    blank = np.ones((rows, models))
    ids = tuple(f"m{model}" for model in range(models))
    outcomes = Outcomes(names, texts, ["task"] * rows, ids, score, blank, blank, np.ones(rows))
    return outcomes, Prompts(texts, vectors.astype(np.float32), np.ones(rows))


def two_topics(models: int = 4) -> tuple[Outcomes, Prompts]:
    """Thirty prompts on law, twenty on algebra; model 0 knows law alone, model 1 algebra alone."""
    law = [f"Question {at}: what may the court ask of a defendant named person{at}?" for at in range(30)]
    algebra = [f"Question {at}: find 12 roots of the polynomial in secret{at}." for at in range(20)]
    vectors = np.zeros((50, 3))
    vectors[:30, 0], vectors[30:, 1] = 1, 1
    vectors[:, 2] = 0.01 * np.arange(50)
    score = np.random.default_rng(0).integers(0, 2, (50, models)).astype(float)
    score[:30, 0], score[30:, 0], score[:30, 1], score[30:, 1] = 1, 0, 0, 1
    return world(score, law + algebra, vectors)


# ---- by hand


def test_an_atlas_by_hand() -> None:
    """The larger cluster first, its words, and means and counts of what is recorded."""
    outcomes, prompts = two_topics()
    outcomes.score[0, 0] = NAN
    atlas = make_atlas(outcomes, prompts, seed=0, clusters=2)
    assert [cluster.prompts for cluster in atlas.clusters] == [30, 20]
    assert set(atlas.clusters[0].words) == {"ask", "court", "defendant", "named"}
    assert set(atlas.clusters[1].words) == {"polynomial", "roots"}
    assert atlas.score[0].tolist() == [1.0, 0.0]
    assert atlas.count[0].tolist() == [29, 20]
    assert atlas.model_means[:2] == pytest.approx([29 / 49, 20 / 50])
    assert atlas.score[2, 1] == pytest.approx(outcomes.score[30:, 2].mean())


def test_class_tfidf_by_hand() -> None:
    """A word's share of its class × log(1 + words a class ÷ its count)."""
    found = class_tfidf(np.array([[3, 1], [0, 4]]))
    expected = [[0.75 * np.log(1 + 4 / 3), 0.25 * np.log(1 + 4 / 5)], [0.0, np.log(1 + 4 / 5)]]
    assert found == pytest.approx(np.array(expected))


def test_what_all_prompts_say_tells_nothing_and_endings_are_one_word() -> None:
    """Common words, stop words, digits and the plural of a word that is there are left out."""
    texts = ["choose the option: number numbers 42"] * 6 + ["choose the option: poem"] * 6
    assert telling_words(texts, np.repeat([0, 1], 6)) == [("number",), ("poem",)]
    assert telling_words(["the 12"] * 6, np.repeat([0, 1], 3)) == [(), ()]


def test_residuals_by_hand() -> None:
    """Two models that differ by prompt alone: half of the difference each way."""
    assert residuals(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [[0.5, -0.5], [-0.5, 0.5]]
    assert residuals(np.array([[1.0, 0.0], [1.0, 0.0]])).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_models_that_share_no_prompt_lie_at_the_mean_distance() -> None:
    """Models 0 and 2 have no prompt in common; the others differ by 1 and by 3."""
    left = np.array([[0.0, 1.0, NAN], [NAN, 0.0, 3.0]])
    distances = model_distances(left)
    assert distances[0, 1] == 1
    assert distances[1, 2] == 3
    assert distances[0, 2] == pytest.approx(np.sqrt((1 + 9) / 2))


def test_one_model_or_one_prompt_has_an_atlas_too() -> None:
    """Nothing to compare is a point in the middle, not an error."""
    one = make_atlas(*world(np.ones((3, 1)), ["a"] * 3, np.ones((3, 2))), seed=0)
    assert one.places.tolist() == [[0.0, 0.0]]
    assert one.kept == 1.0
    assert [cluster.prompts for cluster in one.clusters] == [3]
    assert make_atlas(*world(np.array([[1.0, NAN]]), ["a"], np.ones((1, 2))), seed=0).count.tolist() == [[1], [0]]


def test_what_cannot_be_drawn_is_refused() -> None:
    """Rows that don't match, no row, no cluster."""
    outcomes, prompts = two_topics()
    with pytest.raises(InputError, match="50 outcomes, 2 prompts"):
        make_atlas(outcomes, prompts.take(np.arange(2)), seed=0)
    with pytest.raises(InputError, match="0 clusters"):
        make_atlas(outcomes, prompts, seed=0, clusters=0)


# ---- outside oracles


def test_residuals_are_those_of_the_least_squares_fit_by_prompt_and_model() -> None:
    """With missing cells too: NumPy's least squares on a column a prompt and a column a model."""
    rng = np.random.default_rng(0)
    score = rng.random((12, 5))
    score[rng.random((12, 5)) < 0.3] = NAN
    row, column = np.nonzero(np.isfinite(score))
    design = np.concatenate([np.eye(12)[row], np.eye(5)[column]], axis=1)
    fitted = design @ np.linalg.lstsq(design, score[row, column], rcond=None)[0]
    assert residuals(score)[row, column] == pytest.approx(score[row, column] - fitted, abs=1e-6)
    assert np.isnan(residuals(score)).sum() == np.isnan(score).sum()


def test_distances_and_plane_are_those_of_scipy_and_scikit_learn() -> None:
    """Without missing cells: Euclidean distances, and principal components up to a sign."""
    left = residuals(np.random.default_rng(1).random((40, 6)))
    distances = model_distances(left)
    assert distances == pytest.approx(squareform(pdist(left.T)) / np.sqrt(40), abs=1e-7)
    places, kept = scale_down(distances)
    pca = PCA(2).fit(left.T)
    assert np.abs(places) == pytest.approx(np.abs(pca.transform(left.T)) / np.sqrt(40), abs=1e-7)
    assert kept == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-7)


def test_points_in_a_plane_keep_all_their_distances() -> None:
    """Then nothing is lost, and each axis points to its largest coordinate."""
    points = np.random.default_rng(2).normal(size=(7, 2))
    places, kept = scale_down(squareform(pdist(points)))
    assert squareform(pdist(places)) == pytest.approx(squareform(pdist(points)), abs=1e-9)
    assert kept == pytest.approx(1.0)
    assert (places.max(axis=0) >= -places.min(axis=0)).all()


# ---- properties


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_the_map_does_not_depend_on_the_order_of_models(seed: int, models: int) -> None:
    """The same models in another order lie in the same places."""
    rng = np.random.default_rng(seed)
    score, order = rng.random((30, models)), rng.permutation(models)
    assert squareform(pdist(map_models(score[:, order])[0])) == pytest.approx(
        squareform(pdist(map_models(score)[0]))[np.ix_(order, order)], abs=1e-6
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40))
def test_clusters_are_numbered_by_size_and_none_is_empty(seed: int, clusters: int, rows: int) -> None:
    """Also where fewer prompts differ than clusters are asked; twice the same, it is the same."""
    vectors = np.random.default_rng(seed).integers(0, 3, (rows, 2)).astype(np.float32)
    member = cluster_prompts(vectors, clusters, seed)
    sizes = np.bincount(member)
    assert (np.diff(sizes) <= 0).all()
    assert sizes.min() > 0
    assert len(sizes) <= clusters
    assert cluster_prompts(vectors, clusters, seed).tolist() == member.tolist()


# ---- the file


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """To four decimals, NaN as null; without a file there is no atlas."""
    assert load_atlas(tmp_path) is None
    outcomes, prompts = two_topics()
    outcomes.score[30:, 2] = NAN
    atlas = make_atlas(outcomes, prompts, seed=0, clusters=2)
    save_atlas(atlas, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ATLAS_FILE]
    assert "NaN" not in (tmp_path / ATLAS_FILE).read_text()
    found = load_atlas(tmp_path)
    assert found is not None
    assert (found.models, found.clusters, found.kept) == (atlas.models, atlas.clusters, round(atlas.kept, 4))
    for name in ("model_means", "score", "count", "places"):
        np.testing.assert_allclose(getattr(found, name), getattr(atlas, name), atol=1e-4)


def test_the_file_holds_no_prompt_and_no_rare_word(tmp_path: Path) -> None:
    """Words that fewer than five prompts hold stay where they are, whatever they are."""
    outcomes, prompts = two_topics()
    save_atlas(make_atlas(outcomes, prompts, seed=0, clusters=2), tmp_path)
    text = (tmp_path / ATLAS_FILE).read_text()
    assert "secret" not in text
    assert "person" not in text
    assert not any(prompt[:20] in text for prompt in prompts.texts)
    numbers = json.loads(text)
    assert sum(len(row) for row in numbers["score"]) == 4 * 2
    rare = ["once upon"] * (LEAST_PROMPTS - 1) + ["poem"] * LEAST_PROMPTS
    assert telling_words(rare, np.zeros(len(rare), dtype=np.int64)) == [("poem",)]


@pytest.mark.parametrize(
    "change",
    [
        {"models": []},
        {"models": [1, 2, 3, 4]},
        {"clusters": [{"words": "law"}]},
        {"score": [[0.5]]},
        {"places": [[None, 0.0]] * 4},
        {"kept": None},
    ],
)
def test_another_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    """Named, with what to do about it."""
    save_atlas(make_atlas(*two_topics(), seed=0, clusters=2), tmp_path)
    path = tmp_path / ATLAS_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=r"atlas\.json: this is no atlas"):
        load_atlas(tmp_path)
    path.write_text("[")
    with pytest.raises(InputError, match="this is no atlas"):
        load_atlas(tmp_path)


def test_the_atlas_is_a_plain_value() -> None:
    """Made twice from the same seed, it is the same."""
    first, second = (make_atlas(*two_topics(), seed=3, clusters=2) for _ in range(2))
    assert isinstance(first, Atlas)
    assert first.clusters == second.clusters
    assert first.places.tolist() == second.places.tolist()
