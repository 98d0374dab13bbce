"""Light: colors, blur, noise and holes, as their words say."""

import hashlib

import numpy as np
import pytest

from polyhead.augment import Blur, Color, Cutout, Noise
from polyhead.augment.color import LUMA, color_matrix, top_of

RNG = np.random.default_rng(2)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
SAME = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}
NOISE_DIGEST = "385e2ea75bd93828"


def colored(pixels, **changes):
    return Color(1).apply(pixels.copy(), color_matrix(**{**SAME, **changes})[0])


def near(found, expected, by=1):
    return abs(found.astype(float) - expected).max() <= by


def test_nothing_changes_nothing():
    assert np.array_equal(colored(RGB), RGB)
    assert np.array_equal(colored(RGB[..., :1]), RGB[..., :1])


def test_brightness_and_contrast():
    assert near(colored(RGB, brightness=1.4), (RGB * 1.4).clip(0, 255))
    assert near(colored(RGB, contrast=0.5), (RGB - 127.5) * 0.5 + 127.5)
    both = ((RGB - 127.5) * 1.5 + 127.5) * 0.8
    assert near(colored(RGB, contrast=1.5, brightness=0.8), both.clip(0, 255))


def test_saturation_and_hue_leave_luma_and_gray_alone():
    luma = RGB @ LUMA
    assert near(colored(RGB, saturation=0), np.repeat(luma[..., None], 3, 2))
    mild = (RGB / 4 + 96).astype(np.uint8)  # nothing is cut off at the ends
    for hue in (-120, 40, 180):
        turned = colored(mild, hue=hue)
        assert near(turned @ LUMA, mild @ LUMA, 1.5)
        assert abs(turned.astype(int) - mild).max() > 10
    gray = np.repeat(RGB[..., :1], 3, 2)
    assert near(colored(gray, hue=77, saturation=1.7), gray)
    assert near(colored(colored(mild, hue=100), hue=-100), mild, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_dtype_and_number_of_channels(dtype, channels):
    top = top_of(np.dtype(dtype))
    pixels = (RNG.random((9, 11, channels)) * top).astype(dtype)
    found = colored(pixels, brightness=0.7, contrast=1.3)
    expected = ((pixels / top - 0.5) * 1.3 + 0.5) * 0.7 * top
    expected = expected.clip(0, top)
    if channels == 4:
        expected[..., 3] = pixels[..., 3]
    assert found.dtype == dtype
    assert near(found, expected, 1 if top == 255 else top / 5000)
    for other in (Noise(1).apply(pixels.copy(), (0.1, 5)), Blur(1).apply(pixels, 1.0)):
        assert other.dtype == dtype
        assert other.shape == pixels.shape
        assert other.min() >= 0
        assert other.max() <= top
    if channels == 4:
        assert np.array_equal(Noise(1).apply(pixels.copy(), (0.1, 5))[..., 3], pixels[..., 3])


def test_noise_has_the_strength_that_was_asked_for():
    gray = np.full((200, 200, 3), 128, np.uint8)
    found = Noise(1).apply(gray.copy(), (0.1, 77)).astype(float) - 128
    assert abs(found.std() - 25.5) < 0.3
    assert abs(found.mean()) < 0.3
    assert np.array_equal(Noise(1).apply(gray.copy(), (0.1, 77)), Noise(1).apply(gray.copy(), (0.1, 77)))
    assert (
        abs(np.corrcoef(found.ravel(), Noise(1).apply(gray.copy(), (0.1, 78)).astype(float).ravel())[0, 1])
        < 0.02
    )


def test_noise_is_the_same_in_every_version():
    found = Noise(1).apply(np.full((16, 16, 3), 128, np.uint8), (0.1, 2**64 - 1))
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == NOISE_DIGEST


def test_blurring_spreads_and_keeps_the_sum():
    dot = np.zeros((31, 31, 1), np.float32)
    dot[15, 15] = 1
    found = Blur(1).apply(dot, 2.0)[..., 0]
    x = np.arange(31) - 15
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert np.sqrt((found.sum(0) * x**2).sum()) == pytest.approx(2, abs=0.05)
    assert Blur(1).apply(np.full((2, 1, 3), 9, np.uint8), 50).tolist() == [[[9, 9, 9]]] * 2


def test_holes_are_filled_and_cut_at_the_edge():
    holes = np.array([[0.25, 0.5, 0.5, 2.0], [-1, -1, 0.1, 0.1]])
    found = Cutout(1, fill=1).apply(np.full((10, 20, 3), 7, np.uint8), holes)
    expected = np.full((10, 20, 3), 7)
    expected[5:, 5:10] = 255
    expected[:1, :2] = 255
    assert np.array_equal(found, expected)
