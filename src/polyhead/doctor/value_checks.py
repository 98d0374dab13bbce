"""Checks values: NaN, infinity, ids, ranges, one-hot labels, constant heads, exchanged labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from polyhead.checks.model_match import fits
from polyhead.checks.output_rules import FEW
from polyhead.checks.range_rules import (
    BOUNDED,
    ONE_CLASS,
    PROBABILITIES_OF,
    UNIT_LOSSES,
    first_outside,
    logits_problem,
    negative_outputs,
    no_probabilities,
    one_unit_softmax,
    span,
)
from polyhead.doctor.exchanges import cycles, exchange_fix, exchanged, one_further
from polyhead.doctor.leaf_statistics import LeafStatistics
from polyhead.doctor.model_signature import CHANNELS_LAST, ExaminedTensor, Matches, batch_of, in_row
from polyhead.doctor.reading import Reading
from polyhead.errors import Problem, counted
from polyhead.keras_bridge.structure import Path

_ROUNDED = 1e-3


def check_finite(reading: Reading, matches: Matches, parts: str) -> Iterator[Problem]:
    """Find NaN and infinity in parts of the batches, with the first row of each array that has one."""
    fixes = {"x": "Leave the row out, or fill it in.", "w": "Give 0 where a row does not count."}
    for (part, path), stats in reading.stats.items():
        for spot, code, word in ((stats.nan, "nan", "NaN"), (stats.infinite, "infinity", "infinity")):
            if spot is None or part not in parts:
                continue
            of_labels = f"{word[0].upper()}{word[1:]} times a weight of 0 is NaN: give 0 and a weight of 0, or declare "
            of_labels += "the data as a ph.Feed, where NaN means that there is no label."
            found = f"{word} ({counted(stats.not_finite, 'row')} in all)"
            where, fix = matches.name((part, path), spot), fixes.get(part, of_labels)
            yield Problem(where, "finite numbers", found, fix, code)


def flat_label_notes(reading: Reading, matches: Matches) -> list[str]:
    """Return a note on labels without the last axis of their output, and how Keras reads them."""
    return [
        f"the labels of {name} lack the last axis: Keras's own losses add it, a loss or metric class of your own "
        "would compare each row with each other row"
        for name, slot, stats in matches.labels(reading)
        if not slot.own_loss and _lacks_last_axis(stats.shape, slot.shape) and stats.odd is None
    ]


def check_constant(reading: Reading, matches: Matches) -> Iterator[Problem]:
    """Find inputs and labels that are the same in every row."""
    for (part, path), stats in reading.stats.items():
        fewest = {"x": 2, "y": FEW}.get(part, math.inf)
        if not (stats.constant or stats.alike) or not stats.usable or stats.rows < fewest:
            continue
        value = f"{stats.low[0] + 0.0:g}" if stats.constant else "the same values"  # no -0
        value = "only zeros" if value == "0" and len(stats.shape) > 1 else value
        found = f"{value} in all {counted(stats.rows, 'row')} read"
        fix = "Is the right column read, and are the rows in a random order?"
        expected = "labels that vary" if part == "y" else "inputs that vary"
        yield Problem(matches.name((part, path)), expected, found, fix, "constant", warning=True)


def check_outputs(reading: Reading, matches: Matches) -> tuple[list[Problem], dict[Path, ExaminedTensor]]:
    """Compare labels with their outputs; labels that fit each other's output are reported as swapped.

    Returns:
        The problems, and the outputs for which the labels are intended.
    """
    outputs = dict(matches.outputs)
    stats = {path: reading.stats["y", path] for path in outputs}
    flaws = {p: check_label_values(matches.name(("y", p)), slot, stats[p]) for p, slot in outputs.items()}

    def softer(group: tuple[Path, ...]) -> bool:
        """Return whether fractions would replace whole numbers where a loss reads 0 and 1."""
        return any(
            outputs[other].loss in UNIT_LOSSES and stats[other].whole and not stats[path].whole
            for path, other in zip(group, (*group[1:], group[0]), strict=True)
        )

    problems: list[Problem] = []
    for group in cycles(list(stats)):
        meant, current = one_further(group, outputs), {path: outputs[path] for path in group}
        wrong = {  # (N,) alone, of which only a loss of one's own is wrong, tells nothing
            path: flaw
            for path, slot in current.items()
            if (flaw := flaws[path]) is not None and not flaw.warning
            if not (slot.own_loss and _lacks_last_axis(stats[path].shape, slot.shape))
        }
        if not wrong or not _suit(meant, reading) or softer(group):
            continue
        pairs = itertools.combinations(group, 2) if len(group) == 3 else ()
        if any(_suit(current | one_further(pair, outputs), reading) for pair in pairs):
            continue  # two of them are exchanged
        (path, flaw), *others = wrong.items()
        fitting = next(path_ for path_, slot in meant.items() if slot is outputs[path])
        if not others and _may_be_scaled(flaw, stats[fitting]):
            if len(group) == 2:
                flaws[path] = _or_exchanged(flaw, meant, current)
            continue
        problems.append(exchanged("y", outputs, meant, flaw))
        outputs |= meant
        flaws |= dict.fromkeys(group)
    left = (flaw for path, flaw in flaws.items() if not _reads_as_it_likes(outputs[path], stats[path]))
    return [*problems, *filter(None, left)], outputs


def _suit(slots: Mapping[Path, ExaminedTensor], reading: Reading) -> bool:
    """Return whether the labels at these paths may be for these outputs."""
    flaws = (check_label_values("", slot, reading.stats["y", path]) for path, slot in slots.items())
    return all(flaw is None or flaw.warning for flaw in flaws)


def _reads_as_it_likes(slot: ExaminedTensor, stats: LeafStatistics) -> bool:
    """Return whether labels are for a loss of the user's own, in another shape than the output."""
    shape = stats.shape
    lacks = slot.own_loss and _lacks_last_axis(shape, slot.shape)
    return slot.unknown_loss and stats.odd is None and not fits(shape, slot.shape) and not lacks


def unread_shapes(reading: Reading, matches: Matches) -> list[str]:
    """Return which labels only a loss of the user's own can tell to be right."""
    return [
        f"whether {name} fits labels of shape {batch_of(stats.shape)}: {slot.loss} is a loss of your own"
        for name, slot, stats in matches.labels(reading)
        if _reads_as_it_likes(slot, stats)
    ]


def _may_be_scaled(flaw: Problem, fitting: LeafStatistics) -> bool:
    """Return whether labels out of reach of their output may be its own: the ``fitting`` ones are no classes."""
    few = set(fitting.distinct or (math.inf,)) <= {-1, 0, 1}
    return flaw.code == "mask-255" or (flaw.code == "label-range" and not few)


def _or_exchanged(
    flaw: Problem, meant: dict[Path, ExaminedTensor], slots: dict[Path, ExaminedTensor]
) -> Problem:
    """Return the problem of labels out of reach that would also fit another output."""
    if "each other's" in flaw.fix:
        return flaw
    names = " and ".join(f"`{slot.name}`" for slot in slots.values())
    fix = exchange_fix("y", meant)
    return replace(flaw, fix=f"{flaw.fix} If {names} have each other's labels, {fix[0].lower()}{fix[1:]}")


def in_sorted_order(reading: Reading, matches: Matches) -> Matches | None:
    """Match a tuple of labels by the sorted names of the outputs, if only that order fits."""
    in_order = sorted(matches.outputs.values(), key=lambda slot: slot.name)
    by_name = dict(zip(matches.outputs, in_order, strict=True))
    if _suit(matches.outputs, reading) or not _suit(by_name, reading):
        return None
    return Matches(matches.inputs, by_name)


def check_losses(reading: Reading, matches: Matches, problems: list[Problem]) -> Iterator[Problem]:
    """Compare activations and losses of outputs whose labels have no problem yet."""
    for name, slot, stats in matches.labels(reading):
        if any(p.place.startswith(name) and not p.warning for p in problems):
            continue
        better = "linear" if slot.loss is not None and slot.from_logits is None else "sigmoid"
        of_activation = one_unit_softmax(name, slot.activation, slot.classes, better)
        of_activation = of_activation or _activation_problem(name, slot, stats)
        of_logits = logits_problem(name, slot.activation, slot.loss or "", slot.from_logits)
        of_log = None if of_activation else negative_outputs(name, slot.activation, slot.loss or "")
        yield from filter(None, (of_activation, of_logits, of_log))


def _activation_problem(name: str, slot: ExaminedTensor, stats: LeafStatistics) -> Problem | None:
    """Return the problem of an activation that does not suit its loss; softmax suits one-hot labels with any."""
    if slot.activation in ONE_CLASS and stats.ones:
        return None
    loss = slot.loss or ""
    return no_probabilities(name, slot.activation, PROBABILITIES_OF.get(loss, ()), loss)


def check_label_values(name: str, slot: ExaminedTensor, stats: LeafStatistics) -> Problem | None:
    """Return the problem of labels for an output; None without one."""
    if stats.odd is not None:
        return None
    if _are_ids(slot, stats):
        return _bad_ids(name, slot, stats)
    if not fits(stats.shape, slot.shape) and (problem := _bad_shape(name, slot, stats)) is not None:
        return problem
    if slot.sparse and stats.one_hot and slot.classes not in (None, 1):
        expected = f"ids {batch_of(slot.shape[:-1])}, as its loss is {slot.loss}"
        fix = 'Give labels.argmax(-1), or compile with "categorical_crossentropy".'
        return Problem(name, expected, f"one-hot labels {batch_of(stats.shape)}", fix, "one-hot-for-sparse")
    return _out_of_reach(name, slot, stats)


def _are_ids(slot: ExaminedTensor, stats: LeafStatistics) -> bool:
    """Return whether the labels are class ids: one integer while the output has several numbers."""
    classes = slot.classes
    if classes == 1 or not slot.shape:
        return False
    body = slot.shape[:-1]
    if not (fits(stats.shape, body) or fits(stats.shape, (*body, 1))):
        return False
    if slot.sparse is not None:
        return slot.sparse or (slot.one_hot and stats.whole)
    if slot.activation in ONE_CLASS:
        return stats.whole
    return stats.whole and stats.dtype.startswith(("int", "uint")) and slot.activation not in BOUNDED


def class_a_step(slot: ExaminedTensor, stats: LeafStatistics) -> bool:
    """Return whether the labels are a class for each step of a sequence."""
    return len(slot.shape) == 2 and stats.odd is None and _are_ids(slot, stats)


def _bad_ids(name: str, slot: ExaminedTensor, stats: LeafStatistics) -> Problem | None:
    classes = slot.classes
    if slot.one_hot:
        expected = f"one number for each of {classes} classes, as its loss is {slot.loss}"
        fix = 'Compile with "sparse_categorical_crossentropy", or give keras.utils.to_categorical(labels, '
        return Problem(name, expected, "ids", f"{fix}{classes}).", "ids-for-one-hot")
    if stats.fraction is not None:
        value, spot = stats.fraction
        expected, fix = "a class id, a whole number", "Numbers that are no ids need another loss."
        return Problem(in_row(name, spot), expected, f"{value:g}", fix, "label-range")
    highest = classes - 1 if classes else math.inf
    outside = first_outside(stats, (0, highest))
    wrong = [value for value in stats.distinct or () if not 0 <= value <= highest and value != slot.ignored]
    if outside is None or (slot.ignored is not None and stats.distinct is not None and not wrong):
        return None
    value, spot = outside
    fix = "Count classes from 0, or give the layer more units."
    fix = 'If it means "no label", give 0 and a weight of 0.' if value < 0 else fix
    fix = f"JAX adds nothing for such a row, TensorFlow and torch stop. {fix}"
    expected = f"a class id in [0, {classes - 1}]" if classes else "a class id of at least 0"
    return Problem(in_row(name, spot), expected, f"{value:g}", fix, "id-out-of-range")


def _bad_shape(name: str, slot: ExaminedTensor, stats: LeafStatistics) -> Problem | None:
    shape, wanted = stats.shape, slot.shape
    found = batch_of(shape)
    expected = f"labels of shape {batch_of(wanted)}, as the output has"
    ids_first = len(shape) > 1 and shape[0] == 1 != wanted[-1] and fits(shape[1:], wanted[:-1])
    if slot.sparse and len(wanted) > 1:
        expected = f"ids of shape {batch_of(wanted[:-1])}, as its loss is {slot.loss}"
        fix = "Give one class id for each place."
        fix = "The channels are first: give labels[:, 0]." if ids_first else fix
        return Problem(name, expected, found, fix, "target-shape")
    if _lacks_last_axis(shape, wanted):
        if not slot.own_loss:
            return None  # Keras adds the last axis
        fix = f"{slot.loss} is a loss of your own: it would compare each row with each other row. "
        return Problem(name, expected, found, f"{fix}Give labels[..., None].", "broadcast")
    if shape and shape[-1] == 1 and fits(shape[:-1], wanted):
        return None
    turned = len(shape) == 3 and shape != wanted and fits((*shape[1:], shape[0]), wanted)
    if not turned and _spreads(shape, wanted):
        into = "each number with each other one" if shape == () else "along the axes of size 1"
        fix = f"A loss would not fail but compare {into}. "
        if slot.sparse is None and stats.whole and wanted[-1] != 1 and shape in ((), (1,)):
            fix += "If they are class ids, compile with a sparse loss; else "
        fix += "Give the layer or the labels the same shape."
        return Problem(name, expected, found, fix, "broadcast")
    fix = f"These are channels first: give {CHANNELS_LAST.format('labels')}." if turned else ""
    if ids_first and stats.whole:
        fix = "If these are class ids with the channels first, give labels[:, 0]."
    if not fix and len(shape) == len(wanted) == 1:
        fix = f"Give the layer {shape[0]} units, or labels with {wanted[0]} numbers a row."
    return Problem(name, expected, found, fix, "target-shape")


def _lacks_last_axis(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Return whether labels lack only the last axis, of size 1, of their output."""
    return wanted[-1:] == (1,) and fits(shape, wanted[:-1])


def _spreads(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Return whether a loss would broadcast the two shapes, always or for some batch sizes."""
    if shape == ():
        return len(wanted) == 1
    if len(shape) != len(wanted):
        return False
    return all(s == w or w is None or 1 in (s, w) for s, w in zip(shape, wanted, strict=True))


def _out_of_reach(name: str, slot: ExaminedTensor, stats: LeafStatistics) -> Problem | None:
    if slot.range is None:
        return None
    low, high, why = slot.range
    if high == 1 and stats.zero_255:
        where, fix = in_row(name, stats.high[1]), "Divide by 255, or give mask > 127."
        return Problem(where, f"labels of 0 and 1, as {why}", "0 and 255", fix, "mask-255")
    if high == 1 and stats.low[0] == 0 and abs(255 * stats.high[0] - 1) < _ROUNDED:
        where, fix = in_row(name, stats.high[1]), "They were 0 and 1 already: leave out the division by 255."
        return Problem(where, f"labels of 0 and 1, as {why}", "at most 1 / 255", fix, "mask-255")
    outside = first_outside(stats, (low, high))
    marks = [value for value in stats.distinct or () if not low <= value <= high]
    if outside is not None and not (slot.unknown_loss and len(marks) == 1):  # which that loss may leave out
        value, spot = outside
        fix = "The output cannot reach it, or the loss falls without bound: "
        fix += "scale the labels, or give the output layer no activation and a loss for numbers."
        expected = f"labels {span(low, high)}, as {why}"
        return Problem(in_row(name, spot), expected, f"{value:g}", fix, "label-range")
    one_class = (slot.activation in ONE_CLASS or slot.one_hot) and slot.classes not in (None, 1)
    if not one_class or stats.ones or _activation_problem(name, slot, stats) is not None:
        return None
    expected = "labels that sum to 1 in each row, as one class is chosen"
    fix = 'For any number of classes a row use a sigmoid and "binary_crossentropy".'
    return Problem(name, expected, "rows with other sums", fix, "not-one-class", warning=True)
