"""Has TensorFlow trace the training step once: where it creates variables, it is traced a second time without."""

from __future__ import annotations

from typing import Any

from polyhead.keras_bridge.devices import own_step


def build_optimizer(model: Any) -> None:
    """Create the variables of an optimizer, which Keras would do in the step, just before it is traced.

    Nothing is done where they could be others than in the step: layers are not built yet, or the step or the optimizer
    is the user's own. A strategy with several devices builds before the trace by itself.

    Args:
        model: that is about to be trained.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or model.run_eagerly or own_step(model):
        return
    optimizer, layers = model.optimizer, getattr(model, "_flatten_layers", None)
    if optimizer is None or optimizer.built or layers is None or not all(layer.built for layer in layers()):
        return
    if getattr(model, "_distribute_strategy", None) is None:
        optimizer.build(model.trainable_variables)
