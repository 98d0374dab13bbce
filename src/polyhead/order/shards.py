"""Determines which part of the rows this process reads."""

from __future__ import annotations

import sys
from typing import Any

from polyhead.errors import ContractError, Problem, as_list, is_integer, shown, similar


def checked_shard(shard: Any) -> tuple[int, int] | str:
    """Validate the ``shard=`` argument; return it as ``(rank, count)`` or ``"auto"``.

    Raises:
        ContractError: for anything else.

    >>> checked_shard([1, 2])
    (1, 2)
    """
    if isinstance(shard, str) and shard == "auto":
        return shard
    pair = as_list(shard) or []
    if len(pair) != 2 or not all(map(is_integer, pair)) or not 0 <= pair[0] < pair[1]:
        expected = '"auto" or (rank, count) with 0 <= rank < count'
        raise ContractError(Problem("Feed(shard=)", expected, shown(shard), similar(shard, ("auto",))))
    return int(pair[0]), int(pair[1])


def this_shard() -> tuple[int, int]:
    """The rank of this process and the number of processes, from torch or JAX if initialized; else ``(0, 1)``."""
    torch = sys.modules.get("torch.distributed")
    if torch is not None and torch.is_available() and torch.is_initialized():
        return torch.get_rank(), torch.get_world_size()
    jax = sys.modules.get("jax")
    distributed = getattr(jax, "distributed", None)
    if jax is not None and getattr(distributed, "is_initialized", lambda: False)():
        return jax.process_index(), jax.process_count()
    return 0, 1
