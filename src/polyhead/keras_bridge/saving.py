"""Saves and restores models that `polyhead.compile` compiled. Imports keras: import this lazily.

Once it is imported, Keras restores each model that it loads.
"""

from __future__ import annotations

import functools
from typing import Any

import keras

from polyhead.keras_bridge.identifiers import HEAD_ARGUMENTS
from polyhead.keras_bridge.losses import LabeledMean
from polyhead.keras_bridge.metrics import HeadMetrics
from polyhead.keras_bridge.model_losses import EpochLoss, HeadLosses, install
from polyhead.keras_bridge.structure import at, leaves


def restore(model: Any) -> None:
    """Give a loaded model the losses and metrics that it was saved with, in place.

    Keras compiles a loaded model with the same losses and metrics, but logs them as means over batches, by the names of
    outputs. A model that `polyhead.compile` did not compile stays unchanged.

    ``model.compile`` without a loss, as for another optimizer, keeps the losses, but forgets to save them.
    """
    compiled: Any = getattr(model, "_compile_loss", None)
    if isinstance(compiled, HeadLosses):
        if not isinstance(model._loss_tracker, EpochLoss):
            install(model, compiled, model._compile_metrics)
            model._compile_config.config.update(compiled.given)
            save_for_every_backend(model)
        return
    user_loss = getattr(compiled, "_user_loss", None)
    flat = list(leaves(user_loss))
    if not flat or not all(isinstance(loss, LabeledMean) and loss.head for _, loss in flat):
        return
    flat.sort(key=lambda leaf: leaf[1].position)  # `evaluate` returns losses in this order
    paths = {loss.head: path for path, loss in flat}
    shares = compiled._user_loss_weights
    metrics = getattr(model._compile_metrics, "_user_weighted_metrics", None)
    losses = HeadLosses(
        paths,
        {loss.head: loss for _, loss in flat},
        {head: 1.0 if shares is None else float(at(shares, path)) for head, path in paths.items()},
    )
    metrics_by_head = {head: list(at(metrics, path) or ()) if metrics else [] for head, path in paths.items()}
    install(model, losses, HeadMetrics(paths, metrics_by_head, losses))
    save_for_every_backend(model)


def _restore_when_loaded() -> None:
    """Make Keras call `restore` for each model that it loads or clones."""
    owner = next(base for base in keras.Model.__mro__ if "compile_from_config" in vars(base))
    compile_from_config = owner.compile_from_config

    @functools.wraps(compile_from_config)
    def compile_and_restore(model: Any, config: dict[str, Any]) -> None:
        compile_from_config(model, config)
        restore(model)

    owner.compile_from_config = compile_and_restore


def save_for_every_backend(model: Any) -> None:
    """Make a compiled model save what it was compiled with so that other backends can go on with it.

    Keras itself saves the resolved ``jit_compile``: True on JAX, with which PyTorch compiles each step for minutes, and
    False on PyTorch, with which JAX compiles nothing. Here, the default of a backend is saved as ``"auto"``. Keras
    also saves the classes of its optimizers for PyTorch, which other backends cannot use. And it saves the optimizer
    without the loss scaling that it adds for ``mixed_float16``: loaded under another policy, it would lose its state.
    """
    config = model._compile_config.config
    config["optimizer"] = model.optimizer
    model._compile_loss.given = {name: config[name] for name in HEAD_ARGUMENTS}
    if config["jit_compile"] == (not model.run_eagerly and model._resolve_auto_jit_compile()):
        config["jit_compile"] = "auto"
    model._compile_config = _CompileConfig(config)


class _CompileConfig:
    """The compile arguments of a model, in place of Keras's ``SerializableDict``."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config

    def serialize(self) -> Any:
        """Return the configuration as it is saved."""
        return _of_every_backend(keras.saving.serialize_keras_object(self.config))


def _of_every_backend(saved: Any) -> Any:
    """Return serialized objects with Keras's optimizers for PyTorch replaced by those that they derive from."""
    if isinstance(saved, list):
        return [_of_every_backend(part) for part in saved]
    if not isinstance(saved, dict):
        return saved
    config = {name: _of_every_backend(part) for name, part in saved.items()}
    if str(config.get("module", "")).startswith("keras.src.backend.torch.optimizers."):
        config |= {"module": "keras.optimizers", "registered_name": None}
    return config


_restore_when_loaded()
