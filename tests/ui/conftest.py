"""One browser and two gateways for all tests of the dashboard; skipped, with the reason, where no page can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from gateway_kit import GatewayProcess
from stub_upstream import Stub, start_stub
from ui.browser import ADMIN, Visitor, Watched, chromium, missing, watched
from ui.world import fresh_gateway, seeded_gateway

Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if why := missing():
        pytest.skip(why)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def stub(browser: Browser) -> Iterator[Stub]:
    with start_stub() as running:
        yield running


@pytest.fixture(scope="session")
def seeded(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with a past."""
    with seeded_gateway(tmp_path_factory.mktemp("seeded"), stub) as running:
        yield running


@pytest.fixture(scope="session")
def fresh(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that nobody has asked anything; tests leave it so."""
    with fresh_gateway(tmp_path_factory.mktemp("fresh"), stub) as running:
        yield running


@pytest.fixture
def own(stub: Stub, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A fresh gateway that a test may do with as it likes."""
    with fresh_gateway(tmp_path, stub) as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens watched pages: `visit(gateway, "now", VIEWER, theme="dark")`; all are checked and closed after the test."""
    with ExitStack() as pages:

        def one(gateway: GatewayProcess, path: str = "", visitor: Visitor = ADMIN, **options: Any) -> Watched:
            page = pages.enter_context(watched(browser, gateway.url, visitor, **options))
            if path:
                page.open(path)
            return page

        yield one
