"""The code in the advice of `polyhead inspect`, run on the column that it is for."""

import ast
import datetime
import json
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import polyhead as ph
from polyhead.cli.suggest import suggest
from polyhead.doctor.column_survey import describe_columns, survey_values
from polyhead.sources.arrays import Arrays

ROWS = 60
NAMES = {"np": np, "pandas": pd, "json": json, "ast": ast}
CODE = re.compile(
    r"(\[.* for \w+ in column\]|\(np\.asarray\(.*\"D\"\)|np\.asarray\(.*\"D\"\)|np\.asarray\(column, float\))$"
)


TEXTS = ["a red house", "the old house is new", *(f"Book flight {i} to Rome" for i in range(ROWS - 2))]


@pytest.mark.parametrize("gap", [None, "none", "nan"])
@pytest.mark.parametrize(
    ("values", "result"),
    [
        (["1.5", "2"], [1.5, 2]),
        (["1,200 €", "950 €"], [1200, 950]),
        (["40%", "1,000%"], [40, 1000]),
        (["1,5", "2"], [1.5, 2]),
        (["[1, 2]", "[3]"], [[1, 2], [3]]),
        (["1 2", "3 4"], [[1, 2], [3, 4]]),
        (["2000-01-03", "2000-01-02"], [2, 1]),
        ([datetime.date(2000, 1, 3), datetime.date(2000, 1, 2)], [2, 1]),
        ([datetime.timedelta(3), datetime.timedelta(1)], [3, 1]),
        (TEXTS, [["a", "red", "house"], ["the", "old", "house", "is", "new"]]),
        (["red|new", "red", "new"], [["red", "new"], ["red"]]),
        (["1,200 €", "950 €", "-"], [1200, 950]),
        (["2000-01-03", "2000-01-02", "n/a"], [2, 1]),
    ],
)
def test_the_code_runs_on_the_column(values, result, gap):
    column = values * (ROWS // len(values))
    if gap:
        column[2] = {"none": None, "nan": float("nan")}[gap]
    why = suggest([survey_values("value", column)]).left_out["value"]
    before = re.search(r"after column = (\[.*?\]), ", why)
    names = NAMES | {"column": eval(before[1], {"column": column}) if before else column}
    found = list(eval(CODE.search(why[before.end() :] if before else why)[1], names))
    assert [[word for word in one if word] if isinstance(one, list) else one for one in found[:2]] == result
    assert len(found) == ROWS


def test_a_mark_for_no_number_does_not_lose_numbers_with_signs():
    why = suggest([survey_values("value", ["1,200 €", "-", "950 €"] * 20)]).left_out["value"]
    assert why == (
        "numbers that are text; after column = [None if one == '-' else one for one in column], turn text into "
        'numbers: [float(text.strip("€ ").replace(",", "")) if isinstance(text, str) else None for text in column]'
    )


def feed_of(columns):
    source = Arrays(columns)
    names = {"source": source}
    code = suggest(describe_columns(source)).code("source")
    exec(code, names)
    return names["feed"]


def test_decimals_and_sets_are_columns_like_others():
    feed = feed_of(
        {
            "x": [Decimal(i) / 4 for i in range(ROWS)],
            "tags": [{"new", "red"} if i % 2 else {"red"} for i in range(ROWS)],
        }
    )
    assert list(feed.inputs) == ["x"]
    assert feed.heads["tags"].names == ("new", "red")


@pytest.mark.parametrize("wrapped", [False, True])
def test_encoded_images_go_in(wrapped):
    opencv = pytest.importorskip("cv2")
    files = [opencv.imencode(".png", np.full((4, 6, 3), i, np.uint8))[1].tobytes() for i in range(ROWS)]
    images = [{"bytes": file, "path": None} for file in files] if wrapped else files
    feed = feed_of({"image": images, "label": np.arange(ROWS) % 2})
    assert feed.inputs == {"image": ph.Image(224, 224, 3)}
    assert feed.peek()[0]["image"].shape == (32, 224, 224, 3)


WORDS = [["Ann", "went", "home"], ["Bern", "is"]] * (ROWS // 2)
TAGS = [["person", "O", "O"], ["place", "O"]] * (ROWS // 2)


@pytest.mark.parametrize(
    ("tags", "classes"),
    [(TAGS, ("O", "person", "place")), ([[1, 0, 0], [2, -100]] * (ROWS // 2), (0, 1, 2))],
)
def test_tags_of_words_are_a_mask_of_height_1(tmp_path, tags, classes):
    frame = pd.DataFrame({"tokens": WORDS, "ner_tags": tags, "topic": ["a", "b"] * (ROWS // 2)})
    frame.to_parquet(tmp_path / "a.parquet")
    columns = describe_columns(ph.read_table(tmp_path / "a.parquet"))
    code = suggest(columns, f'pd.read_parquet("{tmp_path / "a.parquet"}")').code("")
    names = {}
    exec(code, names)
    feed = names["feed"]
    assert feed.inputs["tokens"].shape == (3,)
    assert (list(feed.heads), feed.heads["ner_tags"].names) == (["ner_tags", "topic"], classes)
    batch = next(feed.batches())
    row = int(np.flatnonzero(batch.ids % 2 == 1)[0])
    assert batch.labels["ner_tags"].shape == (32, 1, 3)
    ids = [[classes.index(one) if one in classes else None for one in tags[1]]]
    assert batch.labels["ner_tags"][row, 0, 0] == ids[0][0]
    assert batch.weights["ner_tags"][row, 0].tolist() == [1, 0 if ids[0][1] is None else 1, 0]


def test_without_a_frame_the_code_is_told():
    found = suggest([survey_values("words", WORDS), survey_values("tags", TAGS)])
    assert found.left_out == {
        "words": 'lists of words of unequal lengths; make them equal: [(list(row) + [""] * 3)[:3] for row in column]',
        "tags": 'a tag for each of `words`, as a mask of height 1; for ph.Mask(["O", "person", "place"], '
        'missing=-100), give [[([["O", "person", "place"].index(tag) for tag in row] + [-100] * 3)[:3]] for row in '
        "column]",
    }
