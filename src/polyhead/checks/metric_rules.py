"""Checks whether metrics suit their head, by the form of the labels and the scale of the output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from polyhead.checks.loss_rules import crosses_rows, crossing, too_coarse, too_fine, values_shape
from polyhead.errors import Problem, place
from polyhead.keras_bridge.identifiers import snake_name, weights_parameter
from polyhead.kinds import Head
from polyhead.kinds.keras_names import SPARSE_LOSSES

_IDS = {"sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "sparse_categorical_crossentropy"}
_ONE_HOT = {
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "one_hot_io_u",
    "one_hot_mean_io_u",
    "top_k_categorical_accuracy",
}
_OF_FUNCTIONS = {"MeanMetricWrapper", "FunctionMean"}
"""The classes of metrics that are named after their function."""
_F_SCORES = {"f1_score", "f_beta_score"}
_SWEEPS = {
    "precision_at_recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
}
"""Metrics that use thresholds from 0 to 1."""
_CUTS = {
    "binary_accuracy",
    "binary_io_u",
    "false_negatives",
    "false_positives",
    "precision",
    "recall",
    "true_negatives",
    "true_positives",
    *_F_SCORES,
}
_ID_OVERLAPS = {"io_u", "mean_io_u"}
"""Metrics that read class ids; they read outputs as class ids too, unless ``sparse_y_pred=False``."""
_BY_SIGMOID = {"auc", "binary_crossentropy", "binary_focal_crossentropy"}
"""Metrics that apply a sigmoid to logits."""
_DISTANCES = {
    "cosine_similarity",
    "huber",
    "kl_divergence",
    "log_cosh",
    "log_cosh_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "r2_score",
    "root_mean_squared_error",
}
"""Metrics that compare labels with outputs as numbers of one kind."""
_OTHERS = {"accuracy", "hinge", "squared_hinge"} | _BY_SIGMOID | _DISTANCES
_OF_BEST = {"sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy"}
_KNOWN = _IDS | _ONE_HOT | _SWEEPS | _CUTS | _ID_OVERLAPS | _OTHERS


def metric_kind(metric: Any) -> str:
    """Return the name of a Keras metric's class in snake case; empty for other metrics.

    A subclass that reads labels and outputs as its parent does has the name of the parent.

    >>> import keras
    >>> metric_kind(keras.metrics.TopKCategoricalAccuracy()), metric_kind(keras.metrics.get("mse"))
    ('top_k_categorical_accuracy', 'mean_squared_error')
    """
    function = getattr(metric, "_fn", None)
    exact = type(metric).__name__ in _OF_FUNCTIONS
    owner = function if exact else _keras_class(metric)
    if not str(getattr(owner, "__module__", "")).startswith(("keras.", "polyhead.")):
        return ""
    name = getattr(owner, "__name__", type(owner).__name__)
    kind = snake_name(name)
    kind = {"kldivergence": "kl_divergence", "fbeta_score": "f_beta_score"}.get(kind, kind)
    return kind if kind in _KNOWN else ""


def _keras_class(metric: Any) -> Any:
    """Return the class of a metric, or the Keras class whose ``update_state`` and ``get_config`` it inherits."""
    own = type(metric)
    classes = (parent for parent in own.__mro__ if parent.__module__.startswith(("keras.", "polyhead.")))
    parent = next(classes, own)
    inherits = all(
        getattr(own, name, None) is getattr(parent, name, None) for name in ("update_state", "get_config")
    )
    return parent if inherits else own


def check_metrics(
    metrics: Mapping[str, list[Any]],
    heads: Mapping[str, Head],
    weighted: frozenset[str],
    logits: Mapping[str, bool | None],
    by_hand: bool = False,
) -> Iterator[Problem]:
    """Find metrics that would misread their head, don't accept its weights, or have the name of another.

    Args:
        metrics: ``{head: its Keras metrics}``.
        heads: the heads whose metrics the user chose.
        logits: whether the output of each head is logits; None if that is unknown.
        by_hand: whether the model was compiled by ``model.compile``; many of the problems are then warnings.
    """
    for name, head in heads.items():
        yield from _check_each(name, head, metrics[name], logits[name], by_hand)
        if name in weighted:
            yield from _check_reductions(name, head, metrics[name], by_hand)
    yield from _check_metric_names(metrics, by_hand)
    if weighted and not by_hand:
        yield from _check_signatures(metrics)


def _check_each(
    name: str, head: Head, metrics: Iterable[Any], logits: bool | None, by_hand: bool
) -> Iterator[Problem]:
    """Find metrics that would misread a head."""
    for metric in metrics:
        kind = metric_kind(metric)
        if not kind:
            values = _averaged_function(metric)
            if values is not None and crosses_rows(values, head):
                yield crossing(name, "metric", metric.name)
            continue
        check = _check_overlap if kind in _ID_OVERLAPS else _check_form
        problem = check(name, head, kind, metric)
        if problem is None and kind in _OF_BEST:
            problem = _check_best(name, head, kind, metric)
        if problem is None and logits is not None and head.probabilities:
            problem = _check_scale(name, head, kind, metric, logits, by_hand)
        if problem is not None:
            yield problem


def _check_reductions(name: str, head: Head, metrics: Iterable[Any], by_hand: bool) -> Iterator[Problem]:
    """Find functions with one number per batch, which counts missing labels too, or coarser values than the weights."""
    for metric in metrics:
        values = _averaged_function(metric)
        if values is None or metric_kind(metric):
            continue
        shape = values_shape(values, head)
        if shape and not by_hand:  # Keras passes weights only to `weighted_metrics`
            # with a weight for each number, a metric counts single numbers, or rows with their smallest weight
            weights = head.weight_shape[:-1] if head.elementwise else head.weight_shape
            if problem := too_fine(name, head, weights, shape, "metric"):
                yield replace(problem, found=f"{metric.name}, with {problem.found}", code="metric")
        elif shape == ():
            problem = too_coarse(name, "metric", f"{metric.name}, one number for the whole batch")
            yield replace(problem, code="metric", warning=by_hand)


def _averaged_function(metric: Any) -> Callable[[Any, Any], Any] | None:
    """The function whose values a metric averages; None for other metrics."""
    function = getattr(metric, "_fn", None)
    return None if function is None else partial(function, **(getattr(metric, "_fn_kwargs", None) or {}))


def _check_signatures(metrics: Mapping[str, Iterable[Any]]) -> Iterator[Problem]:
    """Find metrics that take no weights, for a feed whose batches have weights."""
    for head, of_head in metrics.items():
        for metric in of_head:
            if not weights_parameter(type(metric).update_state):
                expected = (
                    "a metric that takes weights, as labels can be missing or are weighted in this feed"
                )
                found = f"{type(metric).__name__}, whose update_state has no sample_weight"
                fix = "Write update_state(self, y_true, y_pred, sample_weight=None): rows of weight 0 do not count."
                yield Problem(place(head=head), expected, found, fix, "metric")


def _check_metric_names(metrics: Mapping[str, Iterable[Any]], by_hand: bool) -> Iterator[Problem]:
    """Find metrics with the same name, of which only one would be logged, and metrics shared by several heads."""
    owners: dict[int, str] = {}
    logged = {f"{head}_loss": head for head in metrics}
    for head, of_head in metrics.items():
        for metric in of_head:
            name = f"{head}_{metric.name}"
            owner = owners.setdefault(id(metric), head)
            if owner != head:
                expected = "a metric of its own"
                found = f"{metric.name}, which is that of head `{owner}` as well"
                fix = "It would count the rows of both heads together: make one for each."
                yield Problem(place(head=head), expected, found, fix, "metric-shared", warning=by_hand)
            elif name in logged:
                and_head = "" if logged[name] == head else f', as head `{logged[name]}` logs "{name}" as well'
                expected = 'metrics with different names, other than "loss"'
                fix = "Only one of them would be logged: say name= in the other."
                found = f"{metric.name}{and_head}"
                yield Problem(place(head=head), expected, found, fix, "metric-name", warning=by_hand)
            logged.setdefault(name, head)


def _check_overlap(name: str, head: Head, kind: str, metric: Any) -> Problem | None:
    """Return the problem of an intersection over union that would truncate scores to class ids."""
    one_of_several = "softmax" in head.probabilities
    if not head.probabilities or (one_of_several and not metric.sparse_y_pred):
        return None
    title = type(metric).__name__
    fix = f"Say {title}(sparse_y_pred=False)." if one_of_several else "Say keras.metrics.BinaryIoU()."
    found = f"{title}, which reads class ids"
    return Problem(place(head=name), "a metric that reads the output's scores", found, fix, "metric")


def _check_form(name: str, head: Head, kind: str, metric: Any) -> Problem | None:
    """Return the problem of a metric that reads labels of another form."""
    title = kind if type(metric).__name__ in _OF_FUNCTIONS else type(metric).__name__
    labels, fix, warning = "", "", False
    if head.losses == SPARSE_LOSSES:
        if kind not in _IDS:
            labels = "class ids"
            fix = "Say metrics=[keras.metrics.SparseCategoricalAccuracy()], or ph.Categorical(one_hot=True)."
    elif kind in _IDS:
        labels = (
            "one-hot" if "softmax" in head.probabilities else "0 and 1" if head.probabilities else "numbers"
        )
        fix = "It reads class ids: use the metric without `sparse` in its name."
    elif kind == "accuracy" and head.probabilities:
        labels = "compared with probabilities"
        fix = 'It tests whether two numbers are equal: say metrics=["accuracy"].'
    elif kind in ("accuracy", "binary_accuracy") and not head.probabilities:
        labels, warning = "numbers", True
        fix = 'It counts labels that are exactly 0 or 1: say metrics=["mae"], or ph.Binary for yes and no.'
    elif head.probabilities and "softmax" not in head.probabilities:
        if kind in _F_SCORES and metric.get_config().get("threshold") is None:
            labels = "0 and 1"
            fix = (
                f"Without a threshold it takes the largest output of a row for 1: say {title}(threshold=0.5)."
            )
        elif kind in _ONE_HOT:
            labels = "0 and 1"
            fix = "It compares the largest output of a row: say metrics=[keras.metrics.BinaryAccuracy()]."
        warning = head.output_shape[-1] > 1  # it may be intended
    if not labels:
        return None
    expected = f"a metric for {type(head.inner).__name__}, whose labels are {labels}"
    return Problem(place(head=name), expected, title, fix, "metric", warning=warning)


def _check_best(name: str, head: Head, kind: str, metric: Any) -> Problem | None:
    """Return the problem of a metric of the ``k`` best classes if there are not more classes."""
    best = (getattr(metric, "_fn_kwargs", None) or {}).get("k", 5)
    classes = head.output_shape[-1]
    if best <= classes:
        return None
    expected = f"a metric of at most {classes} classes, as there are no more"
    fix = "Say metrics=[keras.metrics."
    fix += f"{'Sparse' * kind.startswith('sparse')}TopKCategoricalAccuracy(k={max(1, classes - 1)})]."
    return Problem(place(head=name), expected, f"the best {best}", fix, "metric")


def _check_scale(
    name: str, head: Head, kind: str, metric: Any, logits: bool, by_hand: bool
) -> Problem | None:
    """Return the problem of a metric that reads logits as probabilities, or probabilities as logits."""
    config: Mapping[str, Any] = metric.get_config()
    title = kind if type(metric).__name__ in _OF_FUNCTIONS else type(metric).__name__
    activation = f'Give the output layer activation="{head.probabilities[0]}".'
    from_logits = config.get("from_logits")
    if from_logits is None and isinstance(getattr(metric, "_fn_kwargs", None), Mapping):
        from_logits = metric._fn_kwargs.get("from_logits", False if kind.endswith("crossentropy") else None)
    cuts, one_by_one = _thresholds(kind, config), _BY_SIGMOID | {"binary_accuracy"}
    if logits:
        if kind in _SWEEPS | _DISTANCES or ("softmax" in head.probabilities and kind in one_by_one):
            fix = activation
        elif from_logits is False:
            # by hand, Keras makes a metric given by name for probabilities
            by_name = "" if by_hand else f", or metrics=[{metric.name!r}]"
            fix = f"Say {title}(from_logits=True){by_name}."
        elif any(0 < cut < 1 for cut in cuts):
            by_name = "" if by_hand else 'metrics=["accuracy"], or '
            accuracy = f"Say {by_name}BinaryAccuracy(threshold=0)."
            fix = accuracy if kind == "binary_accuracy" else activation
        else:
            return None
        expected, found = "a metric for logits, as the output holds them", f"{title} for probabilities"
    else:
        if from_logits:
            fix = f"Leave from_logits out of {title}."
        elif any(cut <= 0 for cut in cuts):
            fix = f"Leave the threshold out of {title}."
        else:
            return None
        expected, found = "a metric for probabilities, as the output holds them", f"{title} for logits"
    return Problem(place(head=name), expected, found, fix, "metric-scale", warning=True)


def _thresholds(kind: str, config: Mapping[str, Any]) -> list[float]:
    """The thresholds that a metric applies to the output."""
    if kind not in _CUTS or config.get("top_k") is not None:
        return []
    thresholds = config.get("thresholds", config.get("threshold"))
    if thresholds is None:
        return [] if kind in _F_SCORES else [0.5]
    return [float(cut) for cut in (thresholds if isinstance(thresholds, (list, tuple)) else [thresholds])]
