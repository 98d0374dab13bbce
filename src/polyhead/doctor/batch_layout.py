"""Checks the nesting of batches, and whether it is the same in every batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyhead.checks.model_match import fits
from polyhead.doctor.environment import current_backend
from polyhead.doctor.leaf_statistics import MASKED, NONE, LeafStatistics
from polyhead.doctor.misread import is_frame
from polyhead.doctor.model_signature import ExaminedTensor, Matches, nested_code, with_article
from polyhead.doctor.reading import LeafPath, ReadBatch, Reading
from polyhead.doctor.subjects import Subject
from polyhead.doctor.turned_images import Turned
from polyhead.errors import Problem, counted
from polyhead.keras_bridge.structure import Path, leaves


def check_batches(reading: Reading, subject: Subject, matches: Matches, shape: str = "") -> list[Problem]:
    """Find problems in the layout; ``shape`` is what to yield for the model, if there is one."""
    return [
        *_check_container(reading.first, subject, shape),
        *_frames_in_batches(reading, subject, matches),
        *_arrays_in_loader(reading, subject),
        *_check_drift(reading, matches),
        *_check_odd_leaves(reading, matches, shape),
        *_check_none(reading, matches),
        *_check_row_counts(reading, subject, matches),
        *_check_reuse(reading, matches),
    ]


def _check_container(batch: ReadBatch, subject: Subject, shape: str) -> Iterator[Problem]:
    where, expected = "batch 0", "a tuple (x, y) or (x, y, weights)"
    if batch.size > 3:
        nest = f"{shape}, and weights in the same way" if shape else "x, (y0, y1), (w0, w1)"
        fix = f"Nest what belongs together: {nest}."
        yield Problem(where, expected, f"a {batch.container} of {batch.size}", fix, "not-a-tuple")
    elif subject.kind.startswith("generator") and batch.container != "tuple":
        fix = f"Keras accepts nothing else from a generator: yield {shape or 'x, y'}."
        yield Problem(where, expected, with_article(batch.container), fix, "not-a-tuple")


def _frames_in_batches(reading: Reading, subject: Subject, matches: Matches) -> Iterator[Problem]:
    """Find frames in batches, whose missing ``dtype`` TensorFlow's pipeline reads."""
    found = "a DataFrame (works on JAX and torch, AttributeError on TensorFlow)"
    fix = 'Say frame.to_numpy("float32").'
    for leaf_path, leaf in reading.given.items():
        if subject.yields and is_frame(leaf) and hasattr(leaf, "columns"):
            where = f"{matches.name(leaf_path)}, batch 0"
            yield Problem(where, "an array", found, fix, "not-an-array", warning=_spares_tensorflow())


def _arrays_in_loader(reading: Reading, subject: Subject) -> Iterator[Problem]:
    """Find NumPy arrays in the batches of a DataLoader, of which Keras asks ``cpu()`` on JAX and TensorFlow."""
    arrays = any(isinstance(leaf, np.ndarray) for leaf in reading.given.values())
    if subject.kind == "torch DataLoader" and arrays and current_backend() in ("jax", "tensorflow"):
        found = "NumPy arrays (AttributeError on JAX and TensorFlow)"
        fix = "Let collate_fn give torch.as_tensor(array)."
        yield Problem("batch 0", "torch tensors, as it is a DataLoader", found, fix, "not-an-array")


def _check_drift(reading: Reading, matches: Matches) -> Iterator[Problem]:
    if len(reading.layouts) > 1:
        (_, usual), (step, layout), *_ = reading.layouts
        expected = f"the nesting of the batches before, {layout_of(usual)}"
        fix = "Yield the same structure each time; Keras learns it from the first batches."
        yield Problem(f"batch {step}", expected, layout_of(layout), fix, "structure-drift")
    for leaf_path, stats in reading.stats.items():
        name = matches.name(leaf_path)
        if len(stats.dtypes) > 1:
            (first, _), (then, step), *_ = stats.dtypes.items()
            stable = "float32" if "float" in first + then else "int32"
            harm = "TensorFlow would truncate the fractions. " if first[0] in "iu" and then[0] == "f" else ""
            fix = f'{harm}Fix the dtype: values.astype("{stable}").'
            yield Problem(f"{name}, batch {step}", f"{first}, as in batch 0", then, fix, "dtype-drift")
        if len(stats.shapes) > 1:
            (shape, _), (other, step), *_ = stats.shapes.items()
            fits_model = _takes_all(matches, leaf_path, stats)
            if fits_model and current_backend() != "jax":
                continue
            expected, found = f"rows of shape {shape}, as in batch 0", f"rows of shape {other}"
            fix = "JAX compiles the model for each shape. " * fits_model + "Pad or cut the rows to one shape."
            # inputs of varying lengths are common, as long as the rank is the same
            warning = fits_model or (leaf_path[0] == "x" and len(shape) == len(other))
            yield Problem(f"{name}, batch {step}", expected, found, fix, "shape-drift", warning)


def _takes_all(matches: Matches, leaf_path: LeafPath, stats: LeafStatistics) -> bool:
    """Return whether a tensor of the model has axes of any size where the rows of batches differ in shape."""
    slot = (matches.inputs if leaf_path[0] == "x" else matches.outputs).get(leaf_path[1])
    if slot is None:
        return False
    wanted = (slot.shape,) if leaf_path[0] == "x" else (slot.shape, slot.shape[:-1])
    return any(all(fits(shape, axes) for shape in stats.shapes) for axes in wanted)


def _check_odd_leaves(reading: Reading, matches: Matches, shape: str) -> Iterator[Problem]:
    for leaf_path, stats in reading.stats.items():
        part, path = leaf_path
        slot = matches.inputs.get(path) if part == "x" else None
        # `match_outputs` reports one list for several outputs
        reported = (leaf_path == ("y", ()) and bool(shape)) or (part == "w" and reading.weighs_outputs)
        if stats.odd is None or reported or (slot is not None and slot.dtype == "string"):
            continue
        step, odd = stats.odd
        fix = odd.fix or f"Give NumPy arrays: {_as_arrays(reading, leaf_path, matches, shape)}."
        code = "list-of-numbers" if odd.is_list else "not-an-array"
        # inputs may be text, if the model has a layer for it; labels never are
        may = part == "x" and slot is None and "text" in odd.words
        if odd is MASKED and part == "y":
            fix = "Give y.filled(0), and weights ~np.ma.getmaskarray(y), or declare the data as a ph.Feed."
        elif odd.is_missing and part == "y":
            output, code = matches.outputs.get(path), "no-labels"
            # Keras 3.10 refuses None there, later ones do not
            may = odd is NONE and output is not None and output.untrained
            fix = "It has no loss: give zeros, or leave its key out of a dict."
            fix = fix if may else "Where there is no label, give 0 and a weight of 0."
        elif odd is NONE:
            may = len(path) > 0  # Keras accepts it in a nesting with a place for each output
            fix = "Give an array of ones for outputs without weights."
        where = f"{matches.name(leaf_path)}, batch {step}"
        yield Problem(where, "an array of numbers", odd.words, fix, code, may)


def _as_arrays(reading: Reading, leaf_path: LeafPath, matches: Matches, shape: str) -> str:
    """Return code that converts the list at a path to an array; for labels, what to yield for all outputs.

    Args:
        shape: what to yield for the model, from `example_yield`; empty without a model.
    """
    part, path = leaf_path
    nested = any(output_path[1:] for output_path in matches.outputs)
    if part != "y" or nested or (path and not (shape and path in matches.outputs)):
        return f'np.asarray({part}{"".join(f"[{key!r}]" for key in path)}, "float32")'
    if not path or len(matches.outputs) < 2:
        return f"yield x, {_array_code(matches.outputs.get(path), 'y', reading.stats[leaf_path].list_shape)}"
    codes: list[tuple[Path, str]] = []
    for output_path, slot in matches.outputs.items():
        stats, name = reading.stats.get(("y", output_path)), slot.name if slot.name.isidentifier() else "..."
        list_shape = None if stats is None else stats.list_shape
        code = name if list_shape is None else _array_code(slot, name, list_shape)
        codes.append((slot.path, code))
    return f"yield x, {nested_code(codes)}"


def _array_code(slot: ExaminedTensor | None, name: str, listed: tuple[int, ...] | None) -> str:
    """Return code that makes an array of an output's labels, with the dtype and rank that its loss reads."""
    sparse = slot is not None and bool(slot.sparse)
    column = slot is not None and not sparse and slot.shape == (1,) and len(listed or ()) == 1
    return f'np.asarray({name}, "{"int32" if sparse else "float32"}"){"[:, None]" * column}'


def _check_none(reading: Reading, matches: Matches) -> Iterator[Problem]:
    """Find inputs that are None, which Keras accepts only for optional inputs."""
    for leaf_path, stats in reading.stats.items():
        if stats.none is None:
            continue
        slot = matches.inputs.get(leaf_path[1])
        where = f"{matches.name(leaf_path)}, batch {stats.none}"
        if slot is None:
            fix = "Keras takes None where the model has keras.Input(..., optional=True), and nowhere else."
            yield Problem(where, "an array of numbers", NONE.words, fix, "not-an-array", not stats.rows)
        elif not slot.optional:
            fix = "Give an array, or make the input keras.Input(..., optional=True)."
            yield Problem(where, "an array, as the input is not optional", NONE.words, fix, "not-an-array")
        if stats.rows and (slot is None or slot.optional):
            expected = "the structure of the batches before"
            found = (
                "None in some batches and arrays in others (works on JAX and torch, an error on TensorFlow)"
            )
            fix = "Yield None in every batch or in none: TensorFlow learns the structure from the first batches."
            yield Problem(where, expected, found, fix, "structure-drift", warning=_spares_tensorflow())


def omitted_inputs(reading: Reading, matches: Matches) -> list[str]:
    """Note the optional inputs that no batch has."""
    stats = {path: reading.stats["x", path] for path, slot in matches.inputs.items() if slot.optional}
    return [
        f"{matches.name(('x', path))} is optional, and None in every batch"
        for path, leaf in stats.items()
        if leaf.none is not None and not leaf.rows
    ]


def _check_row_counts(reading: Reading, subject: Subject, matches: Matches) -> Iterator[Problem]:
    if reading.uneven is None:
        return
    step, counts = reading.uneven
    where = f"batch {step}"
    if subject.cut:
        where, arrays = "arrays", ((path, leaf) for path, leaf in leaves(subject.whole) if leaf is not None)
        counts = {("xyw"[path[0]], path[1:]): len(leaf) for path, leaf in arrays}
    usual = max(counts.values(), key=list(counts.values()).count)
    others = {leaf_path: rows for leaf_path, rows in counts.items() if rows != usual}
    found = ", ".join(f"{rows} in {matches.name(leaf_path)}" for leaf_path, rows in others.items())
    fix = "Cut inputs, labels and weights with the same ids."
    if any(rows == 1 and reading.stats[path].shape[:1] == (usual,) for path, rows in others.items()):
        fix = "The first axis must be the rows: give array[0]."
    yield Problem(where, f"{counted(usual, 'row')} in every array", found, fix, "row-count")


def _check_reuse(reading: Reading, matches: Matches) -> Iterator[Problem]:
    if reading.reused is not None:
        step, shared = reading.reused
        where = f"{', '.join(map(matches.name, shared))}, batch {step}"
        expected = "an array that does not change after it was yielded"
        found = "one that was overwritten by the next batch"
        fix = "Make a new array for each batch, or yield array.copy(): Keras holds batches before it trains on them."
        yield Problem(where, expected, found, fix, "buffer-reused")


def check_turned(turned: tuple[int, Turned] | None, matches: Matches) -> Iterator[Problem]:
    """Find an image that was turned without a mask, given its batch and what is turned."""
    if turned is not None:
        step, (path, row, how) = turned
        where = f"{matches.name(('y', path))}, batch {step}, row {row}"
        found = f"an image that was turned {how} beside the same labels"
        fix = "Draw once, and apply it to both: image[:, ::-1], mask[:, ::-1]."
        yield Problem(where, "image and masks that are turned together", found, fix, "augmented-apart")


def layout_of(parts: dict[str, Any]) -> str:
    """Describe the nesting of a batch in words.

    >>> layout_of({"x": 0, "y": (1, 2)})
    '(x, (array, array))'
    """
    x, *labels = (nesting_of(parts[part]) for part in ("x", "y", "w") if part in parts)
    return f"({', '.join(['x' if x == 'array' else x, *labels])})"


def nesting_of(nested: Any) -> str:
    """Describe a nesting of arrays in words."""
    if isinstance(nested, Mapping):
        return "{" + ", ".join(f"{key}: {nesting_of(part)}" for key, part in nested.items()) + "}"
    if isinstance(nested, (list, tuple)):
        inner = ", ".join(map(nesting_of, nested))
        inner += "," * (isinstance(nested, tuple) and len(nested) == 1)
        return f"[{inner}]" if isinstance(nested, list) else f"({inner})"
    return "array"


def list_targets(batch: ReadBatch, subject: Subject, shape: str = "") -> Iterator[Problem]:
    """Find lists in batches, which TensorFlow's pipeline refuses; ``shape`` is what to yield for the model."""
    names = {"x": "x", "y": "y", "w": "weights"}
    lists = [names[part] for part, nested in batch.parts.items() if _has_lists(nested)]
    loads = subject.kind == "torch DataLoader"
    if not lists or not (subject.yields or loads):
        return
    labels = batch.parts.get("y")
    single = isinstance(labels, list) and len(labels) == 1
    fix = f"Yield {shape or ('the array itself: x, y' if single else 'a tuple: x, (y0, y1)')}."
    if loads:
        fix = "The default collate_fn of a DataLoader makes lists: give dicts from the dataset, or a collate_fn that "
        fix += f"gives {'dicts' if shape.endswith('}') else 'tuples'}."
    elif "y" not in lists:
        fix = "Yield tuples or dicts in its place; rows in a list: np.stack(rows)."
    where = f"batch 0, {' and '.join(lists)}"
    found = "a list (works on JAX and torch, TypeError on TensorFlow)"
    code = "list-targets" if "y" in lists else "list-structure"
    warning = loads and current_backend() != "tensorflow"
    yield Problem(where, "a tuple or a dict of arrays", found, fix, code, warning)


def _has_lists(nested: Any) -> bool:
    parts = nested.values() if isinstance(nested, Mapping) else nested if isinstance(nested, tuple) else ()
    return isinstance(nested, list) or any(map(_has_lists, parts))


def _spares_tensorflow() -> bool:
    """Return whether another backend than TensorFlow is chosen."""
    return current_backend() not in ("tensorflow", "")
