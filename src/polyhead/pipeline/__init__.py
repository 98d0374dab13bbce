"""Makes batches from the rows of a source."""

from polyhead.pipeline.assembler import Assembler
from polyhead.pipeline.batch import Batch, Block
from polyhead.pipeline.block_loader import Blocks

__all__ = ["Assembler", "Batch", "Block", "Blocks"]
