"""The demo's `pointsman.yaml`: the scene's models where they listen, its funds, its dashboard; and a free port.

Takes a scene, addresses and a folder; writes one file, which can be read and changed like any other while it runs.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

from pointsman.demo.plan import TEAMS
from pointsman.demo.scene import Scene
from pointsman.errors import InputError

FILE = "pointsman.yaml"
PORT, MOST_TRIED = 8400, 100
LIMIT_FACTOR, LEAST_LIMIT = 10, 600  # of the mean rate, and requests a minute
NANO = Decimal("0.000000001")
HEAD = """# Written by `pointsman demo`. One fund for each model, as if every provider had been paid in advance;
# the queries of all teams draw on them.
"""


def free_port(wanted: int | None) -> int:
    """The port to listen on: the wanted one, or the first free one from 8400 on.

    Raises:
        InputError: the wanted one is taken, or none is free.
    """
    for port in range(PORT, PORT + MOST_TRIED) if wanted is None else (wanted,):
        if _is_free(port):
            return port
    if wanted is None:
        raise InputError(f"no port from {PORT} to {PORT + MOST_TRIED - 1} is free", remedy="give one with --port")
    raise InputError(
        f"port {wanted} is taken", place="--port", remedy="give another one, or leave --port out to take a free one"
    )


def unused_ports(count: int) -> list[int]:
    """So many ports of this machine that nobody listens on now."""
    with contextlib.ExitStack() as held:
        listening = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in listening]


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def amount_of(usd: float) -> Decimal:
    """A sum as the ledger takes it, in whole nano-dollars."""
    return Decimal(usd).quantize(NANO, ROUND_UP)


def configure(scene: Scene, addresses: Mapping[str, str], port: int, master_key: str, folder: Path) -> Path:
    """Writes the file, and gives its path.

    Args:
        addresses: of each model's server, by id.
        port: to listen on, on this machine alone.
        folder: for the file, the history (`history`) and the gateway's state (`state`).
    """
    path = folder / FILE
    path.write_text(HEAD + yaml.safe_dump(_settings(scene, addresses, port, master_key), sort_keys=False), "utf-8")
    path.chmod(0o600)
    return path


def _settings(scene: Scene, addresses: Mapping[str, str], port: int, master_key: str) -> dict[str, Any]:
    pace = f"{max(1, round(scene.plan.seconds))}s"
    return {
        "master_key": master_key,
        "state": "state",
        "server": {"host": "127.0.0.1", "port": port, "drain": "5s"},
        "models": [_entry(scene, id, addresses[id]) for id in scene.ids],
        "funds": [
            {"name": id.partition("/")[2], "amount": str(amount_of(scene.funds_usd[id])), "models": [id], "pace": pace}
            for id in scene.ids
        ],
        "routing": {
            "expect_per_day": max(1, round(scene.plan.rate * 86_400)),
            "quantile": 0.99,  # few answers are cut off by the limit that money is held for
            "patience": "1s",
        },
        "failure": dict(scene.patience),
        "learning": {"history": "history", "store_prompts": True, "resolve": "1s"},
        "telemetry": {"log": "console", "level": "warning"},
        "dashboard": {"notice": scene.notice},
    }


def _entry(scene: Scene, id: str, address: str) -> dict[str, Any]:
    waiting = {"tier": "small", "duty": "waiting"} if id == scene.newcomer else {}
    entry = {"id": id, "base_url": f"{address}/v1", "kind": "openai", "key": "none", "shapes": ["chat"]}
    return entry | dict(scene.models[id]) | waiting


def key_wishes(scene: Scene) -> list[dict[str, Any]]:
    """A virtual key for each team, as POST /admin/keys takes it; its limit is far above what the team sends."""
    most = max(LEAST_LIMIT, round(LIMIT_FACTOR * scene.plan.rate * 60))
    return [{"id": team, "tags": [f"team:{team}"], "requests_per_minute": most} for team in TEAMS]
