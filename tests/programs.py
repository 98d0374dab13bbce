"""Programs of tests that use Keras in a process of their own.

Such a process is forked from one that has imported Keras and done nothing else: importing it takes most of the time of
a short program. It is the process of a program whose first line is ``import keras``.
"""

import atexit
import multiprocessing
import os
import sys
import tempfile
import traceback
import types
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["keras"])


class Program:
    """A program that runs.

    Args:
        code: its text.
        *arguments: those of its command line.
        folder: its working directory; that of this process by default.
        **environment: variables that it gets beside those of this process.
    """

    def __init__(self, code, *arguments, folder=".", **environment):
        self._printed = tempfile.TemporaryDirectory()
        paths = [str(Path(self._printed.name, name)) for name in ("out", "err")]
        settings = {**os.environ, **environment}
        self._process = _SERVER.Process(
            target=_run, args=(code, [str(one) for one in arguments], str(folder), settings, paths)
        )
        self._process.start()

    def output(self, seconds=250):
        """Wait for the program to end, and return its standard output.

        Raises:
            TimeoutError: it had not ended after as many seconds.
        """
        with self._printed as printed:
            self._process.join(seconds)
            if self._process.exitcode is None:
                self.kill()
                raise TimeoutError
            out, err = (Path(printed, name).read_text(encoding="utf-8") for name in ("out", "err"))
            assert self._process.exitcode == 0, err[-2000:]
            return out

    def kill(self):
        """End it, if it still runs."""
        self._process.kill()
        self._process.join()


def run(code, *arguments, folder=".", **environment):
    """Run a program and return its standard output; see `Program` for the arguments."""
    return Program(code, *arguments, folder=folder, **environment).output()


def _run(code, arguments, folder, environment, paths):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    for path, stream in zip(paths, (sys.stdout, sys.stderr), strict=True):
        with open(path, "w", encoding="utf-8") as file:
            os.dup2(file.fileno(), stream.fileno())
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        exec(compile(code, "<string>", "exec"), main.__dict__)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # multiprocessing does not: JAX says goodbye to the other processes in one
        sys.stdout.flush()
        sys.stderr.flush()
