"""Saves TensorFlow from tracing the training step twice, as it does if a step creates variables."""

from __future__ import annotations

from typing import Any

from polyhead.keras_bridge.devices import own_step


def build_optimizer(model: Any) -> None:
    """Create the variables of an optimizer before the step is traced; Keras would create them in the step.

    It does nothing if the variables might differ from those in the step: if layers are not yet built, or the step or
    the optimizer is the user's own. A strategy with several devices itself builds before the trace.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or model.run_eagerly or own_step(model):
        return
    optimizer, layers = model.optimizer, getattr(model, "_flatten_layers", None)
    if optimizer is None or optimizer.built or layers is None or not all(layer.built for layer in layers()):
        return
    if getattr(model, "_distribute_strategy", None) is None:
        optimizer.build(model.trainable_variables)
