"""Where training stands, whoever draws batches and however far ahead."""

import pytest

from polyhead.order.position import Position


class Step:
    """A step of training that has asked for so many batches."""

    def __init__(self):
        self.asked = 0


def passed(position, step, drawn, one=None):
    one = one or position.begin(lambda: step.asked)
    for _ in range(drawn):
        position.draw(one)
    return one


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_what_was_drawn_ahead_is_not_used(ahead):
    position, step = Position(5), Step()
    one = None
    for asked in range(1, 6):
        step.asked = asked
        draw = min(5, asked + ahead) - (0 if one is None else one.drawn)
        one = passed(position, step, draw, one)
        assert position.at == position.start == asked
    position.end(one, last=True)
    assert (position.at, position.epoch, position.step) == (5, 1, 0)
    step.asked = 0  # Keras begins to count anew
    assert position.at == 5


def test_a_run_that_is_gone_leaves_the_last_count():
    position, step = Position(5), Step()
    step.asked = 2
    passed(position, step, 3)
    step.asked = None
    assert position.at == 2


def test_batches_of_an_epoch_that_ended_are_used_though_nobody_saw_the_last_asked_for():
    position, step = Position(4), Step()
    step.asked = 1
    one = passed(position, step, 4)
    assert position.at == 1
    position.end(one, last=True)
    assert position.at == 4


def test_a_pass_over_several_epochs_of_fit_goes_on():
    position, step = Position(5), Step()
    step.asked = 3
    one = passed(position, step, 4)
    position.end(one, last=False)
    assert position.at == 3
    step.asked = 6
    passed(position, step, 2, one)
    assert (position.at, position.epoch, position.step) == (6, 1, 1)


@pytest.mark.parametrize(("trained", "lost"), [(None, 0), (3, 0), (2, 1), (0, 0), (7, 0)])
def test_a_batch_in_whose_step_a_run_broke_off_is_not_trained(trained, lost):
    position, step = Position(5), Step()
    step.asked = 3
    one = passed(position, step, 3)
    one.trained = lambda: trained
    assert position.at == 3
    position.finish_last_run()
    assert position.at == position.start == 3 - lost


def test_an_epoch_of_fit_that_ended_lost_nothing():
    position, step = Position(5), Step()
    step.asked = 3
    one = passed(position, step, 3)
    one.trained = lambda: 2
    position.end(one, last=False)
    position.finish_last_run()
    assert position.at == 3


def test_only_what_was_used_since_the_epoch_of_fit_began_is_compared():
    position, step = Position(9), Step()
    step.asked = 3
    one = passed(position, step, 3)
    position.end(one, last=False)
    one.begin_epoch(lambda: 0)
    step.asked = 4
    passed(position, step, 1, one)
    position.finish_last_run()
    assert position.at == 3


def test_a_loop_by_hand_counts_whole_epochs():
    position = Position(3)
    one = position.begin()
    position.draw(one)
    assert (position.at, position.start, position.fresh) == (1, 0, True)
    passed(position, None, 2, one)
    assert (position.at, position.start, position.fresh) == (3, 3, False)


def test_a_loop_by_hand_begins_where_fit_has_left():
    position, step = Position(3), Step()
    step.asked = 2
    passed(position, step, 2)
    one = position.begin()
    position.draw(one)
    assert (position.at, position.start) == (3, 3)


def test_what_somebody_says_holds_from_the_next_pass_on():
    position, step = Position(4), Step()
    assert (position.fresh, position.set_by_user) == (True, False)
    step.asked = 1
    one = passed(position, step, 1)
    assert (position.fresh, position.set_by_user) == (False, False)
    position.set_epoch(7, 2)
    assert (position.epoch, position.step, position.set_by_user, position.user_changes) == (7, 2, True, 1)
    step.asked = 4
    passed(position, step, 3, one)
    position.end(one, last=True)
    assert (position.epoch, position.step) == (7, 2)
    assert position.begin(lambda: 0).begun == 30
