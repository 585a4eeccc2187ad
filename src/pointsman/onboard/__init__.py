"""A new model, known in minutes: probes chosen, asked, graded, and what they say of it.

    choosing → run.onboard [ ask → grade → keep → store → stopping ] → profile

`run.onboard` is the whole of it with everything from outside handed in: who is asked (`asking.Ask`; `asking.Replaying`
is its twin in memory), how an answer is graded, where things are kept (`folder`), what routing the model would join
(`ground`). It speaks no HTTP, starts no process and prints nothing.
"""
