"""A pool of real models on one machine, small enough for a laptop; see docs/local_pool.md."""
