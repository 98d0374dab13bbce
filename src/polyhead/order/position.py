"""The position of training among the batches of all epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def unknown_count() -> int | None:
    """A count that is not known."""
    return None


@dataclass(eq=False)
class Pass:
    """Counts the batches of one iterator.

    Attributes:
        begun: the batch that it began with.
        asked: counts those that training steps have asked for so far; None if unknown. Keras may draw a batch or two
            before its step asks for them.
        by_hand: drawn in a loop of the user's own rather than by ``fit``.
        moves: of the position, when this began.
        drawn: how many were drawn.
        ended: how many were used when the last epoch of ``fit`` ended.
        base: how many were used when the epoch of ``fit`` that is under way began.
        trained: counts the steps that the optimizer has taken since then; None if unknown.
    """

    begun: int
    asked: Callable[[], int | None]
    by_hand: bool
    moves: int
    drawn: int = 0
    ended: int | None = None
    base: int = 0
    trained: Callable[[], int | None] = unknown_count
    _seen: int | None = None

    def look(self) -> None:
        """Note how many were asked for."""
        asked = self.asked()
        if asked is not None:
            self._seen = max(self._seen or 0, asked)

    @property
    def used(self) -> int:
        """The number that were handed to a training step."""
        self.look()
        return self.drawn if self._seen is None else min(self.drawn, self._seen)

    @property
    def lost(self) -> bool:
        """Whether the run broke off in the step of its last batch, so that this was used but not trained on."""
        count = self.used - self.base
        return count > 0 and self.ended != self.used and self.trained() == count - 1


class Position:
    """Counts the batches of training, of all epochs one after the other.

    ``fit`` continues with the batch after the last one that it trained on. A loop of the user's own that ends within
    an epoch shows in ``at``, but the next pass starts that epoch again: the user may only have had a look.

    Args:
        steps: batches in an epoch.

    Attributes:
        fresh: nothing was trained yet, and the user set no position.
        said: the user set the position, and nothing was trained since.
        moves: how often the user did so.

    >>> position = Position(steps=4)
    >>> position.go(epoch=1, step=3)
    >>> one = position.begin()
    >>> position.draw(one)
    >>> position.at, position.epoch, position.step
    (8, 2, 0)
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.fresh, self.said, self.moves = True, False, 0
        self._start = self._at = 0
        self._pass: Pass | None = None

    @property
    def at(self) -> int:
        """The batch that comes next, counted over all epochs."""
        return self._at if self._pass is None else self._pass.begun + self._pass.used

    @property
    def start(self) -> int:
        """The batch with which the next pass begins."""
        return self._start if self._pass is None else self.at

    @property
    def epoch(self) -> int:
        """The epoch that comes next, or is under way."""
        return self.at // self.steps

    @property
    def step(self) -> int:
        """The batch of that epoch that comes next."""
        return self.at % self.steps

    def go(self, epoch: int, step: int = 0) -> None:
        """Set the position, for the user; a pass in progress ends first."""
        self.place(epoch * self.steps + step)
        self.fresh, self.said = False, True
        self.moves += 1

    def place(self, at: int) -> None:
        """Set the position, as it was found out."""
        self._start = self._at = at
        self._pass = None

    def begin(self, asked: Callable[[], int | None] = unknown_count, *, by_hand: bool = False) -> Pass:
        """Begin a pass; see `Pass`."""
        return Pass(self.start, asked, by_hand, self.moves)

    def draw(self, one: Pass) -> None:
        """A batch of a pass was drawn."""
        one.drawn += 1
        one.look()
        if one.moves != self.moves:
            return
        if not one.by_hand:
            self._pass, self.fresh, self.said = one, False, False
            return
        self._start, self._pass, self._at = self.start, None, one.begun + one.drawn
        if self._at % self.steps == 0:
            self._start, self.fresh, self.said = self._at, False, False

    def end(self, one: Pass, last: bool) -> None:
        """An epoch of ``fit`` has ended, all that it had drawn was used where it was the ``last`` of its pass."""
        if last and self._pass is one:
            self.place(one.begun + one.drawn)
        one.ended = one.used

    def settle(self) -> None:
        """Begin a new run: all batches of the last one count as trained on, except one in whose step it broke off."""
        if self._pass is not None:
            self.place(self.at - self._pass.lost)
