"""The PNG writer, read back by Pillow."""

import io

import numpy as np
import PIL.Image
import pytest

from polyhead.images.encode import data_uri, png


def read(file):
    with PIL.Image.open(io.BytesIO(file)) as image:
        image.load()
        return image.copy()


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 1), (7, 5, 3), (6, 9, 4), (40, 33, 3)])
@pytest.mark.parametrize("noisy", [True, False])
def test_every_pixel_comes_back(shape, noisy):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    if not noisy:  # as the filters for photographs like it
        pixels = (np.add.outer(np.arange(shape[0]), np.arange(shape[1]))[..., None] * 3 + pixels % 2).astype(
            np.uint8
        )
        pixels = np.broadcast_to(pixels, shape)
    image = read(png(pixels))
    assert image.mode == {1: "L", 3: "RGB", 4: "RGBA"}[shape[2]]
    assert np.array_equal(np.asarray(image).reshape(shape), pixels)


def test_a_gray_image_without_an_axis_of_channels():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(np.asarray(read(png(pixels))), pixels)


def test_a_palette_with_alpha():
    places = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    palette = [(0, 0, 0, 0), (230, 159, 0, 130), (1, 2, 3, 255)]
    image = read(png(places, palette))
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image.convert("RGBA")), np.array(palette, np.uint8)[places])


def test_smooth_pictures_get_smaller():
    smooth = np.add.outer(np.arange(128), np.arange(128))[..., None].repeat(3, 2).astype(np.uint8)
    assert len(png(smooth)) < smooth.size / 20


def test_an_address_that_holds_a_picture():
    assert data_uri(b"\x89PNG") == "data:image/png;base64,iVBORw=="
