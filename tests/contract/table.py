"""The page of the traps, from the marks of their tests: ``python tests/contract/table.py`` writes docs/traps.md."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "traps.md"

HEAD = """\
# Common mistakes with multiple outputs: the traps

Thirty-one ways in which a Keras model with several outputs trains on something other than you meant, or fails without
saying why. Each has a test in `tests/contract`, run on JAX, PyTorch and TensorFlow, that first shows what plain Keras
does and then what polyhead does instead (what forked workers of Keras do, number 22, is the same on all of them and
shown on JAX alone); `python tests/contract/table.py` makes this page from those tests. "Versions" are the Keras
versions that have the trap, of all minor versions from 3.10 to the unreleased 3.16: if some don't, the test also
asserts what plain Keras does in these.

| # | the trap | plain Keras | versions | polyhead | the test |
| --- | --- | --- | --- | --- | --- |
"""


def traps():
    """What each mark says, as (number, name, keras, versions, polyhead, file, test), in the order of their numbers.

    The files are read, not imported: that takes no backend.
    """
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "trap":
                    number, name = (ast.literal_eval(argument) for argument in mark.args)
                    words = {keyword.arg: ast.literal_eval(keyword.value) for keyword in mark.keywords}
                    said = (words["keras"], words.get("versions", "all"), words["polyhead"])
                    found.append((number, name, *said, path.name, node.name))
    return sorted(found)


def page():
    """The page."""
    rows = []
    for number, name, keras, versions, polyhead, file, test in traps():
        cells = (str(number), name, keras, versions, polyhead, f"`{file}::{test}`")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
