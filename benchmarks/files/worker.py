"""One arm over files or a packed format, in a process of its own: `benchmarks.worker` has how it takes turns.

``python -m benchmarks.files.worker ARM FOLDER files|encoded|pixels|augmented``
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.files.arms import ARMS, Epochs
from benchmarks.files.formats import FORMATS, Format
from benchmarks.files.rows import Rows, check, check_augmented, rows_of
from benchmarks.worker import serve

CHECK_ROWS = 40


def from_files(arm: str, data: Rows) -> None:
    """Serve an arm that reads the files."""

    def checked(batch_size: int) -> dict[str, Any]:
        few = data.some(CHECK_ROWS)
        return check(ARMS[arm](few, batch_size)(0), few)

    def made(batch_size: int) -> Epochs:
        return ARMS[arm](data, batch_size)

    serve(checked, made, rows_of, files=data.paths)


def from_packed(arm: str, data: Rows, folder: Path, source: str) -> None:
    """Serve an arm that packs the rows, then reads what it packed; pixels may be augmented."""
    kind: type[Format] = FORMATS[arm]
    augment = source == "augmented"
    held = "pixels" if augment else source
    pixels = held == "pixels"
    packed = kind(folder / "packed" / f"{arm}, {held}", pixels, augment)

    def files() -> list[Path]:
        found = [path for path in packed.folder.rglob("*") if path.is_file()]
        return found if pixels or arm != "plain generator" else [*found, *data.paths()]

    def prepared() -> dict[str, Any]:
        begin = time.perf_counter()
        if not packed.folder.exists():
            packed.write(data)
        seconds = time.perf_counter() - begin
        if augment:  # what `pixels` has written, if it was there before
            return {}
        return {"bytes": sum(path.stat().st_size for path in files()), "seconds": seconds}

    def checked(batch_size: int) -> dict[str, Any]:
        few = data.some(CHECK_ROWS)
        with tempfile.TemporaryDirectory() as place:
            small = kind(Path(place) / "packed", pixels)
            small.write(few)
            found = check(small.read(len(few), batch_size)(0), few)
            if not augment:
                return found
            moved = kind(small.folder, pixels, augment).read(len(few), batch_size)
            seen = check_augmented(moved(0), few)
        return {**found, "proof": [found["proof"], seen["proof"]], "kept": seen["kept"]}

    def made(batch_size: int) -> Epochs:
        return packed.read(len(data), batch_size)

    serve(checked, made, rows_of, prepared, files)


def main() -> None:
    """One arm, over the rows in a folder."""
    arm, folder, source = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    data = Rows.of(folder)
    if source == "files":
        from_files(arm, data)
    else:
        from_packed(arm, data, folder, source)


if __name__ == "__main__":
    main()
