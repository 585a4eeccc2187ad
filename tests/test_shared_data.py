"""The paper's experiment on real outcomes, where they are present: the figures that a reader will look for first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointsman.decide.policies import make_policy
from pointsman.evaluate.bench import make_case
from pointsman.evaluate.plan import Circumstance
from pointsman.evaluate.prepare import Bench, Preparer, Setting, default_test
from pointsman.evaluate.replay import replay
from pointsman.outcomes import complete, read

pytestmark = pytest.mark.data


def performance(bench: Bench, policy: str, order: int = 0) -> float:
    made = make_policy(policy)
    at = Circumstance(bench.setting, "weighted", 1.0, "iid", order)
    return replay(made, make_case(bench, at, made.traits.source, pooled=made.traits.pooled)).performance


@pytest.fixture(scope="module")
def leaderboard(shared_data: Path) -> Bench:
    """18 models, 10,000 tested queries; PORT's own estimates."""
    outcomes, left_out = complete(read(shared_data / "openllm_lb_v2"))
    assert [model for model, _ in left_out.models] == ["upstage/SOLAR-10.7B-Instruct-v1.0"]
    bench = Preparer(outcomes).prepare(Setting(10_000), ["neighbours-hnsw", "neighbours", "truth"])
    assert (len(bench.test.models), len(bench.test), len(bench.history)) == (18, 10_000, 7_793)
    return bench


def test_port_and_its_references_come_out_as_published(leaderboard: Bench) -> None:
    """PORT's performance, Approx Optimum's and the Optimum's are where an independent run of the protocol put them."""
    port = np.mean([performance(leaderboard, "port", order) for order in range(3)])
    assert 1_250 <= port <= 1_600
    assert performance(leaderboard, "approx-optimum") == pytest.approx(2_330, rel=0.02)
    assert performance(leaderboard, "optimum") == pytest.approx(5_535, rel=0.005)


def test_prices_alone_beat_port(leaderboard: Bench) -> None:
    """With PORT's own estimates, prices from history are worth more than half as much again."""
    assert performance(leaderboard, "paced@neighbours") >= 1.5 * performance(leaderboard, "port")


@pytest.mark.parametrize("name", ["paretobandit_k4", "routerbench_3task"])
def test_paced_is_first_on_the_small_sets(name: str, shared_data: Path) -> None:
    """`paced` serves more quality than every quick online policy under the same budgets."""
    outcomes, _ = complete(read(shared_data / name))
    rivals = ["port", "greedy-feasible", "mirror-descent", "pid-pacing", "paced@neighbours"]
    bench = Preparer(outcomes).prepare(Setting(default_test(len(outcomes))), ["blend", "neighbours-hnsw", "neighbours"])
    assert performance(bench, "paced") > max(performance(bench, rival) for rival in rivals)


@pytest.mark.parametrize("name", ["mmlu_pro_cot", "openllm_lb_v2", "paretobandit_k4", "routerbench_3task"])
def test_the_dense_matrix_says_the_same(name: str, shared_data: Path) -> None:
    """What is read from the long table is what the set's own dense matrix holds."""
    outcomes = read(shared_data / name)
    with np.load(shared_data / name / "matrix.npz") as dense:
        order = np.argsort(dense["models"])
        rows = {str(one): j for j, one in enumerate(dense["prompt_ids"])}
        at = [rows[one] for one in outcomes.prompt_ids]
        assert tuple(dense["models"][order]) == outcomes.models
        np.testing.assert_allclose(outcomes.score, dense["score"][at][:, order], atol=1e-6)
        np.testing.assert_allclose(outcomes.cost_usd, dense["cost_usd"][at][:, order], rtol=1e-5)
