"""The steps of the arms on tf.data: TensorFlow's own operations, or Keras's layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.vision.workload import COLOR, CROP, DEGREES, FLIP, HEIGHT, SIDE, WIDTH, ZOOM

HALF = (HEIGHT // 2, WIDTH // 2)
MIN_VISIBLE = 0.1


def decoded(image: Any, mask: Any, boxes: Any, row: Any) -> Any:
    """A row's files as pixels: the fast way of libjpeg-turbo, at half the size."""
    pixels = tf.io.decode_jpeg(
        tf.io.read_file(image), channels=3, ratio=2, fancy_upscaling=False, dct_method="INTEGER_FAST"
    )
    ids = tf.io.decode_png(tf.io.read_file(mask), channels=1)
    return tf.ensure_shape(pixels, (*HALF, 3)), tf.ensure_shape(ids, (HEIGHT, WIDTH, 1)), boxes, row


def resized(images: Any, masks: Any, boxes: Any, rows: Any) -> Any:
    """Without augmentation."""
    images = tf.image.resize(images, (SIDE, SIDE)) / 255.0
    masks = tf.image.resize(masks, (SIDE, SIDE), method="nearest")
    boxes = boxes * tf.constant([SIDE / WIDTH, SIDE / HEIGHT] * 2, tf.float32)
    return images, tf.cast(masks[..., 0], tf.int32), boxes, tf.ones(tf.shape(boxes)[:2]), rows


def matrices(count: Any, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Any:
    """From images of a size to the output, (B, 3, 3): mirrored, turned, scaled, cut and resized, as one."""
    height, width = size

    def draw(low: float, high: float) -> Any:
        return tf.random.uniform([count], low, high)

    def rows(*values: Any) -> Any:
        values = tuple(tf.broadcast_to(tf.cast(v, tf.float32), [count]) for v in values)
        return tf.reshape(tf.stack(values, 1), [-1, 3, 3])

    sign = tf.where(draw(0, 1) < FLIP, -1.0, 1.0)
    angle, factor = draw(-DEGREES, DEGREES) * (np.pi / 180), draw(1 - ZOOM, 1 + ZOOM)
    cos, sin = factor * tf.cos(angle), factor * tf.sin(angle)
    center = rows(1, 0, -width / 2, 0, 1, -height / 2, 0, 0, 1)
    turn = rows(cos * sign, -sin, width / 2, sin * sign, cos, height / 2, 0, 0, 1)
    left, top = draw(0, width * (1 - CROP)), draw(0, height * (1 - CROP))
    x, y = SIDE / (width * CROP), SIDE / (height * CROP)
    return rows(x, 0, -left * x, 0, y, -top * y, 0, 0, 1) @ turn @ center


def augmented(images: Any, masks: Any, boxes: Any, rows: Any) -> Any:
    """A batch through one transform, and its colors through one matrix each."""
    count = tf.shape(images)[0]
    drawn = matrices(count)
    images = warped(images, drawn, 2, "BILINEAR")
    masks = warped(masks, drawn, 1, "NEAREST")
    boxes, there = moved(boxes, drawn)
    return colored(images, count), tf.cast(masks[..., 0], tf.int32), boxes, there, rows


def warped(images: Any, drawn: Any, shrunk: int, interpolation: str) -> Any:
    """Pixels of images that are shrunk already; TensorFlow puts the center of the first pixel at 0."""
    half = tf.constant([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    back = tf.constant([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    scale = tf.constant([[1 / shrunk, 0, 0], [0, 1 / shrunk, 0], [0, 0, 1]], tf.float32)
    inverse = back @ scale @ tf.linalg.inv(drawn) @ half
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.reshape(inverse, [-1, 9])[:, :8],
        output_shape=[SIDE, SIDE],
        interpolation=interpolation,
        fill_mode="CONSTANT",
        fill_value=0.0,
    )


def moved(boxes: Any, drawn: Any) -> Any:
    """The boxes round the corners, (B, n, 4), clipped; which are still there, (B, n). NaN is not, and becomes zeros."""
    count = boxes.shape[1]
    corners = tf.reshape(tf.gather(boxes, [0, 1, 2, 1, 2, 3, 0, 3], axis=2), [-1, 4 * count, 2])
    corners = tf.matmul(corners, drawn[:, :2, :2], transpose_b=True) + drawn[:, None, :2, 2]
    corners = tf.reshape(corners, [-1, count, 4, 2])
    low, high = tf.reduce_min(corners, 2), tf.reduce_max(corners, 2)
    inside = tf.clip_by_value(tf.concat([low, high], 2), 0.0, float(SIDE))
    area = tf.reduce_prod(inside[..., 2:] - inside[..., :2], 2)
    there = area >= MIN_VISIBLE * tf.reduce_prod(high - low, 2)
    return tf.where(there[..., None], inside, 0.0), tf.cast(there, tf.float32)


def colored(images: Any, count: Any) -> Any:
    """A batch of bytes as 0-1, with contrast, saturation, brightness and hue changed."""

    def factor(name: str) -> Any:
        return tf.random.uniform([count, 1, 1, 1], 1 - COLOR[name], 1 + COLOR[name])

    images = tf.cast(images, tf.float32) * (1 / 255.0)
    images = (images - 0.5) * factor("contrast") + 0.5
    gray = tf.reduce_sum(images * tf.constant([0.299, 0.587, 0.114]), 3, keepdims=True)
    images = gray + (images - gray) * factor("saturation")
    # one angle a batch: tf.image.adjust_hue takes no more
    images = tf.image.random_hue(tf.clip_by_value(images * factor("brightness"), 0.0, 1.0), COLOR["hue"])
    return tf.clip_by_value(images, 0.0, 1.0)


def keras_layers(augment: bool) -> Any:
    """Keras's layers on a batch, with masks and boxes."""
    import keras

    layers = keras.layers
    form = {"bounding_box_format": "xyxy", "data_format": "channels_last"}
    steps: list[Any] = [layers.Resizing(SIDE, SIDE, **form)]
    if augment:
        height, width = (round(side * CROP) for side in HALF)
        steps = [
            layers.RandomCrop(height, width, **form),
            *steps,
            layers.RandomFlip("horizontal", **form),
            layers.RandomRotation(DEGREES / 360, fill_mode="constant", **form),
            layers.RandomZoom((-ZOOM, ZOOM), fill_mode="constant", **form),
        ]
    color = layers.RandomColorJitter(
        value_range=(0, 255),
        brightness_factor=COLOR["brightness"],
        contrast_factor=COLOR["contrast"],
        saturation_factor=(0.5 - COLOR["saturation"] / 2, 0.5 + COLOR["saturation"] / 2),
        hue_factor=COLOR["hue"],
        data_format="channels_last",
    )

    def change(images: Any, masks: Any, boxes: Any, rows: Any) -> Any:
        labels = tf.zeros(tf.shape(boxes)[:2], tf.float32)
        data: Any = {
            "images": images,
            "segmentation_masks": tf.image.resize(masks, HALF, method="nearest"),
            "bounding_boxes": {"boxes": boxes / 2, "labels": labels},
        }
        for step in steps:
            data = step(data, training=True) if augment else step(data)
        found = tf.clip_by_value(data["bounding_boxes"]["boxes"], 0.0, float(SIDE))
        there = tf.cast(tf.reduce_prod(found[..., 2:] - found[..., :2], 2) > 0, tf.float32)
        images = color(data["images"], training=True) if augment else data["images"]
        images = tf.clip_by_value(tf.cast(images, tf.float32) / 255.0, 0.0, 1.0)
        masks = tf.cast(data["segmentation_masks"][..., 0], tf.int32)
        return images, masks, found * there[..., None], there, rows

    return change
