"""What every kind has: a column, a shape, a dtype, an encoding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Set
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from polyhead.errors import (
    BadValue,
    ContractError,
    Problem,
    as_list,
    is_number,
    plain_fields,
    shown,
)
from polyhead.kinds.argument_forms import as_class_weight
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.in_image import InImage
from polyhead.kinds.learnt_classes import Spellings
from polyhead.kinds.mixed_labels import Mixing, unmixable
from polyhead.kinds.source_column import Column

Way = Literal["copy", "cast", "scale"]
"""As it is; bytes as float32; bytes as float32, divided by 255."""


@dataclass(frozen=True)
class Kind(ABC):
    """What an input or a head is: declared by the user, then resolved against the data and fixed.

    Attributes:
        column: the column or columns read; by default the one of the kind's own name.
    """

    _: KW_ONLY
    column: str | tuple[str, ...] | list[str] | None = None

    def __post_init__(self) -> None:
        plain_fields(self)
        for one in fields(self):
            value = getattr(self, one.name)
            wanted = (
                (bool,) if one.type == "bool" else (bool, type(None)) if one.type == "bool | None" else object
            )
            if not isinstance(value, wanted):
                where = f"{type(self).__name__}({one.name}=)"
                raise ContractError(Problem(where, "True or False", shown(value)))
        if self.column is None or isinstance(self.column, str):
            return
        names = as_list(self.column)
        if not names or not all(isinstance(name, str) for name in names):
            expected = "the name of a column, or a list of names"
            raise ContractError(Problem(f"{type(self).__name__}(column=)", expected, shown(self.column)))
        object.__setattr__(self, "column", tuple(names) if isinstance(self.column, tuple) else names)

    @property
    def inner(self) -> Kind:
        """The kind that the user wrote, by whose name errors call it."""
        return self

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns read for an input or head called ``name``."""
        if self.column is None:
            return (name,)
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)

    def told(self, column: Column) -> Self:
        """This kind, not resolved yet, with what the source of its column knows and the user did not say.

        Raises:
            BadValue: where the two contradict each other.
            DataError: where the sources of the column do.
        """
        return self

    @abstractmethod
    def resolve(self, column: Column) -> Self:
        """This kind with all fixed that the data says: shape, dtype, classes.

        Raises:
            BadValue: where the column cannot be what is declared.
        """

    def way(self, column: np.ndarray) -> Way | None:
        """How rows of a whole column of numbers become this kind's array in one pass; None where there is no such way.

        What is copied may still be checked by ``encode``, which does not change it; bytes that are cast or scaled are
        right as inputs, and as labels where the column was looked at.
        """
        return None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one row as the model gets it."""

    @property
    @abstractmethod
    def dtype(self) -> str:
        """The dtype as the model gets it."""

    @property
    def names(self) -> tuple[Any, ...]:
        """The classes in order of their ids; none where it has none."""
        return ()

    def __repr__(self) -> str:
        """The declaration, with what differs from the default."""
        parts: list[str] = []
        positional = True
        for f in sorted((f for f in fields(self) if f.repr), key=lambda f: bool(f.kw_only)):
            value = getattr(self, f.name)
            default = type(value) is type(f.default) and value == f.default
            positional = positional and not f.kw_only and not default
            if not default:
                parts.append(shown(value, 60) if positional else f"{f.name}={shown(value, 60)}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def fixed(self, **changes: Any) -> Self:
        """A copy with some fields set, also those that are learnt and that users do not say."""
        learnt = {f.name: changes.pop(f.name, getattr(self, f.name)) for f in fields(self) if not f.init}
        found = replace(self, **changes)
        for name, value in learnt.items():
            object.__setattr__(found, name, value)
        return found


@dataclass(frozen=True, repr=False)
class Input(Kind):
    """What the model is given."""

    @abstractmethod
    def encode(self, values: Any, check: bool = True) -> np.ndarray:
        """A column's values as the model's input, ``(B, *shape)`` of ``dtype``.

        Raises:
            BadValue: with the position of the first value that is not right, where ``check``.
        """

    def require_mixable(self, way: str) -> None:
        """Raise where several rows of this input cannot become one.

        Args:
            way: `BLEND` or `PATCH`.

        Raises:
            BadValue: with what to do instead.
        """

    def mix(self, parts: np.ndarray, mixing: Mixing) -> np.ndarray:
        """Components ``(K, B, *shape)``, encoded, as the rows they make, ``(B, *shape)``."""
        return mixing.image(parts)


@dataclass(frozen=True, repr=False)
class Head(Kind, InImage):
    """What the model predicts.

    Attributes:
        weight: this head's share in the total loss.
        class_weight: a weight for each class, ``{class: weight}`` or ``"balanced"``; a list or array has them in the
            order of the ids, for classes that are declared.
        given: the name of a binary head; this head counts only where that one is 1.
        each: the name of a head of boxes; the column then holds one entry for each box of a row, and labels have
            one more axis: ``(B, max_boxes, *shape)``. An entry goes where its box goes.
        missing: the value that means "no label", beside NaN, None and absent.
        sample_weight: a column of weights that multiply with the others: one a row, or one for each of the row's
            labels, boxes, points or pixels.
        of: the image input in which boxes, points and pixels lie, where there are several of different sizes.
        loss: a Keras loss, its name, or a function, in place of the default.
        metrics: a list of Keras metrics in place of the default ones.
    """

    _: KW_ONLY
    weight: float = 1.0
    class_weight: Mapping[Any, float] | Sequence[float] | str | None = None
    given: str | None = None
    each: str | None = None
    missing: Any = None
    sample_weight: str | None = None
    of: str | None = None
    loss: Any = None
    metrics: Any = None
    # axes of a row's weights, as their column has them
    _finer: int | None = field(default=None, init=False, repr=False, compare=False)
    _spellings: Spellings = field(default=(), init=False, repr=False, compare=False)

    takes_class_weight: ClassVar[bool] = False
    takes_each: ClassVar[bool] = True
    takes_colours: ClassVar[bool] = False
    """Whether a value of the column may be a colour."""
    quantities: ClassVar[bool] = False
    """Whether labels are numbers in a unit of their own, and the loss with them."""
    answers: ClassVar[bool] = False
    """Whether ``given=`` may name it: it says yes or no of each row."""
    first_loss: ClassVar[float | None] = None
    """About what the default loss is where the output says nothing, if neither classes nor labels tell that."""
    view: ClassVar[str] = "numbers"
    """How pages show it: ``"numbers"``, ``"binary"``, ``"class"``, ``"classes"`` or ``"vector"``, or as its layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        if not is_number(self.weight) or self.weight < 0:
            raise ContractError(
                Problem(f"{name}(weight=)", "a finite number of at least 0", shown(self.weight))
            )
        for word, (expected, fix) in _NAMES.items():
            given = getattr(self, word)
            if given is not None and not isinstance(given, str):
                raise ContractError(Problem(f"{name}({word}=)", expected, shown(given), fix))
        if not self.takes_colours and (
            isinstance(self.missing, (Set, Mapping)) or as_list(self.missing) is not None
        ):
            fix = "Put None or NaN in place of the others."
            raise ContractError(Problem(f"{name}(missing=)", "one value", shown(self.missing), fix))
        if self.each is not None and not self.takes_each:
            fix = "A map belongs to the whole image: leave each= out."
            raise ContractError(Problem(f"{name}(each=)", "nothing", shown(self.each), fix))
        if self.of is not None and self.layer is None:
            fix = "Leave it out: labels of whole rows lie in no image."
            raise ContractError(Problem(f"{name}(of=)", "nothing", shown(self.of), fix))
        if self.class_weight is None:
            return
        where = f"{name}(class_weight=)"
        if not self.takes_class_weight:
            fix = "Weigh rows through another head, or give the loss its own weights."
            raise ContractError(
                Problem(where, "nothing, as it has no classes", shown(self.class_weight), fix)
            )
        object.__setattr__(self, "class_weight", as_class_weight(self.class_weight, where))

    def reads(self, name: str) -> tuple[str, ...]:
        """All columns that this head reads: its labels', and its weights'."""
        return (*self.columns(name), *([self.sample_weight] if self.sample_weight else []))

    @property
    def inner(self) -> Head:
        """What each box has, of a head for each box; any other head itself."""
        return self

    @property
    def spellings(self) -> Spellings:
        """Classes, of those that nobody listed, whose names differ in spaces or case alone."""
        return self._spellings

    # Labels ----------------------------------------------------------------------------------------

    @property
    def elementwise(self) -> bool | None:
        """Whether each number of a label has a weight of its own; None where that is not known yet."""
        return False

    @abstractmethod
    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """A column's values as labels.

        Returns:
            The labels ``(B, *shape)`` of ``dtype``, finite everywhere, and which of them are there: bool
            ``(B, *weight_shape)``, or None where all are.

        Raises:
            BadValue: with the position of the first value that is neither valid nor missing.
        """

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """The shape of one row's sample weight: ``()`` for one a row."""
        return ()

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        """The shapes that a row of the column of weights may have, beside one number."""
        return ()

    def weighed(self, shape: tuple[int, ...]) -> Self:
        """This head, not resolved yet, with a column of weights of this shape a row.

        Raises:
            BadValue: where it was said, or learnt, that weights are coarser.
        """
        return self

    @property
    def unit_said(self) -> bool:
        """Whether it was said in which unit its numbers are, against those of the column."""
        return False

    # Mixed with other rows ------------------------------------------------------------------------

    weighs_when_mixed: ClassVar[bool] = False
    """Whether mixing alone makes sample weights."""

    def mixable(self, way: str) -> tuple[int, ...]:
        """The shape of one row's sample weight where rows are mixed.

        Args:
            way: `BLEND`, where rows are laid over each other, or `PATCH`, where each fills a part of the image.

        Raises:
            BadValue: where labels of several rows cannot become one, with what to do instead.
        """
        fix = "Leave the augmentation out, or the head."
        raise unmixable(f"a {type(self).__name__}, which does not say how", fix)

    def mix(
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The labels and weights of rows that are mixed; by default their mean by share and weight.

        Args:
            labels: of the components, ``(K, B, *shape)``.
            weights: of the components, with all that is in them (missing labels, ``given``, class weights): float32
                ``(K, B, *weight_shape)``; None where no head has any.
            mixing: how they are mixed.

        Returns:
            ``(B, *shape)``, and ``(B, *mixable(way))`` or None.
        """
        return mixing.mean(labels, weights)

    def mix_places(
        self,
        labels: np.ndarray,
        weights: np.ndarray | None,
        mixing: Mixing,
        along: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """As `mix`; and which box stands in each place, by which what belongs to boxes follows them.

        Args:
            labels: as those of `mix`.
            weights: as those of `mix`.
            mixing: how they are mixed.
            along: the places of the head that ``each`` names.

        Returns:
            Labels, weights, and of boxes int64 ``(B, max_boxes)``: the place of each among those of all components
            beside each other, ``k * max_boxes + place``, and -1 where there is none; None of all other heads.
        """
        return *self.mix(labels, weights, mixing), None

    # Class weights ---------------------------------------------------------------------------------

    def count(self, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """How often each class stands in labels that count (bool ``(B, *weight_shape)``)."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def balanced(self, counts: np.ndarray) -> Self:
        """This head with balanced class weights: rows / (classes seen * rows of the class)."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def class_factor(self, labels: np.ndarray) -> np.ndarray:
        """The class weight of each label, float32, broadcastable to ``(B, *weight_shape)``."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def empty(self, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The rows in which somebody looked and found nothing, bool ``(B,)``; arguments as those of `count`."""
        return np.zeros(len(labels), bool)

    def describe(self, labels: np.ndarray, counts: np.ndarray) -> str:
        """The distribution of the labels that count, in a few words."""
        found = ArrayStatistics()
        found.add(labels, int, counts)
        if not found.numbers:
            return "no labels"
        return f"{found.low[0]:.4g} to {found.high[0]:.4g}, mean {found.mean:.4g}"

    # Keras -----------------------------------------------------------------------------------------

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one row of the model's output."""
        return self.shape

    @property
    def probabilities(self) -> tuple[str, ...]:
        """The activations that give the probabilities of its classes; none where the output is no probability."""
        return ()

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses of Keras that read labels as this head writes them; none for any that measures a distance."""
        return ()

    @abstractmethod
    def default_loss(self, logits: bool) -> Any:
        """A Keras loss for this head, its values one for each sample weight."""

    @abstractmethod
    def default_metrics(self, logits: bool) -> list[Any]:
        """Keras metrics for this head."""

    @abstractmethod
    def output(self, features: Any, name: str) -> Any:
        """The output tensor for this head on top of ``features``."""


_NAMES = {
    "sample_weight": ("the name of a column", "Put the weights into a column of the data and name it here."),
    "given": ("the name of a binary head", 'Write it as text, as given="presence".'),
    "each": ("the name of a head of boxes", 'Write it as text, as each="box".'),
    "of": ("the name of an image input", 'Write it as text, as of="image".'),
}
"""For each argument that names one thing: what it names, and what to do."""


def coarser(shape: tuple[int, ...]) -> BadValue:
    """The error for weights that are finer than a head was said to have them."""
    fix = "Leave elementwise=False out; a feed of feed.on() has weights as fine as the first feed."
    return BadValue(None, "one weight a row, as elementwise=False says", f"rows of shape {shape}", fix)
