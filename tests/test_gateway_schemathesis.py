"""The OpenAPI document says what there is, and no request that is made from it gets an answer of 5xx."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from gateway_kit import MASTER, GatewayProcess, anthropic_model, embedding_model, openai_model, running_gateway
from stub_upstream import start_stub


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose upstream answers everything."""
    folder = tmp_path_factory.mktemp("described")
    with start_stub() as stub:
        models = [
            openai_model(stub, id="oa/all", model="all", rates={"input": 1, "output": 2}),
            anthropic_model(stub, id="claude/opus", model="opus"),
            embedding_model(stub, id="emb/small", model="small"),
        ]
        with running_gateway(folder, stub, models, [{"name": "all", "amount": 10**9}]) as running:
            yield running
            assert "failed by a fault of the gateway's own" not in running.log
            running.settled()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_nothing_that_the_document_describes_breaks_the_gateway(gateway: GatewayProcess, mode: GenerationMode) -> None:
    """Whatever is asked, within the document or outside it, the answer isn't a server error."""
    document = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    asked = 0
    for found in document.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @settings(
            max_examples=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case[Any]) -> None:
            nonlocal asked
            answer = case.call(headers={"authorization": f"Bearer {MASTER}"}, timeout=20)
            assert answer.status_code < 500, (case.as_curl_command(), answer.content)
            asked += 1

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong about a path without parameters
            check()
    assert asked > 200
