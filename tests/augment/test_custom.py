"""Functions of the user's, and pipelines in the manner of albumentations.

Albumentations itself is no dependency: a stand-in speaks its protocol, that of version 2.0.8: attributes
``transforms`` and ``processors``, ``set_random_seed``, and a call with ``image``, ``mask``, ``bboxes`` and
``keypoints`` that drops what is gone, and counts keypoints from the middle of the first pixel. The library itself is
tried in `test_albumentations`.
"""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from polyhead.augment import Apply, Color, Flip, Joint, Rotate
from polyhead.augment.sample_transform import TransformOptions, transform_sample
from polyhead.errors import ContractError, DataError, PolyheadWarning

RNG = np.random.default_rng(8)
IMAGE = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
MASK = RNG.integers(0, 5, (20, 30), dtype=np.int32)
BOXES = np.array([[1.0, 2, 10, 12], [np.nan] * 4, [20, 3, 29, 18]])
POINTS = np.array([[3.0, 4], [28, 10]])
EVERYTHING = {"images": {"x": IMAGE}, "masks": {"m": MASK}, "boxes": {"b": BOXES}, "points": {"p": POINTS}}


def run(*augmentations, epoch=0, seed=0, **given):
    plan = Joint(augmentations, seed=seed, min_visible=0).plan(epoch, [3], [(20, 30)], (20, 30))
    return transform_sample(plan, 0, **(given or EVERYTHING))


class Pipeline:
    """Mirrors left to right, adds its own noise, drops boxes whose left end is beyond ``limit``."""

    def __init__(self, box_format="pascal_voc", label_fields=None, limit=1000):
        self.transforms = []
        params = {"bboxes": box_format, "keypoints": "xy"}
        self.processors = {
            name: SimpleNamespace(
                params=SimpleNamespace(format=f, label_fields=label_fields and [label_fields[k]])
            )
            for k, (name, f) in enumerate(params.items())
        }
        self.limit = limit
        self.threads = set()

    def set_random_seed(self, seed):
        self.rng = np.random.default_rng(seed)

    def __call__(self, image, mask=None, bboxes=None, keypoints=None, **fields):
        self.threads.add(threading.get_ident())
        assert len(self.threads) == 1
        width = image.shape[1]
        found = {"image": image[:, ::-1] ^ self.rng.integers(0, 4, image.shape, dtype=np.uint8)}
        if mask is not None:
            found["mask"] = mask[:, ::-1]
        if bboxes is not None:
            kept = [k for k, box in enumerate(bboxes) if width - box[2] <= self.limit]
            found["bboxes"] = np.array(
                [[width - bboxes[k][2], bboxes[k][1], width - bboxes[k][0], *bboxes[k][3:]] for k in kept]
            )
            found.update(
                {name: [values[k] for k in kept] for name, values in fields.items() if name == "labels"}
            )
        if keypoints is not None:
            found["keypoints"] = np.array([[width - 1 - p[0], *p[1:]] for p in keypoints])
            found.update({name: values for name, values in fields.items() if name != "labels"})
        return found


def test_a_function_sees_and_changes_everything():
    def mirror(image, mask, boxes, points):
        assert (image.shape, mask.shape, boxes.shape, points.shape) == ((20, 30, 3), (20, 30), (3, 4), (2, 2))
        boxes = np.stack([30 - boxes[:, 2], boxes[:, 1], 30 - boxes[:, 0], boxes[:, 3]], 1)
        return {
            "image": image[:, ::-1],
            "mask": mask[:, ::-1],
            "boxes": boxes,
            "points": [30, 0] + points * [-1, 1],
        }

    found, expected = run(Apply(mirror)), run(Flip(p=1))
    assert np.array_equal(found.images["x"], expected.images["x"])
    assert np.array_equal(found.masks["m"], expected.masks["m"])
    assert np.array_equal(found.boxes["b"][0], expected.boxes["b"][0], equal_nan=True)
    assert found.boxes["b"][1].tolist() == [True, False, True]
    assert np.array_equal(found.points["p"][0], expected.points["p"][0])
    assert np.array_equal(run(Apply(mirror), Flip(p=1)).images["x"], IMAGE)
    assert np.array_equal(run(Apply(mirror, p=0)).images["x"], IMAGE)


def test_a_function_of_images_alone_may_return_the_bare_array():
    depth = RNG.random((20, 30)).astype(np.float32)
    given = {
        **EVERYTHING,
        "images": {"x": IMAGE, "other": IMAGE[::-1], "depth": depth},
        "options": TransformOptions(photometric=["x", "other"]),
    }
    for negative in (lambda image: 255 - image, lambda image: {"image": 255 - image}):
        found = run(Apply(negative), **given)
        assert np.array_equal(found.images["x"], 255 - IMAGE)
        assert np.array_equal(found.images["other"], 255 - IMAGE[::-1])
        assert np.array_equal(found.images["depth"], depth)
        assert np.array_equal(found.masks["m"], MASK)


def test_a_function_of_images_alone_may_not_move_them():
    with pytest.raises(
        ContractError, match=r"`image` of shape \(20, 30, 3\), uint8 returned, got shape \(10, 30, 3\)"
    ):
        run(Apply(lambda image: image[:10]))


def test_chance_is_the_samples_own():
    def grain(image, rng):
        return image ^ rng.integers(0, 256, image.shape, dtype=np.uint8)

    first = run(Apply(grain)).images["x"]
    assert np.array_equal(run(Apply(grain)).images["x"], first)
    assert np.array_equal(run(Color(0.1, p=0), Apply(grain)).images["x"], first)
    assert not np.array_equal(run(Apply(grain), epoch=1).images["x"], first)
    assert not np.array_equal(run(Apply(grain), seed=1).images["x"], first)


def test_several_images_and_masks_come_under_their_names():
    seen = {}

    def look(image, **others):
        seen.update(others)
        return {"image": image, **others}

    instances = np.zeros((3, 20, 30), np.uint8)
    instances[2] = 1
    given = {
        **EVERYTHING,
        "images": {"x": IMAGE, "right": IMAGE},
        "masks": {"m": MASK, "instances": instances},
    }
    found = run(Apply(look), **given, options=TransformOptions(boxes_of={"instances": "b"}))
    assert sorted(seen) == ["boxes", "masks", "points", "right", "rng"]
    assert len(seen["masks"]) == 4
    assert np.array_equal(found.masks["m"], MASK)
    assert found.masks["instances"].any((1, 2)).tolist() == [False, False, True]
    assert np.array_equal(found.images["right"], IMAGE)


def test_a_function_may_change_the_size():
    def crop(image, mask, boxes, points):
        return {
            "image": image[5:15, 5:20],
            "mask": mask[5:15, 5:20],
            "boxes": boxes - 5,
            "points": points - 5,
        }

    found = run(Apply(crop), Rotate(1, p=0))
    assert found.images["x"].shape == (20, 30, 3)
    assert np.array_equal(found.masks["m"][::2, ::2], MASK[5:15, 5:20])
    assert found.points["p"][0][0].tolist() == [-4, -2]
    assert found.points["p"][1].tolist() == [False, False]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image, mask: 0, r"takes all targets of the sample, or none, got one without boxes"),
        (lambda image, **rest: None, r"expected a dict with image, mask, boxes, points returned, got NoneType"),
        (lambda image, **rest: {"image": image}, r"returned, got one without boxes, mask, points"),
        (lambda **all: {**all, "image": all["image"] / 255}, r"`image` of shape \(20, 30, 3\), uint8 returned"),
        (lambda **all: {**all, "image": all["image"][:10]}, r"`mask` of shape \(10, 30\), int32 returned"),
        (lambda **all: {**all, "boxes": all["boxes"] * np.inf}, r"finite boxes returned, or NaN .*, got infinite ones"),
        (lambda **all: {**all, "boxes": all["boxes"][:1]}, r"boxes of shape \(3, 4\) returned, got shape \(1, 4\)"),
    ],
)  # fmt: skip
def test_what_a_function_gets_wrong(function, message):
    with pytest.raises(ContractError, match=r"^Apply\(<lambda>\): .*" + message):
        run(Apply(function))


def test_what_cannot_be_applied():
    with pytest.raises(
        ContractError, match=r"Apply\(function\): expected a function or an albumentations pipeline, got 3"
    ):
        Apply(3)
    with pytest.raises(
        ContractError, match=r"Apply\(<lambda>\): expected a function that takes `image`, got \(mask\)"
    ):
        Apply(lambda mask: mask)
    with pytest.raises(
        ContractError, match=r'Apply\(Pipeline\), bboxes: expected format="pascal_voc", got .coco.'
    ):
        Apply(Pipeline("coco"))
    assert repr(Apply(run, p=0.5)) == "Apply(run, p=0.5)"


@pytest.mark.parametrize("label_fields", [None, ["labels", "names"]])
def test_a_pipeline_moves_everything_and_drops_boxes(label_fields):
    expected = run(Flip(p=1))
    found = run(Apply(Pipeline(label_fields=label_fields)))
    assert abs(found.images["x"].astype(int) - expected.images["x"]).max() <= 3
    assert np.array_equal(found.masks["m"], expected.masks["m"])
    assert np.array_equal(found.boxes["b"][0], expected.boxes["b"][0], equal_nan=True)
    assert np.array_equal(found.points["p"][0], expected.points["p"][0])
    dropped = run(Apply(Pipeline(label_fields=label_fields, limit=10)))
    assert dropped.boxes["b"][1].tolist() == [False, False, True]
    assert dropped.boxes["b"][0][2].tolist() == [1, 3, 10, 18]


def test_a_pipeline_is_seeded_for_each_sample_and_copied_for_each_thread():
    apply = Apply(Pipeline())
    plan = Joint([apply]).plan(0, [3, 4], [(20, 30)] * 2, (20, 30))
    first = [transform_sample(plan, i, images={"x": IMAGE}).images["x"] for i in range(2)]
    assert not np.array_equal(*first)
    found = {}

    def work(i):
        found[i] = [transform_sample(plan, i, images={"x": IMAGE}).images["x"] for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert all(np.array_equal(image, first[i]) for i in range(2) for image in found[i])


def test_a_pipeline_that_lacks_what_the_sample_needs():
    pipeline = Pipeline()
    del pipeline.processors["bboxes"]
    with pytest.raises(
        ContractError,
        match=r"expected a pipeline that moves boxes, got one that does not\. Give the",
    ):
        run(Apply(pipeline))
    old = SimpleNamespace(transforms=[], processors={})
    old_type = type("Old", (), {"transforms": [], "processors": {}, "__call__": lambda self, **given: given})
    assert not callable(old)
    with pytest.warns(
        PolyheadWarning, match=r"Apply\(Old\): expected a pipeline with set_random_seed, got none"
    ):
        Apply(old_type())


def test_the_input_called_image_comes_as_image():
    seen = {}

    def look(image, **others):
        seen.update(others, image=image)
        return {"image": image, **others}

    given = {**EVERYTHING, "images": {"thermal": IMAGE[..., :1], "image": IMAGE}}
    found = run(Apply(look), **given)
    assert np.array_equal(seen["image"], IMAGE)
    assert np.array_equal(seen["thermal"], IMAGE[..., :1])
    assert np.array_equal(found.images["thermal"], IMAGE[..., :1])
    given["images"] = {"image": IMAGE, "mask": IMAGE}
    with pytest.raises(ContractError) as raised:
        run(Apply(look), **given)
    assert str(raised.value) == (
        "input `mask`: expected another name, as Apply calls its own keywords mask, masks, maps, boxes, points and "
        'rng, got `mask`. Give it another name, with column= for where it is: {"lit": ph.Image(column=...)}.'
    )


def failing(image):
    raise KeyError("color")


@pytest.mark.parametrize("where", ["", "input `image`, row 7"])
def test_an_error_of_the_function_says_where_it_was_and_what_to_do(where):
    with pytest.raises(DataError) as raised:
        run(Apply(failing), **EVERYTHING, where=where)
    line = failing.__code__.co_firstlineno + 1
    assert str(raised.value) == (
        f"Apply(failing){', ' if where else ''}{where}: expected a sample returned, got KeyError: 'color' "
        f"({__file__}, line {line}). Fix the function for rows like this one, or leave the row out with "
        "source.select(...)."
    )
    assert isinstance(raised.value.__cause__, KeyError)


def with_boxes(image, boxes, points=None):
    return {"image": image, "boxes": boxes, "points": points}


def with_boxes_or_none(image, boxes=None, points=None):
    return {"image": image[::-1], "boxes": boxes, "points": points}


def test_a_row_without_boxes_wants_a_default():
    given = {"images": {"x": IMAGE}, "points": {"p": POINTS}, "where": "input `image`, row 7"}
    with pytest.raises(DataError) as raised:
        run(Apply(with_boxes), **given)
    assert str(raised.value).endswith(
        ". A row without labels has no boxes: give them a default, boxes=None, and return None for them."
    )
    found = run(Apply(with_boxes_or_none), **given)
    assert np.array_equal(found.images["x"], IMAGE[::-1])


def test_what_a_function_gets_wrong_says_where():
    with pytest.raises(
        ContractError, match=r"^Apply\(<lambda>\), input `image`, row 7: expected a dict with image"
    ):
        run(Apply(lambda image, **rest: None), **EVERYTHING, where="input `image`, row 7")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            lambda image: image.transpose(2, 0, 1),
            "got shape (3, 20, 30), uint8. Return it with channels last, image.transpose(1, 2, 0); polyhead makes "
            "the tensors itself.",
        ),
        (
            lambda image: image.tolist(),
            "got shape (20, 30, 3), list. Return NumPy arrays; polyhead makes the tensors itself.",
        ),
        (
            lambda image: image[..., 0],
            "got shape (20, 30), uint8. Keep as many channels, as image[..., None].repeat(3, axis=2) does for gray.",
        ),
        (
            lambda image: image / np.float32(255),
            "got shape (20, 30, 3), float32. Give back the dtype that came: ph.Image scales to 0–1, and the model may "
            "go on, as keras.layers.Normalization does.",
        ),
        (lambda image: image[:10], "got shape (10, 30, 3), uint8."),
    ],
)
def test_an_image_of_another_form_is_told_with_what_to_do(function, words):
    with pytest.raises(ContractError) as error:
        Apply(function).run(0, {"image": np.zeros((20, 30, 3), np.uint8)})
    start = "Apply(<lambda>): expected `image` of shape (20, 30, 3), uint8 returned, "
    assert str(error.value) == start + words


def test_floats_beyond_1_by_rounding_are_clipped():
    image = np.ones((2, 2, 3), np.float32)
    brighter = Apply(lambda image: np.nextafter(image, np.float32(2)))
    assert (brighter.run(0, {"image": image})["image"] == 1).all()


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda image: image * 3, "0 to 1.5"),
        (lambda image: image - 0.5, "-0.5 to 0"),
        (lambda image: image * np.nan, "NaN"),
        (lambda image, **rest: {"image": image * 3, **rest}, "0 to 1.5"),
    ],
)
def test_floats_beyond_0_to_1_name_the_function(function, found):
    image = np.linspace(0, 0.5, 12, dtype=np.float32).reshape(2, 2, 3)
    with pytest.raises(ContractError) as error:
        Apply(function).run(0, {"image": image}, where="input `image`, row 7")
    assert str(error.value) == (
        "Apply(<lambda>), input `image`, row 7: expected `image` with pixels in 0–1 returned, got "
        f"{found}. Cut off what is beyond, np.clip(image, 0, 1), or leave scaling out: ph.Image scales to 0–1, and the "
        "model may go on, as keras.layers.Normalization does."
    )
    Apply(function).run(0, {"image": image * 9})  # the image itself is wrong, and is reported as such


KERNEL = np.ones((2, 2))  # an array is not compared with None


def test_arguments_with_a_value_are_settings_of_the_function():
    def dusk(image, rng, strength=0.5, sides=(1, 2), kernel=KERNEL):
        return (image * strength).astype(image.dtype)

    found = run(Apply(dusk), **EVERYTHING)
    assert np.array_equal(found.images["x"], (EVERYTHING["images"]["x"] * 0.5).astype(np.uint8))
    assert Apply(dusk).photometric_only
    assert not Apply(lambda image, thermal=None: image).photometric_only


def test_floats_are_cast_to_those_that_came():
    image = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    returned = Apply(lambda image: np.float64(1) - image).run(0, {"image": image})["image"]
    assert returned.dtype == np.float32
    assert np.array_equal(returned, 1 - image)


def test_functions_in_a_list():
    with pytest.raises(ContractError) as error:
        Apply([len, len])
    assert str(error.value) == (
        "Apply(function): expected a function or an albumentations pipeline, got [<built-in function len>, <built-in "
        "function len>]. Say Apply(albumentations.Compose([...])), or Apply for each function."
    )
