"""A disk without room ends in a `StoreError` that says where and what to do; a later run goes on."""

import subprocess
import sys

import pytest

LIMITED = """
import resource, sys
import numpy as np, polyhead as ph

# a limit on the size of a file is refused by the system as a full disk is; Python would cut off compiled files there
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
rng = np.random.default_rng(0)
images = rng.integers(0, 255, (64, 32, 32, 3)).astype(np.uint8)

def feed(**options):
    inputs = {"image": ph.Image(16, 16)}
    return ph.Feed({"image": images, "y": np.arange(64) % 2}, inputs=inputs, heads={"y": ph.Binary()}, **options)

try:
    if sys.argv[3] == "pack":
        ph.pack({"image": images}, sys.argv[1], progress=False)
    else:
        print(sum(len(batch.ids) for batch in feed(cache=sys.argv[1]).batches()))
except ph.StoreError as error:
    print(error)
"""


def limited(folder, size, what):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), str(size), what],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("what", "fix", "well"),
    [
        ("pack", "Free some space, or pack into another folder; the same call continues from there.", ""),
        (
            "cache",
            "Free some space, give another folder, or leave cache= out: images are then decoded in each epoch. What is "
            "in the folder is used by the next run.",
            "64",
        ),
    ],
)
def test_a_full_disk(tmp_path, what, fix, well):
    said = limited(tmp_path / "rows", 10_000, what)
    assert said.startswith(f"file {tmp_path}/rows")
    assert said.endswith(f": writing failed: File too large. {fix}")
    assert limited(tmp_path / "rows", 10_000_000, what) == well


@pytest.mark.parametrize("what", ["pack", "cache"])
def test_a_folder_that_cannot_be_made(tmp_path, what):
    (tmp_path / "file").write_text("in the way")
    said = limited(tmp_path / "file" / "rows", 10_000_000, what)
    assert "writing failed: Not a directory. Free some space, " in said
    assert f"file {tmp_path}/file" in said
