"""What tests of threads look at."""

import itertools
import threading
import time


class Clock:
    """A clock that moves only when somebody sleeps by it.

    It takes the place of ``time.perf_counter`` where what is decided from measured times is tested. Each thread of a
    feed has a time of its own, as each has a core; all others share one: where Keras draws batches in a thread, the
    steps of training wait for it.
    """

    def __init__(self):
        self._times = {}

    def __call__(self):
        return self._times.get(self._whose(), 0.0)

    def sleep(self, seconds):
        self._times[self._whose()] = self() + seconds

    def _whose(self):
        thread = threading.current_thread()
        return thread if thread.name.startswith("polyhead-") else None


class Unhurried:
    """A clock that moves by a millisecond when somebody looks at it, and otherwise where a test says so."""

    def __init__(self):
        self._looks, self.later = itertools.count(), 0.0

    def __call__(self):
        return next(self._looks) / 1000 + self.later


def threads():
    """The threads of feeds that are alive."""
    return [t for t in threading.enumerate() if t.name.startswith("polyhead-")]


def until(condition, seconds=240):
    """Wait until something holds; whether it does. The seconds only bound a test that fails."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()
