"""The declarations: checked when made, readable, and drawing what they say."""

from dataclasses import replace

import numpy as np
import pytest

from polyhead.augment import (
    Blur,
    Color,
    Crop,
    CutMix,
    Cutout,
    Flip,
    Joint,
    MixUp,
    Noise,
    RandomResizedCrop,
    Rotate,
    Scale,
    Shear,
    Translate,
)
from polyhead.errors import ContractError
from polyhead.hashing import stream, uniform
from polyhead.images import geometry as g

MANY = 4000
FRAME = np.tile([48.0, 64.0], (MANY, 1))
TARGET = (32, 32)


def moved(one, frame=FRAME):
    drawn = uniform(3, 0, np.arange(len(frame)), stream(one.stream_name), one.draws)
    matrices, after = one.move(drawn, frame, TARGET)
    return np.broadcast_to(matrices, (len(frame), 3, 3)), after, drawn


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flip(False), r"Flip\(\): expected horizontal or vertical, got neither\."),
        (lambda: Flip(0.5), r"Flip\(horizontal=\): expected True or False, got 0\.5\."),
        (lambda: Flip(p=1.5), r"Flip\(p=\): expected a number in \[0, 1\], got 1\.5\."),
        (lambda: Rotate(0), r"Rotate\(degrees=\): expected a number in \(0, 180\], got 0\."),
        (lambda: Rotate("15"), r"Rotate\(degrees=\): expected a number in \(0, 180\], got '15'\."),
        (lambda: Rotate(True), r"Rotate\(degrees=\)"),
        (lambda: Scale(1), r"Scale\(fraction=\): expected a number in \(0, 1\), got 1\."),
        (lambda: Translate(-0.1), r"Translate\(fraction=\): expected a number in \(0, 1\], got -0\.1\."),
        (lambda: Shear(45), r"Shear\(degrees=\): expected a number in \(0, 45\), got 45\."),
        (lambda: Crop(1.0), r"Crop\(fraction=\): expected a number in \(0, 1\), got 1\.0\."),
        (lambda: RandomResizedCrop(0), r"RandomResizedCrop\(area=\): expected a number in \(0, 1\], got 0\."),
        (
            lambda: RandomResizedCrop(ratio=0.5),
            r"RandomResizedCrop\(ratio=\): expected a finite number of at least 1,",
        ),
        (lambda: Color(), r"Color\(\): expected brightness, contrast, saturation or hue above 0, got none\."),
        (
            lambda: Color(np.ones(2)),
            r"Color\(brightness=\): expected a number in \[0, 1\], got array\(\[1\., 1\.\]\)\.",
        ),
        (lambda: Color(hue=0.6), r"Color\(hue=\): expected a number in \[0, 0\.5\], got 0\.6\."),
        (lambda: Blur(float("nan")), r"Blur\(sigma=\): expected a number in \(0, 100\], got nan\."),
        (lambda: Noise(2), r"Noise\(fraction=\): expected a number in \(0, 1\], got 2\."),
        (lambda: Cutout(0.2, holes=0), r"Cutout\(holes=\): expected a positive integer, got 0\."),
        (lambda: Cutout(0.2, fill=2), r"Cutout\(fill=\): expected a number in \[0, 1\], got 2\."),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ContractError, match="^" + message):
        make()


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (Flip(), "Flip()"),
        (Flip(False, True, p=0.2), "Flip(horizontal=False, vertical=True, p=0.2)"),
        (Rotate(15), "Rotate(15)"),
        (Color(hue=0.1), "Color(0.0, hue=0.1)"),
        (Cutout(0.3, p=1), "Cutout(0.3, p=1)"),
    ],
)
def test_they_read_as_they_were_written(one, text):
    assert repr(one) == text
    assert eval(text) == one
    assert hash(one) == hash(eval(text))


def test_flips_happen_as_often_as_they_should():
    matrices, _, _ = moved(Flip(True, True, p=0.3))
    for axis in (0, 1):
        assert abs((matrices[:, axis, axis] < 0).mean() - 0.3) < 0.03
    assert (moved(Flip())[0][:, 1, 1] == 1).all()


def test_angles_factors_and_distances_fill_their_range():
    matrices, _, drawn = moved(Rotate(30))
    angles = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert np.allclose(angles, (2 * drawn[:, 1] - 1) * 30)
    assert np.allclose(g.transform(matrices[0], np.array([32.0, 24.0])), [32, 24])
    factors = moved(Scale(0.2))[0][:, 0, 0]
    assert (factors.min(), factors.max()) == (pytest.approx(0.8, abs=0.01), pytest.approx(1.2, abs=0.01))
    ways = moved(Translate(0.25))[0][:, :2, 2]
    assert abs(ways).max(0).tolist() == [pytest.approx(16, abs=0.1), pytest.approx(12, abs=0.1)]
    shears = moved(Shear(20))[0]
    assert abs(shears[:, 0, 1]).max() == pytest.approx(np.tan(np.deg2rad(20)), abs=0.01)


@pytest.mark.parametrize(
    "one", [Rotate(90), Scale(0.9), Translate(1), Shear(44), Crop(0.1), RandomResizedCrop()]
)
def test_what_does_not_happen_changes_nothing(one):
    matrices, after, _ = moved(replace(one, p=0.0))
    assert np.allclose(matrices, np.eye(3))
    assert np.array_equal(after, FRAME)


@pytest.mark.parametrize("one", [Crop(0.6), RandomResizedCrop(0.1), RandomResizedCrop(0.9, ratio=3)])
def test_windows_lie_inside_the_frame(one):
    frame = np.random.default_rng(0).uniform(5, 90, (MANY, 2))
    matrices, after, _ = moved(one, frame)
    corner = -matrices[:, :2, 2][:, ::-1]
    assert (corner >= -1e-9).all()
    assert (corner + after <= frame + 1e-9).all()
    assert (after > 0).all()


def test_windows_have_the_area_and_aspect_they_should():
    square = np.full((MANY, 2), 50.0)
    _, after, _ = moved(RandomResizedCrop(0.25, ratio=1.5), square)
    share, aspect = after.prod(1) / 2500, after[:, 1] / after[:, 0]
    assert share.min() > 0.2
    assert share.max() <= 1
    assert aspect.min() >= 1 / 1.5 - 1e-9
    assert aspect.max() <= 1.5 + 1e-9
    assert (moved(Crop(0.5))[1] == FRAME * 0.5).all()


def test_parameters_of_light():
    drawn = uniform(1, 0, np.arange(MANY), 9, 9)
    keys = np.arange(MANY, dtype=np.uint64)
    plan = Joint([Blur(2.0, p=0.25)]).plan(0, range(MANY), FRAME, TARGET)
    sigmas = [sigma for sigma in plan.stages[0].photometric[0][1] if sigma is not None]
    assert abs(len(sigmas) / MANY - 0.25) < 0.03
    assert 0 < min(sigmas) <= max(sigmas) <= 2
    holes = Cutout(0.4, 2, p=1).parameters(drawn, keys)
    assert holes.shape == (MANY, 2, 4)
    assert (holes[..., 2:] - holes[..., :2]).max() <= 0.4
    strengths = list(Noise(0.2, p=1).parameters(drawn[:, :2], keys))
    assert len({key for _, key in strengths}) == MANY


def test_a_renamed_class_keeps_its_draws():
    class Own(Translate):
        """A user's own, which draws numbers of its own."""

    assert [one.stream_name for one in (Translate, MixUp, CutMix, Flip, Own)] == [
        "Shift",
        "Mixup",
        "Cutmix",
        "Flip",
        "Own",
    ]
    plan = Joint([Translate(0.2)], seed=3).plan(0, [5], [(10, 10)], (10, 10))
    drawn = uniform(3, 0, [5], stream("Shift"), 3)
    assert np.allclose(plan.matrices[0][:2, 2], 0.2 * 10 * (2 * drawn[0, 1:] - 1))
