"""Duties at work: who may be asked by whom, what counts in prices, and two workers that notice a change."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from gateway_kit import GatewayProcess, running_gateway, wait_until
from made_serving import ADMIN, USD, Board, chat, model, rates, scheme_of, settings_of
from pointsman.cli import models as models_command
from pointsman.cli import retire as retire_command
from pointsman.errors import InputError
from pointsman.onboard.folder import slug_of
from pointsman.outcomes import OutcomeLog, OutcomeRow
from pointsman.pool.cards import Duty
from pointsman.pool.duties import duties_path, read_duties, set_duty, with_duties
from pointsman.pool.settings import Alias, FundRule, WindowRule
from pointsman.serve.access import Principal
from pointsman.serve.duties import Duties, may_name, shadow_funds
from pointsman.serve.knowing import LEAST_SCORED
from pointsman.serve.learn import Traffic, posed, solved
from pointsman.serve.scheme import Scheme
from pointsman.serve.wire.errors import Refusal
from stub_upstream import Stub, start_stub

IDS = ("p/a", "p/b", "q/c")
QUALITY, COST = (0.9, 0.7, 0.5), (0.02, 0.005, 0.0005)


def scheme_with(*duties: Duty, **sections: Any) -> Scheme:
    """Three models, each worse and cheaper than the one before, with these duties."""
    made = [model(id, price=rates(1, 4), duty=duty) for id, duty in zip(IDS, duties, strict=True)]
    return scheme_of(settings_of(*made, **sections), quality=QUALITY, cost_usd=COST)


def ranked(scheme: Scheme, name: str, principal: Principal = ADMIN) -> list[str]:
    """Who would be asked, in order."""
    plan = asyncio.run(Board(scheme).switchboard.decide(chat(name), principal))
    return [IDS[i] for i in plan.ranked]


def refused(scheme: Scheme, name: str, principal: Principal = ADMIN) -> Refusal:
    with pytest.raises(Refusal) as caught:
        ranked(scheme, name, principal)
    return caught.value


# Who may be asked


@pytest.mark.parametrize("duty", ["waiting", "shadow", "retired"])
def test_only_serving_models_are_candidates(duty: Duty) -> None:
    """The best model, when it doesn't serve, is neither `auto`'s first choice nor a fallback after it."""
    assert ranked(scheme_with("serving", "serving", "serving"), "auto") == ["p/a", "p/b", "q/c"]
    assert ranked(scheme_with(duty, "serving", "serving"), "auto") == ["p/b", "q/c"]
    listed = scheme_with(duty, "serving", "serving", aliases=(Alias("auto"), Alias("two", models=("p/a", "q/c"))))
    assert ranked(listed, "two") == ["q/c"]


@pytest.mark.parametrize("duty", ["waiting", "shadow"])
def test_who_may_name_a_model_that_does_not_serve(duty: Duty) -> None:
    """The master key and a key that lists the very id; no pattern opens it, and it has no fallback."""
    scheme = scheme_with(duty, "serving", "serving")
    assert ranked(scheme, "p/a") == ["p/a"]
    assert ranked(scheme, "p/a", Principal("k", models=("q/c", "p/a"))) == ["p/a"]
    for principal in (Principal("k"), Principal("k", models=("p/*",)), Principal("k", models=("*",))):
        assert refused(scheme, "p/a", principal).type == "permission_error"
    # Which of them asks first makes no difference: what is kept of one isn't given to another.
    assert ranked(scheme, "p/a") == ["p/a"]
    assert refused(scheme, "p/a", Principal("")).type == "permission_error"


def test_nobody_may_name_a_retired_model() -> None:
    """Not even the administrator; the error says that it is retired, and so it isn't taken for a slip in its name."""
    scheme = scheme_with("retired", "serving", "serving")
    for principal in (ADMIN, Principal("k", models=("p/a",))):
        error = refused(scheme, "p/a", principal)
        assert (error.type, error.code, error.status) == ("not_found_error", "model_retired", 404)
        assert "`p/a` is retired" in error.message
    assert refused(scheme, "p/z").code == "model_not_found"


def test_an_alias_that_nobody_serves_behind() -> None:
    """It is refused with its name, and the others go on."""
    scheme = scheme_with("serving", "waiting", "retired", aliases=(Alias("auto"), Alias("two", models=("p/b", "q/c"))))
    assert refused(scheme, "two").message == "No model is serving behind `two` now."
    assert ranked(scheme, "auto") == ["p/a"]


@given(
    st.tuples(*[st.sampled_from(["serving", "waiting", "shadow", "retired"])] * 3),
    st.sampled_from([(), ("*",), ("p/*",), ("p/a",), ("q/c", "p/b")]),
    st.booleans(),
)
def test_what_may_be_named_is_what_is_served(duties: tuple[Duty, ...], patterns: tuple[str, ...], admin: bool) -> None:
    """For every duty and key: a model is ranked exactly where `may_name` says so, and `auto` ranks what serves."""
    principal = ADMIN if admin else Principal("k", models=patterns)
    scheme = scheme_with(*duties)
    for each in scheme.models:
        try:
            assert ranked(scheme, each.id, principal) == [each.id]
            assert may_name(principal, each)
        except Refusal:
            assert not may_name(principal, each)
    mine = [each.id for each in scheme.models if each.duty == "serving" and principal.permits(each.id)]
    try:
        assert ranked(scheme, "auto", principal) == mine
    except Refusal:
        assert not mine


# Prices


def price_of(scheme: Scheme, traffic: Traffic) -> float:
    return float(solved(scheme, posed(scheme, traffic, {}, {}, 0))[0])


FUND = FundRule("all", USD, window=WindowRule("calendar", every="day"))


def test_models_that_do_not_serve_have_no_price_effect() -> None:
    """A dollar's price and the knob's are those of a pool without the best model, which only waits."""
    pool = scheme_with("waiting", "serving", "serving", funds=(FUND,))
    # The two others alone: the waiting one, had it counted, would have made money three times as dear.
    without = scheme_of(settings_of(*pool.models[1:], funds=(FUND,)), quality=QUALITY[1:], cost_usd=COST[1:])
    traffic = Traffic(1_000.0, 1)
    assert price_of(pool, traffic) == pytest.approx(price_of(without, traffic))
    assert price_of(pool, traffic) > 0
    everyone = scheme_with("serving", "serving", "serving", funds=(FUND,))
    assert price_of(everyone, traffic) != pytest.approx(price_of(without, traffic))
    assert pool.trade_off_price(5.0) == pytest.approx(without.trade_off_price(5.0))
    assert pool.trade_off_price(5.0) != pytest.approx(everyone.trade_off_price(5.0))


def test_who_names_a_waiting_model_is_no_traffic() -> None:
    """Probes are not what prices are solved for; what `auto` serves is, without the waiting model."""
    board = Board(scheme_with("waiting", "serving", "serving", funds=(FUND,)))
    asyncio.run(board.switchboard.decide(chat("p/a"), ADMIN))
    assert not board.witnessed
    asyncio.run(board.switchboard.decide(chat("auto"), ADMIN))
    ((estimates, drawn, allowed),) = board.witnessed
    assert (len(estimates), drawn, allowed.tolist()) == (1, [(0,)], [[False, True, True]])


def test_a_model_that_was_retired_since_leaves_the_latest_queries() -> None:
    """Rows that were allowed to it when they came aren't any more, and every row of history neither."""
    scheme = scheme_with("serving", "serving", "serving", funds=(FUND,))
    traffic = Traffic(1_000.0, 1)
    traffic.witness(scheme.typical, [(0,)], np.ones((1, 3), np.bool_))
    now = replace(scheme, settings=with_duties(scheme.settings, {"p/a": "retired"}))
    *_, allowed = posed(now, traffic, {}, {}, 0)
    assert allowed.tolist() == [[False, True, True]] * 2


def test_mirrored_traffic_has_a_fund_where_there_is_any() -> None:
    """One that the key `shadow` alone draws on, of the day's dollars; none without a model in the shadow."""
    assert shadow_funds(scheme_with("serving", "waiting", "retired").settings) == ()
    (fund,) = shadow_funds(scheme_with("serving", "shadow", "shadow").settings)
    assert (fund.amount, fund.window.every, fund.keys) == (USD, "day", ("shadow",))


# The file, watched


def test_a_change_is_seen_once(tmp_path: Path) -> None:
    """What is given shows at the next look, once; a file that can't be read changes nothing and is no crash."""
    pool = settings_of(model("p/a"), model("p/b"), state=tmp_path)
    duties = Duties(tmp_path)
    assert not duties.look()
    set_duty(tmp_path, "p/a", "retired", "")
    assert duties.look()
    assert not duties.look()
    assert [each.duty for each in duties.over(pool).models] == ["retired", "serving"]
    duties_path(tmp_path).write_text("{")
    assert not duties.look()
    assert duties.over(pool).models[0].duty == "retired"
    duties_path(tmp_path).unlink()
    assert duties.look()
    assert duties.over(pool) is pool


# A gateway of two workers


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all tests."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Two workers; the best model waits."""
    models = [
        {"id": "stub/new", "rates": {"input": 5, "output": 20}, "quality": 0.95, "duty": "waiting"},
        {"id": "stub/mid", "rates": {"input": 1, "output": 4}, "quality": 0.8},
        {"id": "stub/small", "rates": {"input": 0.1, "output": 0.4}, "quality": 0.6},
    ]
    funds = [{"name": "all", "amount": 1_000_000}]
    with running_gateway(tmp_path_factory.mktemp("duties"), stub, models, funds, workers=2) as running:
        yield running


@contextlib.contextmanager
def seen_by_both(gateway: GatewayProcess, said: Callable[[], str]) -> Iterator[None]:
    """Waits after the block until both workers have said something that they hadn't said before it."""
    before = len(gateway.log)
    yield
    text = said()
    wait_until(lambda: gateway.log[before:].count(text) >= 2, 60)


def changed(gateway: GatewayProcess) -> contextlib.AbstractContextManager[None]:
    """Both workers know, after the block, what duties the file says at its end."""

    def said() -> str:
        given = read_duties(gateway.state)
        return "duties given now: " + (", ".join(f"{name} {duty}" for name, duty in sorted(given.items())) or "none")

    return seen_by_both(gateway, said)


def duty_of(answer: httpx.Response, name: str) -> str:
    return next(str(each["duty"]) for each in answer.json()["models"] if each["id"] == name)


def run(gateway: GatewayProcess, *arguments: str, command: Any = retire_command) -> Result:
    """What a command says beside the running gateway."""
    arguments = (*arguments, "--config", str(gateway.config))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(command.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_a_waiting_model_is_named_and_never_chosen(gateway: GatewayProcess) -> None:
    """`auto` goes to the best that serves; the master key may name the waiting one, a key with `*` neither sees it."""
    assert gateway.chat().headers["x-pointsman-model"] == "stub/mid"
    assert gateway.chat("stub/new").headers["x-pointsman-model"] == "stub/new"
    other = {"authorization": f"Bearer {gateway.key(models=['stub/*'])}"}
    exact = {"authorization": f"Bearer {gateway.key(models=['stub/new'])}"}
    body = {"model": "stub/new", "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=other)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=exact).status_code == 200
    seen = httpx.get(f"{gateway.url}/v1/models", headers=other).json()["data"]
    assert {each["id"] for each in seen} == {"auto", "stub/mid", "stub/small"}
    seen = gateway.get("/v1/models").json()["data"]
    assert {each["id"]: each.get("duty") for each in seen}["stub/new"] == "waiting"


def test_an_onboarded_model_serves_within_a_tick(gateway: GatewayProcess) -> None:
    """A duty given while both workers run is seen by both without a restart, and `auto` goes there."""
    owners = gateway.owners()
    with changed(gateway):
        set_duty(gateway.state, "stub/new", "serving", "onboarded")
    assert duty_of(gateway.get("/admin/config"), "stub/new") == "serving"
    assert gateway.chat().headers["x-pointsman-model"] == "stub/new"
    assert gateway.owners() == owners


def test_retire_and_back(gateway: GatewayProcess, stub: Stub) -> None:
    """Retired: a query in flight finishes and is paid, new ones are refused with the reason; back: it serves again."""
    stub.script("mid", {"first_token_s": 2.5}, {})
    spent = gateway.balance("all").spent
    answers: list[httpx.Response] = []
    flight = threading.Thread(target=lambda: answers.append(gateway.chat("stub/mid")))
    flight.start()
    wait_until(lambda: stub.calls()["open"] == 1)
    with changed(gateway):
        assert run(gateway, "stub/mid", "--why", "too dear").output.startswith("stub/mid is retired")
    assert gateway.get("/v1/models/stub/mid").json()["error"]["code"] == "model_retired"
    refused = gateway.chat("stub/mid")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_retired")
    assert "stub/mid" not in {each["id"] for each in gateway.get("/v1/models").json()["data"]}
    assert duty_of(gateway.get("/admin/config"), "stub/mid") == "retired"
    flight.join()
    assert answers[0].status_code == 200
    wait_until(lambda: gateway.balance("all").spent > spent)
    with changed(gateway):
        assert run(gateway, "stub/mid", "--back").output.startswith("stub/mid is serving")
    assert gateway.get("/v1/models/stub/mid").json()["duty"] == "serving"
    assert gateway.chat("stub/mid").status_code == 200
    assert "stub/mid" not in json.loads(duties_path(gateway.state).read_text())


def test_nobody_left_is_said_and_no_crash(gateway: GatewayProcess) -> None:
    """With every model retired `auto` is refused, readiness says why, and the way back works."""
    owners = gateway.owners()
    with changed(gateway):
        said = [run(gateway, name).output for name in ("stub/new", "stub/mid", "stub/small")]
    assert ["no model is serving behind `auto`" in each for each in said] == [False, False, True]
    assert gateway.get("/health/readiness").json()["serving"] == 0
    assert "no model is serving behind `auto`" in gateway.get("/health/readiness").json()["trouble"]
    assert gateway.chat().status_code == 422
    with changed(gateway):
        for name in ("stub/new", "stub/mid", "stub/small"):
            run(gateway, name, "--back")
    assert gateway.get("/health/readiness").json()["trouble"] == ""
    assert gateway.chat().status_code == 200
    assert gateway.owners() == owners


def test_models_are_listed(gateway: GatewayProcess) -> None:
    """The table and the JSON tell each model's duty and who gave it, rates, belief, answers and share of traffic."""
    wait_until(lambda: any(one["answered"] for one in listed(gateway)))
    found = {one["id"]: one for one in listed(gateway)}
    assert list(found) == ["stub/new", "stub/mid", "stub/small"]
    assert found["stub/new"]["duty"] == "serving"
    assert found["stub/mid"]["known_by"] == "declared"
    assert (found["stub/mid"]["input_usd"], found["stub/mid"]["output_usd"]) == pytest.approx((1, 4))
    assert found["stub/small"]["quality"] == pytest.approx(0.6)
    assert sum(one["share"] for one in found.values()) == pytest.approx(1)
    table = run(gateway, command=models_command).output
    assert "0.600 ± 0.100" in table
    assert "stub/new is serving: `pointsman retire --back`" in table


def listed(gateway: GatewayProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(gateway, "--json", command=models_command).output)
    return found


def test_a_fit_on_demand_is_taken_over_by_all_workers(gateway: GatewayProcess) -> None:
    """Probes are stored and a fit is asked for: without restart, both workers know the models by the suite alone."""
    assert gateway.get("/admin/config").json()["fit"] == ""
    rows = [
        OutcomeRow(f"q{i}", f"How much is {i} + {i}?", "probe:sums", name, i % 3 / 2, 0.001, 9.0, float(5 + i % 4))
        for i in range(LEAST_SCORED)
        for name in ("stub/new", "stub/small")
    ]
    OutcomeLog(gateway.state / "outcomes").append(rows)
    key = {"authorization": f"Bearer {gateway.key()}"}
    assert httpx.post(f"{gateway.url}/admin/refit", headers=key).status_code == 403
    assert not (gateway.state / "refit.request").exists()
    with seen_by_both(gateway, lambda: "new estimators are in force"):
        assert gateway.post("/admin/refit").json() == {"requested": True, "fit": ""}
    assert gateway.get("/admin/config").json()["fit"] != ""
    found = {one["id"]: (one["known_by"], one["outcomes"]) for one in listed(gateway)}
    assert found == {"stub/new": ("fitted", 30), "stub/mid": ("declared", 0), "stub/small": ("fitted", 30)}
    assert "outcomes of 2 of 3 models" in gateway.get("/health/readiness").json()["estimates_from"]


def test_an_unknown_model_is_refused(gateway: GatewayProcess) -> None:
    """A slip in the id is told, with the nearest one, and nothing is written."""
    before = duties_path(gateway.state).read_text()
    with pytest.raises(InputError, match="did you mean stub/small"):
        CliRunner().invoke(retire_command.app, ["stub/smal", "--config", str(gateway.config)], catch_exceptions=False)
    assert duties_path(gateway.state).read_text() == before


def test_an_onboarding_over_http(gateway: GatewayProcess, stub: Stub) -> None:
    """Begun, watched from either worker, and cancelled: all that was asked is kept, and what was graded is learned."""
    stub.script("small", connect_s=1.5)
    path, slug = "/admin/onboardings/stub/small", slug_of("stub/small")
    assert gateway.get(path).status_code == 404
    key = {"authorization": f"Bearer {gateway.key()}"}
    body = {"model": "stub/small", "probes": 400, "budget_usd": 0.5}
    assert httpx.post(f"{gateway.url}/admin/onboardings", json=body, headers=key).status_code == 403
    begun = gateway.post("/admin/onboardings", body)
    assert (begun.status_code, begun.json()["id"]) == (202, slug)
    assert httpx.post(f"{gateway.url}/admin/onboardings", json=body, headers=gateway.headers).status_code == 409
    wait_until(lambda: ((gateway.get(path).json().get("progress") or {}).get("asked") or 0) > 0, 90)
    (listed,) = httpx.get(f"{gateway.url}/admin/onboardings", headers=gateway.headers).json()["data"]
    assert (listed["id"], listed["model"], listed["running"]) == (slug, "stub/small", True)
    assert gateway.delete(path).status_code == 202
    wait_until(lambda: not gateway.get(path).json()["running"], 60)
    assert gateway.delete(path).status_code == 404
    answers = (gateway.state / "onboarding" / slug / "answers.jsonl").read_text().splitlines()
    assert len(answers) > 0
    assert all(json.loads(line) for line in answers)
