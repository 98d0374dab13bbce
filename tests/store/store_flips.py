"""Flips bits of a store, and reads all of it: ``python store_flips.py STORE FIRST COUNT [FILE]``.

Each flip is named by its number, from which its file, byte and bit follow. A line is printed before a flip is tried,
so that whoever started this knows at which one a process has crashed. The last line counts what was met.
"""

import collections
import random
import resource
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import polyhead as ph
from polyhead.packing.verify import verify
from polyhead.store.files import read_journal
from polyhead.store.writer import Journal

MEMORY = 4 << 30


def shapes(rows):
    """What a reading holds, without the values."""
    found = {}
    for name, values in rows.items():
        array = isinstance(values, np.ndarray)
        found[name] = (values.dtype, values.shape) if array else len(values)
    return found


def read(folder):
    """All rows, by a few ids and whole columns."""
    store = ph.open_store(folder)
    count = len(store)
    found = [shapes(store.read(np.arange(count))), shapes(store.read(np.array([count - 1, 0, 3])))]
    whole = {name: store.column(name) for name in store.columns}
    return [
        store.columns,
        *found,
        {name: None if values is None else len(values) for name, values in whole.items()},
    ]


def flip(folder, number):
    """Flip one bit; where."""
    chance = random.Random(number)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if chance.random() < 0.5:  # the ends of files, by which all else is found, are few bytes of them
        files = [path for path in files if path.suffix != ".arrow"] or files
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    near = chance.random() < 0.5
    at = chance.randrange(max(0, len(data) - 6000), len(data)) if near else chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return path


def verified(folder, path):
    """What is wrong with what `verify` says of a flip: it has to find each one in a shard."""
    if not (folder / "manifest.json").is_file():
        return ""
    try:
        report = verify(folder)
    except ph.StoreError:
        return ""
    except Exception as error:
        return f"verify: {type(error).__name__} from {path.name}: {error}"
    return f"verify: nothing found in {path.name}" if report.ok and path.suffix == ".arrow" else ""


def tried(store, number, expected):
    """What comes of one flip: ``refused``, ``same``, or words for what may not be."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.store"
        shutil.copytree(store, copy)
        path = flip(copy, number)
        wrong = verified(copy, path)
        if wrong:
            return wrong
        try:
            if (copy / "manifest.json").is_file():
                found = read(copy)
                return (
                    "same" if found == expected else f"other shapes from {path.name}: {found} for {expected}"
                )
            header = read_journal(copy)[0]
            with Journal(copy, header or {"rows": 1, "columns": [{"name": "x"}]}) as journal:
                return "same" if len(journal.shards) <= expected else f"more shards from {path.name}"
        except ph.StoreError as error:
            text = str(error)
            named = str(copy) in text and (error.problems[0].fix or "version" in text)
            return "refused" if named else f"no file, or no advice, in: {text}"
        except Exception as error:
            return f"{type(error).__name__} from {path.name}: {error}"


def main(store, first, count):
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    store = Path(store)
    whole = (store / "manifest.json").is_file()
    expected = read(store) if whole else len(Path(store, "journal.jsonl").read_bytes().splitlines()) - 1
    met = collections.Counter()
    for number in range(first, first + count):
        print(number, flush=True)
        found = tried(store, number, expected)
        met[found if found in ("refused", "same") else "wrong"] += 1
        if found not in ("refused", "same"):
            print("WRONG", number, found, flush=True)
    print("MET", dict(met), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
