"""What is missing says how to install it."""

import pytest

from polyhead.errors import PolyheadError
from polyhead.extras import requiring


def test_a_missing_package_says_what_to_install():
    with (
        pytest.raises(PolyheadError) as raised,
        requiring("to_pandas()", "no_such_package", '"polyhead[some]"'),
    ):
        import no_such_package  # noqa: F401
    assert str(raised.value) == (
        "to_pandas(): no_such_package cannot be imported (No module named 'no_such_package'). "
        'Install it with: pip install "polyhead[some]".'
    )
