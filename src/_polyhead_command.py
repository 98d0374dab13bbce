"""The command ``polyhead``, which Ctrl-C ends without a traceback even while it is still being imported.

It lies outside of the package, whose import is what takes the time.
"""

import os
import signal
from typing import Any


def _leave(*_: Any) -> None:
    os._exit(
        130
    )  # at once: there is nothing to clean up yet, and an exception could be lost in somebody's import


def main() -> None:
    """Run the command ``polyhead``."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:  # not in the background of a shell, which ignores Ctrl-C
        signal.signal(signal.SIGINT, _leave)
    from polyhead.cli import main as run

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
