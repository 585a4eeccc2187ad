"""Fits before their hour: somebody asked for one, or an onboarding has ended and its probes are new outcomes.

A request is a file in the state folder, so any process may make one: a worker for its client, an onboarding, whoever
stored outcomes. The worker that fits for all looks at it each second. It fits nothing itself.
"""

from __future__ import annotations

from pathlib import Path

from pointsman.pool.reload import Stamp, stamp

REQUEST = "refit.request"


def request_refit(state: Path) -> None:
    """Asks for a fit on what is stored by now; asking twice is asking once."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state / REQUEST).touch()


class Requests:
    """What the worker that fits for all looks at.

    Args:
        state: the gateway's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._ended = self._profiles()

    def due(self) -> bool:
        """Whether a fit is wanted now."""
        return (self._state / REQUEST).exists() or self._profiles() != self._ended

    def taken(self) -> None:
        """What was wanted so far is being seen to; what is asked for from now on is another request."""
        (self._state / REQUEST).unlink(missing_ok=True)
        self._ended = self._profiles()

    def _profiles(self) -> dict[Path, Stamp | None]:
        """An onboarding writes its profile when it ends."""
        return {path: stamp(path) for path in (self._state / "onboarding").glob("*/profile.json")}
