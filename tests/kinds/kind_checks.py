"""What the tests of kinds share."""

import numpy as np
import pytest

from polyhead.errors import BadValue, ContractError
from polyhead.kinds import Head


class Column:
    """A column in pieces, as a source hands it to a kind."""

    def __init__(self, *pieces):
        self.pieces, self.scanned = pieces, 0

    def probe(self):
        return self.pieces[0]

    def scan(self):
        self.scanned += 1
        yield from self.pieces

    counting = scan


def resolved(kind, *pieces):
    return kind.resolve(Column(*pieces))


def message(call, *args, **kwargs):
    """The whole public message of the `BadValue` that a call raises."""
    with pytest.raises(BadValue) as caught:
        call(*args, **kwargs)
    bad = caught.value
    return str(bad.located(head="h", row=bad.index))


def refusal(call, *args, **kwargs):
    """The whole message of the `ContractError` that a call raises."""
    with pytest.raises(ContractError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def encoded(head: Head, values):
    """What a head emits, held against what it promises; as labels and complete presence."""
    labels, there = head.encode(values)
    assert labels.shape == (len(values), *head.shape)
    assert labels.dtype == head.dtype
    assert labels.flags.c_contiguous
    assert np.isfinite(labels).all()
    if there is None:
        return labels, np.ones((len(values), *head.weight_shape), bool)
    assert there.shape == (len(values), *head.weight_shape)
    assert there.dtype == bool
    return labels, there
