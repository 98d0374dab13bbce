"""What tests of threads look at."""

import threading
import time


def threads():
    """The threads of feeds that are alive."""
    return [t for t in threading.enumerate() if t.name.startswith("polyhead-")]


def until(condition, seconds=5):
    """Wait until something holds; whether it does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()
