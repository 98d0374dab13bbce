"""Checks each model that a feed is used with, and keeps the places of inputs and heads in it."""

from __future__ import annotations

import weakref
from typing import Any

from polyhead.checks.compiled_declaration import other_meaning
from polyhead.checks.compiled_model import compiled_loss, head_losses
from polyhead.checks.contract import Declared, check
from polyhead.checks.model_match import Fit, match_model
from polyhead.errors import ContractError, DataError, Problem, place, warn
from polyhead.keras_bridge.identifiers import require_model
from polyhead.keras_bridge.structure import Structure
from polyhead.order import Order
from polyhead.pipeline import Assembler
from polyhead.pipeline.row_checks import inspect_rows


class Binding:
    """Checks models against a feed, each one once per compilation."""

    def __init__(self, declared: Declared, assembler: Assembler, order: Order) -> None:
        self._declared, self._assembler, self._order = declared, assembler, order
        self._met: weakref.WeakKeyDictionary[Any, tuple[Any, Structure]] = weakref.WeakKeyDictionary()
        self._predicting: weakref.WeakKeyDictionary[Any, tuple[Any, Structure]] = weakref.WeakKeyDictionary()

    def check(
        self, model: Any, rows: int | str | None = None, compiled: bool = True
    ) -> tuple[Fit, list[Problem]]:
        """Compare the feed with a model, and check rows; ``compiled`` as in `structure`."""
        seen = inspect_rows(self._assembler, self._order, rows)
        return check(model, self._declared, seen, compiled), seen.problems

    def require(self, model: Any, compiled: bool = True) -> Fit:
        """Return the report on a model that the feed fits, with its warnings.

        Raises:
            ContractError: for a model that the feed does not fit.
            DataError: for wrong rows.
        """
        fit, wrong_rows = self.check(model, compiled=compiled)
        if not fit.ok:
            raise ContractError(*fit.errors, *wrong_rows)
        if wrong_rows:
            raise DataError(*wrong_rows)
        return fit

    def structure(self, model: Any, compiled: bool = True) -> Structure:
        """Return the places of inputs and heads in a model that the feed fits, and give the warnings of the check.

        Args:
            compiled: whether to check losses and metrics too.

        Raises:
            ContractError, DataError: as for `require`.
        """
        require_model(model, "feed.bind(model)")
        known = self._met.get(model)
        if known is None or (compiled and _recompiled(model, known[0])):
            fit = self.require(model, compiled)
            for problem in fit.warnings:
                if not self._is_known(problem, compiled and head_losses(model) is not None):
                    warn(problem)
            known = self._met[model] = (compiled_loss(model) if compiled else None, fit.structure)
        return known[1]

    def compiled(self, model: Any) -> None:
        """Note that a model was compiled for this feed, whose losses and metrics were checked before."""
        self._met[model] = (compiled_loss(model), self._met[model][1])

    def _is_known(self, problem: Problem, by_polyhead: bool) -> bool:
        """Return whether the user was warned before, by `polyhead.compile` (label scale) or by the feed (one class)."""
        if problem.code == "constant":
            labels = self._assembler.labels.items()
            return any(label.of_one_class and problem.place == place(head=name) for name, label in labels)
        return by_polyhead and problem.code == "label-scale"

    def structure_to_predict(self, model: Any) -> Structure:
        """Return the places of inputs in a model that is only used to predict; its outputs may be anything.

        Raises:
            ContractError: for a model that the inputs do not fit, or that was compiled for inputs of another meaning.
        """
        known = self._met.get(model)
        if known is None or _recompiled(model, known[0]):
            known = self._predicting.get(model)
        if known is None or _recompiled(model, known[0]):
            declared = self._declared
            fit = match_model(model, declared.inputs, {}, declared.batch_size)
            problems = [*fit.errors, *other_meaning(model, declared.inputs, {})]
            if problems:
                raise ContractError(*problems)
            known = self._predicting[model] = (compiled_loss(model), fit.structure)
        return known[1]


def _recompiled(model: Any, known: Any) -> bool:
    loss = compiled_loss(model)
    return loss is not None and loss is not known
