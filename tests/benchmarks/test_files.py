"""The arms over files and packed formats deliver the same rows; how fast is not asked here."""

import numpy as np
import pytest

pytest.importorskip("simplejpeg", reason="simplejpeg is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")

from benchmarks.__main__ import FILE_NEEDS
from benchmarks.arms import available
from benchmarks.files.arms import ARMS, gathered
from benchmarks.files.formats import FORMATS
from benchmarks.files.rows import HEADS, SIDE, Rows, check, delivered, rows_of
from benchmarks.processes import COLD, forget
from benchmarks.running import Arm

import polyhead as ph

ROWS = 13
BESIDE = ("torch", "HF", "Ray", "webdataset", "mosaicml", "litdata")  # these begin processes of their own
FORMS = (
    "float32 (224, 224, 3); int32 (); float32 (1, 4); int32 (224, 224); float32 (1,); int32 (); float32 (4,)"
)


def in_line(names):
    return [name for name in available(names, FILE_NEEDS) if not name.startswith(BESIDE)]


@pytest.fixture(scope="module")
def data(folder):
    return Rows.of(folder)


@pytest.fixture(scope="module")
def expected(data):
    return check([gathered(data, np.arange(ROWS))], data)["proof"]


def test_the_rows_are_what_is_said_of_them(data, expected):
    assert expected["rows"] == ROWS
    assert expected["form"] == FORMS
    images, kind, box, masks, number, rows, there = gathered(data, np.arange(ROWS))
    assert images.shape == (ROWS, SIDE, SIDE, 3)
    assert 0 <= images.min() < images.max() <= 1
    for at, values in enumerate((kind, box[:, 0], masks.reshape(ROWS, -1), number)):
        assert set(there[:, at]) == {0.0, 1.0}, HEADS[at]
        assert not np.asarray(values)[there[:, at] == 0].any(), HEADS[at]
    assert (rows == np.arange(ROWS)).all()


def test_three_in_ten_labels_are_missing(tmp_path):
    np.save(tmp_path / "boxes.npy", np.zeros((4000, 8, 4), np.float32))
    data = Rows.of(tmp_path)
    shares = [
        np.mean(data.kind < 0),
        np.isnan(data.box[:, 0]).mean(),
        np.mean([mask is None for mask in data.masks]),
        np.isnan(data.number).mean(),
    ]
    assert shares == pytest.approx([0.3] * 4, abs=0.03)


@pytest.mark.parametrize("arm", in_line(ARMS))
@pytest.mark.filterwarnings("ignore")
def test_every_arm_delivers_the_same_rows(arm, data, expected):
    epochs = ARMS[arm](data, 5)
    for epoch in range(2):
        batches = list(epochs(epoch))
        sizes = [1, 4, 4, 4] if arm == "bare decoding" else [3, 5, 5]  # whose rows are not put together
        assert sorted(map(rows_of, batches)) == sizes
        assert check(batches, data)["proof"] == expected


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("arm", in_line(FORMATS))
@pytest.mark.filterwarnings("ignore")
def test_every_format_holds_the_same_rows(arm, pixels, data, expected, tmp_path):
    if arm == "polyhead store" and not hasattr(ph, "pack"):
        pytest.skip("this version of polyhead has no store")
    packed = FORMATS[arm](tmp_path / "packed", pixels)
    packed.write(data)
    found = check(packed.read(ROWS, 5)(0), data)
    assert found["proof"] == expected
    if pixels and arm != "polyhead store":
        assert found["levels"] < 0.3
        assert found["overlap"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("source", ["files", "pixels"])
def test_an_arm_answers_in_a_process_of_its_own(source, folder, expected):
    arm = Arm("plain generator", folder, source, worker="benchmarks.files.worker")
    try:
        prepared = arm.ask(do="prepare")
        assert prepared == {} if source == "files" else prepared["bytes"] >= ROWS * SIDE * SIDE * 4
        assert arm.ask(do="check", batch_size=5)["proof"] == expected
        assert arm.ask(do="open", batch_size=5)["first_batch"] > 0
        run = arm.ask(do="run", budget=0, watch=True)
        cold = arm.ask(do="cold")
    finally:
        arm.close()
    assert run["rows_per_s"] > 0
    assert run["peak_mb"] > 10
    assert "rows_per_s" in cold or cold["kept"] > COLD


def test_the_check_sees_what_is_wrong(data, expected):
    batch = delivered(gathered(data, np.arange(ROWS)))
    weights = batch[-1].copy()
    weights[0, 0] = 1 - weights[0, 0]
    assert check([(*batch[:-1], weights)], data)["proof"] != expected
    numbers = np.roll(batch[4], 1, 0)
    assert check([(*batch[:4], numbers, *batch[5:])], data)["proof"] != expected
    with pytest.raises(ValueError, match="expected boxes on the grid"):
        check([(*batch[:2], batch[2] + 0.25, *batch[3:])], data)
    with pytest.raises(ValueError, match=r"expected pixels within 3\.0 levels, got"):
        check([(1 - batch[0], *batch[1:])], data)
    with pytest.raises(ValueError, match="expected every row once, got 12 in 12"):
        check([tuple(a[1:] for a in batch)], data)


def test_files_are_dropped_from_memory(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"1" * 1_000_000)
    kept = forget([path])
    assert kept in (0, 1)  # 1 on a file system that lies in memory
    held = path.read_bytes()
    assert len(held) == 1_000_000
