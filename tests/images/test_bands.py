"""Images of other than 1, 3 or 4 bands, from whatever holds them, through all that happens to images."""

import io

import damage
import numpy as np
import pytest
from tiff_writer import tiff

import polyhead as ph
from polyhead.images.npy import read_npy

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")

ROWS, HIGH, WIDE = 3, 24, 30
HEADS = {"y": ph.Binary()}


def numbers(bands, dtype=np.uint8):
    return np.random.default_rng(bands).integers(0, 256, (ROWS, HIGH, WIDE, bands)).astype(dtype)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def feed(images, bands, size=(HIGH, WIDE), **options):
    rows = {"image": images, "y": np.arange(len(images)) % 2}
    return ph.Feed(
        rows, inputs={"image": ph.Image(*size, bands)}, heads=HEADS, batch_size=len(images), **options
    )


def first(images, bands, **options):
    return next(iter(feed(images, bands, **options).batches())).inputs["image"]


def sorts(pixels, folder):
    """The same images as every sort of column that holds bands."""
    paths = []
    for i, one in enumerate(pixels):
        paths.append(folder / f"{i}.npy")
        np.save(paths[-1], one)
    return {
        "array": pixels,
        "list": list(pixels),
        "TIFF": [tiff(one, compression="deflate", planar=True) for one in pixels],
        "paths of .npy": paths,
        "bytes of .npy": [npy(np.asfortranarray(one)) for one in pixels],
    }


@pytest.mark.parametrize("bands", [2, 5, 13, 130])
def test_bands_come_as_they_are_from_everything_and_back_from_stores(tmp_path, bands):
    pixels = numbers(bands)
    for name, column in sorts(pixels, tmp_path).items():
        found = first(column, bands)
        np.testing.assert_allclose(found * 255, pixels, atol=1e-4)
        store = ph.pack(feed(column, bands), tmp_path / name, progress=False)
        again = next(iter(feed(column, bands).on(store).batches())).inputs["image"]
        np.testing.assert_array_equal(again, found)
        if name not in ("array", "list"):
            kept = feed(column, bands, cache=tmp_path / f"cache of {name}")
            np.testing.assert_array_equal(next(iter(kept.batches())).inputs["image"], found)
    smaller = next(iter(feed(pixels, bands, size=(12, 15)).batches())).inputs["image"]
    mean = pixels.reshape(ROWS, 12, 2, 15, 2, bands).mean((2, 4))
    np.testing.assert_allclose(smaller * 255, mean, atol=0.51)


@pytest.mark.parametrize("bands", [2, 5, 130])
@pytest.mark.parametrize(
    "augment",
    [
        [ph.Flip(p=1.0), ph.Rotate(20), ph.Scale(0.2), ph.Shear(5), ph.Translate(0.1)],
        [ph.RandomResizedCrop(0.5)],
        [ph.Color(0.5, contrast=0.5)],
        [ph.Blur(1.5, p=1.0)],
        [ph.Cutout(0.5, p=1.0)],
        [ph.MixUp(1.0)],
        [ph.CutMix(p=1.0)],
        [ph.Mosaic(p=1.0)],
    ],
    ids=str,
)
def test_every_band_has_the_same_happen_to_it(bands, augment):
    for dtype in (np.uint8, np.float32):
        pixels = np.repeat(numbers(1), bands, 3).astype(dtype) / (255 if dtype == np.float32 else 1)
        found = first(pixels.astype(dtype), bands, augment=augment)
        assert np.ptp(found, 3).max() < 1e-6
        assert np.abs(found - first(pixels.astype(dtype), bands)).max() > 0.05  # something happened
        alone = first(pixels[..., :1].astype(dtype), 1, augment=augment)
        assert np.abs(found[..., :1] - alone).mean() < 0.02


def test_colors_mean_nothing_for_bands_and_noise_is_in_each():
    pixels = numbers(5)
    np.testing.assert_array_equal(
        first(pixels, 5, augment=[ph.Color(saturation=1.0, hue=0.5)]), first(pixels, 5)
    )
    for bands in (2, 5, 130):
        gray = np.full((ROWS, HIGH, WIDE, bands), 128, np.uint8)
        noise = first(gray, bands, augment=[ph.Noise(0.3, p=1.0)]).std((1, 2))
        assert (noise.min(1) > 0.8 * noise.max(1)).all()


REMEDY = " Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data)."


@pytest.mark.parametrize(
    ("column", "channels", "words"),
    [
        (
            numbers(5),
            None,
            "input `image`: expected 1, 3 or 4 channels last, got 24 x 30 x 5. If these are 5 bands of an image, say "
            "Image(channels=5).",
        ),
        (
            [npy(numbers(5)[0])],
            None,
            "input `image`, row 0: expected an image of 3 channels, got a file of 5 bands, which are not marked as "
            "colors. Say ph.Image(height, width, 5) to get all of them.",
        ),
        (
            [cv2.imencode(".jpg", numbers(3)[0])[1].tobytes()],
            5,
            "input `image`, row 0: expected an image of 5 bands, got a file of 3 bands. Say "
            "ph.Image(height, width, 3).",
        ),
        (
            [cv2.imencode(".png", numbers(1)[0])[1].tobytes()],
            2,
            "input `image`, row 0: expected an image of 2 bands, got a file of 1 band. Say ph.Image(height, width, 1).",
        ),
        (
            [npy(numbers(5)[0])[:-1]],
            5,
            "input `image`, row 0: expected an image with a whole header, got an .npy file that ends within its "
            f"numbers, at 3,727 bytes.{REMEDY}",
        ),
        (
            [npy(np.array(["a"]))],
            5,
            "input `image`, row 0: expected an image with a whole header, got an .npy file of <U1 of shape (1,), "
            f"rather than (H, W) or (H, W, channels).{REMEDY}",
        ),
        (
            [b"\x93NUMPY\1\0\x20\0" + b"(" * 5000],
            5,
            "input `image`, row 0: expected an image with a whole header, got an .npy file with a damaged header."
            f"{REMEDY}",
        ),
    ],
)  # fmt: skip
def test_what_has_other_bands_says_what_helps(column, channels, words):
    with pytest.raises(ph.DataError) as caught:
        feed(column, channels).peek()
    assert str(caught.value) == words


def test_formats_of_colors_hold_no_bands(tmp_path):
    for encoding in ("png", "jpeg"):
        with pytest.raises(ph.ContractError) as caught:
            ph.pack(feed(numbers(5), 5), tmp_path / encoding, encoding=encoding)
        assert str(caught.value) == (
            f"pack(encoding=): expected \"pixels\", as an image has 5 bands, got '{encoding}'."
        )


def test_masks_and_previews_of_them(tmp_path):
    ids = numbers(1)[..., 0] % 3
    rows = {"image": numbers(5), "mask": [npy(one) for one in ids.astype(np.int64)]}
    one = ph.Feed(
        rows,
        inputs={"image": ph.Image(HIGH, WIDE, 5)},
        heads={"mask": ph.Mask(3)},
        augment=[ph.Flip(p=1.0)],
        batch_size=ROWS,
    )
    found = next(iter(one.batches()))
    np.testing.assert_array_equal(found.labels["mask"], ids[:, :, ::-1])
    assert "data:image/png" in one.preview(tmp_path / "page.html", n=2).html


def test_the_numbers_of_npy_files_are_not_copied():
    data = npy(numbers(3)[0])
    assert np.shares_memory(read_npy(data), np.frombuffer(data, np.uint8))


def test_damaged_npy_files_do_no_harm():
    whole = [
        npy(numbers(5)[0]),
        npy(numbers(1)[0, ..., 0] / 255),
        npy(np.asfortranarray(numbers(3, np.int64)[0])),
    ]
    inputs = [(number, damage.damaged(number, whole), (number,)) for number in range(1500)]
    claims = b"{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000)}\n"
    inputs.append(
        ("claims much", b"\x93NUMPY\1\0" + len(claims).to_bytes(2, "little") + claims + bytes(64), (3,))
    )
    harm, memory = damage.tried(inputs)
    assert harm == {}
    assert memory < 1 << 28
