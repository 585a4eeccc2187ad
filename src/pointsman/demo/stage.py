"""Where a demo is played: which scene it has, how its models are started, and who judges their answers.

`SimulatedStage` is the usual one; `local.LocalStage` has real small models. A stage starts processes and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pointsman.demo.answers import write_answers
from pointsman.demo.cast import CAST
from pointsman.demo.children import Family
from pointsman.demo.configuration import unused_ports
from pointsman.demo.probing import probe_outcomes
from pointsman.demo.scene import Judge, Scene, simulated_scene
from pointsman.pool.graders import Reply


class Stage(Protocol):
    """See the module."""

    @property
    def usual_rate(self) -> float:
        """Queries a second, where nobody says how many."""

    @property
    def patience_s(self) -> float:
        """How long a client waits for an answer."""

    def check(self) -> None:
        """Raises:
        InputError: something that it needs is not installed.
        """

    def scene(self, seconds: float, rate: float, seed: int) -> Scene:
        """What is played."""

    def addresses(self, scene: Scene) -> Mapping[str, str]:
        """Where the models will listen, by id."""

    def start(self, scene: Scene, addresses: Mapping[str, str], processes: Family, folder: Path) -> None:
        """Starts the models, and waits until they answer."""

    def judge(self, scene: Scene) -> Judge:
        """Who scores an answer."""


class SimulatedStage:
    """Simulated models, each a process of its own."""

    usual_rate = 8.0
    patience_s = 60.0

    def check(self) -> None:
        """Needs nothing more."""

    def scene(self, seconds: float, rate: float, seed: int) -> Scene:
        """The simulated workload, cut in two: a past and a traffic."""
        self._seed = seed
        return simulated_scene(seconds, rate, seed)

    def addresses(self, scene: Scene) -> Mapping[str, str]:
        """A port for each model."""
        return {
            id: f"http://127.0.0.1:{port}" for id, port in zip(scene.ids, unused_ports(len(scene.ids)), strict=True)
        }

    def start(self, scene: Scene, addresses: Mapping[str, str], processes: Family, folder: Path) -> None:
        """A server for each of the cast, all at once."""
        probes = probe_outcomes(self._seed)
        children = []
        for number, part in enumerate(CAST):
            path = folder / f"{part.name}.json"
            write_answers(part, scene.traffic, probes, number, path)
            port = addresses[part.id].rpartition(":")[2]
            children.append(processes.start(part.name, "pointsman.demo.model_server", str(path), "--port", port))
        for child in children:
            child.address()

    def judge(self, scene: Scene) -> Judge:
        """The simulation knows how good every answer is."""
        score, column = scene.traffic.score, {id: i for i, id in enumerate(scene.ids)}

        def true_score(row: int, model: str, _: Reply) -> float:
            return float(score[row, column[model]])

        return true_score
