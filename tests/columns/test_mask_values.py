import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes import message
from polyhead.columns.mask_values import Panoptic, Polygons, Rle


def rectangle(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def test_whole_pixels_are_filled_exactly():
    mask = Polygons((20, 30), [rectangle(3, 4, 10, 15)]).to_mask()
    assert mask.dtype == np.uint8
    assert mask.shape == (20, 30)
    assert mask.sum() == 7 * 11 == mask[4:15, 3:10].sum()


def test_a_pixel_counts_by_its_center():
    mask = Polygons((3, 3), [rectangle(0.6, 0.4, 2.6, 2.4)]).to_mask()
    assert mask.tolist() == [[0, 1, 1], [0, 1, 1], [0, 0, 0]]


def test_neighbors_share_no_pixel_and_leave_none():
    center, corners = [11.3, 9.7], [[0, 0], [24, 0], [24, 20], [0, 20]]
    parts = [Polygons((20, 24), [[center, corners[i], corners[(i + 1) % 4]]]).to_mask() for i in range(4)]
    assert (np.sum(parts, axis=0) == 1).all()


def test_what_lies_outside_is_cut_off():
    assert Polygons((5, 6), [rectangle(-9, -9, 99, 99)]).to_mask().all()
    assert Polygons((5, 6), [rectangle(-9, 1, 2, 3)]).to_mask().sum() == 4
    for outside in (rectangle(7, 0, 9, 5), rectangle(-9, 0, -1, 5), rectangle(0, 6, 5, 9)):
        assert not Polygons((5, 6), [outside]).to_mask().any()


def test_rings_are_united_and_one_that_crosses_itself_is_even_odd():
    both = Polygons((9, 9), [rectangle(0, 0, 5, 5), rectangle(3, 3, 8, 8)])
    assert both.to_mask().sum() == 25 + 25 - 4
    assert both.box().tolist() == [0, 0, 8, 8]
    twice = Polygons((9, 9), [[*rectangle(0, 0, 6, 6), [0, 0], *rectangle(2, 2, 4, 4), [2, 2]]])
    assert twice.to_mask().sum() == 36 - 4


def test_flat_rings_are_empty():
    assert not Polygons((9, 9), [[[1, 1], [5, 1], [8, 1]]]).to_mask().any()
    assert not Polygons((9, 9), [[[1.1, 1], [1.2, 8], [1.3, 1]]]).to_mask().any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-300, 2800), st.integers(-300, 2200)), min_size=3, max_size=9))
def test_every_pixel_is_as_its_center_is(corners):
    ring = np.array(corners) / 64
    y, x = np.mgrid[:30, :40] + 0.5
    inside = np.zeros((30, 40), bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        between = (min(y0, y1) <= y) & (y < max(y0, y1))
        inside ^= between & (x0 + (y - y0) * ((x1 - x0) / (y1 - y0)) <= x)
    assert np.array_equal(Polygons((30, 40), [ring]).to_mask(), inside)


def test_pillow_draws_the_same_but_for_the_border():
    Image, ImageDraw = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageDraw")
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = rng.uniform(110, 140, 40)
    ring = np.stack([200 + radius * np.cos(angles), 150 + radius * np.sin(angles)], axis=1).round() + 0.5
    image = Image.new("L", (400, 300))
    ImageDraw.Draw(image).polygon([tuple(point - 0.5) for point in ring], fill=1)
    ours, theirs = Polygons((300, 400), [ring]).to_mask(), np.asarray(image)
    grown = np.pad(ours, 1)
    near = [grown[i : i + 300, j : j + 400] for i in range(3) for j in range(3)]
    assert (theirs <= np.max(near, axis=0)).all()
    assert (theirs >= np.min(near, axis=0)).all()
    x, y = ring.T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    assert ours.sum() == pytest.approx(area, rel=0.005)


def test_run_lengths_go_down_the_columns():
    assert Rle((2, 3), [1, 2, 3]).to_mask().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert Rle((2, 3), [0, 6]).to_mask().all()
    rle = Rle((4, 5), [5, 2, 2, 2, 9])
    assert (rle.area(), rle.box().tolist(), repr(rle)) == (4, [1, 1, 3, 3], "Rle((4, 5), 4 pixels)")
    assert Rle((4, 5), [20]).box().tolist() == [0, 0, 0, 0]
    assert Rle((4, 5), np.array([19, 1], np.uint32)).area() == 1


def compressed(counts):
    """COCO's string of run lengths, written number by number."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            digit, x = x & 31, x >> 5
            more = x != (-1 if digit & 16 else 0)
            text += chr((digit | 32 if more else digit) + 48)
    return text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 40), st.integers(0, 100_000)), min_size=1, max_size=12))
def test_compressed_strings_are_the_same_run_lengths(counts):
    size = (1, sum(counts) or 1)
    counts = counts if sum(counts) else [1]
    assert Rle(size, compressed(counts)).counts.tolist() == counts
    assert Rle(size, compressed(counts).encode()).counts.tolist() == counts


def test_a_string_of_coco():
    rle = Rle((5, 5), "6230004")
    assert rle.counts.tolist() == [6, 2, 3, 2, 3, 2, 7]
    assert rle.to_mask()[1:3, 1:4].all()
    assert rle.area() == 6


def test_panoptic_colors_are_ids():
    colors = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 0]]], np.uint8)
    found = Panoptic("a.png", (2, 2), {1: 10, 256: 20, 65536: 10})
    assert found.segments(colors).tolist() == [[1, 256], [65536, 0]]
    assert found.to_mask(colors).tolist() == [[10, 20], [10, -1]]
    assert found.to_mask(colors).dtype == np.int32


def test_values_cannot_change():
    polygons, rle = Polygons((9, 9), [rectangle(0, 0, 5, 5)]), Rle((2, 3), [6])
    with pytest.raises(ValueError, match="read-only"):
        polygons.rings[0][0] = 3
    with pytest.raises(ValueError, match="read-only"):
        rle.counts[0] = 3
    assert polygons != Polygons((9, 9), polygons.rings)
    assert len({polygons, rle}) == 2


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (
            lambda: Polygons((0, 3), [rectangle(0, 0, 1, 1)]),
            "Polygons(size=): expected (height, width) in pixels, got (0, 3).",
        ),
        (
            lambda: Polygons((3, 3), [[[0, 0], [1, 1]]]),
            "Polygons(rings=): expected rings of at least three finite corners (x, y), got [[0.0, 0.0], [1.0, 1.0]].",
        ),
        (
            lambda: Rle((2, 3), [1, 2]),
            "Rle(counts=): expected lengths of at least 0 that add up to 2 x 3 = 6, got a sum of 3.",
        ),
        (
            lambda: Rle((2, 3), [7, -1]),
            "Rle(counts=): expected lengths of at least 0 that add up to 2 x 3 = 6, got the length -1.",
        ),
        (
            lambda: Rle((2, 3), [1.5, 4.5]),
            "Rle(counts=): expected integers, or COCO's compressed string, got [1.5, 4.5].",
        ),
        (
            lambda: Rle((2, 3), [[1], [2, 3]]),
            "Rle(counts=): expected integers, or COCO's compressed string, got [[1], [2, 3]].",
        ),
        (lambda: Rle((2, 3), "é"), "Rle(counts=): expected COCO's compressed string, got 'é'."),
        (lambda: Rle((2, 3), "P"), "Rle(counts=): expected COCO's compressed string, got 'P'."),
        (lambda: Rle((2, 3), "o" * 20 + "0"), "Rle(counts=): expected COCO's compressed string, got"),
        (
            lambda: Rle((2, 3), ""),
            "Rle(counts=): expected lengths of at least 0 that add up to 2 x 3 = 6, got a sum of 0.",
        ),
        (
            lambda: Panoptic("a.png", (2, 2), {}).to_mask(np.zeros((2, 3, 3), np.uint8)),
            "file a.png: expected RGB pixels, uint8 of shape (2, 2, 3), as in the annotation, got",
        ),
        (
            lambda: Panoptic("a.png", (1, 1), {5: 1}).to_mask(np.full((1, 1, 3), 1, np.uint8)),
            "file a.png: the PNG has segments that the annotation doesn't list: [65793].",
        ),
    ],
)
def test_what_is_no_mask_is_said(work, words):
    assert message(work).startswith(words)
