"""Chooses the Keras backend for a command, and explains what to do without one."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

BACKENDS = ("jax", "torch", "tensorflow")
"""The backends in order of preference."""


def installed(module: str) -> bool:
    """Return whether a module is installed, without importing it.

    >>> installed("numpy"), installed("no_such_module")
    (True, False)
    """
    return find_spec(module) is not None


def choose_backend() -> None:
    """Set ``KERAS_BACKEND`` to the only installed backend, if Keras would choose another."""
    backends = [name for name in BACKENDS if installed(name)]
    if "KERAS_BACKEND" not in os.environ and len(backends) == 1 and _backend_of_keras() not in backends:
        os.environ["KERAS_BACKEND"] = backends[0]


def _backend_of_keras() -> str:
    """Return the backend that Keras uses without ``KERAS_BACKEND``: that of its settings file, else TensorFlow."""
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def without_backend(error: ImportError) -> str | None:
    """Return the error message for a backend that cannot be imported; None for other modules."""
    if error.name not in BACKENDS:
        return None
    backends = [name for name in BACKENDS if installed(name)]
    if backends:
        return f"Keras cannot import its backend {error.name}. Set KERAS_BACKEND={backends[0]}, which is installed."
    return (
        f"Keras needs a backend, and {error.name} cannot be imported. Install one, with pip install jax, and set "
        "KERAS_BACKEND=jax; or torch, or tensorflow."
    )
