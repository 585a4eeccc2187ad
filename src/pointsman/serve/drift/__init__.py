"""The drift watch at work: what was estimated against what came (`watch`), when it is looked at (`drifting`), what was
found (`alarms`), and what follows (`aftermath`, `forgetting`). The detectors themselves are `estimate.drift`.
"""
