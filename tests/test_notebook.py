"""What notebooks show of a feed, its description, a report: tables whose text is text."""

from html.parser import HTMLParser

import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import Problem
from polyhead.notebook import small_histogram

HOSTILE = "<script>alert(1)</script>"


class Cells(HTMLParser):
    """The tags of a piece of HTML, and the text of its cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


@pytest.fixture
def feed():
    kinds = [["cat", HOSTILE, "cow", "cow"][i % 4] for i in range(40)]
    data = {"x": np.zeros((40, 2)), "kind": kinds, "age": np.arange(40.0) ** 2, "sick": [True, None] * 20}
    heads = {"kind": ph.Categorical(), "age": ph.Regression(), "sick": ph.Binary()}
    return ph.Feed(data, inputs="x", heads=heads)


def test_a_feed(feed):
    named = ph.Feed({"x": np.zeros((3, 2)), HOSTILE: [1, 2, 3]}, inputs="x", heads={HOSTILE: ph.Regression()})
    found = Cells(named._repr_html_())
    assert "script" not in found.tags
    assert found.cells[4:6] == ["input", "x"]
    assert found.cells[8:10] == ["head", HOSTILE]
    assert "40 rows, 2 batches of 32, in row order" in feed._repr_html_()


def test_a_description_has_histograms(feed):
    described = feed.describe()
    assert [head.histogram for head in described.heads] == [
        (10, 10, 20),
        tuple(np.histogram(np.arange(40.0) ** 2, bins=12)[0].tolist()),
        (),
    ]
    assert str(described).splitlines()[2].endswith("▄▄█")
    found = Cells(described._repr_html_())
    assert "script" not in found.tags
    assert found.cells[5:10:4] == ["kind", "▄▄█"]


def test_the_histogram_of_tags_counts_the_rows_that_have_each():
    tags = [["a", "b"], [], None, ["c"], ["b"]]
    described = ph.Feed(
        {"x": np.zeros(5), "tag": tags}, inputs="x", heads={"tag": ph.MultiLabel()}
    ).describe()
    assert described.heads[0].histogram == (1, 2, 1)
    assert str(described).endswith("b 50.0%, a 25.0%, c 25.0%   ▄█▄")


def test_a_report():
    report = ph.Report((Problem(f"head `{HOSTILE}`", "a number", "'old'", "Say 3."),), ("head `sex` fits",))
    found = Cells(report._repr_html_())
    assert "script" not in found.tags
    assert found.cells[4:8] == [
        "problem",
        f"head `{HOSTILE}`",
        "expected a number, got 'old'",
        "Say 3.head `sex` fits",
    ]
    assert "1 problem" in report._repr_html_()
    assert "Nothing is wrong" in ph.Report()._repr_html_()


def test_small_histograms():
    assert small_histogram([]) == ""
    assert small_histogram([0, 0]) == "  "
    assert small_histogram([1, 1000]) == "▁█"
