"""Translates two zipped flows of ``ImageDataGenerator``, of images and masks, into one feed."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from polyhead.doctor.feed_code import Guess, as_literal
from polyhead.errors import counted
from polyhead.migrating.image_flows import (
    FOLDER,
    FRAME,
    augmentations,
    flow_code,
    generator_arguments,
    image_guess,
    plain_batches,
)
from polyhead.migrating.script import Found, call_argument, literal

_MOST_CLASSES = 64
_OF_PIXELS = ("rescale", "preprocessing_function", "brightness_range", "channel_shift_range", "dtype")
"""Arguments of a generator that may differ between images and masks."""


def pair_feed(pipeline: Found, tree: ast.Module, flows: Any) -> tuple[str, list[str], list[str]]:
    """The code of a feed for a pair of flows, notes on what changed, and mistakes in the script.

    Args:
        pipeline: the flow of the images, with the flow of the masks.
        tree: the script.
        flows: both flow objects, if they were created; otherwise None.
    """
    assert pipeline.call is not None
    assert pipeline.masks is not None
    assert pipeline.masks.call is not None
    calls = pipeline.call, pipeline.masks.call
    of_images, of_masks = (generator_arguments(tree, call) for call in calls)
    arguments: tuple[str, ...] = FRAME if pipeline.kind == "flow_from_dataframe" else FOLDER
    arguments = ("x", "y", "batch_size", "shuffle") if pipeline.kind == "flow" else arguments
    values, of_mask_flow = (
        {name: call_argument(call, i, name) for i, name in enumerate(arguments)} for call in calls
    )
    image = Guess("Image") if pipeline.kind == "flow" else image_guess(values)
    lines, changed, wrong = _DATA[pipeline.kind](calls, flows)
    if settings_differ(of_images, of_masks):
        wrong.append("the two generators have different arguments: images and masks are augmented apart")
    seeds = [_literal_or_code(call_argument(call, None, "seed")) for call in calls]
    shuffled = any(literal(args["shuffle"], True) for args in (values, of_mask_flow))
    drawn = shuffled or any(augmentations(settings)[0] for settings in (of_images, of_masks))
    if drawn and (seeds[0] != seeds[1] or seeds[0] is None):
        wrong.append(f"the flows have the seeds {seeds[0]} and {seeds[1]}: images and masks are drawn apart")
    head = mask_guess(flows[1]) if flows else Guess("Mask", (), "values=(0, 255) if they are black and white")
    lines = ["import polyhead as ph", "", *lines]
    code, of_flow = flow_code(lines, {"image": image}, {"mask": head}, values, of_images)
    changed.append("an image and its mask are one row, and move by one matrix")
    return code, [*changed, *of_flow], wrong


def _literal_or_code(node: ast.expr | None) -> Any:
    """The value of an argument, or its code if it is not a literal; None if it was omitted."""
    return None if node is None else literal(node, ast.unparse(node))


def settings_differ(images: dict[str, Any], masks: dict[str, Any]) -> bool:
    """Return whether two generators augment differently.

    >>> settings_differ({"horizontal_flip": True, "rescale": 0.1}, {"horizontal_flip": True})
    False
    """
    of_images, of_masks = (
        {key: value for key, value in settings.items() if value and key not in _OF_PIXELS}
        for settings in (images, masks)
    )
    return of_images != of_masks


def mask_guess(flow: Any) -> Guess:
    """Choose the head for the masks of a flow by their unscaled values."""
    values = np.unique(np.concatenate([np.unique(batch) for batch in _unscaled_batches(flow)]))
    whole = bool((values == np.round(values)).all())
    if set(values.tolist()) <= {0, 1}:
        return Guess("Mask")
    if set(values.tolist()) <= {0, 255}:
        return Guess("Mask", ("values=(0, 255)",))
    if whole and len(values) <= _MOST_CLASSES:
        if values.max() < 2 * len(values):
            return Guess("Mask", (str(int(values.max()) + 1),), "or the names of the classes")
        listed = ", ".join(str(int(value)) for value in values)
        return Guess("Mask", (str(len(values)), f"values=({listed})"), "or the names of the classes")
    return Guess("Map", (), f"the masks have {len(values):,} different values: no classes")


def _unscaled_batches(flow: Any) -> Iterator[np.ndarray]:
    """Iterate over some batches of masks, with the values in the files."""
    generator = flow.image_data_generator
    flow.image_data_generator = type(generator)()
    try:
        for number, batch in enumerate(plain_batches(flow)):
            yield np.asarray(batch)
            if number * flow.batch_size > 100:
                return
    finally:
        flow.image_data_generator = generator


def pairs_of_batches(flows: Sequence[Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over the batches of both flows in the order of their files, without random augmentation.

    Masks that were read as RGB, with three equal channels, are reduced to one channel.
    """
    for images, masks in zip(*map(plain_batches, flows), strict=False):
        if masks.ndim == 4 and masks.shape[3] == 3 and (masks == masks[..., :1]).all():
            masks = masks[..., :1]
        yield images, masks


# Where images and masks are ---------------------------------------------------------------------------


def _data_of_arrays(calls: Sequence[ast.Call], flows: Any) -> tuple[list[str], list[str], list[str]]:
    x, y = (ast.unparse(call_argument(call, 0, "x") or ast.Constant(None)) for call in calls)
    return [f'data = {{"image": {x}, "mask": {y}}}'], [], []


def _data_of_frames(calls: Sequence[ast.Call], flows: Any) -> tuple[list[str], list[str], list[str]]:
    columns = []
    for call in calls:
        frame, folder = call_argument(call, 0, "dataframe"), call_argument(call, 1, "directory")
        column = literal(call_argument(call, 2, "x_col"), "filename")
        paths = f"{ast.unparse(frame) if frame is not None else 'frame'}[{as_literal(column)}]"
        if folder is not None and literal(folder, "") is not None:
            paths = f"[os.path.join({ast.unparse(folder)}, name) for name in {paths}]"
        columns.append(paths)
    lines = [f'data = {{"image": {columns[0]}, "mask": {columns[1]}}}']
    imports = ["import os", ""] if "os.path" in lines[0] else []
    return [*imports, *lines], [], _unpaired(flows)


def _data_of_folders(calls: Sequence[ast.Call], flows: Any) -> tuple[list[str], list[str], list[str]]:
    if not flows and any(literal(call_argument(call, 0, "directory")) is None for call in calls):
        return _data_of_unknown_folders(calls)
    folders = [_folder_of(call, flow) for call, flow in zip(calls, flows or (None, None), strict=True)]
    wrong = _unpaired(flows)
    if len({os.path.isabs(folder) for folder in folders}) > 1:
        folders = [os.path.abspath(folder) for folder in folders]
    root = os.path.commonpath(folders) or "."
    inner = [os.path.relpath(folder, root).replace(os.sep, "/") for folder in folders]
    pattern = _names_of_masks(
        *([_stems(p, f) for p, f in zip(folders, flows, strict=True)] if flows else ([], []))
    )
    if pattern is None:
        glob = [f"sorted(glob.glob({as_literal(folder + '/**/*.*')}, recursive=True))" for folder in folders]
        return ["import glob", "", f'data = {{"image": {glob[0]}, "mask": {glob[1]}}}'], [_BY_ORDER], wrong
    masks = inner[1] if pattern == "{stem}" else f"{inner[1]}/{pattern}"
    arguments = f"{as_literal(root)}, images={as_literal(inner[0])}, masks={as_literal(masks)}"
    hint = "a mask belongs to the image of its name; they were paired by the order of their names"
    return [f"data = ph.read_folder({arguments})"], [hint], wrong


def _data_of_unknown_folders(calls: Sequence[ast.Call]) -> tuple[list[str], list[str], list[str]]:
    """The files in folders that are known only as expressions."""
    columns = []
    for call in calls:
        folder, classes = call_argument(call, 0, "directory"), literal(call_argument(call, 3, "classes"))
        parts = [ast.unparse(folder) if folder is not None else "folder"]
        parts += [as_literal(classes[0])] if isinstance(classes, (list, tuple)) and len(classes) == 1 else []
        pattern = f'os.path.join({", ".join(parts)}, "**", "*.*")'
        columns.append(f"sorted(glob.glob({pattern}, recursive=True))")
    data = f'data = {{"image": {columns[0]}, "mask": {columns[1]}}}'
    return ["import glob", "import os", "", data], [_BY_ORDER], []


_BY_ORDER = "images and masks are paired by the order of their names, as before: do they belong together?"

_DATA = {
    "flow": _data_of_arrays,
    "flow_from_dataframe": _data_of_frames,
    "flow_from_directory": _data_of_folders,
}


def _folder_of(call: ast.Call, flow: Any) -> str:
    """The folder with the files of a flow: their common subfolder, or else the flow's directory."""
    folder = str(literal(call_argument(call, 0, "directory"), "images"))
    if flow is not None:
        inside = {os.path.dirname(name) for name in flow.filenames}
        return os.path.join(flow.directory, inside.pop() if len(inside) == 1 else "")
    classes = literal(call_argument(call, 3, "classes"))
    single = isinstance(classes, (list, tuple)) and len(classes) == 1
    return os.path.join(folder, str(classes[0])) if single else folder


def _stems(folder: str, flow: Any) -> list[str]:
    names = [os.path.relpath(path, folder).replace(os.sep, "/") for path in flow.filepaths]
    return [os.path.splitext(name)[0] for name in names]


def _names_of_masks(images: Sequence[str], masks: Sequence[str]) -> str | None:
    """The naming pattern of masks, with ``{stem}`` for the image's name; None if names do not match.

    >>> _names_of_masks(["a", "b"], ["a_mask", "b_mask"]), _names_of_masks(["a", "b"], ["1", "2"])
    ('{stem}_mask', None)
    """
    if not images or len({*images} & {*masks}) * 2 >= len(images):
        return "{stem}"
    for image, mask in zip(images, masks, strict=False):
        starts = [i for i in range(len(mask)) if mask.startswith(image, i)]  # "a" occurs twice in "a_mask"
        forms = [(mask[:i], mask[i + len(image) :]) for i in starts]
        counts = {form: len({f"{form[0]}{name}{form[1]}" for name in images} & {*masks}) for form in forms}
        before, after = max(counts, key=counts.__getitem__, default=("/", ""))
        if "/" not in before + after and counts[before, after] * 2 >= len(images):
            return f"{before}{{stem}}{after}"
    return None


def _unpaired(flows: Any) -> list[str]:
    """A mistake if two flows, which were paired by position, differ in length."""
    if not flows or flows[0].n == flows[1].n:
        return []
    both = f"{counted(flows[0].n, 'image')} and {counted(flows[1].n, 'mask')}"
    return [f"{both}: from the first missing file on, images had the masks of others"]
