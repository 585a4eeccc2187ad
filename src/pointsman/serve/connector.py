"""aiohttp's connector, which also tells a caller when its request is about to be written.

Whether an upstream may bill a call that was cancelled depends on that alone: before there is a connection it can't
know of the call, from then on it may have read it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.connector import Connection

CONNECTED: ContextVar[Callable[[], None] | None] = ContextVar("connected", default=None)
"""What the task that calls wants to be told; set it before the call."""


class TellingConnector(aiohttp.TCPConnector):
    """As `aiohttp.TCPConnector`."""

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        """A connection; whoever asked for it is told that there is one."""
        connection = await super().connect(*args, **kwargs)
        tell = CONNECTED.get()
        if tell is not None:
            tell()
        return connection
