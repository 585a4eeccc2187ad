"""Claims about `decide.streaming`: the same prices from chunks as from memory, and chunks that can't be are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pointsman.decide.dual import solve
from pointsman.decide.program import Program
from pointsman.decide.streaming import solve_stream
from pointsman.errors import InputError
from test_dual import dual_value, per_model, random_program, workload


def cut(program: Program, size: int) -> Callable[[], Iterator[Program]]:
    return lambda: (program.take(slice(first, first + size)) for first in range(0, len(program), size))


def test_one_chunk_by_hand() -> None:
    """The hand-worked example of `test_dual`, its two queries in a chunk each."""
    program = per_model(np.array([[1.0, 0.0], [0.8, 0.5]]), np.ones((2, 2)), np.array([1.5, 1.0]))
    prices = solve_stream(cut(program, 1), program.funds, tolerance=1e-8)
    assert prices.converged
    np.testing.assert_allclose(prices.price, [0.3, 0.0], atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_chunks_and_memory_agree(seed: int) -> None:
    """Any program, cut anywhere, has the bound that it has in one piece."""
    program = random_program(seed, queries=40)
    streamed = solve_stream(cut(program, 7), program.funds, tolerance=1e-6, sample_rows=10)
    assert streamed.converged
    assert streamed.bound == pytest.approx(solve(program, tolerance=1e-6).bound, rel=2e-6)
    assert streamed.bound == pytest.approx(dual_value(program, streamed.price), rel=1e-9, abs=1e-12)


def test_a_sample_is_where_it_begins_and_not_where_it_ends() -> None:
    """Prices from a small sample are refined on all rows: the certificate is for all of them."""
    program = workload(6000, 5)
    streamed = solve_stream(cut(program, 500), program.funds, tolerance=1e-6, sample_rows=300)
    assert streamed.converged
    assert streamed.gap <= 1e-6
    np.testing.assert_allclose(streamed.price, solve(program, tolerance=1e-6).price, rtol=2e-3)


def test_few_passes_and_never_more_than_a_chunk() -> None:
    """About a dozen passes, each asking for one chunk after the other; earlier prices take the sample's place."""
    program = workload(5000, 5)
    passes = []

    def chunks() -> Iterator[Program]:
        passes.append(0)
        for part in cut(program, 1000)():
            passes[-1] += 1
            yield part

    first = solve_stream(chunks, program.funds, sample_rows=500)
    assert len(passes) <= 25
    assert set(passes) == {5}
    again = solve_stream(chunks, program.funds, start=first.price)
    assert again.converged
    assert again.bound == pytest.approx(first.bound, rel=2e-4)


def test_chunks_that_cannot_be_are_refused() -> None:
    """No queries, a used-up iterator, a chunk with other funds: one clear error each."""
    program = workload(40, 3)
    with pytest.raises(InputError, match="no queries"):
        solve_stream(lambda: iter(()), program.funds)
    used_up = cut(program, 10)()
    with pytest.raises(InputError, match="gave 0 queries, the first gave 40"):
        solve_stream(lambda: used_up, program.funds)
    richer = program.funds.with_budget(program.funds.budget * 2)
    with pytest.raises(InputError, match="chunk 0: the chunk has other funds"):
        solve_stream(cut(program, 10), richer)
