"""What a user's ``read`` raises names the row, the file and the line."""

import pickle
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph

LINE = dict(enumerate(Path(__file__).read_text().splitlines(), 1))


class Rows(ph.Source):
    """Reads files, of which one is not there; and a table, of which one row lacks a key."""

    def __init__(self, fault):
        self.fault = fault

    def __len__(self):
        return 8

    def read(self, ids):
        if self.fault == "together" and len(ids) > 3:
            raise BufferError("too much at once")
        return {"x": np.array([self.row(int(i)) for i in ids])}

    def row(self, i):
        if i == 5 and self.fault == "file":
            Path("no/such/file.npy").read_bytes()  # the row's file
        if i == 5 and self.fault == "key":
            return {}["age"]  # the row's key
        if i == 5 and self.fault == "many lines":
            raise ValueError("one\n\n  two")  # the row's lines
        if i == 5 and self.fault == "own":
            raise ph.DataError(ph.Problem("row 5", "a row", "none"))
        return i * 1.0


def line(comment):
    return next(number for number, text in LINE.items() if text.endswith(f"# {comment}"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "file",
            "Rows.read, row 5: expected its columns, got FileNotFoundError: No such file or directory: "
            f"no/such/file.npy ({__file__}, line {line('the row' + chr(39) + 's file')}). Fix the file, or "
            "leave the row out with source.select(rows).",
        ),
        (
            "key",
            f"Rows.read, row 5: expected its columns, got KeyError: 'age' ({__file__}, line "
            f"{line('the row' + chr(39) + 's key')}). Fix read(), or leave the row out with source.select(rows).",
        ),
        (
            "many lines",
            f"Rows.read, row 5: expected its columns, got ValueError: one two ({__file__}, line "
            f"{line('the row' + chr(39) + 's lines')}). Fix read(), or leave the row out with source.select(rows).",
        ),
        ("own", "row 5: expected a row, got none."),
    ],
)
def test_the_row_is_named(fault, words):
    for read in (Rows(fault).read, Rows(fault).select([7, 5, 6]).read):
        ids = np.array([2, 1, 0]) if read.__self__.__class__ is not Rows else np.array([7, 5, 2])
        with pytest.raises(ph.DataError) as error:
            read(ids)
        assert str(error.value) == words
    assert isinstance(error.value.__cause__, (OSError, KeyError, ValueError, type(None)))


def test_rows_that_can_be_read_alone_are_named_together():
    with pytest.raises(ph.DataError) as error:
        Rows("together").read(np.arange(4))
    assert str(error.value).startswith(
        "Rows.read, rows [0, 1, 2, 3] together: expected its columns, got BufferError: too much at once"
    )
    assert str(error.value).endswith("Fix read(), or read fewer rows at once.")


def test_a_feed_says_so_too_and_catches_it():
    with pytest.raises(ph.DataError, match=r"Rows\.read, row 5: expected its columns, got KeyError: 'age'"):
        ph.Feed(Rows("key"), inputs="x", heads={"x": ph.Regression()}).peek()


def test_what_is_read_well_stays_as_it_is():
    rows = pickle.loads(pickle.dumps(Rows("nothing")))
    assert rows.read(np.array([3, 1]))["x"].tolist() == [3.0, 1.0]
    assert Rows.read.__name__ == "read"
    with pytest.raises(MemoryError):
        _ = type("Full", (Rows,), {"read": _full})(0).read(np.arange(2))


def _full(self, ids):
    raise MemoryError
