"""What is known of the installed Keras: one table, whose sources exist and whose versions are those that are tested."""

import json
import re
from pathlib import Path

import keras
import pytest
from typer.testing import CliRunner

from polyhead.cli import app
from polyhead.doctor.environment import FACTS, TESTED, environment, environment_of

DOCS = Path(__file__).parents[2] / "docs"


def words(version, backend="jax"):
    versions = {"keras": version, backend: TESTED[backend][1]}
    return [fact.words for fact in environment_of(versions, backend).facts]


def test_the_installed_one_is_described():
    found = environment()
    assert found.versions["keras"] == keras.__version__
    assert found.backend == keras.backend.backend()
    assert str(found).startswith(f"keras {keras.__version__}, {found.backend} ")
    assert any("sorted keys" in fact.words for fact in found.facts)


@pytest.mark.parametrize(("version", "there"), [("3.13.2", 0), ("3.14.0", 1), ("3.14.1", 0), ("3.15.1", 0)])
def test_exchanged_metrics_are_those_of_one_version(version, there):
    assert sum(one.startswith("exchanges the metrics of a model") for one in words(version)) == there


@pytest.mark.parametrize(("version", "with_warning"), [("3.15.1", True), ("3.16.0.dev202611", False)])
def test_what_changes_with_a_version(version, with_warning):
    (found,) = [one for one in words(version) if one.startswith("trains later epochs of a generator")]
    assert ("with a warning" in found) is with_warning


def test_a_fact_of_a_backend_is_told_on_it_alone():
    told = {backend: "adds zero" in " ".join(words("3.15.1", backend)) for backend in ("jax", "torch")}
    assert told == {"jax": True, "torch": False}


def test_versions_outside_of_the_tested_ones_are_told():
    notes = environment_of({"keras": "3.9.2", "torch": "2.99.0+cpu"}, "torch").notes
    assert notes == (
        "keras 3.9.2 is older than 3.10.0, the oldest that is tested",
        "torch 2.99.0+cpu is newer than 2.14.1, the newest that was tested",
    )


def test_each_source_exists():
    traps = set(re.findall(r"^\| (\d+) \|", (DOCS / "traps.md").read_text(encoding="utf-8"), re.MULTILINE))
    notes = {path.name[2:4] for path in (DOCS / "decisions").glob("*.md")}
    for fact in FACTS:
        kind, number = fact.source.split()
        assert number in {"trap": traps, "note": notes}[kind]


def test_the_tested_versions_are_those_of_the_page():
    text = (DOCS / "versions.md").read_text(encoding="utf-8")
    for name, title in (
        ("keras", "Keras"),
        ("jax", "JAX"),
        ("torch", "PyTorch"),
        ("tensorflow", "TensorFlow"),
    ):
        versions = re.findall(
            r"^\| (\d[\d.]+) \|", text.split(f"\n## {title}\n")[1].split("\n## ")[0], re.MULTILINE
        )
        assert TESTED[name] == (versions[0], versions[-1])


def test_the_command():
    found = CliRunner().invoke(app, ["examine", "--env", "--json"])
    assert found.exit_code == 0
    assert json.loads(found.stdout)["backend"] == keras.backend.backend()
    assert CliRunner().invoke(app, ["examine", "--env"]).stdout == f"{environment()}\n"
    without = CliRunner().invoke(app, ["examine"])
    assert without.exit_code == 2
    assert "examine: name an object of a Python file, as file.py:name, or ask for --env." in without.output
