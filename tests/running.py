"""What tests of threads look at."""

import threading
import time


class Clock:
    """A clock that moves only when somebody sleeps by it; each thread has a time of its own, as each has a core.

    It takes the place of ``time.perf_counter`` where what is decided from measured times is tested.
    """

    def __init__(self):
        self._here = threading.local()

    def __call__(self):
        return getattr(self._here, "now", 0.0)

    def sleep(self, seconds):
        self._here.now = self() + seconds


def threads():
    """The threads of feeds that are alive."""
    return [t for t in threading.enumerate() if t.name.startswith("polyhead-")]


def until(condition, seconds=240):
    """Wait until something holds; whether it does. The seconds only bound a test that fails."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()
