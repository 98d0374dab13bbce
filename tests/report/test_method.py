"""`feed.preview`, as users call it."""

import numpy as np
import pytest

import polyhead as ph


@pytest.fixture
def feed():
    data = {"x": np.arange(12.0), "kind": ["a", "<script>", None] * 4}
    return ph.Feed(data, inputs="x", heads={"kind": ph.Categorical()}, batch_size=4)


def test_a_page_is_written_and_names_are_text(feed, tmp_path):
    seen = feed.preview(tmp_path / "page.html", n=3)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert repr(seen) == "Preview(3 samples: x, kind)"
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_a_contact_sheet_is_written(feed, tmp_path):
    images = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    feed.preview(tmp_path / "sheet.png", n=4)
    with images.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 50


def test_another_ending_is_refused(feed, tmp_path):
    with pytest.raises(ph.ContractError, match=r"preview\(path\): expected"):
        feed.preview(tmp_path / "page.pdf")
