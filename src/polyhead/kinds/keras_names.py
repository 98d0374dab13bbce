"""The Keras activations and losses that suit each form of labels, and losses and metrics as plain values."""

import inspect
from typing import Any

SIGMOID = ("sigmoid", "hard_sigmoid")
SOFTMAX = ("softmax",)

BINARY_LOSSES = (
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "dice",
    "generalized_dice",
    "hinge",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "squared_hinge",
    "tversky",
)
SPARSE_LOSSES = ("sparse_categorical_crossentropy",)
ONE_HOT_LOSSES = (
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "kl_divergence",
    "mean_squared_error",
)
OVERLAP_LOSSES = ("dice", "tversky")
POSITIVE_LOSSES = {"kl_divergence": "softmax", "poisson": "exponential"}
"""Losses of numbers that take the logarithm of outputs, and the activation that makes outputs positive for each."""

_OTHER_NAMES = {"kld": "kl_divergence", "kldivergence": "kl_divergence"}


def is_of_keras(loss: Any) -> bool:
    """Return whether an object or function is a loss of Keras; a class with its own ``call`` may read other outputs."""
    function = getattr(loss, "fn", loss)
    owners = (function, getattr(type(loss), "call", function))
    modules = [str(getattr(owner, "__module__", None) or type(owner).__module__) for owner in owners]
    return all(module.startswith("keras.") for module in modules)


def activation_for(loss: Any) -> str | None:
    """Return the activation that a head's loss of numbers needs; None if the outputs can be any numbers.

    >>> activation_for("poisson"), activation_for("KLD"), activation_for("mse"), activation_for(None)
    ('exponential', 'softmax', None, None)
    """
    if not isinstance(loss, str):
        loss = getattr(getattr(loss, "fn", loss), "__name__", "") if is_of_keras(loss) else ""
    return POSITIVE_LOSSES.get(_OTHER_NAMES.get(loss.lower(), loss.lower()))


def serialized(thing: Any) -> Any:
    """Serialize a loss or metric to plain values, with all its arguments.

    Keras 3 omits some: ``Huber(delta=0.5)``, or the ``axis`` of ``CosineSimilarity``, would be loaded with the default.
    """
    import keras

    form = keras.saving.serialize_keras_object(thing)
    arguments = getattr(thing, "_fn_kwargs", {})
    if arguments and isinstance(form, dict) and isinstance(form.get("config"), dict):
        accepted = inspect.signature(type(thing).__init__).parameters.keys() - form["config"].keys()
        form["config"].update({name: value for name, value in arguments.items() if name in accepted})
    return form


def deserialized(form: Any) -> Any:
    """Make the loss or metric from the values that `serialized` returned.

    Raises:
        ValueError: for values that `serialized` does not return. Keras raises other errors for unknown classes.
    """
    import keras

    if not isinstance(form, dict) or not {"class_name", "config"} <= set(form):
        raise ValueError("not what Keras writes")
    return keras.saving.deserialize_keras_object(form, safe_mode=True)
