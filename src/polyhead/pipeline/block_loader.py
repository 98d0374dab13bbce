"""Loads the blocks of epochs in order, in the calling thread or ahead in other threads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from polyhead.order import Order
from polyhead.pipeline.assembler import Assembler
from polyhead.pipeline.batch import Block
from polyhead.pipeline.prefetch import prefetch
from polyhead.pipeline.thread_tuning import Threads
from polyhead.profiling import Meter

MOST_THREADS = 4
"""The most threads that ``workers="auto"`` takes."""


class Blocks:
    """Loads the blocks of epochs.

    Args:
        workers: the number of threads, at least 0, or ``"auto"``; sequential sources get one at most.

    Attributes:
        workers: the largest number of threads.
        check: whether values are checked; they are until every row was checked once.
    """

    def __init__(self, assembler: Assembler, batch_size: int, workers: int | str) -> None:
        self._assembler, self._sequential = assembler, assembler.source.sequential
        self._steps = assembler.steps_per_block(batch_size)
        most = min(MOST_THREADS, os.cpu_count() or 1) if isinstance(workers, str) else workers
        self.workers = min(most, 1) if self._sequential else most
        # training, evaluation and prediction consume batches at different speeds
        self._threads: dict[tuple[bool, bool], Threads] | None = (
            {} if workers == "auto" and assembler.in_memory else None
        )
        self.check = True

    def of(
        self,
        order: Order,
        epoch: int,
        first: int = 0,
        *,
        epochs: int | None = 1,
        stop: int | None = None,
        labels: bool = True,
        augment: bool = True,
        meter: Meter | None = None,
        workers: int | None = None,
        most: int | None = None,
    ) -> Iterator[Block]:
        """Yield the blocks of one or several epochs; threads begin the next epoch while the last one is being consumed.

        No block has batches of two epochs.

        Args:
            first: the step at which the first epoch begins.
            epochs: the number of epochs, None for no end. A sequential source is not restarted before its rows end.
            stop: the step before which each epoch ends; by default it ends after its last step.
            labels: False leaves labels and weights out.
            augment: False leaves augmentations out.
            meter: measures the time of each stage.
            workers: the number of threads, instead of the chosen one.
            most: the most steps of a block.
        """
        steps = min(self._steps, most or len(order))
        last = len(order) if stop is None else stop
        numbers = itertools.count(epoch) if epochs is None else range(epoch, epoch + epochs)

        def work(task: tuple[int, int]) -> Block:
            number, start = task
            return self._assembler.block(
                order,
                number,
                start,
                min(steps, last - start),
                check=self.check,
                labels=labels,
                augment=augment,
                meter=meter,
            )

        def tasks(numbers: Iterator[int]) -> Iterator[tuple[int, int]]:
            return ((n, start) for n in numbers for start in range(first if n == epoch else 0, last, steps))

        chosen: int | Threads = self.workers if workers is None else workers
        if workers is None and self._threads is not None:
            chosen = self._threads.setdefault((labels, augment), Threads(self.workers))

        def blocks(numbers: Iterator[int]) -> Iterator[Block]:
            return prefetch(work, tasks(numbers), workers=chosen)

        if self._sequential:
            return itertools.chain.from_iterable(blocks(iter((number,))) for number in numbers)
        return blocks(iter(numbers))
