"""Finds the images, labels and class names of a YOLO data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from polyhead.columns.image_values import ENDINGS
from polyhead.errors import (
    DataError,
    Problem,
    as_list,
    as_path,
    counted,
    hints,
    listed,
    place,
    plain_scalar,
    shown,
    similar,
)
from polyhead.extras import requiring
from polyhead.readers.findings import Findings
from polyhead.readers.paths import Root, fix_for_path, lines_of, similar_file
from polyhead.readers.safe_yaml import load_yaml

_YAMLS = ("data.yaml", "dataset.yaml", "config.yaml")


class Layout(NamedTuple):
    """The files and classes of a YOLO data set.

    Attributes:
        root: the folder that names are relative to.
        where: the data YAML or the folder of the data set, as a location in errors.
        labels: the path of each image's label file, which may not exist.
        orphans: label files without an image.
        names: the name of each class, by its number.
        classes: some of them, for messages.
        points: the shape of an object's keypoints, ``(n, 2)`` or ``(n, 3)``, or None.
        point_names: the names of the keypoints, or None.
        pairs: the pairs of left and right keypoints, counted from 0, or None.
    """

    root: str
    where: str
    images: list[str]
    labels: list[str]
    orphans: list[str]
    names: dict[int, str]
    classes: str
    points: tuple[int, int] | None
    point_names: tuple[str, ...] | None
    pairs: tuple[tuple[int, int], ...] | None

    def short(self, path: str) -> str:
        """Return a path relative to the root."""
        return Path(os.path.relpath(path, self.root)).as_posix()


def yolo_layout(
    data: Any, split: str, root: Any, images: Any, labels: Any, names: Any, findings: Findings
) -> Layout:
    """Find the files for `read_yolo` from its arguments and the data YAML.

    Raises:
        DataError: for an unusable data YAML, or folders that do not exist.
    """
    given = as_path(data, "read_yolo(data)", "the path of a data YAML or of a folder", "folder")
    path = Path(os.path.abspath(given))
    file = _yaml_in(path) if path.is_dir() else path
    content: dict[str, Any] = {} if file is None else _yaml_content(file)
    where = place(file=str(path if file is None else file))
    base = path if path.is_dir() else path.parent
    if root is None and content.get("path") not in (None, ""):
        base = _base(Root(base, "read_yolo(data)", findings), content["path"], where)
    home = (
        Root(base, "read_yolo(data)", findings) if root is None else Root(root, "read_yolo(root=)", findings)
    )
    class_names = _numbered_names(names, content, where, file, path)
    classes = listed([f"{number} {name}" for number, name in class_names.items()], 4)
    if list(class_names) != list(range(len(class_names))):
        fix = "Heads number the classes in this order from 0. To keep the numbers of the files, name every class."
        findings.add("class-gap", where, "names for all numbers from 0 on", classes, fix, warning=True)
    if images is not None:
        parts = [Root(_here_or_in(home, images), "read_yolo(images=)", findings).path]
    else:
        parts = _image_parts(content, split, home, where, file, path)
    findings.stop()
    label_root = labels if labels is None else Root(_here_or_in(home, labels), "read_yolo(labels=)", findings)
    points = _points(content, where)
    image_paths, label_paths, orphans = _files_in_parts(parts, label_root, home, findings)
    if not image_paths:
        expected = f"images, files that end in {', '.join(ENDINGS)}"
        raise DataError(Problem(where, expected, f"none in {', '.join(parts)}", code="no-images"))
    folder = home.path if images is None else parts[0]
    point_names, pairs = (None, None) if points is None else _point_facts(content, points[0], where, findings)
    return Layout(
        folder, where, image_paths, label_paths, orphans, class_names, classes, points, point_names, pairs
    )


def _here_or_in(home: Root, folder: Any) -> Any:
    """Return a folder as given if it exists, otherwise the folder with this path in the data set, if it exists."""
    if not isinstance(folder, (str, os.PathLike)) or os.path.isdir(os.path.expanduser(folder)):
        return folder
    inside = os.path.join(home.path, folder)
    return inside if os.path.isdir(inside) else folder


def _base(folder: Root, path: Any, where: str) -> Path:
    """Return the folder that ``path`` in the data YAML refers to: its own folder, or a subfolder."""
    where, fix = f"{where}, `path`", "Say read_yolo(root=...), the folder of the data set."
    inner = folder.inside(path) or folder.find(path, where, fix)
    folder.findings.stop()
    assert inner is not None
    if os.path.isdir(inner):
        return Path(inner)
    if inner == os.path.join(folder.path, os.path.basename(folder.path)):  # relative to its parent
        return Path(folder.path)
    raise DataError(Problem(where, f"a folder at {inner}", "none", fix, "folder"))


def _yaml_in(folder: Path) -> Path | None:
    """Return the data YAML in a folder, or None."""
    yamls = sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
    for name in _YAMLS:
        if name in yamls:
            return folder / name
    if len(yamls) > 1:
        fix = "Choose one: read_yolo(folder / name)."
        raise DataError(Problem(place(file=str(folder)), "one data YAML", ", ".join(yamls), fix, "yaml"))
    return folder / yamls[0] if yamls else None


def _yaml_content(file: Path) -> dict[str, Any]:
    where = place(file=str(file))
    with requiring(where, "PyYAML", '"polyhead[vision]"'):
        import yaml
    try:
        content = load_yaml(file.read_bytes(), as_text=("names", "kpt_names"))
    except OSError as error:
        found, near = error.strerror or str(error), similar_file(file)
        raise DataError(Problem(where, "a data YAML, or a folder", found, near, "no-file")) from None
    except Exception as error:  # PyYAML raises many types of errors for values that do not fit their tags
        found = " ".join(str(error).split()) if isinstance(error, (yaml.YAMLError, ValueError)) else ""
        found = shown(found, 400)[1:-1] if len(found) > 400 else found
        fix = fix_for_path(file, "read_yolo")
        raise DataError(Problem(where, "YAML", found or type(error).__name__, fix, "yaml")) from None
    if not isinstance(content, dict):
        expected, fix = "a YAML of keys, such as train and names", fix_for_path(file, "read_yolo")
        raise DataError(Problem(where, expected, shown(content), fix, "yaml"))
    return content


def _as_plain_names(names: Any) -> Any:
    """Convert class names in arrays, pandas indices or NumPy scalars to plain Python values."""
    if isinstance(names, Mapping):
        return {plain_scalar(number): plain_scalar(name) for number, name in names.items()}
    return names if as_list(names) is None else as_list(names)


def _numbered_names(
    names: Any, content: Mapping[str, Any], where: str, file: Path | None, folder: Path
) -> dict[int, str]:
    """Return the names of the classes by their numbers: as given, of the data YAML, or of another file."""
    value = content.get("names")
    if names is not None:
        where = "read_yolo(names=)"
        value = Path(names) if isinstance(names, str) else _as_plain_names(names)
    elif file is None and (folder / "classes.txt").is_file():
        value = folder / "classes.txt"
    if isinstance(value, os.PathLike):
        where = place(file=os.fspath(value))
        if Path(value).suffix.lower() in (".yaml", ".yml"):
            value = _yaml_content(Path(value)).get("names")
        else:
            value = [line.strip() for line in lines_of(value, "names of classes") if line.strip()]
    expected = "names, a list of the classes or {number: name}"
    if value is None:
        fix = "Say read_yolo(names=[...])" + (", or put them into a classes.txt." if file is None else ".")
        fix = hints(fix_for_path(file, "read_yolo") if file is not None else "", fix)
        raise DataError(Problem(where, expected, "none", fix, "names"))
    listed = isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes))
    pairs = list(value.items() if isinstance(value, Mapping) else enumerate(value)) if listed else []
    pairs = [(int(n) if isinstance(n, str) and n.isdecimal() else n, name) for n, name in pairs]
    by_number = {number: str(name) for number, name in pairs if type(number) is int and _is_name(name)}
    if not pairs or len(by_number) < len(pairs):
        raise DataError(Problem(where, expected, shown(value), code="names"))
    if len(set(by_number.values())) < len(by_number):
        twice = sorted(name for name, count in Counter(by_number.values()).items() if count > 1)
        raise DataError(Problem(where, "a unique name for each class", shown(twice), code="names"))
    total = content.get("nc")
    if total is not None and total != len(by_number):
        expected = f"as many names as nc, {shown(total)}"
        raise DataError(Problem(where, expected, str(len(by_number)), code="names"))
    return dict(sorted(by_number.items()))


def _is_name(name: Any) -> bool:
    return isinstance(name, (str, int, float)) and not isinstance(name, bool)


def _points(content: Mapping[str, Any], where: str) -> tuple[int, int] | None:
    shape = content.get("kpt_shape")
    if shape is None:
        return None
    sound = isinstance(shape, list) and len(shape) == 2 and all(type(v) is int for v in shape)
    if not sound or shape[0] < 1 or shape[1] not in (2, 3):
        expected = "kpt_shape, [number of keypoints, 2 or 3]"
        raise DataError(Problem(where, expected, shown(shape), code="kpt_shape"))
    return (shape[0], shape[1])


def _point_facts(
    content: Mapping[str, Any], count: int, where: str, findings: Findings
) -> tuple[tuple[str, ...] | None, tuple[tuple[int, int], ...] | None]:
    """Read the names of keypoints in ``kpt_names``, and the pairs that ``flip_idx`` exchanges; None without them.

    ``flip_idx`` has, for each point of a mirrored image, the point that it was before. Names that differ between
    classes are left out, as a head has one of each.
    """
    named = content.get("kpt_names")
    lists: list[Any] = list(named.values()) if isinstance(named, Mapping) else [named]
    first = lists[0] if lists and isinstance(lists[0], list) else []
    sound = len(first) == count and all(isinstance(name, str) for name in first)
    point_names = tuple(first) if sound and all(names == first for names in lists) else None
    flipped = content.get("flip_idx")
    if flipped is None:
        return point_names, None
    listed = flipped if isinstance(flipped, list) and all(type(i) is int for i in flipped) else []
    if sorted(listed) != list(range(count)) or any(listed[j] != i for i, j in enumerate(listed)):
        expected = f"each number from 0 to {count - 1} once, with left and right points exchanged"
        fix = "It is left out; give pairs= to the head."
        findings.add("flip-idx", f"{where}, `flip_idx`", expected, shown(flipped), fix, warning=True)
        return point_names, None
    return point_names, tuple((i, j) for i, j in enumerate(listed) if i < j)


def _image_parts(
    content: Mapping[str, Any], split: str, home: Root, where: str, file: Path | None, folder: Path
) -> list[str]:
    """Find the folders of images, or the files that list them."""
    if file is None:
        names = [f"images/{split}", f"{split}/images"]
        whole = os.path.join(home.path, "images")
        # a data set without splits is read as train only, so that it cannot be used for validation as well
        if split == "train" and os.path.isdir(whole) and not any(e.is_dir() for e in os.scandir(whole)):
            names.append("images")
        for name in names:
            if os.path.isdir(os.path.join(home.path, name)):
                return [os.path.join(home.path, name)]
        expected = f"a data YAML, or images in images/{split} or {split}/images"
        entries = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
        found = ", ".join(entries[:_SHOWN]) + ", …" * (len(entries) > _SHOWN) or "an empty folder"
        fix = hints(
            similar(split, _parts_in(folder)), "Give their folders: read_yolo(images=..., labels=...)."
        )
        raise DataError(Problem(place(file=str(folder)), expected, found, fix, "folder"))
    value = content.get(split)
    if value is None:
        reserved = ("path", "names", "nc", "kpt_shape", "kpt_names", "flip_idx", "download")
        others = [str(key) for key in content if key not in reserved]
        expected = f"the key {split}, the folder of images"
        found = f"the keys {', '.join(map(str, content))}"
        found, fix = ("no value", "") if split in content else (found, similar(str(split), others))
        raise DataError(Problem(where, expected, found, fix, "split"))
    parts: list[str] = []
    for name in value if isinstance(value, list) else [value]:
        path = _path_within(home, name, f"{where}, `{split}`")
        if path is None:
            continue
        if not os.path.exists(path):
            fix = "Use read_yolo(images=...) if they are elsewhere."
            expected = f"the folder of images, or a list of them, at {path}"
            home.findings.add("folder", f"{where}, `{split}`", expected, "nothing at this path", fix)
        parts.append(path)
    return parts


_SHOWN = 6


def _parts_in(folder: Path) -> list[str]:
    """Guess the names of the splits in a folder."""
    below = folder / "images"
    parts = [p.name for p in below.iterdir() if p.is_dir()] if below.is_dir() else []
    return sorted({*parts, *(p.parent.name for p in folder.glob("*/images") if p.is_dir())})


def _path_within(home: Root, name: Any, where: str) -> str | None:
    """Resolve a path in the data set's folder; None, with an error recorded, if it leads out of it."""
    end = path = str(name).replace("\\", "/")
    while end.startswith("../"):
        end = end[3:]
    missing = f"There is no {end} in it either." if end != path else ""
    fix = hints(missing, "Use read_yolo(root=...), the folder of the data set, or images= and labels=.")
    return home.inside(name) or home.find(name, where, fix)


def _files_in_parts(
    parts: Sequence[str], label_root: Root | None, home: Root, findings: Findings
) -> tuple[list[str], list[str], list[str]]:
    """Return the paths of the images, of their label files, and of label files without an image."""
    images: list[str] = []
    labels: list[str] = []
    label_folders: list[str] = []
    others = 0
    root, label_base = label_root or home, None if label_root is None else label_root.path
    for part in parts:
        if os.path.isfile(part):
            paths, base = _listed_in(part, home), home.path
        else:
            names, more = Root(part, "read_yolo(images=)", findings).files()
            paths, base = [os.path.join(part, *name.split("/")) for name in names], part
            others += more
            label_folders.append(
                label_base or os.path.dirname(_label_of(os.path.join(part, "x"), part, None))
            )
        images += paths
        labels += [_label_of(path, base, label_base) for path in paths]
    for i, label in enumerate(labels):
        if label.startswith(root.path + os.sep):
            labels[i] = root.find(os.path.relpath(label, root.path), place(file=label)) or label
    findings.stop()
    if others and not all(label.startswith(tuple(parts)) for label in labels):
        one = "file in the folder of images is not an image"
        several = "files in the folder of images are not images"
        findings.note(counted(others, one, several))
    with_image: set[str] = set()
    for image, label in zip(images, labels, strict=True):
        if label in with_image:
            expected = "unique names of images, without their extensions"
            findings.add("file-twice", place(file=image), expected, f"the label file {label} twice")
        with_image.add(label)
    findings.stop()
    files = [path for folder in dict.fromkeys(label_folders) for path in _text_files(folder)]
    return images, labels, [path for path in files if path not in with_image]


def _listed_in(file: str, home: Root) -> list[str]:
    """Read the images listed in a text file, one per line, relative to the root or, for ``./a.jpg``, to the file."""
    paths = []
    for number, line in enumerate(lines_of(file, "a list of images"), 1):
        name = line.strip()
        if not name:
            continue
        if name.startswith("./"):
            name = os.path.join(os.path.relpath(os.path.dirname(file), home.path), name[2:])
        path = _path_within(home, name, f"{place(file=file)}, line {number}")
        if path is not None:
            paths.append(path)
    return paths


def _label_of(image: str, base: str, label_root: str | None) -> str:
    stem = os.path.splitext(image)[0] + ".txt"
    if label_root is not None:
        return os.path.join(label_root, os.path.relpath(stem, base))
    head, middle, tail = stem.rpartition(f"{os.sep}images{os.sep}")
    return f"{head}{os.sep}labels{os.sep}{tail}" if middle else stem


def _text_files(folder: str) -> list[str]:
    """List the text files below a folder, except lists of classes."""
    files = []
    for path, folders, names in os.walk(folder):
        folders.sort()
        files += [os.path.join(path, n) for n in sorted(names) if n.endswith(".txt") and n != "classes.txt"]
    return files
