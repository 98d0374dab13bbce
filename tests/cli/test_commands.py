"""Every command has help, and `polyhead demo` finds its example and says what it lacks."""

import sys

import pytest
import typer
from typer.testing import CliRunner

from polyhead.cli import app
from polyhead.cli.demo_command import INSTALL, find_example

COMMANDS = typer.main.get_command(app).commands
demo_module = sys.modules["polyhead.cli.demo_command"]


def test_the_commands():
    assert sorted(COMMANDS) == [
        "demo",
        "evaluate",
        "examine",
        "inspect",
        "migrate",
        "pack",
        "predict",
        "preview",
        "profile",
    ]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_and_each_option_has_help(name):
    command = COMMANDS[name]
    assert command.help
    assert all(getattr(p, "help", None) for p in command.params if p.name != "help")
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert command.help.split(".")[0][:40] in " ".join(result.output.split())


def test_without_a_command_the_help_is_shown():
    output = CliRunner().invoke(app, []).output
    assert all(name in output for name in COMMANDS)


def test_the_example_is_found():
    assert find_example("digits.py").name == "digits.py"
    assert find_example("nothing.py") is None


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        ({"sklearn"}, "the demo needs scikit-learn."),
        ({"jax", "torch", "tensorflow"}, "the demo needs jax."),
        ({"sklearn", "jax", "torch", "tensorflow"}, "the demo needs scikit-learn and jax."),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, absent, words):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(demo_module, "installed", lambda module: module not in absent)
    result = CliRunner().invoke(app, ["demo"])
    assert (result.exit_code, result.output) == (1, f"polyhead: {words} {INSTALL}\n")


def test_the_demo_runs_the_example_with_its_seed_and_its_neighbors(tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("WORD = 'seed'\n")
    (tmp_path / "digits.py").write_text(
        "import sys, beside, os\nprint(beside.WORD, sys.argv[1], os.environ['KERAS_BACKEND'])\n"
    )
    monkeypatch.setattr(demo_module, "find_example", lambda name: tmp_path / name)
    monkeypatch.setattr(demo_module, "installed", lambda module: True)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    argv, path = list(sys.argv), list(sys.path)
    result = CliRunner().invoke(app, ["demo", "--seed", "5"])
    del sys.modules["beside"]
    assert (result.exit_code, result.output) == (0, "seed 5 torch\n")
    assert (sys.argv, sys.path) == (argv, path)
