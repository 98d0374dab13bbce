"""From rows to batches."""

from polyhead.engine.assembler import Assembler
from polyhead.engine.batch import Batch, Block
from polyhead.engine.blocks import Blocks

__all__ = ["Assembler", "Batch", "Block", "Blocks"]
