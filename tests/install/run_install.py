"""Installs the wheel of dist/ by name into empty environments, and runs a user's programs there.

``python tests/install/run_install.py python3.11 python3.13``; without arguments, each Python found from 3.11 on.
For each: nothing but polyhead; each extra; the newest versions that pip takes, and the oldest that are allowed. With
the first Python, mypy and pyright check a program against what is installed.
"""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
VISION = """
import numpy as np, PIL.Image, polyhead as ph
PIL.Image.fromarray(np.full((40, 30, 3), 200, np.uint8)).save("a.jpg")
rows = {"image": ["a.jpg"] * 4, "box": [[2.0, 3, 20, 30]] * 4}
feed = ph.Feed(rows, inputs={"image": ph.Image(24, 24)}, heads={"box": ph.Boxes(1)}, augment=[ph.Rotate(10)])
assert feed.peek()[0]["image"].shape == (4, 24, 24, 3)
feed.preview("a.png")
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A simple index, as of PEP 503: a folder for each project."""

    def log_message(self, *_: object) -> None: ...


@contextmanager
def index(dist: Path):
    """The address of a package index on this machine that has the wheel, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "simple" / "polyhead"
        project.mkdir(parents=True)
        for wheel in dist.glob("polyhead-*.whl"):
            shutil.copy(wheel, project)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()


def lower_bounds(python: str) -> list[str]:
    """The lower bound of each dependency of polyhead and its demo, as constraints for one Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = {}
    for bound in [*project["dependencies"], *project["optional-dependencies"]["demo"]]:
        name, version, since = re.match(
            r"([\w-]+)>=([\d.]+)(?:; python_version >= '3\.(\d+)')?$", bound
        ).groups()
        if since is None or int(since) <= int(python.partition(".")[2]):
            newest[name] = version
    return [f"{name}=={version}" for name, version in newest.items()]


def pythons(asked: list[str]) -> list[str]:
    """The interpreters to try: those asked for, or of each version the one that is found."""
    roots = [os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))]
    if asked:
        return asked
    found = []
    for version in PYTHONS:
        there = sorted(path for root in roots for path in Path(root).glob(f"versions/{version}.*/bin/python"))
        found += [str(there[-1])] if there else [p for p in [shutil.which(f"python{version}")] if p]
    return found


def version_of(python: str) -> str:
    """The minor version of an interpreter, ``3.12``."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class Environment:
    """An empty environment, in a folder that goes when it is done."""

    def __init__(self, python: str, folder: str, address: str) -> None:
        self.folder, self.address = Path(folder), address
        self.run(python, "-m", "venv", "env")
        self.python = str(self.folder / "env" / "bin" / "python")

    def run(self, *command: str, **more: str) -> str:
        own = ("PYTHONPATH", "KERAS_BACKEND", "MYPYPATH")
        env = {**{k: v for k, v in os.environ.items() if k not in own}, **more}
        env["KERAS_HOME"] = str(self.folder)
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def install(self, *what: str) -> None:
        where = ("--extra-index-url", self.address, "--trusted-host", "127.0.0.1")
        self.run(self.python, "-m", "pip", "install", "-q", "--prefer-binary", *where, *what)

    def version(self) -> str:
        return version_of(self.python)

    def script(self, name: str, **more: str) -> str:
        return self.run(self.python, str(HERE / name), **more).splitlines()[-1]


def try_bare(env: Environment) -> str:
    env.install("polyhead")
    return env.script("bare.py")


def try_vision(env: Environment) -> str:
    env.install("polyhead[vision]")
    env.run(env.python, "-c", VISION)
    return "images decoded, warped and drawn"


def try_newest(env: Environment) -> str:
    env.install("polyhead[demo]")
    return env.script("program.py", KERAS_BACKEND="jax")


def try_oldest(env: Environment) -> str:
    lowest = env.folder / "lowest.txt"
    lowest.write_text("\n".join(lower_bounds(env.version())))
    env.install("--constraint", str(lowest), "polyhead[demo]")
    return env.script("program.py", KERAS_BACKEND="jax")


def try_types(env: Environment) -> str:
    env.install("polyhead", "mypy", "pyright")
    shutil.copy(HERE / "typed.py", env.folder / "users_program.py")
    env.run(env.python, "-m", "mypy", "--strict", "users_program.py")
    env.run(env.python, "-m", "pyright", "--pythonpath", env.python, "users_program.py")
    with open(env.folder / "users_program.py", "a") as file:
        file.write("\nfeed.on(Squares(), batch_size='many')\nnothing: int = feed.declaration\n")
    checked = subprocess.run(
        [env.python, "-m", "mypy", "--strict", "users_program.py"],
        cwd=env.folder,
        text=True,
        capture_output=True,
    )
    if "assignment" not in checked.stdout:
        raise SystemExit(f"mypy does not see the types: {checked.stdout}")
    return "mypy --strict and pyright agree"


def main(asked: list[str]) -> None:
    tries = {"bare": try_bare, "vision": try_vision, "newest": try_newest, "oldest": try_oldest}
    with index(ROOT / "dist") as address:
        for i, python in enumerate(pythons(asked)):
            for name, attempt in {**tries, **({"types": try_types} if i == 0 else {})}.items():
                began = time.monotonic()
                with tempfile.TemporaryDirectory() as folder:
                    env = Environment(python, folder, address)
                    said = attempt(env)
                    print(
                        f"Python {env.version()}  {name:7} {said}  ({time.monotonic() - began:.0f} s)",
                        flush=True,
                    )


if __name__ == "__main__":
    main(sys.argv[1:])
