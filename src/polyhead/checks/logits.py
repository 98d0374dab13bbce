"""Tells logits from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyhead.checks.activation import activation
from polyhead.checks.compiled_model import head_losses
from polyhead.checks.model_match import symbolic
from polyhead.checks.output_rules import as_loss
from polyhead.keras_bridge.identifiers import BY_SHAPE
from polyhead.keras_bridge.structure import Path, at
from polyhead.kinds import Head

_ACTIVATIONS = {"linear": True, "sigmoid": False, "hard_sigmoid": False, "softmax": False}


def declared_logits(head: Head) -> bool | None:
    """Whether a head's output is logits, by its kind and its loss; None if that does not tell."""
    if not head.probabilities:
        return False
    if head.loss is None or (isinstance(head.loss, str) and head.loss in BY_SHAPE):
        return None
    return loss_of_logits(head.loss)


def loss_of_logits(given: Any) -> bool | None:
    """Whether a loss reads logits; None for one that does not tell."""
    loss = as_loss(given)
    if not loss.name:
        return None
    return loss.from_logits if loss.from_logits is not None else "hinge" in loss.name


def compiled_logits(model: Any, name: str) -> bool | None:
    """Whether `polyhead.compile` took a head's output for logits; None where it did not compile the model."""
    compiled = head_losses(model)
    loss = None if compiled is None else compiled.losses.get(name)
    return None if loss is None else loss_of_logits(loss)


def layer_logits(model: Any, path: Path) -> bool | None:
    """Whether an output is logits, by the activation of its layer; None if that does not tell."""
    known = symbolic(model)
    applied = None if known is None else activation(at(known[1], path))
    return _ACTIVATIONS.get(applied or "")


def probable(array: np.ndarray, head: Head) -> bool:
    """Whether outputs can be probabilities; all zeros are the logits of a layer that starts at zero."""
    shared = "softmax" in head.probabilities  # the classes share one probability
    inside = bool((array >= 0).all() and (array <= 1).all() and array.any())
    return inside and (not shared or bool(np.allclose(array.sum(-1), 1, atol=1e-2)))
