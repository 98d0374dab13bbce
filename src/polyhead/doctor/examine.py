"""`examine`: finds mistakes in hand-written generators and datasets."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from polyhead.checks.compiled_model import compiled_loss, lacks_loss
from polyhead.doctor import batch_layout, cost, declare, input_checks, matching, shared_columns, value_checks
from polyhead.doctor.epoch_checks import check_epochs, period
from polyhead.doctor.epoch_parts import CheckResult
from polyhead.doctor.examination import Examination
from polyhead.doctor.leaf_names import Matches, with_article
from polyhead.doctor.model_signature import Model, signature_of
from polyhead.doctor.reading import Clock, Reading, Worker, read_batches
from polyhead.doctor.subjects import Subject, recognize
from polyhead.doctor.weight_checks import check_weights
from polyhead.doctor.workers import check_item, check_workers, restored_random_state
from polyhead.errors import ContractError, PolyheadError, Problem, counted, is_number, require_size, shown
from polyhead.feed import Feed
from polyhead.foreign_errors import line_of_user, quoted_error
from polyhead.keras_bridge.structure import makes_own_loss
from polyhead.kinds import CLASS_A_STEP


def examine(
    obj: Any,
    model: Any = None,
    batches: int = 50,
    *,
    steps_per_epoch: int | None = None,
    seconds: float = 60.0,
) -> Examination:
    """Find mistakes in a generator or a dataset, without training on it.

    It reads at most ``batches`` batches, twice if possible, and compares them with each other and with the model. It
    does not change the model or the global random states of NumPy, ``random`` and torch. Problems name batches and
    rows, counted from 0; in arrays only rows.

    Args:
        obj: a generator, a function without arguments that makes one, a ``PyDataset``, a ``tf.data``, torch or
            grain dataset, or arrays as a tuple ``(x, y)`` or ``(x, y, weights)``.
        model: a built Keras model, compiled or not.
        batches: the most batches to read, at least 1.
        steps_per_epoch: the argument that you pass to ``fit``, if any.
        seconds: the time limit; the report says what was left out.

    Returns:
        A report: ``report.ok``, ``report.problems`` (each with a ``code``), ``report.notes``,
        ``report.unseen``, ``report.declaration``; ``print(report)``.

    Raises:
        ContractError: if no batches can be read from ``obj``.

    >>> import numpy as np
    >>> import polyhead as ph
    >>> def generator():
    ...     while True:
    ...         yield np.random.random((4, 3)), np.array([[0.0], [1.0], [np.nan], [1.0]])
    >>> report = ph.examine(generator, batches=2, steps_per_epoch=2)
    >>> print(report.problems[0])
    target y, batch 0, row 2: expected finite numbers, got NaN (2 rows in all). NaN times a weight of 0 is NaN:
    give 0 and a weight of 0, or declare the data as a ph.Feed, where NaN means that there is no label.
    >>> report.ok, report.problems[0].code
    (False, 'nan')
    """
    for name, value in (("batches", batches), ("steps_per_epoch", steps_per_epoch)):
        if value is not None or name == "batches":
            require_size(f"examine({name}=)", value)
    if not is_number(seconds) or not 0 < seconds < threading.TIMEOUT_MAX:
        raise ContractError(Problem("examine(seconds=)", "a number above 0", shown(seconds)))
    if isinstance(obj, Feed) and model is not None:
        fit = obj.check(model)
        if fit.errors:
            return Examination(fit.problems, fit.notes, kind="feed")
    return _read_and_compare(obj, model, batches, steps_per_epoch, seconds)


def examine_first(obj: Any, model: Any, batches: int = 8, seconds: float = 5.0) -> Examination:
    """Examine only the first batches: read nothing twice, measure nothing, and end no epoch.

    Args:
        obj: as for `examine`.
        model: as for `examine`.

    Raises:
        ContractError: if no batches can be read from ``obj``.
    """
    return _read_and_compare(obj, model, batches, None, seconds, once=True)


def _read_and_compare(
    obj: Any, model: Any, batches: int, steps: int | None, seconds: float, once: bool = False
) -> Examination:
    with Worker() as worker, restored_random_state():
        clock = Clock(seconds)
        try:
            subject = worker.do(lambda: recognize(obj, model, batches), clock.left)
        except PolyheadError:
            raise
        except (Exception, SystemExit) as error:  # a function that makes a dataset may raise anything
            return _maker_failed(obj, error)
        if once:
            subject = replace(subject, again=False, item=None, workers=0, timed=False)
        return _examine(subject, model, batches, steps, clock, worker)


def _maker_failed(obj: Any, error: BaseException) -> Examination:
    """Return the report on a function that failed to make a dataset."""
    name = getattr(obj, "__name__", "obj")
    late = isinstance(error, TimeoutError)
    found, fix = (
        ("none in time", "It waits for something.")
        if late
        else (quoted_error(error), f"Fix {line_of_user(error)}.")
    )
    code = "hangs" if late else "raises"
    return Examination((Problem(f"{name}()", "a generator or a dataset", found, fix, code),))


def _examine(
    subject: Subject, model: Any, batches: int, steps: int | None, clock: Clock, worker: Worker
) -> Examination:
    budget = clock.left
    first = read_batches(subject, batches, worker, budget * 0.6)
    problems = [*_not_for_keras(subject), *_stopped_early(first, budget, numbered=subject.item is not None)]
    notes = [f"{with_article(subject.kind)}: {_amount_read(first)}"]
    unseen: list[str] = []
    if first.first is None or first.first.parts.get("x") is None:
        return Examination(tuple(problems or _no_batches(subject)), tuple(notes), kind=subject.kind)
    item = _check_first_item(subject, first, worker, clock.left * 0.3)
    second = _read_again(subject, batches, worker, clock, first, unseen, problems)
    side, free = _tensors_of(model, first, problems, unseen)
    matches, misfits = _match_batch(subject, first, side, free)
    problems += batch_layout.check_pairs(
        first.turned or (second.turned if second is not None else None), matches
    )
    only = input_checks.no_batch(first, matches, subject, side)
    if only is not None:
        return Examination(
            (only,), tuple(notes), kind=subject.kind, batches=first.steps, unseen=tuple(unseen)
        )
    problems += misfits
    fit, matches = _compare(subject, first, side, matches, model, misfits)
    problems += fit
    for result in (
        item,
        check_epochs(subject, first, second, steps, matches),
        check_workers(subject, worker, clock.left * 0.5),
    ):
        problems += result.problems
        notes += result.notes
        unseen += result.unseen
    if not subject.declared:
        once = f"{with_article(subject.kind)} is read only once; give the function that makes it"
        unseen.append(f"the same data as a feed: {once}")
    notes += _value_notes(first, matches)
    unseen += value_checks.unread_shapes(first, matches)
    paid = cost.measure_cost(first, matches, model if subject.timed and side else None, clock.left)
    epoch = _epoch_length(first, steps)
    stacked = any(problem.code == "stacked-targets" for problem in misfits)
    if stacked:
        unseen.append("the same data as a feed: give each output its own labels first, then examine again")
    unreadable = stacked or first.uneven is not None
    return Examination(
        tuple(_rows_alone(problem, subject.cut) for problem in _without_duplicates(problems)),
        (*notes, *paid.notes),
        kind=subject.kind,
        batches=first.steps,
        rows=sum(map(len, first.rows)),
        seconds_per_batch=paid.seconds,
        bytes_per_batch=paid.bytes,
        step_share=paid.share,
        unseen=tuple(unseen),
        declaration="" if unreadable else declare.declaration(subject, first, matches, *epoch),
    )


def _compare(
    subject: Subject, first: Reading, side: Model | None, matches: Matches, model: Any, misfits: list[Problem]
) -> tuple[list[Problem], Matches]:
    """Compare the arrays of the batches with each other and with the model; return problems and the right matches."""
    assert first.first is not None
    shape = matching.example_yield(side) if side is not None and len(side.outputs) > 1 else ""
    of_outputs, outputs = value_checks.check_outputs(first, matches)
    matches = Matches(matches.inputs, outputs)
    labels_as_weights = _labels_as_weights(first, misfits)
    return [
        *batch_layout.list_targets(first.first, subject, shape),
        *of_outputs,
        *value_checks.check_losses(first, matches, of_outputs),
        *batch_layout.check_batches(first, subject, matches, shape),
        *input_checks.check_inputs(first, matches, model),
        *([] if labels_as_weights else check_weights(first, side, matches)),
        *value_checks.check_finite(first, matches, "xy" if labels_as_weights else "xyw"),
        *value_checks.check_constant(first, matches),
        *shared_columns.labels_in_inputs(first, matches, of_outputs),
    ], matches


def _labels_as_weights(first: Reading, matched: list[Problem]) -> bool:
    """Return whether the third part of a batch holds the labels of a second output, where Keras reads weights."""
    assert first.first is not None
    return first.first.size == 3 and any(problem.code == "stacked-targets" for problem in matched)


def _value_notes(first: Reading, matches: Matches) -> list[str]:
    return [
        *(f"output `{name}`: {CLASS_A_STEP}" for name in declare.steps_of(first, matches)),
        *batch_layout.omitted_inputs(first, matches),
        *value_checks.zero_weight_notes(first, matches),
        *value_checks.flat_label_notes(first, matches),
        *shared_columns.equal_label_notes(first, matches),
    ]


def _check_first_item(subject: Subject, first: Reading, worker: Worker, seconds: float) -> CheckResult:
    """Read the first item again, if there is time."""
    if subject.item is not None and 5 * max(first.seconds) > seconds:
        return CheckResult(unseen=["whether item 0 is the same when it is read again: it takes too long"])
    return check_item(subject, first, worker, seconds)


def _tensors_of(
    model: Any, first: Reading, problems: list[Problem], unseen: list[str]
) -> tuple[Model | None, bool]:
    """Describe a model's tensors, and return whether its labels are its own affair; adds what cannot be compared."""
    if model is None:
        unseen.append("whether it fits a model: none was given")
        return None, False
    assert first.first is not None
    side, why = signature_of(model, first.first.parts["x"])
    free = _reads_labels_itself(model, first)
    if isinstance(why, Problem) and not free:
        problems.append(why)
    elif isinstance(why, str) and why:
        unseen.append(why)
    if free:
        unseen.append("whether the labels fit the model: it computes its own loss")
    return side, free


def _reads_labels_itself(model: Any, first: Reading) -> bool:
    """Return whether a model was compiled without a loss, and computes its own from labels, or without any."""
    assert first.first is not None
    unlabeled = first.first.parts.get("y") is None and lacks_loss(model)
    return unlabeled or (makes_own_loss(model) and compiled_loss(model) is None)


def _match_batch(
    subject: Subject, first: Reading, side: Model | None, free: bool
) -> tuple[Matches, list[Problem]]:
    batch = first.first
    assert batch is not None
    alone = subject.kind.startswith("generator") and batch.container != "tuple" and batch.size == 1
    if side is None or batch.size > 3 or alone:  # `check_batches` reports the container
        return Matches(), []
    inputs, problems = matching.match_inputs(batch.parts["x"], side)
    if free:
        return Matches(inputs), problems
    outputs, more = matching.match_outputs(batch.parts.get("y"), side, batch.size == 3)
    matches = Matches(inputs, outputs)
    if isinstance(batch.parts["x"], Mapping) and more and more[0].code == "no-targets":
        fix = f"To Keras, a batch that is one dict is inputs alone. {more[0].fix}"
        return matches, [replace(more[0], fix=fix)]
    if any(problem.code == "swapped-targets" for problem in more):
        right = value_checks.in_sorted_order(first, matches)
        if right is not None:
            return right, [*problems, matching.sorted_by_luck(side)]
    return matches, [*problems, *more]


def _read_again(
    subject: Subject,
    batches: int,
    worker: Worker,
    clock: Clock,
    first: Reading,
    unseen: list[str],
    problems: list[Problem],
) -> Reading | None:
    """Read a second time, like in the next epoch."""
    if not subject.again or worker.stuck:
        return None
    try:
        worker.do(subject.next_epoch, clock.left * 0.3)
    except TimeoutError:
        unseen.append("a second epoch: what is called between two epochs took too long")
        return None
    except (Exception, SystemExit) as error:
        fix = f"Fix {line_of_user(error)}."
        problems.append(Problem("between two epochs", "no error", quoted_error(error), fix, "raises"))
        return None
    second = read_batches(subject, batches, worker, clock.left * 0.6, first.pairs)
    if second.failure is not None and not problems:
        problems += _stopped_early(second, clock.left, "of the second reading")
    if second.late is not None:
        unseen.append(f"all of a second epoch: time ran out after {counted(second.steps, 'batch')}")
    return second


def _not_for_keras(subject: Subject) -> list[Problem]:
    problems = []
    if subject.bad_length:
        where, fix = f"len({subject.name})", "Return an integer from __len__: math.ceil(rows / batch_size)."
        problems.append(Problem(where, "an integer", subject.bad_length, fix, "wrong-length"))
    if not subject.refused:
        return problems
    expected = "what fit takes: a generator, a PyDataset, a tf.data, torch or grain dataset, or arrays"
    fix = "Wrap it in a generator function: for batch in it: yield batch."
    if subject.listed:  # as it is read by number
        fix = "Derive its class from keras.utils.PyDataset, and call super().__init__() in its __init__."
    return [
        *problems,
        Problem(f"examine({subject.name})", expected, with_article(subject.kind), fix, "not-for-keras"),
    ]


def _stopped_early(
    reading: Reading, budget: float, which: str = "", numbered: bool = False
) -> Iterator[Problem]:
    """Return the problem that ended a reading early, if any; ``numbered``: whether batches are read by number."""
    where = f" {which}" if which else ""
    if reading.failure is not None:
        step, error = reading.failure
        fix = f"Fix {line_of_user(error)}: training would stop there, or continue without the batch."
        yield Problem(f"batch {step}{where}", "a batch", quoted_error(error), fix, "raises")
    if reading.waited > 0.3 * budget:
        yield Problem(
            f"batch {reading.late}{where}",
            "a batch within seconds",
            f"none after {reading.waited:.0f} s",
            "It may wait forever. If it is only slow, say examine(seconds=...).",
            "hangs",
        )
    empty = next((i for i, rows in enumerate(reading.rows) if not len(rows)), None)
    if empty is not None and not any(stats.odd for stats in reading.stats.values()):
        found = "None" if empty == reading.nothing else "none"
        ends = numbered and reading.ended and not any(map(len, reading.rows[empty:]))
        fix = f"return {empty} from __len__" if ends else "leave it out"
        fix = f"TensorFlow would wait for it or stop, JAX skip it: {fix}."
        yield Problem(f"batch {empty}{where}", "a batch of at least 1 row", found, fix, "empty-batch")


def _no_batches(subject: Subject) -> list[Problem]:
    fix = "Keras needs a first batch: is the data there, and does the loop run?"
    return [Problem(subject.kind, "at least one batch", "none", fix, "empty")]


def _amount_read(reading: Reading) -> str:
    words = f"{counted(reading.steps, 'batch')} read, {counted(sum(map(len, reading.rows)), 'row')}"
    if reading.late is not None:
        return f"{words}, then time ran out"
    return f"{words}, to the end" if reading.ended else words


def _epoch_length(first: Reading, steps: int | None) -> tuple[int | None, int | None]:
    """Return the numbers of rows and batches of an epoch, if an end was seen."""
    if first.ended:
        return sum(map(len, first.rows)), first.steps
    length = period([rows[:, 0] for rows in first.rows]) or steps
    if length is None or length > first.steps:
        return None, steps
    return sum(map(len, first.rows[:length])), length


def _rows_alone(problem: Problem, size: int) -> Problem:
    """Name a place in arrays only by its row, as arrays have no batches."""
    if not size:
        return problem

    def row(match: re.Match[str]) -> str:
        return f"row {int(match[1]) * size + int(match[2])}"

    place, found = (re.sub(r"batch (\d+), row (\d+)", row, text) for text in (problem.place, problem.found))
    return replace(problem, place=place, found=found)


def _without_duplicates(problems: list[Problem]) -> list[Problem]:
    """Remove problems that were found twice, and labels that moved because masks are turned apart from images."""
    unique: dict[Any, Problem] = {}
    turned = any(problem.code == "augmented-apart" for problem in problems)
    for problem in problems:
        if turned and problem.code == "labels-move":
            continue
        # these are found in one item, and again in an epoch
        alone = problem.code in ("labels-move", "rereading-differs")
        unique.setdefault(problem.code if alone else (problem.code, problem.place, problem.found), problem)
    return list(unique.values())
