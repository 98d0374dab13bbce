"""Reads the epochs of a run of ``fit``, and sets their length."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyhead.keras_bridge.keras_call import Call
from polyhead.order.position import unknown_count


def batches_asked_for(run: Any) -> Callable[[], int | None]:
    """Counts the batches that training steps have asked Keras's iterator for; Keras may draw some of them ahead."""
    refers = weakref.ref(run)
    return lambda: getattr(refers(), "_steps_seen", None)


def trained(model: Any) -> Callable[[], int | None]:
    """Counts the steps that the optimizer takes from now on.

    None where it cannot tell from the start; 0 for a model that is gone by then, or has lost its weights on JAX, as is
    one whose first step failed.
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
    except Exception:  # JAX keeps it elsewhere while it trains, or in parts on other machines
        return None


def set_length(call: Call, steps: int, endless: bool) -> None:
    """Set the number of batches of the epoch that begins: a resumed one has fewer, also on the progress bar.

    Args:
        call: of ``fit``.
        steps: how many.
        endless: batches go on from epoch to epoch, as with ``steps_per_epoch``.
    """
    import keras

    if endless:
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


def draw_anew(run: Any) -> None:
    """Have Keras draw from a new iterator, where it would go on with the last one, and with what it drew ahead."""
    if hasattr(run, "_current_iterator"):
        run._current_iterator = None


@dataclass(frozen=True)
class Backup:
    """A backup that ``BackupAndRestore`` has restored.

    Attributes:
        epoch: that Keras begins with.
        steps: batches of it that the weights were trained on already.
        sure: whether the optimizer has taken as many steps as that says; else Keras has counted from the beginning of
            an epoch that was itself resumed.
    """

    epoch: int
    steps: int
    sure: bool = True


def backup(call: Call, steps: int) -> Backup | None:
    """The backup from which a run of ``fit`` was just restored; None where there is none.

    Args:
        call: of ``fit``.
        steps: batches in an epoch of ``fit``.
    """
    import keras

    for callback in call.callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            try:
                text = Path(callback.backup_dir, "training_metadata.json").read_text()
                found = json.loads(text)
                return _backup_of(
                    int(found["epoch"]), int(found["batch"]), callback.save_freq, call.model, steps
                )
            except (OSError, ValueError, KeyError, TypeError):  # as before the first backup
                return None
    return None


def _backup_of(epoch: int, batch: int, save_freq: Any, model: Any, steps: int) -> Backup:
    taken, before = _iterations(model), epoch * steps
    if batch == 0 and (save_freq == "epoch" or taken == before):
        return Backup(epoch, 0)  # made between two epochs
    done = batch + 1
    # of several steps in one execution Keras 3.10 names the first, newer ones the last
    several = steps_per_execution(model)
    if taken is not None and done < taken - before < done + several:
        done = taken - before
    return Backup(epoch, min(done, steps), taken is None or taken - before <= done)


def steps_per_execution(model: Any) -> int:
    """The number of batches that the model takes at once."""
    return max(1, int(getattr(model, "steps_per_execution", None) or 1))
