"""An extension of Griffe: examples in docstrings become blocks of code, highlighted in the reference."""

from typing import Any

from griffe import Extension, Object


def fenced(text: str) -> str:
    """The docstring with its examples, from ``>>>`` to an empty line, as fenced code."""
    lines: list[str] = []
    inside = False
    for line in [*text.splitlines(), ""]:
        if line.lstrip().startswith(">>>") and not inside:
            inside, margin = True, line[: len(line) - len(line.lstrip())]
            lines += ["", f"{margin}```pycon"]
        elif inside and not line.strip():
            inside = False
            lines.append(f"{margin}```")
        lines.append(line)
    return "\n".join(lines[:-1] if lines[-1] == "" else lines)


class Examples(Extension):
    """Fences the examples of every docstring that is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of one module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
