"""What stands around a request in real traffic: system lines, greetings, context that changes nothing.

Takes `Draws` and a request; gives it as it would be sent. A frame makes a prompt longer and never harder, so that
length alone doesn't give the difficulty away.
"""

from __future__ import annotations

from pointsman.evaluate.simulated.draws import Draws, Slots
from pointsman.evaluate.simulated.words import POOLS

_SYSTEM = (
    "You are a helpful assistant of {company}. Answer in the language of the request.",
    "System: you are the assistant of {role}. Be brief, be polite, never mention {company}.",
    "You work for {company} in {city}. Today is {weekday}, {n:1-28} {month}.",
    "### Instruction (ticket {n:1000-99999})",
    "You are {job}. The person you talk to is {job} from {city}.",
    "Answer the following. If you can't, say so and don't guess.",
    "Role: assistant. Audience: {role}. Length: as short as possible.",
    "Below is a request from {full} ({city}). Respond to it in full.",
)
_BACKGROUND = (
    "Some background: I'm {job} in {city} and write for {role}.",
    "Earlier you helped me with {project}, and that went well.",
    "My colleague {full} asked the same on {weekday} and got an odd answer.",
    "I have about {n:3-50} minutes for this.",
    "We at {company} use you for everything from {subject} to {project}.",
    "Please ignore what I wrote about {subject} before.",
    "This is the {colour} version of a question I sent in {month}.",
    "By the way, {name} says hello.",
)
_OPENINGS = ("Hi,", "Hello!", "Dear assistant,", "Hey there,", "Good evening,", "OK next one.", "Please help:")


def framed(draws: Draws, request: str) -> str:
    """`request` as it is (half of the time), or after a system line, a greeting or up to eight lines of background."""
    if draws.chance(0.5):
        return request
    slots = Slots(draws, POOLS)
    if draws.chance(0.3):
        return f"{draws.pick(_OPENINGS)} {request}"
    lines = [draws.pick(_SYSTEM), *draws.several(_BACKGROUND, draws.tailed(1, 9) - 1)]
    return slots.fill(" ".join(lines)) + "\n\n" + request
