"""A run that is killed goes on where it stopped, to the same bytes; until then there is no store."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import StoreError
from polyhead.packing import shard_writer
from polyhead.store.writer import Journal, write_shard
from running import threads, until

PROGRAM = """
import os, sys, time
from pathlib import Path
import numpy as np, polyhead as ph

TESTS = os.getppid()

class Rows(ph.Source):
    def __len__(self):
        return 400
    def read(self, ids):
        while len(ids) > 8 and ids[0] >= 200 and not Path(sys.argv[2]).exists():
            if os.getppid() != TESTS:
                raise OSError("the tests were killed")  # nobody is left to make the file
            time.sleep(0.01)  # the second half waits until it may be read
        return {"image": np.repeat(ids, 48).reshape(-1, 4, 4, 3).astype(np.uint8), "n": ids,
                "words": [["w"] * (i % 3) for i in ids.tolist()]}

def go():
    return ph.pack(Rows(), sys.argv[1], shard_bytes=2000, append="append" in sys.argv, workers=2)

if __name__ == "__main__":
    print(len(go()))
"""


def start(tmp_path, store, *more, gate=""):
    """Pack; the second half of the rows is read once there is a file ``gate``."""
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py"), str(store), str(tmp_path / gate), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def shards_of(store):
    path = Path(store) / "journal.jsonl"
    return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0


def until_shards(process, store, count):
    assert until(lambda: shards_of(store) >= count or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def content(store):
    return {path.name: path.read_bytes() for path in sorted(Path(store).iterdir())}


def finish(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The store of a run that nothing has ended."""
    folder = tmp_path_factory.mktemp("whole")
    finish(start(folder, folder / "store"))
    return folder / "store"


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_killed_half_way_it_goes_on(tmp_path, whole, sent):
    cut = tmp_path / "cut"
    process = start(tmp_path, cut, gate="go")
    until_shards(process, cut, 2)
    os.kill(process.pid, sent)
    (tmp_path / "go").touch()  # threads end what they read; nothing more is begun
    process.communicate(timeout=240)
    assert process.returncode != 0
    done = shards_of(cut)
    assert 2 <= done < 12
    assert not (cut / "manifest.json").exists()
    rows = done * json.loads((cut / "journal.jsonl").read_text().splitlines()[0])["shard_rows"]
    with pytest.raises(StoreError) as caught:
        ph.open_store(cut)
    assert str(caught.value) == (
        f"store {cut}: expected a finished store, got one with {rows} of 400 rows so far. Run the same ph.pack, or "
        "polyhead pack, again: it goes on from there."
    )
    with pytest.raises(StoreError):
        ph.Feed(cut, inputs="n", heads={})
    kept = {path.name: path.stat().st_mtime_ns for path in cut.glob("part-*.arrow")}
    assert finish(start(tmp_path, cut)) == "400\n"
    assert content(cut) == content(whole)
    again = {name: (cut / name).stat().st_mtime_ns for name in kept}
    first = sorted(kept)[:done]
    assert {name: again[name] for name in first} == {name: kept[name] for name in first}


@pytest.mark.slow
def test_an_append_that_is_killed_leaves_the_store_as_it_was(tmp_path, whole):
    longer, cut = (shutil.copytree(whole, tmp_path / name) for name in ("longer", "cut"))
    finish(start(tmp_path, longer, "append"))
    process = start(tmp_path, cut, "append", gate="go")
    until_shards(process, cut, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=240)
    assert len(ph.open_store(cut)) == 400
    with pytest.raises(StoreError, match="it was started with other data or options"):
        ph.pack({"image": np.zeros((1, 4, 4, 3), np.uint8), "n": [1], "words": [["w"]]}, cut, append=True)
    assert finish(start(tmp_path, cut, "append")) == "800\n"
    assert content(cut) == content(longer)
    assert ph.open_store(cut).read(np.array([799, 400, 399]))["n"].tolist() == [399, 0, 399]


class Rows(ph.Source):
    """Some rows, of which one may be bad."""

    def __init__(self, bad=None):
        self.bad = bad

    def __len__(self):
        return 100

    def read(self, ids):
        return {"x": ids * 1.0, "y": [[i] for i in ids.tolist()]}


def test_a_journal_whose_last_line_is_cut_off(tmp_path):
    source, whole, cut = Rows(), tmp_path / "whole", tmp_path / "cut"
    for store in (whole, cut):
        ph.pack(source, store, shard_bytes=320)
    (cut / "manifest.json").unlink()
    manifest = json.loads((whole / "manifest.json").read_text())
    *shards, before, last = manifest["shards"]
    lines = b"".join(json.dumps(line).encode() + b"\n" for line in (_header(manifest, source), *shards))
    (cut / "journal.jsonl").write_bytes(lines + json.dumps(before).encode()[:-9])
    (cut / last["file"]).write_bytes(b"half of it")
    assert len(shards) > 3
    assert len(ph.pack(source, cut, shard_bytes=320)) == 100
    assert content(cut) == content(whole)


def _header(manifest, source):
    return {
        "after": 0,
        "first": 0,
        "shard_rows": manifest["shards"][0]["rows"],
        "chunk_rows": 256,
        "rows": len(source),
        "columns": manifest["columns"],
        "part": manifest["parts"][0],
    }


def test_an_error_leaves_what_was_written(tmp_path):
    class Late(Rows):
        def read(self, ids):
            if self.bad in ids and ids[0] > 50:  # when it is packed, not when it is looked through
                raise OSError("the disk is gone")
            return super().read(ids)

    source, store = Late(99), tmp_path / "s"
    with pytest.raises(ph.DataError, match="got OSError: the disk is gone"):
        ph.pack(source, store, shard_bytes=320)
    assert shards_of(store) > 3
    assert not (store / "manifest.json").exists()
    source.bad = None
    assert len(ph.pack(source, store, shard_bytes=320)) == 100
    assert until(lambda: not threads())


def test_nothing_is_written_any_more_after_an_error(tmp_path, monkeypatch):
    begun, failed, ended = threading.Event(), threading.Event(), []

    def slowly(path, *arguments):
        begun.set()
        assert failed.wait(240)
        shard = write_shard(path, *arguments)
        ended.append(path.name)
        return shard

    class Late(Rows):
        def read(self, ids):
            if ids[0] > 10 and self.bad:  # the second shard, while the first is written
                assert begun.wait(240)
                failed.set()
                raise OSError("the disk is gone")
            return super().read(ids)

    monkeypatch.setattr(shard_writer, "write_shard", slowly)
    with pytest.raises(ph.DataError, match="got OSError: the disk is gone"):
        ph.pack(Late(True), tmp_path / "s", shard_bytes=320)
    assert ended == ["part-00000.arrow"]
    assert not list((tmp_path / "s").glob("*.tmp"))


def test_two_at_once(tmp_path):
    pytest.importorskip("fcntl")
    with Journal(tmp_path, {"rows": 1}), pytest.raises(StoreError) as caught:
        Journal(tmp_path, {"rows": 1})
    assert str(caught.value) == (
        f"store {tmp_path}: another process is writing it. Wait until it has finished."
    )


def test_other_data_than_it_was_begun_with(tmp_path):
    store = tmp_path / "s"
    ph.pack({"x": [1, 2]}, store)
    manifest = json.loads((store / "manifest.json").read_text())
    (store / "manifest.json").unlink()
    (store / "journal.jsonl").write_text(json.dumps(_header(manifest, [1, 2])) + "\n")
    with pytest.raises(StoreError) as caught:
        ph.pack({"x": [1, 3]}, store)
    assert str(caught.value) == (
        f"unfinished store {store}: it was started with other data or options. Pack those, "
        f"or delete {store} to start again."
    )
    assert len(ph.pack({"x": [1, 2]}, store)) == 2


def test_packing_the_same_again_writes_nothing(tmp_path):
    rows = {"x": np.arange(5), "y": [["a"]] * 5}
    ph.pack(rows, tmp_path / "s")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()}
    assert len(ph.pack(rows, tmp_path / "s")) == 5
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "s").iterdir()}


def test_a_folder_that_holds_something_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError) as caught:
        ph.pack({"x": [1]}, tmp_path)
    assert str(caught.value) == (
        f"pack(path), {tmp_path}: expected a new or empty folder, got a folder with other files. Give another path."
    )
    with pytest.raises(StoreError, match="got a file"):
        ph.pack({"x": [1]}, tmp_path / "notes.txt")
    ph.pack({"x": [1]}, tmp_path / "s")
    with pytest.raises(StoreError) as caught:
        ph.pack({"x": [2]}, tmp_path / "s")
    assert str(caught.value) == (
        f"pack(path), {tmp_path}/s: expected a new or empty folder, got a store of 1 row of other data or options. "
        "Use append=True to add rows to it, or give another path."
    )
