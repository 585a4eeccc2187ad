"""The demo: a real gateway in front of simulated (or small local) models, real clients, and a story that unfolds.

Takes a few options of the command line; runs processes, prints, and gives what came of it. The gateway, its ledger, its
estimators, the onboarding and the clients are the real ones; the models are simulated, and every answer says so. It
refuses to stand for a benchmark: no figure on it says how a policy does on real traffic (docs/demo.md).
"""
