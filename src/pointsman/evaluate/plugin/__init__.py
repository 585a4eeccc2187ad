"""`bench plugin`: a replay under budgets in which one model joins, known by a handful of probes, and another leaves.

`plan` says what is run, `ground` and `newcomer` make what it needs, `ride` plays it chapter by chapter through the
same replay as `bench budget`, `run` makes the rows; `rows`, `summary`, `tables`, `pictures`, `export` and `report` are
what becomes of them.
"""
