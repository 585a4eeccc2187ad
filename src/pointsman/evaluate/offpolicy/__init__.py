"""What a policy would have been worth, from a log in which another one chose: estimates, intervals, what is unknown.

`estimators` weighs recorded outcomes by the probability with which they came about (inverse propensity), fills the
others in with a model (direct method), or both (doubly robust); `intervals` resamples queries. Takes arrays, gives
numbers. Plays no policy: which model it would have chosen is told.
"""

from pointsman.evaluate.offpolicy.estimators import Judged, Knowledge, OffPolicy, known_of, value_of
from pointsman.evaluate.offpolicy.intervals import Estimate, resampled

__all__ = ["Estimate", "Judged", "Knowledge", "OffPolicy", "known_of", "resampled", "value_of"]
