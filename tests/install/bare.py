"""In an environment with nothing but what polyhead requires: what is missing is named, in one clear error."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np

import polyhead as ph
from polyhead.results.evaluation import Evaluation
from polyhead.results.suspects import Suspects

EXTRA = ("cv2", "simplejpeg", "PIL", "yaml", "pandas", "polars", "sklearn", "jax", "torch", "tensorflow")
VISION = 'Install it with: pip install "polyhead[vision]".'


def says(action, *words):
    try:
        action()
        said = "no error"
    except ph.PolyheadError as error:
        said = str(error)
    assert all(word in said for word in words), said
    print(f"  {said}")


def main():
    present = [name for name in EXTRA if find_spec(name)]
    assert not present, f"not a bare environment: {present}"
    os.makedirs("pets")
    for path, data in {
        "a.jpg": b"\xff\xd8\xff\xc0\0\x11\x08\0\x08\0\x08",
        "pets/data.yaml": b"names: [cat]\n",
    }.items():
        with open(path, "wb") as file:
            file.write(data)
    with open("a.bmp", "wb") as file:
        file.write(b"BM" + bytes(12) + b"(" + bytes(3) + b"\1\0\0\0" * 2)
    images, labels = np.zeros((4, 9, 9, 3), np.uint8), [0, 1, 0, 1]

    def peek(column, **how):
        inputs, heads = {"image": ph.Image(8, 8)}, {"y": ph.Binary()}
        return ph.Feed({"image": column, "y": labels}, inputs=inputs, heads=heads, **how).peek()

    says(lambda: peek(["a.jpg"] * 4), "simplejpeg cannot be imported", VISION)
    says(lambda: peek(["a.bmp"] * 4), "opencv-python-headless cannot be imported", VISION)
    says(lambda: peek(images), "opencv-python-headless cannot be imported", VISION)
    says(lambda: peek(images[:, :8, :8], augment=[ph.Flip()]), "opencv-python-headless cannot", VISION)
    says(lambda: ph.read_yolo("pets"), "PyYAML cannot be imported", VISION)
    plain = ph.Feed({"x": np.zeros((4, 2)), "y": labels}, inputs="x", heads={"y": ph.Binary()})
    says(lambda: plain.preview("a.png"), "pillow cannot be imported", VISION)
    for table in (lambda: Evaluation.to_pandas({}), Suspects().to_pandas):
        says(table, "pandas cannot be imported", "pip install pandas.")

    def command(*arguments):
        run = [sys.executable, "-m", "polyhead", *arguments]
        done = subprocess.run(run, capture_output=True, text=True)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    demo = command("demo")
    assert demo.stderr.endswith('Install the demo with: pip install "polyhead[demo]"\n'), demo.stderr
    open("m.keras", "wb").close()
    with open("t.csv", "w") as file:
        file.write("x,y\n0,1\n1,0\n")
    predict = command("predict", "m.keras", "t.csv", "-o", "out.csv")
    assert predict.stderr.startswith("polyhead: Keras needs a backend, and tensorflow cannot be"), (
        predict.stderr
    )
    print(f"  {demo.stderr}  {predict.stderr}", end="")
    assert command("--version").stdout == f"polyhead {ph.__version__}\n"
    print(f"polyhead {ph.__version__} without extras: ok")


if __name__ == "__main__":
    main()
