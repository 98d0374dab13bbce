"""The arms over packed pixels augment image, mask and box together; how fast is not asked here."""

import io
import json
import sys

import numpy as np
import pytest

pytest.importorskip("simplejpeg", reason="simplejpeg is not installed")
pytest.importorskip("albumentations", reason="albumentations is not installed")
pytest.importorskip("cv2", reason="OpenCV is not installed")

import cv2
from benchmarks.__main__ import FILE_NEEDS, main
from benchmarks.arms import available
from benchmarks.files import worker
from benchmarks.files.augment import Augment
from benchmarks.files.formats import FORMATS
from benchmarks.files.rows import HEADS, HEIGHT, SIDE, WIDTH, Rows, check_augmented, delivered, rows_of
from benchmarks.vision.workload import Rows as Files
from benchmarks.vision.workload import overlap
from test_files import FORMS

ROWS, BRIGHT = 13, 12
BESIDE = ("HF", "webdataset", "mosaicml", "litdata")  # these begin processes of their own
IN_LINE = [name for name in available(FORMATS, FILE_NEEDS) if not name.startswith(BESIDE)]


@pytest.fixture(scope="module")
def data(folder):
    return Rows.of(folder)


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """Dark images with one bright rectangle, which is the box and the mask as well; every third mask is missing."""
    folder = tmp_path_factory.mktemp("bright")
    rng = np.random.default_rng(3)
    low = rng.integers([180, 140], [260, 200], (BRIGHT, 2))
    boxes = np.concatenate([low, low + rng.integers([60, 50], [200, 150], (BRIGHT, 2))], 1)
    paths = [[str(folder / f"{row}.{kind}") for row in range(BRIGHT)] for kind in ("jpg", "png")]
    for row, (left, top, right, bottom) in enumerate(boxes.tolist()):
        image, mask = np.full((HEIGHT, WIDTH, 3), 25, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
        image[top:bottom, left:right], mask[top:bottom, left:right] = 230, 1
        cv2.imwrite(paths[0][row], image, [cv2.IMWRITE_JPEG_QUALITY, 98])
        cv2.imwrite(paths[1][row], mask)
    masks = [None if row % 3 == 2 else path for row, path in enumerate(paths[1])]
    files = Files(*paths, np.zeros((BRIGHT, 8, 4), np.float32))
    kind, number = np.arange(BRIGHT, dtype=np.int32) % 10, np.zeros(BRIGHT, np.float32)
    return Rows(files, kind, boxes.astype(np.float32), number, masks)


@pytest.fixture
def augmented(tmp_path):
    """What an arm delivers of some rows in one augmented epoch."""

    def read(arm, data, batch_size=5):
        FORMATS[arm](tmp_path / "packed", True).write(data)
        return list(FORMATS[arm](tmp_path / "packed", True, True).read(len(data), batch_size)(0))

    return read


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed") / "packed"
    packed = FORMATS["plain generator"](folder, True, True)
    packed.write(data)
    return check_augmented(packed.read(ROWS, 5)(0), data)["proof"]


@pytest.mark.parametrize("arm", IN_LINE)
@pytest.mark.filterwarnings("ignore")
def test_every_arm_delivers_augmented_rows_in_one_form(arm, data, expected, augmented):
    batches = augmented(arm, data)
    assert sorted(map(rows_of, batches)) == [3, 5, 5]
    found = check_augmented(batches, data)
    assert found["proof"] == expected
    assert expected["form"] == FORMS
    assert expected["rows"] == ROWS


@pytest.mark.parametrize("arm", IN_LINE)
@pytest.mark.filterwarnings("ignore")
def test_image_mask_and_box_move_together(arm, bright, augmented):
    before = bright.box * np.tile([SIDE / WIDTH, SIDE / HEIGHT], 2)
    moved = []
    for batch in map(delivered, augmented(arm, bright)):
        images, _, boxes, masks, _, rows, there = batch
        assert (there[:, HEADS.index("box")] == 1).all()
        for image, box, mask, row, masked in zip(images, boxes[:, 0], masks, rows, there[:, 2], strict=True):
            seen = image.mean(-1) > 0.45
            y, x = np.nonzero(seen)
            edges = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
            assert np.abs(edges - box).max() < 2.5, row
            if masked:
                assert overlap(mask, seen.astype(int)) > 0.95, row
            assert masked == (bright.masks[row] is not None)
            moved.append(np.abs(box - before[row]).max())
    assert len(moved) == BRIGHT
    assert min(moved) > 1


def test_a_box_that_left_the_image_is_missing():
    augment = Augment()
    corner = {"image": np.zeros((SIDE, SIDE, 3), np.uint8), "mask": None, "masked": False}
    augment.pipeline.set_random_seed(1)
    found = [augment({**corner, "box": np.float32([0, 0, 60, 45])})["box"] for _ in range(40)]
    gone = [np.isnan(box).all() for box in found]
    assert 0 < sum(gone) < 40
    inside = np.array([box for box, left in zip(found, gone, strict=True) if not left])
    assert (inside >= 0).all()
    assert (inside[:, 2:] > inside[:, :2]).all()


def test_the_check_sees_what_is_wrong(data, expected, tmp_path):
    packed = FORMATS["plain generator"](tmp_path / "packed", True, True)
    packed.write(data)
    (batch,) = map(delivered, packed.read(ROWS, ROWS)(0))
    images, kind, boxes, masks, number, rows, there = batch
    assert check_augmented([batch], data)["proof"] == expected
    other = check_augmented([(images, np.roll(kind, 1), boxes, masks, number, rows, there)], data)
    assert other["proof"] != expected
    wide = check_augmented([(images, kind, boxes, masks.astype(np.int64), number, rows, there)], data)
    assert wide["proof"] != expected
    of_box = np.arange(4) == HEADS.index("box")
    for change, message in (
        ({0: images * 255}, "images in 0-1"),
        ({2: boxes + SIDE}, "boxes inside the image"),
        ({2: boxes[..., [2, 3, 0, 1]]}, "boxes with a size"),
        ({3: np.maximum(masks, 1)}, "zeros where there is no mask"),
        ({3: masks + 8}, "class ids in masks"),
        ({3: np.zeros_like(masks)}, "masks of more than one class"),
        ({6: np.where(of_box, 1, there)}, "no box where it is missing"),
        ({6: np.where(of_box, 0, there)}, "zeros where there is no box"),
        ({2: boxes * 0, 6: np.where(of_box, 0, there)}, "80% of the boxes still there, got 0%"),
    ):
        with pytest.raises(ValueError, match=f"expected {message}"):
            check_augmented([tuple(change.get(at, a) for at, a in enumerate(batch))], data)
    with pytest.raises(ValueError, match="expected every row once, got 12 in 12"):
        check_augmented([tuple(a[1:] for a in batch)], data)
    plain = FORMATS["plain generator"](tmp_path / "packed", True).read(ROWS, ROWS)(0)
    with pytest.raises(ValueError, match=r"expected images changed by 9\.0 levels on average, got 0\."):
        check_augmented(plain, data)


def test_an_arm_answers_each_command(folder, monkeypatch):
    """In this process, as importing albumentations takes seconds; `main` below begins processes."""
    asked = [{"do": "prepare"}, {"do": "check", "batch_size": 5}, {"do": "open", "batch_size": 5}]
    asked.append({"do": "run", "budget": 0})
    lines, answers = io.StringIO("\n".join(map(json.dumps, asked))), io.StringIO()
    monkeypatch.setattr(sys, "argv", ["worker", "plain generator", str(folder), "augmented"])
    monkeypatch.setattr(sys, "stdin", lines)
    monkeypatch.setattr(sys, "stdout", answers)
    worker.main()
    prepared, found, opened, run = map(json.loads, answers.getvalue().splitlines())
    assert prepared == {}
    assert opened["first_batch"] > 0
    plain, moved = found["proof"]
    assert plain["form"] == moved["form"] == FORMS
    assert plain["hash"] != moved["hash"]
    assert found["kept"] > 0.8
    assert run["rows_per_s"] > 0


@pytest.mark.full
def test_the_section_names_the_best_peer(tmp_path, monkeypatch, capfd):
    path = tmp_path / "RESULTS.md"
    words = ["--short", "--runs", "1", "--seconds", "0", "--rows", "24", "--workload", "augmented"]
    monkeypatch.setattr(
        sys, "argv", ["python -m benchmarks", *words, "--arms", "polyhead", "--write", str(path)]
    )
    main()
    text = path.read_text()
    assert "polyhead store is " in text
    assert " times as fast as the best peer, plain generator." in text
    assert "mirrored with a chance of 0.5, turned by up to ±15°, scaled by up to ±10%, cut to 90% of" in text
    assert capfd.readouterr().out
