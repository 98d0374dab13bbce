"""`polyhead preview`: it writes the file, says its name, and says what is wrong in one line."""

import pytest

import polyhead as ph
from outcomes import command

PROGRAM = """
import numpy as np, polyhead as ph
print("loading")
feed = ph.Feed({"x": np.zeros((3, 2)), "y": [0, 1, None]}, inputs="x", heads={"y": ph.Binary()})
def made(): return feed
def made_model(width, units):
    import keras
    x = keras.Input((width,), name="x")
    return keras.Model(x, {"y": keras.layers.Dense(units, name="y")(x)})
def fits(): return made_model(2, 1)
def other(): return made_model(3, 5)
def alike():
    return ph.Feed({"x": np.zeros((99, 2)), "y": np.ones(99)}, inputs="x", heads={"y": ph.Binary()})
def wrong():
    x = np.zeros((10, 2))
    x[9] = np.nan
    return ph.Feed({"x": x, "y": np.arange(10) % 2}, inputs="x", heads={"y": ph.Binary()}, batch_size=2)
number = 3
"""


def run(tmp_path, *args):
    """The command's exit code, and its two outputs apart."""
    (tmp_path / "mine.py").write_text(PROGRAM)
    words = [str(a).replace("mine.py", str(tmp_path / "mine.py")) for a in args]
    return command("preview", *words)


@pytest.mark.keras
def test_a_page_with_the_check(tmp_path):
    path = tmp_path / "page.html"
    code, out, err = run(tmp_path, "mine.py:made", "--model", "mine.py:fits", "-n", 2, "-o", path)
    assert (code, out, err) == (0, f"{path}\n", "loading\n")
    assert "Check against the model: The feed and the model fit" in path.read_text("utf-8")


@pytest.mark.keras
def test_a_model_that_does_not_fit_ends_it_with_all_problems(tmp_path):
    path = tmp_path / "page.html"
    code, out, err = run(tmp_path, "mine.py:made", "--model", "mine.py:other", "-n", 2, "-o", path)
    assert (code, out) == (2, f"{path}\n")
    assert err.splitlines()[1:] == [
        f"polyhead: {tmp_path / 'mine.py'}:made: 2 problems:",
        "  1. input `x`: expected an input of shape (2,), got `x` of shape (3,). Say keras.Input((2,)).",
        "  2. head `y`: expected an output of shape (1,), got `y` of shape (5,). Give the layer 1 unit.",
    ]
    assert "Check against the model: 2 problems" in path.read_text("utf-8")


@pytest.mark.keras
def test_a_warning_of_the_check_is_shown_and_a_wrong_row_is_wrong_data(tmp_path):
    with pytest.warns(ph.PolyheadWarning, match="head `y`: expected labels that differ, got 1 in all 99"):
        code, _, _ = run(tmp_path, "mine.py:alike", "--model", "mine.py:fits", "-o", tmp_path / "page.html")
    assert code == 0
    code, _, err = run(
        tmp_path, "mine.py:wrong", "--model", "mine.py:fits", "-n", 2, "-o", tmp_path / "a.html"
    )
    assert code == 1
    assert "input `x`, row 9: expected finite numbers, got nan" in err


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
        (("mine.py:feed", "-o", "page.pdf"), "page.pdf: name a file that ends in .html, .htm, .png."),
        (("mine.py:feed", "-n", 2, "-o", "no/page.html"), "no/page.html: its folder does not exist.\n"),
    ],
)
def test_wrong_use(tmp_path, args, words):
    code, _, err = run(tmp_path, *args)
    assert code == 2
    assert words in err


def test_a_feed_and_a_model_that_cannot_be_made_are_both_shown(tmp_path):
    file = tmp_path / "both.py"
    file.write_text(
        "import numpy as np\nimport polyhead as ph\n\n"
        "def feed():\n"
        '    heads = {"price": ph.Regression(column="prize"), "sold": ph.Binary(column="sould")}\n'
        '    return ph.Feed({"x": np.zeros((4, 2))}, inputs="x", heads=heads)\n\n'
        "def model():\n"
        "    try:\n"
        "        feed()\n"
        "    except ph.PolyheadError as error:\n"
        '        raise RuntimeError("no feed") from error\n'
    )
    code, _, err = run(tmp_path, f"{file}:feed", "--model", f"{file}:model")
    assert code == 2
    lines = err.splitlines()
    assert lines[0].endswith("both.py:feed: 2 problems:")
    assert [name in line for name, line in zip(("prize", "sould"), lines[1:3], strict=True)] == [True, True]
    assert "both.py:model: it raised RuntimeError: no feed, after DataError: head `price`" in lines[3]
    assert "`sould`" in lines[3]
    assert lines[3].endswith("both.py, line 12)")
