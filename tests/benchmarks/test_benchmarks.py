"""The arms of the benchmarks deliver the same data; how fast is not asked here."""

import numpy as np
import pytest
from benchmarks.arms import ARMS, available, rows_of, unpacked
from benchmarks.workloads import MAKE, digest


@pytest.mark.parametrize("workload", ["table", "images"])
@pytest.mark.parametrize("arm", available())
@pytest.mark.filterwarnings("ignore")
def test_every_arm_delivers_the_same_rows(arm, workload):
    data = MAKE[workload](37)
    epochs = ARMS[arm](data, 8)
    batches = [list(epochs(epoch)) for epoch in range(2)]
    expected = digest([data.gather(np.arange(37))])
    assert [digest(map(unpacked, epoch)) for epoch in batches] == [expected, expected]
    assert [rows_of(batch) for batch in batches[0]] == [8, 8, 8, 8, 5]


def test_the_digest_sees_labels_of_another_row():
    data = MAKE["table"](16)
    x, (first, second) = data.gather(np.arange(16))
    assert digest([(x, (first, second))]) != digest([(x, (first, np.roll(second, 1)))])
    assert digest([(x, (first, second))]) == digest([(x[::-1], (first[::-1], second[::-1]))])


def test_the_digest_sees_another_dtype():
    data = MAKE["table"](4)
    x, (first, second) = data.gather(np.arange(4))
    assert digest([(x, (first, second))]) != digest([(x, (first.astype(np.int32), second))])
