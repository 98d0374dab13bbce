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

# importing a module imports the package first, so a process of its own for each module can begin with that; and with
# the libraries, which take most of the time
IMPORT = """
import importlib, os, sys
import jax, keras, numba, pandas, PIL.Image, pyarrow.parquet, typer, polyhead
for name in sys.argv[1:]:
    if name in sys.modules:
        continue
    child = os.fork()
    if not child:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: {error}", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_each_module_can_be_imported_first():
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT, *MODULES], capture_output=True, text=True, env=env
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
