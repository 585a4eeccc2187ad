"""The house: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "pointsman"

# Each room may import itself and the rooms named here; the order is DESIGN's.
ALLOWED = {
    "errors": set[str](),
    "records": {"errors"},
    "outcomes": {"errors", "records"},
    "estimate": {"errors", "records"},
    "decide": {"errors", "records"},
    "pool": {"errors", "records"},
    "ledger": {"errors", "records"},
    "router": {"errors", "records", "outcomes", "estimate", "decide"},
    "onboard": {"errors", "records", "outcomes", "estimate", "decide", "pool", "router"},
    "batch": {"errors", "records", "outcomes", "estimate", "decide", "router"},
    "evaluate": {"errors", "records", "outcomes", "estimate", "decide", "router", "onboard"},
    "serve": {"errors", "records", "outcomes", "estimate", "decide", "router", "pool", "ledger", "onboard"},
    "demo": {
        *("errors", "records", "outcomes", "estimate", "decide", "router", "pool", "ledger", "onboard"),
        *("batch", "evaluate", "serve"),
    },
    "cli": {
        *("errors", "records", "outcomes", "estimate", "decide", "router", "batch", "evaluate", "__init__"),
        *("pool", "ledger", "serve", "onboard", "demo"),
    },
    "__main__": {"cli"},
    "__init__": {"errors", "records", "outcomes", "router"},
}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of the package's own modules that a file imports, at any depth of its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pointsman":
            assert node.level == 0, f"{path}: write imports out in full"
            found |= {target(str(node.module), name.name) for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.split(".")[0] == "pointsman"}
    return found


def target(module: str, name: str) -> str:
    """The module that `from module import name` needs: a file of that name, else the module itself."""
    below = SOURCE.parent.joinpath(*module.split("."), name)
    return f"{module}.{name}" if below.is_dir() or below.with_suffix(".py").is_file() else module


def room_of_module(name: str) -> str | None:
    parts = name.split(".")
    if len(parts) < 2:
        return None
    here = SOURCE / parts[1]
    return parts[1] if here.is_dir() or here.with_suffix(".py").is_file() else "__init__"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    """A file imports only from its own room and the rooms before it."""
    room = room_of(path)
    used = {found for name in imported(path) if (found := room_of_module(name)) is not None}
    assert used <= ALLOWED[room] | {room}


def test_no_cycles_between_files() -> None:
    """Inside the rooms too, no two files import each other, directly or round about."""
    graph = {module_of(path): imported(path) for path in SOURCE.rglob("*.py")}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"cycle: {' -> '.join((*above, name))}"
        if name in done or name not in graph:
            return
        for other in sorted(graph[name] - {name}):
            visit(other, (*above, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


def module_of(path: Path) -> str:
    parts = ("pointsman", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
