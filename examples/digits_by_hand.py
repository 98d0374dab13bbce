"""The baseline of `digits.py`: a loop written by hand, without weights for missing labels.

The same canvases, network, losses, optimizer and number of epochs. Only the labels differ: a missing label is
filled with zeros.
"""

from __future__ import annotations

import keras
import numpy as np


def batches(canvases: dict, batch_size: int, seed: int):
    """Endless shuffled batches, ``x, {output: labels}``, with zeros for missing labels."""
    image = canvases["image"]
    present = canvases["present"].astype("float32")[:, None]
    digit = np.array([0 if d is None else d for d in canvases["digit"]], "int32")
    box = np.array([np.zeros(4) if b is None else b for b in canvases["box"]], "float32")[:, None]
    mask = np.array([np.zeros((64, 64)) if m is None else m for m in canvases["mask"]], "float32")[..., None]
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(image))
        for start in range(0, len(order), batch_size):
            ids = order[start : start + batch_size]
            labels = {"present": present[ids], "digit": digit[ids], "box": box[ids], "mask": mask[ids]}
            yield image[ids].astype("float32") / 255, labels


def train(model, canvases: dict, optimizer, epochs: int, batch_size: int, seed: int):
    """Train the model; print one line for each epoch."""
    model.compile(
        optimizer,
        loss={
            "present": "binary_crossentropy",
            "digit": "sparse_categorical_crossentropy",
            "box": keras.losses.Huber(0.1),
            "mask": "binary_crossentropy",
        },
        loss_weights={"present": 1.0, "digit": 1.0, "box": 100.0, "mask": 1.0},
    )
    steps = -(-len(canvases["image"]) // batch_size)
    model.fit(
        batches(canvases, batch_size, seed), steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=2
    )
    return model


def scores(model, canvases: dict) -> dict[str, float]:
    """The metrics of each head, in plain NumPy: digit, box and mask on canvases that have a digit."""
    found = model.predict(canvases["image"].astype("float32") / 255, verbose=0)
    there = np.flatnonzero(canvases["present"])
    digit = np.array([canvases["digit"][i] for i in there])
    box = np.array([canvases["box"][i] for i in there])
    mask = np.array([canvases["mask"][i] for i in there])
    return {
        "present_accuracy": float(np.mean((found["present"][:, 0] > 0.5) == canvases["present"])),
        "digit_accuracy": float(np.mean(found["digit"][there].argmax(-1) == digit)),
        "box_iou": float(np.mean(_box_iou(found["box"][there, 0], box))),
        "mask_iou": _mask_iou(found["mask"][there, ..., 0] > 0.5, mask),
    }


def _box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    shared = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None).prod(1)
    areas = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(1) for box in (a, b)]
    return shared / (areas[0] + areas[1] - shared)


def _mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())
