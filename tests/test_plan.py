"""The list of runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman.decide.policies import POLICIES
from pointsman.errors import InputError
from pointsman.evaluate.plan import Circumstance, Request, Task, check, circumstances, parse_policies, parse_scenarios
from pointsman.evaluate.prepare import Setting, default_test, split_rows
from pointsman.evaluate.rows import SWEEPS, Sweep
from pointsman.evaluate.scenarios import SCENARIOS

BASE = Circumstance(Setting(100), "weighted", 1.0, "iid", 0)


def request(sweep: Sweep | None = None, orders: int = 1) -> Request:
    return Request(("paced",), BASE, orders, sweep)


def test_orders_are_separate_runs() -> None:
    """Without a sweep there is one circumstance an order."""
    assert circumstances(request(orders=3), 200, 8, ["wordllama"]) == [replace(BASE, order=o) for o in range(3)]


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_sweep_varies_its_own_parameter(sweep: Sweep) -> None:
    """A sweep's circumstances differ, keep the order, and have keys of their own."""
    found = circumstances(request(sweep), 200, 8, ["wordllama", "fuse"])
    assert len(found) >= 2
    assert len({Task("paced", at).key for at in found}) == len(found)


def test_scenarios_are_separate_runs() -> None:
    """Several scenarios in one command are runs of their own; `all` is every one."""
    found = circumstances(replace(request(), scenarios=parse_scenarios("iid, burst")), 200, 8, [])
    assert [at.scenario for at in found] == ["iid", "burst"]
    assert parse_scenarios("all") == SCENARIOS


def test_volume_keeps_the_history() -> None:
    """A smaller volume doesn't enlarge the history, and tests a part of the same rows."""
    found = circumstances(request("volume"), 200, 8, [])
    assert {at.setting.history for at in found} == {100}
    small, large = split_rows(200, found[0].setting), split_rows(200, found[-1].setting)
    assert set(small[0]) < set(large[0])
    assert small[1].tolist() == large[1].tolist()


def test_history_and_test_never_share_a_row() -> None:
    """Whatever the setting, no tested row is in the history."""
    for at in circumstances(request("history"), 200, 8, []):
        tested, past = split_rows(200, at.setting)
        assert not set(tested) & set(past)


def test_default_number_of_tested_rows() -> None:
    """10,000 of a large set, 55 % where that would leave a history under a third."""
    assert [default_test(rows) for rows in (17_793, 36_497, 12_000, 1_000)] == [10_000, 10_000, 6_600, 550]


def test_policies_by_name() -> None:
    """`all` is every policy, names are kept in order and once, `@` gives other estimates."""
    assert parse_policies("all") == tuple(POLICIES)
    assert parse_policies("paced, port,paced,paced@neighbours") == ("paced", "port", "paced@neighbours")
    for wrong in ("", " , ", "packed"):
        with pytest.raises(InputError):
            parse_policies(wrong)


def test_refusals() -> None:
    """Unknown splits, scenarios and sweeps and a count below one are refused."""
    with pytest.raises(InputError, match="split"):
        check(replace(request(), base=replace(BASE, split="fair")))
    for wrong in ("flood", "", "iid,flood"):
        with pytest.raises(InputError, match="scenario"):
            parse_scenarios(wrong)
    with pytest.raises(InputError, match="sweep"):
        check(replace(request(), sweep="time"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="orders"):
        check(replace(request(), orders=0))
    for setting in (Setting(0), Setting(200), Setting(100, history=101)):
        with pytest.raises(InputError):
            split_rows(200, setting)
