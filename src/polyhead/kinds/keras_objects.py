"""Serializes losses and metrics with Keras. Imports keras only inside functions."""

from __future__ import annotations

import inspect
from typing import Any


def serialized(thing: Any) -> Any:
    """Serialize a loss or metric to plain values, with all its arguments.

    Keras 3 omits some: ``Huber(delta=0.5)``, or the ``axis`` of ``CosineSimilarity``, would be loaded with the default.
    """
    import keras

    found = keras.saving.serialize_keras_object(thing)
    arguments = getattr(thing, "_fn_kwargs", {})
    if arguments and isinstance(found, dict) and isinstance(found.get("config"), dict):
        taken = inspect.signature(type(thing).__init__).parameters
        lost = {
            name: value for name, value in arguments.items() if name in taken and name not in found["config"]
        }
        found["config"].update(lost)
    return found


def deserialized(form: Any) -> Any:
    """Make the loss or metric from the values that `serialized` returned.

    Raises:
        ValueError: for values that `serialized` does not return. Keras raises other errors for unknown classes.
    """
    import keras

    if not isinstance(form, dict) or not {"class_name", "config"} <= set(form):
        raise ValueError("not what Keras writes")
    return keras.saving.deserialize_keras_object(form, safe_mode=True)
