"""Runs the tests of this folder on other versions of Keras and of its backends: ``make test-keras``.

    python tests/versions/run_versions.py              # all of constraints/versions.txt
    python tests/versions/run_versions.py 3.12 master  # some of Keras
    python tests/versions/run_versions.py jax 2.18     # some of the backends
    python tests/versions/run_versions.py rotate       # two of Keras, two backends each: what CI does with each commit

What was found goes into results.json, and from there into docs/versions.md; `rotate` records nothing.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from versions_page import PAGE, RESULTS, order, written

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIST = ROOT / "constraints" / "versions.txt"
FOLDER = ROOT / ".venv-keras"
PACKAGES = {"jax": "jax", "torch": "torch", "tensorflow": "tensorflow-cpu"}
SECONDS = 400  # for the tests on one version and backend
MASTER = "master"


@dataclass(frozen=True)
class Version:
    """One line of constraints/versions.txt."""

    package: str
    number: str
    asked: str

    @classmethod
    def of(cls, line):
        """That of a requirement: ``keras==3.12.4``, or ``keras @ git+https://…`` for what is not released."""
        if " @ " in line:
            package, where = line.split(" @ ")
            return cls(package, MASTER, os.environ.get("KERAS_MASTER", where))
        package, number = line.split("==")
        return cls(package, number, line)

    def matches(self, word):
        return (
            word in (self.package, self.number, f"{self.package}=={self.number}")
            or self.number.startswith(f"{word}.")
            or (self.package == "tensorflow-cpu" and word == "tensorflow")
        )


def listed():
    """All versions, in the order of the file."""
    lines = (line.split("#")[0].strip() for line in LIST.read_text(encoding="utf-8").splitlines())
    return [Version.of(line) for line in lines if line]


def pair_of(versions, commits):
    """Two versions of Keras, each on PyTorch and one other backend: a different pair for each commit.

    Args:
        versions: those to choose from.
        commits: how many there are before this one.
    """
    released = [v for v in versions if v.package == "keras" and v.number != MASTER]
    count = len(released)
    pair = released[commits % count], released[(commits + count // 2) % count]
    compiling = ("jax", "tensorflow") if commits // count % 2 else ("tensorflow", "jax")
    return [(version, ("torch", backend)) for version, backend in zip(pair, compiling, strict=True)]


def chosen(words, versions):
    """What the words ask for; all without words.

    Args:
        words: names, versions or their beginnings.
        versions: those to choose from.
    """
    for word in words:
        if not any(version.matches(word) for version in versions):
            known = " ".join(f"{version.package}=={version.number}" for version in versions)
            raise SystemExit(f"{word}: no such version in constraints/versions.txt ({known})")
    return [v for v in versions if not words or any(v.matches(word) for word in words)]


def commits():
    """The number of commits up to this one; 0 outside of a repository."""
    count = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(count.stdout) if count.returncode == 0 else 0


# Environments -----------------------------------------------------------------------------------------


class NotInstalled(Exception):
    """pip's last words."""


def pip(*arguments, python=sys.executable):
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NotInstalled((words or ["pip failed"])[-1].removeprefix("ERROR: "))


def keras_alone(version):
    """A folder that holds a version of Keras and nothing else."""
    folder = FOLDER / f"keras-{version.number}"
    if version.number == MASTER or not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip("--no-deps", "--target", str(folder), version.asked)
        (folder / ".ready").touch()
    return folder


def environment(version):
    """The interpreter of an environment with polyhead, a version of a backend, and what both ask for."""
    folder = FOLDER / f"{version.package}-{version.number}"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    pip(version.asked, "pytest", "pytest-timeout", "hypothesis", f"--editable={ROOT}", python=python)
    return python


# Runs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What the tests said on one version of Keras, with one version of a backend.

    Attributes:
        keras: its release, or the commit it was made from.
        backend: as KERAS_BACKEND has it.
        version: of the backend.
        passed: how many tests.
        skipped: how many do not concern this backend.
        failed: the names of the others.
        error: what was said where no test came to run.
    """

    keras: str
    backend: str
    version: str
    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()
    error: str = ""

    @property
    def ok(self):
        return self.passed > 0 and not self.failed and not self.error


def run_tests(backend, python=sys.executable, keras=None):
    """Run the tests in one process.

    Args:
        backend: as KERAS_BACKEND has it.
        python: the interpreter.
        keras: the folder of Keras that goes before what the interpreter has.
    """
    paths = [str(path) for path in (keras, ROOT / "src") if path is not None]
    env = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(paths)}
    if python != sys.executable:
        # JAX 0.4 and 0.5 compute wrong numbers with programs that an earlier process compiled
        env["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    found = versions_in(python, backend, env)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", str(HERE)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return Result(*found, error=f"no end after {SECONDS} seconds")
        if not report.exists():
            said = (done.stdout + done.stderr).strip().splitlines()
            return Result(*found, error=said[-1] if said else "nothing")
        result = read_report(found, ElementTree.parse(report).getroot())
    if not result.ok:
        print(done.stdout[-6000:], flush=True)
    return result


def versions_in(python, backend, env):
    """``(keras, backend, version)`` as they are installed there."""
    code = (
        "import json; from importlib.metadata import distribution as d; k = d('keras');"
        "url = json.loads(k.read_text('direct_url.json') or '{}');"
        f"commit = url.get('vcs_info', {{}}).get('commit_id', ''); print(k.version, d({PACKAGES[backend]!r}).version,"
        "'master ' + commit[:9] if url else '', sep=';')"
    )
    said = subprocess.run([python, "-c", code], env=env, capture_output=True, text=True, check=True)
    keras, version, master = said.stdout.strip().split(";")
    return (master.strip() or keras), backend, version.split("+")[0]


def read_report(found, root):
    """The `Result` of pytest's report."""
    cases = list(root.iter("testcase"))
    failed = tuple(case.get("name") for case in cases if case.find("failure") is not None)
    broken = [case.find("error") for case in cases if case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    error = broken[0].get("message", "").strip().splitlines()[-1] if broken else ""
    return Result(*found, len(cases) - len(failed) - len(broken) - skipped, skipped, failed, error)


def runs(version, versions, jobs, backends):
    """The results of one version: Keras on some backends, or a backend with the oldest and the newest Keras."""
    if version.package == "keras":
        folder = keras_alone(version)
        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(lambda backend: run_tests(backend, keras=folder), backends))
    released = [v for v in versions if v.package == "keras" and v.number != MASTER]
    backend = next(name for name, package in PACKAGES.items() if package == version.package)
    python = environment(version)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            folders = [keras_alone(released[0]), keras_alone(released[-1])]
            return list(pool.map(lambda folder: run_tests(backend, python, folder), folders))
    finally:
        shutil.rmtree(Path(python).parents[1], ignore_errors=True)


def record(results):
    """Put results in the place of those of the same versions, and write the page again."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []

    def key(one):
        return one["keras"].split()[0], one["backend"], one["version"]

    every = {key(one): one for one in (*known, *json.loads(json.dumps([asdict(r) for r in results])))}
    lines = ",\n".join(json.dumps(one) for one in sorted(every.values(), key=order))
    RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    PAGE.write_text(written(), encoding="utf-8")


def main(words):
    """Run what the words ask for; whether all tests passed."""
    versions, jobs = listed(), int(os.environ.get("JOBS", "2"))
    every, rotating = True, words == ["rotate"]
    asked = pair_of(versions, commits()) if rotating else [(v, PACKAGES) for v in chosen(words, versions)]
    for version, backends in asked:
        begun = time.monotonic()
        try:
            results = runs(version, versions, jobs, backends)
        except NotInstalled as error:
            print(f"{version.package} {version.number}: could not be installed: {error}", flush=True)
            every = every and version.number == MASTER  # what is not released need not be there to have
            continue
        for result in results:
            words_of = f"{result.passed} passed" if result.ok else result.error or ", ".join(result.failed)
            print(f"Keras {result.keras}, {result.backend} {result.version}: {words_of}", flush=True)
        print(f"  {version.package} {version.number}: {time.monotonic() - begun:.0f} seconds", flush=True)
        if not rotating:
            record(results)
        every = every and all(result.ok for result in results)
    return every


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
