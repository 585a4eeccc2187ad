"""The folder in which workers share their metrics. Apart from `serve.metrics`, whose import settles whether they do."""

from __future__ import annotations

from pathlib import Path

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare_folder(folder: Path) -> None:
    """Makes the folder and empties it of an earlier run's files; call it before the workers start."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob("*.db"):
        left_over.unlink(missing_ok=True)
