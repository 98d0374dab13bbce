"""`polyhead preview`: it writes the file, says its name, and says what is wrong in one line."""

import contextlib
import io

import pytest

from polyhead.cli import app

PROGRAM = """
import numpy as np, polyhead as ph
print("loading")
feed = ph.Feed({"x": np.zeros((3, 2)), "y": [0, 1, None]}, inputs="x", heads={"y": ph.Binary()})
def made(): return feed
def model():
    import keras
    x = keras.Input((2,), name="x")
    return keras.Model(x, {"y": keras.layers.Dense(5, name="y")(x)})
number = 3
"""


def run(tmp_path, *args):
    """The command's exit code, and its two outputs apart."""
    (tmp_path / "mine.py").write_text(PROGRAM)
    words = [str(a).replace("mine.py", str(tmp_path / "mine.py")) for a in args]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app(["preview", *words], standalone_mode=False)
    return code or 0, out.getvalue(), err.getvalue()


@pytest.mark.keras
def test_a_page_with_the_check(tmp_path):
    path = tmp_path / "page.html"
    code, out, err = run(tmp_path, "mine.py:made", "--model", "mine.py:model", "-n", 2, "-o", path)
    assert (code, out) == (0, f"{path}\n"), err
    assert "Check against the model: 1 problem" in path.read_text("utf-8")


@pytest.mark.parametrize(("rows", "shown"), [("2, 0", [2, 0]), ("y=1", [1]), ("y=0,x=0", None)])
def test_chosen_rows(tmp_path, rows, shown):
    path = tmp_path / "page.html"
    code, _, err = run(tmp_path, "mine.py:feed", "--rows", rows, "-o", path)
    if shown is None:
        assert (code, "expected one of the heads `y`, got 'x'" in err) == (2, True)
    else:
        page = path.read_text("utf-8")
        assert [f"row {row}<" in page for row in range(3)] == [row in shown for row in range(3)]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ("mine.py:feed", "--rows", "kite"),
            "--rows: expected ids of rows, as 3,17, or a head and its class",
        ),
        (("mine.py:feed", "--draws", "3"), "preview(draws=): expected rows= beside it, got 3."),
        (("mine.py:number",), "mine.py:number: expected a ph.Feed, got int."),
        (("mine.py:feed", "--model", "mine.py:number"), "mine.py:number: expected a Keras model, got int."),
        (("mine.py:feed", "-o", "page.pdf"), "ends in .html or .png"),
    ],
)
def test_wrong_use(tmp_path, args, words):
    code, _, err = run(tmp_path, *args)
    assert code == 2
    assert words in err
