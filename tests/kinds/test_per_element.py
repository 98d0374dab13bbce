"""Heads for each box: shapes, what follows the boxes, and errors."""

import numpy as np
import pytest
from kind_checks import encoded, message, refusal, resolved

import polyhead as ph
from polyhead.kinds import Each, for_boxes

BOXES = ph.Boxes(2, overflow="largest")


def each(head, boxes=BOXES):
    return for_boxes({"box": boxes, "own": head})["own"]


@pytest.mark.parametrize(
    ("head", "rows", "label", "counts"),
    [
        (ph.Categorical(3, each="box"), [[2], [1, 0]], [[2, 0], [1, 0]], [[1, 0], [1, 1]]),
        (ph.Binary(each="box"), [[1], None], [[[1], [0]], [[0], [0]]], [[1, 0], [0, 0]]),
        (ph.Binary(each="box"), [[None, 1], []], [[[0], [1]], [[0], [0]]], [[0, 1], [0, 0]]),
        (ph.Regression(each="box"), [[0.5, 2.0], [np.nan]], [[[0.5], [2]], [[0], [0]]], [[1, 1], [0, 0]]),
        (
            ph.Regression(2, each="box"),
            [[[1, 2]], [[3, 4], [5, 6]]],
            [[[1, 2], [0, 0]], [[3, 4], [5, 6]]],
            [[1, 0], [1, 1]],
        ),
        (
            ph.MultiLabel(["a", "b"], each="box"),
            [[["a"], []], [["b", "a"]]],
            [[[1, 0], [0, 0]], [[1, 1], [0, 0]]],
            [[1, 1], [1, 0]],
        ),
    ],
)
def test_one_label_for_each_box(head, rows, label, counts):
    labels, there = encoded(each(head), rows)
    np.testing.assert_array_equal(labels, label)
    np.testing.assert_array_equal(there, np.array(counts, bool))


def test_keypoints_have_a_weight_each():
    head = each(ph.Keypoints(2, each="box"))
    labels, there = encoded(head, [[[[1, 2, 2], [3, 4, 0]]], []])
    assert (head.shape, head.weight_shape, head.output_shape) == ((2, 2, 2), (2, 2), (2, 2, 2))
    assert labels[0].tolist() == [[[1, 2], [0, 0]], [[0, 0], [0, 0]]]
    assert there.tolist() == [[[True, False], [False, False]], [[False, False]] * 2]


def test_masks_have_a_weight_a_box():
    head = each(ph.Mask(size=(2, 3), each="box"))
    labels, there = encoded(head, [[np.ones((2, 3))], None])
    assert labels.shape == (2, 2, 2, 3, 1)
    assert there.reshape(2, 2).tolist() == [[True, False], [False, False]]


def test_arrays_with_a_place_for_each_box_need_no_loop():
    head = each(ph.Categorical(3, each="box"))
    column = np.array([[0, 2], [1, 1]])
    labels, there = head.encode(column)
    assert labels.tolist() == column.tolist()
    assert there is None
    boxes = np.ones((2, 2, 4))
    assert head.of_kept_boxes(column, boxes) is column


def test_what_belongs_to_boxes_that_are_left_out_is_left_out():
    boxes = [[[0, 0, 2, 2], [0, 0, 9, 9], [0, 0, 5, 5]], [[0, 0, 1, 1]], None]
    head = each(ph.Categorical(["a", "b", "c"], each="box"))
    assert head.of_kept_boxes([["a", "b", "c"], ["c"], ["a"]], boxes) == [["b", "c"], ["c"], None]
    first = each(ph.Categorical(["a", "b", "c"], each="box"), ph.Boxes(2, overflow="first"))
    assert first.of_kept_boxes([["a", "b", "c"], ["c"], ["a"]], boxes) == [["a", "b"], ["c"], None]


def test_what_belongs_to_a_missing_box_is_missing():
    boxes = np.array([[[0, 0, 2, 2], [np.nan] * 4]])
    head = each(ph.Categorical(3, each="box"))
    assert head.of_kept_boxes(np.array([[1, 2]]), boxes) == [[1, None]]
    marked = each(ph.Categorical(3, each="box"), ph.Boxes(2, missing=-1))
    assert marked.of_kept_boxes([[1, 2]], [[[-1, -1, -1, -1], [0, 0, 1, 1]]]) == [[None, 2]]


def test_the_largest_are_chosen_in_the_format_of_the_column():
    boxes = [[[0, 0, 1, 1], [5, 5, 4, 4], [8, 8, 3, 3]]]
    head = each(ph.Categorical(3, each="box"), ph.Boxes(2, format="xywh", overflow="largest"))
    assert head.of_kept_boxes([[0, 1, 2]], boxes) == [[1, 2]]


def test_room_for_one_box_takes_entries_that_stand_alone():
    head = each(ph.Categorical(["a", "b"], each="box"), ph.Boxes(1))
    assert head.of_kept_boxes(["b", None], [[[0, 0, 1, 1]], [[0, 0, 1, 1]]]) == [["b"], None]
    labels, there = encoded(head, np.array(["b", "a"]))
    assert labels.tolist() == [[1], [0]]
    assert there.all()


def test_classes_and_weights_are_learned_over_all_boxes():
    head = resolved(each(ph.Categorical(each="box")), [["cat"], [], None], [["dog", "cat"]])
    assert head.names == ("cat", "dog")
    assert repr(head) == "Categorical(('cat', 'dog'), each='box')"
    labels, there = head.encode([["cat"], ["dog", "cat"]])
    balanced = head.balanced(head.count(labels, there))
    assert balanced.class_weight == {"cat": 0.75, "dog": 1.5}
    np.testing.assert_allclose(balanced.class_factor(labels)[1], [1.5, 0.75])
    assert balanced.fixed(class_weight=None).head.class_weight is None


def test_it_waits_for_what_its_boxes_wait_for():
    heads = {"there": ph.Binary(), "box": ph.Boxes(2, given="there"), "kind": ph.Categorical(2, each="box")}
    assert for_boxes(heads)["kind"].given == "there"
    assert for_boxes({**heads, "other": ph.Binary(each="box", given="kind")})["other"].given == "kind"


def test_a_head_that_was_made_for_boxes_is_made_anew_for_others():
    head = each(ph.Categorical(3, each="box"))
    again = for_boxes({"box": ph.Boxes(5), "own": head})["own"]
    assert isinstance(again, Each)
    assert (again.places, again.head) == (5, head.head)


def test_errors_name_row_and_box():
    head = each(ph.Categorical(["a", "b"], each="box"))
    assert message(head.encode, [["a"], ["b", "z"]]) == (
        "head `h`, row 1: expected one of ['a', 'b'], got 'z' (box 1). "
        "Name it among the classes, or say Categorical(missing='z') if it means \"no label\"."
    )
    assert message(head.of_kept_boxes, [["a"], ["a", "b"]], [[[0, 0, 1, 1]], [[0, 0, 1, 1]]]) == (
        "head `h`, row 1: expected 1 entry, one for each box in `box`, got 2. "
        "Put None in the place of a box that has no label."
    )
    assert message(head.encode, [["a"], "b"]) == (
        "head `h`, row 1: expected a list with an entry for each box, got 'b'. Put a single label into a list."
    )
    assert message(head.encode, [["a", "b", "a"]]) == (
        "head `h`, row 0: expected at most 2 entries, one for each box, got 3."
    )
    full = each(ph.Categorical(2, each="box"), ph.Boxes(1))
    assert message(full.of_kept_boxes, [[0, 1]], [[[0, 0, 1, 1], [0, 0, 2, 2]]]) == (
        "head `h`, row 0: expected at most 1 box, got 2. Say Boxes(2),"
        ' or more if other rows have more, or overflow="largest" or "first".'
    )
    assert message(resolved, each(ph.Categorical(each="box")), [["a"], [0.5]], [["b"]]) == (
        "head `h`: expected classes of one type, got 'a', 'b', 0.5. Give the classes by name."
    )


def test_each_names_a_head_of_boxes():
    heads = {"box": BOXES, "kind": ph.Categorical(2, each="boxes"), "other": ph.Boxes(2, each="box")}
    assert refusal(for_boxes, heads) == (
        "2 problems:\n"
        "  1. head `kind`, each='boxes': expected the name of a head of boxes (box, other), got no head of that name. "
        "Did you mean `box`?\n"
        "  2. head `other`, each='box': expected no each= for boxes themselves, got 'box'."
    )
    assert refusal(for_boxes, {"a": ph.Binary(), "b": ph.Binary(each="a")}) == (
        "head `b`, each='a': expected the name of a head of boxes (there is none), got Binary."
    )
    assert refusal(for_boxes, {"kind": ph.Categorical(2, each="boxes")}) == (
        "head `kind`, each='boxes': expected the name of a head of boxes (there is none), got no head of that name. "
        "Declare it among the heads: 'boxes': ph.Boxes(n), with room for n boxes."
    )


def test_its_classes_are_found_as_those_of_every_head():
    for head in (ph.Categorical(["cat", "dog"], each="box"), ph.MultiLabel(["cat", "dog"], each="box")):
        own = each(head)
        assert own.classes == head.classes == ["cat", "dog"]
        assert own.names == ("cat", "dog")
    assert each(ph.Mask(3, each="box")).classes == 3
    assert not hasattr(each(ph.Regression(each="box")), "classes")
    learned = ph.Feed(
        {"x": [[0.0], [1.0]], "box": [[[0, 0, 1, 1]], [[0, 0, 2, 2]]], "kind": [["dog"], ["cat"]]},
        inputs="x",
        heads={"box": ph.Boxes(1), "kind": ph.Categorical(each="box")},
    )
    assert learned.heads["kind"].classes == ("cat", "dog")
