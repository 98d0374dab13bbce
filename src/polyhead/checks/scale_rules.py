"""Finds heads whose labels are so large or small that the loss of one head dominates another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from polyhead.checks.model_tensors import made_by
from polyhead.checks.output_rules import Loss
from polyhead.checks.range_rules import BOUNDED
from polyhead.errors import Problem, place
from polyhead.kinds import Head
from polyhead.kinds.array_statistics import ArrayStatistics

MOST = 100
"""The ratio of the first losses of two heads from which to warn."""


_OF_THE_DATA = ("mean_absolute_percentage_error", "mean_squared_logarithmic_error", "poisson")
"""Losses that are meaningful for the original numbers, but not for scaled ones around 0."""


def unsuited_losses(heads: Mapping[str, Head], losses: Mapping[str, Loss | None]) -> Iterator[Problem]:
    """Find heads with scaled labels whose loss needs the original numbers."""
    for name, head in heads.items():
        loss = losses.get(name)
        if head.scaling is None or loss is None or loss.name not in _OF_THE_DATA:
            continue
        fix = 'Say scale="log" and loss="mean_squared_error", or leave scale= out.'
        fix += f' metrics=["{loss.name}"] gets the units of the column.'
        expected = "a loss for numbers around 0, as scale= makes them"
        yield Problem(place(head=name), expected, loss.name, fix, "scaled-loss", warning=True)


def unscaled_heads(
    heads: Mapping[str, Head],
    losses: Mapping[str, Loss | None],
    seen: Mapping[str, ArrayStatistics],
    outputs: Mapping[str, Any],
    applied: Mapping[str, str | None],
) -> Iterator[Problem]:
    """Find heads whose labels are so far from unit scale that their loss dominates another, or the reverse.

    Args:
        losses: the losses that the user chose, None for the default one.
        outputs: the symbolic outputs, as far as known.
        applied: their last activations; outputs with a bounded one are skipped, as labels outside have another problem.
    """
    first = {
        name: loss
        for name, head in heads.items()
        if head.weight > 0 and (loss := _first_loss(head, losses.get(name), seen.get(name))) is not None
    }
    for name, loss in first.items():
        labels, head = seen.get(name), heads[name].inner
        if not head.unit_fix or labels is None or loss <= 0:
            continue
        if applied.get(name) in BOUNDED or _begins_there(outputs.get(name), labels):
            continue
        apart = {other: _times_apart(name, other, first, heads) for other in first if other != name}
        other = max(apart, key=lambda key: apart[key], default=name)
        if apart.get(other, 1.0) <= MOST:
            continue
        times, large = f"about {apart[other]:.2g} times", loss > first[other]
        share = f"its first loss is {times} that of `{other}`"
        share = share if large else f"the first loss of `{other}` is {times} its own"
        expected = "labels near unit scale, as it is trained together with other heads"
        found = f"a mean of {labels.mean:.4g} and a deviation of {labels.deviation:.4g}, by which {share}"
        yield Problem(place(head=name), expected, found, head.unit_fix, "label-scale", warning=True)


def _times_apart(name: str, other: str, first: Mapping[str, float], heads: Mapping[str, Head]) -> float:
    """Return the ratio, at least 1, of the first losses of two heads; 1 if the first head's loss is nearer to 1.

    The weights of heads are intended by the user: they are applied if they bring the losses closer together, not if
    they separate them.
    """
    one, two = first[name], first[other]
    if two <= 0 or (heads[other].inner.unit_fix and abs(math.log(one)) < abs(math.log(two))):
        return 1.0
    ratios = [one / two, one * heads[name].weight / (two * heads[other].weight)]
    return max(min(ratios), min(1 / ratio for ratio in ratios))


def _first_loss(head: Head, loss: Loss | None, seen: ArrayStatistics | None) -> float | None:
    """Estimate a head's loss before training, when its output is zero or uniform; None if it is unknown."""
    if head.probabilities:
        return math.log(max(2, head.output_shape[-1])) if "softmax" in head.probabilities else math.log(2)
    if head.first_loss is not None:
        return head.first_loss
    if seen is None or not seen.numbers:
        return None
    name = "mean_squared_error" if loss is None and head.quantities else "huber"
    name = name if loss is None else loss.name
    size = math.sqrt(seen.squares / seen.numbers)
    if name == "mean_squared_error":
        return size**2
    return size if name in ("mean_absolute_error", "huber", "log_cosh") else None


def _begins_there(tensor: Any, seen: ArrayStatistics) -> bool:
    """Return whether an output starts near its labels, by the bias of its layer or by a scaling layer."""
    operation = made_by(tensor)
    if operation is None:
        return False
    if not hasattr(operation, "kernel"):
        return type(operation).__name__ in ("Rescaling", "Normalization", "Lambda", "Multiply", "Add")
    bias = getattr(operation, "bias", None)
    if bias is None:
        return False
    import keras

    try:
        start = float(keras.ops.stop_gradient(keras.ops.mean(bias.value)))
    except TypeError:
        # while JAX trains on several devices, the step has the weights: they were checked before
        return True
    apart = abs(start - seen.mean)
    return apart <= max(3 * seen.deviation, 0.1 * abs(seen.mean)) and apart < abs(seen.mean) / 2
