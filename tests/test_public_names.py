"""What users see of the library: in tab completion, and by a star import."""

import builtins
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
import programs

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"


def public(names):
    return [name for name in names if not name.startswith("__")]


def test_the_module_shows_its_names_and_nothing_else():
    assert public(dir(ph)) == sorted([*ph.__all__, "compile"])
    assert all(getattr(ph, name) is not None for name in dir(ph))


@pytest.mark.once
def test_a_star_import_hides_no_builtin():
    assert not set(ph.__all__) & set(dir(builtins))
    code = "import builtins\nfrom polyhead import *\nassert compile is builtins.compile\nFeed, CutMix, read_table"
    programs.run(code)


def feed():
    data = {"x": np.zeros((3, 2), "float32"), "y": [0, 1, 0]}
    return ph.Feed(data, inputs="x", heads={"y": ph.Binary()}, batch_size=2)


def listed(name):
    """The members that the reference lists."""
    text = REFERENCE.read_text(encoding="utf-8")
    (found,) = re.findall(
        rf"::: polyhead\.{name}\n    options:\n      members:\n((?: +- \"?\w+\"?\n)+)", text
    )
    assert not re.search(
        r"- (on|off|yes|no)\n", found
    )  # YAML would read a boolean, and the site not be built
    return set(re.findall(r"\w+", found))


def test_a_feed_shows_what_the_reference_lists():
    assert set(public(dir(feed()))) == listed("Feed") | {"inputs", "heads", "source"}
    assert all(hasattr(feed(), name) for name in dir(feed()))


def test_a_head_and_an_input_show_their_arguments_and_what_they_learned():
    own = {"names", "shape", "dtype"}
    assert set(public(dir(feed().inputs["x"]))) == own | set(inspect.signature(ph.Array).parameters)
    head = ph.Categorical(["cat", "dog"])
    shown = own | {"unscaled"} | set(inspect.signature(ph.Categorical).parameters)
    assert set(public(dir(head))) == shown

    class Graded(ph.Categorical):
        def grade(self):
            return self.names[-1]

    assert set(public(dir(Graded(["bad", "good"])))) == shown | {"grade"}


class Squares(ph.Source):
    """A source of a user's own, with an attribute of its own."""

    power = 2

    def __len__(self):
        return 9

    def read(self, ids):
        return {"x": ids**self.power}


@pytest.mark.parametrize(
    "source",
    [
        Squares(),
        Squares().select([1, 2]),
        Squares().concat(Squares()),
        ph.read_table({"x": [1]}),
        ph.from_generator(lambda: iter([]), length=1),
    ],
    ids=lambda source: type(source).__name__,
)
def test_a_source_shows_what_the_reference_lists(source):
    shown = {name for name in dir(source) if not name.startswith("_")}
    assert listed("Source") <= shown
    inner = {
        "about",
        "chunk_rows",
        "coded",
        "first_rows",
        "in_chunks",
        "pieces",
        "probe",
        "scan",
        "sequential",
    }
    assert not shown & inner
    if type(source) is Squares:
        assert shown == listed("Source") | {"power"}


@pytest.mark.keras
def test_keras_finds_what_a_feed_does_not_show():
    from keras.src.trainers.data_adapters.data_adapter import DataAdapter

    asked = public(vars(DataAdapter))
    assert "get_tf_dataset" in asked
    assert isinstance(feed(), DataAdapter)
    assert not set(asked) & set(dir(feed()))
    own = {name for base in type(feed()).__mro__ for name in vars(base)} | set(vars(feed()))
    assert set(asked) <= own
