"""One function an arm: what reads, decodes and augments the same files, shuffled, in batches of a number of rows.

Each does what its library's own guide advises, decodes at half the size, which suffices, and turns pixels into float32
at the end. Where a library can do several steps as one it does: an affine warp, a table of colors.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import simplejpeg

from benchmarks.vision.workload import (
    BOXES,
    CLASSES,
    COLOR,
    CROP,
    DEGREES,
    FLIP,
    HEIGHT,
    SIDE,
    WIDTH,
    ZOOM,
    Delivered,
    Rows,
)

Epochs = Callable[[int], Iterator[Any]]
Make = Callable[[Rows, int, bool], Epochs]
READY = 0.02
"""Seconds in which a batch comes that was made already."""

MOST_READY = 16
"""More than all buffers of an arm hold."""

HALF = (HEIGHT // 2, WIDTH // 2)


def polyhead(data: Rows, batch_size: int, augment: bool, *, workers: int | str) -> Epochs:
    import polyhead as ph

    columns = {"image": data.images, "mask": data.masks, "boxes": data.boxes, "row": np.arange(len(data))}
    feed = ph.Feed(
        columns,
        inputs={"image": ph.Image(SIDE, SIDE)},
        heads={
            "mask": ph.Mask(CLASSES, outside=0),
            "boxes": ph.Boxes(BOXES),
            "row": ph.Categorical(len(data)),
        },
        augment=augmentations() if augment else (),
        batch_size=batch_size,
        shuffle=True,
        workers=workers,
    )
    return lambda epoch: iter(feed)


def augmentations() -> list[Any]:
    """What polyhead does to a sample."""
    import polyhead as ph

    color = ph.Color(
        COLOR["brightness"], contrast=COLOR["contrast"], saturation=COLOR["saturation"], hue=COLOR["hue"]
    )
    return [ph.Flip(p=FLIP), ph.Rotate(DEGREES), ph.Scale(ZOOM), ph.Crop(CROP), color]


# What the arms in Python share --------------------------------------------------------------------------


class Reader:
    """A row by hand: simplejpeg at half the size, OpenCV for the mask, albumentations for what moves and colors."""

    def __init__(self, data: Rows, augment: bool) -> None:
        import albumentations as A

        self.data = data
        height, width = (round(side * CROP) for side in HALF)
        nearest = {"interpolation": cv2.INTER_LINEAR, "mask_interpolation": cv2.INTER_NEAREST}
        steps = [A.Resize(SIDE, SIDE, **nearest)]
        if augment:
            around = A.Affine(
                scale=(1 - ZOOM, 1 + ZOOM), rotate=(-DEGREES, DEGREES), keep_ratio=True, p=1, **nearest
            )
            steps = [A.HorizontalFlip(p=FLIP), around, A.RandomCrop(height, width), *steps, jitter()]
        cv2.setNumThreads(0)
        self.augment = A.Compose(
            steps, bbox_params=A.BboxParams("pascal_voc", label_fields=["at"], min_visibility=0.1)
        )

    def __getitem__(self, row: int) -> tuple[np.ndarray, ...]:
        row = int(row)
        with open(self.data.images[row], "rb") as file:
            image = simplejpeg.decode_jpeg(file.read(), "RGB", True, True, HALF[0], HALF[1])
        mask = cv2.imread(self.data.masks[row], cv2.IMREAD_UNCHANGED)
        mask = cv2.resize(mask, HALF[::-1], interpolation=cv2.INTER_NEAREST)
        done = self.augment(image=image, mask=mask, bboxes=self.data.boxes[row] / 2, at=np.arange(BOXES))
        boxes, there = np.zeros((BOXES, 4), np.float32), np.zeros(BOXES, np.float32)
        kept = len(done["bboxes"])
        boxes[:kept], there[:kept] = np.reshape(done["bboxes"], (-1, 4)), 1
        return done["image"], done["mask"], boxes, there, np.int32(row)

    def __len__(self) -> int:
        return len(self.data)


def jitter() -> Any:
    import albumentations as A

    bright, contrast, saturation = (
        (1 - COLOR[name], 1 + COLOR[name]) for name in ("brightness", "contrast", "saturation")
    )
    return A.ColorJitter(bright, contrast, saturation, (-COLOR["hue"], COLOR["hue"]), p=1)


def stacked(rows: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """A batch of rows; pixels become float32 all at once."""
    images, masks, boxes, there, ids = (np.stack(column) for column in zip(*rows, strict=True))
    return np.divide(images, np.float32(255), dtype=np.float32), masks.astype(np.int32), boxes, there, ids


# Other libraries ----------------------------------------------------------------------------------------


def torch_loader(data: Rows, batch_size: int, augment: bool, *, workers: int) -> Epochs:
    """``DataLoader`` with forked workers that stay, two batches ahead each; tensors are made in the workers."""
    import torch

    def collate(rows: list[tuple[np.ndarray, ...]]) -> Any:
        images, masks, boxes, there, ids = (np.stack(column) for column in zip(*rows, strict=True))
        pixels = torch.from_numpy(images).float().div_(255)
        return pixels, *(torch.from_numpy(a) for a in (masks.astype(np.int32), boxes, there, ids))

    torch.set_num_threads(1)
    more = (
        {"multiprocessing_context": "fork", "persistent_workers": True, "prefetch_factor": 2}
        if workers
        else {}
    )
    loader = torch.utils.data.DataLoader(
        Reader(data, augment),  # type: ignore[arg-type]
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        collate_fn=collate,
        **more,  # type: ignore[arg-type]
    )
    return lambda epoch: iter(loader)


def grain_map(data: Rows, batch_size: int, augment: bool, *, threads: int, processes: int = 0) -> Epochs:
    """``MapDataset``: shuffle, map, batch, repeat; reading threads, or processes, as many as there are cores.

    Processes take seconds to begin, so they go through all epochs in one iterator.
    """
    import grain
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # grain's processes read flags, which a program of absl would have parsed
    rows = grain.MapDataset.range(len(data)).seed(0).shuffle().map(Reader(data, augment).__getitem__)
    batches, count = rows.batch(batch_size, batch_fn=stacked), -(-len(data) // batch_size)
    ahead = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    if not processes:
        endless = batches.repeat(None)
        return lambda epoch: iter(
            endless.slice(slice(epoch * count, (epoch + 1) * count)).to_iter_dataset(ahead)
        )
    begun = grain.MultiprocessingOptions(num_workers=processes, per_worker_buffer_size=2)
    return Going(iter(batches.repeat(None).to_iter_dataset(ahead).mp_prefetch(begun)), count)


class Going:
    """Epochs of an iterator that works on between them."""

    def __init__(self, batches: Iterator[Any], count: int) -> None:
        self.batches, self.count = batches, count

    def __call__(self, epoch: int) -> Iterator[Any]:
        return itertools.islice(self.batches, self.count)

    def settle(self) -> None:
        """Take away what is ready, so that a run only counts what is made in it."""
        for _ in range(MOST_READY):
            begin = time.perf_counter()
            next(self.batches)
            if time.perf_counter() - begin > READY:
                return


def tf_data(data: Rows, batch_size: int, augment: bool, *, layers: bool = False) -> Epochs:
    """Shuffle, parallel map, batch, prefetch, all ``AUTOTUNE``; geometry is one projective transform of a batch."""
    import tensorflow as tf

    from benchmarks.vision import tf_ops

    given = (data.images, data.masks, data.boxes, np.arange(len(data), dtype=np.int32))
    rows = tf.data.Dataset.from_tensor_slices(given).shuffle(len(data), reshuffle_each_iteration=True)
    rows = rows.map(tf_ops.decoded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    batches = rows.batch(batch_size)
    change = tf_ops.keras_layers(augment) if layers else tf_ops.augmented if augment else tf_ops.resized
    batches = batches.map(change, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    batches = batches.prefetch(tf.data.AUTOTUNE)
    return lambda epoch: iter(batches)


# The limit ----------------------------------------------------------------------------------------------


def bare(data: Rows, batch_size: int, augment: bool, *, threads: int, masks: bool) -> Epochs:
    """Files read and decoded at half the size, and nothing else: no batch, no augmentation, no labels."""

    def one(row: int) -> np.ndarray:
        with open(data.images[row], "rb") as file:
            pixels = simplejpeg.decode_jpeg(file.read(), "RGB", min_height=HALF[0], min_width=HALF[1])
        if masks:
            with open(data.masks[row], "rb") as file:
                cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
        return pixels[:1]

    def epochs(epoch: int) -> Iterator[Any]:
        order = np.random.default_rng(epoch).permutation(len(data)).tolist()
        if not threads:
            yield from map(one, order)
            return
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(one, order)

    return epochs


ARMS: dict[str, Make] = {
    "polyhead, workers=auto": partial(polyhead, workers="auto"),
    "polyhead, workers=1": partial(polyhead, workers=1),
    "tf.data": tf_data,
    "tf.data + Keras layers": partial(tf_data, layers=True),
    "DataLoader + albumentations, 0 workers": partial(torch_loader, workers=0),
    "DataLoader + albumentations, 1 worker": partial(torch_loader, workers=1),
    "DataLoader + albumentations, 2 workers": partial(torch_loader, workers=2),
    "grain + albumentations, 2 threads": partial(grain_map, threads=2),
    "grain + albumentations, 2 processes": partial(grain_map, threads=0, processes=2),
}

LIMITS: dict[str, Make] = {
    "bare loop, JPEGs, 2 threads": partial(bare, threads=2, masks=False),
    "bare loop, JPEGs and masks, 2 threads": partial(bare, threads=2, masks=True),
    "bare loop, JPEGs, in line": partial(bare, threads=0, masks=False),
    "bare loop, JPEGs and masks, in line": partial(bare, threads=0, masks=True),
}

NEEDS = {
    "tf.data": ("tensorflow",),
    "DataLoader": ("torch", "albumentations"),
    "grain": ("grain", "albumentations"),
}


def available() -> list[str]:
    """The arms whose libraries are installed."""
    needs = {name: [m for start, ms in NEEDS.items() if name.startswith(start) for m in ms] for name in ARMS}
    return [name for name, modules in needs.items() if all(find_spec(module) for module in modules)]


def delivered(batch: Any) -> Delivered:
    """A batch of any arm in one form."""
    if isinstance(batch[0], dict):
        x, y, weights = batch
        return Delivered(x["image"], y["mask"], y["boxes"], weights["boxes"], y["row"])
    return Delivered(*batch)


def rows_of(batch: Any) -> int:
    """Rows in a batch, without a look at the data; what a bare loop yields is one."""
    x = (
        batch[0]["image"]
        if isinstance(batch[0], dict)
        else batch[0]
        if isinstance(batch, (tuple, list))
        else batch
    )
    return int(x.shape[0])
