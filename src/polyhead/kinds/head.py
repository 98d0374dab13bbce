"""The base of all heads: labels and weights, mixing, loss, metrics and output layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence, Set
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import BadValue, ContractError, Problem, as_list, is_number, shown
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.in_image import InImage
from polyhead.kinds.judging import Judge, LossJudge
from polyhead.kinds.kind import Kind
from polyhead.kinds.learned_classes import Spellings
from polyhead.kinds.likelihood import likelihoods
from polyhead.kinds.mixed_labels import Mixing, unmixable
from polyhead.kinds.predicted_columns import Move, PredictedColumn, Views
from polyhead.kinds.scales import Scaling


@dataclass(frozen=True, repr=False)
class Head(Kind, InImage):
    """The base of all heads: something that the model predicts.

    Attributes:
        weight: the weight of this head's loss in the total loss.
        class_weight: for heads with classes, a weight for each class, ``{class: weight}`` or ``"balanced"``; if the
            classes are declared, also a list or array in the order of their ids.
        given: the name of a binary head; this head counts only where that one is 1.
        each: the name of a head of boxes; the column then has one entry for each box of a row, and labels have one
            more axis: ``(B, max_boxes, *shape)``. Entries are reordered and left out together with their boxes.
        missing: the value that means "no label", besides NaN, None and absent values.
        sample_weight: a column of weights that are multiplied with the others: one per row, or one for each of the
            row's labels, boxes, points or pixels.
        of: the image input that boxes, points and pixels refer to, if there are several of different sizes.
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
    # the number of axes of a row in the weight column
    _finer: int | None = field(default=None, init=False, repr=False, compare=False)
    _spellings: Spellings = field(default=(), init=False, repr=False, compare=False)
    _lone_negative: tuple[int, int] | None = field(default=None, init=False, repr=False, compare=False)

    takes_class_weight: ClassVar[bool] = False
    takes_each: ClassVar[bool] = True
    takes_colors: ClassVar[bool] = False
    """True if a value of the column may be a color."""
    quantities: ClassVar[bool] = False
    """True if labels, and therefore the loss, have a unit."""
    is_binary: ClassVar[bool] = False
    """True for heads with a single label per row that is 0 or 1, which ``given=`` can refer to."""
    first_loss: ClassVar[float | None] = None
    """The approximate default loss of an untrained output, if it cannot be computed from classes and labels."""
    hint_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of the source that help to judge this head, if they exist; they are not declared."""
    tunable: ClassVar[tuple[str, ...]] = ()
    """The arguments that `Evaluation.tune` and `calibrate` fit, and that do not change the labels."""
    view: ClassVar[str] = "numbers"
    """Its view in previews: ``"numbers"``, ``"binary"``, ``"class"``, ``"classes"``, ``"vector"``, or by its layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__
        if not is_number(self.weight) or self.weight < 0:
            expected = "a finite number of at least 0"
            raise ContractError(Problem(f"{name}(weight=)", expected, shown(self.weight)))
        for argument, (expected, fix) in _NAMES.items():
            value = getattr(self, argument)
            if value is not None and not isinstance(value, str):
                raise ContractError(Problem(f"{name}({argument}=)", expected, shown(value), fix))
        if not self.takes_colors and (
            isinstance(self.missing, (Set, Mapping)) or as_list(self.missing) is not None
        ):
            fix = "Put None or NaN in place of the others."
            raise ContractError(Problem(f"{name}(missing=)", "one value", shown(self.missing), fix))
        if self.each is not None and not self.takes_each:
            expected = "no each= for labels of the whole image"
            raise ContractError(Problem(f"{name}(each=)", expected, shown(self.each), "Leave it out."))
        if self.of is not None and self.layer is None:
            expected = "no of= for labels that lie in no image"
            raise ContractError(Problem(f"{name}(of=)", expected, shown(self.of), "Leave it out."))
        if self.class_weight is not None and not self.takes_class_weight:
            expected = "no class_weight= for a head without classes"
            fix = "Use sample_weight=, or a loss with weights of its own."
            raise ContractError(Problem(f"{name}(class_weight=)", expected, shown(self.class_weight), fix))

    def reads(self, name: str) -> tuple[str, ...]:
        """All columns that a head called ``name`` reads: of labels and of weights."""
        return (*self.columns(name), *([self.sample_weight] if self.sample_weight else []))

    @property
    def inner(self) -> Head:
        """The head of each box for a head with ``each=``; else the head itself."""
        return self

    @property
    def spellings(self) -> Spellings:
        """Learned classes whose names differ only in spaces or case."""
        return self._spellings

    @property
    def lone_negative(self) -> tuple[int, int] | None:
        """The only negative number among learned ids and the number of its rows: it may mean "no label"."""
        return self._lone_negative

    def missing_class_advice(self, value: Any) -> str:
        """Say what to do about a class that means "no label"."""
        return f'If it means "no label", say {type(self).__name__}(missing={value})'

    # Labels ----------------------------------------------------------------------------------------

    @property
    def elementwise(self) -> bool | None:
        """True if each number of a label has a weight of its own; None if that of other rows may have one."""
        return False

    @abstractmethod
    def encode(self, values: Any, check: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
        """Encode a column's values as labels.

        Returns:
            The labels ``(B, *shape)`` of ``dtype``, finite everywhere, and which of them are present: bool
            ``(B, *weight_shape)``, or None if all are.

        Raises:
            BadValue: with the position of the first value that is neither valid nor missing.
        """

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """The shape of one row's sample weight: ``()`` for one weight per row."""
        return ()

    @property
    def weight_forms(self) -> tuple[tuple[int, ...], ...]:
        """The shapes that a row of the weight column may have, besides one number."""
        return ()

    def for_weights(self, shape: tuple[int, ...]) -> Self:
        """Return this unresolved head adapted to a weight column whose rows have this shape.

        Raises:
            BadValue: if weights were declared, or learned, to be coarser.
        """
        return self

    @property
    def declares_unit(self) -> bool:
        """True if the user declared the unit of its numbers."""
        return False

    @property
    def unit_fix(self) -> str:
        """The argument to declare if its labels are far from unit scale; empty for labels without a unit."""
        return ""

    @property
    def scaling(self) -> Scaling | None:
        """The fitted scale of its labels and outputs; None if they are in the units of the data."""
        return None

    @property
    def needs_fitting(self) -> bool:
        """True if its scale has not been fitted yet."""
        return False

    # Mixed with other rows ------------------------------------------------------------------------

    weighs_when_mixed: ClassVar[bool] = False
    """True if mixing rows creates sample weights."""

    def mixable(self, way: str) -> tuple[int, ...]:
        """Return the shape of one row's sample weight when rows are mixed.

        Args:
            way: `BLEND`, which averages rows, or `PATCH`, in which each row fills a part of the image.

        Raises:
            BadValue: if labels of several rows cannot be mixed; says what to do instead.
        """
        raise unmixable(f"a {type(self).__name__}, which does not say how")

    def mix(
        self, labels: np.ndarray, weights: np.ndarray | None, mixing: Mixing, boxes: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Mix labels and weights of rows; by default, take their mean weighted by share and weight.

        Args:
            labels: the labels of the components, ``(K, B, *shape)``.
            weights: the weights of the components, including missing labels, ``given`` and class weights: float32
                ``(K, B, *weight_shape)``; None if no head has any.
            mixing: how they are mixed.
            boxes: for a label per box, the third result for the head of the boxes, to reorder labels alike.

        Returns:
            Labels ``(B, *shape)``; weights ``(B, *mixable(way))`` or None; and for boxes the index of each among the
            boxes of all components, int64 ``(B, max_boxes)``: ``k * max_boxes + place``, or -1 without a box. None for
            all other heads.
        """
        return *mixing.mean(labels, weights), None

    # Class weights ---------------------------------------------------------------------------------

    def count(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return the number of labels of each class, int ``(classes,)`` or, of zeros and ones, ``(classes, 2)``.

        Args:
            labels: ``(B, *shape)``.
            valid: which labels count: those that are present, with ``given`` at 1; bool ``(B, *weight_shape)``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def balanced(self, class_counts: np.ndarray) -> Self:
        """Return this head with balanced class weights.

        Args:
            class_counts: the sum of what `count` returns.
        """
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def class_factor(self, labels: np.ndarray) -> np.ndarray:
        """Return the class weight of each label, float32, broadcastable to ``(B, *weight_shape)``."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def empty(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return the rows that are annotated as empty, bool ``(B,)``; arguments as for `count`."""
        return np.zeros(len(labels), bool)

    def fillers(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return the boxes or points that count but look like fillers of unused places; arguments as for `count`."""
        return np.zeros(0, bool)

    def describe(self, labels: np.ndarray, valid: np.ndarray) -> str:
        """Describe the distribution of the labels that count."""
        statistics = ArrayStatistics()
        statistics.add(self.unscaled(labels), int, valid)
        if not statistics.numbers:
            return "no labels"
        low, high = statistics.low[0], statistics.high[0]
        if self.scaling is not None and abs(low) < 1e-6 * high:
            low = 0.0  # scaled labels are float32
        return f"{low:.4g} to {high:.4g}, mean {statistics.mean:.4g}"

    # Predictions -----------------------------------------------------------------------------------

    def unscaled(self, outputs: np.ndarray) -> np.ndarray:
        """Return outputs of the model, or labels, in the units of the data.

        Args:
            outputs: ``(B, *output_shape)``.

        Returns:
            ``outputs`` unchanged if no scale was declared, else float64.
        """
        return outputs if self.scaling is None else self.scaling.inverse_transform(outputs)

    def decode(self, outputs: np.ndarray, logits: bool, views: Views = None) -> dict[str, PredictedColumn]:
        """Convert outputs to the class names, units and pixels of the data.

        Args:
            outputs: float ``(B, *output_shape)``.
            logits: whether they are logits rather than probabilities.
            views: the mapping of each row's image to the original; None without an image.

        Returns:
            Columns of predictions by the suffix of their name: ``""`` for the prediction in the form of a label, others
            such as ``"probability"`` for more.
        """
        return {"": PredictedColumn(self.unscaled(outputs))}

    def likely(self, outputs: np.ndarray, logits: bool) -> np.ndarray:
        """Convert outputs to probabilities of the same shape; outputs that are not scores of classes are unchanged.

        Args:
            outputs: floats ``(B, *output_shape)``.
            logits: whether they are logits rather than probabilities.
        """
        return likelihoods(outputs, logits, self.probabilities)

    def judge(self, name: str, heads: Mapping[str, Head], size: tuple[int, int] | None) -> Judge:
        """Return the judge that computes metrics from this head's labels and outputs; by default, only its loss.

        Args:
            name: the name of this head.
            heads: all heads by name, resolved, and those of `also_read`.
            size: (height, width) of the image that the labels refer to, if known.
        """
        return LossJudge(name, self)

    def also_read(self, name: str, columns: Mapping[str, Any]) -> dict[str, Head]:
        """Return heads for further labels that are needed to judge this head.

        Args:
            name: the name of this head.
            columns: the first value of its `sample_weight`, and of each of its `hint_columns` that the source has.
        """
        return {}

    def unmoved(self, outputs: np.ndarray, move: Move) -> np.ndarray:
        """Map outputs for a view of an image back to the image itself.

        Args:
            outputs: float ``(B, *output_shape)``, probabilities rather than logits.
            move: the transformation of the view.

        Returns:
            Outputs of the same shape; NaN for pixels that the view does not show.
        """
        return outputs

    # Keras -----------------------------------------------------------------------------------------

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one row of the model's output."""
        return self.shape

    @property
    def probabilities(self) -> tuple[str, ...]:
        """The activations that compute the probabilities of its classes; empty if the output is not a probability."""
        return ()

    @property
    def activation(self) -> str | None:
        """The activation of the layer that `output` makes; None for none."""
        return self.probabilities[0] if self.probabilities else None

    @property
    def losses(self) -> tuple[str, ...]:
        """The Keras losses that accept its labels, the default first; empty if any loss for numbers does."""
        return ()

    @abstractmethod
    def default_loss(self, logits: bool) -> Any:
        """Return a Keras loss with one value for each sample weight."""

    @abstractmethod
    def default_metrics(self, logits: bool) -> list[Any]:
        """Return Keras metrics for this head."""

    @abstractmethod
    def output(self, features: Any, name: str) -> Any:
        """Return the output tensor for this head on top of ``features``."""


_NAMES = {
    "sample_weight": ("the name of a column", "Put the weights into a column of the data and name it here."),
    "given": ("the name of a binary head", 'Write it as text, as given="presence".'),
    "each": ("the name of a head of boxes", 'Write it as text, as each="box".'),
    "of": ("the name of an image input", 'Write it as text, as of="image".'),
}
"""For arguments that name something: the expected value, and what to do."""


def coarser(shape: tuple[int, ...]) -> BadValue:
    """The error for weights that are finer than declared."""
    fix = "Leave elementwise=False out; a feed of feed.on() has weights as fine as the first feed."
    return BadValue(None, "one weight a row, as elementwise=False says", f"rows of shape {shape}", fix)
