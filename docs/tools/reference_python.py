"""The Python reference: every public name of the package, and of the modules that its users meet, by autodoc."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pointsman

# Where the names that the package itself offers aren't enough, and what for.
MODULES = {
    "pointsman.outcomes": "Outcomes on disk",
    "pointsman.pool.probes": "Probes",
}
FUNCTIONS = ("pointsman.evaluate.simulated.simulate", "pointsman.router.route", "pointsman.router.decide")


def python_page() -> str:
    """The names as Markdown with autodoc's directives."""
    parts = ["## `pointsman`", *(_block(f"pointsman.{name}") for name in pointsman.__all__ if name != "__version__")]
    for module, title in MODULES.items():
        parts += [f"## {title}: `{module}`", *(_block(f"{module}.{name}") for name in _names(module))]
    parts += ["## Functions that do without a `Router`", *(_block(name) for name in FUNCTIONS)]
    return "\n\n".join(parts)


def _names(module: str) -> list[str]:
    """The classes and functions that a module offers and the package itself doesn't."""
    found = import_module(module)
    return [name for name in found.__all__ if name not in pointsman.__all__ and _told(getattr(found, name))]


def _told(thing: Any) -> bool:
    return isinstance(thing, type) or (callable(thing) and bool(getattr(thing, "__doc__", None)))


def _block(path: str) -> str:
    kind = _kind(path)
    return f"```{{eval-rst}}\n.. auto{kind}:: {path}\n```"


def _kind(path: str) -> str:
    module, _, name = path.rpartition(".")
    found: Any = getattr(import_module(module), name)
    if isinstance(found, type):
        return "exception" if issubclass(found, Exception) else "class"
    return "function" if callable(found) else "data"
