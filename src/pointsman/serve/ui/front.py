"""What one worker keeps for the dashboard: the seal of its sessions, the count of wrong keys, and the static pages.

Made with the gateway and held by it; it knows nothing of the gateway.
"""

from __future__ import annotations

from pathlib import Path

from pointsman.serve.ui.files import Files
from pointsman.serve.ui.seal import Door, seal_of


class Front:
    """One worker's; see the module.

    Args:
        state: the state folder.

    Raises:
        InputError: the dashboard's secret can't be kept there.
    """

    def __init__(self, state: Path) -> None:
        self.seal, self.door, self.files = seal_of(state), Door(), Files()
