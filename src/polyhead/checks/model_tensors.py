"""Reads the symbolic inputs and outputs of a model: the path of each, and the layer that made it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from polyhead.keras_bridge.structure import Path


@dataclass(frozen=True)
class ModelTensor:
    """One input or output tensor of a model.

    Attributes:
        path: the keys that lead to it.
        shape: the shape of one row; None for a dimension of any size.
        layer: the name of the layer that made it; None for an output of a subclassed model.
        optional: whether it is an input that may be None.
    """

    path: Path
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    layer: str | None = None
    optional: bool = False

    @property
    def key(self) -> str:
        """Its path in a nesting of dicts; empty if the path has only positions."""
        return "/".join(str(key) for key in self.path if not isinstance(key, int))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that match it: its last key, its path of keys, and the name of its layer."""
        keys = [str(key) for key in self.path if not isinstance(key, int)]
        return tuple(dict.fromkeys(name for name in (*keys[-1:], self.key, self.layer or "") if name))

    def __str__(self) -> str:
        return (
            f"`{self.names[0]}` {self.shape}" if self.names else f"{self.path or 'the only one'} {self.shape}"
        )


def model_tensors(places: Iterable[tuple[Path, Any]], model: Any) -> list[ModelTensor]:
    """Describe symbolic tensors, given as ``(path, tensor)``.

    >>> import keras
    >>> x = keras.Input((4,), name="x")
    >>> str(model_tensors([((), x)], keras.Model(x, keras.layers.Dense(1)(x)))[0])
    '`x` (4,)'
    """
    tensors = []
    for path, tensor in places:
        operation = made_by(tensor)
        layer = getattr(tensor, "name", None) if operation is None else operation.name
        tensors.append(
            ModelTensor(
                path,
                tuple(tensor.shape[1:]),
                str(getattr(tensor, "dtype", "")),
                None if operation is model else layer,
                bool(getattr(operation, "optional", False)),
            )
        )
    return tensors


def made_by(tensor: Any) -> Any:
    """Return the layer or operation that made a symbolic tensor, if any."""
    return getattr(getattr(tensor, "_keras_history", None), "operation", None)


def symbolic(model: Any) -> tuple[Any, Any] | None:
    """Return the nested inputs and outputs of a functional or a built sequential model; None for a subclassed one."""
    import keras

    try:
        if isinstance(model, keras.Sequential):
            return model.inputs[0], model._functional.output  # `outputs` has lost the keys of a dict
        if hasattr(model, "output_names"):
            return model.input, model.output
    except (AttributeError, ValueError, IndexError, TypeError):  # a sequential model without an input
        pass
    return None
