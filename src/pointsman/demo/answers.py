"""What each simulated server will say, worked out beforehand and written to a file that its process reads.

Takes a scene's traffic and the probe suite; gives one JSON file a model: for each prompt, by the id of its text, how
many tokens it has, how many the answer takes, and for a probe the reply itself, right or wrong by the model's skill. So
a server needs no numerical library, and what it answers is what the truth of the end table says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointsman.demo.cast import Part
from pointsman.outcomes import prompt_id_of
from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.suite import items
from pointsman.records import Outcomes


def write_answers(part: Part, traffic: Outcomes, probes: Outcomes, seed: int, path: Path) -> None:
    """One model's file.

    Args:
        part: whose.
        traffic, probes: outcomes with a column for the model; `probes` in the suite's order.
        seed: of its jitter.
        path: written at once; nothing reads it yet.
    """
    answers: dict[str, Any] = {}
    column = traffic.models.index(part.id)
    sizes = zip(traffic.texts, traffic.input_tokens, traffic.output_tokens[:, column], strict=True)
    for text, sent, written in sizes:
        answers[prompt_id_of(text)] = {"input": int(sent), "output": int(written)}
    answers |= _probes(part, probes)
    told = {
        "model": part.id,
        "called": part.name,
        "first_token_s": part.first_token_s,
        "tokens_per_s": part.tokens_per_s,
        "verbosity": part.model.verbosity,
        "seed": seed,
        "answers": answers,
    }
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _probes(part: Part, probes: Outcomes) -> dict[str, Any]:
    column = probes.models.index(part.id)
    found = {}
    for row, item in enumerate(items()):
        reply = item.right if probes.score[row, column] else item.wrong
        sizes = {"input": int(probes.input_tokens[row]), "output": int(probes.output_tokens[row, column])}
        found[prompt_id_of(item.probe.prompt)] = sizes | {"message": _message(reply)}
    return found


def _message(reply: Reply) -> Mapping[str, Any]:
    """A reply in OpenAI's shape."""
    if not reply.tool_calls:
        return {"role": "assistant", "content": reply.text}
    calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
        for i, one in enumerate(reply.tool_calls)
    ]
    return {"role": "assistant", "content": reply.text or None, "tool_calls": calls}
