"""What the code under examination raises is told with all of its problems."""

import numpy as np

import polyhead as ph


def test_every_problem_of_an_error_is_told():
    def generator():
        yield np.zeros((4, 2)), np.zeros(4)
        raise ph.DataError(
            ph.Problem("row 3", "a label", "none"), ph.Problem("row 5", "a file", "none", "Look.")
        )

    report = ph.examine(generator)
    raised = next(p for p in report.problems if p.code == "raises")
    assert raised.found == (
        "DataError: row 3: expected a label, got none; row 5: expected a file, got none. Look"
    )
