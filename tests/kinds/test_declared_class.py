"""``help(ph.Binary)`` shows the arguments that all heads share, and that of an augmentation its probability."""

import dataclasses
import inspect

import pytest

import polyhead as ph
from polyhead.augment.augmentation import Augmentation
from polyhead.kinds.declared_class import documented, with_inherited
from polyhead.kinds.kind import Kind

PUBLIC = [
    one
    for name in ph.__all__
    if isinstance(one := getattr(ph, name), type) and issubclass(one, (Kind, Augmentation))
]


@pytest.mark.parametrize("one", PUBLIC, ids=lambda one: one.__name__)
def test_every_argument_is_documented_where_help_shows_it(one):
    arguments = {field.name for field in dataclasses.fields(one) if field.init}
    assert arguments - set(documented(one.__doc__)) == set()
    assert inspect.cleandoc(one.__doc__).count("Attributes:") == 1


class Base:
    """A base.

    Attributes:
        size: how large,
            in pixels.
        p: how often.
    """


def test_what_a_class_says_itself_stays_and_examples_come_last():
    class Own(Base):
        """One of its own.

        Attributes:
            p: never.

        >>> Own()
        """

    class Bare(Base):
        """Nothing of its own.

        >>> Bare()
        """

    class Silent(Base):
        pass

    size = "    size: how large,\n        in pixels."
    assert with_inherited(Own, Base) == f"One of its own.\n\nAttributes:\n    p: never.\n{size}\n\n>>> Own()"
    assert (
        with_inherited(Bare, Base)
        == f"Nothing of its own.\n\nAttributes:\n{size}\n    p: how often.\n\n>>> Bare()"
    )
    assert with_inherited(Silent, Base) is None
