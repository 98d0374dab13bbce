"""Checks whether the activation of an output, the loss and the labels of a head suit each other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from polyhead.checks.range_rules import (
    UNIT_LOSSES,
    bounds_of,
    first_outside,
    logits_problem,
    negative_outputs,
    no_probabilities,
    one_unit_softmax,
    span,
    suits,
)
from polyhead.errors import Problem, counted, place, shown
from polyhead.keras_bridge.identifiers import snake_name
from polyhead.kinds import Head
from polyhead.kinds.array_statistics import ArrayStatistics
from polyhead.kinds.keras_names import ONE_HOT_LOSSES, OVERLAP_LOSSES, is_of_keras

_CROSSENTROPIES = re.compile("crossentropy|cross_entropy")
_PROPER = {
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}
_NAMED = 3
"""The most groups of similarly spelled names that one problem lists."""

FEW = 30
"""The fewest rows for which equal labels are a problem; with fewer they may be equal by chance."""

REPORTED_FRACTION = 0.05
"""Placeholders, and labels outside the image, are reported from this fraction of boxes, points or numbers on."""


@dataclass(frozen=True)
class Loss:
    """The facts about a loss that checks need.

    Attributes:
        name: its name, such as ``"binary_crossentropy"``; empty if it is not Keras's own.
        from_logits: its argument of that name; None if it has none.
    """

    name: str = ""
    from_logits: bool | None = None


def as_loss(given: Any) -> Loss:
    """Describe a loss, its name or its function; a class with its own ``call`` may change what it reads.

    >>> as_loss("binary_crossentropy")
    Loss(name='binary_crossentropy', from_logits=False)
    """
    import keras

    from polyhead.keras_bridge.losses import LabeledMean

    loss = keras.losses.get(given)
    while isinstance(loss, LabeledMean):
        loss = loss.loss
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", None) or snake_name(type(loss).__name__)
    if not is_of_keras(loss):
        return Loss()
    if not _CROSSENTROPIES.search(name) or "generalized" in name:
        return Loss(name)
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    return Loss(name, bool(config.get("from_logits", False)))


def check_head(
    name: str, head: Head, applied: str | None, loss: Loss | None, seen: ArrayStatistics | None
) -> Iterator[Problem]:
    """Find activations, losses and labels of one head that do not suit each other.

    Args:
        applied: the output's last activation, if it is known.
        loss: the loss that the user chose, if any.
    """
    where = place(head=name)
    units = head.output_shape[-1]
    wrong_activation = _check_activation(where, head, applied, loss, units)
    if wrong_activation is not None:
        yield wrong_activation
    if loss is not None:
        yield from _check_loss(where, head, applied, loss, seen, units)
    if wrong_activation is None and not head.probabilities and seen is not None:
        yield from _check_reach(where, head, applied, seen)


def _check_activation(
    where: str, head: Head, applied: str | None, loss: Loss | None, units: int
) -> Problem | None:
    """Return the problem of an activation that cannot produce what the head predicts."""
    better = "sigmoid" if head.probabilities else "linear"
    single = one_unit_softmax(where, applied, units, better)
    if single is not None:
        return single
    hinge = loss is not None and "hinge" in loss.name
    if applied == "tanh" and hinge:
        return None
    plain = loss is not None and bool(loss.name) and loss.from_logits is None and not hinge
    if applied == "linear" and head.probabilities and loss is not None and plain:
        wanted = head.probabilities[0]
        expected = f'activation="{wanted}", as {loss.name} compares the outputs themselves with the labels'
        fix = f'Say activation="{wanted}" in the output layer: predictions are taken for probabilities.'
        return Problem(where, expected, "no activation", fix, "activation", warning=True)
    return no_probabilities(where, applied, head.probabilities, type(head.inner).__name__)


def _check_loss(
    where: str, head: Head, applied: str | None, loss: Loss, seen: ArrayStatistics | None, units: int
) -> Iterator[Problem]:
    kind = type(head.inner).__name__
    if loss.name and head.losses and loss.name not in head.losses:
        best = _PROPER[head.losses[0]]
        labels = f"{head.dtype} (B{''.join(f', {n}' for n in head.shape)}{',' * (not head.shape)})"
        fix = f"{_why_not(loss.name, head, units)} Say loss={best}(), or let ph.compile choose."
        yield Problem(where, f"a loss that reads labels of {labels}, as {best}", loss.name, fix, "loss")
        return
    if loss.name.startswith("sparse_") and not head.losses:
        expected = f"a loss for numbers, as {kind} has them: mean_squared_error"
        fix = "It takes labels for class ids. Use ph.Categorical if that is what they are."
        yield Problem(where, expected, loss.name, fix, "loss")
        return
    outside = None
    if not head.losses and seen is not None and loss.name in UNIT_LOSSES:
        outside = first_outside(seen, (0, 1))
    if outside is not None:
        expected, fix = f"labels in 0–1, as {loss.name} expects", 'Say loss="mean_squared_error" for numbers.'
        yield Problem(f"{where}, row {outside[1]}", expected, f"{outside[0]:.6g}", fix, "loss")
        return
    if unlike := logits_problem(where, applied, loss.name, loss.from_logits):
        yield unlike
    if (
        not head.probabilities
        and head.scaling is None
        and (log := negative_outputs(where, applied, loss.name))
    ):
        yield log


def _why_not(loss: str, head: Head, units: int) -> str:
    if head.dtype == "int32" and units > 1 and (loss in OVERLAP_LOSSES or loss.startswith("categorical")):
        return f"That one reads one-hot labels, these are class ids.{_one_hot_way(loss, head, units)}"
    if loss.startswith("sparse_"):
        return "That one reads class ids."
    if loss == "circle":
        return "That one reads embeddings: use it in a model's own compute_loss."
    if loss.startswith("categorical") and units == 1:
        return "That one is always 0 over a single unit."
    if head.dtype == "int32":
        return "Class ids are no quantities."
    if "softmax" in head.probabilities:
        return "That one does not read one class of several."
    return "These labels are 0 and 1."


def _one_hot_way(loss: str, head: Head, units: int) -> str:
    """Say how a loss gets one-hot labels, unless another loss is the same for class ids."""
    if hasattr(head.inner, "one_hot") and loss in ONE_HOT_LOSSES:
        return " ph.Categorical(one_hot=True) gives one-hot labels."
    if loss == "categorical_crossentropy" or loss not in (*OVERLAP_LOSSES, *ONE_HOT_LOSSES):
        return ""
    axes = f", axis={tuple(range(1, len(head.output_shape) + 1))}" if loss in OVERLAP_LOSSES else ""
    one_hot = f'keras.ops.one_hot(keras.ops.cast(y_true, "int32"), {units})'
    call = f"keras.losses.{loss}({one_hot}, y_pred{axes})"
    return f" Say loss= a function of (y_true, y_pred) that returns {call}."


def _check_reach(where: str, head: Head, applied: str | None, seen: ArrayStatistics) -> Iterator[Problem]:
    """Find a label outside of the output's range."""
    low, high, why = bounds_of(applied, None) or (-math.inf, math.inf, "")
    outside = first_outside(seen, (low, high))
    if outside is not None:
        expected = f"labels {span(low, high)}, as {why}"
        in_pixels = getattr(head.inner, "normalized", None) is False
        instead = (
            "say normalized=True, column_normalized=False for coordinates in 0–1"
            if in_pixels
            else "scale the labels"
        )
        fix = f"Give the output layer no activation, or {instead}."
        yield Problem(f"{where}, row {outside[1]}", expected, f"{outside[0]:.6g}", fix, "label-range")


def half_precision(name: str, tensor: Any) -> Iterator[Problem]:
    """Find an output in half precision, in which losses and large numbers overflow."""
    dtype = str(getattr(tensor, "dtype", ""))
    if "float16" in dtype:
        found = f"{dtype}, which is too coarse for losses and large numbers"
        fix = 'Say dtype="float32" in the output layer, or use ph.outputs.'
        yield Problem(place(head=name), "an output in float32", found, fix, "half-precision", warning=True)


def exchanged_heads(
    heads: Mapping[str, Head], applied: Mapping[str, str | None], seen: Mapping[str, ArrayStatistics]
) -> Iterator[Problem]:
    """Find two heads of one shape whose labels fit each other's outputs but not their own."""
    # an id is no number of the output
    names = [n for n in heads if n in seen and seen[n].labeled and heads[n].shape == heads[n].output_shape]
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if heads[first].output_shape != heads[second].output_shape:
                continue
            straight = suits(applied[first], seen[first]) and suits(applied[second], seen[second])
            crossed = suits(applied[second], seen[first]) and suits(applied[first], seen[second])
            if crossed and not straight:
                where = f"{place(head=first)} and {place(head=second)}"
                expected = "the labels of each head at its own output"
                found = f"labels of `{first}` that fit the output of `{second}`, and the reverse"
                fix = "They look exchanged: check the columns of the two heads, and the names of the two layers."
                yield Problem(where, expected, found, fix, "exchanged", warning=True)


def check_labels(
    name: str, head: Head, seen: ArrayStatistics, shuffled: bool, size: tuple[int, ...] | None
) -> Iterator[Problem]:
    """Find problems in the labels of a head, without a model.

    Args:
        shuffled: whether the rows checked are representative.
        size: (height, width) of the only image input, if there is one.
    """
    yield from check_spelling(name, head)
    yield from _check_negative_class(name, head)
    yield from _check_placeholders(name, head, seen)
    yield from (stray := list(_check_strays(name, head, seen, size)))
    yield from _check_shared(name, head, seen)
    where = place(head=name)
    if not seen.labeled:
        if seen.complete and seen.rows and not stray:
            clues = [f"given={head.given!r}"] * bool(head.given)
            clues += [f"missing={head.missing!r}"] * (head.missing is not None)
            fix = f"Look at {' and at '.join(['its column', *clues])}, or leave the head out."
            found = f"none in {counted(seen.rows, 'row')}"
            yield Problem(where, "at least one label that counts", found, fix, "no-labels", warning=True)
        return
    if seen.alike and seen.labeled >= FEW and (seen.complete or shuffled):
        value = f"{seen.low[0]:.6g}" if seen.low[0] == seen.high[0] else "the same label"
        if head.names and head.shape == ():  # the label is a class id
            value = shown(head.names[int(seen.low[0])])
        many = f"{'all' if seen.complete else 'the first'} {seen.labeled:,} labeled rows"
        fix = "There is nothing to learn from it: check its column."
        yield Problem(where, "labels that differ", f"{value} in {many}", fix, "constant", warning=True)
        return
    if head.labels_in_pixels:
        what = "boxes" if head.layer == "boxes" else "keypoints"
        least = 1.0 if size is None else max(1.0, min(size) / 16)  # 0–1 in the column, and images enlarged
        if seen.low[0] >= 0 and seen.high[0] <= least:
            found = f"coordinates from {seen.low[0]:.4g} to {seen.high[0]:.4g}"
            fix = (
                "These look like 0–1: say normalized=True, or only column_normalized=True to predict pixels."
            )
            yield Problem(where, f"{what} in pixels", found, fix, "coordinates", warning=True)
        elif size is not None and not stray and seen.high[0] > 1.5 * max(size):
            where, found = f"{where}, row {seen.high[1]}", f"{seen.high[0]:.6g}"
            expected = f"{what} in pixels of the image, {size[0]} x {size[1]}"
            other = ', or say Boxes(format="xywh") if that is what they are.' if what == "boxes" else "."
            fix = f"Scale them as the image was scaled{other}"
            yield Problem(where, expected, found, fix, "coordinates", warning=True)


def _check_strays(
    name: str, head: Head, seen: ArrayStatistics, size: tuple[int, ...] | None
) -> Iterator[Problem]:
    """Find boxes and points outside of their images; where those are resized, they are cut off or lose their labels."""
    stray = seen.stray
    if stray is None or not stray.outside or stray.outside < REPORTED_FRACTION * stray.entries:
        return
    what = "boxes" if head.layer == "boxes" else "points"
    sides = f"{stray.size[0]} x {stray.size[1]}" + " before it is resized" * (stray.size != size)
    found = f"{shown(stray.first)}, and {stray.outside:,} of {stray.entries:,} {what} like it"
    other = (
        "they have another format, say Boxes(format=...)"
        if what == "boxes"
        else "they are (y, x), exchange the two"
    )
    fix = f"If the image was resized after annotation, scale them the same way; if {other}."
    if min(stray.first) == max(stray.first) <= 0:
        example = f"ph.{type(head.inner).__name__}({head.inner.shape[0]}, missing={stray.first[0]:g})"
        fix = f"If they stand for missing ones, say {example}."
    expected = f"{what} in their image, {sides}"
    yield Problem(place(head=name, row=stray.row), expected, found, fix, "coordinates", warning=True)


def _check_shared(name: str, head: Head, seen: ArrayStatistics) -> Iterator[Problem]:
    """Find classes of which nearly every row has its own, such as ids and free text; all of them have to occur."""
    distinct = len(seen.distinct or ()) if seen.most_distinct and seen.complete else 0
    if distinct < max(FEW, len(head.names)) or 2 * distinct <= seen.labeled:
        return
    words = f"{distinct:,} different ones in {counted(seen.labeled, 'row')}"
    fix = "Look at its column: ids and free text are no classes, and numbers are ph.Regression()."
    yield Problem(place(head=name), "classes that several rows share", words, fix, "unshared", warning=True)


def _check_placeholders(name: str, head: Head, seen: ArrayStatistics) -> Iterator[Problem]:
    """Find boxes without a size, points at (0, 0) or (-1, -1), and numbers such as -999: likely missing labels."""
    if seen.filler is None or seen.fillers < REPORTED_FRACTION * seen.entries:
        return
    filler, row = seen.filler
    if head.quantities:
        value = f"{filler[0]:.6g}"
        found = f"{value}, and {seen.fillers:,} of {seen.entries:,} numbers like it"
        fix = f'If it means "no label", say missing={value}.'
        yield Problem(place(head=name, row=row), "numbers", found, fix, "filler", warning=True)
        return
    boxes, kind = head.layer == "boxes", type(head.inner).__name__
    what = "boxes" if boxes else "points"
    expected = "boxes with a size" if boxes else "points in the image"
    found = f"{shown(filler)}, and {seen.fillers:,} of {seen.entries:,} {what} like it"
    known = min(filler) == max(filler)
    marker, more = (f"{filler[0]:g}", "") if known else ("...", " with the number that fills them")
    example = f"ph.{kind}({head.inner.shape[0]}, missing={marker}){more}"
    fix = f"They count as labels. If they stand for missing ones, say {example}."
    yield Problem(place(head=name, row=row), expected, found, fix, "filler", warning=True)


def _check_negative_class(name: str, head: Head) -> Iterator[Problem]:
    """Find a learned class that is the only negative number, as -1 for no label."""
    if head.inner.lone_negative is None:
        return
    value, times = head.inner.lone_negative
    kind = type(head.inner).__name__
    listed_ = f"list the classes: {kind}({shown(list(head.names))})"
    fix = f"{head.inner.missing_class_advice(value)}; if it is a class, {listed_}."
    expected = "ids of classes of at least 0"
    found = f"{value} in {counted(times, 'row')}"
    yield Problem(place(head=name), expected, found, fix, "class-marker", warning=True)


def check_spelling(name: str, head: Head) -> Iterator[Problem]:
    """Find learned classes whose names differ only in spaces or case, which are likely one class."""
    column, kind = head.columns(name)[0], head.inner
    what = "values" if kind.is_binary else "classes"
    instead = (
        "turn the column into 0 and 1"
        if kind.is_binary
        else f"list the classes: {type(kind).__name__}([...])"
    )
    groups = []
    for names in kind.spellings:
        times_in_words = {0: "", 1: " once"}
        spelled = [
            f"{shown(spelling)}{times_in_words.get(times, f' {times:,} times')}"
            for spelling, times in names.items()
        ]
        groups.append(f"{', '.join(spelled[:-1])} and {spelled[-1]}")
    if not groups:
        return
    spaces = all(len({spelling.strip() for spelling in names}) < len(names) for names in kind.spellings)
    composed = all(
        len({normalize("NFC", spelling) for spelling in names}) < len(names) for names in kind.spellings
    )
    clean = ".str.strip()" if spaces else '.str.normalize("NFC")' if composed else ".str.strip().str.lower()"
    more = f"; … ({len(groups):,} in all)" if len(groups) > _NAMED else ""
    where = place(head=name, column=None if column == name else column)
    expected = (
        f"{what} that differ in more than {'how accents are encoded' if composed else 'spaces and case'}"
    )
    fix = f"If they mean the same, spell them alike in the data, for example with {clean}; if not, {instead}."
    yield Problem(where, expected, "; ".join(groups[:_NAMED]) + more, fix, "class-spelling", warning=True)
