"""A table of facts about versions of Keras and backends, and which of them hold here."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

TESTED = {
    "keras": ("3.10.0", "3.15.1"),
    "jax": ("0.4.34", "0.10.2"),
    "torch": ("2.6.0", "2.14.1"),
    "tensorflow": ("2.16.2", "2.21.0"),
}
"""The oldest and newest tested version of each package, as in ``docs/versions.md``."""


@dataclass(frozen=True)
class Fact:
    """A behavior of some versions of Keras.

    Attributes:
        source: where it is tested or explained: a trap of ``docs/traps.md``, or a decision note.
        since: the first version with it; empty if older versions have it too.
        before: the first version without it; empty if newer versions have it too.
        backends: the backends with it; empty for all.
    """

    words: str
    source: str
    since: str = ""
    before: str = ""
    backends: tuple[str, ...] = ()

    def holds(self, keras: str, backend: str) -> bool:
        """Return whether a version of Keras has it on a backend.

        >>> Fact("exchanges metrics", "trap 31", since="3.14.0", before="3.14.1").holds("3.14.0", "jax")
        True
        """
        version = _version_numbers(keras)
        later = not self.since or version >= _version_numbers(self.since)
        earlier = not self.before or version < _version_numbers(self.before)
        return later and earlier and (not self.backends or backend in self.backends)


FACTS = (
    Fact(
        "exchanges the metrics of a model with a list of outputs, if the labels are a dict and the outputs are not in "
        "the order of their names; losses are right. Update to 3.14.1.",
        "trap 31",
        since="3.14.0",
        before="3.14.1",
    ),
    Fact(
        "assigns a tuple of labels to a dict of outputs by the sorted keys, silently: targets are swapped.",
        "trap 1",
    ),
    Fact("refuses class_weight for a model with several outputs.", "trap 14"),
    Fact(
        "divides the loss by the batch size and not by the weights, and counts rows of weight 0 in plain metrics: "
        "use weighted_metrics.",
        "trap 12",
    ),
    Fact(
        "trains later epochs of a generator that ended on the two batches that it had read, with a warning.",
        "trap 17",
        before="3.16",
    ),
    Fact(
        "trains later epochs of a generator that ended on the two batches that it had read, without a warning.",
        "trap 17",
        since="3.16",
    ),
    Fact(
        "fixes the order of batches by set_random_seed only until something else draws a number.",
        "trap 23",
        before="3.16",
    ),
    Fact("begins every fit with the same order of batches, whatever the seed.", "trap 23", since="3.16"),
    Fact(
        "trains on some batches of a PyDataset with several workers twice, and on others never, in the first epoch of "
        "the first fit.",
        "trap 21",
        backends=("jax", "torch"),
    ),
    Fact("leaves out a batch of a worker that returns None, silently.", "trap 25", backends=("jax", "torch")),
    Fact("waits forever for a worker that returns None.", "trap 25", backends=("tensorflow",)),
    Fact(
        "refuses labels in a list from a generator or PyDataset: yield tuples.",
        "trap 4",
        backends=("tensorflow",),
    ),
    Fact(
        "keeps the type of the first two batches: after integers there, a later 0.5 becomes 0.",
        "trap 15",
        backends=("tensorflow",),
    ),
    Fact("adds zero to the loss for a class id outside of the classes.", "trap 8", backends=("jax",)),
    Fact(
        "takes labels of -100 for no label, and raises for other class ids outside of the classes.",
        "trap 8",
        since="3.14",
        backends=("torch",),
    ),
    Fact(
        "sends batches to the device before a step asks for them; feed.state() counts those that were used.",
        "note 19",
        before="3.11",
        backends=("jax",),
    ),
    Fact(
        "sends batches to the device before a step asks for them; feed.state() counts those that were used.",
        "note 19",
        since="3.14",
        before="3.15",
        backends=("jax",),
    ),
)


@dataclass(frozen=True)
class Environment:
    """The installed Keras and its backend.

    Attributes:
        versions: the versions of Keras, the backend, polyhead and Python.
        facts: what is known about them.
        notes: whether they are in the tested ranges.
    """

    versions: dict[str, str]
    backend: str
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the table as a dict for JSON."""
        facts = [{"words": fact.words, "source": fact.source} for fact in self.facts]
        rest = {"facts": facts, "notes": list(self.notes)}
        return {"versions": self.versions, "backend": self.backend, **rest}

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [f"{versions}; backend {self.backend}", *(f"  {note}" for note in self.notes), ""]
        lines += [f"what this Keras does with several outputs ({len(self.facts)} things are known):"]
        return "\n".join([*lines, *(f"  - {fact.words} ({fact.source})" for fact in self.facts)])


def current_backend() -> str:
    """Return the backend of Keras, without importing it; empty if it is not known yet."""
    keras = sys.modules.get("keras")
    return str(keras.config.backend()) if keras is not None else os.environ.get("KERAS_BACKEND", "")


def environment() -> Environment:
    """Describe the installed Keras and its backend."""
    import keras

    backend = str(keras.backend.backend())
    versions = {"keras": str(keras.__version__), backend: _version(backend)}
    versions |= {"polyhead": _version("polyhead"), "python": platform.python_version()}
    return environment_of(versions, backend)


def environment_of(versions: dict[str, str], backend: str) -> Environment:
    """Return what is known about these versions."""
    keras = versions["keras"]
    facts = tuple(fact for fact in FACTS if fact.holds(keras, backend))
    notes = [_tested(name, versions[name]) for name in ("keras", backend) if name in TESTED]
    return Environment(versions, backend, facts, tuple(notes))


def _tested(name: str, version: str) -> str:
    oldest, newest = TESTED[name]
    if not _version_numbers(version):
        return f"{name} is not installed"
    if _version_numbers(version) < _version_numbers(oldest):
        return f"{name} {version} is older than {oldest}, the oldest that is tested"
    if _version_numbers(version) > _version_numbers(newest):
        return f"{name} {version} is newer than {newest}, the newest that was tested"
    return f"{name} {version} lies in the tested range, {oldest} to {newest}"


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):  # TensorFlow has several packages
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return str(getattr(sys.modules.get(package), "__version__", ""))


def _version_numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version.

    >>> _version_numbers("3.16.0.dev202611"), _version_numbers("2.13.0+cpu")
    ((3, 16, 0), (2, 13, 0))
    """
    numbers = []
    for part in version.partition("+")[0].split(".")[:3]:
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
