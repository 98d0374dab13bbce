"""The command ``polyhead``, which Ctrl-C ends without a traceback even while it is still being imported.

It lies outside of the package, whose import is what takes the time.
"""

import _thread
import os
import signal
import sys
import threading
import time
import traceback
from itertools import pairwise
from types import FrameType
from typing import Any


def _leave(*_: Any) -> None:
    os._exit(
        130
    )  # at once: there is nothing to clean up yet, and an exception could be lost in somebody's import


def _leaves_at_once() -> bool:
    """Make Ctrl-C end the process at once, unless a shell ignores it, as in the background; return whether it does."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    return signal.getsignal(signal.SIGINT) is _leave


def guard_module() -> None:
    """Make Ctrl-C end ``python -m polyhead`` at once, which imports the package before it runs `main`."""
    if ("-m", "polyhead") in pairwise(sys.orig_argv):
        _leaves_at_once()


def _interrupt_again(lost: Any) -> None:
    """Repeat a Ctrl-C that was lost in a destructor, or in a callback of garbage collection, as JAX has one."""
    if lost.exc_type is not KeyboardInterrupt or not hasattr(signal, "pthread_kill"):
        return sys.__unraisablehook__(lost)
    signal.signal(signal.SIGINT, _interrupt)
    _thread.start_new_thread(_repeat_interrupt, ())


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise a KeyboardInterrupt, except in `_interrupt_again`, where it would be lost again."""
    if all(one.f_code is not _interrupt_again.__code__ for one, _ in traceback.walk_stack(frame)):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt


def _repeat_interrupt() -> None:
    """Interrupt the main thread until it takes notice: a signal just before a call that waits does not end the call."""
    while signal.getsignal(signal.SIGINT) is _interrupt:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(0.01)


def main() -> None:
    """Run the command ``polyhead``."""
    sys.unraisablehook = _interrupt_again
    interruptible = _leaves_at_once()
    from polyhead.cli import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
