"""`polyhead pack`: it writes the store, says what is in it, goes on with one, and looks through one."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import polyhead as ph
from outcomes import command
from polyhead.cli import app
from running import until

PROGRAM = """
import numpy as np, polyhead as ph
print("loading")
rows = {"image": [np.full((6 + i, 8, 3), i, np.uint8) for i in range(3)], "y": [0, 1, None]}
feed = ph.Feed(rows, inputs={"image": ph.Image(4, 4)}, heads={"y": ph.Binary()})
def made(): return feed
twice = ph.Feed(rows, inputs={"a": ph.Image(4, 4, column="image"), "b": ph.Image(8, 8, column="image")},
                heads={"y": ph.Binary()})
bad = {"x": np.zeros(3, complex)}
"""


def run(tmp_path, *args):
    """The command's exit code, and its two outputs apart."""
    (tmp_path / "mine.py").write_text(PROGRAM)
    words = [str(a).replace("mine.py", str(tmp_path / "mine.py")) for a in args]
    return command("pack", *words)


@pytest.fixture(autouse=True)
def images_can_be_resized():
    pytest.importorskip("cv2")


@pytest.mark.parametrize("name", ["feed", "made"])
def test_a_feed(tmp_path, name):
    store = tmp_path / "s"
    code, out, err = run(tmp_path, f"mine.py:{name}", store, "--workers", 2)
    assert (code, out) == (0, f"{store}: 3 rows, image, y\n"), err
    assert ph.open_store(store).read(np.arange(3))["image"].shape == (3, 4, 4, 3)


def test_another_size_encoded_and_more_rows(tmp_path):
    store, args = tmp_path / "s", ("--image-size", 5, 7, "--encoding", "png")
    for rows in (3, 6):
        code, out, err = run(tmp_path, "mine.py:feed", store, *args, "--append")
        assert (code, out) == (0, f"{store}: {rows} rows, image, y\n"), err
    feed = ph.Feed(store, inputs={"image": ph.Image(5, 7)}, heads={"y": ph.Binary()}, batch_size=6)
    assert feed.peek()[0]["image"][:, 0, 0, 0].tolist() == [np.float32(i / 255) for i in (0, 1, 2) * 2]


def test_verify(tmp_path):
    store = ph.pack({"x": np.arange(9.0)}, tmp_path / "s")
    path = store.path / "part-00000.arrow"
    code, out, err = run(tmp_path, store.path, "--verify")
    assert (code, out) == (0, f"{store.path}: ok\n  9 rows\n  1 file of {path.stat().st_size:,} bytes\n"), err
    content = bytearray(path.read_bytes())
    content[content.index(np.arange(9.0).tobytes())] ^= 1
    path.write_bytes(bytes(content))
    code, out, _ = run(tmp_path, store.path, "--verify")
    assert code == 1
    assert f"1 problem:\n  1. file {path}, column `x`: its bytes have changed" in out
    code, _, err = run(tmp_path, tmp_path / "none", "--verify")
    assert (code, err) == (
        1,
        f"polyhead: store {tmp_path}/none: expected a store, got no such folder. ph.pack(data, path) writes one.\n",
    )


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("mine.py:feed",), 2, "name the folder to write: polyhead pack FILE.PY:NAME OUT."),
        (("a", "b", "--verify"), 2, "--verify takes only a store."),
        (
            ("mine.py:feed", "OUT", "--encoding", "gif"),
            2,
            "pack(encoding=): expected one of pixels, jpeg, png",
        ),
        (("mine.py:twice", "OUT"), 2, "column `image`: expected one input or head that reads it"),
        (("mine.py:bad", "OUT"), 1, "column `x`: expected numbers, text, bytes or dates, got complex128"),
        (("mine.py:none", "OUT"), 2, "it does not define `none`"),
        (("mine.py:feed", "mine.py"), 1, "expected a new or empty folder, got a file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, args, code, words):
    found, out, err = run(tmp_path, *(str(tmp_path / "s") if a == "OUT" else a for a in args))
    assert (found, out) == (code, "")
    assert words in err
    assert err.removeprefix("loading\n").count("\n") == 1


@pytest.mark.slow
def test_ctrl_c_ends_it_at_once_and_the_same_command_goes_on(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, time, numpy as np, polyhead as ph\n"
        "TESTS = os.getppid()\n"
        "class Rows(ph.Source):\n"
        "    def __len__(self): return 60\n"
        "    def read(self, ids):\n"
        "        while ids[0] > 10 and not os.path.exists(os.environ['GATE']):\n"
        "            if os.getppid() != TESTS: raise OSError('the tests were killed')\n"
        "            time.sleep(0.01)\n"
        "        return {'x': np.zeros((len(ids), 500_000)), 'n': ids}\n"
        "rows = Rows()\n"
    )
    store = tmp_path / "s"
    command = [
        sys.executable,
        "-m",
        "polyhead",
        "pack",
        f"{tmp_path}/mine.py:rows",
        str(store),
        "--workers",
        "1",
    ]
    gate = tmp_path / "go"  # row 11 waits for it
    environment = {**os.environ, "GATE": str(gate)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert until(lambda: (store / "journal.jsonl").exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    os.kill(process.pid, signal.SIGINT)
    gate.touch()  # the row that is being read is read to its end, and no other
    _, err = process.communicate(timeout=240)
    assert process.returncode in (130, -signal.SIGINT), err  # of both a shell says 130
    assert f"polyhead: {store}: interrupted; run the same command again to resume." in err
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout) == (0, f"{store}: 60 rows, x, n\n"), done.stderr


def test_the_folder_may_be_named_by_an_option(tmp_path):
    (tmp_path / "mine.py").write_text("rows = {'x': [1.0, 2.0]}\n")
    rows, store = f"{tmp_path / 'mine.py'}:rows", tmp_path / "a.store"
    result = CliRunner().invoke(app, ["pack", rows, "-o", str(store)])
    assert (result.exit_code, result.output) == (0, f"{store}: 2 rows, x\n")
    result = CliRunner().invoke(app, ["pack", rows, str(store), "-o", "b.store"])
    assert (result.exit_code, result.output) == (
        2,
        f"polyhead: name one folder to write, not {store} and b.store.\n",
    )
