"""Probes: prompts whose answers can be graded, to get to know a model by. The suite shipped here, and a user's own."""

from pointsman.pool.probes.counting import SkillCount, describe, table
from pointsman.pool.probes.file import read_probes, write_probes
from pointsman.pool.probes.probe import DIFFICULTIES, Difficulty, Probe
from pointsman.pool.probes.spread import spread_probes
from pointsman.pool.probes.suite import suite

__all__ = [
    "DIFFICULTIES",
    "Difficulty",
    "Probe",
    "SkillCount",
    "describe",
    "read_probes",
    "spread_probes",
    "suite",
    "table",
    "write_probes",
]
