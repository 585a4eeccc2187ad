"""The policies: one order, every one described, nobody ranked who plays another game."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from made_rows import STRENGTHS
from pointsman.evaluate.roster import ROSTER, in_order, policy_named


@given(st.permutations([policy.name for policy in ROSTER] + ["zebra", "my-own"]))
def test_policies_keep_one_order_however_they_come(names: list[str]) -> None:
    """Published, honest, ours, others by name, references last."""
    listed = [policy.name for policy in ROSTER]
    assert in_order(names) == [*listed[:-2], "my-own", "zebra", *listed[-2:]]


def test_every_policy_of_the_bench_is_known_by_its_group() -> None:
    """The names of the work order, each described; what pools and what is a reference is not ranked."""
    assert {policy.name for policy in ROSTER} == set(STRENGTHS)
    assert all(policy.about and not policy.about.endswith(".") for policy in ROSTER)
    unranked = {policy.name for policy in ROSTER if not policy.ranked}
    assert unranked == {"cheapest-pooled", "paced-pooled", "approx-optimum", "optimum"}
    assert policy_named("my-own").group == "other"
    assert not policy_named("cheapest-pooled@blend").ranked
    assert policy_named("optimum@text").group == "reference"
    assert in_order(["paced@text", "paced-pooled", "paced"]) == ["paced", "paced@text", "paced-pooled"]
