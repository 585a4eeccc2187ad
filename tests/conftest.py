"""What several test files need."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import write

# No test may depend on how busy the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 500 simulated queries on five models."""
    folder = tmp_path_factory.mktemp("data") / "small"
    write(simulate(500, seed=9).only(np.array([0, 2, 5, 8, 10])), folder)
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real outcome sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("POINTSMAN_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no outcome data at {folder} (set POINTSMAN_DATA)")
    return folder
