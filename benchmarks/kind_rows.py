"""The rows of the table of kinds: a column, its declaration, and the batch as written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Columns = Mapping[str, np.ndarray]
ByHand = Callable[[Columns, np.ndarray], dict[str, np.ndarray]]

NUMBERS, PIXELS = 200_000, 4_000
SHORT_NUMBERS, SHORT_PIXELS = 150_000, 1_500
SIDE, CLASSES, VOID = 64, 10, 255


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: of the row.
        columns: in memory.
        inputs, heads: arguments of `Feed`.
        by_hand: the arrays of a batch from columns and row numbers, by input, head, and ``"weights of"`` a head.
    """

    name: str
    columns: Columns
    inputs: Mapping[str, Any]
    heads: Mapping[str, Any]
    by_hand: ByHand


def rows(short: bool = False) -> Iterator[Row]:
    """All of them; ``short`` makes fewer and smaller ones."""
    for name, make in ROWS.items():
        if not short or name in SHORT:
            yield make(name, SHORT_NUMBERS if short else NUMBERS, SHORT_PIXELS if short else PIXELS)


def _beside_numbers(
    heads: Callable[[], Mapping[str, Any]], labels: Callable[..., Any], by_hand: ByHand
) -> Any:
    def make(name: str, numbers: int, pixels: int) -> Row:
        import polyhead as ph

        rng = np.random.default_rng(0)
        columns = {"x": rng.random((numbers, 10), dtype=np.float32), **labels(rng, numbers)}
        return Row(name, columns, {"x": ph.Array()}, heads(), lambda c, i: {"x": c["x"][i], **by_hand(c, i)})

    return make


def _of_pixels(
    heads: Callable[[], Mapping[str, Any]], labels: Callable[..., Any], by_hand: ByHand, image: str = ""
) -> Any:
    """Rows of a head for each pixel, beside four numbers or beside an image of ``"float32"`` or ``"uint8"``."""

    def make(name: str, numbers: int, pixels: int) -> Row:
        import polyhead as ph

        rng = np.random.default_rng(0)
        if image:
            x = rng.integers(0, 256, (pixels, SIDE, SIDE, 3), dtype=np.uint8)
        else:
            x = rng.random((pixels, 4), dtype=np.float32)

        def batch(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
            taken = c["x"][i]
            return {"x": taken / np.float32(255) if image == "float32" else taken, **by_hand(c, i)}

        inputs = {"x": ph.Image(dtype=image) if image else ph.Array()}
        return Row(name, {"x": x, **labels(rng, pixels)}, inputs, heads(), batch)

    return make


def _heads(kind: str, *arguments: Any, **options: Any) -> Callable[[], Mapping[str, Any]]:
    def make() -> Mapping[str, Any]:
        import polyhead as ph

        return {"y": getattr(ph, kind)(*arguments, **options)}

    return make


def _two_masks() -> Mapping[str, Any]:
    import polyhead as ph

    return {"y": ph.Mask(), "z": ph.Mask(CLASSES)}


def _given() -> Mapping[str, Any]:
    import polyhead as ph

    return {"there": ph.Binary(), "y": ph.Mask(CLASSES, given="there")}


def _ids(rng: np.random.Generator, rows: int, classes: int = CLASSES) -> dict[str, np.ndarray]:
    return {"y": rng.integers(0, classes, (rows, SIDE, SIDE), dtype=np.uint8)}


def _void(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    masks = _ids(rng, rows)["y"]
    masks[rng.random(masks.shape) < 1 / 3] = VOID
    return {"y": masks}


def _with_nan(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    return {"y": np.where(rng.random(rows) < 0.2, np.nan, rng.standard_normal(rows))}


def _unit(rng: np.random.Generator, rows: int, *shape: int) -> dict[str, np.ndarray]:
    return {"y": rng.random((rows, *shape), dtype=np.float32)}


def _without_void(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
    masks = c["y"][i]
    there = masks != VOID
    return {"y": np.where(there, masks, 0).astype(np.int32), "weights of y": there.astype(np.float32)}


def _without_nan(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
    values = c["y"][i]
    there = ~np.isnan(values)
    return {
        "y": np.where(there, values, 0).astype(np.float32)[:, None],
        "weights of y": there.astype(np.float32),
    }


def _where_there(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
    there = c["there"][i].astype(np.float32)
    ones = np.ones(len(i), np.float32)
    return {
        "there": there[:, None],
        "y": c["y"][i].astype(np.int32),
        "weights of there": ones,
        "weights of y": there[:, None, None],
    }


def _weighed(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
    ids = c["y"][i].astype(np.int32)
    return {"y": ids, "weights of y": _BY_CLASS[ids]}


def _cast(dtype: Any, axis: bool = False) -> ByHand:
    def by_hand(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
        values = c["y"][i].astype(dtype)
        return {"y": values[..., None] if axis else values}

    return by_hand


def _with_ones(c: Columns, i: np.ndarray) -> dict[str, np.ndarray]:
    return {"y": c["y"][i], "weights of y": np.ones(len(i), np.float32)}


_BY_CLASS = np.linspace(0.5, 2, CLASSES).astype(np.float32)
_f4, _i4 = np.float32, np.int32

ROWS: dict[str, Callable[[str, int, int], Row]] = {
    "Binary()": _beside_numbers(
        _heads("Binary"), lambda rng, n: {"y": rng.integers(0, 2, n)}, _cast(_f4, axis=True)
    ),
    "Categorical(5)": _beside_numbers(
        _heads("Categorical", 5), lambda rng, n: {"y": rng.integers(0, 5, n)}, _cast(_i4)
    ),
    "MultiLabel(6)": _beside_numbers(
        _heads("MultiLabel", 6), lambda rng, n: {"y": rng.integers(0, 2, (n, 6))}, _cast(_f4)
    ),
    "Regression(), NaN": _beside_numbers(_heads("Regression"), _with_nan, _without_nan),
    "Embedding(128)": _of_pixels(_heads("Embedding", 128), lambda rng, n: _unit(rng, n, 128), _with_ones),
    "Mask()": _of_pixels(_heads("Mask"), lambda rng, n: _ids(rng, n, 2), _cast(_f4, axis=True)),
    "Mask(), (H, W, 1)": _of_pixels(
        _heads("Mask"), lambda rng, n: {"y": _ids(rng, n, 2)["y"][..., None]}, _cast(_f4)
    ),
    "Mask(2)": _of_pixels(_heads("Mask", 2), lambda rng, n: _ids(rng, n, 2), _cast(_i4)),
    "Mask(10)": _of_pixels(_heads("Mask", CLASSES), _ids, _cast(_i4)),
    "Mask(10), (H, W, 1)": _of_pixels(
        _heads("Mask", CLASSES),
        lambda rng, n: {"y": _ids(rng, n)["y"][..., None]},
        lambda c, i: {"y": c["y"][i][..., 0].astype(_i4)},
    ),
    "Mask(10), int64": _of_pixels(
        _heads("Mask", CLASSES), lambda rng, n: {"y": _ids(rng, n)["y"].astype(np.int64)}, _cast(_i4)
    ),
    "Mask(10, missing=255)": _of_pixels(_heads("Mask", CLASSES, missing=VOID), _void, _without_void),
    "Mask(10, class_weight=)": _of_pixels(
        _heads("Mask", CLASSES, class_weight=_BY_CLASS.tolist()), _ids, _weighed
    ),
    "Mask(10, given=)": _of_pixels(
        _given, lambda rng, n: {**_ids(rng, n), "there": rng.integers(0, 2, n)}, _where_there
    ),
    "Mask(values=(0, 255))": _of_pixels(
        _heads("Mask", values=(0, 255)),
        lambda rng, n: {"y": 255 * _ids(rng, n, 2)["y"]},
        lambda c, i: {"y": (c["y"][i] == 255).astype(_f4)[..., None]},
    ),
    "Mask() and Mask(10), image": _of_pixels(
        _two_masks,
        lambda rng, n: {"y": _ids(rng, n, 2)["y"], "z": _ids(rng, n)["y"]},
        lambda c, i: {"y": c["y"][i].astype(_f4)[..., None], "z": c["z"][i].astype(_i4)},
        image="float32",
    ),
    "Map()": _of_pixels(_heads("Map"), lambda rng, n: _ids(rng, n, 256), _cast(_f4, axis=True)),
    "Keypoints(17), image": _of_pixels(
        _heads("Keypoints", 17), lambda rng, n: _unit(rng, n, 17, 2), _cast(_f4), image="float32"
    ),
    'Image(dtype="uint8")': _of_pixels(
        _heads("Categorical", 5), lambda rng, n: {"y": rng.integers(0, 5, n)}, _cast(_i4), image="uint8"
    ),
    "Image()": _of_pixels(
        _heads("Categorical", 5), lambda rng, n: {"y": rng.integers(0, 5, n)}, _cast(_i4), image="float32"
    ),
}

SHORT = ("Categorical(5)", "Mask(values=(0, 255))", "Mask(10, missing=255)", 'Image(dtype="uint8")')
