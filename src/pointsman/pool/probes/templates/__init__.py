"""Templates of probes: pure functions from a random generator and a language to a draft, a module for each skill."""
