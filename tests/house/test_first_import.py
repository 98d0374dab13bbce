"""Each module can be the first of the package that is imported: none relies on another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import polyhead

PACKAGE = Path(polyhead.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__main__"
)

# importing a module imports its package first, so the modules of a package can each begin with that, if what the one
# before has imported of ours is forgotten
IMPORT = """
import importlib, itertools, sys
import polyhead

def forget(beside):
    for found in [one for one in sys.modules if one.startswith("polyhead.") and one not in beside]:
        package, _, last = found.rpartition(".")
        vars(sys.modules.get(package, sys)).pop(last, None)
        del sys.modules[found]

def try_import(name):
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}", flush=True)

start = set(sys.modules)
for package, names in itertools.groupby(sys.argv[1:], lambda name: name.rpartition(".")[0]):
    if package:
        try_import(package)
    first = set(sys.modules)
    for name in names:
        if name not in first:
            try_import(name)
            forget(first)
    forget(start)
"""


@pytest.mark.slow
def test_each_module_can_be_imported_first():
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT, *MODULES], capture_output=True, text=True, env=env
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
