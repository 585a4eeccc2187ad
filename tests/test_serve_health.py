"""Which endpoints are up: closing after failures, one probe, opening again."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_serving import endpoint
from pointsman.serve.health import Health

A, B = endpoint("a"), endpoint("b")


def failed(health: Health, times: int, now: float = 0.0) -> Health:
    for _ in range(times):
        health.failed("a", now)
    return health


def test_failures_in_a_row_close_an_endpoint() -> None:
    """Two failures of three are nothing; the third closes it for 30 seconds, and a success between them starts anew."""
    health = failed(Health(3, 30.0), 2)
    assert health.state("a", 0.0) == "open"
    health.succeeded("a")
    assert not health.troubled
    failed(health, 2)
    assert health.state("a", 0.0) == "open"
    failed(health, 1)
    assert [health.state("a", now) for now in (0.0, 29.9, 30.0)] == ["closed", "closed", "open"]


def test_one_query_probes_a_rested_endpoint() -> None:
    """After its rest the first to pick it probes; the others go elsewhere until the probe has ended."""
    health = failed(Health(3, 30.0), 3)
    assert health.pick([A, B], 10.0) is B
    assert health.pick([A, B], 31.0) is A
    assert health.state("a", 31.0) == "probing"
    assert health.pick([A, B], 31.0) is B
    assert not health.up([A], 31.0)
    health.succeeded("a")
    assert health.pick([A, B], 31.0) is A
    assert health.pick([A, B], 31.0) is A


def test_a_probe_that_told_nothing_may_be_made_again() -> None:
    """A client that leaves during the probe doesn't leave the endpoint in it for ever."""
    health = failed(Health(1, 30.0), 1)
    assert health.pick([A], 31.0) is A
    assert health.pick([A], 31.0) is None
    health.abandoned("a")
    assert health.pick([A], 31.0) is A
    health.abandoned("never heard of")


def test_rests_grow_while_probes_fail() -> None:
    """10 s, 20 s, 40 s, 80 s, then 100 s for ever: doubled, at most tenfold."""
    health, now, rests = Health(1, 10.0), 0.0, []
    for _ in range(6):
        health.failed("a", now)
        start = now
        while health.state("a", now) != "open":
            now += 1.0
        rests.append(now - start)
        assert health.pick([A], now) is A
    assert rests == [10.0, 20.0, 40.0, 80.0, 100.0, 100.0]


def test_an_endpoint_is_heard_but_not_for_ever() -> None:
    """What an upstream asks for as a pause counts where it is longer, up to ten rests."""
    health = Health(1, 10.0)
    health.failed("a", 0.0, retry_after_s=25.0)
    assert health.state("a", 24.0) == "closed"
    assert health.state("a", 25.0) == "open"
    health.succeeded("a")
    health.failed("a", 0.0, retry_after_s=86_400.0)
    assert health.state("a", 100.0) == "open"
    health.failed("b", 0.0, retry_after_s=1.0)
    assert health.state("b", 9.0) == "closed"


def test_endpoints_are_taken_in_their_order() -> None:
    """The first that is open and not excluded; none where all are."""
    health = Health(3, 30.0)
    assert health.pick([A, B], 0.0) is A
    assert health.pick([A, B], 0.0, but=frozenset({"a"})) is B
    assert health.pick([A, B], 0.0, but=frozenset({"a", "b"})) is None
    assert health.states(["a", "b"], 0.0) == {"a": "open", "b": "open"}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(["fail", "work", "leave", "pick"]), st.sampled_from("ab"), st.floats(0.0, 20.0)),
        max_size=60,
    )
)
def test_never_two_probes_and_never_a_closed_endpoint(events: list[tuple[str, str, float]]) -> None:
    """Whatever happens, a pick is an endpoint that was open, and one that failed often is asked one query at a time."""
    health, now, failures, probing = Health(2, 10.0), 0.0, {"a": 0, "b": 0}, {"a": False, "b": False}
    for what, name, passed in events:
        now += passed
        if what == "fail":
            health.failed(name, now)
            failures[name], probing[name] = failures[name] + 1, False
        elif what == "work":
            health.succeeded(name)
            failures[name], probing[name] = 0, False
        elif what == "leave":
            health.abandoned(name)
            probing[name] = False
        else:
            before = health.states("ab", now)
            chosen = health.pick([A, B], now)
            assert (chosen is None) == ("open" not in before.values())
            if chosen is not None:
                assert before[chosen.name] == "open"
                if failures[chosen.name] >= 2:
                    assert not probing[chosen.name]
                    probing[chosen.name] = True
    assert health.up([A, B], now) == ("open" in health.states("ab", now).values())
