"""The pictures of the concept pages, drawn from runs of the program itself: `python docs/tools/pictures.py`.

Everything is the simulated workload (no real model answered), and each picture says so. The runs are made anew each
time from fixed seeds, in half a minute on one core; the PNGs are committed, so building the site draws nothing.

  funds.png      2,700 queries routed under three funds: what is left of each, and what a unit of it is worth
  scores.png     one of those decisions: every candidate's quality, charge and score
  frontier.png   a fixed price on money, from nothing to much, against single models and against a fund
  holds.png      a hundred queries at once on a fund that is too small: available, held, spent
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from pointsman import Fund, Router
from pointsman.decide.choose import choose
from pointsman.decide.program import amounts_of, compile_funds
from pointsman.estimate.fitted import Estimator
from pointsman.evaluate.plots import plot_scores, to_png
from pointsman.evaluate.simulated import simulate
from pointsman.ledger.entries import Ask, Ending, Held, LedgerFund, Line, Option
from pointsman.ledger.memory import MemoryBook
from pointsman.records import Decision, Estimates, Floats, Ints, Outcomes
from pointsman.router import embed

OUT = Path(__file__).parent.parent / "images" / "concepts"
QUERIES, HISTORY, BATCH, SEED = 6_000, 3_300, 30, 0
INK, FAINT = "#1f2328", "#656d76"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "legend.frameon": False,
}
SIMULATED = "Simulated workload: no real model answered."


@dataclass(frozen=True)
class Run:
    """What happened while queries were routed: one row a batch.

    Attributes:
        at: int [B], queries before the batch.
        left: float [B, F], the share of each fund that is left.
        price: float [B, F], quality for the whole fund at its price.
        funds: their names.
        opened: a decision in which money was scarce.
    """

    at: Floats
    left: Floats
    price: Floats
    funds: tuple[str, ...]
    opened: Decision


def main() -> None:
    """Makes all pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    outcomes = simulate(QUERIES, seed=SEED)
    history, live = outcomes.take(np.arange(HISTORY)), outcomes.take(np.arange(HISTORY, QUERIES))
    router = Router.fit(history, funds_of(live), volume=len(live), seed=SEED)
    estimator, estimates = router.snapshot.estimator, estimates_of(router, live)
    run = routed(router, live)
    keep("funds", draw_run(run))
    (OUT / "scores.png").write_bytes(small(to_png(plot_scores(run.opened, most=11, simulated=True))))
    keep("frontier", draw_frontier(live, estimates, estimator))
    keep("holds", draw_holds(live))


def funds_of(live: Outcomes) -> list[Fund]:
    """Money for a fifth of what the best model would cost, and two smaller funds inside it."""
    costs = dict(zip(live.models, np.nanmean(live.cost_usd, axis=0), strict=True))
    total = 0.2 * costs["simulated/large-b"] * len(live)
    large = ("simulated/large-a", "simulated/large-b", "simulated/reasoning-large")
    return [
        Fund("everything", total),
        Fund("large models", 0.4 * total, models=large),
        Fund("150 requests to large-b", 150, "requests", ("simulated/large-b",)),
    ]


def estimates_of(router: Router, live: Outcomes) -> Estimates:
    """What the router expects of every live query."""
    snapshot = router.snapshot
    return snapshot.estimator.estimate(embed(live.texts, snapshot.embedder, live.input_tokens))


def routed(router: Router, live: Outcomes) -> Run:
    """Routes the live queries in order and settles each by what it really cost."""
    at, left, price, opened = [], [], [], None
    for start in range(0, len(live), BATCH):
        stop = min(start + BATCH, len(live))
        decisions = router.route(live.texts[start:stop], input_tokens=live.input_tokens[start:stop])
        for row, decision in enumerate(decisions, start=start):
            if decision.model is not None:
                column = live.models.index(decision.model)
                tokens = float(live.input_tokens[row] + live.output_tokens[row, column])
                router.settle(decision, cost_usd=float(live.cost_usd[row, column]), tokens=tokens)
        prices, budget = router.snapshot.price, router.snapshot.funds.budget
        at.append(stop)
        left.append(router.balances / budget)
        price.append(np.zeros(len(budget)) if prices is None else prices * budget)
        opened = opened or next((one for one in decisions if telling(one)), None)
    if opened is None:
        raise RuntimeError("no decision in which money was scarce")
    funds = router.snapshot.funds.names
    return Run(np.array(at), np.array(left), np.array(price), funds, opened)


def telling(decision: Decision) -> bool:
    """Whether the charge changed who came first, with a middling model taken."""
    best = max(decision.candidates, key=lambda one: one.quality, default=None)
    chosen = decision.chosen
    return best is not None and chosen is not None and best.quality - chosen.quality > 0.1 and chosen.quality > 0.5


def draw_run(run: Run) -> Figure:
    """What is left of each fund, above what it is worth."""
    with rc_context(STYLE):
        figure = Figure(figsize=(8.4, 5.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot([0, run.at[-1]], [1, 0], color=FAINT, lw=1, ls=(0, (2, 2)), label="even pace")
        for j, name in enumerate(run.funds):
            above.plot(run.at, run.left[:, j], color=COLOURS[j], lw=2, label=name)
            below.plot(run.at, run.price[:, j], color=COLOURS[j], lw=2)
        above.set(ylabel="share left", ylim=(0, 1.02), title="Funds burn down, and their prices move to make it even")
        above.legend(loc="upper right", fontsize=9)
        below.set(ylabel="price × whole fund, in\nanswers of quality 1", xlabel="queries routed")
        return signed(figure)


def draw_frontier(live: Outcomes, estimates: Estimates, estimator: Estimator) -> Figure:
    """Mean score against mean cost: single models, a fixed price on money, and one fund with a price found for it."""
    truth, cost = live.score, live.cost_usd
    knob = [taken(estimates.quality - price * estimates.cost_usd) for price in np.geomspace(0.05, 3e4, 50)]
    points = np.array([[pick(cost, column), pick(truth, column)] for column in knob])
    with rc_context(STYLE):
        figure = Figure(figsize=(8.4, 5.0), layout="constrained")
        axes = figure.subplots()
        axes.plot(
            points[:, 0] * 1000, points[:, 1], color=COLOURS[0], lw=2.2, label="routed, one point a price on money"
        )
        for column, name in enumerate(estimator.models):
            x, y = float(cost[:, column].mean()) * 1000, float(truth[:, column].mean())
            axes.plot(x, y, "o", color=FAINT, ms=4)
            axes.annotate(
                name.split("/")[1], (x, y), xytext=(4, -10), textcoords="offset points", color=INK, fontsize=8
            )
        draw_budgets(axes, live, estimates, estimator)
        axes.set_xscale("log")
        axes.set_xlim(right=300)
        axes.set(xlabel="US dollars per 1,000 queries", ylabel="mean score", title="What a price on money buys")
        axes.legend(loc="lower right", fontsize=9)
        return signed(figure)


def draw_budgets(axes: Axes, live: Outcomes, estimates: Estimates, estimator: Estimator) -> None:
    """The same queries under one fund of a given size, at the price that just spends it, found on their estimates."""
    for share in (0.02, 0.05, 0.2):
        table = compile_funds([Fund("all", share * float(live.cost_usd.max(axis=1).sum()))], estimator.models)
        price = price_of(estimates, float(table.budget[0]))
        choices = choose(
            estimates.quality - price * estimates.cost_usd, amounts_of(estimates, table), table, table.budget
        )
        served = np.flatnonzero(choices.model >= 0)
        column = choices.model[served]
        x, y = live.cost_usd[served, column].sum() / len(live) * 1000, live.score[served, column].sum() / len(live)
        axes.plot(x, y, "D", color=COLOURS[1], ms=7, label="one fund, its own price" if share == 0.02 else None)


def price_of(estimates: Estimates, budget: float) -> float:
    """The price at which the best choices are expected to cost just the budget, by bisection."""
    low, high = 0.0, 1e6
    for _ in range(60):
        price = (low + high) / 2
        score = estimates.quality - price * estimates.cost_usd
        column = score.argmax(axis=1)
        rows = np.flatnonzero(score.max(axis=1) > 0)
        over = estimates.cost_usd[rows, column[rows]].sum() > budget
        low, high = (price, high) if over else (low, price)
    return high


def taken(score: Floats) -> Ints:
    """The best column of each row."""
    best: Ints = np.argmax(score, axis=1)
    return best


def pick(values: Floats, column: Ints) -> float:
    """The mean over rows of the value in the column that was taken."""
    return float(values[np.arange(len(values)), column].mean())


def draw_holds(live: Outcomes) -> Figure:
    """A fund that a hundred queries want at once: each holds the most it can cost, and posts what it did."""
    rng, book = np.random.default_rng(SEED), MemoryBook()
    column = live.models.index("simulated/large-a")
    costs = np.round(live.cost_usd[:100, column] * 1e9).astype(int)
    holds = costs * 3
    book.declare([LedgerFund("team", int(costs.sum() * 0.8))], 0)
    starts, ends = np.arange(100), np.arange(100) + rng.integers(5, 25, 100)
    rows, refused, open_ids = [], [], set[int]()
    for at in range(130):
        endings = [Ending(str(j), "post", (Line("team", int(costs[j])),)) for j in open_ids if ends[j] == at]
        book.end(endings, at)
        open_ids -= {int(one.id) for one in endings}
        for j in np.flatnonzero(starts == at):
            ask = Ask(str(j), (Option("large-a", (Line("team", int(holds[j])),)),), at + 1000)
            if isinstance(book.hold([ask], at)[0], Held):
                open_ids.add(int(j))
            else:
                refused.append(at)
        (balance,) = book.balances(at)
        rows.append((balance.spent, balance.held, balance.remaining))
    if not book.audit().ok:
        raise RuntimeError("the ledger doesn't balance")
    return draw_stack(np.array(rows) / 1e9, refused)


def draw_stack(rows: Floats, refused: list[int]) -> Figure:
    """Spent, held and what remains, stacked: they always sum to the fund."""
    with rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.stackplot(
            np.arange(len(rows)),
            rows.T,
            colors=("#0072B2", "#E69F00", "#dfe3e8"),
            labels=("spent", "held for queries in flight", "can still be held"),
            step="post",
        )
        top = rows.sum(axis=1).max()
        axes.plot(refused, [top * 1.03] * len(refused), "|", color="#D55E00", ms=9, label="a hold is refused")
        axes.set(
            xlabel="time, one query a step", ylabel="US dollars", title="A fund: nothing is spent that wasn't held"
        )
        axes.set(ylim=(0, top * 1.07), xlim=(0, len(rows) - 1))
        axes.grid(visible=False)
        figure.legend(loc="outside lower center", ncols=4, fontsize=9)
        return signed(figure)


def signed(figure: Figure) -> Figure:
    """The figure with a line that says what it was made from."""
    figure.suptitle(SIMULATED, fontsize=8, color=FAINT, x=0.99, ha="right")
    return figure


def keep(name: str, figure: Figure) -> None:
    """Writes a picture."""
    made = BytesIO()
    figure.savefig(made, format="png", dpi=130, metadata={"Software": None})
    (OUT / f"{name}.png").write_bytes(small(made.getvalue()))


def small(png: bytes) -> bytes:
    """The same picture with at most 128 colours."""
    made = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


if __name__ == "__main__":
    main()
    sys.stdout.write(f"{OUT}\n")
