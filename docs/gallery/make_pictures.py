"""Runs the code of gallery.md, which writes its pictures: ``python docs/gallery/make_pictures.py``.

The blocks after ``<!-- picture -->`` run in one namespace, in the order of the page. What they print replaces the text
after ``<!-- prints -->``.
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
    """Write the pictures into a folder; returns what the code printed."""
    out, names, before = io.StringIO(), {"__name__": "gallery"}, Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out):
            for code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
                exec(compile(code, str(PAGE), "exec"), names)
    finally:
        os.chdir(before)
    return out.getvalue()


if __name__ == "__main__":
    printed = make(HERE)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PRINTS.sub(lambda found: found[1] + printed + found[3], text), encoding="utf-8")
