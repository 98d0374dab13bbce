"""Run the programs of pages and write what they print, their pictures and the notebooks: `update_pages.py [page ...]`.

`tests/docs` runs the same programs and compares.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

from notebooks import NOTEBOOKS, made_from, path_of
from page_programs import DOCS, pages, run
from PIL import Image


def updated(text, claims):
    """The page with what its programs printed in place of what it says."""
    for printed, block in reversed(claims):
        start, end = block.span
        text = text[:start] + printed + text[end:]
    return text


def pictures(page, text):
    """The pictures that a page shows, by their names."""
    return {
        Path(name).name: (DOCS / page).parent / name for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    }


def update(page):
    """Run a page in an empty folder, and write its outputs and pictures."""
    path, home = DOCS / page, Path.cwd()
    text = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            path.write_text(updated(text, run(text, {})), encoding="utf-8")
            for name, target in pictures(page, text).items():
                if Path(name).exists():
                    target.parent.mkdir(exist_ok=True)
                    Image.open(name).convert("RGB").quantize(64).save(target, optimize=True)
        finally:
            os.chdir(home)


def main(chosen):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    sys.path.append(str(Path(__file__).parents[1]))  # where `programs` is
    for page in chosen or [one for one in pages() if re.search("<!-- (run|shell)", (DOCS / one).read_text())]:
        print(page, flush=True)
        update(page)
    for page in NOTEBOOKS:
        path_of(page).write_text(made_from(page), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
