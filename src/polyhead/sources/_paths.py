"""The files of a data set: found below one folder that no path leaves, there or not, readable or not."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from typing import Any

from polyhead.errors import DataError, Problem, place, shown
from polyhead.sources._annotations import Findings
from polyhead.sources._headers import ENDINGS, read_header
from polyhead.sources.base import similar

_DRIVE = re.compile(r"[A-Za-z]:")


def lines_of(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a text file.

    Raises:
        DataError: for one that is not UTF-8, with the line.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    except UnicodeDecodeError as error:
        where = f"{place(file=os.fspath(path))}, line {data[: error.start].count(bytes([10])) + 1}"
        found = f"the byte 0x{data[error.start]:02x}"
        raise DataError(Problem(where, "text in UTF-8", found, "Save the file as UTF-8.", "text")) from None


class Root:
    """A folder that no path may leave.

    Args:
        folder: it.
        what: the argument it was given as, for errors.
        findings: where paths that leave it are noted.

    Raises:
        DataError: for what is no folder.
    """

    def __init__(self, folder: Any, what: str, findings: Findings) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise DataError(Problem(what, "the path of a folder", shown(folder)))
        self.path = os.path.abspath(os.path.expanduser(os.fspath(folder)))
        self.findings = findings
        if not os.path.isdir(self.path):
            found = "a file" if os.path.exists(self.path) else "nothing at this path"
            parent, name = os.path.split(self.path)
            near = ""
            if os.path.isdir(parent) and not os.path.exists(self.path):
                near = similar(name, sorted(os.listdir(parent)))
            raise DataError(Problem(f"{what}, {place(file=self.path)}", "a folder", found, near, "folder"))
        self._real = os.path.realpath(self.path)
        self._folders: dict[str, bool] = {}

    def find(self, name: Any, where: str) -> str | None:
        """The path of a file that an annotation names, or None, and an error noted, where it leaves the folder."""
        found = self._leaves(name)
        if found is None:
            return os.path.normpath(os.path.join(self.path, name.replace("\\", "/")))
        expected = f"the name of a file under {self.path}"
        self.findings.add("path", where, expected, found, "Name files relative to their folder.")
        return None

    def _leaves(self, name: Any) -> str | None:
        if not isinstance(name, str) or not name or "\0" in name:
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
        except OSError:  # nothing there: said elsewhere
            return False
        return linked and not self._holds(path)

    def _holds(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real == self._real or real.startswith(self._real.rstrip(os.sep) + os.sep)

    def files(self, below: str = "", endings: Sequence[str] = ENDINGS) -> tuple[list[str], int]:
        """The files below a folder whose names end alike, sorted, as ``a/b.jpg``; and how many others there are.

        Names that begin with a dot are passed over, and links that lead out are noted as errors.
        """
        found: list[str] = []
        others = 0
        linked: list[str] = []
        open_, seen = [below], set()
        while open_ or linked:
            folder = (
                open_.pop() if open_ else linked.pop()
            )  # links last: what they lead to is met by its own name
            real = os.path.realpath(os.path.join(self.path, folder))
            if real in seen:  # a link that leads back, or to a folder beside it
                where, fix = place(file=os.path.join(self.path, folder)), "It is passed over."
                found_ = f"a link to {real}"
                self.findings.add("link", where, "each folder once", found_, fix, warning=True)
                continue
            seen.add(real)
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
                        open_.append(name)
                    elif entry.name.lower().endswith(tuple(endings)):
                        found.append(name)
                    else:
                        others += 1
        return sorted(found), others


class Files:
    """The images of a data set: those that are there and can be read, each with its size.

    Args:
        findings: where the others are noted.
        missing_files: ``"raise"``, or ``"drop"`` to leave the others out.
        what: what they are.
        annotated: ``"stored"`` for sizes as they are stored, rather than as they are shown.
    """

    def __init__(
        self, findings: Findings, missing_files: str, what: str = "images", annotated: str = "shown"
    ) -> None:
        self._findings, self._drop, self._what = findings, missing_files == "drop", what
        self._annotated = annotated
        self._dropped = 0

    def note(self) -> None:
        """Note how many were left out."""
        if self._dropped:
            text = f"{self._dropped:,} {self._what} left out, whose file is not there or cannot be read"
            self._findings.note(text)

    def _fail(self, code: str, where: str, expected: str, found: str, fix: str = "") -> None:
        words = fix if self._drop else f'{fix} Say missing_files="drop" to leave such {self._what} out.'
        self._findings.add(code, where, expected, found, words.strip(), warning=self._drop)
        self._dropped += self._drop

    def exists(self, path: str, where: str) -> bool:
        """Whether there is a file; noted where there is none."""
        if os.path.isfile(path):
            return True
        self._fail("no-file", f"{where}, {place(file=path)}", "a file at this path", "none")
        return False

    def size(self, path: str) -> tuple[int, int] | None:
        """``(height, width)`` as the header has it; None, and noted, where it cannot be read."""
        try:
            header = read_header(path)
            return header.stored if self._annotated == "stored" else header[:2]
        except DataError as error:
            (problem,) = error.problems
            self._fail("image", problem.place, problem.expected, problem.found)
            return None

    def verified(self, path: str, size: tuple[int, int]) -> bool:
        """Whether an image can be read; a size that is not the annotation's is noted."""
        found = self.size(path)
        if found is not None and found != tuple(size):
            turned = found == tuple(size)[::-1]
            fix = (
                "The annotation was made on the image turned by a quarter: it may be that of the image as it is "
                f"{'shown' if self._annotated == 'stored' else 'stored'}, see annotated=."
                if turned
                else "Boxes and masks may not lie where they should."
            )
            words = f"{found[0]} x {found[1]} in the image, {size[0]} x {size[1]} in the annotation"
            expected = "the size (height x width) that the annotation says"
            self._findings.add("size", place(file=path), expected, words, fix, warning=True)
        return found is not None
