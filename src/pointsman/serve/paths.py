"""What answers at a path: the one shape of every table of paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pointsman.serve.client import Client
from pointsman.serve.gateway import Gateway

Endpoint = Callable[[Gateway, Client, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers at a path, by method. `anthropic`: errors in Anthropic's shape."""

    methods: Mapping[str, Endpoint]
    anthropic: bool = False
