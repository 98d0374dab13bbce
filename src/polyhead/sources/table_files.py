"""Opens files of tables, and folders of Parquet files."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pds
import pyarrow.parquet as pq
from pyarrow import feather, ipc

from polyhead.columns.arrow import column_of
from polyhead.columns.image_values import names_image
from polyhead.columns.lazy import Stored
from polyhead.columns.values import LIMIT_BYTES, Values
from polyhead.errors import DataError, Problem, place, shown, similar
from polyhead.foreign_errors import GIT_LFS, quoted_error
from polyhead.sources.tables import Opened, parquet_files
from polyhead.sources.text_files import read_text, text_fix

_PACKED = (".gz", ".bz2", ".zst")
_ENDINGS = ".parquet, .pq, .csv, .tsv, .arrow, .feather or .ipc"
_OTHER_TABLES = {".csv", ".tsv", ".arrow", ".feather", ".ipc"}
"""Endings of tables of one file each."""
_WITH_PANDAS = "Read it with pandas or polars and pass the frame."
_WAYS = (
    ((".npz", ".npy"), "Give its arrays as columns: np.load(path), or a dict of them."),
    ((".h5", ".hdf5"), "Give its arrays as columns: h5py.File(path), or a dict of them."),
    ((".jsonl", ".ndjson"), "Pass the frame from pandas.read_json(path, lines=True)."),
    ((".json",), "Pass the frame from pandas.read_json(path)."),
    ((".xlsx", ".xls"), "Pass the frame from pandas.read_excel(path)."),
    ((".db", ".sqlite", ".sqlite3"), "Pass the frame from pandas.read_sql(query, sqlite3.connect(path))."),
    (
        (".zip", ".tar", ".tgz", ".tar.gz", ".7z"),
        "Unpack it: ph.read_folder(folder) reads images, and ph.read_table(file) a table.",
    ),
    (
        (".tfrecord", ".tfrecords"),
        "Read it with tf.data: dataset = tf.data.TFRecordDataset(path).map(parse).batch(32), then "
        "ph.from_generator(dataset.as_numpy_iterator, length=rows).",
    ),
    (("",), _WITH_PANDAS),
)
"""What to do about files of other formats, by their ending."""
MANY = 64
"""A small file with more columns than this is read at once."""


def opened_arrow(data: Any, where: str = "Arrow table", *, check: bool = False) -> Opened:
    """Open a pyarrow table; each column is released once it is converted.

    Args:
        check: validate a column before it is used, because damage in a memory-mapped file could crash the process.
    """
    try:
        table = data if isinstance(data, (pa.Table, pa.RecordBatch)) else pa.table(data)
    except (pa.ArrowInvalid, TypeError) as error:  # a single column
        fix = 'Name each column: {"label": data}.'
        raise DataError(Problem(where, "columns with names", shown(type(data).__name__), fix)) from error
    parts = dict(enumerate(table.columns))

    def load(at: int) -> Values | Stored:
        with _clear_errors(where) if check else contextlib.nullcontext():
            if check:
                parts[at].validate(full=True)
            values = column_of(parts[at])
        del parts[at]  # only now, so that a column that can't be read raises the same error each time
        return values

    return Opened(where, list(table.schema.names), table.num_rows, load)


def open_file(path: Path, wanted: list[str] | None) -> Opened:
    """Open the table at a path; raise a `DataError` if it doesn't exist, is of another kind or can't be read."""
    where = place(file=str(path))
    if not path.exists():
        near = f"There is no folder {path.parent} either."
        if path.is_symlink():
            near = f"It is a link to {os.readlink(path)}, which is not there."
        elif os.path.expandvars(path) != str(path):
            near = "Give the whole path: os.path.expandvars(path)."
        elif path.parts[0].endswith(":"):  # as in s3://, of which Path keeps one slash
            read = "csv" if ".csv" in path.name.lower() else "parquet"
            ways = f"give a plain path, or the frame from pandas.read_{read}(address)."
            near = f"Files are read from disk: {ways}"
        elif path.parent.is_dir():
            near = similar(path.name, os.listdir(path.parent))
        if "*" in str(path):
            near = "Give the folder of the Parquet files, or join tables: ph.read_table(a).concat(ph.read_table(b))."
        raise DataError(Problem(where, "a file or a folder of Parquet files", "nothing at this path", near))
    if path.is_dir():
        with _clear_errors(where):
            return _open_folder(path, where)
    opener = _opener(path)
    if opener is None:
        fix = next(advice for endings, advice in _WAYS if path.name.lower().endswith(endings))
        raise DataError(Problem(where, f"a name that ends in {_ENDINGS}", path.suffix or "no extension", fix))
    if not os.path.getsize(path):
        raise DataError(Problem(where, "a table", "an empty file"))
    with path.open("rb") as file:
        start = file.read(len(GIT_LFS))
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        fix = 'Pass the frame from pandas.read_csv(path, encoding="utf-16").'
        raise DataError(Problem(where, "text in UTF-8", "UTF-16", fix, "text"))
    if start == GIT_LFS:
        raise DataError(Problem(where, "a table", "a pointer of Git LFS", "Run git lfs pull."))
    with _clear_errors(where):
        return opener(path, where, wanted)


def _opener(path: Path) -> Callable[[Path, str, list[str] | None], Opened] | None:
    name = path.name.lower()
    for packed in _PACKED:
        if name.endswith((".csv" + packed, ".tsv" + packed)):
            name = name.removesuffix(packed)
    if name.endswith((".parquet", ".pq")):
        return _open_parquet
    if name.endswith((".csv", ".tsv")):
        return partial(_open_text, delimiter="\t" if name.endswith(".tsv") else ",")
    if name.endswith((".arrow", ".feather", ".ipc", ".arrows")):
        return _open_ipc
    return None


@contextlib.contextmanager
def _clear_errors(where: str) -> Iterator[None]:
    """Turn errors from Arrow into one clear error."""
    try:
        yield
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, TypeError) as error:
        found, fix = quoted_error(error), text_fix(error)
        raise DataError(Problem(where, "a readable table", found, fix)) from error


def _open_parquet(path: Path, where: str, wanted: list[str] | None) -> Opened:
    with pq.ParquetFile(path) as file:
        names, about = list(file.schema_arrow.names), file.metadata
    total = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))

    @cache
    def columns_at_once() -> dict[int, Any]:
        with contextlib.suppress(pa.ArrowException, OSError, ValueError), pq.ParquetFile(path) as file:
            return dict(enumerate(file.read().columns))
        return {}  # perhaps a column that is not used can't be read

    # reading one column parses the metadata of all, so if there are many, reading the file at once is much faster
    at_once, lock = len(names) > MANY and total <= LIMIT_BYTES, Lock()

    def load(at: int) -> Values | Stored:
        with _clear_errors(where):
            with lock:  # `cache` lets several threads read at once
                column = columns_at_once().pop(at, None) if at_once else None
            if column is None:
                column = _parquet_column(path, names[at])
            return column_of(column)

    return Opened(where, names, about.num_rows, load)


def _parquet_column(path: Path, name: str) -> Any:
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=[name]).column(name)
    except pa.ArrowNotImplementedError:  # lists of categories in several row groups, which only datasets read
        return pds.dataset(path, format="parquet").to_table(columns={name: pc.field(name)}).column(0)


def _open_folder(path: Path, where: str) -> Opened:
    files = parquet_files(path)
    if not files:
        names = [name for _, _, names in os.walk(path) for name in names]
        tables = sorted(name for name in names if _OTHER_TABLES & set(Path(name.lower()).suffixes))
        fix = ""
        if any(names_image(name) for name in names):
            fix = f"Images are read by ph.read_folder({json.dumps(str(path), ensure_ascii=False)})."
        elif tables:
            join = "ph.read_table(a).concat(ph.read_table(b))"
            fix = f"Name a file of it, as {tables[0]}; join several: {join}."
        found = "no file that ends in .parquet or .pq" if any(path.iterdir()) else "an empty folder"
        raise DataError(Problem(where, "a folder of Parquet files", found, fix))
    folders = Path(files[0]).relative_to(path).parts[:-1]
    keys = {folder.partition("=")[0] for folder in folders if "=" in folder}
    written = keys <= {*pq.read_schema(files[0]).names}  # in the files too, as polars does
    hive = None if written else pds.partitioning(flavor="hive")
    opened = partial(pds.dataset, files, format="parquet", partitioning=hive, partition_base_dir=str(path))
    data = opened()
    data = opened(schema=pa.unify_schemas([data.schema, _common_schema(data)]))
    names = list(data.schema.names)

    def load(at: int) -> Values | Stored:
        with _clear_errors(where):
            return column_of(data.to_table(columns=[names[at]]).column(0))

    return Opened(where, names, data.count_rows(), load)


def _common_schema(data: Any) -> Any:
    """Return the types of the columns of the files of a folder; a type that no value tells is that of the others.

    Raises:
        DataError: if the files differ in columns or types, which Arrow would fill in or leave out silently.
    """
    first, *others = data.get_fragments()
    wanted = {field.name: field.type for field in first.physical_schema}
    problems = []
    for other in others:
        fields = {field.name: field.type for field in other.physical_schema}
        for name in [n for n in {**wanted, **fields} if wanted.get(n) != fields.get(n)]:
            try:
                kinds = [pa.schema({name: types[name]}) for types in (wanted, fields)]
                wanted[name] = pa.unify_schemas(kinds).field(0).type  # which fills in null, also in lists
            except (KeyError, pa.ArrowInvalid, pa.ArrowTypeError):
                expected, got = (str(t[name]) if name in t else "no such column" for t in (wanted, fields))
                fix = "Write the files with one schema, or read them one by one and concat them."
                where = place(file=other.path, column=name)
                problems.append(Problem(where, f"{expected}, as in {first.path}", got, fix))
    if problems:
        raise DataError(*problems)
    return pa.schema(list(wanted.items()))


def _open_text(path: Path, where: str, wanted: list[str] | None, delimiter: str) -> Opened:
    return opened_arrow(read_text(path, where, wanted, delimiter), where)


def _open_ipc(path: Path, where: str, wanted: list[str] | None) -> Opened:
    source = pa.memory_map(str(path))
    magic = source.read(6)
    source.seek(0)
    if magic[:4] == b"FEA1":
        return opened_arrow(feather.read_table(path), where, check=True)
    reader = ipc.open_file(source) if magic == b"ARROW1" else ipc.open_stream(source)
    return opened_arrow(reader.read_all(), where, check=True)
