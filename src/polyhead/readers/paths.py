"""Finds the files of a data set within one folder, and checks that they exist and can be read."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from unicodedata import normalize

from polyhead.columns.image_values import ENDINGS
from polyhead.errors import DataError, Problem, as_path, counted, hints, place, shown, similar
from polyhead.images.encoded import header_of
from polyhead.readers.findings import Findings

_MOST_FOLDERS = 1000
"""The most folders in which a file is looked for."""

_DRIVE = re.compile(r"[A-Za-z]:")


def lines_of(path: str | os.PathLike[str], expected: str) -> list[str]:
    """Read the lines of a text file, without line ends; ``expected`` describes the file in errors.

    Raises:
        DataError: for a file that cannot be read or is not UTF-8.
    """
    where = place(file=os.fspath(path))
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise DataError(Problem(where, expected, str(error.strerror), code="text")) from None
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"the byte 0x{data[error.start]:02x}"
        fix = "Save the file as UTF-8."
        raise DataError(Problem(f"{where}, line {line}", "text in UTF-8", found, fix, "text")) from None


_READERS = (
    ((".yaml", ".yml"), "A data YAML of YOLO is read by ph.read_yolo(path)."),
    ((".json",), "A JSON file of COCO is read by ph.read_coco(path, folder_of_images)."),
    (
        (".parquet", ".pq", ".csv", ".tsv", ".arrow", ".feather", ".ipc"),
        "A table is read by ph.read_table(path).",
    ),
    ((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"), "Unpack it first."),
    ((".xml",), "XML files of PASCAL VOC are read by ph.read_voc(folder)."),
)


def fix_for_path(path: str | os.PathLike[str], reader: str, folder: bool = True) -> str:
    """Return the fix to suggest for a file of the wrong kind, judging by its extension.

    >>> fix_for_path("pets/data.yaml", "read_voc"), fix_for_path("pets/a.xml", "read_voc")
    ('A data YAML of YOLO is read by ph.read_yolo(path).', 'Give the folder that holds it.')
    """
    name = os.fspath(path).lower()
    fixes = [fix for endings, fix in _READERS if name.endswith(endings)]
    default = "Give the folder that holds it." if folder and name.endswith((".xml", ".txt", *ENDINGS)) else ""
    return next((fix for fix in fixes if f"ph.{reader}(" not in fix), default)


def similar_file(path: str | os.PathLike[str]) -> str:
    """Return a hint at the entry of a folder that is named most like a missing one; empty if none is similar."""
    folder, name = os.path.split(os.path.abspath(path))
    return similar(name, sorted(os.listdir(folder))) if os.path.isdir(folder) else ""


def stem_of(name: str) -> str:
    """Return the name of a file without its extension, with accents in composed form, as files match by it.

    >>> stem_of("a/e\u0301t\u0065.png") == "a/\u00e9te"
    True
    """
    return normalize("NFC", os.path.splitext(name)[0])


def _other_spelling(path: str) -> str:
    """Return a hint at the file whose name differs from a missing one in upper and lower case only, or nothing."""
    folder, name = os.path.split(path)
    entries = os.listdir(folder) if os.path.isdir(folder) else []
    near = next((entry for entry in entries if entry.lower() == name.lower()), None)
    return f"Did you mean `{near}`?" if near else ""


def searched_folders(path: str) -> Iterator[str]:
    """Yield a folder and the first ones below it, in which to look for files that are not where they should be."""
    return (folder for folder, _, _ in islice(os.walk(path), _MOST_FOLDERS))


class Root:
    """A folder that paths must not lead out of.

    Raises:
        DataError: for a path that is not a folder.
    """

    def __init__(self, folder: Any, where: str, findings: Findings) -> None:
        self.path = os.path.abspath(as_path(folder, where, "the path of a folder", "folder"))
        self.findings = findings
        if not os.path.isdir(self.path):
            found, near = "nothing at this path", similar_file(self.path)
            if os.path.exists(self.path):
                found, near = "a file", fix_for_path(self.path, where.partition("(")[0])
            raise DataError(Problem(f"{where}, {place(file=self.path)}", "a folder", found, near, "folder"))
        self._real = os.path.realpath(self.path)
        self._folders: dict[str, bool] = {}

    def below(self, folder: Any, where: str) -> Root:
        """Return a folder, given by an absolute path or relative to this one."""
        if isinstance(folder, (str, os.PathLike)):
            folder = os.path.join(self.path, os.path.expanduser(folder))
        return Root(folder, where, self.findings)

    def find(self, name: Any, where: str, fix: str = "Name files relative to their folder.") -> str | None:
        """The path of a file named in an annotation; None, with an error recorded, if it leads out of the folder.

        Accents may be letters of their own in the name of the file, as macOS writes them, and not in the annotation, or
        the other way round.
        """
        found = self._outside(name)
        if found is None:
            spellings = [name] if name.isascii() else [name, normalize("NFC", name), normalize("NFD", name)]
            paths = [os.path.normpath(os.path.join(self.path, s.replace("\\", "/"))) for s in spellings]
            return next(filter(os.path.exists, paths), paths[0]) if paths[1:] else paths[0]
        self.findings.add("path", where, f"the name of a file under {self.path}", found, fix)
        return None

    def inside(self, name: Any, up: bool = True) -> str | None:
        """For a path that leads out of this folder, or begins with its name, find its last components inside.

        A data set that was moved still has its old paths: ``../train/images``, ``/data/pets/train/images``. The last
        component alone does not count, as ``images`` may hold all splits, unless it follows this folder's own name or
        only ``..``. A path that ends in this folder's name is this folder. A path below this folder's parent, as
        ``train/a.jpg`` for the folder ``pets/train``, begins with the last components of this folder's path.

        Args:
            up: whether all that follows ``..`` may lie in this folder.

        Returns:
            The path; None if there is no match.
        """
        if not isinstance(name, str) or "\0" in name:
            return None
        path = posixpath.normpath(name.replace("\\", "/"))
        absolute = path.startswith("/") or bool(_DRIVE.match(path))
        parts = [part for part in path.split("/") if part not in ("", "..")]
        folder_name = os.path.basename(self.path)
        if not absolute and not path.startswith("../"):
            folders = self.path.split(os.sep)
            starts = [start for start in range(1, len(parts)) if parts[:start] == folders[-start:]]
            if not starts or os.path.exists(os.path.join(self.path, path)):
                return None
            ends = ["/".join(parts[start:]) for start in starts]
            inside = [os.path.join(self.path, end) for end in ends if self._outside(end) is None]
            return next((end for end in inside if os.path.exists(end)), None)
        below = path.removeprefix(self.path.replace(os.sep, "/") + "/")
        if below != path and self._outside(below) is None and os.path.exists(path):  # it was not moved
            return os.path.join(self.path, *below.split("/"))
        if parts and parts[-1] == folder_name:
            return self.path
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            whole = not start and not absolute
            sure = up if whole else len(parts) - start > 1 or (start and parts[start - 1] == folder_name)
            if sure and self._outside(end) is None and os.path.exists(os.path.join(self.path, end)):
                return os.path.join(self.path, *parts[start:])
        return None

    def require_any(self, names: Sequence[Any], whose: str) -> None:
        """Raise if no file of these names exists, with the folder that holds the first: the one above, or one inside.

        Raises:
            DataError: if there are names, and none of them exists.
        """
        names = [name for name in names if isinstance(name, str) and self._outside(name) is None]
        paths = (self.inside(name) or self.find(name, "") or "" for name in names)
        if not names or any(map(os.path.isfile, paths)):
            return
        near = (os.path.dirname(self.path), *searched_folders(self.path))
        folder = next((f for f in near if os.path.isfile(os.path.join(f, *names[0].split("/")))), None)
        fix = _other_spelling(os.path.join(self.path, names[0])) or "Give the folder below which they are."
        fix = fix if folder is None else f'Say images="{folder}".'
        found = f"none of {counted(len(names), 'name')}, such as {shown(names[0])}"
        raise DataError(Problem(place(file=self.path), f"the images of {whose}", found, fix, "no-file"))

    def from_elsewhere(self, name: str, near: str | None) -> str | None:
        """Find the file that a path names on another computer, such as ``C:\\photos\\a.jpg``, by its last component.

        Args:
            near: a file, relative to this folder, that is preferred if it has this name.

        Returns:
            The file, relative to this folder. None if ``name`` is a file in this folder, or no file has its name.
        """
        path = name.replace("\\", "/")
        outside = self._outside(name)
        if outside is None and os.path.isfile(os.path.join(self.path, path)):
            return None
        end = posixpath.basename(path)
        if near is not None and os.path.basename(near).lower() == end.lower():
            return near
        inside = (
            outside is not None
            and self._outside(end) is None
            and os.path.isfile(os.path.join(self.path, end))
        )
        return end if inside else None

    def _outside(self, name: Any) -> str | None:
        """Describe a path that leads out of this folder, or is none at all; None for a path inside."""
        if not isinstance(name, str) or not name or "\0" in name:
            return shown(name)
        try:
            os.fsencode(name)
        except UnicodeEncodeError:
            return shown(name)
        parts = name.replace("\\", "/").split("/")
        if not parts[0] or _DRIVE.match(name):
            return f"the absolute path {shown(name)}"
        if ".." in parts:
            return f"{shown(name)}, which leads out of it"
        path = os.path.join(self.path, *parts)
        if self._linked_out(path):
            return f"{shown(name)}, a link to {os.path.realpath(path)}, which lies outside"
        return None

    def _linked_out(self, path: str) -> bool:
        parent = os.path.dirname(path)
        if parent not in self._folders:
            self._folders[parent] = self._holds(parent)
        if not self._folders[parent]:
            return True
        try:
            linked = stat.S_ISLNK(os.lstat(path).st_mode)
        except OSError:  # a missing file is reported elsewhere
            return False
        return linked and not self._holds(path)

    def _holds(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real.rstrip(os.sep) + os.sep)

    def files(self, endings: Sequence[str] = ENDINGS) -> tuple[list[str], int]:
        """List the files with these extensions, sorted, such as ``a/b.jpg``; also count the other files.

        Hidden files are skipped, and links that lead out of the folder are recorded as errors.
        """
        files: list[str] = []
        others = 0
        linked: list[str] = []
        folders, visited = [""], set()
        while folders or linked:
            # links last, so that their targets are listed under their own names
            folder = (folders or linked).pop()
            real = os.path.realpath(os.path.join(self.path, folder))
            if real in visited:  # a link to a folder that was already visited
                where, fix = place(file=os.path.join(self.path, folder)), "It is skipped."
                found = f"a link to {real}"
                self.findings.add("link", where, "each folder once", found, fix, warning=True)
                continue
            visited.add(real)
            with os.scandir(os.path.join(self.path, folder)) as entries:
                for entry in entries:
                    if entry.name.startswith((".", "__MACOSX")):
                        continue
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_symlink() and self.find(name, place(file=entry.path)) is None:
                        continue
                    if entry.is_dir() and entry.is_symlink():
                        linked.append(name)
                    elif entry.is_dir():
                        folders.append(name)
                    elif entry.name.lower().endswith(tuple(endings)):
                        files.append(name)
                    else:
                        others += 1
        return sorted(files), others


def in_proportion(declared: tuple[int, int], actual: tuple[int, int]) -> bool:
    """Return whether two sizes have the same proportions, up to rounding.

    >>> in_proportion((480, 640), (241, 320)), in_proportion((480, 640), (224, 224))
    (True, False)
    """
    least = max((actual[0] - 1) / declared[0], (actual[1] - 1) / declared[1])
    return least < min((actual[0] + 1) / declared[0], (actual[1] + 1) / declared[1])


class Files:
    """Checks the files of images, and reads their sizes.

    Args:
        findings: records files that do not exist or cannot be read.
        missing_files: ``"raise"``, or ``"drop"`` to leave them out.
        exif: ``"ignored"`` for sizes as stored, without applying the Exif orientation.
    """

    def __init__(
        self, findings: Findings, missing_files: str, kind: str = "images", exif: str | None = None
    ) -> None:
        self._findings, self._drop, self._kind = findings, missing_files == "drop", kind
        self._exif = exif
        self._dropped = 0

    def note(self) -> None:
        """Record how many files were left out."""
        if self._dropped:
            which = counted(self._dropped, self._kind.removesuffix("s"), self._kind)
            self._findings.note(f"{which} left out, as the file does not exist or cannot be read")

    def _fail(self, code: str, where: str, expected: str, found: str, fix: str = "") -> None:
        advised = self._drop or self._findings.count(code)
        advice = "" if advised else f'Say missing_files="drop" to leave such {self._kind} out.'
        self._findings.add(code, where, expected, found, hints(fix, advice), warning=self._drop)
        self._dropped += self._drop

    def exists(self, path: str, where: str, fix: str = "") -> bool:
        """Return whether a file exists; if not, this is recorded, with what to do about it."""
        if os.path.isfile(path):
            return True
        if not (fix or self._findings.count("no-file")):
            fix = _other_spelling(path)
        self._fail("no-file", f"{where}, {place(file=path)}", "a file at this path", "none", fix)
        return False

    def size(self, path: str) -> tuple[int, int] | None:
        """Read ``(height, width)`` from the header; None, with a problem recorded, if it cannot be read."""
        try:
            return self._of(path)
        except DataError as error:
            (problem,) = error.problems
            self._fail("image", problem.place, problem.expected, problem.found)
            return None

    def _of(self, path: str) -> tuple[int, int]:
        header = header_of(path)
        return header.stored if self._exif == "ignored" else header.size

    def sized(self, path: str, declared: tuple[int, int] | None, verify: bool) -> tuple[int, int] | None:
        """Read the size of an image file, and compare it with the size in the annotation.

        Args:
            declared: ``(height, width)`` in the annotation, or None.
            verify: record an unreadable file as a problem, instead of using the size in the annotation.

        Returns:
            The size; None, with a problem recorded, if the file cannot be read or its proportions differ from those in
            the annotation.
        """
        if declared is None or verify:
            size = self.size(path)
        else:
            try:
                size = self._of(path)
            except DataError:
                return declared
        if size is None or declared is None or size == declared:
            return size
        expected = "the size (height x width) in the annotation"
        words = f"{size[0]} x {size[1]} in the image, {declared[0]} x {declared[1]} in the annotation"
        if in_proportion(declared, size):
            fix = "Its annotations are scaled accordingly."
            self._findings.add("resized", place(file=path), expected, words, fix, warning=True)
            return size
        fix = "It was cropped or stretched after annotation, so the positions of its objects are unknown."
        if size == declared[::-1]:
            fix = "Height and width may be swapped in the annotation; correct them there."
            if header_of(path).orientation > 4:
                other = "applied" if self._exif == "ignored" else "ignored"
                fix = f'It was annotated with its Exif orientation {other}: say exif="{other}".'
        self._fail("size", place(file=path), expected, words, fix)
        return None
