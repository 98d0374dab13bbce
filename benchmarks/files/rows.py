"""The rows that every arm delivers, and the proof that it did.

A row is a JPEG of 640 x 480, a PNG of class ids, a class, a box, a number and its own number. Of each of the first four
labels 30 % are missing, each in rows of its own. Files are made by `benchmarks.vision.workload`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from benchmarks.vision import workload as vision
from benchmarks.vision.workload import CLASSES, HEIGHT, LEVELS, OVERLAP, SIDE, WIDTH
from benchmarks.workloads import hashed

KINDS, MISSING = 10, 0.3
HALF = (HEIGHT // 2, WIDTH // 2)
HEADS = ("kind", "box", "mask", "number")

FRAME = np.float32([WIDTH, HEIGHT] * 2)
"""The size of a file's image, for each number of a box."""

GRID = (20, 15)
"""Boxes lie on multiples of these, so that they are whole numbers after the images are resized, and hash alike."""

MOVED = 3 * LEVELS
"""The least mean difference of augmented images from the reference, in levels of 255."""

KEPT = 0.8
"""The least share of boxes that augmentation leaves inside the image."""

Sample = dict[str, Any]
"""A row before it is in a batch: ``image`` uint8 ``(SIDE, SIDE, 3)``, ``mask`` uint8 ``(SIDE, SIDE)``, ``masked``,
``kind`` (-1 if missing), ``box`` float32 ``(4,)`` in pixels of the file and ``number`` (NaN if missing), ``row``."""

Delivered = tuple[Any, ...]
"""A batch: images float32 ``(B, SIDE, SIDE, 3)``, kinds int32 ``(B,)``, boxes float32 ``(B, 1, 4)``, masks int32
``(B, SIDE, SIDE)``, numbers float32 ``(B, 1)``, rows int32 ``(B,)``, weights float32 ``(B, 4)``, as `HEADS`."""


@dataclass(frozen=True)
class Rows:
    """What there is to read.

    Attributes:
        files: the images and the masks.
        kind: int32 ``(N,)``, -1 where it is missing.
        box: float32 ``(N, 4)``, ``xyxy`` in pixels of the file, NaN where it is missing.
        number: float32 ``(N,)``, NaN where it is missing.
        masks: paths, None where a mask is missing.
    """

    files: vision.Rows
    kind: np.ndarray
    box: np.ndarray
    number: np.ndarray
    masks: list[str | None]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def of(cls, folder: Path) -> Rows:
        """The rows whose files are in a folder; their labels follow from their number."""
        files = vision.Rows.of(folder)
        rng = np.random.default_rng(1)
        n = len(files)
        missing = [rng.random(n) < MISSING for _ in HEADS]
        corners = rng.integers(0, 16, (n, 2)) * GRID
        boxes = np.concatenate([corners, corners + rng.integers(1, 16, (n, 2)) * GRID], 1)
        kind = np.where(missing[0], -1, rng.integers(0, KINDS, n)).astype(np.int32)
        box = np.where(missing[1][:, None], np.nan, boxes).astype(np.float32)
        number = np.where(missing[3], np.nan, rng.standard_normal(n)).astype(np.float32)
        masks = [None if absent else path for absent, path in zip(missing[2], files.masks, strict=True)]
        return cls(files, kind, box, number, masks)

    def some(self, count: int) -> Rows:
        """The first rows alone."""
        cut = slice(count)
        return Rows(self.files.some(count), self.kind[cut], self.box[cut], self.number[cut], self.masks[cut])

    def paths(self) -> list[Path]:
        """All files."""
        return [Path(path) for path in (*self.files.images, *self.masks) if path is not None]

    def encoded(self, row: int) -> Sample:
        """A row as packed formats hold it: ``image`` and ``mask`` are the bytes of their files, b"" if missing."""
        mask = self.masks[row]
        return {
            "image": Path(self.files.images[row]).read_bytes(),
            "mask": Path(mask).read_bytes() if mask else b"",
            **self.labels(row),
        }

    def pixels(self, row: int) -> Sample:
        """A row as packed formats hold it when images are resized already: the bytes of pixels."""
        image, mask, _ = vision.reference(self.files, row)
        held = np.rint(image).astype(np.uint8).tobytes()
        return {
            "image": held,
            "mask": mask.tobytes() if self.masks[row] else b"",
            **self.labels(row),
        }

    def labels(self, row: int) -> Sample:
        """The labels of a row that are no files."""
        box = self.box[row]
        return {"kind": int(self.kind[row]), "box": box, "number": float(self.number[row]), "row": row}

    def __getitem__(self, row: int) -> Sample:
        """A row read and decoded by hand."""
        return decoded(self.encoded(int(row)))


def decoded(held: Sample) -> Sample:
    """What `Rows.encoded` gave, decoded: simplejpeg at half the size, which suffices, then OpenCV."""
    image = simplejpeg.decode_jpeg(held["image"], "RGB", True, True, HALF[0], HALF[1])
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    if held["mask"]:
        read = cv2.imdecode(np.frombuffer(held["mask"], np.uint8), cv2.IMREAD_UNCHANGED)
        mask = cv2.resize(read, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    return {**held, "image": image, "mask": mask, "masked": bool(held["mask"])}


def shaped(held: Sample) -> Sample:
    """What `Rows.pixels` gave, as arrays."""
    image = np.frombuffer(held["image"], np.uint8).reshape(SIDE, SIDE, 3)
    mask = np.frombuffer(held["mask"], np.uint8) if held["mask"] else np.zeros(SIDE * SIDE, np.uint8)
    return {**held, "image": image, "mask": mask.reshape(SIDE, SIDE), "masked": bool(held["mask"])}


def stacked(samples: Sequence[Sample]) -> Delivered:
    """A batch of rows: labels that are missing are 0 and have a weight of 0; pixels become float32 all at once."""

    def column(name: str, dtype: Any) -> np.ndarray:
        return np.array([sample[name] for sample in samples], dtype)

    images = np.stack([sample["image"] for sample in samples])
    masks = np.stack([sample["mask"] for sample in samples]).astype(np.int32)
    kind, number = column("kind", np.int32), column("number", np.float32)
    box, masked = column("box", np.float32), column("masked", bool)
    there = np.stack([kind >= 0, ~np.isnan(box[:, 0]), masked, ~np.isnan(number)], 1).astype(np.float32)
    return (
        np.divide(images, np.float32(255), dtype=np.float32),
        np.maximum(kind, 0),
        np.nan_to_num(box * (SIDE / FRAME))[:, None],
        masks,
        np.nan_to_num(number)[:, None],
        column("row", np.int32),
        there,
    )


def delivered(batch: Any) -> Delivered:
    """A batch of any arm in one form; rows that are not put together yet are a list."""
    if isinstance(batch, list):
        batch = stacked(batch)
    if isinstance(batch[0], dict):
        x, y, w = batch
        there = np.stack([np.asarray(w[name]).reshape(len(w[name]), -1)[:, 0] for name in HEADS], 1)
        at = there[:, HEADS.index("box"), None, None]
        y = {**y, "box": np.where(at > 0, np.asarray(y["box"]), np.float32(0))}  # -1 where nobody looked
        batch = (x["image"], *(y[name] for name in ("kind", "box", "mask", "number", "row")), there)
    return tuple(np.asarray(a) for a in batch)


def rows_of(batch: Any) -> int:
    """Rows in a batch, without a look at the data."""
    if isinstance(batch, list):
        return len(batch)
    return int((batch[0]["image"] if isinstance(batch[0], dict) else batch[0]).shape[0])


# The proof ----------------------------------------------------------------------------------------------


class _Seen:
    """The rows of an epoch, and the sum of their hashes."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._rows: list[int] = []
        self._total = 0

    def add(self, batch: Delivered, hashes: Sequence[np.ndarray]) -> None:
        """Note a batch, and of it what is hashed."""
        self._forms.add("; ".join(f"{a.dtype} {a.shape[1:]}" for a in batch))
        self._rows += batch[5].tolist()
        self._total = (self._total + hashed(hashes)) % (1 << 64)

    def proof(self, count: int) -> dict[str, Any]:
        """What must be the same in all arms, once each of so many rows was there."""
        seen = self._rows
        _require(sorted(seen) == list(range(count)), f"every row once, got {len(set(seen))} in {len(seen)}")
        return {"rows": len(seen), "form": " | ".join(sorted(self._forms)), "hash": f"{self._total:016x}"}


def check(batches: Iterable[Any], data: Rows) -> dict[str, Any]:
    """What was delivered in an epoch: a hash of labels, weights and row numbers, and how far pixels are off.

    Raises:
        ValueError: pixels or masks that differ from the reference by more than is allowed; a box that is not on the
            grid; a row that is missing or comes twice.
    """
    seen = _Seen()
    levels, overlap = [], []
    for batch in map(delivered, batches):
        images, kind, box, masks, number, rows, there = batch
        grid = np.rint(box)
        _require(np.abs(grid - box).max() < 1e-3, "boxes on the grid")
        seen.add(batch, [kind, grid + 0.0, number, rows, there])
        for image, mask, masked, row in zip(images, masks, there[:, 2], rows.tolist(), strict=True):
            expected, ids, _ = vision.reference(data.files, row)
            levels.append(float(np.abs(255 * image - expected).mean()))
            if masked:
                overlap.append(vision.overlap(mask, ids))
            else:
                _require(not mask.any(), "zeros where there is no mask")
    proof = seen.proof(len(data))
    _require(np.mean(levels) <= LEVELS, f"pixels within {LEVELS} levels, got {np.mean(levels):.2f}")
    _require(np.mean(overlap) >= OVERLAP, f"masks that overlap by {OVERLAP}, got {np.mean(overlap):.3f}")
    return {"proof": proof, "levels": float(np.mean(levels)), "overlap": float(np.mean(overlap))}


def check_augmented(batches: Iterable[Any], data: Rows) -> dict[str, Any]:
    """What was delivered in an augmented epoch: a hash of what chance leaves alone, and how many boxes were kept.

    Raises:
        ValueError: a row that is missing or comes twice; values out of range; anything where a label is missing;
            images that are the reference still; too few boxes that are kept.
    """
    seen = _Seen()
    levels, kept = [], []
    for batch in map(delivered, batches):
        images, kind, box, masks, number, rows, there = batch
        known, masked = ~np.isnan(data.box[rows, 0]), there[:, 2] > 0
        seen.add(
            batch, [kind, number, rows, there[:, [HEADS.index(name) for name in ("kind", "mask", "number")]]]
        )
        _require(images.min() >= 0 and images.max() <= 1 and images.std() > 0.05, "images in 0-1")
        _require(masks.min() >= 0 and masks.max() < CLASSES, "class ids in masks")
        _require(masks[masked].any((1, 2)).all(), "masks of more than one class")
        _require(not masks[~masked].any(), "zeros where there is no mask")
        _require(set(np.unique(there)) <= {0, 1}, "weights of 0 and 1")
        _require(box.min() >= 0 and box.max() <= SIDE + 1e-3, "boxes inside the image")
        _require(not there[~known, 1].any(), "no box where it is missing")
        _require(not box[there[:, 1] == 0].any(), "zeros where there is no box")
        _require((box[there[:, 1] == 1, 0, 2:] > box[there[:, 1] == 1, 0, :2]).all(), "boxes with a size")
        kept += there[known, 1].tolist()
        for image, row in zip(images, rows.tolist(), strict=True):
            levels.append(float(np.abs(255 * image - vision.reference(data.files, row)[0]).mean()))
    proof = seen.proof(len(data))
    _require(
        np.mean(levels) > MOVED, f"images changed by {MOVED} levels on average, got {np.mean(levels):.2f}"
    )
    _require(np.mean(kept) > KEPT, f"{KEPT:.0%} of the boxes still there, got {np.mean(kept):.0%}")
    return {"proof": proof, "kept": float(np.mean(kept))}


def _require(good: Any, expected: str) -> None:
    if not good:
        raise ValueError(f"expected {expected}")
