"""The base of heads whose labels are classes: class weights, counts, and the cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from polyhead.errors import ContractError, Problem, as_list, is_number, plain_scalar, shown, similar
from polyhead.kinds.head import Head
from polyhead.kinds.missing import spread_over
from polyhead.kinds.mixed_labels import require_soft
from polyhead.kinds.output_layers import dense_output, pooled_features


@dataclass(frozen=True, repr=False)
class ClassHead(Head):
    """A head whose labels are class ids, one-hot classes, or 0 and 1 for each class."""

    takes_class_weight: ClassVar[bool] = True

    @property
    def multi(self) -> bool:
        """True if any number of classes hold at once: the last axis of labels has 0 or 1 for each."""
        return False

    @property
    def weighted_classes(self) -> Sequence[Any] | None:
        """The classes that ``class_weight`` names, in order of their ids; None if they will be learned."""
        return self.names

    def _ids(self, labels: np.ndarray) -> np.ndarray:
        """The class ids of labels, if only one class holds at a time."""
        return labels

    def _check_class_weight(self) -> None:
        """Set ``class_weight`` to weights by class or ``"balanced"``, once the classes are known.

        Raises:
            ContractError: for an unknown class, a wrong number of weights, a weight below 0, or no weight above 0.
        """
        kind, classes = type(self).__name__, self.weighted_classes
        where, argument = f"{kind}(class_weight=)", self.class_weight
        if argument is None or (isinstance(argument, str) and argument == "balanced"):
            return
        weights = _by_name_or_order(argument)
        if weights is None:
            near = similar(argument, ["balanced"]) if isinstance(argument, str) else ""
            raise ContractError(Problem(where, '"balanced" or a dict', shown(argument), near))
        for name, weight in weights.items() if isinstance(weights, Mapping) else enumerate(weights):
            if not is_number(plain_scalar(weight)) or weight < 0:
                expected = "a finite number of at least 0"
                raise ContractError(Problem(f"{where}, class {name!r}", expected, shown(weight)))
        if not isinstance(weights, Mapping):
            if classes is None:
                fix = f"Say {kind}([...], class_weight=...) with the classes in order, or {{class: weight}}."
                raise ContractError(Problem(where, "a dict, as no classes are declared", shown(weights), fix))
            if len(weights) != len(classes):
                expected = f"one weight for each of {len(classes)} classes, {shown(list(classes))}"
                raise ContractError(Problem(where, expected, f"{len(weights)}"))
            weights = dict(zip(classes, weights, strict=True))
        unknown = [] if classes is None else [name for name in weights if name not in classes]
        if classes is not None and unknown:
            near = similar(unknown[0], [name for name in classes if name not in weights])
            expected = f"classes among {shown(list(classes))}"
            raise ContractError(Problem(where, expected, shown(unknown[0]), near))
        if classes and not self.multi and not any(weights.get(name, 1) for name in classes):
            fix = "To leave this head out of the loss, say weight=0."
            raise ContractError(Problem(where, "a weight above 0 for some class", "0 for each", fix))
        object.__setattr__(self, "class_weight", dict(weights))

    def weights_by_id(self) -> np.ndarray:
        """The class weights, float32 by id; 1 for a class without a weight."""
        weights: Any = self.class_weight or {}
        return np.array([weights.get(name, 1.0) for name in self.weighted_classes or ()], np.float32)

    def mixable(self, way: str) -> tuple[int, ...]:
        require_soft(self.loss)
        return self.weight_shape

    def count(self, labels: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return the number of labels of each class, ``(n,)``; with `multi`, of its zeros and ones, ``(n, 2)``."""
        if self.multi:
            axes = tuple(range(labels.ndim - 1))
            valid = spread_over(valid, labels)
            ones = ((labels == 1) & valid).sum(axes)
            return np.stack([valid.sum(axes) - ones, ones], 1)
        ids = self._ids(labels)
        return np.bincount(ids[np.broadcast_to(valid, ids.shape)], minlength=len(self.weighted_classes or ()))

    def balanced(self, class_counts: np.ndarray) -> Self:
        """Return this head with balanced class weights.

        The weight of a class is labels / (number of classes that occur * labels of the class); with `multi`, the number
        of its zeros / that of its ones.
        """
        if self.multi:
            weights = [
                float(zeros / ones) if zeros and ones else 1.0 for zeros, ones in class_counts.tolist()
            ]
        else:
            occurring = int((class_counts > 0).sum())
            weights = [
                float(class_counts.sum() / (occurring * n)) if n else 1.0 for n in class_counts.tolist()
            ]
        return self.fixed(class_weight=dict(zip(self.weighted_classes or (), weights, strict=True)))

    def class_factor(self, labels: np.ndarray) -> np.ndarray:
        weights = self.weights_by_id()
        return np.where(labels == 1, weights, np.float32(1)) if self.multi else weights[self._ids(labels)]

    def describe(self, labels: np.ndarray, valid: np.ndarray) -> str:
        """Name the most common classes and their shares: of all labels, or with `multi` of the rows labeled for it."""
        counts = self.count(labels, valid)
        counts, labeled = (
            (counts[:, 1], counts.sum(1)) if self.multi else (counts, np.full(len(counts), counts.sum()))
        )
        if not labeled.any():
            return "no labels"
        order = np.argsort(-counts, kind="stable")
        text = ", ".join(f"{self.names[i]} {counts[i] / max(labeled[i], 1):.1%}" for i in order[:5])
        return text if len(self.names) <= 5 else f"{text}, … ({len(self.names)} classes)"

    def default_loss(self, logits: bool) -> Any:
        import keras

        cross_entropy = "".join(word.title() for word in self.losses[0].split("_"))
        return getattr(keras.losses, cross_entropy)(from_logits=logits)

    def output(self, features: Any, name: str) -> Any:
        return dense_output(pooled_features(features), name, self.output_shape, self.activation)


def _by_name_or_order(weights: Any) -> Mapping[Any, float] | tuple[float, ...] | None:
    """Return class weights by name for a dict or a series with an index, else in order; None for anything else.

    >>> _by_name_or_order(np.array([1.0, 2.0]))
    (1.0, 2.0)
    """
    if isinstance(weights, Mapping):
        return weights
    index = type(getattr(weights, "index", None)).__name__
    if (
        hasattr(weights, "to_dict") and index.endswith("Index") and index != "RangeIndex"
    ):  # which names nothing
        named: dict[Any, float] = weights.to_dict()
        return named
    listed = as_list(weights)
    return None if listed is None else tuple(listed)
