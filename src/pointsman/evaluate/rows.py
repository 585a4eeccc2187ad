"""The saved rows of a bench: one immutable list of runs, from which every table and picture is made.

Takes finished runs, one at a time, and keeps them in a folder:

- `meta.json`: what was run on what;
- `runs.jsonl`: one line a run, flushed to the disk before the next one starts;
- `traces.jsonl`: how money, prices and quality went over time, for some of the runs.

Gives them back as frozen values, grouped by setting, and exports them as one JSON file.
A line counts once its line end is on the disk: what an interruption tore off is ignored on reading, cut away on
writing, and costs the run in progress only. A whole line that can't be read is refused with its number.
Knows nothing of policies, and computes nothing beyond means, deviations and medians over runs.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, TypeVar, get_args

import numpy as np

from pointsman.errors import InputError

Sweep = Literal["volume", "factor", "split", "k", "alpha", "eps", "history", "models", "embedder"]
SWEEPS: tuple[Sweep, ...] = get_args(Sweep)
Value = str | int | float

META_FILE, RUNS_FILE, TRACES_FILE = "meta.json", "runs.jsonl", "traces.jsonl"

# What always tells one setting from another; a sweep over anything else adds its own field.
AXES = ("split", "factor", "test", "scenario")
# What must not differ unnoticed between the runs that one mean is taken over.
_SILENT = ("history", "models", "k", "alpha", "eps", "embedder")

# Splits and scenarios in the order that the paper and the command line name them.
_USUAL_ORDER = (
    *("weighted", "cost", "perf", "uniform", "random", "extreme"),
    *("iid", "shift", "burst", "volume-low", "volume-high", "outage", "rate-cut"),
)

_EXPORTED = (
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
)


@dataclass(frozen=True, slots=True)
class Meta:
    """What a folder of rows is about.

    Attributes:
        dataset: title of the outcome set.
        simulated: True where no real model answered.
        models: ids of the M models.
        test, history: numbers of queries, as the command set them (a sweep's runs may differ).
        left_out: one sentence on rows and models that were not used; empty if none.
        command: the command line that made the rows.
        seed: what all randomness comes from.
        sweep: the parameter that varies, or None.
        version: of Pointsman.
    """

    dataset: str
    simulated: bool
    models: tuple[str, ...]
    test: int
    history: int
    left_out: str
    command: str
    seed: int
    sweep: Sweep | None
    version: str


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one order of arrivals in one setting.

    Attributes:
        key: stable id; a folder holds it once.
        policy, split, factor, order, scenario: what was run.
        test, history, models: how many test queries, history queries and models.
        k, alpha, eps, embedder: the estimator's and PORT's settings.
        performance: sum of the scores of the served queries.
        cost_usd: what they cost.
        efficiency: performance / cost_usd; NaN if nothing was spent.
        served: queries served.
        relative: performance / that of `approx-optimum`; NaN where that is unknown or zero.
        budget, spent: by fund, in the fund's own unit (dollars in the published experiment).
        decide_us_per_query: microseconds a query from estimates to decision.
        seconds: the whole run.
        served_by: queries served, by model.
        arrivals: queries that arrived; differs from `test` where the forecast of the volume was wrong.
    """

    key: str
    policy: str
    split: str
    factor: float
    order: int
    scenario: str
    test: int
    history: int
    models: int
    k: int
    alpha: float
    eps: float
    embedder: str
    performance: float
    cost_usd: float
    efficiency: float
    served: int
    relative: float
    budget: Mapping[str, float]
    spent: Mapping[str, float]
    decide_us_per_query: float
    seconds: float
    served_by: Mapping[str, int]
    arrivals: int


@dataclass(frozen=True, slots=True)
class Trace:
    """How one run went, at T moments.

    Attributes:
        key: of its run.
        policy, split, factor, scenario: as in the run.
        at: T shares of the queries seen, in [0, 1], never falling.
        spent: by fund, T amounts spent so far.
        price: by fund, T prices in quality per unit; NaN for a policy without prices.
        served_by: by model, T numbers of queries served so far.
        performance: T sums of scores so far.
    """

    key: str
    policy: str
    split: str
    factor: float
    scenario: str
    at: tuple[float, ...]
    spent: Mapping[str, tuple[float, ...]]
    price: Mapping[str, tuple[float, ...]]
    served_by: Mapping[str, tuple[int, ...]]
    performance: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A folder, read: its meta, its runs in the order they were written, its traces by the key of their run."""

    meta: Meta
    runs: tuple[Run, ...]
    traces: Mapping[str, Trace]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a mean is taken within: everything but policy and order. `swept` is None unless outside `AXES`."""

    split: str
    factor: float
    test: int
    scenario: str
    swept: Value | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy over the runs of one setting.

    Deviations are sample deviations (n - 1), NaN for a single run; undefined quotients are left out of their means.
    """

    performance_mean: float
    performance_sd: float
    cost_usd_mean: float
    efficiency_mean: float
    served_mean: float
    relative_mean: float
    relative_sd: float
    decide_us_per_query_median: float
    runs: int


_WHOLE, _REAL = int | np.integer, int | float | np.integer | np.floating

Item = TypeVar("Item")
Record = TypeVar("Record", Meta, Run, Trace)
Line = TypeVar("Line", Run, Trace)


# ---- from anything to plain values, strictly: each check returns the plain value or raises ValueError


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("text")
    return value


def _any_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text, perhaps empty")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, _WHOLE) or value < 0:
        raise ValueError("a whole number of at least zero")
    return int(value)


def _number(value: object, wanted: str = "a finite number") -> float:
    if isinstance(value, bool) or not isinstance(value, _REAL):
        raise ValueError(wanted)
    try:
        number = float(value)
    except OverflowError:  # A whole number of 400 digits has no float.
        raise ValueError(wanted) from None
    if not math.isfinite(number):
        raise ValueError(wanted)
    return number


def _amount(value: object) -> float:
    wanted = "a finite number of at least zero"
    if (number := _number(value, wanted)) < 0:
        raise ValueError(wanted)
    return number


def _quotient(value: object) -> float:
    """An amount, or NaN for null: a quotient whose divisor was zero."""
    return math.nan if _undefined(value) else _amount(value)


def _price(value: object) -> float:
    return math.nan if _undefined(value) else _number(value)


def _undefined(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _sweep(value: object) -> Sweep | None:
    if value is not None and value not in SWEEPS:
        raise ValueError(f"null or one of {', '.join(SWEEPS)}")
    return value


def _series(check: Callable[[object], Item]) -> Callable[[object], tuple[Item, ...]]:
    def checked(value: object) -> tuple[Item, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("a list")
        return tuple(check(item) for item in value)

    return checked


def _named(check: Callable[[object], Item]) -> Callable[[object], dict[str, Item]]:
    def checked(value: object) -> dict[str, Item]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise ValueError("an object of named values")
        return {name: check(item) for name, item in value.items()}

    return checked


_CHECKS: dict[str, dict[str, Callable[[object], object]]] = {
    "Meta": {
        "dataset": _text,
        "simulated": _flag,
        "models": _series(_text),
        "test": _count,
        "history": _count,
        "left_out": _any_text,
        "command": _any_text,
        "seed": _count,
        "sweep": _sweep,
        "version": _text,
    },
    "Run": {
        **dict.fromkeys(("key", "policy", "split", "scenario"), _text),
        **dict.fromkeys(("order", "test", "history", "models", "k", "served", "arrivals"), _count),
        **dict.fromkeys(("factor", "alpha", "eps", "performance", "cost_usd"), _amount),
        **dict.fromkeys(("decide_us_per_query", "seconds"), _amount),
        **dict.fromkeys(("efficiency", "relative"), _quotient),
        **dict.fromkeys(("budget", "spent"), _named(_amount)),
        "embedder": _any_text,
        "served_by": _named(_count),
    },
    "Trace": {
        **dict.fromkeys(("key", "policy", "split", "scenario"), _text),
        "factor": _amount,
        "at": _series(_amount),
        "spent": _named(_series(_amount)),
        "price": _named(_series(_price)),
        "served_by": _named(_series(_count)),
        "performance": _series(_amount),
    },
}


def _checked(kind: type[Record], raw: object, place: str, remedy: str) -> Record:
    """A `kind` from plain or NumPy values; InputError at `place` for a missing, unknown or unfit field."""
    checks = _CHECKS[kind.__name__]
    if not isinstance(raw, Mapping):
        raise InputError("expected a JSON object", place=place, remedy=remedy)
    if wrong := sorted(set(checks) ^ {str(name) for name in raw}):
        told = "is missing" if wrong[0] in checks else "is not a known field"
        raise InputError(f"`{wrong[0]}` {told}", place=place, remedy=remedy)
    values: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            values[name] = check(raw[name])
        except ValueError as unfit:
            raise InputError(
                f"`{name}` is {_excerpt(raw[name])}, expected {unfit}", place=place, remedy=remedy
            ) from None
    record = kind(**values)
    if conflict := _conflict(record):
        raise InputError(conflict, place=place, remedy=remedy)
    return record


def _conflict(record: Meta | Run | Trace) -> str:
    """What in a record contradicts itself; empty if nothing."""
    if isinstance(record, Run):
        if set(record.spent) != set(record.budget):
            return "`spent` and `budget` name different funds"
        if sum(record.served_by.values()) != record.served or record.served > record.arrivals:
            return "`served`, the sum of `served_by` and `arrivals` contradict each other"
    if isinstance(record, Trace):
        series = (record.performance, *record.spent.values(), *record.price.values(), *record.served_by.values())
        if any(len(one) != len(record.at) for one in series):
            return "a series is not as long as `at`"
        if list(record.at) != sorted(record.at) or max(record.at, default=0.0) > 1.0:
            return "`at` must never fall and stay within 0 and 1"
    return ""


def _excerpt(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _plain(record: Meta | Run | Trace | Summary) -> dict[str, object]:
    """The record as JSON values: NaN as null, tuples as lists."""
    return {field.name: _json(getattr(record, field.name)) for field in fields(record)}


def _json(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return None if _undefined(value) else value


def _line(record: Run | Trace) -> str:
    return json.dumps(_plain(record), allow_nan=False, ensure_ascii=False) + "\n"


# ---- reading


def read_rows(folder: Path) -> Rows:
    """All that a bench has saved in `folder` so far.

    A torn last line is ignored, and so is a trace whose run was not finished; of two traces of one run the later holds.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    meta = _read_meta(folder / META_FILE)
    runs = _read_lines(Run, folder / RUNS_FILE)
    keys = _unique_keys(runs, folder / RUNS_FILE)
    traces = {trace.key: trace for trace in _read_lines(Trace, folder / TRACES_FILE) if trace.key in keys}
    return Rows(meta, tuple(runs), traces)


def _read_meta(path: Path) -> Meta:
    if not path.is_file():
        raise InputError(
            "no such file", place=str(path), remedy="give the folder that `pointsman bench budget --out` wrote"
        )
    remedy = "start again in a fresh folder"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as unread:
        raise InputError(f"not JSON ({unread})", place=str(path), remedy=remedy) from None
    return _checked(Meta, raw, str(path), remedy)


def _read_lines(kind: type[Line], path: Path) -> list[Line]:
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    return [_read_line(kind, line, f"{path}, line {number}") for number, line in enumerate(whole, start=1)]


def _read_line(kind: type[Line], line: bytes, place: str) -> Line:
    remedy = "delete the line, and the command that wrote it will make that run again"
    try:
        raw = json.loads(line)
    except ValueError as unread:
        raise InputError(f"not JSON ({unread})", place=place, remedy=remedy) from None
    return _checked(kind, raw, place, remedy)


def _unique_keys(runs: Iterable[Run], path: Path) -> set[str]:
    keys: set[str] = set()
    for number, run in enumerate(runs, start=1):
        if run.key in keys:
            raise InputError(
                f"key {run.key!r} is there twice", place=f"{path}, line {number}", remedy="delete one of the two lines"
            )
        keys.add(run.key)
    return keys


# ---- writing


def write_aside(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: aside in the same folder, flushed to the disk, then renamed over `path`."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


class RunWriter:
    """Appends finished runs to a folder; opening the folder again resumes it.

    One writer at a time: a second one is refused while the first is open.

    Args:
        folder: made if it isn't there.
        meta: must agree with the folder's own in everything but the command, which is replaced.

    Raises:
        InputError: another writer has the folder, it holds rows of something else, or rows that can't be read.
    """

    def __init__(self, folder: Path, meta: Meta) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._runs = (folder / RUNS_FILE).open("ab")
        self._traces = (folder / TRACES_FILE).open("ab")
        try:
            _lock(self._runs, folder)
            _same_bench(folder / META_FILE, meta)
            for file in (self._runs, self._traces):
                _cut_torn_line(file)
            write_aside(folder / META_FILE, _document(_plain(_checked(Meta, _raw(meta), "meta", ""))))
            self._done = {run.key for run in read_rows(folder).runs}
        except BaseException:
            self.close()
            raise

    def done_keys(self) -> frozenset[str]:
        """Keys of the runs that are on the disk."""
        return frozenset(self._done)

    def append(self, run: Run, trace: Trace | None = None) -> None:
        """Put one finished run on the disk; its trace goes first, so that a run that counts has its trace.

        Raises:
            InputError: the key is there already, the trace is of another run, or a value is not fit to be saved.
        """
        place = f"run {run.key!r}"
        if run.key in self._done or (trace is not None and trace.key != run.key):
            raise InputError("its key is there already, or its trace has another one", place=place)
        if trace is not None:
            _append(self._traces, _line(_checked(Trace, _raw(trace), f"trace {trace.key!r}", "")))
        _append(self._runs, _line(_checked(Run, _raw(run), place, "")))
        self._done.add(run.key)

    def close(self) -> None:
        """Let the folder go; nothing is pending."""
        self._traces.close()
        self._runs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()


def _raw(record: Meta | Run | Trace) -> dict[str, object]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _append(file: IO[bytes], line: str) -> None:
    file.write(line.encode())
    file.flush()
    os.fsync(file.fileno())


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            "another bench is writing into this folder", place=str(folder), remedy="wait for it, or give another --out"
        ) from None


def _same_bench(path: Path, meta: Meta) -> None:
    """Refuse to mix the rows of two benches; a longer command (more orders, more policies) is the same bench."""
    if not path.is_file():
        return
    old = _read_meta(path)
    for field in fields(meta):
        before, now = getattr(old, field.name), getattr(meta, field.name)
        if field.name != "command" and before != now:
            raise InputError(
                f"the folder holds rows with `{field.name}` {_excerpt(before)}, this command has {_excerpt(now)}",
                place=str(path),
                remedy="give another --out, or delete the folder",
            )


def _cut_torn_line(file: IO[bytes]) -> None:
    """Without this the next line would be glued to what an interruption left."""
    whole = Path(file.name).read_bytes().rfind(b"\n") + 1
    file.truncate(whole)


# ---- settings and summaries


def swept_field(sweep: Sweep) -> str:
    """The field of a run that a sweep varies."""
    return "test" if sweep == "volume" else sweep


def setting_of(run: Run, sweep: Sweep | None) -> Setting:
    """The setting that a run belongs to."""
    name = swept_field(sweep) if sweep else ""
    swept = None if not name or name in AXES else getattr(run, name)
    return Setting(run.split, run.factor, run.test, run.scenario, swept)


def by_setting(rows: Rows) -> dict[Setting, dict[str, tuple[Run, ...]]]:
    """Runs by setting, then by policy, each in order of arrival order.

    Raises:
        InputError: runs of one policy in one setting differ in something that is not swept (k, embedder, ...): a
            mean over them would mean nothing.
    """
    grouped: dict[Setting, dict[str, list[Run]]] = {}
    for run in rows.runs:
        grouped.setdefault(setting_of(run, rows.meta.sweep), {}).setdefault(run.policy, []).append(run)
    for policies in grouped.values():
        for runs in policies.values():
            _refuse_mixture(runs)
    return {
        setting: {policy: tuple(sorted(runs, key=lambda run: run.order)) for policy, runs in policies.items()}
        for setting, policies in grouped.items()
    }


def _refuse_mixture(runs: Sequence[Run]) -> None:
    for name in _SILENT:
        values = sorted({str(getattr(run, name)) for run in runs})
        if len(values) > 1:
            raise InputError(
                f"runs of {runs[0].policy!r} in one setting have `{name}` {values[0]} and {values[1]}",
                place=RUNS_FILE,
                remedy=f"give each its own --out, or compare them with --sweep {name}",
            )


def base_setting(rows: Rows) -> Setting:
    """The setting that the summary and the main table are about.

    Of the settings there are, the one nearest to the published run: arrivals in random order, the weighted split,
    factor 1, the command's own volume, and for a sweep the published or the command's own value; else the first.

    Raises:
        InputError: there are no runs.
    """
    if not rows.runs:
        raise InputError("there are no runs yet", place=RUNS_FILE, remedy="let at least one run finish")
    usual = {"k": 5, "alpha": 1e-4, "eps": 0.025, "history": rows.meta.history, "models": len(rows.meta.models)}
    swept = usual.get(rows.meta.sweep or "")

    def distance(setting: Setting) -> tuple[bool, ...]:
        there = (setting.scenario, setting.split, setting.factor, setting.test, setting.swept)
        wanted = ("iid", "weighted", 1.0, rows.meta.test, swept)
        return tuple(one != other for one, other in zip(there, wanted, strict=True))

    return min(by_setting(rows), key=distance)


def axes(rows: Rows) -> tuple[str, ...]:
    """The parameters of which the rows hold more than one value around the base setting, the swept one first."""
    swept = swept_field(rows.meta.sweep) if rows.meta.sweep else ""
    names = sorted({*AXES, swept} - {""}, key=lambda name: (name != swept, name))
    return tuple(name for name in names if len(along(rows, name)) > 1)


def along(rows: Rows, axis: str) -> dict[Value, dict[str, tuple[Run, ...]]]:
    """Runs by value of `axis`, then by policy, all else as in the base setting; values in ascending or usual order."""
    field, base = axis if axis in AXES else "swept", asdict(base_setting(rows))
    found: dict[Value, dict[str, tuple[Run, ...]]] = {}
    for setting, policies in by_setting(rows).items():
        here = asdict(setting)
        if here[field] is not None and {**here, field: None} == {**base, field: None}:
            found[here[field]] = policies
    return dict(sorted(found.items(), key=lambda item: _rank(item[0])))


def _rank(value: Value) -> tuple[float, str]:
    if isinstance(value, str):
        return (_USUAL_ORDER.index(value) if value in _USUAL_ORDER else math.inf), value
    return value, ""


def summarise(runs: Sequence[Run]) -> Summary:
    """Means, deviations and the median over at least one run."""
    performance = [run.performance for run in runs]
    relative = [run.relative for run in runs if not math.isnan(run.relative)]
    return Summary(
        performance_mean=_mean(performance),
        performance_sd=_sd(performance),
        cost_usd_mean=_mean([run.cost_usd for run in runs]),
        efficiency_mean=_mean([run.efficiency for run in runs if not math.isnan(run.efficiency)]),
        served_mean=_mean([run.served for run in runs]),
        relative_mean=_mean(relative),
        relative_sd=_sd(relative),
        decide_us_per_query_median=statistics.median(run.decide_us_per_query for run in runs),
        runs=len(runs),
    )


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def _sd(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan


# ---- the export


def export_json(rows: Rows, path: Path) -> None:
    """Write the runs and their summary as one JSON file, whole or not at all.

    `summary` is over the runs of the base setting alone (`base_setting`): a mean over settings would mean nothing.
    A sweep's runs carry the swept parameter as one more key, and the file one more object, `sweep`: the parameter,
    the base setting, and one summary by policy for every value. Undefined figures are null.

    Raises:
        InputError: there are no runs, or runs that don't belong in one mean.
    """
    write_aside(path, _document(_export(rows)))


def _document(value: object) -> bytes:
    return (json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n").encode()


def _export(rows: Rows) -> dict[str, object]:
    meta, base = rows.meta, base_setting(rows)
    extra = swept_field(meta.sweep) if meta.sweep else "policy"
    names = dict.fromkeys((*_EXPORTED, extra))
    out: dict[str, object] = {
        "dataset": meta.dataset,
        "models": len(meta.models),
        "test": meta.test,
        "history": meta.history,
        "runs": [{name: _json(getattr(run, name)) for name in names} for run in sorted(rows.runs, key=_place_of)],
        "summary": _summaries(by_setting(rows)[base]),
    }
    if meta.sweep:
        values = [{extra: value, "summary": _summaries(found)} for value, found in along(rows, extra).items()]
        out["sweep"] = {"parameter": meta.sweep, "base": asdict(base), "values": values}
    return out


def _place_of(run: Run) -> tuple[object, ...]:
    return run.policy, run.split, run.factor, run.test, run.scenario, run.order, run.key


def _summaries(policies: Mapping[str, Sequence[Run]]) -> dict[str, object]:
    return {policy: _plain(summarise(policies[policy])) for policy in sorted(policies)}
