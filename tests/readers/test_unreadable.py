"""Rows with broken images: the error that names them, and the source without them."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2", reason="opencv is not installed")
from PIL import Image

ROWS = 12
CUT, EMPTY, TEXT, GONE = 2, 5, 7, 9
"""Rows whose image is cut off, empty, a page of HTML, and not there."""


def encoded(format="JPEG", seed=0, mode="RGB", size=(48, 40), **options):
    pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def paths(tmp_path):
    """Files of images; some are broken."""
    found = []
    for i in range(ROWS):
        data = encoded(seed=i)
        data = {CUT: data[: len(data) // 2], EMPTY: b"", TEXT: b"<html>Not found</html>"}.get(i, data)
        found.append(str(tmp_path / f"{i}.jpg"))
        if i != GONE:
            (tmp_path / f"{i}.jpg").write_bytes(data)
    return found


def feed_of(rows, **more):
    options = {"batch_size": 3, "shuffle": True, "seed": 4, "workers": 0, **more}
    return ph.Feed(rows, inputs={"image": ph.Image(16, 16)}, heads={"y": ph.Binary()}, **options)


def test_the_rows_with_broken_images_are_left_out_with_one_warning(paths):
    with pytest.warns(ph.PolyheadWarning) as caught:
        rows = ph.drop_unreadable({"image": paths, "y": np.arange(ROWS) % 2})
    assert len(rows) == ROWS - 4
    assert rows.ids_of(np.arange(len(rows))).tolist() == [0, 1, 3, 4, 6, 8, 10, 11]
    (warning,) = (str(one.message) for one in caught)
    assert warning == (
        "drop_unreadable(): 4 of 12 rows left out, as an image is missing or broken: "
        + "; ".join(f"column `image`, row {i}, file {paths[i]}" for i in (CUT, EMPTY, TEXT, GONE))
        + ". print(rows.report) lists all of them."
    )
    assert [problem.rows for problem in rows.report.problems] == [(CUT,), (EMPTY,), (TEXT,), (GONE,)]
    assert "expected a whole JPEG" in str(rows.report.problems[0])
    assert rows.report.notes == ("12 rows with image decoded", "4 left out")
    assert rows.report.ok


@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
def test_epochs_workers_and_resumed_feeds_have_the_same_rows(paths):
    data = {"image": paths, "y": np.arange(ROWS) % 2}
    feed = feed_of(ph.drop_unreadable(data))

    def epoch(feed):
        return [batch.ids.tolist() for batch in feed.batches()]

    first = epoch(feed)
    assert sorted(row for rows in first for row in rows) == [0, 1, 3, 4, 6, 8, 10, 11]
    assert epoch(feed_of(ph.drop_unreadable(data), workers=2)) == first
    saved = feed.source.ids_of(np.arange(feed.num_samples))
    assert epoch(feed_of(ph.read_table(data).select(saved))) == first
    state = feed.state()
    assert epoch(feed_of(ph.drop_unreadable(data)).restore(state)) == first


def test_more_than_five_rows_are_counted_and_the_report_has_them(tmp_path):
    whole = encoded("PNG")
    data = {"image": [whole[:80] if i < 7 else whole for i in range(20)]}
    with pytest.warns(ph.PolyheadWarning, match=r"7 of 20 rows left out.*row 4; and 2 more rows\. print"):
        rows = ph.drop_unreadable(data)
    assert len(rows.report.problems) == 7


@pytest.mark.parametrize(
    "column",
    [
        lambda whole, cut: [whole, cut, whole],
        lambda whole, cut: [{"bytes": whole, "path": None}, {"bytes": cut, "path": None}, None],
        lambda whole, cut: [np.frombuffer(whole, np.uint8), np.frombuffer(cut, np.uint8), None],
        lambda whole, cut: [Image.open(io.BytesIO(whole)), Image.open(io.BytesIO(cut)), None],
    ],
    ids=["bytes", "a table of images", "arrays of bytes", "Pillow"],
)
@pytest.mark.parametrize(
    "form", [("PNG", "RGB"), ("PNG", "P"), ("JPEG", "RGB"), ("JPEG", "L"), ("WEBP", "RGB")]
)
@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
def test_images_in_every_form(column, form):
    whole = encoded(form[0], mode=form[1])
    cut = whole[: len(whole) * 2 // 3]
    try:
        photos = column(whole, cut)
    except OSError:
        pytest.skip("Pillow does not open it at all")
    rows = ph.drop_unreadable({"photo": photos, "y": [1, 2, 3]})
    assert rows.read(range(2))["y"].tolist() == [1, 3]


def test_whole_images_that_a_feed_may_refuse_stay():
    frames = [Image.new("L", (4, 4), i) for i in range(2)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    gray = encoded("PNG", mode="L")
    rows = ph.drop_unreadable({"image": [file.getvalue(), encoded("PNG", mode="RGBA"), gray, encoded()]})
    assert len(rows) == 4
    assert rows.report.problems == ()


@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
def test_masks_are_decoded_too_and_may_be_missing(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for i in range(4):
        (tmp_path / "images" / f"{i}.jpg").write_bytes(encoded(seed=i))
        data = encoded("PNG", seed=i, mode="P" if i % 2 else "L")
        if i < 3:
            (tmp_path / "masks" / f"{i}.png").write_bytes(data[: len(data) // 2] if i == 1 else data)
    found = ph.read_folder(tmp_path, masks="masks")
    rows = ph.drop_unreadable(found)
    assert rows.ids_of(np.arange(len(rows))).tolist() == [0, 2, 3]
    assert rows.report.notes == ("4 rows with image, mask decoded", "1 left out")
    assert len(ph.drop_unreadable(found, "image")) == 4


def test_the_error_of_a_feed_names_the_file_and_the_way_on(paths, tmp_path):
    remedy = "Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data)."
    for row, words in (
        (CUT, "a whole JPEG"),
        (EMPTY, "an image"),
        (TEXT, "an image"),
        (GONE, "a file that can"),
    ):
        feed = feed_of({"image": [paths[row]], "y": [1]})
        with pytest.raises(ph.DataError) as caught:
            feed.peek()
        assert str(caught.value).startswith(f"input `image`, row 0, file {paths[row]}: expected {words}")
        assert str(caught.value).endswith(remedy)
    whole = encoded("PNG", mode="L", size=(96, 80))
    (tmp_path / "right.png").write_bytes(whole)
    mask = tmp_path / "mask.png"
    mask.write_bytes(whole[:900] + bytes(400) + whole[1300:])
    data = {"image": [paths[0]] * 2, "mask": [str(tmp_path / "right.png"), str(mask)]}
    feed = ph.Feed(
        data, inputs={"image": ph.Image(16, 16)}, heads={"mask": ph.Mask(256, size=(16, 16))}, batch_size=2
    )
    with pytest.raises(ph.DataError) as caught:
        feed.peek()
    assert str(caught.value).startswith(f"head `mask`, row 1, file {mask}: expected a whole PNG")
    assert str(caught.value).endswith(remedy)


@pytest.mark.filterwarnings("ignore::polyhead.PolyheadWarning")
@pytest.mark.parametrize(
    "form",
    [
        lambda paths: paths,
        lambda paths: [Path(path) for path in paths],
        np.array,
        lambda paths: [None if row == GONE else Path(path).read_bytes() for row, path in enumerate(paths)],
        lambda paths: str(Path(paths[0]).parent),
        lambda paths: Path(paths[0]).parent,
    ],
    ids=["list", "paths", "array", "bytes", "folder", "path"],
)
def test_images_by_themselves(paths, form):
    data = form(paths)
    rows = ph.drop_unreadable(data)
    assert rows.columns == ("image",)
    broken = (
        3 if isinstance(data, (str, Path)) or isinstance(data[0], bytes) else 4
    )  # a folder has no missing file
    assert len(rows.report.problems) == broken
    if isinstance(data, (str, Path)):
        names = [Path(path).name for path in rows.read(range(len(rows)))["image"]]
        assert names == ["0.jpg", "1.jpg", "10.jpg", "11.jpg", "3.jpg", "4.jpg", "6.jpg", "8.jpg"]
    else:
        kept = [row for row in range(ROWS) if row not in (CUT, EMPTY, TEXT) and (broken == 3 or row != GONE)]
        assert rows.ids_of(np.arange(len(rows))).tolist() == kept
    feed = ph.Feed(rows.select(range(2)), inputs={"image": ph.Image(8, 8)}, heads={})
    assert feed.peek()[0]["image"].shape == (2, 8, 8, 3)


def test_a_folder_without_images_and_lists_of_other_values_are_refused(tmp_path):
    with pytest.raises(ph.DataError, match="expected images in it, got none"):
        ph.drop_unreadable(tmp_path)
    for data in ([1, 2], [np.zeros((4, 4, 3))], np.zeros((2, 4, 4, 3), np.uint8)):
        with pytest.raises(ph.DataError, match="Give names: "):
            ph.drop_unreadable(data)


def test_data_that_is_broken_altogether_is_refused(paths):
    with pytest.raises(
        ph.DataError, match=re.escape("got 2 of 3 rows with one that is missing or broken")
    ) as caught:
        ph.drop_unreadable({"image": [paths[CUT], paths[GONE], paths[0]]})
    assert len(caught.value.problems) == 3
    with pytest.raises(
        ph.DataError, match="expected a column of images among x, name, got none whose first rows"
    ):
        ph.drop_unreadable({"x": [1, 2], "name": ["a.jpg", b"cat"]})
    with pytest.raises(ph.DataError, match="no such column"):
        ph.drop_unreadable({"image": paths}, ["photo"])
    stream = ph.from_generator(lambda: iter([(np.zeros((2, 3)), np.zeros(2))]), length=2)
    with pytest.raises(ph.DataError, match="Leave such images out in the generator"):
        ph.drop_unreadable(stream)
