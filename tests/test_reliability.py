"""How true the estimates are, measured and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointsman.errors import InputError
from pointsman.evaluate.prepare import Bench, Setting
from pointsman.evaluate.reliability import FILE, load_reliability, measure_reliability, save_reliability
from worlds import estimates_of, outcomes


def test_measured_on_the_tested_rows_and_kept(tmp_path: Path) -> None:
    """One table a source but the truth; what is read back is what was measured, empty bins and all."""
    test = outcomes(200, 3, 0)
    seen = estimates_of(test, 0)
    found = measure_reliability(Bench(Setting(200), test, test, {"blend": seen, "truth": seen}, {}))
    assert list(found) == ["ours"]
    assert found["ours"].count.sum() == 600
    save_reliability(found, tmp_path)
    back = load_reliability(tmp_path)["ours"]
    np.testing.assert_allclose(back.predicted, found["ours"].predicted)
    np.testing.assert_allclose(back.observed, found["ours"].observed)
    assert back.error == pytest.approx(found["ours"].error)


def test_no_file_and_a_bad_file(tmp_path: Path) -> None:
    """Without a file there is nothing to show; a file of something else is refused by name."""
    assert load_reliability(tmp_path) == {}
    (tmp_path / FILE).write_text("[1]")
    with pytest.raises(InputError, match=FILE):
        load_reliability(tmp_path)
