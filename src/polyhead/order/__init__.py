"""The order of rows in batches and epochs."""

from polyhead.order.epochs import Order
from polyhead.order.permutation import permute

__all__ = ["Order", "permute"]
