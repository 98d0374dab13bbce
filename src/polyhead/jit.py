"""Loops that numba compiles in the background, and other work beside the first steps.

Getting numba ready takes a second, for most of which it holds Python's lock. So callers ask for a loop, use NumPy
until it is ready, and say how long that took: once it took as long as numba does, compiling pays. Where nobody draws
batches yet, as while a model is built, it begins at once. Both must give the same numbers, to the last bit.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import threading
from collections.abc import Callable
from typing import Any

from polyhead.errors import WARNINGS

FINISH = 5.0
"""Seconds that a program waits at its end for a loop that is being compiled."""

PAYS = 1.0
"""Seconds spent on what loops would do, from which on those that were asked for are compiled."""

IDLE: float | None = 0.25
"""Seconds after which loops that were asked for are compiled if nothing was spent meanwhile; None for never."""

_LOCK = threading.Lock()
_ASKED: list[Callable[[], None]] = []
"""Compile what was asked for, and not begun."""

_SPENT = 0.0
_WAITING: list[Callable[[], None]] = []
_THREAD: threading.Thread | None = None


class Loop:
    """A function of arrays that is compiled in the background once it was asked for, and compiling pays.

    Args:
        function: plain Python over arrays and numbers, as numba takes it; or ``"module:name"``, where the module
            itself needs numba.
        example: arguments of the types that it will get; it is called with them once.
        **options: of ``numba.njit``, beside ``nogil`` and ``cache``.

    >>> import numpy as np
    >>> def total(a):
    ...     s = 0.0
    ...     for x in a:
    ...         s += x
    ...     return s
    >>> Loop(total, np.ones(3)).wait()(np.arange(4.0))
    6.0
    """

    def __init__(self, function: Callable[..., Any] | str, *example: Any, **options: Any) -> None:
        self._function, self._example, self._options = function, example, options
        self._asked = False
        self._done = threading.Event()
        self._compiled: Callable[..., Any] | None = None

    @property
    def ready(self) -> Callable[..., Any] | None:
        """The compiled function; None until it is ready."""
        if not self._asked:
            self._ask()
        return self._compiled

    @property
    def there(self) -> Callable[..., Any] | None:
        """The compiled function where it is ready; it is not asked for."""
        return self._compiled

    def wait(self) -> Callable[..., Any]:
        """The compiled function; waits for it.

        Raises:
            RuntimeError: numba could not be imported, or could not compile it.
        """
        if not self._asked:
            self._ask()
        _begin()
        self._done.wait()
        if self._compiled is None:
            raise RuntimeError(
                f"numba could not compile {getattr(self._function, '__name__', self._function)}"
            )
        return self._compiled

    def _ask(self) -> None:
        with _LOCK:
            asked, self._asked = self._asked, True
            if not asked:
                _ASKED.append(self._try_to_compile)
        if _SPENT >= PAYS:
            _begin()
        elif not asked and IDLE is not None:
            timer = threading.Timer(IDLE, _begin_if_idle, (_SPENT,))
            timer.daemon = True
            timer.start()

    def _try_to_compile(self) -> None:
        # numba catches warnings while it compiles, and so those that other threads give
        with contextlib.suppress(Exception), WARNINGS:  # on an error the caller keeps using NumPy
            self._compile()
        self._done.set()

    def _compile(self) -> None:
        import numba

        function = self._function
        if isinstance(function, str):
            module, _, name = function.partition(":")
            function = getattr(importlib.import_module(module), name)
        try:
            compiled = numba.njit(function, nogil=True, cache=True, **self._options)
        except RuntimeError:  # no folder that a cache could be written to
            compiled = numba.njit(function, nogil=True, **self._options)
        compiled(*self._example)
        self._compiled = compiled


def spent(seconds: float) -> None:
    """Seconds were spent on what a loop would do that is not ready."""
    global _SPENT
    _SPENT += seconds  # two threads at once may lose a little
    if _SPENT >= PAYS and _ASKED:
        _begin()


def _begin_if_idle(before: float) -> None:
    """Compile what was asked for, unless more than ``before`` was spent by now."""
    if before == _SPENT:
        _begin()


def _begin() -> None:
    """Compile what was asked for."""
    with _LOCK:
        asked = _ASKED.copy()
        _ASKED.clear()
    for compile_it in asked:
        do_later(compile_it)


def do_later(work: Callable[[], None]) -> None:
    """Do something in the thread that compiles, after what waits there; it must not raise."""
    global _THREAD
    with _LOCK:
        _WAITING.append(work)
        if _THREAD is None:
            _THREAD = threading.Thread(target=_do_what_waits, name="polyhead-compile", daemon=True)
            _THREAD.start()


def wait_until_compiled() -> None:
    """Compile what was asked for, and wait for it, so that it is not measured with what comes after."""
    _begin()
    wait_for_compiler()


def wait_for_compiler() -> None:
    """Wait for what is being compiled."""
    with _LOCK:
        thread = _THREAD
    if thread is not None:
        thread.join()


@atexit.register
def _finish_compiling() -> None:
    """Let the loop that is being compiled finish: a process must not end while its compiler runs."""
    with _LOCK:
        _ASKED.clear()
        _WAITING.clear()
        thread = _THREAD
    if thread is not None:
        thread.join(timeout=FINISH)


def _do_what_waits() -> None:
    global _THREAD
    while True:
        with _LOCK:
            if not _WAITING:
                _THREAD = None
                return
            work = _WAITING.pop(0)
        work()
