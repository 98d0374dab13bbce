"""Translates ``ImageDataGenerator`` and its flows."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from polyhead.doctor.column_survey import survey_values
from polyhead.doctor.feed_code import Guess, as_literal, feed_code
from polyhead.doctor.kind_guess import guess_head
from polyhead.migrating.script import assigned_values, call_argument, called, literal, named_arguments

FOLDER = ("directory", "target_size", "color_mode", "classes", "class_mode", "batch_size", "shuffle")
FRAME = ("dataframe", "directory", "x_col", "y_col", "weight_col", *FOLDER[1:])
_NOT_HERE = {
    "featurewise_center": "subtract the mean with keras.layers.Normalization in the model",
    "featurewise_std_normalization": "divide by the deviation with keras.layers.Normalization in the model",
    "samplewise_center": "write it as a layer of the model",
    "samplewise_std_normalization": "write it as a layer of the model",
    "zca_whitening": "there is nothing like it",
    "channel_shift_range": "ph.Color changes brightness, contrast, saturation and hue",
    "preprocessing_function": "call it in the model, on pixels of 0-1, as a layer: keras.layers.Lambda",
}


def generator_arguments(tree: ast.Module, call: ast.Call) -> dict[str, Any]:
    """The arguments of the ``ImageDataGenerator`` behind a call of ``flow``; those that are not literals, as code."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    generator: ast.AST | None = owner
    if isinstance(owner, ast.Name):
        generator = next(reversed(assigned_values(tree.body, owner.id)), None)
    if not isinstance(generator, ast.Call) or called(generator) != "ImageDataGenerator":
        return {}
    return {name: literal(value, ast.unparse(value)) for name, value in named_arguments(generator).items()}


def augmentations(settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The augmentations as code, and notes on those that differ or have no counterpart.

    >>> augmentations({"horizontal_flip": True, "rotation_range": 20})[0]
    ['ph.Flip()', 'ph.Rotate(20)']
    """
    code, changed = [], []
    across, down = bool(settings.get("horizontal_flip")), bool(settings.get("vertical_flip"))
    if across or down:
        code.append("ph.Flip()" if not down else f"ph.Flip({across}, vertical=True)")
    for name, kind in (("rotation_range", "Rotate"), ("shear_range", "Shear")):
        if settings.get(name):
            code.append(f"ph.{kind}({settings[name]})")
    shift = max((_fraction(settings.get(f"{side}_shift_range")) for side in ("width", "height")), default=0.0)
    code += [f"ph.Translate({shift:g})"] * bool(shift)
    zoom = settings.get("zoom_range")
    if zoom:
        low, high = zoom if isinstance(zoom, (list, tuple)) else (1 - zoom, 1 + zoom)
        code.append(f"ph.Scale({max(1 - low, high - 1):g})")
        changed.append("zoom_range zooms height and width apart; ph.Scale zooms both alike")
    bright = settings.get("brightness_range")
    if isinstance(bright, (list, tuple)):
        code.append(f"ph.Color(brightness={max(1 - bright[0], bright[1] - 1):g})")
    changed += [f"{name} is not migrated: {why}" for name, why in _NOT_HERE.items() if settings.get(name)]
    if settings.get("rotation_range") or shift:
        changed.append("pixels from outside of the image are black; fill_mode repeated the border by default")
    return code, changed


def frame_feed(
    call: ast.Call, settings: dict[str, Any], frame: Any, chosen: dict[str, dict[str, Guess]]
) -> tuple[str, list[str]]:
    """The code of a feed for ``flow_from_dataframe``, and notes on what changed.

    Args:
        call: the call of ``flow_from_dataframe``.
        settings: the arguments of the generator.
        frame: the data frame, whose columns determine the heads; None if it is not known.
        chosen: the heads of previous flows, by ``y_col`` and ``class_mode``; those of this flow are added.
    """
    args = {name: call_argument(call, i, name) for i, name in enumerate(FRAME)}
    data = ast.unparse(args["dataframe"]) if args["dataframe"] is not None else "frame"
    x = str(literal(args["x_col"], "filename"))
    lines = ["import polyhead as ph", ""]
    if args["directory"] is not None and literal(args["directory"], "") is not None:
        folder = ast.unparse(args["directory"])
        paths = f"[os.path.join({folder}, name) for name in {data}[{as_literal(x)}]]"
        lines = ["import os", "", *lines, f"data = {data}.assign(**{{{as_literal(x)}: {paths}}})"]
    else:
        lines.append(f"data = {data}")
    heads, changed = _frame_heads(args, frame)
    if not heads:
        return "", changed
    label, classes = str(literal(args["y_col"], "class")), literal(args["classes"])
    if classes and (frame is None or label not in frame or not set(frame[label]) <= set(classes)):
        lines.append(f"data = data[data[{as_literal(label)}].isin({list(classes)!r})]")
    validation, share = _subset(call, settings)
    if share:
        rows = f":int({share} * len(data))" if validation else f"int({share} * len(data)):"
        lines.append(f"data = data.iloc[{rows}]")
        changed.append(
            "the first rows are the validation set, as before; ph.read_table(data).split() draws them"
        )
    labels = f"{literal(args['y_col'], 'class')} {literal(args['class_mode'], 'categorical')}"
    if labels in chosen:  # for validation: use the same heads, as a few rows may look different
        changed.append("for the validation of the feed before, feed.on(data) is all that is needed")
    heads = chosen.setdefault(labels, heads)
    weights = literal(args["weight_col"])
    if weights:
        heads = {name: head.saying("sample_weight", weights) for name, head in heads.items()}
    image = {"image": image_guess(args).saying("column", x)}
    code, of_flow = flow_code(lines, image, heads, args, settings)
    missing = (
        "rows whose file is missing were dropped with a warning; a feed raises an error that names the file"
    )
    return code, [*changed, *of_flow, missing]


def folder_feed(call: ast.Call, settings: dict[str, Any], classes: list[str]) -> tuple[str, list[str]]:
    """The code of a feed for ``flow_from_directory``, and notes; ``classes`` are the names of its folders, if known."""
    args = {name: call_argument(call, i, name) for i, name in enumerate(FOLDER)}
    folder = ast.unparse(args["directory"]) if args["directory"] is not None else '"images"'
    mode = literal(args["class_mode"], "categorical")
    if mode not in ("categorical", "sparse", "binary"):
        return "", [_unlabeled(mode)]
    heads = {"label": _class_head(mode, None, "label", classes)}
    validation, share = _subset(call, settings)
    source, changed = f"ph.read_folder({folder}, classes=True)", []
    lines = ["import polyhead as ph", "", f"data = {source}"]
    if share:
        lines[-1] = f"source = {source}"
        lines.append(f'train, val = source.split(({1 - share:g}, {share:g}), seed=0, stratify="label")')
        lines.append(f"data = {'val' if validation else 'train'}")
        changed = ["rows are split at random within each class; they were the first ones of each class"]
    code, of_flow = flow_code(lines, {"image": image_guess(args)}, heads, args, settings)
    return code, [*changed, *of_flow]


def flow_code(
    lines: list[str], image: dict[str, Guess], heads: dict[str, Guess], args: Any, settings: dict[str, Any]
) -> tuple[str, list[str]]:
    """The code of a feed for a flow of image files, and notes on what changed."""
    augment, changed = augmentations(settings)
    scale = settings.get("rescale")
    if not scale:
        changed.insert(0, "pixels are 0-1; they were 0-255 without rescale")
    elif isinstance(scale, float) and abs(scale * 255 - 1) > 1e-6:
        changed.insert(0, f"pixels are 0-1; they were multiplied by {scale:g}")
    changed.append("images are resized by averaging, not by the nearest pixel")
    batch = literal(args["batch_size"], 32)
    shuffle = literal(args["shuffle"], True)
    return feed_code(lines, image, heads, batch, bool(shuffle), augment=augment), changed


def _subset(call: ast.Call, settings: dict[str, Any]) -> tuple[bool, Any]:
    """Return True if a flow has the rows for validation, and their share of all rows; a share of 0 for all rows."""
    subset = literal(call_argument(call, None, "subset"))
    return subset == "validation", settings.get("validation_split", 0) if subset else 0


def image_guess(args: dict[str, ast.expr | None]) -> Guess:
    """The input of a flow of image files."""
    size = literal(args["target_size"], (256, 256))
    gray = literal(args["color_mode"], "rgb") == "grayscale"
    return Guess("Image", (str(size[0]), str(size[1]), *["1"] * gray))


def _frame_heads(args: Any, frame: Any) -> tuple[dict[str, Guess], list[str]]:
    mode = literal(args["class_mode"], "categorical")
    columns = literal(args["y_col"], "class")
    names = [columns] if isinstance(columns, str) else list(columns or [])
    if mode in ("raw", "other") and len(names) > 1:
        head = Guess("Regression", (str(len(names)), f"column={as_literal(names)}"))
        note = "class_mode='raw' made one array of the columns; each may be a head of its own"
        return {"numbers": head}, [note]
    if mode in ("raw", "other", "multi_output"):
        return {name: _column_head(name, frame) for name in names}, []
    if mode in ("categorical", "sparse", "binary"):
        return {name: _class_head(mode, frame, name, literal(args["classes"])) for name in names}, []
    return {}, [_unlabeled(mode)]


def _column_head(name: str, frame: Any) -> Guess:
    if frame is None or name not in frame:
        return Guess("Categorical", (), "for words or class ids; ph.Regression() for numbers")
    column = survey_values(name, frame[name].tolist())
    return guess_head(column) or Guess("Regression", (), "the values of this column are of no known kind")


def _class_head(mode: str, frame: Any, name: str, classes: list[str] | None = None) -> Guess:
    if mode == "binary":
        words = list(classes or [])
        if not words and frame is not None and name in frame:
            words = sorted(map(str, frame[name].unique()))
        positive = (f"positive={as_literal(words[-1])}",) if words else ()
        return Guess("Binary", positive, "" if words else "positive= names the class that counts as 1")
    order = (as_literal(classes),) if classes and list(classes) != sorted(classes) else ()
    if mode == "categorical":
        if frame is not None and name in frame and not isinstance(frame[name].iloc[0], str):
            return Guess("MultiLabel", (), "lists of words: several classes a row")
        return Guess("Categorical", (*order, "one_hot=True"), "without one_hot: ids, for a sparse loss")
    return Guess("Categorical", order)


def named_classes(flow: Any, call: ast.Call) -> list[str]:
    """The classes of a flow in the order of their ids, or else those that its call names; empty if unknown."""
    ids = getattr(flow, "class_indices", None) or {}
    if ids:
        return sorted(ids, key=ids.__getitem__)
    names = literal(call_argument(call, None, "classes"))
    return list(map(str, names)) if isinstance(names, (list, tuple)) else []


def sorts_classes(flow: Any, code: str, rows: int) -> bool:
    """Return whether a feed of class folders reads other first rows than a flow."""
    names = named_classes(flow, ast.Call(ast.Name("flow"), [], []))
    return "source.split(" in code or (names != sorted(names) and flow.n > rows)


def _fraction(shift: Any) -> float:
    """A shift as a fraction of the image; 0 for shifts in pixels (from 1 on), as the size is not known here."""
    return float(shift) if isinstance(shift, (int, float)) and 0 < shift < 1 else 0.0


def array_feed(call: ast.Call, settings: dict[str, Any], labels: Any) -> tuple[str, list[str]]:
    """The code of a feed for ``flow(x, y)``, and notes on what changed; ``labels``: the values of ``y``, if known."""
    x, y = call_argument(call, 0, "x"), call_argument(call, 1, "y")
    if x is None or y is None:
        return "", ["there are no labels: say by hand what is predicted"]
    lines = ["import polyhead as ph", "", f'data = {{"image": {ast.unparse(x)}, "label": {ast.unparse(y)}}}']
    augment, changed = augmentations(settings)
    if settings.get("rescale"):
        changed.append("pixels of bytes are 0-1; those of floats stay what they are")
    guess = None if labels is None else guess_head(survey_values("label", np.asarray(labels)))
    remark = "ph.Binary(), ph.Regression() or ph.MultiLabel() for other labels"
    heads = {"label": guess or Guess("Categorical", (), remark)}
    batch = literal(call_argument(call, 2, "batch_size"), 32)
    shuffle = bool(literal(call_argument(call, 3, "shuffle"), True))
    return feed_code(lines, {"image": Guess("Image")}, heads, batch, shuffle, augment=augment), changed


def plain_batches(flow: Any) -> Any:
    """Iterate over the batches of a flow in the order of its files, without random augmentation."""
    generator = flow.image_data_generator
    flow.image_data_generator = type(generator)(
        rescale=generator.rescale, preprocessing_function=generator.preprocessing_function
    )
    size = flow.batch_size
    for start in range(0, flow.n, size):
        ids = list(range(start, min(start + size, flow.n)))
        yield flow._get_batches_of_transformed_samples(ids)


def _unlabeled(mode: Any) -> str:
    pairs = "ph.read_folder(root, images=..., masks=...) reads images and their masks as one row"
    return f"class_mode={mode!r} has no labels. If it is zipped with the flow of the masks: {pairs}"
