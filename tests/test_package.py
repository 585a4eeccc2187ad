"""The package's face."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pointsman


def test_public_names_are_there() -> None:
    """Everything in `__all__` can be had, and nothing else pretends to be."""
    for name in pointsman.__all__:
        assert getattr(pointsman, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = pointsman.nothing


def test_help_loads_no_numerical_library() -> None:
    """`pointsman --help` answers without numpy, scipy, numba or any room but the command line's own."""
    code = (
        "import sys; sys.argv = ['pointsman', '--help']\n"
        "from pointsman.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'numba', 'scipy', 'pyarrow', 'pointsman.router'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bench" in done.stdout
