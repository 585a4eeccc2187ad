"""The UniRoute paper's experiment: routing to models that nobody trained on, method against method.

`protocol` parts prompts and models, `methods` says what each model of the pool is expected to score, `curve` judges it,
`run` does that for many trials in parallel, `rows` keeps the results, `summary`, `tables` and `export` tell
them; `roster` says what the methods are called and what they are. Measures a router that has a price on money and no
budget; budgets are `evaluate.bench` and `evaluate.plugin`.
"""
