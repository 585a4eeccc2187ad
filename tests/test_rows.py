"""The saved rows: what is written is what is read, what is torn is left out, what is malformed is named."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.rows import (
    Meta,
    Rows,
    Run,
    RunWriter,
    Setting,
    Sweep,
    Trace,
    Value,
    along,
    axes,
    base_setting,
    by_setting,
    export_json,
    read_rows,
    setting_of,
    summarise,
    swept_field,
    write_aside,
)

# Made-up strengths, so that tables and pictures have something to rank.
STRENGTHS = {
    "port": 0.60,
    "random": 0.42,
    "greedy-perf": 0.25,
    "greedy-cost": 0.46,
    "knn-perf": 0.26,
    "knn-cost": 0.45,
    "batchsplit": 0.66,
    "text-perf": 0.12,
    "text-cost": 0.44,
    "greedy-feasible": 0.80,
    "batchsplit-prorated": 1.03,
    "cheapest-pooled": 1.10,
    "mirror-descent": 1.12,
    "pid-pacing": 1.01,
    "paced": 1.24,
    "paced-pooled": 1.45,
    "approx-optimum": 1.0,
    "optimum": 2.4,
}
PRICED = ("port", "mirror-descent", "pid-pacing", "paced", "paced-pooled")
POOLED = ("cheapest-pooled", "paced-pooled")


def make_meta(models: int = 4, sweep: Sweep | None = None, *, simulated: bool = True, test: int = 1000) -> Meta:
    """What a small made-up bench is about."""
    ids = tuple(f"maker-{number % 3}/model-{number}" for number in range(models))
    left_out = "1 of 5 models and 12 of 2,012 rows were left out for missing cells."
    return Meta("made-up set", simulated, ids, test, 800, left_out, "pointsman bench budget", 0, sweep, "0.1.0")


def make_run(meta: Meta, policy: str, order: int, **changes: object) -> Run:
    """One run with plausible figures, the same for the same arguments; `changes` are laid over it at the end."""
    factor, test, split = (changes.get("factor", 1.0), changes.get("test", meta.test), changes.get("split", "weighted"))
    assert isinstance(factor, float)
    assert isinstance(test, int)
    rng = np.random.default_rng([order, len(policy), *policy.encode(), *str(split).encode()])
    weights = rng.dirichlet(np.ones(len(meta.models)))
    total = 0.08 * factor * test / 1000
    amounts = {model: total * (1 + place) for place, model in enumerate(meta.models)}
    budget = {"pool": sum(amounts.values())} if policy in POOLED else amounts
    counts = rng.multinomial(int(0.7 * test), weights)
    performance = 0.24 * STRENGTHS.get(policy, 0.5) * test * math.sqrt(factor) * (1 + 0.01 * rng.standard_normal())
    spent = {fund: amount * rng.uniform(0.6, 1.0) for fund, amount in budget.items()}
    cost_usd = sum(spent.values())
    run = Run(
        key=f"{policy}|{sorted(changes.items())}|{order}",
        policy=policy,
        split="weighted",
        factor=1.0,
        order=order,
        scenario="iid",
        test=meta.test,
        history=meta.history,
        models=len(meta.models),
        k=5,
        alpha=1e-4,
        eps=0.025,
        embedder="wordllama",
        performance=performance,
        cost_usd=cost_usd,
        efficiency=performance / cost_usd,
        served=int(counts.sum()),
        relative=STRENGTHS.get(policy, 0.5),
        budget=budget,
        spent=spent,
        decide_us_per_query=float(rng.uniform(1, 40)),
        seconds=float(rng.uniform(0.5, 4)),
        served_by={model: int(count) for model, count in zip(meta.models, counts, strict=True)},
        arrivals=test,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def make_trace(run: Run, points: int = 11) -> Trace:
    """How that run might have gone: money spent early by most, evenly by `paced`."""
    at = np.linspace(0, 1, points)
    rng = np.random.default_rng(len(run.key))
    shape = {fund: at ** (1.0 if run.policy.startswith("paced") else rng.uniform(0.2, 2.5)) for fund in run.budget}
    priced = run.policy in PRICED
    base = {fund: rng.uniform(100, 4000) for fund in run.budget}
    wave = 1 + (0.1 * np.sin(9 * at) if run.policy != "port" else 0 * at)
    return Trace(
        run.key,
        run.policy,
        run.split,
        run.factor,
        run.scenario,
        tuple(at.tolist()),
        {fund: tuple((run.spent[fund] * shape[fund]).tolist()) for fund in run.budget},
        {fund: tuple((base[fund] * wave if priced else at * math.nan).tolist()) for fund in run.budget},
        {model: tuple((at * count).astype(int).tolist()) for model, count in run.served_by.items()},
        tuple((run.performance * at ** (1.0 if run.policy.startswith("paced") else 0.7)).tolist()),
    )


def make_rows(
    meta: Meta,
    *,
    orders: int = 2,
    policies: tuple[str, ...] = tuple(STRENGTHS),
    values: tuple[Value, ...] = (),
    points: int = 11,
) -> Rows:
    """A whole made-up bench: every policy in every order, at every value of the meta's sweep; traces of order 0."""
    changes = [{swept_field(meta.sweep): value} for value in values] if meta.sweep else [{}]
    runs = tuple(make_run(meta, name, o, **change) for change in changes for name in policies for o in range(orders))
    return Rows(meta, runs, {run.key: make_trace(run, points) for run in runs if run.order == 0})


def save(rows: Rows, folder: Path) -> Path:
    """The folder that a bench with these rows would have left."""
    with RunWriter(folder, rows.meta) as writer:
        for run in rows.runs:
            writer.append(run, rows.traces.get(run.key))
    return folder


# ---- an example by hand


def test_a_saved_run_is_one_json_line_with_null_for_an_undefined_quotient(tmp_path: Path) -> None:
    """A run is one line of JSON with the field names of the contract; nothing spent means no efficiency, not zero."""
    meta = make_meta(2)
    run = make_run(meta, "paced", 0, cost_usd=0.0, efficiency=math.nan, key="a")
    save(Rows(meta, (run,), {}), tmp_path)
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert len(lines) == 1
    saved = json.loads(lines[0])
    assert list(saved)[:7] == ["key", "policy", "split", "factor", "order", "scenario", "test"]
    assert saved["efficiency"] is None
    assert saved["served_by"] == dict(run.served_by)
    assert json.loads((tmp_path / "meta.json").read_text())["left_out"] == meta.left_out


def test_the_summary_of_three_runs_by_hand() -> None:
    """Means, sample deviations and the median of 1, 2 and 6 are 3, the root of 7, and 2."""
    meta = make_meta(2)
    runs = [
        make_run(meta, "paced", o, performance=x, relative=x / 2, decide_us_per_query=x)
        for o, x in enumerate((1, 2, 6))
    ]
    summary = summarise(runs)
    assert summary.performance_mean == 3
    assert summary.performance_sd == pytest.approx(math.sqrt(7))
    assert summary.relative_mean == 1.5
    assert summary.decide_us_per_query_median == 2
    assert summary.runs == 3


# ---- outside oracles


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=8))
def test_means_and_deviations_agree_with_numpy(values: list[float]) -> None:
    """The summary's mean, deviation and median are NumPy's, with one degree of freedom less."""
    runs = [make_run(make_meta(2), "port", order, performance=value) for order, value in enumerate(values)]
    summary = summarise(runs)
    assert summary.performance_mean == pytest.approx(np.mean(values))
    assert summary.performance_sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert summary.cost_usd_mean == pytest.approx(np.mean([run.cost_usd for run in runs]))
    assert summary.served_mean == pytest.approx(statistics.fmean(run.served for run in runs))


def test_undefined_quotients_are_left_out_of_their_mean_and_one_run_has_no_deviation() -> None:
    """NaN is missing, never zero: the mean is over what is defined, and of nothing it is NaN."""
    meta = make_meta(2)
    known, unknown = make_run(meta, "port", 0, relative=0.5), make_run(meta, "port", 1, relative=math.nan)
    assert summarise([known, unknown]).relative_mean == 0.5
    assert math.isnan(summarise([unknown]).relative_mean)
    assert math.isnan(summarise([known]).performance_sd)


# ---- what is written is what is read

amounts = st.floats(0, 1e12)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=40)
@given(
    performance=amounts,
    relative=amounts | st.just(math.nan),
    names=st.lists(words, min_size=1, max_size=4, unique=True),
)
def test_any_run_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, performance: float, relative: float, names: list[str]
) -> None:
    """Whatever the figures and names (line ends and quotes included), reading gives the run that was appended."""
    folder = tmp_path_factory.mktemp("rows")
    counts = {name: place for place, name in enumerate(names)}
    money = {name: 0.1 * place for place, name in enumerate(names)}
    served = sum(counts.values())
    run = make_run(
        make_meta(2),
        names[0],
        0,
        performance=performance,
        relative=relative,
        budget=money,
        spent=money,
        served_by=counts,
        served=served,
    )
    rows = Rows(make_meta(2), (run,), {run.key: make_trace(run, 3)})
    read = read_rows(save(rows, folder))
    assert repr(read.runs) == repr(rows.runs)
    assert repr(read.traces) == repr(rows.traces)
    assert read.meta == rows.meta


def test_numpy_numbers_are_saved_as_plain_ones(tmp_path: Path) -> None:
    """A runner's NumPy scalars need no conversion, and come back as Python's."""
    meta = make_meta(2)
    run = make_run(meta, "paced", 0, k=np.int64(3), performance=np.float64(2.5), seconds=np.float32(0.5))
    read = read_rows(save(Rows(meta, (run,), {}), tmp_path)).runs[0]
    assert (read.k, read.performance, read.seconds) == (3, 2.5, 0.5)
    assert type(read.k) is int


# ---- interruptions


@settings(max_examples=25)
@given(st.data())
def test_an_interruption_at_any_byte_loses_the_run_in_progress_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut the file anywhere: the whole lines are read, the rest is not, and resuming completes the same rows."""
    rows = make_rows(make_meta(2), policies=("port", "paced"), orders=2, points=3)
    folder = save(rows, tmp_path_factory.mktemp("rows"))
    whole = (folder / "runs.jsonl").read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "runs.jsonl").write_bytes(whole[:cut])
    assert read_rows(folder).runs == rows.runs[: whole[:cut].count(b"\n")]
    with RunWriter(folder, rows.meta) as writer:
        for run in rows.runs:
            if run.key not in writer.done_keys():
                writer.append(run, rows.traces.get(run.key))
    assert read_rows(folder).runs == rows.runs
    assert repr(read_rows(folder).traces) == repr(dict(rows.traces))


def test_a_run_is_on_the_disk_before_append_returns(tmp_path: Path) -> None:
    """Another reader sees every appended run while the writer is still open."""
    rows = make_rows(make_meta(2), policies=("port",), orders=2)
    with RunWriter(tmp_path, rows.meta) as writer:
        for done, run in enumerate(rows.runs, start=1):
            writer.append(run)
            assert len(read_rows(tmp_path).runs) == done
        assert writer.done_keys() == {run.key for run in rows.runs}


def test_a_trace_without_its_run_is_ignored(tmp_path: Path) -> None:
    """The trace goes first, so an interruption may leave one without its run: it doesn't count."""
    rows = make_rows(make_meta(2), policies=("port", "paced"), orders=1)
    save(rows, tmp_path)
    lines = (tmp_path / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(lines[0])
    assert set(read_rows(tmp_path).traces) == {rows.runs[0].key}


# ---- refusals


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("performance", "much", "`performance` is 'much', expected a finite number of at least zero"),
        ("performance", -1, "`performance` is -1"),
        ("performance", 10**400, "`performance` is 1000"),
        ("order", 1.5, "`order` is 1.5, expected a whole number of at least zero"),
        ("order", True, "`order` is True"),
        ("policy", "", "`policy` is '', expected text"),
        ("budget", [1], "`budget` is [1], expected an object"),
        ("spent", {"elsewhere": 1.0}, "`spent` and `budget` name different funds"),
        ("served", 1, "contradict each other"),
        ("colour", "red", "`colour` is not a known field"),
        ("seconds", None, "`seconds` is None"),
    ],
)
def test_a_malformed_line_is_named_with_its_file_line_and_field(
    tmp_path: Path, field: str, value: object, told: str
) -> None:
    """Strict reading: the second line's fault is told with the file and the line, and with what to do."""
    rows = make_rows(make_meta(2), policies=("port",), orders=2)
    path = save(rows, tmp_path) / "runs.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + json.dumps({**json.loads(second), field: value}) + "\n")
    with pytest.raises(InputError) as refusal:
        read_rows(tmp_path)
    assert refusal.value.place == f"{path}, line 2"
    assert told in refusal.value.what
    assert refusal.value.remedy


@pytest.mark.parametrize("line", [b"not json", b"[]", b"\xff\xfe", b"{}", b"", b"null"])
def test_a_line_that_is_no_row_is_refused(tmp_path: Path, line: bytes) -> None:
    """Whatever stands on a whole line must be a row."""
    rows = make_rows(make_meta(2), policies=("port",), orders=1)
    path = save(rows, tmp_path) / "runs.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="line 2"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("at", [0.0, 2.0]), ("at", [1.0, 0.0]), ("performance", [1.0]), ("served_by", {"m": [1.5, 2]})]
)
def test_a_malformed_trace_is_refused(tmp_path: Path, field: str, value: object) -> None:
    """Series of unequal length, shares out of order or range, and broken counts are told with their line."""
    rows = make_rows(make_meta(2), policies=("port",), orders=1, points=2)
    path = save(rows, tmp_path) / "traces.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}) + "\n")
    with pytest.raises(InputError, match=r"traces\.jsonl, line 1"):
        read_rows(tmp_path)


def test_a_folder_without_a_bench_is_refused(tmp_path: Path) -> None:
    """No meta.json: not a bench's folder; a broken one is told, not guessed around."""
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path)
    (tmp_path / "meta.json").write_text('{"dataset": "x"}')
    with pytest.raises(InputError, match="`command` is missing"):
        read_rows(tmp_path)
    (tmp_path / "meta.json").write_text('{"dataset"')
    with pytest.raises(InputError, match="not JSON"):
        read_rows(tmp_path)


def test_the_same_key_twice_is_refused_both_ways(tmp_path: Path) -> None:
    """A run can't be appended twice, and a file that holds one twice is not read."""
    rows = make_rows(make_meta(2), policies=("port",), orders=1)
    with RunWriter(tmp_path, rows.meta) as writer:
        writer.append(rows.runs[0])
        with pytest.raises(InputError, match="there already"):
            writer.append(rows.runs[0])
    path = tmp_path / "runs.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(InputError, match="line 2"):
        read_rows(tmp_path)


def test_values_that_are_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A NaN performance is a defect of the runner: refused, and the file stays as it was."""
    meta = make_meta(2)
    with RunWriter(tmp_path, meta) as writer:
        with pytest.raises(InputError, match="performance"):
            writer.append(make_run(meta, "port", 0, performance=math.nan))
        with pytest.raises(InputError, match="another one"):
            writer.append(make_run(meta, "port", 0), make_trace(make_run(meta, "port", 1)))
    assert (tmp_path / "runs.jsonl").read_bytes() == b""


def test_two_writers_at_once_are_refused_and_one_after_the_other_are_not(tmp_path: Path) -> None:
    """Two benches into one folder would interleave their lines."""
    meta = make_meta(2)
    with RunWriter(tmp_path, meta), pytest.raises(InputError, match="another bench is writing"):
        RunWriter(tmp_path, meta)
    RunWriter(tmp_path, meta).close()


def test_another_bench_is_not_mixed_in_but_more_orders_of_the_same_one_are(tmp_path: Path) -> None:
    """Rows of another data set, seed or sweep are refused; a longer command resumes and is remembered."""
    meta = make_meta(2)
    RunWriter(tmp_path, meta).close()
    for other in (replace(meta, dataset="else"), replace(meta, seed=1), replace(meta, sweep="factor")):
        with pytest.raises(InputError, match="give another --out"):
            RunWriter(tmp_path, other)
    RunWriter(tmp_path, replace(meta, command="pointsman bench budget --orders 9")).close()
    assert read_rows(tmp_path).meta.command.endswith("--orders 9")


def test_write_aside_leaves_the_old_file_whole_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure before the rename changes nothing and leaves nothing behind."""
    path = tmp_path / "table.json"
    write_aside(path, b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pointsman.evaluate.rows.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_aside(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


# ---- settings


def test_the_base_setting_is_the_published_one_if_it_is_there() -> None:
    """Factor 1 of a sweep over factors; the command's own volume of a sweep over volumes; else the first run's."""
    factors = make_rows(make_meta(2, "factor"), values=(0.25, 1.0, 2.0), policies=("port",))
    assert base_setting(factors) == Setting("weighted", 1.0, 1000, "iid")
    volumes = make_rows(make_meta(2, "volume"), values=(400, 1000), policies=("port",))
    assert base_setting(volumes).test == 1000
    neighbours = make_rows(make_meta(2, "k"), values=(1, 5, 20), policies=("port",))
    assert base_setting(neighbours).swept == 5
    others = make_rows(make_meta(2, "factor"), values=(0.5, 2.0), policies=("port",))
    assert base_setting(others).factor == 0.5
    with pytest.raises(InputError, match="no runs yet"):
        base_setting(Rows(make_meta(2), (), {}))


@pytest.mark.parametrize(
    ("sweep", "values", "expected"),
    [
        ("factor", (2.0, 0.25, 1.0), [0.25, 1.0, 2.0]),
        ("volume", (1000, 400), [400, 1000]),
        ("split", ("extreme-1", "uniform", "weighted"), ["weighted", "uniform", "extreme-1"]),
        ("k", (20, 1), [1, 20]),
        ("embedder", ("wordllama", "fuse"), ["fuse", "wordllama"]),
    ],
)
def test_a_sweep_is_one_axis_with_its_values_in_order(
    sweep: Sweep, values: tuple[Value, ...], expected: list[Value]
) -> None:
    """Values come back ascending (or in the paper's order), however the parallel runs were written."""
    rows = make_rows(make_meta(2, sweep), values=values, policies=("port", "paced"))
    axis = swept_field(sweep)
    assert axes(rows) == (axis,)
    assert list(along(rows, axis)) == expected
    assert all(set(policies) == {"port", "paced"} for policies in along(rows, axis).values())


def test_no_sweep_is_no_axis_and_one_setting() -> None:
    """Orders and policies alone make one setting, runs sorted by order."""
    rows = make_rows(make_meta(2), orders=3, policies=("port",))
    shuffled = replace(rows, runs=rows.runs[::-1])
    assert axes(rows) == ()
    grouped = by_setting(shuffled)
    assert list(grouped) == [setting_of(rows.runs[0], None)]
    assert [run.order for run in grouped[base_setting(rows)]["port"]] == [0, 1, 2]


def test_runs_that_differ_in_what_is_not_swept_are_not_averaged() -> None:
    """Two values of k in one folder without a sweep over k: told, not averaged."""
    meta = make_meta(2)
    mixed = Rows(meta, (make_run(meta, "port", 0, k=5), make_run(meta, "port", 1, k=20)), {})
    with pytest.raises(InputError, match=r"`k` 20 and 5"):
        by_setting(mixed)


# ---- the export

KEYS = [
    "policy",
    "split",
    "factor",
    "order",
    "scenario",
    "performance",
    "cost_usd",
    "efficiency",
    "served",
    "relative",
    "budget",
    "spent",
    "decide_us_per_query",
    "seconds",
]


def test_the_export_has_exactly_the_promised_shape(tmp_path: Path) -> None:
    """Keys as promised, no more and no fewer; a single order's deviation is null."""
    rows = make_rows(make_meta(3), orders=1, policies=("paced", "port"))
    export_json(rows, tmp_path / "out.json")
    out = json.loads((tmp_path / "out.json").read_text())
    assert list(out) == ["dataset", "models", "test", "history", "runs", "summary"]
    assert (out["models"], out["test"], out["history"]) == (3, 1000, 800)
    assert all(list(run) == KEYS for run in out["runs"])
    assert list(out["summary"]) == ["paced", "port"]
    assert out["summary"]["paced"]["performance_mean"] == out["runs"][0]["performance"]
    assert out["summary"]["paced"]["performance_sd"] is None
    assert set(out["summary"]["port"]) == {
        "performance_mean",
        "performance_sd",
        "cost_usd_mean",
        "efficiency_mean",
        "served_mean",
        "relative_mean",
        "relative_sd",
        "decide_us_per_query_median",
        "runs",
    }


def test_a_sweeps_export_carries_the_parameter_and_a_summary_by_value(tmp_path: Path) -> None:
    """`summary` stays that of the base setting; `sweep` holds one a value, and no mean is over several settings."""
    rows = make_rows(make_meta(2, "k"), values=(1, 5), orders=2, policies=("port",))
    export_json(rows, tmp_path / "out.json")
    out = json.loads((tmp_path / "out.json").read_text())
    assert all(list(run) == [*KEYS, "k"] for run in out["runs"])
    assert out["summary"]["port"]["runs"] == 2
    assert out["sweep"]["parameter"] == "k"
    assert [one["k"] for one in out["sweep"]["values"]] == [1, 5]
    assert out["sweep"]["values"][1]["summary"] == out["summary"]


def test_the_export_doesnt_depend_on_the_order_of_writing_and_of_nothing_there_is_none(tmp_path: Path) -> None:
    """Parallel runs finish in any order: the same bytes; without runs an error and no file."""
    rows = make_rows(make_meta(2), policies=("port", "paced"))
    export_json(rows, tmp_path / "one.json")
    export_json(replace(rows, runs=rows.runs[::-1]), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    with pytest.raises(InputError, match="no runs yet"):
        export_json(Rows(make_meta(2), (), {}), tmp_path / "three.json")
    assert not (tmp_path / "three.json").exists()
