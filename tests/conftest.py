"""Which tests run where.

Tests that touch Keras carry the mark ``keras`` and run once for each backend; the rest runs once. The mark is
given here: to what lies in ``ALWAYS``, and to every test file and doctest that imports keras. Other tests may
carry it by themselves. ``KERAS_BACKEND`` chooses the backend, as it does for Keras.

The mark ``lowest`` is given by folder, too: ``.ci/run`` runs these on the oldest versions, ``make test-lowest`` all.

``make test`` leaves out what carries the mark ``full``, and ``make test-all`` does not. A test that carries the mark
``once`` needs Keras, but looks at what no backend changes: it is ``full`` on all backends but PyTorch, which compiles
nothing and so takes the least time. ``once("jax")`` names another backend. A test with many parameters that differ in
such things carries ``few(n)``: those after the first ``n`` count as ``once``.
"""

import functools
import gc
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem
from hypothesis import settings

from running import Clock, Unhurried, threads


def _number(package: str) -> tuple[int, ...]:
    return tuple(int(part) for part in metadata.version(package).split(".")[:2])


gc.disable()  # until all is imported

settings.register_profile("polyhead", deadline=None)  # no test fails by the clock
settings.load_profile("polyhead")

# A shell starts what runs in its background with interrupts ignored, and so would be the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# The models are small: more threads only wait for each other, and a suite for each core runs anyway.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# A step runs a few times here, and XLA takes longer to optimize it: most of the time of these tests on JAX. XLA ends
# the process for a flag that it does not know, so older versions optimize.
if os.environ["KERAS_BACKEND"] == "jax" and _number("jaxlib") >= (0, 10):
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
        " --xla_cpu_use_fusion_emitters=false --xla_cpu_multi_thread_eigen=false"
        " --xla_cpu_parallel_codegen_split_count=1",
    )

TESTS = Path(__file__).parent

# Many tests compile the same step: JAX keeps what it compiled in a folder, from test to test and from run to run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(TESTS.parent / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

ALWAYS = {"contract", "keras_bridge", "kinds", "examples", "test_feed.py"}
# What calls Keras, or libraries of tables, files and images: of these the oldest versions are tested with each change.
LIBRARIES = {
    *(
        "augment",
        "cli",
        "columns",
        "images",
        "keras_bridge",
        "kinds",
        "packing",
        "pipeline",
        "readers",
        "report",
    ),
    *("sources", "store", "versions"),
}
# What examines generators: no result of a test depends on how long that takes.
EXAMINING = {
    "doctor",
    "test_doctor.py",
    "test_examine_command.py",
    "test_inspect_command.py",
    "test_optional.py",
}
_IMPORT = re.compile(r"^\s*(?:import|from) keras\b", re.MULTILINE)


def pytest_report_header() -> str:
    return f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no program of tests; with ``-m "keras ..."`` or ``-m "not keras ..."``, no file without such tests."""
    if collection_path.suffix != ".py" or collection_path.name == "conftest.py":
        return None
    mine = collection_path.is_relative_to(TESTS)
    if mine and not collection_path.name.startswith("test_"):
        return True
    asked = re.match(r"(not )?keras\b", config.option.markexpr)
    if asked is None:
        return None
    if asked[1]:
        return (mine and _all_touch_keras(collection_path)) or None
    text = collection_path.read_text(encoding="utf-8")
    return not (_all_touch_keras(collection_path) or "import keras" in text or "mark.keras" in text) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: Counter[str] = Counter()
    for item in items:
        if touches_keras(item):
            item.add_marker("keras")
        if LIBRARIES.intersection(item.path.relative_to(TESTS.parent).parts):
            item.add_marker("lowest")
        few = item.get_closest_marker("few")
        if few is not None:
            test = item.nodeid.partition("[")[0]
            seen[test] += 1
            if seen[test] > few.args[0]:
                item.add_marker("once")
        once = item.get_closest_marker("once")
        if once is not None and os.environ["KERAS_BACKEND"] != (once.args or ("torch",))[0]:
            item.add_marker("full")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no collection of garbage needs to look at it again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)  # a traced step is many objects that stay
    if os.environ["KERAS_BACKEND"] == "tensorflow" and "tensorflow" in sys.modules:
        # as on JAX: a graph runs a few times, and optimizing it takes longer
        options = {"disable_meta_optimizer": True}
        sys.modules["tensorflow"].config.optimizer.set_experimental_options(options)


def touches_keras(item: pytest.Item) -> bool:
    if isinstance(item, DoctestItem):
        return any(_IMPORT.search(example.source) for example in item.dtest.examples)
    return _all_touch_keras(item.path)


@functools.cache
def _all_touch_keras(path: Path) -> bool:
    """Whether all tests of a file do, but for doctests."""
    inside = ALWAYS.intersection(path.relative_to(TESTS).parts)
    return bool(inside) or _IMPORT.search(path.read_text(encoding="utf-8")) is not None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which feeds are measured: it moves where a test says so, and nowhere else."""
    made = Clock()
    monkeypatch.setattr("polyhead.profiling.clock", made)
    return made


@pytest.fixture(autouse=True)
def unhurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Unhurried | None:
    """The clock by which `examine` ends: it may take all the time that a busy machine needs."""
    if not EXAMINING.intersection(request.path.relative_to(TESTS.parent).parts):
        return None
    made = Unhurried()
    monkeypatch.setattr("polyhead.doctor.reading.clock", made)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of images, masks and boxes for the benchmarks: as many rows as the module's ``ROWS``."""
    from benchmarks.vision.workload import make

    folder = tmp_path_factory.mktemp("rows")
    make(folder, request.module.ROWS)
    return folder


@pytest.fixture(autouse=True)
def only_own_threads(request: pytest.FixtureRequest) -> None:
    """Feeds that earlier tests left in reference cycles keep their threads until they are collected."""
    if getattr(request.module, "threads", None) is threads and threads():
        gc.collect()


@pytest.fixture(autouse=True)
def compiled_apart() -> Iterator[None]:
    """What a test began to compile is there before the next one: meanwhile numba catches the warnings of all."""
    from polyhead import jit

    jit.IDLE = None  # nothing begins to compile by the clock
    yield
    jit.wait_for_compiler()
