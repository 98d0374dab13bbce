"""One arm over files, in a process of its own: `benchmarks.worker` has how it takes turns."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.vision.arms import ARMS, LIMITS, Epochs, delivered, rows_of
from benchmarks.vision.workload import Rows, check
from benchmarks.worker import serve

CHECK_ROWS = 75


def main() -> None:
    """One arm, over the rows in a folder."""
    # Keras's layers move masks within tf.data on this backend alone; nothing else here loads Keras
    os.environ["KERAS_BACKEND"] = "tensorflow"
    arm, data = sys.argv[1], Rows.of(Path(sys.argv[2]))
    make = {**ARMS, **LIMITS}[arm]

    def checked(batch_size: int) -> dict[str, Any]:
        few = data.some(CHECK_ROWS)
        plain = check(map(delivered, make(few, batch_size, False)(0)), few, augmented=False)
        moved = check(map(delivered, make(few, batch_size, True)(0)), few, augmented=True)
        return {"plain": plain, "moved": moved}

    def made(batch_size: int) -> Epochs:
        return make(data, batch_size, True)

    serve(checked, made, rows_of)


if __name__ == "__main__":
    main()
