"""The steps of the arms on tf.data: TensorFlow's own operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from benchmarks.files.rows import FRAME, HALF
from benchmarks.vision import tf_ops as vision
from benchmarks.vision.workload import HEIGHT, SIDE, WIDTH


def read(image: Any, mask: Any, *labels: Any) -> Any:
    """A row's files, decoded; the path of a mask that is missing is empty."""
    held = tf.cond(tf.equal(mask, ""), lambda: tf.constant(b""), lambda: tf.io.read_file(mask))
    return decoded(tf.io.read_file(image), held, *labels)


def decoded(image: Any, mask: Any, *labels: Any) -> Any:
    """The bytes of a row's files as pixels: the fast way of libjpeg-turbo, at half the size."""
    pixels = tf.io.decode_jpeg(image, channels=3, ratio=2, fancy_upscaling=False, dct_method="INTEGER_FAST")
    pixels = tf.ensure_shape(pixels, (*HALF, 3))
    there = tf.strings.length(mask) > 0
    empty = tf.zeros((SIDE, SIDE), tf.uint8)
    return pixels, tf.cond(there, lambda: _mask(mask), lambda: empty), there, *labels


def _mask(held: Any) -> Any:
    ids = tf.ensure_shape(tf.io.decode_png(held, channels=1), (HEIGHT, WIDTH, 1))
    return tf.image.resize(ids, (SIDE, SIDE), method="nearest")[..., 0]


def shaped(images: Any, masks: Any, *labels: Any) -> Any:
    """The bytes of pixels of a whole batch as arrays."""
    there = tf.strings.length(masks) > 0
    masks = tf.where(there, masks, tf.constant(b"\0" * (SIDE * SIDE)))
    count = tf.shape(images)[0]
    pixels = tf.reshape(tf.io.decode_raw(images, tf.uint8), (count, SIDE, SIDE, 3))
    ids = tf.reshape(tf.io.decode_raw(masks, tf.uint8), (count, SIDE, SIDE))
    return pixels, ids, there, *labels


def finished(images: Any, masks: Any, masked: Any, kind: Any, box: Any, number: Any, row: Any) -> Any:
    """A batch: labels that are missing are 0 and have a weight of 0."""
    images = tf.image.resize(images, (SIDE, SIDE)) / 255.0  # leaves images of that size as they are
    there = tf.cast(~tf.math.is_nan(box[:, :1]), tf.float32)
    boxes = tf.where(there[..., None] > 0, (box * (SIDE / FRAME))[:, None], 0.0)
    return _ordered(images, masks, masked, kind, boxes, there, number, row)


def augmented(images: Any, masks: Any, masked: Any, kind: Any, box: Any, number: Any, row: Any) -> Any:
    """The same of pixels in the size of the output, augmented as a batch at once."""
    count, size = tf.shape(images)[0], (SIDE, SIDE)
    matrices = vision.matrices(count, size)
    images = vision.colored(vision.warped(images, matrices, 1, "BILINEAR"), count)
    masks = vision.warped(masks[..., None], matrices, 1, "NEAREST")[..., 0]
    boxes, there = vision.moved((box * (SIDE / FRAME))[:, None], matrices)
    return _ordered(images, masks, masked, kind, boxes, there, number, row)


def _ordered(
    images: Any, masks: Any, masked: Any, kind: Any, boxes: Any, there: Any, number: Any, row: Any
) -> Any:
    known = tf.stack([kind >= 0, there[:, 0] > 0, masked, ~tf.math.is_nan(number)], axis=1)
    numbers = tf.where(known[:, 3], number, 0.0)[:, tf.newaxis]
    ids = tf.cast(masks, tf.int32)
    return images, tf.maximum(kind, 0), boxes, ids, numbers, row, tf.cast(known, tf.float32)


def batches(rows: Any, batch_size: int | None, augment: bool = False) -> Callable[[int], Iterator[Any]]:
    """Opened rows, or with None opened batches, as an epoch's batches."""
    if batch_size is not None:
        rows = rows.batch(batch_size)
    finish = augmented if augment else finished
    done = rows.map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    done = done.prefetch(tf.data.AUTOTUNE)
    return lambda epoch: iter(done)
