"""What `polyhead inspect` shows and suggests: the suggested code is run on the data it was suggested for."""

import json
import runpy
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import polyhead as ph
from polyhead.cli import app
from polyhead.cli.suggest import suggest
from polyhead.doctor.column_survey import describe_columns, describe_values, survey_values
from polyhead.sources.arrays import Arrays

ROWS = 60
WORDS = (
    'free text; for ph.Array(vocabulary="auto"), split it into lists of words: '
    '[(text.lower().split() + [""] * 20)[:20] for text in column]'
)
DAYS = '(np.asarray(column, "M8[us]") - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")'


def inspect(*args):
    return CliRunner().invoke(app, ["inspect", *map(str, args)])


def feed_of(columns):
    """The feed that is suggested for some columns, made by running the suggested code."""
    source = Arrays(columns)
    code = suggest(describe_columns(source)).code("source")
    names = {"source": source}
    exec(code, names)
    return names["feed"], code


def some(rng=None, **more):
    """Columns of which the first is an input, whatever the others are."""
    return {"x": np.random.default_rng(0).random(ROWS), **more}


@pytest.mark.parametrize(
    ("values", "head"),
    [
        (np.arange(ROWS) % 2, ph.Binary()),
        (np.arange(ROWS) % 2 == 0, ph.Binary()),
        ((np.arange(ROWS) % 5 == 0).astype(float), ph.Binary(class_weight={0: 0.625, 1: 2.5})),
        ([["cat", "dog", None][i % 3] for i in range(ROWS)], ph.Categorical(("cat", "dog"))),
        ([["cat", "dog", ""][i % 3] for i in range(ROWS)], ph.Categorical(("cat", "dog"), missing="")),
        (np.arange(ROWS) % 4, ph.Categorical((0, 1, 2, 3))),
        (np.linspace(0, 1, ROWS), ph.Regression(elementwise=False)),
        (np.arange(ROWS) * 3, ph.Regression(elementwise=False)),
        (np.random.default_rng(0).random((ROWS, 3)), ph.Regression(3)),
        ((np.arange(3 * ROWS).reshape(ROWS, 3) % 2).astype(int), ph.MultiLabel(3)),
        (
            [[["red", "round"], ["red"], []][i % 3] for i in range(ROWS)],
            ph.MultiLabel(("red", "round")),
        ),
    ],
    ids=[
        "ints",
        "bools",
        "uneven",
        "text",
        "empty text",
        "ids",
        "floats",
        "many ints",
        "vectors",
        "zeros and ones",
        "lists",
    ],
)
def test_the_head_for_a_column(values, head):
    feed, _ = feed_of(some(label=values))
    assert list(feed.inputs) == ["x"]
    assert {
        name: replace(one, scale=None) if hasattr(one, "scale") else one for name, one in feed.heads.items()
    } == {"label": head}
    assert next(iter(feed))[1]["label"].shape == (32, *head.shape)


def test_an_amount_is_no_class():
    _, code = feed_of(some(age=np.arange(ROWS) % 7 + 20))
    assert '"age": ph.Regression(scale="standard"),' in code


BOXES = np.stack([np.arange(ROWS), np.arange(ROWS), np.arange(ROWS) + 4, np.arange(ROWS) + 9], 1).astype(
    float
)


@pytest.mark.parametrize(
    ("values", "head"),
    [
        (BOXES, ph.Boxes(1)),
        (BOXES / 100, ph.Boxes(1, normalized=True)),
        (np.c_[BOXES[:, :2] + 50, np.full((ROWS, 2), 5)], ph.Boxes(1, format="xywh")),
        (np.stack([BOXES, BOXES + 1], 1), ph.Boxes(2)),
        ([BOXES[:1], BOXES[:3], None] * (ROWS // 3), ph.Boxes(3)),
    ],
    ids=["pixels", "normalized", "xywh", "two a row", "lists"],
)
def test_boxes(values, head):
    feed, _ = feed_of(some(box=values))
    assert feed.heads == {"box": head}


@pytest.mark.parametrize(
    ("values", "head"),
    [
        (np.arange(ROWS * 16).reshape(ROWS, 4, 4) % 2, ph.Mask(size=(4, 4))),
        (np.arange(ROWS * 16).reshape(ROWS, 4, 4) % 3, ph.Mask(3, size=(4, 4))),
        (
            np.where(np.eye(4) > 0, 255, np.arange(ROWS * 16).reshape(ROWS, 4, 4) % 3),
            ph.Mask(3, missing=255, size=(4, 4)),
        ),
        (np.arange(ROWS * 32).reshape(ROWS, 4, 4, 2) % 2, ph.Mask(2, multi=True, size=(4, 4))),
        ([None] * 40 + [np.eye(4)] * (ROWS - 40), ph.Mask(size=(4, 4))),
    ],
    ids=["binary", "classes", "with 255", "several", "none at first"],
)
def test_masks(values, head):
    feed, _ = feed_of(some(mask=values))
    assert feed.heads == {"mask": head}


def test_255_beside_0_alone_is_taken_for_the_object_and_said_so():
    mask = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (ROWS, 1, 1))
    feed, code = feed_of(some(label=np.arange(ROWS) % 2, mask=mask))
    assert feed.heads["mask"] == ph.Mask(values=(0, 255), size=(2, 2))
    assert '"mask": ph.Mask(values=(0, 255)),  # 255 is taken for the object' in code
    assert np.array_equal(feed.peek()[1]["mask"][..., 0][0] * 255, mask[0])


def test_a_mask_of_fractions_is_left_out():
    mask = np.random.default_rng(0).random((ROWS, 4, 4))
    feed, code = feed_of(some(label=np.arange(ROWS) % 2, mask=mask))
    assert list(feed.heads) == ["label"]
    assert "# left out: mask: a mask whose values are not class ids" in code


def test_an_id_that_means_no_label_is_told():
    ids = np.arange(ROWS) % 4
    for none in (-1, -100, 255):
        _, code = feed_of(some(label=np.where(ids == 3, none, ids)))
        assert f'# if {none} means "no label", say missing={none}' in code
    feed, _ = feed_of(some(mask=np.tile(np.where(ids == 3, -1, ids)[:, None, None], (1, 4, 4))))
    assert feed.heads == {"mask": ph.Mask(3, missing=-1, size=(4, 4))}


def test_a_column_of_one_number_in_a_list_is_a_column_of_numbers():
    feed, _ = feed_of(some(label=(np.arange(ROWS) % 2)[:, None]))
    assert feed.heads == {"label": ph.Binary()}
    feed, _ = feed_of(some(label=(np.arange(ROWS) % 4)[:, None]))
    assert feed.heads == {"label": ph.Categorical((0, 1, 2, 3))}


def test_keypoints():
    feed, _ = feed_of(some(keypoints=np.random.default_rng(0).random((ROWS, 5, 2))))
    assert feed.heads == {"keypoints": ph.Keypoints(5)}


@pytest.mark.parametrize("images", [np.zeros((ROWS, 8, 6, 3), np.uint8), np.full((ROWS, 8, 6, 3), 0.5)])
def test_images_go_in(images):
    feed, _ = feed_of({"photo": images, "label": np.arange(ROWS) % 2})
    assert feed.inputs == {"photo": ph.Image(8, 6, 3)}


def test_names_of_image_files_are_images_and_masks(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    for name, kind in (("photo", np.uint8), ("mask", bool)):
        for i in range(4):
            pillow.fromarray(np.ones((8, 6), kind)).save(tmp_path / f"{name}{i}.png")
    columns = {name: [str(tmp_path / f"{name}{i % 4}.png") for i in range(8)] for name in ("photo", "mask")}
    feed, code = feed_of({**columns, "kind": ["ash", "elm"] * 4, "age": np.linspace(1, 9, 8)})
    assert feed.inputs == {"photo": ph.Image(224, 224, 3)}
    assert "# the height and width that the model reads" in code
    assert list(feed.heads) == ["mask", "kind", "age"]
    assert feed.peek()[1]["mask"].shape == (8, 224, 224, 1)


def test_images_that_some_rows_lack_do_not_go_in():
    found = suggest([survey_values("photo", ["a.jpg", None, "b.jpg"]), survey_values("age", [1.5, 2, 3])])
    assert found.left_out == {"photo": "some rows have no image, which an input's may not lack"}


def test_numbers_stand_side_by_side_and_what_is_missing_is_filled():
    small = {"a": np.arange(ROWS) / ROWS, "b": [None, 1.5] * (ROWS // 2), "target": np.arange(ROWS) % 2}
    feed, code = feed_of(small)
    assert feed.inputs == {"features": ph.Array((2,), column=["a", "b"], dtype="float32", fill=0.0)}
    assert "# 0.0 where a number is missing, in b" in code
    _, code = feed_of(small | {"a": np.arange(ROWS)})
    assert 'ph.Array(column=["a", "b"], fill=0.0, scale="standard")' in code


def test_what_is_of_no_use_is_left_out_with_the_reason():
    names = [f"somebody {i}" for i in range(ROWS)]
    days = np.arange(ROWS).astype("datetime64[D]")
    feed, code = feed_of(
        some(
            name=names,
            story=[f"it was {i} days ago" for i in range(ROWS)],
            key=[f"key-{i}" for i in range(ROWS)],
            row_id=np.arange(ROWS),
            same=np.ones(ROWS),
            day=days,
            nothing=[None] * ROWS,
            timestamp=1_700_000_000 + np.arange(ROWS) // 2,
            seen=["1.12.2024", "2.12.2024"] * (ROWS // 2),
            phone=10**9 + np.arange(ROWS) * 7**5,
            zip_code=[8001, 3012] * (ROWS // 2),
            tariff=["1,200 €", "950 €"] * (ROWS // 2),
            level=["1.5", "-", "2"] * (ROWS // 3),
            colors=["red|blue", "red", "blue"] * (ROWS // 3),
            part=["train", "train", "test"] * (ROWS // 3),
            sample_weight=np.linspace(0, 1, ROWS),
            label=np.arange(ROWS) % 2,
        )
    )
    assert (list(feed.inputs), list(feed.heads)) == (["x"], ["label"])
    left_out = [
        line.removeprefix("# left out: ").split(": ", 1) for line in code.splitlines() if "left out" in line
    ]
    assert dict(left_out) == {
        "name": "nearly every row has a different text, as with ids",
        "story": WORDS,
        "key": "nearly every row has a different text, as with ids",
        "row_id": "an id: every row has a different number",
        "same": "it holds one value only, 1",
        "day": f"times; turn times into numbers, as days: {DAYS}",
        "nothing": "it holds no value",
        "timestamp": "times since 1970; as an input, make days, weekdays or hours of them",
        "seen": "times that are text; read the dates with column = pandas.to_datetime(column, format=...), and turn "
        f"them into days: {DAYS}",
        "phone": "an id: every row has a different number",
        "zip_code": 'integer ids, which are not quantities; for ph.Array(vocabulary="auto"), turn them into text: '
        "[str(one) for one in column]",
        "tariff": "numbers that are text; turn text into numbers: "
        '[float(text.strip("€ ").replace(",", "")) for text in column]',
        "level": "numbers that are text; if it means that there is none, give "
        'pandas.to_numeric(column, errors="coerce")',
        "colors": "several labels in a text; for ph.MultiLabel(), split the labels: "
        '[[label for label in text.split("|") if label] for text in column]',
        "part": "the parts of the data; select the rows of each: data.select(lambda columns: ...)",
        "sample_weight": 'weights of the rows; as sample_weight="sample_weight" of a head they weigh its loss',
    }


def test_words_and_ids_are_inputs_of_their_own_for_an_embedding():
    feed, code = feed_of(
        {
            "user_id": np.arange(ROWS) % 30,
            "city": ["Bern", "Lima", None] * (ROWS // 3),
            "rating": np.linspace(0, 1, ROWS),
        }
    )
    assert feed.inputs == {
        "user_id": ph.Array((1,), dtype="int32"),
        "city": ph.Array((1,), dtype="int32", vocabulary=["Bern", "Lima"]),
    }
    assert list(feed.heads) == ["rating"]
    assert "# ids, not quantities: keras.layers.Embedding(30, ...)" in code
    assert "# words as ids: keras.layers.Embedding(4, ...)" in code


def test_lists_of_words_are_inputs():
    words = [["one", "two"], ["two", "three"]] * (ROWS // 2)
    feed, _ = feed_of({"tokens": words, "label": np.arange(ROWS) % 2})
    assert feed.inputs["tokens"].names == ("", "[UNK]", "one", "three", "two")
    found = suggest([survey_values("tokens", [["one"], ["one", "two"]]), survey_values("label", [0, 1])])
    assert found.left_out == {
        "tokens": 'lists of words of unequal lengths; make them equal: [(list(row) + [""] * 2)[:2] for row in column]'
    }


def test_an_id_is_no_head_even_as_the_last_column():
    feed, _ = feed_of(
        {"x": np.linspace(0, 1, ROWS), "z": np.linspace(1, 0, ROWS), "shop_id": np.arange(ROWS) % 3}
    )
    assert (list(feed.inputs), list(feed.heads)) == (["x", "shop_id"][::-1], ["z"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_texts_of_a_table_are_split_by_the_code(tmp_path, ending):
    frame = pd.DataFrame(
        {
            "text": [f"Book flight {i} to Rome" for i in range(ROWS)],
            "intent": ["book", "cancel"] * (ROWS // 2),
            "tags": ["vip, new", "vip", "new"] * (ROWS // 3),
        }
    )
    path = tmp_path / f"rows.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    names = {}
    exec(inspect(path, "--code").output, names)
    feed = names["feed"]
    assert feed.inputs["text"].shape == (20,)
    assert feed.inputs["text"].names[-1] == "to"
    assert {name: head.names for name, head in feed.heads.items()} == {
        "tags": ("new", "vip"),
        "intent": ("book", "cancel"),
    }


def test_the_index_of_a_frame_and_lists_as_text_are_left_out(tmp_path):
    columns = some(
        city=["Bern", "New York"] * (ROWS // 2),
        review=[f"a house of {i} rooms" for i in range(ROWS)],
        bbox=[f"[{i}, 2, 9, 9]" for i in range(ROWS)],
        spot=[f"{i} 2" for i in range(ROWS)],
        price=np.linspace(0, 1, ROWS),
    )
    columns["bbox"][0] = columns["review"][1] = None
    pd.DataFrame(columns).to_csv(tmp_path / "a.csv")
    code = inspect(tmp_path / "a.csv", "--code").output
    assert '"x": ph.Array(),' in code
    assert '"city": ph.Array(vocabulary="auto"),' in code
    words = (
        '[(text.lower().split() + [""] * 20)[:20] if isinstance(text, str) else [""] * 20 for text in frame'
    )
    assert f'frame["review"] = {words}["review"]]' in code
    assert code.splitlines()[-3:] == [
        "# left out: : an id: every row has a different number",
        "# left out: bbox: lists that are text; turn text into lists: [json.loads(text) if isinstance(text, str) else "
        "None for text in column]",
        "# left out: spot: lists that are text; turn text into numbers: [[float(one) for one in text.split()] for "
        "text in column]",
    ]


def test_without_a_name_that_tells_the_last_column_is_the_head():
    feed, code = feed_of({"a": np.linspace(0, 1, ROWS), "b": np.linspace(1, 2, ROWS)})
    assert (list(feed.inputs), list(feed.heads)) == (["a"], ["b"])
    assert "# A guess from names and values: decide yourself what goes in and what is predicted." in code


def test_an_input_is_left_where_every_column_is_named_like_a_head():
    feed, _ = feed_of({"age": np.linspace(0, 1, ROWS), "price": np.linspace(1, 2, ROWS)})
    assert (list(feed.inputs), list(feed.heads)) == (["age"], ["price"])


@pytest.mark.parametrize("name", ["present", "flag"])
def test_given_where_a_head_is_missing_wherever_a_binary_one_is_0(name):
    present = np.arange(ROWS) % 2
    feed, _ = feed_of(some(**{name: present, "box": np.where(present[:, None] == 1, BOXES, np.nan)}))
    assert feed.heads == {name: ph.Binary(), "box": ph.Boxes(1, given=name)}


def test_no_given_where_one_row_speaks_against_it():
    present = np.arange(ROWS) % 2
    box = np.where(present[:, None] == 1, BOXES, np.nan)
    box[0] = BOXES[0]
    feed, _ = feed_of(some(present=present, box=box))
    assert feed.heads["box"] == ph.Boxes(1)


def test_the_values_in_words():
    assert describe_values(survey_values("a", np.array([1.5, np.nan, 2.5, 3.5]))) == "1.5 to 3.5"
    assert describe_values(survey_values("a", np.arange(3))) == "3 distinct: 0 33.3%, 1 33.3%, 2 33.3%"
    assert describe_values(survey_values("a", np.array([1.5, np.inf, 2.5]))) == "1.5 to 2.5, and infinity"
    assert (
        describe_values(survey_values("a", np.array([True, False]))) == "2 distinct: False 50.0%, True 50.0%"
    )
    assert (
        describe_values(survey_values("a", [f"{i}.jpg" for i in range(60)])) == "60 distinct: 0.jpg, 1.jpg, …"
    )
    column = survey_values("a", [["x"], None, ["x", "y"], []])
    assert (column.type, column.coverage) == ("lists of text", 0.75)


TABLE = {
    "x": np.arange(ROWS) / 7,
    "kind": [["cat", "dog", "eel", None][i % 4] for i in range(ROWS)],
    "target": np.arange(ROWS) % 2,
}


def test_a_table_and_code_for_it(tmp_path):
    path = tmp_path / "pets.parquet"
    pq.write_table(pa.table(TABLE), path)
    result = inspect(path)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert any(row[:3] == ["kind", "text", "75.0%"] for row in rows), result.output
    assert any(row[:3] == ["target", "int64", "100.0%"] for row in rows), result.output
    alone = inspect(path, "--code")
    assert alone.output in result.output
    names = {}
    exec(alone.output, names)
    assert names["feed"].num_samples == ROWS
    assert list(names["feed"].heads) == ["kind", "target"]


@pytest.mark.parametrize("name", ["mapping", "source", "frame", "table", "function", "Holder.rows"])
def test_objects_of_a_file(tmp_path, monkeypatch, name):
    path = tmp_path / "my_data.py"
    path.write_text(
        "import numpy as np, pandas, pyarrow, polyhead as ph\n"
        "from polyhead.sources.arrays import Arrays\n"
        f"mapping = {{'x': np.arange({ROWS}) / 7, 'target': np.arange({ROWS}) % 2}}\n"
        "source = Arrays(mapping)\n"
        "frame = pandas.DataFrame(mapping)\n"
        "table = pyarrow.table(mapping)\n"
        "def function(rows=None): return mapping\n"
        "class Holder: rows = mapping\n"
    )
    result = inspect(f"{path}:{name}", "--code")
    assert result.exit_code == 0, result.output
    monkeypatch.syspath_prepend(tmp_path)
    names = {}
    exec(result.output, names)
    sys.modules.pop("my_data")
    assert names["feed"].heads == {"target": ph.Binary()}


def test_a_file_whose_name_is_no_module(tmp_path):
    path = tmp_path / "my data.py"
    path.write_text("columns = {'x': [0.5, 1.5, 2.5, 3.5], 'y': [0, 1, 1, 0]}\n")
    names = {}
    exec(inspect(f"{path}:columns", "--code").output, names)
    assert names["data"] == runpy.run_path(str(path))["columns"]


def test_a_feed_is_described(tmp_path):
    path = tmp_path / "feeds.py"
    path.write_text(
        "import argparse, polyhead as ph\n"
        "argparse.ArgumentParser().parse_args()\n"  # which gets none of the command's arguments
        "def train():\n"
        "    columns = {'x': [0.5, 1.5, 2.5], 'y': [0, 1, None]}\n"
        "    return ph.Feed(columns, inputs='x', heads={'y': ph.Binary()})\n"
    )
    result = inspect(f"{path}:train")
    assert result.exit_code == 0, result.output
    assert "The data is already declared as a feed" in result.output
    assert "66.7% labeled" in result.output
    assert "ph.Feed(" not in result.output


FILE = """
import polyhead as ph
columns = {"x": [0.5, 1.5], "y": [0, 1]}
number = 7
empty = {}
def needs(path): return columns
def breaks(): raise ValueError("no luck")
"""


@pytest.mark.parametrize(
    ("argument", "code", "words"),
    [
        (
            "nowhere.csv",
            2,
            "nowhere.csv: no such file. Give the path of a table or a folder of images, or file.py:name.",
        ),
        (
            "",
            2,
            "'': no such file. Give the path of a table",
        ),  # an empty variable of the shell, not this folder
        ("file.py", 2, "file.py: name an object of the file, as"),
        ("other.py:x", 2, "other.py: no such file."),
        ("file.py:colums", 2, "it does not define `colums`. Did you mean `columns`?"),
        ("file.py:", 2, "file.py: name an object of the file, as"),
        ("fiel.py:columns", 2, "fiel.py: no such file. Did you mean `file.py`?"),
        ("file.py:zebra", 2, "it does not define `zebra`. It defines "),
        ("file.py:needs", 2, "it needs arguments (path). Give a function that needs none."),
        ("file.py:breaks", 1, "it raised ValueError: no luck"),
        ("file.py:number", 1, "expected a mapping of arrays, a Source, a table or a path, got 'int'."),
        ("file.py:empty", 1, "expected at least one column, got an empty mapping."),
        ("broken.py:x", 1, "broken.py, line 1)"),
        ("broken.py:x", 1, "cannot be imported: ZeroDivisionError: division by zero ("),
        ("text.parquet", 1, "text.parquet:"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path, argument, code, words):
    (tmp_path / "file.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "text.parquet").write_text("no parquet\n")
    result = inspect(tmp_path / argument if argument else "")
    assert result.exit_code == code, result.output
    assert words in result.output
    assert len(result.output.splitlines()) == 1
    assert "Traceback" not in result.output


def test_a_real_process(tmp_path):
    path = tmp_path / "pets.csv"
    path.write_text("x,target\n" + "".join(f"{i / 7},{i % 2}\n" for i in range(ROWS)))
    run = [sys.executable, "-m", "polyhead", "inspect", str(path)]
    found = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert '"target": ph.Binary(),' in found.stdout
    wrong = subprocess.run([*run[:-1], str(tmp_path)], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert wrong.stdout == ""
    assert len(wrong.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["inspect", "preview", "examine", "pack"])
def test_every_problem_of_a_file_is_shown(tmp_path, command):
    """The file raises an error of two problems when it is run."""
    (tmp_path / "train.py").write_text(
        "import numpy as np\nimport polyhead as ph\n\n"
        'heads = {"price": ph.Regression(column="prize"), "sold": ph.Binary(column="sould")}\n'
        'data = {"x": np.zeros((4, 2)), "price": [1, 2, 3, 4], "sold": [0, 1, 0, 1]}\n'
        'feed = ph.Feed(data, inputs="x", heads=heads)\n'
    )
    out = [str(tmp_path / "out")] if command == "pack" else []
    found = CliRunner().invoke(app, [command, f"{tmp_path / 'train.py'}:feed", *out])
    assert found.exit_code == 1
    lines = found.output.splitlines()
    assert lines[0] == f"polyhead: {tmp_path / 'train.py'}: cannot be imported: DataError: 2 problems:"
    assert lines[1].startswith(
        "  1. head `price`: expected a column `prize` among x, price, sold, got no such column."
    )
    assert lines[2].startswith(
        "  2. head `sold`: expected a column `sould` among x, price, sold, got no such column."
    )


def test_as_json(tmp_path):
    table = pa.table({"area": [30.5, 41.0, 52.25, 60.0], "label": ["flat", "house", "flat", "house"]})
    pq.write_table(table, tmp_path / "t.parquet")
    result = inspect(tmp_path / "t.parquet", "--json")
    found = json.loads(result.stdout)
    assert (found["rows"], [one["name"] for one in found["columns"]]) == (4, ["area", "label"])
    assert found["columns"][1]["values"] == "2 distinct: flat 50.0%, house 50.0%"
    assert "ph.Categorical" in found["code"]


def test_a_store_is_a_table_like_any_other(tmp_path):
    ph.pack({"area": [30.5, 41.0, 52.25, 60.0], "label": ["flat", "house"] * 2}, tmp_path / "a.store")
    result = inspect(tmp_path / "a.store")
    assert result.exit_code == 0
    assert f'data = ph.open_store("{tmp_path}/a.store")' in result.stdout
