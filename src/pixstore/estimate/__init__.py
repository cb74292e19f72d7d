"""What a store will take, in bytes and in time, before it is made."""

from pixstore.estimate.sizes import Sizes, predict
from pixstore.estimate.trial import Estimate, estimate

__all__ = ["Estimate", "Sizes", "estimate", "predict"]
