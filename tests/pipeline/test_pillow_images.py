"""Images of Pillow in columns come as the files would that they are read from."""

import io
import sys
import types

import numpy as np
import pytest

import polyhead as ph
from polyhead.columns.image_values import identity, is_pillow
from polyhead.errors import DataError

PIL = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageOps = pytest.importorskip("PIL.ImageOps")

HIGH, WIDE = 20, 30
RNG = np.random.default_rng(0)
COLORS = PIL.fromarray(RNG.integers(0, 256, (HIGH, WIDE, 3), np.uint8))
GRAY = COLORS.convert("L")
TURNED = PIL.Exif()
TURNED[274] = 6

FILES = {
    "RGB.png": (COLORS, {}),
    "turned.png": (COLORS, {"exif": TURNED}),
    "turned.jpg": (COLORS, {"exif": TURNED}),
    "turned.tif": (COLORS, {"tiffinfo": {274: 6}}),
    "turned.webp": (COLORS, {"lossless": True, "exif": TURNED}),
    "palette.png": (COLORS.quantize(7), {}),
    "clear palette.png": (COLORS.quantize(7), {"transparency": 3}),
    "palette.gif": (COLORS, {}),
    "gray.png": (GRAY, {}),
    "clear gray.png": (GRAY.point(lambda v: v // 64), {"transparency": 2}),
    "clear color.png": (PIL.new("RGB", (WIDE, HIGH), (1, 2, 3)), {"transparency": (1, 2, 3)}),
    "LA.png": (COLORS.convert("LA"), {}),
    "RGBA.png": (COLORS.convert("RGBA"), {}),
    "one.png": (COLORS.convert("1"), {}),
    "CMYK.jpg": (COLORS.convert("CMYK"), {}),
    "CMYK.tif": (COLORS.convert("CMYK"), {}),
    "YCbCr.tif": (COLORS.convert("YCbCr"), {"compression": "jpeg"}),
    "16 bits.png": (PIL.fromarray(RNG.integers(0, 65536, (HIGH, WIDE), np.uint16)), {}),
    "float.tif": (PIL.fromarray(RNG.random((HIGH, WIDE)).astype(np.float32)), {}),
    "animation.gif": (COLORS, {"save_all": True, "append_images": [COLORS.rotate(180)]}),
    "pages.tif": (COLORS, {"save_all": True, "append_images": [COLORS.rotate(180)]}),
}


def in_memory(path):
    image = PIL.open(path)
    image.load()
    return image


def closed(path):
    with PIL.open(path) as image:
        return image


def of_bytes(path):
    return PIL.open(io.BytesIO(path.read_bytes()))


OPENED = {"lazily": PIL.open, "decoded": in_memory, "closed": closed, "of bytes": of_bytes}


@pytest.fixture
def kept():
    """Images that are closed after the test."""
    images = []
    yield images
    for image in images:
        image.close()


def batch(values, head=None, **image):
    """The image of a batch of these values; or the labels of a head of them; or the words of the error."""
    rows = {"image": values, "row": np.arange(len(values))}
    heads = {"row": ph.Regression()}
    inputs = {"image": ph.Image(HIGH, WIDE, **image)}
    if head is not None:
        rows |= {"image": np.zeros((len(values), HIGH, WIDE, 3), np.uint8), "label": values}
        heads = {"label": head}
    try:
        feed = ph.Feed(rows, inputs=inputs, heads=heads, batch_size=len(values))
        found = next(iter(feed.batches()))
    except DataError as error:
        return error.problems[0].found
    return found.inputs["image"] if head is None else found.labels["label"]


@pytest.fixture(scope="module")
def of_files():
    """Cache what `batch` returns for each file: every way to open it is compared with that."""
    kept = {}

    def found(path, head=None, **image):
        key = path.name, None if head is None else str(head), *image.items()
        if key not in kept:
            kept[key] = batch([str(path)] * 2, head, **image)
        return kept[key]

    return found


def agree(found, expected):
    if isinstance(expected, str):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("how", OPENED)
@pytest.mark.parametrize("name", FILES)
def test_images_come_as_their_files_do(tmp_path, kept, of_files, name, how):
    image, options = FILES[name]
    path = tmp_path / name
    image.save(path, **options)

    def opened(path):
        kept.append(OPENED[how](path))
        return kept[-1]

    for channels in (1, 3, 4):
        if name == "turned.jpg" and channels == 1:
            continue  # libjpeg takes the luma of the file, Pillow that of the colors
        expected = of_files(path, channels=channels)
        agree(batch([opened(path), opened(path)], channels=channels), expected)
    agree(batch([opened(path), opened(path)], ph.Mask(256)), of_files(path, ph.Mask(256)))
    colors = ph.Mask(values=[(0, 0, 0), (1, 2, 3)], missing=(255, 255, 255))
    for head in (colors, ph.Map(1, scale=1), ph.Map(3, scale=1)):
        agree(batch([opened(path)] * 2, head), of_files(path, head))


@pytest.mark.parametrize("how", OPENED)
@pytest.mark.parametrize("name", ["animation.gif", "pages.tif"])
def test_a_frame_is_that_of_the_file(tmp_path, kept, name, how):
    image, options = FILES[name]
    image.save(tmp_path / name, **options)
    for page in (0, 1):
        expected = batch([str(tmp_path / name)], page=page)
        kept.append(OPENED[how](tmp_path / name))
        agree(batch(kept[-1:], page=page), expected)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV"]
)
def test_images_that_were_made_come_as_pillow_shows_them(mode):
    between = {"La": "LA", "PA": "P", "RGBa": "RGBA"}
    image = COLORS.convert(between.get(mode, mode)).convert(mode)
    plain = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    expected = np.asarray(image.convert(plain).convert("RGB"))
    other = PIL.new(mode, (WIDE * 2, HIGH * 2))
    for values in ([image, image], [other, image]):  # of one size, and of two
        found = batch(values, channels=3)
        np.testing.assert_array_equal(np.rint(found[1] * 255), expected)


def test_what_becomes_no_colors_is_refused():
    lab = PIL.new("LAB", (WIDE, HIGH))
    with pytest.raises(DataError) as caught:
        ph.Feed(
            {"image": [COLORS, lab], "y": [0, 1]},
            inputs={"image": ph.Image(HIGH, WIDE)},
            heads={"y": ph.Binary()},
            batch_size=2,
        ).peek()
    assert str(caught.value) == (
        "input `image`, row 1: expected a whole image, got one in mode LAB, which Pillow does not turn into RGB. "
        "Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data)."
    )


def test_numbers_of_integers_and_floats_keep_their_range():
    depth = RNG.integers(-1000, 3000, (HIGH, WIDE)).astype(np.int32)
    found = batch([PIL.fromarray(depth)], channels=1, range=(-1000, 3000))
    np.testing.assert_allclose(found[0, ..., 0], (depth + 1000) / 4000, atol=1e-6)
    floats = RNG.random((HIGH, WIDE)).astype(np.float32)
    np.testing.assert_array_equal(batch([PIL.fromarray(floats)], channels=1)[0, ..., 0], floats)
    deep = RNG.integers(0, 65536, (HIGH, WIDE), np.uint16)
    np.testing.assert_allclose(batch([PIL.fromarray(deep)], channels=1)[0, ..., 0], deep / 65535, atol=1e-7)


def test_exif_turns_what_was_converted_and_not_what_was_turned(tmp_path):
    COLORS.save(tmp_path / "a.jpg", exif=TURNED)
    shown = batch([str(tmp_path / "a.jpg")])
    with PIL.open(tmp_path / "a.jpg") as image:
        agree(batch([image.convert("RGB")]), shown)
        agree(batch([ImageOps.exif_transpose(image)]), shown)


@pytest.mark.parametrize("make", ["list", "objects", "pandas", "generator"])
def test_every_sort_of_column_holds_them(make):
    pytest.importorskip("pandas")
    import pandas as pd

    palette = COLORS.quantize(5)
    values = [palette, GRAY, COLORS.convert("CMYK"), palette]
    masks = [palette] * 4
    heads = {"mask": ph.Mask(5)}
    inputs = {"image": ph.Image(HIGH, WIDE, 3)}
    rows = {"image": values, "mask": masks}
    if make == "objects":
        rows = {name: np.array([*column, None], object)[:4] for name, column in rows.items()}
    elif make == "pandas":
        rows = pd.DataFrame(rows)
    elif make == "generator":

        def batches():
            yield {"image": values, "mask": masks}

        rows = ph.from_generator(batches, length=4)
    found = next(iter(ph.Feed(rows, inputs=inputs, heads=heads, batch_size=4).batches()))
    for image, pixels in zip(values, found.inputs["image"], strict=True):
        np.testing.assert_array_equal(np.rint(pixels * 255), np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(found.labels["mask"][3], np.asarray(palette))


def test_what_is_opened_stays_as_it_is_and_what_is_drawn_on_it_counts(tmp_path):
    COLORS.save(tmp_path / "a.png")
    image = PIL.open(tmp_path / "a.png")
    agree(batch([image] * 8), batch([str(tmp_path / "a.png")] * 8))
    assert image.tile  # still not decoded
    image.paste((0, 0, 0), (0, 0, WIDE, HIGH))
    assert not batch([image]).any()
    image.close()


def test_one_whose_file_is_gone_says_what_helps(tmp_path):
    path = tmp_path / "a.png"
    COLORS.save(path)
    image = closed(path)
    path.unlink()
    with pytest.raises(DataError) as caught:
        ph.Feed(
            {"image": [image], "y": [0]},
            inputs={"image": ph.Image(HIGH, WIDE)},
            heads={"y": ph.Binary()},
            batch_size=1,
        ).peek()
    assert f"row 0, file {path}: expected an image of Pillow whose pixels can be read, got one that" in str(
        caught.value
    )
    assert str(caught.value).endswith(
        "Call image.load() before its file is closed, or give the path of the file."
    )


def test_without_a_size_it_asks_for_one():
    with pytest.raises(DataError) as caught:
        ph.Feed(
            {"image": [COLORS], "y": [0]},
            inputs={"image": ph.Image()},
            heads={"y": ph.Binary()},
            batch_size=1,
        )
    assert str(caught.value) == (
        "input `image`: expected the size of the images, got images of Pillow. Say Image(height, width): they are "
        "decoded, or resized, to it."
    )


@pytest.mark.parametrize("cached", [True, False], ids=["cache", "store"])
def test_stores_and_caches_hold_them(tmp_path, cached):
    inputs, heads = {"image": ph.Image(HIGH, WIDE)}, {"mask": ph.Mask(5)}

    def feed(images, **options):
        rows = {"image": images, "mask": [COLORS.quantize(5)] * len(images)}
        return ph.Feed(rows, inputs=inputs, heads=heads, batch_size=2, **options)

    first, second = [COLORS.convert("CMYK"), GRAY], [GRAY, COLORS.convert("CMYK")]
    for images in (first, second):  # the one is not taken for the other
        expected = next(iter(feed(images).batches()))
        if cached:
            found = feed(images, cache=tmp_path / "cache")
        else:
            store = ph.pack(feed(images), tmp_path / images[0].mode, progress=False)
            found = ph.Feed(store, inputs=inputs, heads=heads, batch_size=2)
        got = next(iter(found.batches()))
        np.testing.assert_allclose(got.inputs["image"], expected.inputs["image"], atol=1e-6)
        np.testing.assert_array_equal(got.labels["mask"], expected.labels["mask"])


def test_two_images_have_two_identities():
    palette = COLORS.quantize(5)
    recolored = palette.copy()
    recolored.putpalette(bytes(15))
    texts = {identity(one) for one in (COLORS, GRAY, palette, recolored)}
    assert len(texts) == 4
    assert identity(COLORS.copy()) == identity(COLORS)


def test_rows_without_a_declaration_are_not_packed(tmp_path):
    with pytest.raises(DataError) as caught:
        ph.pack({"image": [COLORS]}, tmp_path / "store", progress=False)
    words = str(caught.value)
    assert words.startswith(
        "column `image`, row 0: expected a value that a store can hold: numbers, text, bytes, "
    )
    assert words.endswith("Pack a Feed with a ph.Image for them, or give paths.")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (
            PIL.new("RGB", (5, 0)),
            "input `image`, row 0: expected an image, got a size of 5 x 0 pixels. "
            "Fix the file, or leave out all rows like this one: data = ph.drop_unreadable(data).",
        ),
        (
            np.zeros((0, 5, 3), np.uint8),
            "input `image`, row 0: expected an image of at least one pixel, got shape (0, 5, 3).",
        ),
    ],
)
def test_an_image_without_a_pixel_is_refused(image, words):
    with pytest.raises(DataError) as caught:
        ph.Feed(
            {"image": [image, np.asarray(COLORS)], "y": [0, 1]},
            inputs={"image": ph.Image(HIGH, WIDE)},
            heads={"y": ph.Binary()},
            batch_size=1,
        ).peek()
    assert str(caught.value) == words


def test_while_another_thread_imports_pillow_nothing_is_an_image_of_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))
    assert not is_pillow("a.jpg")
