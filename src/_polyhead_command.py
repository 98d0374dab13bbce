"""The command ``polyhead``, which Ctrl-C ends without a traceback even while it is still being imported.

It lies outside of the package, whose import is what takes the time.
"""

import os
import signal
import sys
from itertools import pairwise
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


def main() -> None:
    """Run the command ``polyhead``."""
    interruptible = _leaves_at_once()
    from polyhead.cli import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
