"""The locked-down child process in which a model's code, queries and slow patterns run. Standard library alone.

`warden` starts the workers and ends them; `locks` takes their rights away; `code`, `sql` and `pattern` are the jobs,
and `tester` the process of a code's tests; `channel`, `values` and `proxies` carry plain values between the two.
Nothing here imports anything of the package but its neighbours: `start` gives them their names in a bare interpreter.
"""
