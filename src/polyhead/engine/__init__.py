"""From rows to batches."""

from polyhead.engine.assembler import Assembler
from polyhead.engine.batch import Batch, Block
from polyhead.engine.prefetch import measured, prefetch

__all__ = ["Assembler", "Batch", "Block", "measured", "prefetch"]
