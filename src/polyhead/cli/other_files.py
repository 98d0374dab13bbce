"""Opens arrays and tables in files of other formats, by a line of NumPy, h5py or pandas."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyhead.cli.loaded_data import LoadedData
from polyhead.doctor.feed_code import as_literal
from polyhead.errors import DataError, PolyheadError, Problem, counted, listed, place
from polyhead.extras import requiring
from polyhead.foreign_errors import quoted_error
from polyhead.readers.as_source import as_source

_TABLE = re.compile(r"\.(csv|tsv|jsonl|ndjson)(\.gz|\.bz2|\.zst)?$", re.IGNORECASE)
_START = 1 << 16
_NUMBER, _GROUP = -1, -2
_NO_ROWS = {_NUMBER: "no rows", _GROUP: "a group of HDF5"}
_DECIMAL = re.compile(r"[+-]?\d+,\d+")
_POINT = re.compile(r"[+-]?\d+\.\d+")


def opened_other(path: Path) -> LoadedData | None:
    """Read a file that ``ph.read_table`` does not read, or a folder of ``.npy`` files; None for other paths.

    Raises:
        DataError: if it cannot be read, or if it has no two arrays of one length.
    """
    ending, quoted = path.suffix.lower(), as_literal(path)
    with _naming(path):
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".npy")
            code = f'{{path.stem: np.load(path, mmap_mode="r") for path in Path({quoted}).glob("*.npy")}}'
            arrays = {file.stem: _memory_mapped(file) for file in files}
            imports = "from pathlib import Path\n\nimport numpy as np"
            return _of_arrays(path, arrays, code, imports) if files else None
        if ending == ".npy":
            fix = f"Name its folder, {path.resolve().parent}, if the other arrays are in it too."
            raise DataError(Problem(place(file=str(path)), "inputs and labels", "one array", fix))
        if ending == ".npz":
            with np.load(path) as opened:
                return _of_arrays(path, dict(opened), f"np.load({quoted})", "import numpy as np")
        if ending in (".h5", ".hdf5"):
            with requiring(place(file=str(path)), "h5py", "h5py"):
                import h5py
            return _of_arrays(path, h5py.File(path, "r"), f"h5py.File({quoted})", "import h5py")
        table = _TABLE.search(path.name)
        if table is None:
            return None
        lines = table[1].lower() in ("jsonl", "ndjson")
        options = {"lines": True} if lines else _separators(path, "\t" if table[1].lower() == "tsv" else ",")
        return _of_frame(quoted, path, "read_json" if lines else "read_csv", options) if options else None


def _memory_mapped(path: Path) -> np.ndarray:
    with _naming(path):
        return np.load(path, mmap_mode="r")


def _of_arrays(path: Path, arrays: Mapping[str, Any], expression: str, imports: str) -> LoadedData:
    """Return the rows in arrays of one length: those for training, or else the most of them."""
    where, parts = place(file=str(path)), {name: arrays[name] for name in arrays}
    lengths: dict[int, list[str]] = {}
    for name, part in parts.items():
        alone = _NUMBER if hasattr(part, "shape") else _GROUP
        lengths.setdefault(len(part) if getattr(part, "shape", ()) else alone, []).append(name)
    several = {length: names for length, names in lengths.items() if length >= 0 and len(names) > 1}
    if not several:
        shapes = listed([f"{name} {getattr(part, 'shape', 'a group')}" for name, part in parts.items()], 8)
        fix = 'Read the arrays, and give them names: {"image": images, "label": labels}.'
        raise DataError(Problem(where, "at least two arrays of one length", shapes, fix))
    rows = max(
        several, key=lambda n: (any("train" in name.lower() for name in several[n]), len(several[n]), n)
    )
    left_out = {
        ", ".join(names): _NO_ROWS.get(length) or f"{counted(length, 'row')}, not {rows:,}"
        for length, names in lengths.items()
        if length != rows
    }
    source = as_source({name: parts[name] for name in several[rows]})
    return LoadedData(source, expression, imports, left_out=left_out)


def _of_frame(quoted: str, path: Path, reader: str, options: dict[str, Any]) -> LoadedData:
    with requiring(place(file=str(path)), "pandas", "pandas"):
        import pandas
    arguments = ", ".join(f"{name}={as_literal(value)}" for name, value in options.items())
    source = as_source(getattr(pandas, reader)(path, **options))
    code = f"pd.{reader}({quoted}, {arguments})"
    return LoadedData(source, code, "import pandas as pd", frame=code)


def _separators(path: Path, usual: str) -> dict[str, str]:
    """Return the arguments for pandas to read a text file of other separators; empty for the usual one."""
    with pa.input_stream(os.fspath(path)) as file:
        lines = file.read(_START).decode("utf-8", "replace").splitlines()
    head = lines[0] if lines else ""
    mark = max(";\t|", key=head.count)
    if head.count(usual) >= head.count(mark):
        return {}
    entries = [entry for line in lines[1:-1] or lines[1:] for entry in line.split(mark)]
    comma = any(map(_DECIMAL.fullmatch, entries)) and not any(map(_POINT.fullmatch, entries))
    return {"sep": mark, "decimal": ","} if comma else {"sep": mark}


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Raise errors of NumPy, h5py and pandas as one that names the file."""
    try:
        yield
    except PolyheadError:
        raise
    except (ValueError, OSError) as error:
        fix = ""
        if isinstance(error, UnicodeDecodeError):
            fix = "Save it as UTF-8, or pass the frame from pandas.read_csv(path, encoding=...)."
        elif "allow_pickle" in str(error) or "Python objects" in str(error):
            fix = "Save arrays of numbers or of text: rows of unequal length need a Parquet file."
        raise DataError(
            Problem(place(file=str(path)), "a readable file", quoted_error(error), fix)
        ) from error
