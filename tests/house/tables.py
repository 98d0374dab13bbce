"""Makes the tables of docs/augmentation.md and docs/heads.md by trying every pair: python tests/house/tables.py"""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import polyhead as ph

DOCS = Path(__file__).parents[2] / "docs"
ROWS, SIDE = 8, 16

_CHANCE = np.random.default_rng(0)
_BOX = np.array([[3.0, 2, 9, 8], [5, 6, 12, 13]])
IMAGES = _CHANCE.integers(0, 256, (ROWS, SIDE, SIDE, 3), dtype=np.uint8)

HEADS: dict[str, tuple[Any, Any]] = {
    "Binary": (ph.Binary(), np.arange(ROWS) % 2),
    "Categorical": (ph.Categorical(), ["cat", "dog", "owl", "cat"] * 2),
    "Categorical, one-hot": (ph.Categorical(one_hot=True), ["cat", "dog", "owl", "cat"] * 2),
    "MultiLabel": (ph.MultiLabel(["wet", "big"]), [["wet"], [], ["wet", "big"], ["big"]] * 2),
    "Regression": (ph.Regression(), np.linspace(-1, 1, ROWS)),
    "Embedding": (ph.Embedding(3), _CHANCE.normal(size=(ROWS, 3))),
    "Mask": (ph.Mask(), _CHANCE.integers(0, 2, (ROWS, SIDE, SIDE))),
    "Mask of classes": (ph.Mask(3), _CHANCE.integers(0, 3, (ROWS, SIDE, SIDE))),
    "Map": (ph.Map(), _CHANCE.random((ROWS, SIDE, SIDE, 1), np.float32)),
    "Boxes": (ph.Boxes(4, overflow="largest"), [_BOX[: 1 + i % 2] + i % 3 for i in range(ROWS)]),
    "Keypoints": (ph.Keypoints(2), np.stack([_BOX[:, :2] + i % 3 for i in range(ROWS)])),
}
"""A head of each kind, and a column for it."""

AUGMENTATIONS: dict[str, Any] = {
    "Flip": ph.Flip(p=1),
    "Rotate": ph.Rotate(30),
    "Scale": ph.Scale(0.3),
    "Translate": ph.Translate(0.2),
    "Shear": ph.Shear(20),
    "Crop": ph.Crop(0.3),
    "RandomResizedCrop": ph.RandomResizedCrop(0.3),
    "Color": ph.Color(0.3, 0.3, 0.3, 0.1),
    "Blur": ph.Blur(1, p=1),
    "Noise": ph.Noise(0.1, p=1),
    "Cutout": ph.Cutout(0.4, p=1),
    "MixUp": ph.MixUp(1),
    "CutMix": ph.CutMix(p=1),
    "Mosaic": ph.Mosaic(p=1),
}
MIXERS = ("MixUp", "CutMix", "Mosaic")


def _feed(head: Any, data: Any, **how: Any) -> ph.Feed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ph.PolyheadWarning)
        return ph.Feed(
            data, inputs={"image": ph.Image(SIDE, SIDE)}, heads={"y": head}, batch_size=ROWS, workers=0, **how
        )


def _labels(feed: ph.Feed) -> list[np.ndarray]:
    """The labels of a batch, and its weights where it has any."""
    _, *rest = feed.peek()
    return [one["y"] for one in rest]


def _same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def effect(name: str, head: Any, column: Any) -> str:
    """What an augmentation does to the labels of a head, in one word."""
    rows = {"image": IMAGES, "y": column}
    plain = _labels(_feed(head, rows))
    try:
        found = _labels(_feed(head, rows, augment=[AUGMENTATIONS[name]]))
    except ph.ContractError:
        return "refused"
    if np.array_equal(plain[0], found[0]):
        return "stays"
    return "mixed" if name in MIXERS else "moves"


def augmentation_table() -> str:
    """Augmentation × kind of head."""
    rows = [[f"`{name}`", *(effect(name, *one) for one in HEADS.values())] for name in AUGMENTATIONS]
    return _markdown(["", *(f"`{n}`" if " " not in n else n for n in HEADS)], rows)


class _Own(ph.Source):
    """A source of a user's own."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return ROWS

    def read(self, ids: np.ndarray) -> dict[str, Any]:
        return {name: [values[int(i)] for i in ids] for name, values in self.rows.items()}


def _nested(values: Any) -> list[Any]:
    return [one.tolist() if hasattr(one, "tolist") else one for one in values]


def _parquet(rows: dict[str, Any], folder: Path) -> str:
    table = pa.table({name: pa.array(_nested(values)) for name, values in rows.items()})
    pq.write_table(table, folder / "t.parquet")
    return str(folder / "t.parquet")


def _csv(rows: dict[str, Any], folder: Path) -> str:
    pd.DataFrame({name: _nested(values) for name, values in rows.items()}).to_csv(
        folder / "t.csv", index=False
    )
    return str(folder / "t.csv")


def _stored(rows: dict[str, Any], folder: Path, head: Any) -> str:
    ph.pack(_feed(head, {"image": IMAGES, **rows}), str(folder / "a.store"))
    return str(folder / "a.store")


def _batches(rows: dict[str, Any]) -> Callable[[], Iterator[Any]]:
    def batches() -> Iterator[Any]:
        for start in range(0, ROWS, 4):
            yield {name: values[start : start + 4] for name, values in rows.items()}

    return batches


SOURCES: dict[str, Callable[[dict[str, Any], Path, Any], Any]] = {
    "arrays, lists": lambda rows, folder, head: rows,
    "pandas": lambda rows, folder, head: pd.DataFrame({name: list(values) for name, values in rows.items()}),
    "Parquet, Arrow": lambda rows, folder, head: _parquet(rows, folder),
    "CSV": lambda rows, folder, head: _csv(rows, folder),
    "own `Source`": lambda rows, folder, head: _Own(rows),
    "`from_generator`": lambda rows, folder, head: ph.from_generator(
        _batches({**rows, "y": _nested(rows["y"])}), length=ROWS
    ),
    "`pack`, store": _stored,
}


def reads(source: str, head: Any, column: Any) -> str:
    """Whether a head gets the labels of a column from a source, as it does from memory."""
    inputs = {"image": ph.Image(SIDE, SIDE)} if "store" in source else {"x": ph.Array()}
    rows = {"x": np.arange(ROWS, dtype=np.float32), "y": column}
    if "store" in source:
        rows = {"image": IMAGES, "y": column}

    def labels(data: Any) -> list[np.ndarray]:
        return _labels(ph.Feed(data, inputs=inputs, heads={"y": head}, batch_size=ROWS, workers=0))

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ph.PolyheadWarning)
        want = labels(rows)
        try:
            given = SOURCES[source]({"y": column} if "store" in source else rows, Path(folder), head)
            found = labels(given)
        except (ph.DataError, ph.ContractError):
            return "–"
    if not _same(want[:1], found[:1]):
        raise AssertionError(f"{source}, {head}: other labels than from memory")
    return "yes"


def predicted(head: Any, column: Any) -> str:
    """The columns of a head in the table of predictions, with their Arrow types."""
    import keras

    rows = {"image": IMAGES, "y": column}
    feed = _feed(head, rows)
    x = keras.Input((SIDE, SIDE, 3), name="image")
    features = keras.layers.Conv2D(4, 3, padding="same", name="features")(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ph.PolyheadWarning)
        model = ph.compile(keras.Model(x, ph.outputs(features, feed)), feed, optimizer="sgd")
        table = ph.predict(model, {"image": IMAGES[:2]}).to_arrow()
    return ", ".join(f"`{one.name}` {_type(one.type)}" for one in table.schema if one.name != "id")


def _type(given: Any) -> str:
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_list(given) or pa.types.is_large_list(given) or pa.types.is_fixed_size_list(given):
        return f"list of {_type(given.value_type)}"
    if isinstance(given, pa.BaseExtensionType):
        return "tensor"
    return {"string": "text", "large_string": "text", "double": "float64", "float": "float32"}.get(
        str(given), str(given)
    )


def kind_table() -> str:
    """Kind × source × store × predict."""
    kinds = {name: one for name, one in HEADS.items() if "," not in name}
    rows = [
        [
            f"`{name}`" if " " not in name else name,
            *(reads(source, *one) for source in SOURCES),
            predicted(*one),
        ]
        for name, one in kinds.items()
    ]
    return _markdown(["", *SOURCES, "predictions"], rows)


def _markdown(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


TABLES = {
    "augmentations": (DOCS / "augmentation.md", augmentation_table),
    "kinds": (DOCS / "heads.md", kind_table),
}


def block(name: str) -> tuple[str, str]:
    """The page of a table as it is, and as it should be."""
    page, make = TABLES[name]
    text = page.read_text(encoding="utf-8")
    pattern = rf"(<!-- generated by tests/house/tables.py: {name} -->\n).*?(<!-- end -->)"
    table = make()
    return text, re.sub(pattern, lambda found: f"{found[1]}\n{table}\n{found[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    for one in sys.argv[1:] or TABLES:
        TABLES[one][0].write_text(block(one)[1], encoding="utf-8")
