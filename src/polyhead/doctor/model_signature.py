"""Describes the inputs and outputs of a model, and names in messages the arrays of a batch that match them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from polyhead.checks.compiled_model import losses_of
from polyhead.checks.input_rules import first_layers
from polyhead.checks.logits import activation
from polyhead.checks.model_match import first_line
from polyhead.checks.model_tensors import ModelTensor, model_tensors, symbolic
from polyhead.checks.output_rules import as_loss
from polyhead.checks.range_rules import UNIT_LOSSES, bounds_of
from polyhead.doctor.leaf_statistics import NONE, LeafStatistics, Odd, Spot
from polyhead.doctor.reading import LeafPath, Reading
from polyhead.errors import Problem
from polyhead.keras_bridge.structure import Path, leaves
from polyhead.kinds.keras_names import SPARSE_LOSSES


@dataclass(frozen=True)
class ExaminedTensor(ModelTensor):
    """One input or output tensor of a model, with its activation and loss.

    Attributes:
        activation: its last activation, if known.
        own_loss: whether that loss is the user's own class.
        unknown_loss: whether that loss is the user's own class or function.
        from_logits: the argument of its loss of that name; None if it reads neither logits nor probabilities.
        ignored: the class id that the loss leaves out; None for none.
        takers: the layers that read an input.
        untrained: whether the model was compiled without a loss for this output, and with losses for others.
    """

    name: str = ""
    activation: str | None = None
    loss: str | None = None
    own_loss: bool = False
    unknown_loss: bool = False
    from_logits: bool | None = None
    ignored: int | None = None
    takers: tuple[Any, ...] = ()
    untrained: bool = False

    @property
    def classes(self) -> int | None:
        """The size of the last axis."""
        return self.shape[-1] if self.shape else None

    @property
    def sparse(self) -> bool | None:
        """Whether the loss reads class ids; None without a loss."""
        return None if self.loss is None else self.loss in SPARSE_LOSSES

    @property
    def one_hot(self) -> bool:
        """Whether the loss expects a number for each class."""
        return self.loss in UNIT_LOSSES and self.loss.startswith("categorical_")

    @property
    def range(self) -> tuple[float, float, str] | None:
        """The range of its labels and the reason for it; None if any number is valid."""
        return bounds_of(self.activation, self.loss)


@dataclass(frozen=True)
class Model:
    """The inputs and outputs of a model, in the order of declaration.

    Attributes:
        input_form: the nesting of the inputs, ``"one"``, ``"list"``, ``"dict"`` or ``"nested"``.
        output_form: the nesting of the outputs, one of the same.
    """

    inputs: tuple[ExaminedTensor, ...]
    outputs: tuple[ExaminedTensor, ...]
    input_form: str
    output_form: str


def signature_of(model: Any, x: Any) -> tuple[Model | None, str | Problem]:
    """Describe a model's inputs and outputs, or return why that is impossible, which may be a problem of the inputs.

    Args:
        x: the inputs of a batch, to call a subclassed model, symbolically or else with these numbers.
    """
    tensors = symbolic(model)
    if tensors is None:
        if not getattr(model, "built", False):
            return None, "the model is not built, so nothing was compared with it: call it once, or build it"
        import keras

        if any(isinstance(leaf, Odd) and leaf is not NONE for _, leaf in leaves(x)):
            return None, "the model could not be called on the first batch, which holds no arrays"
        arrays = keras.tree.map_structure(lambda a: None if a is NONE else a, x)
        try:
            tensors = arrays, _outputs_of_call(model, arrays)
        except Exception as error:  # a user's call() may raise anything
            return None, _call_problem(model, x, error)
        inputs: tuple[ExaminedTensor, ...] = ()
    else:
        slots = examined_tensors(tensors[0], model, getattr(model, "input_names", None))
        takers = [tuple(first_layers(model, tensor)) for _, tensor in in_order(tensors[0])]
        inputs = tuple(replace(slot, takers=layers) for slot, layers in zip(slots, takers, strict=True))
    outputs = list(examined_tensors(tensors[1], model, getattr(model, "output_names", None)))
    losses = losses_of(model, tensors[1])
    trains = any(loss is not None for loss in losses.values())
    outputs = [_with_loss(slot, losses.get(slot.path), trains) for slot in outputs]
    return Model(inputs, tuple(outputs), nesting_form(tensors[0]), nesting_form(tensors[1])), ""


def _outputs_of_call(model: Any, arrays: Any) -> Any:
    """Return the outputs of a subclassed model; it is called with numbers if symbolic tensors fail."""
    import keras

    try:
        shapes = keras.tree.map_structure(
            lambda a: a if a is None else keras.KerasTensor(a.shape, str(a.dtype)), arrays
        )
        return model(shapes)
    except Exception:  # a user's call() may raise anything
        return model(arrays)


def _call_problem(model: Any, x: Any, error: Exception) -> Problem:
    """Return the problem of inputs with which call() of a subclassed model fails."""
    keys = f" with the keys {', '.join(f'`{key}`' for key in x)}" if isinstance(x, Mapping) else ""
    found = f"{type(x).__name__ if nesting_form(x) != 'one' else 'one array'}{keys}: {type(error).__name__}: "
    fix = "Yield x as call() reads it, in names, order and shapes."
    code = "input-keys" if isinstance(error, (KeyError, IndexError, TypeError)) else "input-shape"
    return Problem("x", f"what {type(model).__name__}.call() takes", found + first_line(error), fix, code)


def nesting_form(nested: Any) -> str:
    """Classify the nesting of tensors.

    >>> nesting_form({"a": 1, "b": 2}), nesting_form([1]), nesting_form((1, [2]))
    ('dict', 'list', 'nested')
    """
    if not isinstance(nested, (Mapping, list, tuple)):
        return "one"
    parts = nested.values() if isinstance(nested, Mapping) else nested
    if any(isinstance(part, (Mapping, list, tuple)) for part in parts):
        return "nested"
    return "dict" if isinstance(nested, Mapping) else "list"


def in_order(nested: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    """Return ``(path, leaf)`` for the leaves of a nesting in the order of declaration, without sorting keys.

    >>> in_order({"b": 1, "a": 2})
    [(('b',), 1), (('a',), 2)]
    """
    if isinstance(nested, Mapping):
        return [leaf for key, part in nested.items() for leaf in in_order(part, (*path, key))]
    if isinstance(nested, (list, tuple)):
        return [leaf for i, part in enumerate(nested) for leaf in in_order(part, (*path, i))]
    return [(path, nested)]


def nested_code(codes: Sequence[tuple[Path, str]]) -> str:
    """Join the code for each place of a nesting into code for the whole.

    >>> nested_code([(("a", 0), "x"), (("a", 1), "y"), (("b", 0), "z")])
    '{"a": (x, y), "b": (z,)}'
    """
    if codes[0][0] == ():
        return codes[0][1]
    parts: dict[Any, list[tuple[Path, str]]] = {}
    for path, code in codes:
        parts.setdefault(path[0], []).append((path[1:], code))
    if isinstance(codes[0][0][0], str):
        return "{" + ", ".join(f'"{key}": {nested_code(part)}' for key, part in parts.items()) + "}"
    return f"({', '.join(map(nested_code, parts.values()))}{',' * (len(parts) == 1)})"


def examined_tensors(nested: Any, model: Any, names: list[str] | None) -> list[ExaminedTensor]:
    """Describe a nesting of symbolic tensors, in the order of declaration."""
    paths = in_order(nested)
    flat = [path for path, _ in leaves(nested)]
    by_path = dict(zip(flat, names, strict=True)) if names and len(names) == len(flat) else {}
    slots: list[ExaminedTensor] = []
    tensors = model_tensors(paths, model)
    keys = [read.key for read in tensors]
    for read, (path, tensor) in zip(tensors, paths, strict=True):
        by_layer = read.layer if nesting_form(nested) != "nested" else None
        alone = model.name if len(paths) == 1 else None
        key = read.key if keys.count(read.key) == 1 else "/".join(map(str, path)) if read.key else ""
        name = key or by_layer or by_path.get(path) or alone or f"output {len(slots)}"
        slots.append(ExaminedTensor(**vars(read), name=str(name), activation=activation(tensor)))
    return slots


def _with_loss(slot: ExaminedTensor, loss: Any, trains: bool) -> ExaminedTensor:
    if loss is None:
        return replace(slot, untrained=trains)
    import keras

    try:
        parsed = as_loss(loss)
    except ValueError:  # no such loss
        return slot
    function = getattr(loss, "fn", loss)
    own_loss = function is loss and isinstance(loss, keras.losses.Loss)
    own_loss = own_loss and not type(loss).__module__.startswith(("keras.", "polyhead."))
    return replace(
        slot,
        loss=parsed.name or getattr(function, "__name__", None) or type(loss).__name__,
        own_loss=own_loss,
        unknown_loss=not parsed.name,
        from_logits=parsed.from_logits,
        ignored=getattr(loss, "ignore_class", None),
    )


CHANNELS_LAST = "{0}.transpose(0, 2, 3, 1), in torch {0}.permute(0, 2, 3, 1)"
"""Code for a batch of images whose channels are first."""
_WORDS = {"x": "input", "y": "target", "w": "weights"}


@dataclass(frozen=True)
class Matches:
    """The tensors of a model that match the arrays of a batch.

    Attributes:
        inputs: the model's input for each path in ``x``.
        outputs: the model's output for each path in ``y``; weights have the same paths.
    """

    inputs: dict[Path, ExaminedTensor] = field(default_factory=dict)
    outputs: dict[Path, ExaminedTensor] = field(default_factory=dict)

    def name(self, leaf_path: LeafPath, spot: Spot | None = None) -> str:
        """Return the name of an array in messages, with batch and row.

        >>> Matches().name(("y", (1,)), (3, 17)), Matches().name(("x", ("image",)))
        ('target y[1], batch 3, row 17', 'input `image`')
        """
        part, path = leaf_path
        slot = (self.inputs if part == "x" else self.outputs).get(path)
        if slot is not None:
            words = {"x": "input", "y": "output", "w": "weights of output"}[part]
            text = f"{words} `{slot.name}`"
        elif path and isinstance(path[-1], str):
            text = f"{_WORDS[part]} `{'/'.join(map(str, path))}`"
        else:
            text = f"{_WORDS[part]} {part}{''.join(f'[{key!r}]' for key in path)}"
        return text if spot is None else in_row(text, spot)

    def labels(self, reading: Reading) -> Iterator[tuple[str, ExaminedTensor, LeafStatistics]]:
        """Yield each output with the name and the statistics of its labels."""
        for path, slot in self.outputs.items():
            yield self.name(("y", path)), slot, reading.stats["y", path]


def in_row(text: str, spot: Spot) -> str:
    """Append batch and row to the name of an array."""
    return f"{text}, batch {spot[0]}, row {spot[1]}"


def batch_of(shape: tuple[int | None, ...]) -> str:
    """Return the shape of a batch of rows of a shape.

    >>> batch_of((64, None)), batch_of(())
    ('(B, 64, any)', '(B,)')
    """
    inner = ", ".join("any" if size is None else str(size) for size in shape)
    return f"(B, {inner})" if shape else "(B,)"


def quoted(names: object) -> str:
    """Return names in backticks.

    >>> quoted(["a", "b"])
    '`a`, `b`'
    """
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]


def with_article(kind: str) -> str:
    """Put an indefinite article before a noun.

    >>> with_article("iterator"), with_article("list"), with_article("arrays")
    ('an iterator', 'a list', 'arrays')
    """
    return kind if kind == "arrays" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
