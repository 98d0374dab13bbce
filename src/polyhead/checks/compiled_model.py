"""Reads losses and metrics of a compiled model by head, and finds those that would silently be wrong."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeVar

from polyhead.errors import Problem, hints, place, shown, similar
from polyhead.keras_bridge.identifiers import as_metrics
from polyhead.keras_bridge.structure import Path, Structure, at, leaves

H = TypeVar("H", bound=Hashable)


def compiled_loss(model: Any) -> Any:
    """Return the compiled losses of a model, Keras's own or `HeadLosses`; None if it is not compiled."""
    return getattr(model, "_compile_loss", None)


def user_loss(model: Any) -> Any:
    """Return Keras's ``CompileLoss`` of a model compiled by ``model.compile``; None otherwise."""
    compiled = compiled_loss(model)
    return compiled if hasattr(compiled, "_user_loss") else None


def lacks_loss(model: Any) -> bool:
    """Return whether a model was compiled without any loss."""
    return bool(getattr(model, "compiled", False)) and compiled_loss(model) is None


def lossless() -> Problem:
    """Return the problem of a model that was compiled without a loss; Keras trains it on JAX without an error."""
    fix = "Without one the heads learn nothing: say ph.compile(model, feed, optimizer=...)."
    return Problem("model.compile()", "a loss for each head", "none", fix, "loss-missing", warning=True)


def head_losses(model: Any) -> Any:
    """Return the `HeadLosses` of a model compiled by `polyhead.compile`, in this process or before it was saved.

    They are restored here in a loaded model, and in one that Keras compiled again without a loss. Return None for other
    models.
    """
    if compiled_loss(model) is not None:
        from polyhead.keras_bridge.saving import restore

        restore(model)
    compiled = compiled_loss(model)
    return compiled if hasattr(compiled, "normalize") else None


def losses_of(model: Any, outputs: Any) -> dict[Path, Any]:
    """Return the loss of each output that has one, by path, assigned as Keras assigns those of ``model.compile``.

    Args:
        model: a model, compiled or not, by polyhead or by ``model.compile``.
    """
    losses = getattr(model, "loss", None)
    paths = [path for path, _ in leaves(outputs)]
    if losses is None or [path for path, _ in leaves(losses)] == paths:
        return {path: loss for path, loss in leaves(losses) if loss is not None}
    names = _output_names(model, paths, outputs)
    return _by_output("loss", losses, [(path, path) for path in paths], names, outputs)[0]


def user_losses(model: Any, structure: Structure) -> tuple[dict[str, Any], list[Problem]] | None:
    """Return the loss of each head that was given to ``model.compile``.

    Args:
        structure: with None for an output without a head.

    Returns:
        The losses by head, without heads that have none, and the problems in how they were given. None if the model
        is not compiled, or was compiled by `polyhead.compile`.
    """
    compiled = user_loss(model)
    if compiled is None:
        return None
    given = compiled._user_loss
    places = list(leaves(structure.outputs))
    if not places:  # the outputs are unknown
        return {}, []
    names = _output_names(model, [path for path, _ in places], structure.outputs)
    losses, problems = _by_output("loss", given, places, names, structure.outputs)
    if isinstance(given, (list, tuple)) and problems:
        return {}, problems  # the head of each loss is unknown
    for _, head in places:
        if head is not None and head not in losses:
            expected, found = "a loss for it in model.compile", f"loss={shown(given)}"
            fix = "Without one it learns nothing: give it one, or leave the head out."
            silent = head in _silent(given, names, places)
            problems.append(Problem(place(head=head), expected, found, fix, "loss-missing", warning=silent))
    problems += _check_loss_weights(
        compiled._user_loss_weights, given, isinstance(structure.outputs, Mapping)
    )
    return {head: loss for head, loss in losses.items() if head is not None}, problems


def user_metrics(model: Any, structure: Structure) -> tuple[dict[str, list[Any]], list[Problem]]:
    """Return the metrics of each head that were given to ``model.compile``, weighted or not.

    Returns:
        The metrics, and the problems in how they were given.
    """
    compiled = getattr(model, "_compile_metrics", None)
    places = list(leaves(structure.outputs))
    names = _output_names(model, [path for path, _ in places], structure.outputs)
    metrics: dict[str, list[Any]] = {head: [] for _, head in places}
    problems = []
    for word in ("metrics", "weighted_metrics"):
        given = getattr(compiled, f"_user_{word}", None)
        if not given or not places:
            continue
        if len(places) == 1 and isinstance(given, (list, tuple)):
            given = [given]
        by_head, wrong = _by_output(word, given, places, names, structure.outputs)
        problems += wrong
        for head, of_head in by_head.items():
            metrics[head] += as_metrics(of_head)
    return metrics, problems


def unweighted_metrics(model: Any, weighted: frozenset[str]) -> Iterator[Problem]:
    """Find unweighted metrics, which count the placeholders of missing labels as labels."""
    given = getattr(getattr(model, "_compile_metrics", None), "_user_metrics", None)
    if given and weighted:
        expected = (
            f"weighted_metrics=, as {', '.join(f'`{n}`' for n in sorted(weighted))} have sample weights"
        )
        fix = "Plain metrics count rows without a label as well: say weighted_metrics=, or use ph.compile."
        yield Problem("model.compile(metrics=)", expected, shown(given), fix, "plain-metrics", warning=True)


def _output_names(model: Any, paths: list[Path], outputs: Any) -> list[str]:
    """Return the keys that Keras expects in a dict of losses, in order: the outputs' own, or their layers' names."""
    names = getattr(model, "output_names", None)
    if not isinstance(outputs, Mapping) and names is not None and len(names) == len(paths):
        return [str(name) for name in names]
    return ["/".join(map(str, path)) for path in paths]


def _by_output(
    word: str, given: Any, places: list[tuple[Path, H]], names: list[str], outputs: Any
) -> tuple[dict[H, Any], list[Problem]]:
    """Assign losses or metrics to outputs as Keras does; outputs without one are left out."""
    heads = [head for _, head in places]
    if isinstance(given, Mapping):
        known = dict(zip(names, heads, strict=True))
        deep = isinstance(outputs, Mapping) and any(len(path) > 1 for path, _ in places)
        if deep and any(isinstance(part, (Mapping, list, tuple)) for part in given.values()):
            keys = [*outputs, *known]
            problems = [_unknown_output(word, key, list(outputs)) for key in given if key not in keys]
            by_head = {head: _at_or_none(given, path) for path, head in places}
        else:
            problems = [_unknown_output(word, key, list(known)) for key in given if key not in known]
            by_head = {known[key]: part for key, part in given.items() if key in known}
    elif isinstance(given, (list, tuple)):
        by_head, problems = dict(zip(heads, given, strict=False)), []
        if len(given) != len(heads):
            expected = f"one for each of {len(heads)} outputs ({', '.join(names)})"
            fix = f"Name them: {word}={{{', '.join(f'{name!r}: ...' for name in names[:4])}}}."
            problems = [Problem(f"model.compile({word}=)", expected, f"{len(given)}", fix, "loss-keys")]
    else:
        by_head, problems = dict.fromkeys(heads, given), []
    return {head: part for head, part in by_head.items() if part is not None}, problems


def _at_or_none(given: Any, path: Path) -> Any:
    try:
        return at(given, path)
    except (KeyError, IndexError, TypeError):
        return None


def _unknown_output(word: str, key: str, known: list[str]) -> Problem:
    where = f"model.compile({word}=), `{key}`"
    expected = f"the name of an output ({', '.join(known)})"
    return Problem(where, expected, "no such output", similar(key, known), "loss-keys")


def _silent(given: Any, names: list[str], places: list[tuple[Path, str]]) -> set[str]:
    """Return the heads whose loss the user set to None."""
    if isinstance(given, Mapping):
        return {head for name, (_, head) in zip(names, places, strict=True) if name in given}
    if isinstance(given, (list, tuple)) and len(given) == len(places):
        return {head for part, (_, head) in zip(given, places, strict=True) if part is None}
    return set()


def _check_loss_weights(weights: Any, losses: Any, keyed: bool) -> Iterator[Problem]:
    """Find loss weights that Keras would match with losses by sorted order, ignoring their keys.

    Args:
        keyed: whether the model's outputs are a dict; otherwise Keras first sorts a dict of losses like the outputs.
    """
    where, fix = "model.compile(loss_weights=)", "Keras would match them with the losses by sorted key."
    if isinstance(weights, Mapping):
        if not isinstance(losses, Mapping):
            expected = (
                f"a list, as loss is {'a list' if isinstance(losses, (list, tuple)) else 'one for all'}"
            )
            found = f"a dict of {', '.join(map(str, weights))}"
            fix += " Give both as dicts with the same keys, or say Head(weight=...) and use ph.compile."
            yield Problem(where, expected, found, fix, "loss-weights")
            return
        missing = [key for key in losses if key not in weights and losses[key] is not None]
        strange = [key for key in weights if key not in losses]
        if missing or strange:
            expected = f"the keys of loss ({', '.join(map(str, losses))})"
            fix += " Use the same keys, or say Head(weight=...) and use ph.compile."
            fix = hints(*(similar(key, missing) for key in strange), fix)
            yield Problem(where, expected, ", ".join(map(str, weights)), fix, "loss-weights")
    elif keyed and isinstance(weights, (list, tuple)) and isinstance(losses, Mapping) and len(weights) > 1:
        expected = f"a dict with the keys of loss ({', '.join(map(str, losses))})"
        fix += " Give a dict, or say Head(weight=...) and use ph.compile."
        yield Problem(where, expected, f"a list, {shown(weights)}", fix, "loss-weights")
