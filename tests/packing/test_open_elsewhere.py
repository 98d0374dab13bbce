"""pandas, polars, DuckDB and HF Datasets open the files of a store, and see its rows."""

import numpy as np
import pytest

import polyhead as ph

IMAGES = np.random.default_rng(5).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
ROWS = {
    "image": IMAGES,
    "n": np.arange(6),
    "age": np.array([1.5, np.nan, 3, 4, 5, 6]),
    "name": ["a", "b", None, "d", "e", "f"],
    "boxes": [np.full((k % 3, 4), k, np.float32) for k in range(6)],
    "labels": [["cat"] * (k % 3) for k in range(6)],
    "jpeg": [b"\xff\xd8%d" % k for k in range(6)],
}

LIGHT = [name for name in ROWS if name != "image"]


@pytest.fixture
def files(tmp_path):
    store = ph.pack(ROWS, tmp_path / "s", shard_bytes=400)
    found = [str(store.path / shard["file"]) for shard in store.manifest["shards"]]
    assert len(found) > 1
    return found


def boxes_of(values):
    return [np.array([list(box) for box in row], np.float32).reshape(-1, 4) for row in values]


def check(n, names, boxes, labels, jpegs, images):
    assert list(n) == list(range(6))
    assert list(names) == ROWS["name"]
    for one, other in zip(boxes_of(boxes), ROWS["boxes"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert [list(row) for row in labels] == ROWS["labels"]
    assert [bytes(one) for one in jpegs] == ROWS["jpeg"]
    np.testing.assert_array_equal(
        np.stack([np.asarray(i, np.uint8).reshape(4, 5, 3) for i in images]), IMAGES
    )


def test_pandas(files):
    pd = pytest.importorskip("pandas")
    frame = pd.concat([pd.read_feather(path) for path in files])
    names = [None if pd.isna(name) else name for name in frame["name"]]
    check(frame["n"], names, frame["boxes"], frame["labels"], frame["jpeg"], frame["image"])
    np.testing.assert_array_equal(frame["age"], ROWS["age"])


def knows_tensors(module):
    """Whether it opens Arrow's tensors; older ones read the other columns, when they are named."""
    return int(module.__version__.split(".")[0]) >= 2


def test_polars(files):
    pl = pytest.importorskip("polars")
    names = None if knows_tensors(pl) else LIGHT
    frame = pl.concat([pl.read_ipc(path, columns=names) for path in files])
    images = frame["image"].to_list() if names is None else IMAGES
    check(*(frame[name].to_list() for name in ("n", "name", "boxes", "labels", "jpeg")), images)
    assert frame.filter(pl.col("n") > 3)["name"].to_list() == ["e", "f"]


def test_duckdb(files):
    duckdb = pytest.importorskip("duckdb")
    dataset = pytest.importorskip("pyarrow.dataset").dataset(files, format="arrow")
    assert dataset.count_rows() == 6
    rows = dataset if knows_tensors(duckdb) else dataset.to_table(columns=LIGHT)
    assert duckdb.sql("select count(*), sum(n), sum(len(boxes)) from rows").fetchall() == [(6, 15, 6)]
    images = "image" if rows is dataset else "n"
    found = duckdb.sql(f"select n, name, boxes, labels, jpeg, {images} from rows order by n").fetchall()
    *columns, last = zip(*found, strict=True)
    check(*columns, last if rows is dataset else IMAGES)


@pytest.mark.filterwarnings("ignore")
def test_hf_datasets(files, tmp_path, monkeypatch):
    """It does not know Arrow's tensors, so it is told what to take them for; all else it finds out."""
    for name, value in (("HF_HOME", str(tmp_path / "hf")), ("HF_DATASETS_OFFLINE", "1")):
        monkeypatch.setenv(name, value)
    datasets = pytest.importorskip("datasets")
    import pyarrow as pa

    schema = pa.ipc.open_file(files[0]).schema
    at = schema.get_field_index("image")
    plain = schema.set(at, pa.field("image", schema.field(at).type.storage_type))
    features = datasets.Features.from_arrow_schema(plain)
    cache = str(tmp_path / "cache")
    rows = datasets.load_dataset("arrow", data_files=files, split="train", features=features, cache_dir=cache)
    check(*(rows[:][name] for name in ("n", "name", "boxes", "labels", "jpeg", "image")))
