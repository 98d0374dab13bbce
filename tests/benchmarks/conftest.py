"""Files to read, made once for each module: as many rows as its `ROWS`."""

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request):
    from benchmarks.vision.workload import make

    folder = tmp_path_factory.mktemp("rows")
    make(folder, request.module.ROWS)
    return folder
