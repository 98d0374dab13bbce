"""What all commands have in common: options, completion, errors, interrupts and pipes."""

import errno
import os
import signal
import subprocess
import sys
import warnings

import pytest
import typer
from typer.testing import CliRunner

import polyhead as ph
from polyhead.cli import app
from polyhead.cli.messages import show_warnings_plainly

COMMANDS = typer.main.get_command(app).commands


def options():
    """The names of each option of each command."""
    return [
        (command, tuple(sorted(one.opts, key=len)))
        for command, found in COMMANDS.items()
        for one in found.params
        if one.param_type_name == "option" and one.name != "help"
    ]


def test_an_option_has_the_same_names_everywhere():
    found = {}
    for command, names in options():
        for name in names:
            assert found.setdefault(name, names) == names, f"{command} {name}"
    assert found["-o"] == ("-o", "--output")


def test_warnings_are_printed_without_a_place_in_the_code(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", lambda *others: print("other", *others))
    show_warnings_plainly()
    warnings.showwarning(ph.PolyheadWarning("column `x`: odd."), ph.PolyheadWarning, "typer.py", 9)
    warnings.showwarning("old", DeprecationWarning, "own.py", 3)
    assert capsys.readouterr() == (
        f"other old {DeprecationWarning} own.py 3\n",
        "polyhead: warning: column `x`: odd.\n",
    )


def test_the_version_is_that_of_the_package():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"polyhead {ph.__version__}\n")


def run(*arguments, **more):
    environment = {**os.environ, **more.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "polyhead", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        **more,
    )


def test_bash_gets_a_completion():
    # the shell that is named, and not the one that runs the tests
    done = run("--show-completion", "bash", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert done.returncode == 0, done.stderr
    assert "complete -o default -F _polyhead_completion polyhead" in done.stdout
    words = run(env={"_POLYHEAD_COMPLETE": "complete_bash", "COMP_WORDS": "polyhead ex", "COMP_CWORD": "1"})
    assert "examine" in words.stdout.split()


def test_all_wrong_arguments_are_named_at_once(tmp_path):
    done = run("profile", tmp_path / "a.py:feed", "--model", tmp_path / "b.py:model")
    assert done.returncode == 2
    assert done.stderr == (
        f"polyhead: {tmp_path}/a.py: no such file.\npolyhead: {tmp_path}/b.py: no such file.\n"
    )
    (tmp_path / "a.py").write_text("rows = 1\n")
    done = run("profile", tmp_path / "a.py:feed", "--model", tmp_path / "a.py:model")
    assert done.stderr == (
        f"polyhead: {tmp_path}/a.py: it does not define `feed`. It defines rows.\n"
        f"polyhead: {tmp_path}/a.py: it does not define `model`. It defines rows.\n"
    )


def test_all_problems_of_a_file_are_named(tmp_path):
    (tmp_path / "train.py").write_text(
        "import polyhead as ph\n"
        "heads = {'a': ph.Binary(column='aa'), 'b': ph.Regression(column='bb')}\n"
        "feed = ph.Feed({'x': [1.0], 'a': [1], 'b': [2]}, inputs='x', heads=heads)\n"
    )
    for command in ("preview", "inspect"):
        done = run(command, f"{tmp_path / 'train.py'}:feed")
        assert done.returncode != 0
        assert "`aa`" in done.stderr
        assert "`bb`" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
def test_a_reader_that_goes_away_is_not_an_error_to_talk_about(tmp_path):
    code = "\n".join(f"c{i} = [{i}, 1]" for i in range(400))
    columns = ", ".join(f"'column{i}': c{i}" for i in range(400))
    (tmp_path / "data.py").write_text(f"{code}\nrows = {{{columns}}}\n")
    command = f"{sys.executable} -m polyhead inspect {tmp_path / 'data.py'}:rows | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / 'data.py'}:rows: 2 rows, 400 columns\n"
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_result_that_cannot_be_printed_ends_without_a_traceback(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,0\n2,1\n")
    command = f"{sys.executable} -m polyhead inspect {tmp_path / 'rows.csv'} > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    said = f"polyhead: the result cannot be printed: {os.strerror(errno.ENOSPC)}.\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_the_only_backend_is_taken(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    from polyhead.cli import keras_backend

    for there, taken in ((["torch"], "torch"), (["tensorflow"], None), (["jax", "torch"], None), ([], None)):
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        monkeypatch.setattr(keras_backend, "installed", there.__contains__)
        keras_backend.choose_backend()
        assert os.environ.get("KERAS_BACKEND") == taken
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setattr(keras_backend, "installed", ["torch"].__contains__)
    keras_backend.choose_backend()
    assert "KERAS_BACKEND" not in os.environ


def test_a_backend_that_is_missing_is_named(monkeypatch):
    from polyhead.cli import keras_backend

    def said(name):
        return keras_backend.without_backend(ModuleNotFoundError(f"No module named {name!r}", name=name))

    monkeypatch.setattr(keras_backend, "installed", ["torch"].__contains__)
    assert said("something") is None
    assert said("tensorflow") == (
        "Keras cannot import its backend tensorflow. Set KERAS_BACKEND=torch, which is installed."
    )
    monkeypatch.setattr(keras_backend, "installed", [].__contains__)
    assert said("tensorflow") == (
        "Keras needs a backend, and tensorflow cannot be imported. Install one, with pip install jax, and set "
        "KERAS_BACKEND=jax; or torch, or tensorflow."
    )


WAITING = """
import sys, threading
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            print("importing", flush=True)
            while True:  # a signal that comes just before a wait without end would never be handled
                threading.Event().wait(0.1)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (["-c", "import _polyhead_command\n_polyhead_command.main()"], "polyhead"),
        (["-c", "import _polyhead_command\n_polyhead_command.main()"], "numpy"),
        (["-c", "import _polyhead_command\n_polyhead_command.main()"], "polyhead.cli.pack_command"),
        (["-m", "polyhead"], "wrapt"),
        (["-X", "utf8", "-m", "polyhead"], "polyhead.feed"),
        (["-m", "polyhead"], "polyhead.cli.pack_command"),
    ],
)
def test_an_interrupt_ends_the_command_while_it_is_being_imported(tmp_path, arguments, module):
    (tmp_path / "sitecustomize.py").write_text(WAITING.replace("MODULE", repr(module)))
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, "")


def test_another_module_that_imports_the_package_keeps_its_interrupts(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("import polyhead")
    (tmp_path / "mine" / "__main__.py").write_text(
        "import signal\nprint(signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN))"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    command = [sys.executable, "-m", "mine", "polyhead"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=True
    )
    assert done.stdout == "True\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_that_the_shell_ignores_stays_ignored():
    code = "import signal, _polyhead_command\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code += "import sys\nsys.argv = ['polyhead', '--version']\ntry:\n    _polyhead_command.main()\n"
    code += "finally:\n    print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_ends_the_command_at_once(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import threading\n"
        "def batches():\n"
        "    print('reading', flush=True)\n"
        "    threading.Event().wait()\n"
        "    yield\n"
    )
    command = [sys.executable, "-m", "polyhead", "examine", f"{tmp_path / 'slow.py'}:batches"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "reading\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == ""
