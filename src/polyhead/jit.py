"""Compiles loops with numba in the background, and runs other work in the same thread.

Loading numba takes a second, during most of which it holds the GIL. So callers request a loop, use NumPy until it is
ready, and report how long that took: once it took as long as numba does, compiling pays off. If no batches are drawn
meanwhile, as while a model is built, compiling starts soon. Both must give the same numbers, to the last bit.
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
"""Seconds that a program waits at exit for a loop that is being compiled."""

PAYS = 1.0
"""Requested loops are compiled once this many seconds were spent on their work without them."""

IDLE: float | None = 0.25
"""Seconds after which requested loops are compiled if no time was spent on their work meanwhile; None for never."""

_LOCK = threading.Lock()
_REQUESTED: list[Callable[[], None]] = []
"""Functions that compile the requested loops that have not been started."""

_SPENT = 0.0
_QUEUE: list[Callable[[], None]] = []
_THREAD: threading.Thread | None = None


class Loop:
    """A function of arrays that is compiled in the background once it was requested and compiling pays off.

    Args:
        function: plain Python over arrays and numbers, as numba supports it; or ``"module:name"`` if the module itself
            needs numba.
        example: arguments of the types that it will get; it is called with them once.
        **options: options of ``numba.njit``, besides ``nogil`` and ``cache``.

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
        self._requested = False
        self._done = threading.Event()
        self._compiled: Callable[..., Any] | None = None

    @property
    def ready(self) -> Callable[..., Any] | None:
        """The compiled function, or None until it is ready; requests compilation."""
        if not self._requested:
            self._request()
        return self._compiled

    @property
    def compiled(self) -> Callable[..., Any] | None:
        """The compiled function, or None until it is ready; does not request compilation."""
        return self._compiled

    def wait(self) -> Callable[..., Any]:
        """Wait for the compiled function, and return it.

        Raises:
            RuntimeError: numba could not be imported, or could not compile it.
        """
        self._request()
        _compile_requested()
        self._done.wait()
        if self._compiled is None:
            raise RuntimeError(
                f"numba could not compile {getattr(self._function, '__name__', self._function)}"
            )
        return self._compiled

    def _request(self) -> None:
        with _LOCK:
            before, self._requested = self._requested, True
            if before:
                return
            _REQUESTED.append(self._try_to_compile)
        if _SPENT >= PAYS:
            _compile_requested()
        elif IDLE is not None:
            timer = threading.Timer(IDLE, _compile_if_idle, (_SPENT,))
            timer.daemon = True
            timer.start()

    def _try_to_compile(self) -> None:
        # numba catches warnings while it compiles, including those of other threads
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
        except RuntimeError:  # no folder to write a cache to
            compiled = numba.njit(function, nogil=True, **self._options)
        compiled(*self._example)
        self._compiled = compiled


def spent(seconds: float) -> None:
    """Report seconds spent on the work of a loop that is not ready."""
    global _SPENT
    _SPENT += seconds  # two threads at once may lose a little
    if _SPENT >= PAYS and _REQUESTED:
        _compile_requested()


def _compile_if_idle(before: float) -> None:
    """Compile the requested loops, unless more than ``before`` has been spent by now."""
    if before == _SPENT:
        _compile_requested()


def _compile_requested() -> None:
    """Compile the requested loops."""
    with _LOCK:
        requested = _REQUESTED.copy()
        _REQUESTED.clear()
    for compile_loop in requested:
        do_later(compile_loop)


def do_later(work: Callable[[], None]) -> None:
    """Run something in the compiling thread, after the work that is queued; it must not raise."""
    global _THREAD
    with _LOCK:
        _QUEUE.append(work)
        if _THREAD is None:
            _THREAD = threading.Thread(target=_work_off_queue, name="polyhead-compile", daemon=True)
            _THREAD.start()


def wait_until_compiled() -> None:
    """Compile the requested loops and wait, so that compiling does not distort measurements that follow."""
    _compile_requested()
    wait_for_compiler()


def wait_for_compiler() -> None:
    """Wait for the compiling thread to finish."""
    with _LOCK:
        thread = _THREAD
    if thread is not None:
        thread.join()


@atexit.register
def _finish_compiling() -> None:
    """Let the loop that is being compiled finish: a process must not end while its compiler runs."""
    with _LOCK:
        _REQUESTED.clear()
        _QUEUE.clear()
        thread = _THREAD
    if thread is not None:
        thread.join(timeout=FINISH)


def _work_off_queue() -> None:
    global _THREAD
    while True:
        with _LOCK:
            if not _QUEUE:
                _THREAD = None
                return
            work = _QUEUE.pop(0)
        work()
