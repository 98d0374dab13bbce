"""Pixels from outside of the image, masks with exchanged sides, and what balanced weights count."""

import numpy as np
import pytest

import polyhead as ph

pytest.importorskip("cv2", reason="opencv is not installed")

ROWS, SIZE = 4, (40, 80)
IMAGES = [np.full((*SIZE, 3), 200, np.uint8)] * ROWS
CONTAIN = ph.Image(40, 40, fit="contain")  # half of what the model gets is border
BORDER = (np.arange(40) < 10) | (np.arange(40) >= 30)


def batch_of(head, mask, image=CONTAIN, augment=(), **more):
    data = {"image": IMAGES, "mask": [mask] * ROWS, **more}
    feed = ph.Feed(data, inputs={"image": image}, heads={"mask": head}, augment=augment, batch_size=ROWS)
    found = next(iter(feed.batches()))
    return feed, found.labels["mask"], None if found.weights is None else found.weights["mask"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint16, np.int64, np.float32, bool])
def test_borders_have_no_label_where_class_0_is_a_thing(dtype):
    for head in (ph.Mask(["sky", "road"]), ph.Mask(2), ph.Mask(["background", "road"], outside="missing")):
        _, labels, weights = batch_of(head, np.ones(SIZE, dtype))
        assert (weights == ~BORDER[:, None]).all()
        assert (labels == np.where(BORDER, 0, 1)[:, None]).all()


@pytest.mark.parametrize(
    "name", ["background", "Background", "bg", "__background__", "void", "unlabelled", "None"]
)
def test_borders_are_class_0_where_it_stands_for_nothing(name):
    _, labels, weights = batch_of(ph.Mask([name, "road"]), np.ones(SIZE, np.uint8))
    assert (labels == np.where(BORDER, 0, 1)[:, None]).all()
    assert weights is None


@pytest.mark.parametrize(
    ("head", "outside"),
    [
        (ph.Mask(), 0),
        (ph.Mask(outside=1), 1),
        (ph.Mask(["a", "b"], multi=True), 0),
        (ph.Mask(["sky", "road"], outside="sky"), 0),
        (ph.Mask(["sky", "road"], outside="road"), 1),
        (ph.Mask(["sky", "road"], outside=0), 0),
        (ph.Mask(values=(0, 255)), 0),
        (ph.Mask(["sky", "road"], values=(7, 255), outside="road"), 1),
    ],
    ids=repr,
)
def test_borders_are_the_class_that_is_said(head, outside):
    values = head.values or (0, 1)
    mask = np.full((*SIZE, 2) if head.multi else SIZE, values[1], np.uint8)
    _, labels, weights = batch_of(head, mask)
    assert weights is None
    assert (labels[:, BORDER] == outside).all()
    assert (labels[:, ~BORDER] == 1).all()


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (ph.Mask(256), 255),
        (ph.Mask(300), 299),
        (ph.Mask(2, values=(-1, 255)), -1),
        (ph.Mask(2, missing=255), 1),
        (ph.Mask(outside="missing"), 1),
        (ph.Mask(missing=255), 1),
    ],
    ids=repr,
)
def test_every_class_has_its_own_value_beside_no_label(head, value):
    dtype = np.int16 if value < 0 or value > 255 else np.uint8
    _, labels, weights = batch_of(head, np.full(SIZE, value, dtype))
    assert (weights == ~BORDER[:, None]).all()
    expected = head.values.index(value) if head.values else value
    assert (labels[:, ~BORDER] == expected).all()
    assert not labels[:, BORDER].any()


@pytest.mark.parametrize("missing", [-1, -1.0, 300, 70_000, float("nan")])
@pytest.mark.parametrize("values", [None, (0, 1, 2)])
def test_borders_have_no_label_where_the_masks_type_lacks_the_missing_value(missing, values, tmp_path):
    head, mask = ph.Mask(["sky", "road", "car"], missing=missing, values=values), np.ones(SIZE, np.uint8)
    data = {"image": IMAGES, "mask": [mask] * ROWS}
    for cache in (None, tmp_path / "cache"):
        feed = ph.Feed(data, inputs={"image": CONTAIN}, heads={"mask": head}, batch_size=ROWS, cache=cache)
        batch = next(iter(feed.batches()))
        assert (batch.weights["mask"] == ~BORDER[:, None]).all()
        assert (batch.labels["mask"] == np.where(BORDER, 0, 1)[:, None]).all()
    _, labels, weights = batch_of(head, mask, ph.Image(*SIZE), [ph.Rotate(45)])
    assert 0.3 < weights.mean() < 1
    assert (labels[weights > 0] == 1).all()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_borders_are_a_class_whose_value_the_masks_type_lacks(dtype):
    head = ph.Mask(["road", "sky"], values=(1, 300), outside="sky")
    _, labels, weights = batch_of(head, np.ones(SIZE, dtype))
    assert weights is None
    assert (labels == np.where(BORDER, 1, 0)[:, None]).all()


def test_a_value_that_is_no_class_is_refused_as_ever():
    with pytest.raises(ph.DataError) as caught:
        batch_of(ph.Mask(3), np.full(SIZE, 255, np.uint8))
    assert str(caught.value) == (
        "head `mask`, row 0: expected a class id in [0, 2] in each pixel, got 255. "
        f'If 255 means "no label", say Mask(missing=255). {LIKEWISE}'
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((["sky", "car"], "tree"), "\"missing\" for no label, or a class among ['sky', 'car'], got 'tree'."),
        ((["sky", "car"], 2), "\"missing\" for no label, or a class among ['sky', 'car'], got 2."),
        ((1, True), '"missing" for no label, or a class among 0, 1, got True.'),
    ],
)
def test_what_cannot_stand_outside(options, words):
    with pytest.raises(ph.ContractError) as caught:
        ph.Mask(options[0], outside=options[1])
    assert str(caught.value) == f"Mask(outside=): expected {words}"


def test_weights_stay_one_a_row_where_nothing_comes_from_outside():
    column = [np.ones(SIZE, np.uint8), None, *[np.ones(SIZE, np.uint8)] * 2]
    for augment in ((), [ph.Flip()], [ph.Crop(0.5)], [ph.RandomResizedCrop(0.2)], [ph.Color(0.1)]):
        feed = ph.Feed(
            {"image": IMAGES, "mask": column},
            inputs={"image": ph.Image(20, 40, fit="cover")},
            heads={"mask": ph.Mask(3)},
            augment=augment,
            batch_size=ROWS,
        )
        assert next(iter(feed.batches())).weights["mask"].shape == (ROWS, 1, 1)


@pytest.mark.parametrize(
    "augment", [[ph.Rotate(45)], [ph.Scale(0.5)], [ph.Translate(0.4)], [ph.Shear(30)]], ids=str
)
def test_whatever_brings_them_in(augment):
    _, labels, weights = batch_of(ph.Mask(3), np.full(SIZE, 2, np.uint8), ph.Image(*SIZE), augment)
    assert (labels[weights > 0] == 2).all()
    assert 0.3 < weights.mean() < 1
    _, labels, weights = batch_of(
        ph.Mask(["bg", "x", "y"]), np.full(SIZE, 2, np.uint8), ph.Image(*SIZE), augment
    )
    assert weights is None
    assert set(np.unique(labels).tolist()) == {0, 2}


def test_other_rows_are_read_by_the_same_declaration():
    feed, _, _ = batch_of(ph.Mask(["sky", "road"]), np.ones(SIZE, np.uint8))
    assert repr(feed.heads["mask"]) == "Mask(['sky', 'road'], size=(40, 40))"
    other = feed.on({"image": IMAGES, "mask": [np.ones(SIZE, np.uint8)] * ROWS})
    assert (next(iter(other.batches())).weights["mask"] == ~BORDER[:, None]).all()
    plain = feed.on({"image": np.zeros((2, 40, 40, 3), np.uint8), "mask": np.ones((2, 40, 40), np.uint8)})
    assert next(iter(plain.batches())).weights["mask"].all()


def test_each_box_has_its_mask():
    data = {"image": IMAGES, "box": [[[0.0, 0, 40, 40]]] * ROWS, "mask": [[np.ones(SIZE, np.uint8)]] * ROWS}
    for head, share in ((ph.Mask(["sky", "road"], each="box"), 0.5), (ph.Mask(each="box"), 1)):
        heads = {"box": ph.Boxes(1), "mask": head}
        feed = ph.Feed(data, inputs={"image": CONTAIN}, heads=heads, batch_size=ROWS)
        assert next(iter(feed.batches())).weights["mask"].mean() == share


@pytest.mark.parametrize(
    "head",
    [
        ph.Mask(2, class_weight="balanced"),
        ph.Mask(class_weight="balanced"),
        ph.Mask(["bg", "thing"], class_weight="balanced"),
        ph.Mask(["bg", "thing"], class_weight="balanced", outside="thing"),
    ],
    ids=repr,
)
def test_balanced_weights_count_what_somebody_drew(head):
    mask = np.broadcast_to(np.arange(80) >= 20, SIZE).astype(np.uint8)  # a quarter is class 0
    feed, _, _ = batch_of(head, mask)
    assert list(feed.heads["mask"].class_weight.values()) == [2, pytest.approx(2 / 3)]


# Sides -----------------------------------------------------------------------------------------------

LIKEWISE = "Likewise all other rows that were checked."

EXCHANGED = (
    "expected a {} with the sides of its image, 80 x 40 (height x width), got {}, which has height and width "
    "exchanged. Transpose it: {}.T, or {}.transpose(1, 0, 2) where it has channels."
)


def feed_of(images, masks, head, *size):
    data = {"image": images, "mask": masks}
    return ph.Feed(data, inputs={"image": ph.Image(*size)}, heads={"mask": head}, batch_size=ROWS)


@pytest.mark.parametrize("size", [(), (16, 16)], ids=["as it is", "resized"])
@pytest.mark.parametrize("shape", [(40, 80), (20, 40), (39, 78), (40, 80, 2)], ids=str)
def test_exchanged_sides_are_refused(shape, size):
    images = np.zeros((ROWS, 80, 40, 3), np.uint8)
    heads = {3: [ph.Mask(2, multi=True), ph.Map(2)], 2: [ph.Mask(), ph.Mask(3), ph.Map()]}[len(shape)]
    for head in heads:
        with pytest.raises(ph.DataError) as caught:
            feed_of(images, np.zeros((ROWS, *shape), np.uint8), head, *size)
        word = type(head).__name__.lower()
        words = EXCHANGED.format(word, f"{shape[0]} x {shape[1]}", word, word)
        every = f" {LIKEWISE}" if size else ""  # as it is, the column has one shape
        assert str(caught.value) == f"head `mask`, row 0: {words}{every}"


def test_the_row_is_named():
    masks = (
        [np.zeros((80, 40), np.uint8)] * 2 + [np.zeros((40, 80), np.uint8)] + [np.zeros((80, 40), np.uint8)]
    )
    with pytest.raises(ph.DataError, match="head `mask`, row 2: expected a mask with the sides of its image"):
        feed_of(np.zeros((ROWS, 80, 40, 3), np.uint8), masks, ph.Mask(), 16, 16).peek()


STRETCHED = (
    "expected the aspect ratio of its image, 80 x 40 (height x width), got {}, which is stretched to it. Check that it "
    "belongs to this image; if the image was cropped or padded, do the same to the label."
)


@pytest.mark.parametrize("head", [ph.Mask(), ph.Map()], ids=repr)
@pytest.mark.parametrize("fit", ["stretch", "contain"])
def test_another_aspect_ratio_than_that_of_the_image_is_reported_once(head, fit, tmp_path):
    from PIL import Image

    files = [str(tmp_path / f"{row}.png") for row in range(ROWS)]
    for row, file in enumerate(files):
        Image.new("L", [(40, 80), (20, 41)][row % 2] if row < 2 else (40, 60)).save(file)
    images = np.zeros((ROWS, 80, 40, 3), np.uint8)
    for masks, row in ((files, 2), ([np.zeros((60, 40), np.uint8)] * ROWS, 0)):
        data = {"image": images, "mask": masks}
        inputs = {"image": ph.Image(16, 16, fit=fit)}
        with pytest.warns(ph.PolyheadWarning) as caught:
            found = list(ph.Feed(data, inputs=inputs, heads={"mask": head}, batch_size=2).batches())
        file = f", file {files[2]}" if masks is files else ""
        words = f"head `mask`, row {row}{file}: {STRETCHED.format('60 x 40')}"
        assert [str(one.message) for one in caught] == [words]
        assert [one.labels["mask"].shape for one in found] == [(2, 16, 16, 1)] * 2


def test_labels_that_were_stretched_like_the_images_before_are_not_reported(tmp_path):
    from PIL import Image

    files = [str(tmp_path / f"{row}.png") for row in range(ROWS)]
    for file in files:
        Image.new("L", (16, 16)).save(file)
    images = np.zeros((ROWS, 80, 40, 3), np.uint8)
    for masks in (files, np.zeros((ROWS, 32, 32), np.uint8)):
        assert feed_of(images, masks, ph.Mask(), 16, 16).peek()[1]["mask"].shape == (ROWS, 16, 16, 1)


@pytest.mark.parametrize(("image", "mask"), [((200, 10), (25, 1)), ((10, 200), (1, 25))], ids=str)
def test_rounding_the_shorter_side_is_no_other_aspect_ratio(image, mask, tmp_path):
    from PIL import Image

    Image.new("L", mask[::-1]).save(tmp_path / "mask.png")
    masks = [str(tmp_path / "mask.png")] * ROWS
    images = np.zeros((ROWS, *image, 3), np.uint8)
    assert feed_of(images, masks, ph.Mask(), 16, 16).peek()[1]["mask"].shape == (ROWS, 16, 16, 1)


@pytest.mark.parametrize("shape", [(80, 40), (40, 20), (160, 80), (27, 13), (32, 32)], ids=str)
def test_other_sizes_are_resized(shape):
    images = np.zeros((ROWS, 80, 40, 3), np.uint8)
    labels = next(
        iter(feed_of(images, np.ones((ROWS, *shape), np.uint8), ph.Mask(), 16, 16).batches())
    ).labels
    assert labels["mask"].shape == (ROWS, 16, 16, 1)
    assert labels["mask"].all()
