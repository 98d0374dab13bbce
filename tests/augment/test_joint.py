"""Several augmentations as one: the same for any batch, folded into one matrix, light once."""

import dataclasses
import threading

import cv2
import numpy as np
import pytest
import simplejpeg

from polyhead.augment import (
    Blur,
    Color,
    Crop,
    Cutout,
    Flip,
    Joint,
    Noise,
    RandomResizedCrop,
    Rotate,
    Scale,
    Translate,
)
from polyhead.errors import ContractError
from polyhead.images import geometry
from polyhead.images.decode import Decoded, decode, upright

RNG = np.random.default_rng(8)
ALL = (
    Flip(),
    Rotate(20),
    Scale(0.2),
    RandomResizedCrop(0.5),
    Color(0.2, 0.2, 0.2, 0.05),
    Blur(1),
    Noise(0.05),
    Cutout(0.3),
)
IMAGE = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
GOLDEN = [
    [[0.74217447, 0.01666326, -2.6200967], [-0.0198423, 0.88376768, 3.60324007]],
    [[0.61458886, -0.06426464, -5.73982641], [0.08319859, 0.79566198, -4.08364518]],
]


def test_without_augmentations_it_is_a_resize_and_a_copy_where_sizes_agree():
    plan = Joint().plan(0, [4], [(40, 60)], (40, 60))
    assert np.array_equal(plan.image(0, IMAGE), IMAGE)
    assert not np.shares_memory(plan.image(0, IMAGE), IMAGE)
    assert np.array_equal(plan.mask(0, IMAGE[..., 0]), IMAGE[..., 0])
    boxes, kept = plan.boxes(0, [[1, 2, 30, 40]])
    assert boxes.tolist() == [[1, 2, 30, 40]]
    assert kept.tolist() == [True]
    half = Joint().plan(0, [4], [(40, 60)], (20, 30))
    assert half.points(0, [[30, 20]])[0].tolist() == [[15, 10]]
    assert half.at_least(0) == (15, 23)  # 3/4 of what is shown: half of the image is not enough
    mean = IMAGE.reshape(20, 2, 30, 2, 3).mean((1, 3))
    assert abs(half.image(0, IMAGE) - mean).max() <= 1


def test_a_sample_becomes_the_same_in_any_batch_and_thread():
    joint = Joint(ALL, seed=5)
    ids, sizes = [9, 2, 77, 10**12], [(40, 60), (64, 64), (40, 60), (31, 17)]
    images = [RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    plan = joint.plan(3, ids, sizes, (32, 48))
    together = [plan.image(i, images[i]) for i in range(4)]
    for i in range(4):
        alone = Joint(ALL, seed=5).plan(3, [ids[i]], [sizes[i]], (32, 48))
        assert np.array_equal(alone.image(0, images[i]), together[i])
        assert np.array_equal(alone.matrices[0], plan.matrices[i])
    found = {}

    def work(i):
        for _ in range(20):
            found.setdefault(i, []).append(plan.image(i, images[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert all(np.array_equal(image, together[i]) for i in range(4) for image in found[i])
    for other in (joint.plan(4, ids, sizes, (32, 48)), Joint(ALL, seed=6).plan(3, ids, sizes, (32, 48))):
        assert not np.allclose(other.matrices, plan.matrices)


def test_matrices_are_the_same_in_every_version():
    plan = Joint([Flip(), Rotate(20), Translate(0.1), RandomResizedCrop(0.5)], seed=1).plan(
        0, [0, 1], [(40, 60)] * 2, (32, 32)
    )
    assert np.allclose(plan.matrices[:, :2], GOLDEN, atol=1e-6)


def test_changing_one_augmentation_leaves_the_draws_of_others():
    def angle(augmentations):
        matrix = Joint(augmentations, seed=1).plan(0, [5], [(50, 50)], (50, 50)).matrices[0]
        return np.arctan2(matrix[1, 0], matrix[0, 0])

    alone = angle([Rotate(20)])
    assert angle([Color(0.1), Scale(0.3), Rotate(20)]) == pytest.approx(alone)
    assert angle([Rotate(20), Translate(0.3), Noise(0.1)]) == pytest.approx(alone)
    assert angle([Rotate(40, p=0.999)]) == pytest.approx(2 * alone)
    assert angle([Rotate(20), Rotate(20)]) != pytest.approx(2 * alone)


def test_a_reduced_jpeg_lands_where_the_whole_one_does():
    y, x = np.mgrid[0:403, 0:601]
    pixels = np.stack([x * 255 / 601, y * 255 / 403, np.full_like(x, 90)], 2).astype(np.uint8)
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=97, colorsubsampling="444")
    plan = Joint([Flip(), Rotate(20)], seed=2).plan(0, [1], [(403, 601)], (60, 60))
    least = plan.at_least(0)
    reduced = decode(data, at_least=least)
    assert reduced.scale == 0.125
    assert reduced.pixels.shape[0] >= least[0]
    found, expected = plan.image(0, reduced), plan.image(0, decode(data))
    assert np.abs(found.astype(int) - expected).mean() < 1.5


@pytest.mark.parametrize("size", [(400, 600), (401, 603), (404, 598)])
def test_a_whole_frame_is_resized_as_its_matrix_has_it(size):
    """With a file that is decoded at half its size, and one whose last pixels then show less than others."""
    pixels = cv2.resize(RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8), size[::-1])
    reduced = decode(simplejpeg.encode_jpeg(pixels, quality=95), at_least=(150, 160))
    assert reduced.scale == 0.5
    plan = Joint().plan(0, [1], [size], (180, 200))
    general = dataclasses.replace(plan)
    general.__dict__["_whole"] = [False]
    assert plan._only_resized == [True]
    for image in (reduced, pixels, pixels[..., :1], pixels.astype(np.float32)):
        assert np.array_equal(plan.image(0, image), general.image(0, image))
        assert np.array_equal(plan.image(0, image, size=(60, 90)), general.image(0, image, size=(60, 90)))
    mask = RNG.integers(0, 9, (97, 130), dtype=np.uint8)
    assert np.array_equal(plan.mask(0, mask), general.mask(0, mask))
    for moved in (Joint([Flip(p=1)]), Joint([Rotate(3)]), Joint(fit="cover"), Joint(fit="contain")):
        assert moved.plan(0, [1], [size], (180, 200))._only_resized == [False]


def test_a_reduced_jpeg_is_as_sharp_as_the_whole_one():
    pixels = sum(
        cv2.resize(
            RNG.normal(0, 6 * k**0.5, (480 // k, 640 // k, 3)), (640, 480), interpolation=cv2.INTER_CUBIC
        )
        for k in (1, 2, 4, 8, 16)
    )
    pixels = np.clip(pixels + 120, 0, 255).astype(np.uint8)
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=95, colorsubsampling="444")
    for augmentations in ([], [Rotate(15), Scale(0.1), Crop(0.9)]):
        plan = Joint(augmentations, seed=2).plan(0, range(8), [(480, 640)] * 8, (224, 224))
        for i in range(8):
            reduced = decode(data, at_least=plan.at_least(i))
            assert reduced.scale == 0.5, "2.1 times too high for the output: the whole one would be halved"
            found, expected = (plan.image(i, image).astype(float) for image in (reduced, decode(data)))
            assert np.abs(found - expected).mean() < 3
            sharp = [np.abs(np.diff(image, axis=1)).mean() for image in (found, expected)]
            assert sharp[0] > 0.95 * sharp[1]
    zoomed = Joint([Crop(0.6)], seed=2).plan(0, [1], [(480, 640)], (224, 224))
    assert decode(data, at_least=zoomed.at_least(0)).scale == 1


def test_an_output_that_is_zoomed_in_needs_more_of_the_file():
    plan = Joint([Crop(0.25)], seed=2).plan(0, [1], [(400, 600)], (100, 100))
    assert plan.at_least(0) == (300, 300)
    assert Joint().plan(0, [1], [(400, 600)], (100, 100)).at_least(0, (200, 50)) == (150, 150)


def test_images_and_masks_of_other_resolutions_follow():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 20:40] = 3
    plan = Joint([Rotate(30), Scale(0.3)], seed=4).plan(0, [1], [(40, 60)], (64, 64))
    whole = plan.mask(0, mask)
    assert set(np.unique(whole)) == {0, 3}
    half = plan.mask(0, mask[::2, ::2].copy())
    assert (whole != half).mean() < 0.02
    smaller = plan.mask(0, mask, size=(32, 32))
    assert (smaller != whole[::2, ::2]).mean() < 0.03
    depth = mask.astype(np.float32)
    assert abs(plan.image(0, depth, photometric=False) - whole).mean() < 0.12
    boxes, _ = plan.boxes(0, [[20, 10, 40, 30]], size=(32, 32))
    assert np.allclose(boxes * 2, plan.boxes(0, [[20, 10, 40, 30]])[0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_targets_of_stored_pixels_are_turned_as_the_image_was(orientation):
    stored = np.zeros((40, 60), np.uint8)
    stored[5:15, 10:40] = 1
    shown = upright(stored, orientation)
    plan = Joint([Rotate(20), Flip()], seed=3).plan(
        0, [1], [shown.shape], (50, 50), orientations=[orientation]
    )
    mask = plan.mask(0, stored)
    assert abs(plan.image(0, shown * 200, photometric=False) / 200 - mask).mean() < 0.05
    as_shown = Joint([Rotate(20), Flip()], seed=3).plan(0, [1], [shown.shape], (50, 50))
    assert (mask == as_shown.mask(0, shown)).mean() > 0.995
    (box,), _ = plan.boxes(0, [[10, 5, 40, 15]])
    rows, columns = np.nonzero(mask)
    assert abs(box - [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).max() < 1.5


def test_fits():
    plan = Joint(fit="contain").plan(0, [0], [(40, 60)], (60, 60))
    found = plan.image(0, np.full((40, 60, 3), 200, np.uint8), fill=5)
    assert (found[:10] == 5).all()
    assert (found[10:50] == 200).all()
    assert plan.boxes(0, [[0, 0, 60, 40]])[0].tolist() == [[0, 10, 60, 50]]


def test_light_touches_images_alone_and_colors_are_merged():
    joint = Joint([Color(0.5), Flip(p=0), Color(0, 0.5), Noise(0.1, p=1)], seed=3)
    plan = joint.plan(0, [1], [(40, 60)], (40, 60))
    assert [type(light).__name__ for light, _ in plan.stages[0].photometric] == ["Color", "Noise"]
    assert not np.array_equal(plan.image(0, IMAGE), IMAGE)
    assert np.array_equal(plan.image(0, IMAGE, photometric=False), IMAGE)
    assert np.array_equal(plan.mask(0, IMAGE), IMAGE)
    gray = plan.image(0, IMAGE[..., 0])
    assert gray.shape == (40, 60)
    with pytest.raises(
        ContractError, match=r"expected images of uint8, uint16 or floats, got int32\. Use photometric=False"
    ):
        plan.image(0, IMAGE.astype(np.int32))


def test_inputs_are_not_written_into():
    image = IMAGE.copy()
    image.setflags(write=False)
    for seed in range(10):
        plan = Joint([Cutout(0.5, p=1), Noise(0.2, p=1), Color(0.2)], seed=seed).plan(
            0, [1], [(40, 60)], (40, 60)
        )
        plan.image(0, image)
    assert np.array_equal(image, IMAGE)


def test_what_is_no_augmentation_is_refused():
    with pytest.raises(
        ContractError,
        match=r"expected augmentations such as Flip\(\), got .*abs.* at position 1\. Wrap a fun",
    ):
        Joint([Flip(), abs])
    with pytest.raises(ContractError, match=r"at position 0\. Give its augmentations one by one\."):
        Joint([[Flip()]])
    with pytest.raises(ContractError, match=r"fit: expected one of stretch, contain, cover, got .squash."):
        Joint(fit="squash")
    with pytest.raises(ContractError, match=r"min_visible: expected a number in \[0, 1\], got 2"):
        Joint(min_visible=2)
    assert repr(Joint([Flip(), Rotate(3)], seed=2)) == "Joint([Flip(), Rotate(3)], seed=2)"


def test_decoded_images_of_another_size_show_the_same_frame():
    plan = Joint([Rotate(30)], seed=4).plan(0, [1], [(40, 60)], (40, 60))
    double = Decoded(IMAGE.repeat(2, 0).repeat(2, 1), (80, 120))
    found, expected = plan.image(0, double), plan.image(0, IMAGE)
    assert abs(found[10:-10, 15:-15].astype(int) - expected[10:-10, 15:-15]).mean() < 20
    assert np.allclose(
        geometry.transform(plan._image_matrix(0, double, (40, 60)), np.array([60.0, 40])), [30, 20]
    )
