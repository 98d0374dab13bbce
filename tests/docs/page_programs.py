"""The programs on the pages of the documentation: what they are, and running them.

A comment above each block of Python says what happens to it in tests: `<!-- run -->` runs it after the ones before
it, in one namespace, and `<!-- prints -->` above a block of text says what that has printed; `<!-- file: name.py -->`
writes it to the working directory; `<!-- not run: why -->` leaves it out. `<!-- shell -->` runs commands. Blocks with
`<!-- picture -->` make the pictures of the gallery, which tests/report/test_gallery.py runs.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?:^ *<!-- (?P<mark>[a-z ]+)(?:: ?(?P<note>[^>]*?))? -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```\n",
    re.DOTALL | re.MULTILINE,
)
SOURCES = str(ROOT / "src")


@dataclass(frozen=True)
class Block:
    """A block of code: what its mark says, its language, and where its code is in the page."""

    mark: str | None
    note: str
    language: str
    code: str
    span: tuple[int, int]


def blocks(text):
    """All blocks of code of a page."""
    return [
        Block(
            found["mark"],
            found["note"] or "",
            found["language"],
            textwrap.dedent(found["code"]),
            found.span("code"),
        )
        for found in BLOCK.finditer(text)
    ]


def shell(code):
    """The output of commands, each in the working directory; ``python`` is the interpreter of this process.

    A program that begins with ``import keras`` runs as those of `programs` do, which import it once for all.
    """
    program = re.fullmatch(r"python (\S+\.py)\n", code)
    if program and (text := Path(program[1]).read_text(encoding="utf-8")).startswith("import keras\n"):
        from programs import run as run_program

        return run_program(text)
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {**os.environ, "PATH": places, "PYTHONPATH": SOURCES, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(["bash", "-c", code], env=env, capture_output=True, text=True, timeout=240)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def run(text, names):
    """Run the blocks of a page in one namespace; return what each printed, beside the block that says so."""
    printed, claims = "", []
    for block in blocks(text):
        if block.mark == "run":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block.code, "<page>", "exec"), names)
            printed = out.getvalue()
        elif block.mark == "file":
            Path(block.note).write_text(block.code, encoding="utf-8")
        elif block.mark == "shell":
            printed = shell(block.code)
        elif block.mark == "prints":
            claims.append((printed, block))
    return claims


def pages():
    """The pages of the site, as paths relative to `docs`."""
    found = (str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    return sorted(page for page in found if not page.startswith("decisions/"))
