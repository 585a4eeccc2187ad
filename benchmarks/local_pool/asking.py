"""What one query becomes at one setting, and what the answers to it become. Pure: no I/O, no clock, no chance.

Takes a body of OpenAI's chat completions; gives the bodies that llama.cpp is sent, and of its answers one completion,
whose usage counts everything that was sent and made. A setting's own temperature and limit hold, whatever is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_pool.examples import examples_for
from local_pool.settings import Setting
from local_pool.tools import called, told

SEED = 7
SYSTEM = ("system", "developer")
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
NEXT_QUESTION = "\nQuestion:"


@dataclass(frozen=True, slots=True)
class Call:
    """One request to llama.cpp."""

    path: str
    body: dict[str, Any]


def calls(setting: Setting, query: Mapping[str, Any]) -> list[Call]:
    """What is sent for a query: `tries` requests with seeds of their own, else alike.

    Raises:
        ValueError, KeyError: it has no messages.
    """
    if not query["messages"]:
        raise ValueError("there is no message")
    first = int(query.get("seed") or SEED)
    return [_call(setting, query, first + number) for number in range(setting.tries)]


def _call(setting: Setting, query: Mapping[str, Any], seed: int) -> Call:
    turns = _messages(setting, query)
    stops = query.get("stop") or []
    stops = [stops] if isinstance(stops, str) else list(stops)
    body = {"temperature": setting.temperature, "seed": seed, "max_tokens": _limit(setting, query)}
    if setting.base:
        return Call(TEXT, body | {"stop": [NEXT_QUESTION, *stops], "prompt": _as_text(turns)})
    return Call(CHAT, body | ({"stop": stops} if stops else {}) | {"messages": turns})


def _limit(setting: Setting, query: Mapping[str, Any]) -> int:
    asked = query.get("max_completion_tokens") or query.get("max_tokens") or setting.most_output_tokens
    return min(int(asked), setting.most_output_tokens)


def _messages(setting: Setting, query: Mapping[str, Any]) -> list[dict[str, str]]:
    """The setting's system message and examples before the query's turns, in words alone."""
    tools = query.get("tools") or ()
    given = [(one["role"], text_of(one)) for one in query["messages"]]
    systems = [setting.system, *(text for role, text in given if role in SYSTEM), told(tools)]
    system = "\n\n".join(text for text in systems if text)
    turns = [(role, text) for role, text in given if role not in SYSTEM]
    shown = examples_for(turns[-1][1], tools=bool(tools)) if setting.examples else ()
    worked = [turn for asked, said in shown for turn in (("user", asked), ("assistant", said))]
    first = [("system", system)] if system else []
    return [{"role": role, "content": text} for role, text in (*first, *worked, *turns)]


def _as_text(turns: Sequence[Mapping[str, str]]) -> str:
    """The same as questions with their answers, to be gone on with."""
    heads = {"system": "", "assistant": "Answer: "}
    lines = [heads.get(turn["role"], "Question: ") + turn["content"] for turn in turns]
    text = "".join(line + ("\n" if line.startswith("Question: ") else "\n\n") for line in lines)
    return f"{text}Answer:"


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text, also where it comes in parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def completion(setting: Setting, query: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One chat completion: of several answers the one most like the others; the usage is that of all."""
    choices = [one["choices"][0] for one in answers]
    texts = [str(one["text"] if setting.base else one["message"].get("content") or "").strip() for one in choices]
    taken = most_alike(texts)
    tools = called(texts[taken], query.get("tools") or ())
    message: dict[str, Any] = {"role": "assistant", "content": texts[taken]}
    if tools:
        message = {"role": "assistant", "content": None, "tool_calls": tools}
    sent, made = (sum(int(one["usage"][name]) for one in answers) for name in ("prompt_tokens", "completion_tokens"))
    ended = "tool_calls" if tools else choices[taken].get("finish_reason", "stop")
    return {
        "id": f"chatcmpl-{answers[taken].get('id', setting.name)}",
        "object": "chat.completion",
        "created": int(answers[taken].get("created", 0)),
        "model": setting.name,
        "choices": [{"index": 0, "message": message, "finish_reason": ended}],
        "usage": {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made},
    }


def most_alike(texts: Sequence[str]) -> int:
    """Which text shares the most words with the others (Jaccard); the first of equals."""
    words = [frozenset(text.lower().split()) for text in texts]
    likeness = [
        sum(len(one & other) / max(1, len(one | other)) for place, other in enumerate(words) if place != mine)
        for mine, one in enumerate(words)
    ]
    return max(range(len(texts)), key=lambda place: likeness[place])
