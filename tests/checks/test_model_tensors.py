"""One reading of a model's tensors, for a feed that is checked and for a generator that is examined."""

import keras
import numpy as np
import pytest

from polyhead.checks.model_tensors import model_tensors, symbolic
from polyhead.doctor.model_signature import signature_of
from polyhead.keras_bridge.structure import leaves

pytestmark = pytest.mark.once


class Pair(keras.Model):
    """A subclassed model that returns a tuple."""

    def __init__(self):
        super().__init__()
        self.one, self.two = keras.layers.Dense(1), keras.layers.Dense(3)

    def call(self, x):
        return self.one(x), self.two(x)


def test_what_a_subclassed_model_returns_has_no_name_of_its_own():
    pair = Pair()
    x = np.zeros((2, 4), "float32")
    pair(x)
    outputs = pair(keras.KerasTensor((2, 4)))
    assert [(t.names, t.shape) for t in model_tensors(leaves(outputs), pair)] == [((), (1,)), ((), (3,))]
    examined, _ = signature_of(pair, x)
    assert [output.name for output in examined.outputs] == ["output 0", "output 1"]


def test_both_find_the_same_keys_layers_shapes_and_optional_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b", optional=True, dtype="int32")
    both = keras.layers.Concatenate()(
        [a, keras.ops.cast(b, "float32")]
    )  # Keras 3.10 takes no input that leads nowhere
    model = keras.Model({"b": b, "a": a}, {"deep": {"z": keras.layers.Dense(1, name="layer")(both)}, "a": a})
    inputs, outputs = symbolic(model)
    examined, _ = signature_of(model, None)
    for nested, found in ((inputs, examined.inputs), (outputs, examined.outputs)):
        read = {t.path: t for t in model_tensors(leaves(nested), model)}
        fields = ("shape", "dtype", "layer", "optional", "names")
        assert {t.path: [getattr(t, f) for f in fields] for t in found} == {
            path: [getattr(t, f) for f in fields] for path, t in read.items()
        }
    assert [(t.name, t.optional, t.dtype) for t in examined.inputs] == [
        ("b", True, "int32"),
        ("a", False, "float32"),
    ]
    assert [t.names for t in examined.outputs] == [("z", "deep/z", "layer"), ("a",)]
