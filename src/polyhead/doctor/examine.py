"""`examine`: finds mistakes in hand-written generators and datasets."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from polyhead.checks.compiled_model import compiled_loss, lacks_loss
from polyhead.doctor import batch_layout, declare, exchanges, input_checks, matching, value_checks
from polyhead.doctor.cost import measure_cost
from polyhead.doctor.epoch_checks import check_epochs, period
from polyhead.doctor.examination import CheckResult, Examination
from polyhead.doctor.model_signature import Matches, Model, signature_of, with_article
from polyhead.doctor.reading import Clock, ReadBatch, Reading, Worker, read_batches
from polyhead.doctor.subjects import Subject, recognize
from polyhead.doctor.weight_checks import check_weights, zero_weight_notes
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


def examine_first(
    obj: Any, model: Any, batches: int = 8, seconds: float = 5.0, code: str = ""
) -> Examination:
    """Examine only the first batches: read nothing twice, measure nothing, and end no epoch.

    Args:
        obj: as for `examine`.
        model: as for `examine`.
        code: the object as code, for the declaration of a feed.

    Raises:
        ContractError: if no batches can be read from ``obj``.
    """
    return _read_and_compare(obj, model, batches, None, seconds, once=True, code=code)


def _read_and_compare(
    obj: Any, model: Any, batches: int, steps: int | None, seconds: float, once: bool = False, code: str = ""
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
        if code:
            subject = replace(subject, name=code, listed=subject.listed.replace("dataset", code))
        return _examine(subject, model, batches, steps, clock, worker)


def _maker_failed(obj: Any, error: BaseException) -> Examination:
    """Return the report on a function that failed to make a dataset."""
    found, fix, code = quoted_error(error), f"Fix {line_of_user(error)}.", "raises"
    if isinstance(error, TimeoutError):
        found, fix, code = "none in time", "It waits for something.", "hangs"
    name = getattr(obj, "__name__", "obj")
    return Examination((Problem(f"{name}()", "a generator or a dataset", found, fix, code),))


def _examine(
    subject: Subject, model: Any, batches: int, steps: int | None, clock: Clock, worker: Worker
) -> Examination:
    budget = clock.left
    reading = read_batches(subject, batches, worker, budget * 0.6)
    stops = _stopped_early(reading, budget, numbered=subject.item is not None)
    amount = f"{with_article(subject.kind)}: {_amount_read(reading)}"
    out = CheckResult([*_not_for_keras(subject), *stops], [amount])
    if reading.first.parts.get("x") is None:
        if not out.problems:
            fix = "Keras needs a first batch: is the data there, and does the loop run?"
            out.add(subject.kind, "at least one batch", "none", fix, "empty")
        return Examination(tuple(out.problems), tuple(out.notes), kind=subject.kind)
    item = check_item(subject, reading, worker, clock.left * 0.3)
    second = _read_again(subject, batches, worker, clock, reading, out)
    side, free = _tensors_of(model, reading, out)
    matches, misfits = _match_batch(subject, reading, side, free)
    turned = reading.turned or (second.turned if second is not None else None)
    out.problems += batch_layout.check_turned(turned, matches)
    no_batch = input_checks.no_batch(reading, matches, subject, side)
    if no_batch is not None:
        return Examination(
            (no_batch,), tuple(out.notes), kind=subject.kind, batches=reading.steps, unseen=tuple(out.unseen)
        )
    stacked = any(problem.code == "stacked-targets" for problem in misfits)
    out.problems += misfits
    problems, matches = _compare(subject, reading, side, matches, model, stacked)
    out.problems += problems
    out.extend(item)
    check_epochs(subject, reading, second, steps, matches, out)
    check_workers(subject, worker, clock.left * 0.5, out)
    no_feed = "the same data as a feed:"
    if not subject.declared:
        once = f"{with_article(subject.kind)} is read only once; give the function that makes it"
        out.unseen.append(f"{no_feed} {once}")
    out.notes += _value_notes(reading, matches)
    out.unseen += value_checks.unread_shapes(reading, matches)
    cost = measure_cost(reading, matches, model if subject.timed and side else None, clock.left)
    code = ""
    if stacked:
        out.unseen.append(f"{no_feed} give each output its own labels first, then examine again")
    elif reading.uneven is None:
        code = declare.declaration(subject, reading, matches, *_epoch_length(reading, steps))
    return Examination(
        tuple(_by_row_alone(problem, subject.cut) for problem in _without_duplicates(out.problems)),
        (*out.notes, *cost.notes),
        kind=subject.kind,
        batches=reading.steps,
        rows=reading.row_count,
        seconds_per_batch=cost.seconds,
        bytes_per_batch=cost.bytes,
        step_share=cost.share,
        unseen=tuple(out.unseen),
        declaration=code,
    )


def _compare(
    subject: Subject, reading: Reading, side: Model | None, matches: Matches, model: Any, stacked: bool
) -> tuple[list[Problem], Matches]:
    """Compare the arrays of the batches with each other and with the model; return problems and the right matches.

    Args:
        stacked: whether the labels are one array for several outputs.
    """
    shape = matching.example_yield(side) if side is not None and len(side.outputs) > 1 else ""
    of_outputs, outputs = value_checks.check_outputs(reading, matches)
    matches = Matches(matches.inputs, outputs)
    # Keras reads the labels of a second output as weights
    labels_as_weights = stacked and reading.first.size == 3
    return [
        *batch_layout.list_targets(reading.first, subject, shape),
        *of_outputs,
        *value_checks.check_losses(reading, matches, of_outputs),
        *batch_layout.check_batches(reading, subject, matches, shape),
        *input_checks.check_inputs(reading, matches, model),
        *([] if labels_as_weights else check_weights(reading, side, matches)),
        *value_checks.check_finite(reading, matches, "xy" if labels_as_weights else "xyw"),
        *value_checks.check_constant(reading, matches),
        *exchanges.labels_in_inputs(reading, matches, of_outputs),
    ], matches


def _value_notes(reading: Reading, matches: Matches) -> list[str]:
    return [
        *(f"output `{name}`: {CLASS_A_STEP}" for name in declare.steps_of(reading, matches)),
        *batch_layout.omitted_inputs(reading, matches),
        *zero_weight_notes(reading, matches),
        *value_checks.flat_label_notes(reading, matches),
        *exchanges.equal_label_notes(reading, matches),
    ]


def _tensors_of(model: Any, reading: Reading, out: CheckResult) -> tuple[Model | None, bool]:
    """Describe a model's tensors, and return whether its labels are its own affair; adds what cannot be compared."""
    if model is None:
        out.unseen.append("whether it fits a model: none was given")
        return None, False
    side, why = signature_of(model, reading.first.parts["x"])
    free = _reads_labels_itself(model, reading.first)
    if isinstance(why, Problem):
        out.problems += [] if free else [why]
    elif why:
        out.unseen.append(why)
    if free:
        out.unseen.append("whether the labels fit the model: it computes its own loss")
    return side, free


def _reads_labels_itself(model: Any, batch: ReadBatch) -> bool:
    """Return whether a model was compiled without a loss, and computes its own from labels, or without any."""
    unlabeled = batch.parts.get("y") is None and lacks_loss(model)
    return unlabeled or (makes_own_loss(model) and compiled_loss(model) is None)


def _match_batch(
    subject: Subject, reading: Reading, side: Model | None, free: bool
) -> tuple[Matches, list[Problem]]:
    batch = reading.first
    alone = subject.kind.startswith("generator") and batch.container != "tuple" and batch.size == 1
    if side is None or batch.size > 3 or alone:  # `check_batches` reports the container
        return Matches(), []
    inputs, of_inputs = matching.match_inputs(batch.parts["x"], side)
    outputs, of_outputs = (
        ({}, None) if free else matching.match_outputs(batch.parts.get("y"), side, batch.size == 3)
    )
    matches, code = Matches(inputs, outputs), of_outputs.code if of_outputs is not None else ""
    if of_outputs is not None and isinstance(batch.parts["x"], Mapping) and code == "no-targets":
        fix = f"To Keras, a batch that is one dict is inputs alone. {of_outputs.fix}"
        return matches, [replace(of_outputs, fix=fix)]
    in_order = value_checks.in_sorted_order(reading, matches) if code == "swapped-targets" else None
    if in_order is not None:
        matches, of_outputs = in_order, matching.sorted_by_luck(side)
    return matches, [problem for problem in (of_inputs, of_outputs) if problem is not None]


def _read_again(
    subject: Subject, batches: int, worker: Worker, clock: Clock, first: Reading, out: CheckResult
) -> Reading | None:
    """Read a second time, like in the next epoch."""
    if not subject.again or worker.stuck:
        return None
    try:
        worker.do(subject.next_epoch, clock.left * 0.3)
    except TimeoutError:
        out.unseen.append("a second epoch: what is called between two epochs took too long")
        return None
    except (Exception, SystemExit) as error:
        fix = f"Fix {line_of_user(error)}."
        out.add("between two epochs", "no error", quoted_error(error), fix, "raises")
        return None
    second = read_batches(subject, batches, worker, clock.left * 0.6, first.images)
    if second.failure is not None and not out.problems:
        out.problems += _stopped_early(second, clock.left, "of the second reading")
    if second.late is not None:
        out.unseen.append(f"all of a second epoch: time ran out after {counted(second.steps, 'batch')}")
    return second


def _not_for_keras(subject: Subject) -> Iterator[Problem]:
    if subject.bad_length:
        where, fix = f"len({subject.name})", "Return an integer from __len__: math.ceil(rows / batch_size)."
        yield Problem(where, "an integer", subject.bad_length, fix, "wrong-length")
    if subject.dropped:
        where = "DataLoader(drop_last=True)"
        fix = "Say shuffle=True for training, and drop_last=False to evaluate."
        found = f"an epoch without the last {counted(subject.dropped, 'row')}, each time"
        yield Problem(where, "each row in some epoch", found, fix, "dropped-rows", warning=True)
    if subject.refused:
        expected = "what fit takes: a generator, a PyDataset, a tf.data, torch or grain dataset, or arrays"
        fix = "Wrap it in a generator function: for batch in it: yield batch."
        if subject.listed:  # as it is read by number
            fix = "Derive its class from keras.utils.PyDataset, and call super().__init__() in its __init__."
        where, found = f"examine({subject.name})", with_article(subject.kind)
        yield Problem(where, expected, found, fix, "not-for-keras")


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
        found = f"none after {reading.waited:.0f} s"
        fix = "It may wait forever. If it is only slow, say examine(seconds=...)."
        yield Problem(f"batch {reading.late}{where}", "a batch within seconds", found, fix, "hangs")
    empty = next((i for i, rows in enumerate(reading.rows) if not len(rows)), None)
    if empty is not None and not any(stats.odd for stats in reading.stats.values()):
        found = "None" if empty == reading.nothing else "none"
        ends = numbered and reading.ended and not any(map(len, reading.rows[empty:]))
        fix = f"return {empty} from __len__" if ends else "leave it out"
        fix = f"TensorFlow would wait for it or stop, JAX skip it: {fix}."
        yield Problem(f"batch {empty}{where}", "a batch of at least 1 row", found, fix, "empty-batch")


def _amount_read(reading: Reading) -> str:
    words = f"{counted(reading.steps, 'batch')} read, {counted(reading.row_count, 'row')}"
    if reading.late is not None:
        return f"{words}, then time ran out"
    return f"{words}, to the end" if reading.ended else words


def _epoch_length(reading: Reading, steps: int | None) -> tuple[int | None, int | None]:
    """Return the numbers of rows and batches of an epoch, if an end was seen."""
    if reading.ended:
        return reading.row_count, reading.steps
    length = period([rows[:, 0] for rows in reading.rows]) or steps
    if length is None or length > reading.steps:
        return None, steps
    return sum(map(len, reading.rows[:length])), length


def _by_row_alone(problem: Problem, size: int) -> Problem:
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
