"""Makes llms.txt from the pages that mkdocs.yml lists: python tests/house/llms.py"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "llms.txt"
ABOUT = """\
# polyhead

> polyhead feeds multi-output Keras 3 models (multiple outputs, multi-task) on JAX, PyTorch and TensorFlow.
One declaration of inputs and heads replaces a hand-written generator: it checks data against the model,
encodes and augments rows, weighs missing labels, and turns predictions back into classes, units and pixels.

Install with `pip install polyhead` (images: `polyhead[vision]`) and one backend. `import polyhead as ph`;
`feed = ph.Feed(data, inputs={"image": ph.Image(64, 64)}, heads={"kind": ph.Categorical()})`,
`ph.compile(model, feed, optimizer="adam")`, `model.fit(feed)`, `ph.evaluate(model, feed)`, `ph.predict(model,
rows)`. The model's outputs have the names of the heads.
"""
_ENTRY = re.compile(r"^( *)- (?:\"(?P<quoted>[^\"]*)\"|(?P<plain>[^:\"]*)):(?: (?P<path>\S+\.md))?$")
LEFT_OUT = ("index.md", "decisions/")


def text() -> str:
    """The file, a line for each page with the first sentence of the page."""
    lines, title = ["- [README](README.md): the problem, one whole example, what it does"], "Pages"
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    for line in nav.splitlines():
        if not line.startswith((" ", "-")):
            break
        found = _ENTRY.match(line)
        if found is None:
            continue
        name, path = found["quoted"] or found["plain"], found["path"]
        if path is None:
            title = name
            if title != "Decisions":
                lines.append(f"\n## {title}\n")
        elif not path.startswith(LEFT_OUT) and (ROOT / "docs" / path).exists():
            lines.append(f"- [{name}](docs/{path}){_first_sentence(ROOT / 'docs' / path)}")
    about = "".join(" ".join(part.split()) + "\n\n" for part in ABOUT.split("\n\n"))
    return about + "## Start\n\n" + "\n".join(lines) + "\n"


def _first_sentence(page: Path) -> str:
    """The first sentence of a page, after a colon; empty where it does not begin with one."""
    for part in page.read_text(encoding="utf-8").split("\n\n")[1:4]:
        if re.match(r"[A-Z`][^|#<]*", part) and "```" not in part:
            sentence = re.split(r"(?<=[.:])\s", " ".join(part.split()))[0]
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", sentence).rstrip(".:")
            return f": {plain}" if len(plain) < 180 else ""
    return ""


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
