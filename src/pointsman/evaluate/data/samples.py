"""Sample data that ships with the package: real outcomes of real models on our own probes, no download.

Gives `local_pool()`: what eight small models on one machine made of some hundred probes of the suite, and how that was
done is in docs/local_pool.md. It is read like any outcome folder. It refuses to stand for models that anybody would
use: they are small enough for a laptop, and wrong most of the time.
"""

from __future__ import annotations

from pathlib import Path

from pointsman.outcomes import read
from pointsman.records import Outcomes

LOCAL_POOL_FOLDER = Path(__file__).parent / "local_pool"


def local_pool() -> Outcomes:
    """The outcomes, NaN where a model gave no answer or no grader could tell."""
    return read(LOCAL_POOL_FOLDER)
