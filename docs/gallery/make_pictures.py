"""Runs the code of gallery.md, which writes its pictures: ``python docs/gallery/make_pictures.py``.

The blocks after ``<!-- picture -->`` run in one namespace, in the order of the page. What one prints replaces the text
after the ``<!-- prints -->`` that follows it.
"""

import contextlib
import io
import os
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.with_suffix(".md")
BLOCK = re.compile(r"<!-- picture -->\n```python\n(.*?)```\n", re.DOTALL)
PRINTS = re.compile(r"(<!-- prints -->\n```text\n)(.*?)(```\n)", re.DOTALL)


def make(folder):
    """Write the pictures into a folder; returns what each block printed that printed anything."""
    printed, names, before = [], {"__name__": "gallery"}, Path.cwd()
    os.chdir(folder)
    try:
        for code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, str(PAGE), "exec"), names)
            printed += [out.getvalue()] * bool(out.getvalue())
    finally:
        os.chdir(before)
    return printed


if __name__ == "__main__":
    printed = iter(make(HERE))
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PRINTS.sub(lambda found: found[1] + next(printed) + found[3], text), encoding="utf-8")
