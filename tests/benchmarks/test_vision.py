"""The arms over files deliver what they should; how fast is not asked here."""

import numpy as np
import pytest
from benchmarks.running import Arm

pytest.importorskip("simplejpeg", reason="simplejpeg is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")

from benchmarks.vision import alone
from benchmarks.vision.arms import ARMS, LIMITS, available, delivered, rows_of
from benchmarks.vision.workload import BOXES, HEIGHT, SIDE, WIDTH, Rows, check, make

ROWS = 9
BESIDE = ("worker", "processes", "Keras")  # what is run in a process of its own: see below
IN_LINE = [
    name for name in available() if name.startswith("polyhead") or not any(word in name for word in BESIDE)
]


@pytest.fixture(scope="module")
def data(folder):
    return Rows.of(folder)


def test_the_files_are_what_is_said_of_them(data):
    assert len(data) == ROWS
    image, mask, boxes = data.sample(3, half=False)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert set(np.unique(mask)) <= set(range(8))
    assert boxes.shape == (BOXES, 4)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    with open(data.images[3], "rb") as file:
        assert 150_000 < len(file.read()) < 182_000
    assert data.sample(3, half=True)[0].shape == (HEIGHT // 2, WIDTH // 2, 3)


def test_photographs_are_cut_and_encoded_alike(data, tmp_path):
    photographs, made = tmp_path / "photographs", tmp_path / "made"
    photographs.mkdir()
    made.mkdir()
    with open(data.images[0], "rb") as file:
        (photographs / "one.jpg").write_bytes(file.read())
    rows = make(made, 2, photographs)
    assert rows.sample(1, half=False)[0].shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("arm", IN_LINE)
@pytest.mark.filterwarnings("ignore")
def test_every_arm_delivers_every_row_once_and_the_reference_where_nothing_is_augmented(arm, data):
    for augmented in (False, True):
        batches = list(ARMS[arm](data, 4, augmented)(0))
        assert sorted(map(rows_of, batches)) == [1, 4, 4]
        found = check(map(delivered, batches), data, augmented)
        assert found["rows"] == ROWS
        assert found["form"].startswith(
            "images float32 (224, 224, 3); masks int32 (224, 224); boxes float32 (8, 4)"
        )


# a process takes seconds to begin; the arms that work in line are run above
ALONE = ("polyhead, workers=auto", "DataLoader + albumentations, 2 workers")


@pytest.mark.slow
@pytest.mark.parametrize(
    "arm",
    [
        name if name in ALONE else pytest.param(name, marks=pytest.mark.full)
        for name in available()
        if "processes" not in name
    ],
)
def test_every_arm_answers_in_a_process_of_its_own(arm, folder):
    process = Arm(arm, folder, worker="benchmarks.vision.worker")
    try:
        assert process.ask(do="check", batch_size=4)["plain"]["rows"] == ROWS
        first = process.ask(do="open", batch_size=4)
        run = process.ask(do="run", budget=0, watch=True)
    finally:
        process.close()
    assert first["first_batch"] > 0
    assert run["cpu_per_1000"] > 0
    assert run["peak_mb"] > 10


@pytest.mark.parametrize("limit", LIMITS)
def test_a_bare_loop_reads_every_row(limit, data):
    assert sum(map(rows_of, LIMITS[limit](data, 4, True)(0))) == ROWS


def test_the_check_sees_what_is_wrong(data):
    batches = [delivered(batch) for batch in ARMS["polyhead, workers=1"](data, 4, False)(0)]
    one = batches[0]
    with pytest.raises(ValueError, match="expected every row once, got 5 in 5"):
        check(batches[1:], data, augmented=False)
    with pytest.raises(ValueError, match=r"expected images in 0-1"):
        check(
            [type(one)(one.images * 255, one.masks, one.boxes, one.there, one.rows), *batches[1:]],
            data,
            False,
        )
    mirrored = [type(b)(b.images[:, :, ::-1], b.masks, b.boxes, b.there, b.rows) for b in batches]
    with pytest.raises(ValueError, match=r"expected pixels within 3.0 levels, got"):
        check(mirrored, data, augmented=False)
    moved = [type(b)(b.images, np.roll(b.masks, 9, 2), b.boxes, b.there, b.rows) for b in batches]
    with pytest.raises(ValueError, match=r"expected masks that overlap by 0.9, got"):
        check(moved, data, augmented=False)
    shifted = [type(b)(b.images, b.masks, np.minimum(b.boxes + 1, SIDE), b.there, b.rows) for b in batches]
    with pytest.raises(ValueError, match=r"expected boxes of the reference, got 1.0000 pixels away"):
        check(shifted, data, augmented=False)


@pytest.mark.filterwarnings("ignore")
def test_augmentation_alone_gives_a_table(data):
    lines = alone.table(data.some(2), 1).splitlines()
    assert len(lines) == 10
    assert all("times as fast" in line for line in lines[4:])
