"""Who still lives: locks that end with their processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.serve.owners import Owner

CHILD = """
import sys
from pathlib import Path
from pointsman.serve.owners import Owner
owner = Owner(Path(sys.argv[1]))
print(owner.name, flush=True)
sys.stdin.read()
"""


def test_the_living_and_the_dead(tmp_path: Path) -> None:
    """A killed process is dead at once, a running one isn't, and one never heard of is."""
    me = Owner(tmp_path)
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        names = [child.stdout.readline().decode().strip() for child in children if child.stdout]
        assert me.dead([me.name, *names]) == set()
        children[0].kill()
        children[0].wait()
        assert me.dead([me.name, *names, "1-00000000"]) == {names[0], "1-00000000"}
        assert sorted(path.name for path in (tmp_path / "workers").iterdir()) == sorted([me.name, names[1]])
    finally:
        for child in children:
            child.kill()
            child.communicate()
    me.close()


def test_a_closed_name_is_dead(tmp_path: Path) -> None:
    """Who ends by itself takes its file away."""
    one, other = Owner(tmp_path), Owner(tmp_path)
    assert one.name != other.name
    assert one.dead([other.name]) == set()
    other.close()
    assert one.dead([other.name]) == {other.name}
    one.close()
    assert list((tmp_path / "workers").iterdir()) == []


@pytest.mark.parametrize("name", ["../keys.sqlite", "/etc/hostname", "a/../../keys.sqlite"])
def test_names_lead_nowhere(tmp_path: Path, name: str) -> None:
    """A name that is a path is looked for among the workers alone; files elsewhere stay."""
    kept = tmp_path / "keys.sqlite"
    kept.write_text("keys")
    owner = Owner(tmp_path)
    assert owner.dead([name]) == {name}
    assert kept.exists()
    owner.close()


def test_holds_without_an_owner_belong_to_nobody(tmp_path: Path) -> None:
    """The empty name is that of no living worker."""
    owner = Owner(tmp_path)
    assert owner.dead([""]) == {""}
    owner.close()
