"""Tool choice: which of the offered tools to call, with which arguments, and when to call none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply, ToolCall
from pointsman.pool.probes.drafts import Draft, Template, between, english, one, some
from pointsman.pool.probes.phrases import names_of, packaged, say

SKILL = "tool choice"
CITIES = ("Oslo", "Lisbon", "Prague", "Turin", "Porto", "Riga", "Malmö", "Ghent")
SPELLED_ALIKE = ("Oslo", "Porto", "Riga", "Malmö")  # in every language of the suite
COUNTRIES = {"Oslo": "Norway", "Lisbon": "Portugal", "Prague": "Czech", "Turin": "Italy", "Riga": "Latvia"}
ALSO = {"Czech": ["Czechia"]}
DAYS = {"June": "30", "March": "31", "September": "30", "October": "31", "November": "30"}
ROOMS = ("kitchen", "bedroom", "bathroom", "office")
ARTISTS = ("Miles Davis", "Nina Simone", "Bach", "Fela Kuti", "Björk", "Caetano Veloso")


def offered(names: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """The named tools in OpenAI's shape."""
    known = packaged("tools.yaml")
    return tuple(_function(name, known[name]) for name in names)


def _function(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    shapes = {
        argument: {"type": kind, "description": description} | ({"enum": values[0]} if values else {})
        for argument, (kind, description, *values) in told["arguments"].items()
    }
    parameters = {"type": "object", "properties": shapes, "required": list(shapes)}
    return {
        "type": "function",
        "function": {"name": name, "description": told["description"], "parameters": parameters},
    }


def _call(prompt: str, tool: str, arguments: Mapping[str, Any], others: Sequence[str], rng: Generator) -> Draft:
    """A prompt that wants one call; the wrong reply calls another tool."""
    names = some(rng, (tool, *others), len(others) + 1)
    return Draft(
        prompt,
        {"kind": "tool", "name": tool, "arguments": dict(arguments)},
        Reply("", (ToolCall(tool, json.dumps(arguments)),)),
        Reply("", (ToolCall(others[0], "{}"),)),
        128,
        offered(names),
    )


def cities(language: str) -> Sequence[str]:
    """Cities whose name is the same in the language and in English."""
    return CITIES if language == "en" else SPELLED_ALIKE


def weather(rng: Generator, language: str) -> Draft:
    """One argument, three unlike tools."""
    city = one(rng, cities(language))
    prompt = say("tools.weather", language, city=city)
    return _call(prompt, "get_weather", {"city": city}, ("set_timer", "play_music"), rng)


def timer(rng: Generator, language: str) -> Draft:
    """A number as the argument."""
    minutes = between(rng, 3, 55)
    prompt = say("tools.timer", language, minutes=minutes)
    return _call(prompt, "set_timer", {"minutes": minutes}, ("play_music", "send_message"), rng)


def music(rng: Generator, language: str) -> Draft:
    """A name as the argument."""
    artist = one(rng, ARTISTS)
    others = ("get_weather", "set_timer", "send_message")
    return _call(say("tools.music", language, artist=artist), "play_music", {"artist": artist}, others, rng)


def exchange(rng: Generator) -> Draft:
    """Three arguments, codes for what is said in words."""
    amount = between(rng, 12, 480)
    (first, source), (second, target) = some(
        rng, (("euros", "EUR"), ("US dollars", "USD"), ("Japanese yen", "JPY"), ("British pounds", "GBP")), 2
    )
    prompt = f"How much are {amount} {first} in {second} today?"
    arguments = {"amount": amount, "source": source, "target": target}
    return _call(prompt, "convert_currency", arguments, ("get_weather", "set_timer", "create_event", "lights"), rng)


def heating(rng: Generator, language: str) -> Draft:
    """An argument with listed values, beside a tool about the same room."""
    room, degrees = between(rng, 0, 3), between(rng, 17, 23)
    spoken = say("tools.rooms", language).split(", ")[room]
    prompt = say("tools.heating", language, room=spoken, degrees=degrees)
    arguments = {"room": ROOMS[room], "celsius": degrees}
    return _call(prompt, "set_temperature", arguments, ("lights", "get_weather", "set_timer", "create_event"), rng)


def train(rng: Generator) -> Draft:
    """Two tools that differ in one word."""
    (start, end), day = some(rng, CITIES, 2), date(2026, between(rng, 1, 12), between(rng, 2, 28))
    prompt = f"I don't fly any more. How do I get from {start} to {end} on {day.isoformat()} by rail?"
    arguments = {"origin": start, "destination": end, "date": day.isoformat()}
    return _call(prompt, "search_trains", arguments, ("search_flights", "get_forecast", "create_event"), rng)


def forecast(rng: Generator, language: str) -> Draft:
    """A day that has to be worked out, beside the tool for today's weather."""
    today, later, city = (
        date(2026, between(rng, 1, 12), between(rng, 22, 28)),
        between(rng, 3, 9),
        one(rng, cities(language)),
    )
    day = (today + timedelta(days=later)).isoformat()
    prompt = say("tools.forecast", language, today=today.isoformat(), later=later, city=city)
    return _call(prompt, "get_forecast", {"city": city, "date": day}, ("get_weather", "search_trains", "lights"), rng)


def event(rng: Generator) -> Draft:
    """Four arguments, a length from two times of a day."""
    day, start, length = (
        date(2026, between(rng, 1, 12), between(rng, 2, 28)),
        between(rng, 1, 6),
        between(rng, 3, 9) * 15,
    )
    end = 60 * (12 + start) + length
    who = one(rng, names_of("en"))
    prompt = (
        f"Put a new event into my calendar, titled exactly “Tea with {who}”: {day.isoformat()}, from {start} p.m. "
        f"until {end // 60 - 12}:{end % 60:02d} p.m."
    )
    arguments = {"title": f"Tea with {who}", "date": day.isoformat(), "start": f"{start + 12}:00", "minutes": length}
    return _call(prompt, "create_event", arguments, ("move_event", "send_message", "set_timer", "get_forecast"), rng)


def none_needed(rng: Generator) -> Draft:
    """A question that a tool sounds right for, but that only wants an answer."""
    hours, month, (city, country) = between(rng, 2, 9), one(rng, (*DAYS,)), one(rng, (*COUNTRIES.items(),))
    answer, question = one(
        rng,
        (
            (str(60 * hours), f"How many minutes do {hours} hours have? Just tell me; no timer, please."),
            (country, f"I'm writing about the weather in {city}. In which country is that city?"),
            (DAYS[month], f"How many days does {month} have? Nothing to put into my calendar, I'm only asking."),
        ),
    )
    names = ("set_timer", "get_weather", "create_event", "convert_currency", "play_music")
    grader = {
        "kind": "all",
        "of": [{"kind": "tool", "none": True}, {"kind": "facts", "all": [[answer, *ALSO.get(answer, ())]]}],
    }
    return Draft(question, grader, Reply(answer), Reply("", (ToolCall("set_timer", "{}"),)), 64, offered(names))


TEMPLATES = (
    Template("weather", SKILL, "easy", "en en de fr", weather),
    Template("timer", SKILL, "easy", "en en es", timer),
    Template("music", SKILL, "easy", "en it", music),
    Template("exchange", SKILL, "medium", "en en en", english(exchange)),
    Template("heating", SKILL, "medium", "en en de fr", heating),
    Template("train", SKILL, "medium", "en en", english(train)),
    Template("forecast", SKILL, "hard", "en en pt", forecast),
    Template("event", SKILL, "hard", "en en en", english(event)),
    Template("none-needed", SKILL, "hard", "en en en", english(none_needed)),
)
