"""Outcome data from elsewhere: published sets, foreign tables, and what is in a folder.

`catalog` says what is published where, `rates` what a token cost, `fetch` downloads and verifies, `sources` turns
each published form into the outcome folder of `pointsman.outcomes`, `importers` does the same for a table of the
reader's own, `describe` measures a folder. `restricted_pickle` reads the one source that is a pickle without running
it. Nothing here routes, estimates or judges.
"""
