"""Rejects training on several devices or in several processes where each would train its own model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from polyhead.errors import ContractError, Problem, counted, warn
from polyhead.order.epochs import this_shard

BATCH_SIZE, LAST_BATCH = "batch_size", "last batch"
"""The names of the two batch sizes in `FeedIterator.sizes`, as messages show them."""


def require_shares(use: str, sizes: Mapping[str, int], devices: int) -> None:
    """Raise if the devices cannot share a batch; JAX would raise only in the step, maybe the last one of an epoch.

    Batches are not padded with rows of weight 0, because unweighted metrics and the losses of steps would count them.

    Args:
        use: the method of Keras, or ``"validation"``.
        sizes: the numbers of rows that a batch can have, from `FeedIterator.sizes`.
        devices: how many share a batch.

    Raises:
        ContractError: naming the number of rows that cannot be divided, and what to do.
    """
    for batch, size in sizes.items():
        if size % devices:
            if batch == BATCH_SIZE:
                fix = _nearest_sizes(size, devices)
            else:
                fix = _shared_by(devices, use, size, alone=len(sizes) == 1)
            where = f"fit(validation_data=), {batch}" if use == "validation" else batch
            expected = f"a number of rows that {devices} devices divide"
            raise ContractError(Problem(where, expected, str(size), fix))


def _nearest_sizes(size: int, devices: int) -> str:
    """Return the fix for a batch size that the devices do not divide.

    >>> _nearest_sizes(30, 4), _nearest_sizes(3, 4)
    ('Say batch_size=28 or batch_size=32.', 'Say batch_size=4.')
    """
    below = size - size % devices
    choices = [f"batch_size={size}" for size in (below, below + devices) if size]
    return f"Say {' or '.join(choices)}."


def _shared_by(devices: int, use: str, last: int, alone: bool) -> str:
    """Return the fix for a last batch whose rows cannot be divided among the devices.

    Args:
        use: as for `require_shares`.
        alone: whether it is the only batch.
    """
    if use == "predict":
        return "Say ph.predict(model, feed), which takes any number of rows."
    left = counted(last % devices, "row")
    if alone and last < devices:
        fix = f"Give at least {devices} rows, or use fewer devices."
    elif alone:
        fix = f"Leave out {left}."
    elif use == "fit":
        fix = f"Say Feed(drop_remainder=True), or leave out {left}."
    else:
        rows = "rows" if use == "evaluate" else "val"
        fix = f"Leave out {left}, or say feed.on({rows}, drop_remainder=True)."
    return fix if use == "fit" else f"{fix} ph.evaluate(model, feed) takes any number of rows."


def sharing_devices() -> int:
    """The number of devices of this process that share each batch by a Keras distribution; 1 without one."""
    import keras

    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh, name = distribution.device_mesh, distribution.batch_dim_name
    devices = mesh.shape[mesh.axis_names.index(name)] if name in mesh.axis_names else 1
    return int(max(1, devices // this_shard()[1]))  # each process provides the rows of its own devices


def sharing_replicas(model: Any) -> int:
    """The number of replicas that share each batch by a strategy of TensorFlow; 1 without one."""
    return int(getattr(getattr(model, "distribute_strategy", None), "num_replicas_in_sync", 1))


_HOOKS = (
    "Average gradients in hooks: for p in model.parameters(): p.register_post_accumulate_grad_hook(average), where "
    "average(p) says torch.distributed.all_reduce(p.grad) and p.grad /= torch.distributed.get_world_size()."
)
_MESH = "Say keras.distribution.set_distribution(keras.distribution.DataParallel()) before the model is made."
_ALONE = "For a model of its own in each process, on all rows, say Feed(shard=(0, 1))."


def require_one_model(model: Any, alone: bool) -> None:
    """Raise if several processes would each train their own model, on their parts of the rows.

    Args:
        model: the model that ``fit`` trains.
        alone: whether the feed is declared to give each process all rows.

    Raises:
        ContractError: if nothing shares the gradients.
    """
    count = this_shard()[1]
    if count == 1 or alone or _share_gradients(model):
        return
    import keras

    fix = _MESH if keras.backend.backend() == "jax" else _HOOKS
    where = f"fit, in {count} processes"
    expected = "gradients that the processes share"
    found = "nothing that shares them: each would train another model, on its part of the rows"
    problem = Problem(where, expected, found, f"{fix} {_ALONE}", "several-models", warning=own_step(model))
    if not problem.warning:
        raise ContractError(problem)
    warn(problem)  # the user's own step may share them itself


def _share_gradients(model: Any) -> bool:
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        return keras.distribution.distribution() is not None
    if backend == "tensorflow":
        strategy = model.distribute_strategy
        return type(strategy).__name__ != "_DefaultDistributionStrategy"
    parameters = [p for p in model.parameters() if p.requires_grad]
    return bool(parameters) and all(map(_is_shared, parameters))


def _is_shared(parameter: Any) -> bool:
    """Return whether a parameter has hooks on its gradient, or is itself distributed over several devices."""
    tensor = sys.modules.get("torch.distributed.tensor")
    return (
        bool(getattr(parameter, "_backward_hooks", None))
        or bool(getattr(parameter, "_post_accumulate_grad_hooks", None))
        or isinstance(parameter, getattr(tensor, "DTensor", ()))
    )


def own_step(model: Any) -> bool:
    """Return whether the user trains with a step or an optimizer other than Keras's."""
    step = getattr(type(model).train_step, "__module__", "")
    optimizer = type(model.optimizer).__module__ if model.optimizer is not None else "keras."
    return not (step.startswith("keras.") and optimizer.startswith("keras."))
