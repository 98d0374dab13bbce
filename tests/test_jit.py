"""Loops that are made ready in the background."""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from polyhead import jit
from polyhead.jit import Loop, spent, wait_until_compiled


def double(values, out):
    for i in range(len(values)):
        out[i] = 2 * values[i]


def unknown(values):
    return values.no_such_thing()


def test_nobody_waits_and_then_it_is_there():
    loop = Loop(double, np.zeros(1), np.zeros(1))
    first = loop.ready
    assert first is None  # it has not waited: what it would have waited for is a compiled loop
    compiled = loop.wait()
    assert loop.ready is compiled
    out = np.zeros(3)
    compiled(np.arange(3.0), out)
    assert out.tolist() == [0, 2, 4]


def test_compiling_begins_once_as_much_was_spent_as_it_takes(monkeypatch):
    monkeypatch.setattr(jit, "_SPENT", 0.0)
    loop = Loop(double, np.zeros(1), np.zeros(1))
    for seconds in (0.0, 0.9 * jit.PAYS):
        spent(seconds)
        assert loop.ready is None
        jit.wait_for_compiler()
    assert loop.ready is None  # asked for twice, and nobody began
    spent(0.2 * jit.PAYS)
    jit.wait_for_compiler()
    assert loop.ready is not None
    other = Loop(double, np.zeros(1), np.zeros(1))
    assert other.ready is None  # asked for now, and begun at once
    jit.wait_for_compiler()
    assert other.ready is not None


def test_compiling_begins_where_nobody_draws_batches(monkeypatch):
    started = []

    class Timer:
        def __init__(self, seconds, work, arguments):
            self.ring = lambda: work(*arguments)
            started.append((seconds, self))

        def start(self):
            pass

    monkeypatch.setattr(jit.threading, "Timer", Timer)
    monkeypatch.setattr(jit, "IDLE", 0.25)
    monkeypatch.setattr(jit, "_SPENT", 0.0)
    busy = Loop(double, np.zeros(1), np.zeros(1))
    assert busy.ready is None
    spent(0.01)  # a batch was made without it
    started[0][1].ring()
    jit.wait_for_compiler()
    assert busy.ready is None
    idle = Loop(double, np.zeros(1), np.zeros(1))
    assert idle.ready is None
    assert [seconds for seconds, _ in started] == [0.25, 0.25]
    started[1][1].ring()
    jit.wait_for_compiler()
    assert idle.ready is not None
    assert busy.ready is not None  # what waited is compiled with it


def test_a_loop_that_cannot_be_compiled_is_never_ready():
    loop = Loop(unknown, np.zeros(1))
    assert loop.ready is None
    with pytest.raises(RuntimeError, match="numba could not compile unknown"):
        loop.wait()
    assert loop.ready is None


def test_many_may_ask_at_once():
    loops = [Loop(double, np.zeros(1), np.zeros(1)) for _ in range(3)]
    threads = [threading.Thread(target=loop.wait) for loop in loops for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert all(loop.ready is not None for loop in loops)


def test_a_program_may_end_while_a_loop_is_compiled():
    program = (
        "from polyhead import jit\n"
        "from polyhead.order.permutation import permute\n"
        "import numpy as np\n"
        "jit.PAYS = 0\n"
        "assert sorted(permute(np.arange(70000), 70000, 3).tolist()) == list(range(70000))\n"
        "assert jit._THREAD\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, b"")


def test_who_measures_waits_for_what_is_being_compiled():
    loop = Loop(lambda a: a.sum(), np.ones(3))
    assert loop.ready is None
    wait_until_compiled()
    assert loop.ready is not None
    wait_until_compiled()  # nothing to wait for


def test_a_warning_is_not_lost_while_a_loop_is_compiled():
    from polyhead import PolyheadWarning
    from polyhead.errors import Problem, warn

    compiling, warns = threading.Event(), threading.Event()

    class Slow(Loop):
        """Catches warnings, as numba does, until the other thread wants to warn."""

        def _compile(self):
            with warnings.catch_warnings(record=True):
                compiling.set()
                assert warns.wait(240)

    def warn_while_it_compiles():
        assert Slow(double, np.zeros(1), np.zeros(1)).ready is None
        jit._compile_requested()
        assert compiling.wait(240)
        warns.set()
        warn(Problem("place", "a thing", "another of its own", warning=True))
        wait_until_compiled()

    with pytest.warns(PolyheadWarning, match="of its own"):
        warn_while_it_compiles()
