"""Which part of the rows is this process's."""

from __future__ import annotations

import sys


def this_shard() -> tuple[int, int]:
    """This process's rank and the number of processes, of a framework that is loaded and set up."""
    torch = sys.modules.get("torch.distributed")
    if torch is not None and torch.is_available() and torch.is_initialized():
        return torch.get_rank(), torch.get_world_size()
    jax = sys.modules.get("jax")
    distributed = getattr(jax, "distributed", None)
    if jax is not None and getattr(distributed, "is_initialized", lambda: False)():
        return jax.process_index(), jax.process_count()
    return 0, 1
