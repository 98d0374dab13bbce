"""Reads and changes the epochs of a run of ``fit``."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyhead.keras_bridge.keras_call import Call
from polyhead.order.position import unknown_count


def counter_of_batches(run: Any) -> Callable[[], int | None]:
    """Return a function that counts the batches drawn by training steps; Keras itself may draw further ones ahead."""
    refers = weakref.ref(run)
    return lambda: getattr(refers(), "_steps_seen", None)


def counter_of_steps(model: Any) -> Callable[[], int | None]:
    """Return a function that counts the steps that the optimizer takes from now on.

    It returns None if the optimizer does not count steps; 0 if the model is gone or has lost its weights on JAX, as
    after a failed first step.
    """
    begun, refers = _iterations(model), weakref.ref(model)
    if begun is None:
        return unknown_count

    def count() -> int | None:
        now = _iterations(refers())
        return 0 if now is None else now - begun

    return count


def _iterations(model: Any) -> int | None:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or getattr(optimizer, "gradient_accumulation_steps", None):
        return None
    try:
        return int(optimizer.iterations)
    except Exception:  # on JAX it may be kept elsewhere while training, or be distributed over machines
        return None


def set_length(call: Call, steps: int) -> None:
    """Set the number of batches of the epoch of ``fit`` that begins, also for the progress bar.

    A resumed epoch has fewer than others.
    """
    import keras

    if call.steps:
        call.run.steps_per_epoch = steps
    elif hasattr(call.run, "_num_batches"):
        call.run._num_batches = steps
    for callback in call.callbacks:
        params = getattr(callback, "params", None)
        if isinstance(params, dict) and "steps" in params:
            params["steps"] = steps
        if isinstance(callback, keras.callbacks.ProgbarLogger):
            callback.target = steps
            if callback.progbar is not None:
                callback.progbar.target = steps


def discard_drawn(run: Any) -> None:
    """Make Keras draw from a new iterator, instead of the last one and the batches that it drew ahead."""
    if hasattr(run, "_current_iterator"):
        run._current_iterator = None


@dataclass(frozen=True)
class Backup:
    """A backup that ``BackupAndRestore`` has restored.

    Attributes:
        epoch: the epoch that Keras begins with.
        steps: the number of its batches on which the weights were already trained.
        sure: whether the optimizer has taken as many steps as these numbers say; otherwise Keras has counted from the
            beginning of an epoch that was itself resumed.
    """

    epoch: int
    steps: int
    sure: bool = True


def restored_backup(call: Call, steps: int) -> Backup | None:
    """Return the backup from which a run of ``fit`` was just restored; None without one.

    Args:
        steps: the number of batches in an epoch of ``fit``.
    """
    import keras

    for callback in call.callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            try:
                saved = json.loads(Path(callback.backup_dir, "training_metadata.json").read_text())
                # in the first epoch of a run, Keras writes 0 for initial_epoch
                epoch, batch = int(saved["epoch"]) or call.initial_epoch, int(saved["batch"])
                return _backup_of(epoch, batch, callback.save_freq, call.model, steps)
            except (OSError, ValueError, KeyError, TypeError):  # there is no backup yet
                return None
    return None


def _backup_of(epoch: int, batch: int, save_freq: Any, model: Any, steps: int) -> Backup:
    iterations = _iterations(model)
    in_epoch = None if iterations is None else iterations - epoch * steps
    if batch == 0 and (save_freq == "epoch" or in_epoch == 0):
        return Backup(epoch, 0)  # saved between two epochs
    done = batch + 1
    # if one execution has several steps, Keras 3.10 gives the first of them, newer versions the last
    if in_epoch is not None and done < in_epoch < done + steps_per_execution(model):
        done = in_epoch
    return Backup(epoch, min(done, steps), in_epoch is None or in_epoch <= done)


def steps_per_execution(model: Any) -> int:
    """The number of batches that one execution of the model's step takes."""
    return max(1, int(getattr(model, "steps_per_execution", None) or 1))
