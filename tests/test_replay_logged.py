"""A user's own log played again: dense ones as the bench would, sparse ones with what can't be known said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pointsman.cli.replay import app
from pointsman.decide.policies import Briefing, View
from pointsman.decide.program import FundTable, compile_funds
from pointsman.errors import InputError
from pointsman.evaluate.logged.choosing import Always, policy_by_name
from pointsman.evaluate.logged.dense import DenseLog, elapsed_of, margins, play_dense, totals
from pointsman.evaluate.logged.joined import joined
from pointsman.evaluate.logged.sparse import SparseLog, is_dense, parted, play_sparse, sparse_log
from pointsman.evaluate.logged.sparse_tables import as_json, unknowns
from pointsman.evaluate.rows import Meta
from pointsman.evaluate.rows_folder import RunWriter, read_rows
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import OutcomeLog, OutcomeRow, read_timed, write
from pointsman.records import Estimates, Fund, Outcomes

NAN = float("nan")
FULL = simulate(240, seed=3)
DENSE = FULL.only(np.argsort(-FULL.score.mean(axis=0))[[0, 8]])
MONEY = float(DENSE.cost_usd[80:].mean()) * 160 * 0.4
FUNDS = [Fund("all", MONEY)]


def hand_log(**changes: object) -> SparseLog:
    """Four queries, two models: `good` (0.9, a dollar) and `cheap` (0.5, a tenth); chance sent half to each."""
    quality, cost = np.tile([0.9, 0.5], (4, 1)), np.tile([1.0, 0.1], (4, 1))
    estimates = Estimates(quality, cost, np.full((4, 2), 10.0), np.full((4, 2), 0.1))
    made = SparseLog(
        ("good", "cheap"),
        np.array([0, 1, 0, 1]),
        np.array([1.0, 0.5, 0.0, NAN]),
        np.array([2.0, 0.2, 2.0, NAN]),
        np.full(4, 0.5),
        np.arange(4) / 4,
        estimates,
        estimates,
        4,
        0,
        "by hand",
        False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_sparse_log_by_hand() -> None:
    """Enough money: `always:good` serves four for 4 dollars (6 with what is recorded); its scored ones are 1 and 0."""
    as_served, good = play_sparse(hand_log(), ["always:good"], [Fund("all", 100.0)])
    assert (as_served.value.snips.value, as_served.cost_usd, as_served.served) == (0.5, 4.2, 4)
    assert (good.served, good.cost_usd, good.cost_known_usd, good.spent) == (4, 4.0, 6.0, {"all": 4.0})
    assert good.value.direct.value == pytest.approx(0.9)
    assert good.value.snips.value == pytest.approx(0.5)
    assert good.value.robust.value == pytest.approx(0.9 + (2 * 0.1 + 0 - 2 * 0.9) / 3)
    assert (good.known.matched, good.known.effective, good.known.unsupported) == (2, 2.0, 0)


def test_short_money_by_hand() -> None:
    """Two dollars and a half pay for two of four; a request fund of three for three."""
    _, good = play_sparse(hand_log(), ["always:good"], [Fund("all", 2.5)])
    assert (good.served, good.served_by) == (2, {"good": 2, "cheap": 0})
    _, cheap = play_sparse(hand_log(), ["always:cheap"], [Fund("calls", 3, "requests")])
    assert (cheap.served, cheap.spent) == (3, {"calls": 3.0})


def test_choices_do_not_depend_on_what_was_scored() -> None:
    """Other scores, costs and served models change what choices are worth, and never the choices."""
    one = play_sparse(hand_log(), ["paced", "random", "greedy-feasible"], [Fund("all", 1.5)])
    other = hand_log(score=np.array([0.0, 1.0, 1.0, 1.0]), cost_usd=np.zeros(4), served=np.array([1, 0, 1, 0]))
    two = play_sparse(other, ["paced", "random", "greedy-feasible"], [Fund("all", 1.5)])
    assert [(row.policy, row.served_by, row.cost_usd) for row in one[1:]] == [
        (row.policy, row.served_by, row.cost_usd) for row in two[1:]
    ]


def test_what_can_not_be_known_is_said() -> None:
    """No propensities, no scores, too few weights, queries left out: each is a sentence of its own."""
    funds = [Fund("all", 100.0)]

    def said(log: SparseLog) -> str:
        return " ".join(unknowns(log, play_sparse(log, ["always:good"], funds)))

    assert "fewer than 30" in said(hand_log())
    assert "25.0% of the played queries have no score" in said(hand_log())
    assert "No propensities are recorded" in said(hand_log(propensity=np.full(4, NAN)))
    assert "100.0% are such as this log" in said(hand_log(propensity=np.full(4, NAN)))
    assert "50.0% are such as this log" in said(hand_log(propensity=np.ones(4)))
    assert "No played query has a score" in said(hand_log(score=np.full(4, NAN)))
    assert "7 queries are left out" in said(hand_log(left_out=7))
    assert "taken as given" in said(hand_log())


def test_without_propensities_there_is_the_direct_estimate_alone() -> None:
    """SNIPS and DR are null in the JSON, never zero."""
    log = hand_log(propensity=np.full(4, NAN))
    told = as_json(log, play_sparse(log, ["always:good"], [Fund("all", 9.0)]))
    value = told["policies"][1]["value"]
    assert value["direct"]["value"] == pytest.approx(0.9)
    assert (value["snips"]["value"], value["robust"]["low"]) == (None, None)
    json.dumps(told, allow_nan=False)


def test_policies_by_name() -> None:
    """`always:MODEL` asks whether it can be paid; a model that isn't there, or a policy, is refused with a guess."""
    always = policy_by_name("always:cheap", ("good", "cheap"))
    assert always == Always(1)
    table = compile_funds([Fund("all", 1.0)], ("good", "cheap"))
    state = always.begin(Briefing(table, hand_log().history, 4))
    scores, _ = always.scores(state, view_of(hand_log().estimates, table))
    assert scores.argmax(axis=1).tolist() == [1, 1, 1, 1]
    with pytest.raises(InputError, match="always:good"):
        policy_by_name("always:god", ("good", "cheap"))
    with pytest.raises(InputError, match="unknown"):
        policy_by_name("guess", ("good",))
    with pytest.raises(InputError, match="every model's outcome"):
        play_sparse(hand_log(), ["optimum"], FUNDS)


def view_of(estimates: Estimates, table: FundTable) -> View:
    return View(estimates, table.budget, 0, 0.0, np.ones(2, np.bool_), np.ones(2))


def test_time_passes_as_it_did() -> None:
    """By hand: shares of the span; by number where a time is missing."""
    assert elapsed_of(np.array([100.0, 150.0, 200.0])).tolist() == [0.0, 0.5, 1.0]
    assert elapsed_of(np.array([100.0, NAN])).tolist() == [0.0, 0.5]
    assert elapsed_of(np.array([5.0])).tolist() == [0.0]


def test_two_sets_joined() -> None:
    """A model that one doesn't know is NaN there, and a query that both know is the later one's."""
    ours, theirs = np.array([[0.5], [1.0]]), np.array([[0.25]])
    first = Outcomes(["a", "b"], ["A", "B"], ["d", "d"], ("m",), ours, ours, ours, np.ones(2))
    second = Outcomes(["b"], ["B"], ["d"], ("n",), theirs, theirs, theirs, np.ones(1), "later")
    both = joined(first, second)
    assert (both.prompt_ids, both.models, both.title) == (["a", "b"], ("m", "n"), "later")
    np.testing.assert_array_equal(both.score, [[0.5, NAN], [NAN, 0.25]])


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense log in time order."""
    folder = tmp_path_factory.mktemp("dense") / "set"
    write(DENSE, folder)
    return folder


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same queries, each on one model drawn by lot; one in twenty isn't scored."""
    folder, rng = tmp_path_factory.mktemp("sparse") / "log", np.random.default_rng(1)
    served = rng.permutation(np.arange(len(DENSE)) % 2)
    rows = [
        OutcomeRow(
            f"dec_{i}",
            DENSE.texts[i],
            "live",
            DENSE.models[m],
            float(DENSE.score[i, m]) if i % 20 else None,
            float(DENSE.cost_usd[i, m]),
            float(DENSE.input_tokens[i]),
            float(DENSE.output_tokens[i, m]),
            at_s=1.7e9 + 60.0 * i,
            propensity=0.5,
        )
        for i, m in enumerate(served.tolist())
    ]
    log = OutcomeLog(folder)
    for start in range(0, len(rows), 60):
        log.append(rows[start : start + 60])
    return folder


def test_a_dense_log_is_played_as_the_bench_plays(dense: Path, tmp_path: Path) -> None:
    """Rows as of a bench: nothing overspent, scores that add up, the reference first; resumed without playing twice."""
    log = DenseLog(DENSE, np.arange(80), np.arange(80, 240), np.arange(160) / 160, FUNDS)
    meta = Meta("dense", True, DENSE.models, 160, 80, "", "test", 0, None, "0")
    names = ["paced", "always:" + DENSE.models[0], "cheapest-pooled"]
    with RunWriter(tmp_path, meta) as writer:
        scores = play_dense(log, names, writer)
        assert play_dense(log, names[-1:], writer)["cheapest-pooled"].sum() == scores["cheapest-pooled"].sum()
    rows = read_rows(tmp_path)
    assert [run.policy for run in rows.runs] == ["approx-optimum", *names]
    for run in rows.runs:
        assert all(run.spent[name] <= run.budget[name] + 1e-9 for name in run.budget)
        assert run.performance == pytest.approx(scores[run.policy].sum())
        assert run.arrivals == 160
    paced = next(run for run in rows.runs if run.policy == "paced")
    assert paced.key in rows.traces
    found = totals(scores)
    assert found["paced"].value == pytest.approx(paced.performance)
    assert found["paced"].low < found["paced"].value < found["paced"].high
    assert margins(scores, "paced")["cheapest-pooled"].value == pytest.approx(
        scores["cheapest-pooled"].sum() - scores["paced"].sum()
    )


def test_a_sparse_log_is_parted_in_time(sparse: Path) -> None:
    """The first third is learned from, the rest is played in order, and the log is known for what it is."""
    timed = read_timed([sparse])
    assert not is_dense(timed)
    log = sparse_log(timed, past=None, share=1 / 3, embedder="wordllama")
    assert (len(log), log.left_out, log.models) == (160, 0, tuple(sorted(DENSE.models)))
    assert (np.diff(log.elapsed) > 0).all()
    columns = [timed.outcomes.models.index(name) for name in log.models]
    np.testing.assert_array_equal(log.score, timed.outcomes.score[80:, columns][np.arange(160), log.served])
    with pytest.raises(InputError, match="nothing can be estimated"):
        sparse_log(timed, past=None, share=0.02, embedder="wordllama")


def test_a_query_asked_beside_is_still_one_that_was_chosen(tmp_path: Path) -> None:
    """By hand: a mirrored answer without a propensity doesn't hide which model was chosen; probes are history."""
    log = OutcomeLog(tmp_path)

    def one(name: str, model: str, at_s: float, propensity: float | None) -> OutcomeRow:
        return OutcomeRow(name, name, "live", model, 1.0, 0.1, at_s=at_s, propensity=propensity)

    log.append([one("late", "a", 9.0, 0.5), one("early", "a", 1.0, None), one("named", "b", 5.0, None)])
    log.append([one("late", "b", 9.5, None), one("probe", "a", 2.0, None), one("probe", "b", 2.0, None)])
    timed = read_timed([tmp_path])
    names = timed.outcomes.prompt_ids
    other, played, answered = parted(timed, 1 / 3)
    assert [names[int(i)] for i in other] == ["probe", "early"]
    assert [names[int(i)] for i in played] == ["named", "late"]
    assert [timed.outcomes.models[int(i)] for i in answered] == ["b", "a"]


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture
def funds(tmp_path: Path) -> str:
    path = tmp_path / "funds.yaml"
    path.write_text(f"funds:\n  - {{name: all, amount: {MONEY}}}\n")
    return str(path)


def test_the_command_on_a_dense_log(dense: Path, funds: str, tmp_path: Path) -> None:
    """Figures as JSON, the same ones kept beside a page with tables and intervals."""
    out = tmp_path / "out"
    told = json.loads(run(str(dense), "--policy", "greedy-feasible", "--funds", funds, "--out", str(out), "--json"))
    assert told["performance"] == json.loads((out / "replay.json").read_text())["performance"]
    assert (told["queries"], told["learned_from"]) == (160, 80)
    page = (out / "report.html").read_text()
    assert "Under the given funds" in page
    assert "How sure that is" in page
    with pytest.raises(InputError, match="none of them served"):
        run(str(dense), "--policy", "as-served", "--funds", funds)


def test_the_command_on_a_sparse_log(sparse: Path, dense: Path, funds: str, tmp_path: Path) -> None:
    """Tables, what can't be known, page and JSON; with a history of its own nothing of the log is learned from."""
    out, policies = tmp_path / "out", ["--policy", "paced", "--policy", "as-served"]
    said = run(str(sparse), *policies, "--funds", funds, "--history", str(dense), "--out", str(out))
    assert "What can't be known from this log" in said
    assert "be known from this log" in (out / "report.html").read_text()
    assert (out / "values.png").is_file()
    told = json.loads((out / "replay.json").read_text())
    assert (told["queries"], told["fitted_on"]) == (240, 240)
    assert told["policies"][1]["known"]["effective"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["DENSE", "--policy", "paced"], "no funds"),
        (["nowhere", "--policy", "paced", "--funds", "FUNDS"], "no such folder"),
        (["DENSE", "--policy", "paced", "--funds", "FUNDS", "--history-share", "1.5"], "is no share"),
        (["DENSE", "--policy", "always:me", "--funds", "FUNDS"], "no outcomes to judge"),
    ],
)
def test_what_can_not_be_played_is_said(arguments: list[str], says: str, dense: Path, funds: str) -> None:
    """One error each, with what to do."""
    given = [{"DENSE": str(dense), "FUNDS": funds}.get(one, one) for one in arguments]
    found = CliRunner().invoke(app, given)
    assert isinstance(found.exception, InputError)
    assert says in str(found.exception)
