"""The fused loops give what NumPy gives, to the last bit."""

import subprocess
import sys

import numpy as np
import pytest

import polyhead as ph
from polyhead.kinds import _kernels


@pytest.mark.parametrize("width", [1, 7, 8, 33, 4096])
@pytest.mark.parametrize("divide", [True, False])
def test_gathering_equals_numpy(width, divide, monkeypatch):
    column = np.random.default_rng(0).integers(0, 256, (300, width), dtype=np.uint8)
    column[:256, 0] = np.arange(256)
    ids = np.random.default_rng(1).permutation(300)
    wanted = column[ids] / np.float32(255) if divide else column[ids].astype(np.float32)
    monkeypatch.setattr(_kernels, "WORTH", 1)
    for loop in (_kernels.CAST, _kernels.MULTIPLY):
        loop.wait()
    found = _kernels.gather(column, ids, np.empty, divide=divide)
    assert found.dtype == np.float32
    assert np.array_equal(found, wanted)


def test_a_feed_gives_the_same_with_kernels_and_without(monkeypatch):
    rng = np.random.default_rng(2)
    data = {
        "image": rng.integers(0, 256, (70, 8, 8, 3), dtype=np.uint8),
        "grey": rng.integers(0, 256, (70, 8, 8), dtype=np.uint8),
        "mask": rng.integers(0, 2, (70, 16, 16), dtype=np.uint8),
    }

    def epochs():
        feed = ph.Feed(
            data, inputs={"image": ph.Image(), "grey": ph.Image()}, heads={"mask": ph.Mask()}, shuffle=True
        )
        return [part for _ in range(2) for x, y in feed for part in (x["image"], x["grey"], y["mask"])]

    plain = epochs()
    monkeypatch.setattr(_kernels, "WORTH", 1)
    asked = []
    monkeypatch.setattr(
        _kernels, "gather", lambda *a, gather=_kernels.gather, **k: asked.append(1) or gather(*a, **k)
    )
    _kernels.CAST.wait(), _kernels.MULTIPLY.wait()
    fused = epochs()
    assert asked
    assert all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(plain, fused, strict=True))


def test_a_mask_that_is_not_0_or_1_is_found_though_kernels_do_not_look(monkeypatch):
    monkeypatch.setattr(_kernels, "WORTH", 1)
    _kernels.CAST.wait()
    masks = np.zeros((70, 16, 16), np.uint8)
    masks[66, 3, 3] = 255
    feed = ph.Feed({"x": np.zeros(70), "mask": masks}, inputs="x", heads={"mask": ph.Mask()})
    with pytest.raises(ph.DataError, match="head `mask`, row 66: expected 0 or 1 in each pixel, got 255"):
        list(feed)


def test_small_data_does_without_numba():
    program = (
        "import sys, numpy as np, polyhead as ph; "
        "list(ph.Feed({'x': np.zeros((9, 4, 4, 3), 'uint8')}, inputs='x', heads={})); "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
