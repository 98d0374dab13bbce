"""A damaged store is a `StoreError` that names the file, or gives rows of the same shape; it never ends the process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polyhead as ph
from polyhead.errors import StoreError

FLIPS = Path(__file__).with_name("store_flips.py")
AGAIN = "The store is damaged: polyhead pack --verify lists what is; pack it again."


def columns(count=40):
    rng = np.random.default_rng(0)
    words = ["red", "green", "blue", None]
    return {
        "image": rng.integers(0, 255, (count, 4, 4, 3)).astype(np.uint8),
        "number": rng.random(count),
        "truth": rng.random(count) > 0.5,
        "day": np.arange(count).astype("datetime64[D]"),
        "some": [None if i % 5 == 0 else np.full(3, i, np.float32) for i in range(count)],
        "word": [words[i % 4] for i in range(count)],
        "text": [f"row {i} ä" for i in range(count)],
        "bytes": [bytes(range(i)) for i in range(count)],
        "boxes": [rng.random((i % 3, 4)).astype(np.float32) for i in range(count)],
        "tags": [[words[j % 3] for j in range(i % 4)] for i in range(count)],
        "ragged": [rng.random((i % 3 + 1, i % 2 + 1)) for i in range(count)],
        "fields": [{"a": i, "b": [i] * (i % 3)} if i % 7 else None for i in range(count)],
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flips") / "rows.store"
    ph.pack(columns(), folder, shard_bytes=3000)
    return folder


@pytest.fixture
def unfinished(store, tmp_path):
    """The folder of a run that was killed after its shards."""
    folder = tmp_path / "unfinished.store"
    folder.mkdir()
    manifest = json.loads((store / "manifest.json").read_text())
    header = {"after": 0, "first": 0, "rows": 40, "shard_rows": 9, "chunk_rows": 9}
    header |= {"columns": manifest["columns"], "part": manifest["parts"][0]}
    lines = [header, *manifest["shards"]]
    (folder / "journal.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for shard in manifest["shards"]:
        (folder / shard["file"]).write_bytes((store / shard["file"]).read_bytes())
    return folder


def flipped(folder, first, count):
    """What came of some flips, each counted, in processes that may crash."""
    met, wrong, crashes = {"refused": 0, "same": 0}, [], []
    end = first + count
    while first < end:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", str(FLIPS), str(folder), str(first), str(end - first)],
            capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        wrong += re.findall("^WRONG .*", done.stdout, re.MULTILINE)
        last = re.findall("^MET (.*)", done.stdout, re.MULTILINE)
        if last:
            for name, number in json.loads(last[0].replace("'", '"')).items():
                met[name] = met.get(name, 0) + number
            break
        numbers = re.findall("^[0-9]+$", done.stdout, re.MULTILINE)
        crashes.append((int(numbers[-1]) if numbers else first, done.returncode, done.stderr[-600:]))
        first = crashes[-1][0] + 1
    return met, wrong, crashes


MANY = [pytest.mark.slow, pytest.mark.full]


@pytest.mark.parametrize(("first", "count"), [(0, 60), pytest.param(60, 1940, marks=MANY)])
def test_flipped_bits(store, first, count):
    met, wrong, crashes = flipped(store, first, count)
    assert crashes == []
    assert wrong == []
    assert met["refused"] > count // 5
    assert sum(met.values()) == count


@pytest.mark.parametrize(("first", "count"), [(0, 40), pytest.param(40, 460, marks=MANY)])
def test_flipped_bits_of_an_unfinished_store(unfinished, first, count):
    met, wrong, crashes = flipped(unfinished, first, count)
    assert crashes == []
    assert wrong == []
    assert sum(met.values()) == count


def changed(store, tmp_path, change):
    """A copy of a store with a changed manifest, opened."""
    folder = tmp_path / "changed.store"
    folder.mkdir()
    for path in store.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((store / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError) as error:
        ph.open_store(folder).read(np.arange(3))
    return str(error.value).replace(str(folder), "FOLDER")


MANIFEST = "file FOLDER/manifest.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda m: m.update(rows="40"),
            f"{MANIFEST}, rows: expected an integer of at least 0, got '40'. {AGAIN}",
        ),
        (
            lambda m: m.update(rows=41),
            f"2 problems:\n  1. {MANIFEST}, shards: expected 41 rows in all, got 40. {AGAIN}\n"
            f"  2. {MANIFEST}, parts: expected 41 rows in all, got 40. {AGAIN}",
        ),
        (
            lambda m: m.update(columns={}, shards=[], rows=0, parts=[]),
            f"{MANIFEST}, columns: expected a list of columns, got {{}}. {AGAIN}",
        ),
        (
            lambda m: m["shards"][0].update(file="../../secret.arrow"),
            f"{MANIFEST}, shards[0].file: expected a name like part-00000.arrow, without a folder, got "
            f"'../../secret.arrow'. {AGAIN}",
        ),
        (
            lambda m: m["shards"][1].update(file="part-00000.arrow"),
            f"{MANIFEST}, shards: expected files with different names, got ['part-00000.arrow', 'part-00000.arrow'",
        ),
        (
            lambda m: m["shards"][0].update(rows=-1),
            f"{MANIFEST}, shards[0].rows: expected an integer of at least 0, got -1. {AGAIN}",
        ),
        (
            lambda m: m["shards"][0].update(crc32=2**32),
            f"{MANIFEST}, shards[0].crc32: expected a checksum of 32 bits, got 4294967296. {AGAIN}",
        ),
        (
            lambda m: m["shards"][0].update(columns={}),
            f"{MANIFEST}, shards[0].columns: expected a checksum for each column, got {{}}. {AGAIN}",
        ),
        (
            lambda m: m["columns"][0].update(dtype="object"),
            f"{MANIFEST}, columns[0].dtype: expected a dtype of numbers or dates, got 'object'. {AGAIN}",
        ),
        (
            lambda m: m["columns"][0].update(shape=[4, -4, 3]),
            f"{MANIFEST}, columns[0].shape: expected a list of sizes, got [4, -4, 3]. {AGAIN}",
        ),
        (
            lambda m: m["columns"][0].update({"is": "pickle"}),
            f"{MANIFEST}, columns[0].is: expected dense, coded or values, got 'pickle'. {AGAIN}",
        ),
        (
            lambda m: m["columns"][6].update(of="int64"),
            f"{MANIFEST}, columns[6].of: expected an Arrow type, got 'int64'. {AGAIN}",
        ),
        (
            lambda m: m["columns"][8].update(of=m["columns"][6]["of"]),
            "file FOLDER/part-00000.arrow, column `boxes`: expected large_string, got large_list<row: fixed_size_list<",
        ),
        (
            lambda m: m["columns"][0].update(shape=[48]),
            "file FOLDER/part-00000.arrow, column `image`: expected extension<arrow.fixed_shape_tensor[",
        ),
        (
            lambda m: m.update(parts=3),
            f"{MANIFEST}, parts: expected a list of parts, each with its rows, got 3. {AGAIN}",
        ),
        (lambda m: m.update(polyhead_store=1), f"{MANIFEST}: expected a store of version 3, got version 1."),
    ],
)
def test_a_manifest_is_looked_at_before_it_is_believed(store, tmp_path, change, words):
    assert changed(store, tmp_path, change).startswith(words)


def test_what_is_no_json_is_no_manifest(store, tmp_path):
    folder = tmp_path / "no.store"
    folder.mkdir()
    for text in ("[" * 100_000, '{"polyhead_store": 3', "\x00"):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(StoreError) as error:
            ph.open_store(folder)
        assert str(error.value).startswith(f"file {folder}/manifest.json: expected ")


def test_offsets_beyond_the_file_are_refused_when_the_column_is_used(tmp_path):
    """The lengths of a text column, overwritten where they lie in the file."""
    folder = tmp_path / "text.store"
    ph.pack({"x": np.arange(3), "text": ["aaaa", "bbbb", "cccc"]}, folder)
    path = folder / "part-00000.arrow"
    data = path.read_bytes()
    offsets = np.array([0, 4, 8, 12], np.int64).tobytes()
    assert data.count(offsets) == 1
    path.write_bytes(data.replace(offsets, np.array([0, 1 << 40, 8, 12], np.int64).tobytes()))
    rows = ph.open_store(folder)
    assert rows.only(["x"]).read(np.arange(3))["x"].tolist() == [0, 1, 2]
    with pytest.raises(StoreError) as error:
        rows.read(np.arange(3))
    where = f"file {path}, column `text`"
    assert str(error.value).startswith(f"{where}: expected values within the file, got ArrowInvalid: ")
    assert str(error.value).endswith(AGAIN)


def test_a_damaged_journal_is_written_on_from_where_it_is_sound(unfinished):
    lines = (unfinished / "journal.jsonl").read_text().splitlines()
    lines[2] = lines[2].replace('"rows": ', '"rows": -')
    (unfinished / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    from polyhead.store.files import read_journal

    header, shards, _ = read_journal(unfinished)
    assert header["rows"] == 40
    assert [shard["file"] for shard in shards] == ["part-00000.arrow"]
