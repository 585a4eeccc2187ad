"""What one worker keeps for the dashboard: its sessions' seal, the count of wrong keys, the pages, and who looks.

Made with the gateway and held by it; it knows nothing of the gateway.
"""

from __future__ import annotations

from pathlib import Path

from pointsman.serve.ui.files import Files
from pointsman.serve.ui.hub import Hub
from pointsman.serve.ui.seal import Door, seal_of


class Front:
    """One worker's; see the module.

    Args:
        state: the state folder.

    Raises:
        InputError: the dashboard's secret can't be kept there.
    """

    def __init__(self, state: Path) -> None:
        self.seal, self.door, self.files, self.hub = seal_of(state), Door(), Files(), Hub()

    def close(self) -> None:
        """Ends every live view at once: a gateway that stops waits for nobody who only looks."""
        self.hub.close()
