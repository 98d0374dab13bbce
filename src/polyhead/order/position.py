"""Tracks the position of training, counted in batches over all epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def unknown_count() -> int | None:
    """Return None, for a count that is not known."""
    return None


@dataclass(eq=False)
class Pass:
    """Counts the batches of one iterator.

    Attributes:
        begun: the first batch.
        requested: returns the number of batches that training steps have requested so far; None if unknown. Keras may
            draw a batch or two ahead of the step that uses them. Batches of the user's own loop have no such function.
        trained: returns the number of optimizer steps since the current epoch of ``fit`` began; None if unknown.
        user_changes: the value of `Position.user_changes` when this pass began.
        drawn: the number of batches drawn.
        before_epoch: the number of batches used before the current epoch of ``fit``, or in all if none is in progress.
    """

    begun: int
    requested: Callable[[], int | None] | None
    trained: Callable[[], int | None]
    user_changes: int
    drawn: int = 0
    before_epoch: int = 0
    _most_requested: int | None = None

    def look(self) -> None:
        """Record how many batches have been requested."""
        requested = None if self.requested is None else self.requested()
        if requested is not None:
            self._most_requested = max(self._most_requested or 0, requested)

    @property
    def used(self) -> int:
        """The number of batches passed to training steps."""
        self.look()
        return self.drawn if self._most_requested is None else min(self.drawn, self._most_requested)

    @property
    def lost(self) -> bool:
        """True if the run was interrupted in the step of its last batch, which was used but not trained on."""
        count = self.used - self.before_epoch
        return count > 0 and self.trained() == count - 1

    def begin_epoch(self, trained: Callable[[], int | None]) -> None:
        """Record that an epoch of ``fit`` begins in this pass."""
        self.before_epoch, self.trained = self.used, trained


class Position:
    """Counts the batches of training over all epochs.

    ``fit`` continues with the batch after the last one that it trained on. If the user's own loop stops within an
    epoch, ``at`` shows it, but the next pass restarts that epoch, as the user may only have inspected some batches.

    Attributes:
        fresh: whether nothing has been trained yet and the user has not set a position.
        set_by_user: whether the user set the position and nothing has been trained since.
        user_changes: the number of times the user set the position.

    >>> position = Position(steps=4)
    >>> position.set_epoch(epoch=1, step=3)
    >>> position.draw(position.begin())
    >>> position.at, position.epoch, position.step
    (8, 2, 0)
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.fresh, self.set_by_user, self.user_changes = True, False, 0
        self._start = self._at = 0
        self._pass: Pass | None = None

    @property
    def at(self) -> int:
        """The next batch, counted over all epochs."""
        return self._at if self._pass is None else self._pass.begun + self._pass.used

    @property
    def start(self) -> int:
        """The first batch of the next pass."""
        return self._start if self._pass is None else self.at

    @property
    def epoch(self) -> int:
        """The current epoch, or the next one if the position is between two epochs."""
        return self.at // self.steps

    @property
    def step(self) -> int:
        """The next batch within that epoch."""
        return self.at % self.steps

    def set_epoch(self, epoch: int, step: int = 0) -> None:
        """Set the position on behalf of the user; this ends a pass in progress."""
        self.set_to(epoch * self.steps + step)
        self.fresh, self.set_by_user = False, True
        self.user_changes += 1

    def set_to(self, at: int) -> None:
        """Set the position to a known batch; this ends a pass in progress."""
        self._start = self._at = at
        self._pass = None

    def moved_since(self, current: Pass) -> bool:
        """Return whether the user has set the position since a pass began."""
        return current.user_changes != self.user_changes

    def begin(
        self,
        requested: Callable[[], int | None] | None = None,
        trained: Callable[[], int | None] = unknown_count,
    ) -> Pass:
        """Begin a pass, of the user's own loop without arguments; see `Pass`."""
        return Pass(self.start, requested, trained, self.user_changes)

    def draw(self, current: Pass) -> None:
        """Record that a batch of a pass was drawn."""
        current.drawn += 1
        current.look()
        if self.moved_since(current):
            return
        if current.requested is not None:
            self._pass, self.fresh, self.set_by_user = current, False, False
            return
        self._start, self._pass, self._at = self.start, None, current.begun + current.drawn
        if self._at % self.steps == 0:
            self._start, self.fresh, self.set_by_user = self._at, False, False

    def end(self, current: Pass, last: bool) -> None:
        """Record the end of an epoch of ``fit``; after the ``last`` one of a pass, all drawn batches count as used."""
        if last and self._pass is current:
            self.set_to(current.begun + current.drawn)
        current.before_epoch = current.used

    def finish_last_run(self) -> None:
        """Before a new run, count all batches of the last one as trained on, except one whose step was interrupted."""
        if self._pass is not None:
            self.set_to(self.at - self._pass.lost)
