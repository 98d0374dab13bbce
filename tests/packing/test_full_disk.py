"""A disk without room ends in a `StoreError` that says where and what to do; a later run goes on."""

import contextlib
import io
import subprocess
import sys

import pytest

FULL = """
import resource, sys

# a limit on the size of a file is refused by the system as a full disk is; Python would cut off compiled files there
sys.dont_write_bytecode = True
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
folder, what = sys.argv[1:]
"""
WRITE = """
import numpy as np, polyhead as ph

rng = np.random.default_rng(0)
images = rng.integers(0, 255, (64, 32, 32, 3)).astype(np.uint8)

def feed(**options):
    inputs = {"image": ph.Image(16, 16)}
    return ph.Feed({"image": images, "y": np.arange(64) % 2}, inputs=inputs, heads={"y": ph.Binary()}, **options)

try:
    if what == "pack":
        ph.pack({"image": images}, folder, progress=False)
    else:
        print(sum(len(batch.ids) for batch in feed(cache=folder).batches()))
except ph.StoreError as error:
    print(error)
"""


def written_to_a_full_disk(folder, what):
    command = [sys.executable, "-c", FULL + WRITE, str(folder), what]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def written(folder, what):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(WRITE, {"folder": str(folder), "what": what})
    return said.getvalue().strip()


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
    said = written_to_a_full_disk(tmp_path / "rows", what)
    assert said.startswith(f"file {tmp_path}/rows")
    assert said.endswith(f": writing failed: File too large. {fix}")
    assert written(tmp_path / "rows", what) == well


@pytest.mark.parametrize("what", ["pack", "cache"])
def test_a_folder_that_cannot_be_made(tmp_path, what):
    (tmp_path / "file").write_text("in the way")
    said = written(tmp_path / "file" / "rows", what)
    assert "writing failed: Not a directory. Free some space, " in said
    assert f"file {tmp_path}/file" in said
