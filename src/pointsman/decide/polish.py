"""The exact optimum of `program`: good prices settle the clear queries, a linear program the close ones.

Takes a `Program`, gives `Exact`: prices at a vertex of the dual, an optimal fractional assignment, and the proof that
both are optimal: bound and value agree to 1e-9. At good prices most queries have one best option by a clear lead;
those are fixed, and HiGHS solves the rest exactly. While the gap isn't closed some lead was not clear enough: the
lead asked for grows, in the end to the whole program, so the answer is right whatever the prices were.
All in memory: it isn't for a million queries, whose prices come from `streaming`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from pointsman.decide.dual import Layout, Rows, check_request, layout_of, read_rows, rows_of, solve_rows
from pointsman.decide.program import Program
from pointsman.errors import InputError
from pointsman.records import Floats, Ints, Mask

# Leads that count as clear, tried in turn until the gap is closed, in temperatures at which the fast prices ended:
# ten of them are a share of 5e-5. The last one leaves nothing out.
_LEADS = (10.0, 40.0, 200.0, 1000.0, np.inf)
# HiGHS takes no tighter tolerance than this; budgets are scaled to 1 and qualities to about 1 first.
_TIGHTEST = 1e-10
_NOTHING = 1e-9  # an optimum below this share of one query's quality is none: HiGHS couldn't tell it from none
_MANY = 5000  # open pairs from which HiGHS's interior point beats its simplex, where ties abound by five to one
_BLOCK = 4096  # rows scored at a time


@dataclass(frozen=True, slots=True)
class Exact:
    """The optimum of a program and its proof.

    Attributes:
        price: float [F], quality per unit: an optimal dual solution (one of them, where it isn't unique).
        closed: bool [F], funds of zero, as in `dual.Prices`.
        bound: the dual value at `price`.
        value: the quality that `shares` reach; equal to `bound` up to the tolerance.
        shares: sparse [Q, M], how much of each query goes to each model; all but about F rows are whole.
    """

    price: Floats
    closed: Mask
    bound: float
    value: float
    shares: csr_array


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Some (query, model) pairs, and the share of the query that the model gets."""

    query: Ints
    model: Ints
    share: Floats

    def only(self, chosen: Mask | Ints) -> _Pairs:
        """The pairs chosen."""
        return _Pairs(self.query[chosen], self.model[chosen], self.share[chosen])


@dataclass(frozen=True, slots=True)
class _Answer:
    """Scaled prices and an assignment, and how far they are from proving each other optimal.

    `excess` is the larger of the gap, relative to the bound, and the worst overdraft, relative to its budget.
    """

    scaled: Floats
    pairs: _Pairs
    bound: float
    value: float
    excess: float


def solve_exact(program: Program, *, start: Floats | None = None, tolerance: float = 1e-9) -> Exact:
    """Solve a program to optimality.

    Args:
        start: earlier prices, as in `dual.solve`.
        tolerance: the excess (gap relative to the bound, overdraft relative to a budget) that counts as none.

    Raises:
        InputError: as `dual.solve`; or the optimum could not be proved (numbers too far apart in size).
    """
    check_request(program.funds, start, tolerance)
    layout = layout_of(program.funds)
    rows = rows_of(program, layout)
    warm = np.zeros(len(layout.open_))
    if start is not None:
        warm = start[layout.open_] * program.funds.budget[layout.open_]
    fast = solve_rows(rows, layout, warm, 1e-5, 400)
    centre = fast.point.scaled
    answer = _judge(rows, layout, centre, _best_pairs(rows, layout, centre))
    least = answer.bound
    for lead in _LEADS:
        if answer.excess <= tolerance:
            break
        found = _solve_close(rows, layout, centre, lead * fast.temperature)
        if found is None:
            continue
        answer = _judge(rows, layout, *found)
        if answer.bound < least:
            centre, least = answer.scaled, answer.bound
    if answer.excess > tolerance:
        raise InputError(
            f"the optimum could not be proved: bound {answer.bound!r}, value {answer.value!r}",
            place="program",
            remedy="bring qualities and amounts to scales within about 1e6 of one another",
        )
    return _exact(program, layout, answer)


def assignment(exact: Exact) -> Ints:
    """Int [Q]: each query's largest share, the first of equals; −1 where it has none.

    The rounding of the papers' Approx Optimum (arXiv 2509.02718). It may overdraw a fund by about one query.
    """
    shares = exact.shares.tocoo()
    query, model = shares.coords
    # The last to be written wins: order by share, then the first model last.
    order = np.lexsort((-model, shares.data))
    chosen = np.full(shares.shape[0], -1, dtype=np.int64)
    chosen[query[order]] = model[order]
    return chosen


def _unit(rows: Rows) -> float:
    """The quality that an average query can reach."""
    return float(rows.weights @ np.maximum(0.0, rows.quality.max(axis=1)) / rows.weights.sum())


def _close_pairs(rows: Rows, layout: Layout, scaled: Floats, lead: float) -> tuple[_Pairs, Mask]:
    """Pairs less than `lead` behind their query's best option, ordered by query; which of them are alone in that.

    "Nobody" is an option too, and leaves no pair. A pair of quality at most zero is none: nobody is as good.
    """
    unit_price = (scaled @ layout.weight).reshape(-1, layout.models)
    found = [_close_block(rows, unit_price, lead, first) for first in range(0, len(rows.quality), _BLOCK)]
    query, model, clear = (np.concatenate(column) for column in zip(*found, strict=True))
    alone = clear & (np.bincount(query, minlength=1)[query] == 1)
    return _Pairs(query, model, np.ones(len(query))), alone


def _close_block(rows: Rows, unit_price: Floats, lead: float, first: int) -> tuple[Ints, Ints, Mask]:
    """Queries, models, and whether the query's best option leads "nobody" by more than `lead`."""
    block = slice(first, first + _BLOCK)
    score = rows.quality[block].copy()
    for unit, worth in enumerate(unit_price):
        score -= worth * (rows.tables[unit, block] if unit < len(rows.tables) else 1.0)
    best = np.maximum(0.0, score.max(axis=1))
    query, model = np.nonzero((score >= best[:, None] - lead) & (rows.quality[block] > 0))
    return query + first, model, best[query] > lead


def _best_pairs(rows: Rows, layout: Layout, scaled: Floats) -> _Pairs:
    """Every query's best pair, the first of equals."""
    pairs, _ = _close_pairs(rows, layout, scaled, 0.0)
    return pairs.only(np.unique(pairs.query, return_index=True)[1])


def _cells(rows: Rows, layout: Layout, pairs: _Pairs) -> csr_array:
    """What each pair takes, weighted, sparse [units in use × M, pairs]."""
    count = len(pairs.query)
    units = layout.weight.shape[1] // layout.models
    taken = np.ones((units, count))
    taken[: len(rows.tables)] = rows.tables[:, pairs.query, pairs.model]
    taken *= rows.weights[pairs.query]
    cell = np.arange(units)[:, None] * layout.models + pairs.model
    column = np.broadcast_to(np.arange(count), cell.shape)
    return csr_array((taken.ravel(), (cell.ravel(), column.ravel())), shape=(units * layout.models, count))


def _judge(rows: Rows, layout: Layout, scaled: Floats, pairs: _Pairs) -> _Answer:
    bound = float(scaled.sum()) + read_rows(rows, scaled @ layout.weight, 1e-9 * max(_unit(rows), 1e-200)).exact
    value = float(rows.weights[pairs.query] @ (pairs.share * rows.quality[pairs.query, pairs.model]))
    drawn = layout.weight @ (_cells(rows, layout, pairs) @ pairs.share)
    # Budgets next to nothing buy next to nothing: there is no relative gap to speak of.
    gap = (bound - value) / bound if bound > _NOTHING * _unit(rows) else 0.0
    return _Answer(scaled, pairs, bound, value, max(gap, float(np.max(drawn - 1.0, initial=0.0))))


def _solve_close(rows: Rows, layout: Layout, scaled: Floats, lead: float) -> tuple[Floats, _Pairs] | None:
    """Scaled prices and pairs: the clear queries as these prices have it, the close ones by HiGHS; None if it can't."""
    pairs, alone = _close_pairs(rows, layout, scaled, lead)
    fixed, open_ = pairs.only(alone), pairs.only(~alone)
    room = 1.0 - layout.weight @ (_cells(rows, layout, fixed) @ fixed.share)
    if not len(open_.query) or (room < -_TIGHTEST).any():
        return None
    gain = rows.weights[open_.query] * rows.quality[open_.query, open_.model]
    size = float(gain.max())
    _, position = np.unique(open_.query, return_inverse=True)
    count = len(position)
    ones = csr_array((np.ones(count), (position, np.arange(count))), shape=(position[-1] + 1, count))
    solution = linprog(
        -gain / size,
        A_ub=vstack([csr_array(layout.weight) @ _cells(rows, layout, open_), ones], format="csr"),
        b_ub=np.concatenate([np.maximum(0.0, room), np.ones(ones.shape[0])]),
        bounds=(0.0, None),
        method="highs-ds" if count < _MANY else "highs-ipm",
        options={"primal_feasibility_tolerance": _TIGHTEST, "dual_feasibility_tolerance": _TIGHTEST},
    )
    if solution.status != 0:
        return None
    price = np.maximum(0.0, -size * solution.ineqlin.marginals[: len(room)])
    query = np.concatenate([fixed.query, open_.query])
    model = np.concatenate([fixed.model, open_.model])
    return price, _Pairs(query, model, np.concatenate([fixed.share, np.clip(solution.x, 0.0, 1.0)]))


def _exact(program: Program, layout: Layout, answer: _Answer) -> Exact:
    price = np.zeros(len(program.funds))
    price[layout.open_] = answer.scaled / program.funds.budget[layout.open_]
    pairs = answer.pairs.only(answer.pairs.share > _TIGHTEST)
    shares = csr_array((pairs.share, (pairs.query, pairs.model)), shape=program.quality.shape)
    return Exact(price, program.funds.closed, answer.bound, answer.value, shares)
