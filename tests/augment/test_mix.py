"""What MixUp, CutMix and Mosaic draw: pinned, distributed as they say, the same whatever else runs."""

import numpy as np
import pytest

from polyhead.augment import CutMix, MixUp, Mosaic
from polyhead.augment.mix import beta_shares
from polyhead.errors import ContractError
from polyhead.hashing import stream, uniform

ROWS, SIZE = 1000, (48, 64)
MIXERS = [MixUp(0.2), CutMix(1.0, p=1.0), Mosaic(p=1.0)]


def draw(one, ids, seed=7, epoch=0, rows=ROWS):
    return one.draw(seed, epoch, np.asarray(ids), stream(one.stream_name), rows, SIZE)


def test_draws_are_the_same_in_every_version():
    ids, mixing = draw(MixUp(0.2), [3, 4, 999], epoch=2)
    assert ids.tolist() == GOLDEN_MIXUP[0]
    np.testing.assert_allclose(mixing.shares[0], GOLDEN_MIXUP[1], rtol=1e-9)
    ids, mixing = draw(CutMix(p=1.0), [3, 4, 999], epoch=2)
    assert (ids.tolist(), mixing.patches[1].tolist()) == GOLDEN_CUTMIX
    ids, mixing = draw(Mosaic(p=1.0), [3], epoch=2)
    assert (ids[:, 0].tolist(), mixing.patches[:, 0].tolist(), mixing.shifts[:, 0].tolist()) == GOLDEN_MOSAIC


@pytest.mark.parametrize("one", MIXERS, ids=repr)
def test_draws_are_those_of_seed_epoch_and_row(one):
    ids, mixing = draw(one, np.arange(50))
    for i in (0, 7, 49):
        alone, own = draw(one, [i])
        assert np.array_equal(alone[:, 0], ids[:, i])
        assert np.array_equal(own.shares[:, 0], mixing.shares[:, i])
        if own.patches is not None:
            assert np.array_equal(own.patches[:, 0], mixing.patches[:, i])
            assert np.array_equal(own.shifts[:, 0], mixing.shifts[:, i])
    for other in (draw(one, np.arange(50), seed=8), draw(one, np.arange(50), epoch=1)):
        assert not np.array_equal(other[0], ids)


@pytest.mark.parametrize("one", MIXERS, ids=repr)
def test_the_rows_themselves_come_first_and_others_from_all_rows(one):
    own = np.arange(ROWS)
    ids, mixing = draw(one, own)
    assert ids.shape == (one.components, ROWS)
    assert np.array_equal(ids[0], own)
    assert ids.min() == 0
    assert ids.max() == ROWS - 1
    for others in ids[1:]:
        assert len(np.unique(others)) > 0.58 * ROWS  # 1 - 1/e of them, drawn with returning
    np.testing.assert_allclose(mixing.shares.sum(0), 1, atol=1e-12)
    assert mixing.shares.min() >= 0


def test_a_row_is_not_pasted_into_itself():
    """The image would be the same, but each box that the patch cuts would be two."""
    for epoch in range(10):
        ids, mixing = draw(CutMix(p=1.0), [0, 1, 2], epoch=epoch, rows=3)
        assert (mixing.shares[0] == 1).tolist() == (ids[0] == ids[1]).tolist()


@pytest.mark.parametrize("one", [MixUp(0.2, p=0.3), CutMix(p=0.3), Mosaic(p=0.3)], ids=repr)
def test_where_nothing_happens_a_row_is_all_of_itself(one):
    ids, mixing = draw(one, np.arange(ROWS))
    happens = uniform(7, 0, np.arange(ROWS), stream(one.stream_name), 1)[:, 0] < 0.3
    assert np.array_equal((ids != ids[0]).any(0), happens & (ids != ids[0]).any(0))
    assert 0.25 < (ids != ids[0]).any(0).mean() < 0.35
    assert (mixing.shares[0, ~happens] == 1).all()
    assert (mixing.shares[1:, ~happens] == 0).all()
    if mixing.patches is not None:
        assert (mixing.patches[0, ~happens] == [0, 0, 64, 48]).all()
        assert (mixing.shifts[:, ~happens][0] == 0).all()
    certain, _ = draw(type(one)(p=1.0), np.arange(ROWS))
    assert np.array_equal(certain[:, happens], ids[:, happens]), "p does not move the other draws"


@pytest.mark.parametrize(
    ("alpha", "quantile"),
    [
        (1.0, lambda u: u),
        (0.5, lambda u: np.sin(np.pi * u / 2) ** 2),
    ],
)
def test_shares_are_quantiles_where_these_are_known(alpha, quantile):
    drawn = np.linspace(0, 1, 2001)[:-1]
    np.testing.assert_allclose(beta_shares(alpha, drawn), quantile(drawn), atol=2e-8)


@pytest.mark.parametrize(
    ("alpha", "below"),
    [(2.0, lambda x: 3 * x**2 - 2 * x**3), (3.0, lambda x: 10 * x**3 - 15 * x**4 + 6 * x**5)],
)
def test_what_lies_below_a_share_is_what_was_drawn(alpha, below):
    drawn = np.linspace(0, 1, 2001)[:-1]
    np.testing.assert_allclose(below(beta_shares(alpha, drawn)), drawn, atol=2e-8)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.4, 1.0, 8.0, 100.0])
def test_shares_have_the_moments_of_their_distribution(alpha):
    found = beta_shares(alpha, (np.arange(100_000) + 0.5) / 100_000)
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert np.isclose(found.mean(), 0.5, atol=1e-6)
    assert np.isclose(found.var(), 1 / (4 * (2 * alpha + 1)), rtol=1e-4)


def test_a_pasted_rectangle_has_the_aspect_of_the_image_and_is_cut_off_at_its_edges():
    _, mixing = draw(CutMix(p=1.0), np.arange(ROWS))
    left, top, right, bottom = mixing.patches[1].T
    for low, high, side in ((left, right, 64), (top, bottom, 48)):
        assert ((low >= 0) & (low <= high) & (high <= side)).all()
    inside = (left > 0) & (right < 64) & (top > 0) & (bottom < 48)
    assert inside.sum() > 100
    assert abs((right - left) / 64 - (bottom - top) / 48)[inside].max() <= 1 / 48 + 1 / 64
    assert np.array_equal(mixing.shares[1], (right - left) * (bottom - top) / (48 * 64))
    assert np.array_equal(np.unique(mixing.shifts), [0])


def test_quarters_meet_in_the_middle_half_and_are_cut_from_anywhere():
    _, mixing = draw(Mosaic(p=1.0), np.arange(ROWS))
    x, y = mixing.patches[0, :, 2], mixing.patches[0, :, 3]
    assert (x.min(), x.max(), y.min(), y.max()) == (16, 48, 12, 36)
    covered = np.zeros((ROWS, *SIZE), int)
    for patches, shifts in zip(mixing.patches, mixing.shifts, strict=True):
        for i, (left, top, right, bottom) in enumerate(patches.tolist()):
            covered[i, top:bottom, left:right] += 1
        windows = patches - np.tile(shifts, 2)
        assert (windows >= 0).all()
        assert (windows[:, 2:] <= [64, 48]).all()
        assert {0, 64} <= set(windows[:, [0, 2]].ravel().tolist()), "to the very edges"
    assert (covered == 1).all(), "each pixel has one row"


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5)])
@pytest.mark.parametrize("one", MIXERS, ids=repr)
def test_images_of_a_few_pixels(one, size):
    ids, mixing = one.draw(0, 0, np.arange(9), stream("any"), 9, size)
    images = np.arange(9 * size[0] * size[1], dtype="float32").reshape(9, *size)
    found = mixing.image(images[ids])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(mixing.shares.sum(0), 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MixUp(0), "MixUp(alpha=): expected a number in (0, 100], got 0."),
        (lambda: MixUp(True), "MixUp(alpha=): expected a number in (0, 100], got True."),
        (lambda: CutMix(101), "CutMix(alpha=): expected a number in (0, 100], got 101."),
        (lambda: Mosaic(p=2), "Mosaic(p=): expected a number in [0, 1], got 2."),
    ],
)
def test_strengths_that_cannot_be(make, words):
    with pytest.raises(ContractError) as caught:
        make()
    assert str(caught.value) == words


GOLDEN_MIXUP = (
    [[3, 4, 999], [375, 919, 816]],
    [0.9999733730767411, 7.758743319522362e-09, 0.6005833804915356],
)
GOLDEN_CUTMIX = ([[3, 4, 999], [801, 942, 732]], [[23, 17, 61, 46], [46, 35, 64, 48], [41, 20, 64, 47]])
GOLDEN_MOSAIC = (
    [3, 487, 287, 855],
    [[0, 0, 32, 23], [32, 0, 64, 23], [0, 23, 32, 48], [32, 23, 64, 48]],
    [[-16, -19], [28, -17], [-27, 16], [7, 17]],
)
