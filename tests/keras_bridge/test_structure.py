"""Nestings of names, and packing batches into them."""

import numpy as np
import pytest

from polyhead.keras_bridge.structure import Structure, at, fill, leaves, packer, rebuild

NESTED = {"b": ["p", ("q",)], "a": {"k": "r"}}
ARRAYS = {name: np.arange(6) * factor for factor, name in enumerate("pqr", 1)}


def test_leaves_come_in_the_order_of_sorted_keys():
    assert list(leaves(NESTED)) == [(("a", "k"), "r"), (("b", 0), "p"), (("b", 1, 0), "q")]


def test_every_leaf_is_found_at_its_path():
    assert all(at(NESTED, path) == leaf for path, leaf in leaves(NESTED))


def test_containers_stay_or_become_tuples():
    assert fill(NESTED, {"p": 1, "q": 2, "r": 3}) == {"b": [1, (2,)], "a": {"k": 3}}
    assert fill(NESTED, {"p": 1, "q": 2, "r": 3}, tuples=True) == {"b": (1, (2,)), "a": {"k": 3}}
    assert rebuild(["x"], lambda path, leaf: (path, leaf)) == [((0,), "x")]


@pytest.mark.parametrize("template", [NESTED, "p", ["p", "q"], {"one": "p", "two": "q"}, {}])
def test_values_are_packed_into_the_template(template):
    names, pack = packer(template)
    values = {name: array.tolist() for name, array in ARRAYS.items()}
    assert rebuild(pack(*[ARRAYS[name] for name in names]), lambda _, array: array.tolist()) == fill(
        template, values, tuples=True
    )


def test_keys_of_any_kind_are_kept():
    _, pack = packer({"it's": "p", 'a "b"': "q", 3: "r"})
    assert pack(1, 2, 3) == {"it's": 1, 'a "b"': 2, 3: 3}
    _, other = packer({"x": "p", "y": "q", "z": "r"})  # of the same form, so that its code is the same
    assert other(1, 2, 3) == {"x": 1, "y": 2, "z": 3}
    assert pack(1, 2, 3) == {"it's": 1, 'a "b"': 2, 3: 3}


def test_before_a_model_is_known_batches_are_dicts():
    assert Structure.flat(["x"], ["y", "z"]) == Structure({"x": "x"}, {"y": "y", "z": "z"})
