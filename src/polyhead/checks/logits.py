"""Tells logits from probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from polyhead.checks.activation import activation
from polyhead.checks.compiled_model import head_losses
from polyhead.checks.model_tensors import symbolic
from polyhead.checks.output_rules import as_loss, check_head
from polyhead.checks.range_rules import SLACK
from polyhead.errors import Problem
from polyhead.keras_bridge.identifiers import takes_default_loss
from polyhead.keras_bridge.structure import Path, at
from polyhead.kinds import Head

_ACTIVATIONS = {"linear": True, "tanh": True, "sigmoid": False, "hard_sigmoid": False, "softmax": False}
"""True for activations whose outputs count as logits. Tanh is one, because a hinge loss uses both signs."""


def declared_logits(head: Head) -> bool | None:
    """Tell from a head's kind and loss if its output is logits; None if that is unknown.

    It is unknown for a hinge loss, which reads scores of both signs, but learns with a sigmoid or softmax as well.
    """
    if not head.probabilities:
        return False
    loss = None if takes_default_loss(head) else as_loss(head.loss)
    if loss is None or not loss.name or "hinge" in loss.name:
        return None
    return bool(loss.from_logits)


def gives_logits(model: Any, name: str, head: Head, path: Path | None, outputs: np.ndarray) -> bool:
    """Tell if a head's output is logits rather than probabilities.

    `polyhead.compile` has decided it. For other models it is decided by the loss of the head, by the activation of the
    output's layer, or else by the first outputs.

    Args:
        path: the path of the output in the model's structure; None if it is unknown.
        outputs: some outputs, ``(B, *output_shape)``.
    """
    compiled = head_losses(model)
    loss = None if compiled is None else compiled.losses.get(name)
    known = None if loss is None else loss.logits
    if known is None:  # of a model that `polyhead.compile` has not seen, or not in this version
        known = declared_logits(head if loss is None else head.fixed(loss=loss.loss))
    if known is None and path is not None:
        known = layer_logits(model, path)
    return not probable(outputs, head) if known is None else known


def layer_logits(model: Any, path: Path) -> bool | None:
    """Tell from the activation of an output's layer if it is logits; None if that is unknown."""
    known = symbolic(model)
    try:
        applied = None if known is None else activation(at(known[1], path))
    except (KeyError, IndexError, TypeError):  # a model that computes its own loss has other outputs
        return None
    return _ACTIVATIONS.get(applied or "")


def contradicted(name: str, head: Head, outputs: np.ndarray, logits: bool) -> Iterator[Problem]:
    """Find a loss that reads outputs as what their values show that they are not, where no layer tells.

    Args:
        outputs: the outputs for usual inputs, zeros, and very large inputs, ``(B, *output_shape)``.
        logits: whether they seem to be logits.
    """
    if bool((outputs == 1).all()) and head.output_shape[-1] == 1:
        applied = "softmax"
    elif bool((outputs < -SLACK).any() or (outputs > 1 + SLACK).any()):
        applied = "linear"
    elif not logits:
        applied = head.probabilities[0]
    else:
        return
    loss = None if takes_default_loss(head) else as_loss(head.loss)
    for problem in check_head(name, head, applied, loss, None):
        if problem.code in ("logits", "activation", "one-unit-softmax"):  # the check has found the others
            yield replace(problem, warning=problem.warning or applied == head.probabilities[0])


def probable(array: np.ndarray, head: Head) -> bool:
    """Tell if outputs can be probabilities; all zeros count as logits, of a layer initialized with zeros."""
    shared = "softmax" in head.probabilities  # the classes share one probability
    inside = bool((array >= -SLACK).all() and (array <= 1 + SLACK).all() and array.any())
    return inside and (not shared or bool(np.allclose(array.sum(-1), 1, atol=1e-2)))
