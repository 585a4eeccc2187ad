"""A profile as tables that fit a screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pointsman.onboard.intervals import Interval
from pointsman.onboard.profile import Effect, Profile, Resemblance

BAR = 12
WIDE = 110  # columns of a screen from which on bars are drawn
MOST_LANGUAGES = 8
MOST_SHARES = 8
NOTHING = "–"


def show(profile: Profile, console: Console) -> None:
    """Prints it."""
    console.print(Text(f"{profile.model}: {_span(profile.overall)} on {profile.graded} probes", style="bold"))
    pair = Table.grid(padding=(0, 3, 0, 0))
    pair.add_row(_kinds("skill", profile.skills, bars=console.width >= WIDE), Group(*_beside(profile)))
    console.print(pair)
    if profile.resembles:
        console.print(_resembled(profile.resembles))
    if profile.effect is not None:
        console.print(_effect(profile.effect))
        for line in _said(profile.effect):
            console.print(line, highlight=False, markup=False)
    for line in _notes(profile):
        console.print(line, style="dim", highlight=False, markup=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title or None, title_justify="left")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=number > 0)
    return table


def _kinds(kind: str, found: Mapping[str, Interval], *, bars: bool = False) -> Table:
    table = _table("", kind, "score", "90 %", "n", *([""] if bars else []))
    for name, one in found.items():
        cells = [f"{one.mean:.2f}", _bounds(one), str(one.n)]
        table.add_row(escape(name), *cells, *([_bar(one)] if bars else []))
    return table


def _bar(one: Interval) -> str:
    """Where the interval lies between 0 and 1, and the mean in it."""
    cells = ["─" if one.low <= (at + 0.5) / BAR <= one.high else " " for at in range(BAR)]
    cells[min(BAR - 1, int(one.mean * BAR))] = "●"
    return "".join(cells)


def _beside(profile: Profile) -> Iterator[RenderableType]:
    yield _kinds("difficulty", profile.difficulties)
    if len(profile.languages) > 1:
        most = sorted(profile.languages.items(), key=lambda each: -each[1].n)
        yield _kinds("language", dict(most[:MOST_LANGUAGES]))
    table = _table("", "an answer", "")
    table.add_row("costs", NOTHING if profile.cost_usd is None else f"${profile.cost_usd:.6f}")
    tokens, waits = profile.output_tokens, profile.latency_ms
    table.add_row("tokens", NOTHING if tokens is None else f"{tokens[0]:.0f} (p95 {tokens[1]:.0f})")
    table.add_row("latency", NOTHING if waits is None else f"{_s(waits[0])} (p95 {_s(waits[1])})")
    table.add_row("all of them", f"${profile.spent_usd:.6f}")
    yield table


def _s(latency_ms: float) -> str:
    return f"{latency_ms:.0f} ms" if latency_ms < 1_000 else f"{latency_ms / 1e3:.1f} s"


def _resembled(found: tuple[Resemblance, ...]) -> Table:
    title = "resembles (correlation of scores on probes that both answered)"
    table = _table(title, "model", "r", "90 %", "theirs", "its", "n")
    for one in found:
        r = one.correlation
        cells = (NOTHING, NOTHING) if r is None else (f"{r.mean:+.2f}", f"{r.low:+.2f} to {r.high:+.2f}")
        table.add_row(escape(one.model), *cells, f"{one.mean:.2f}", f"{one.newcomer_mean:.2f}", str(one.shared))
    return table


def _effect(effect: Effect) -> Table:
    table = _table("share of typical traffic, with the same money", "model", "before", "with it")
    *others, newcomer = effect.shares
    ranked = sorted(others, key=lambda one: max(one.before, one.after), reverse=True)[: MOST_SHARES - 1]
    for one in ranked:
        table.add_row(escape(one.model), _percent(one.before), _percent(one.after))
    span = f"{_percent(newcomer.after)} ({_percent(effect.low)} to {_percent(effect.high)})"
    table.add_row(Text(newcomer.model, style="bold"), NOTHING, span)
    return table


def _said(effect: Effect) -> Iterator[str]:
    gain = effect.quality.mean - effect.quality_before
    yield f"its own expected score on typical traffic {effect.newcomer.mean:.3f} ({_bounds(effect.newcomer)})"
    yield (
        f"expected score a query {effect.quality_before:.4f} → {effect.quality.mean:.4f} ({gain:+.4f}; with it "
        f"{effect.quality.low:.4f} to {effect.quality.high:.4f}), dollars a query {effect.cost_before_usd:.6f} → "
        f"{effect.cost_usd:.6f}"
    )
    if not effect.from_outcomes:
        yield "No model of the pool has recorded outcomes: the others count as declared, the probes as the traffic."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _span(one: Interval) -> str:
    return f"{one.mean:.3f} ({_bounds(one)})" if one.n else "no score yet"


def _bounds(one: Interval) -> str:
    return f"{one.low:.2f}–{one.high:.2f}"


def _notes(profile: Profile) -> Iterator[str]:
    yield f"Probes: {profile.chosen_by}. Intervals: 90 %, Beta posterior with Jeffreys' prior."
    if profile.ended:
        yield f"Asking ended: {profile.ended}."
    if profile.untold:
        yield f"{profile.untold} answers have no score: their grader can't tell."
    for why, count in profile.failures.items():
        yield f"{count} probe{'s are' if count > 1 else ' is'} left out, no answer came: {why}"
    if profile.change is not None:
        found = profile.change
        verdict = "it has changed" if found.changed else "no change can be seen"
        yield (
            f"Asked again: {found.before:.3f} → {found.after:.3f} on {found.difference.n} probes, difference "
            f"{found.difference.mean:+.3f} ({found.difference.low:+.3f} to {found.difference.high:+.3f}), "
            f"p = {found.p:.3g}: {verdict}."
        )
