"""A count that is printed agrees with its noun: "1 row", not "1 rows"."""

import re
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "polyhead"
COUNT = re.compile(
    r"\{[^{}]+:,\} (?:rows|images|boxes|masks|objects|batches|files|annotations|keypoints)\b(?! have)"
)
OF = re.compile(r"(?:of|of the|than) (?:the )?$")


def plurals(text):
    """The counts in f-strings whose noun is always in the plural, unless they are the whole of which some are meant."""
    return [
        found[0]
        for line in text.splitlines()
        for found in COUNT.finditer(line)
        if not OF.search(line[: found.start()])
    ]


def test_counts_agree_with_their_nouns():
    found = {}
    for path in SRC.rglob("*.py"):
        if some := plurals(path.read_text(encoding="utf-8")):
            found[str(path.relative_to(SRC))] = some
    assert found == {}, "write polyhead.errors.counted(number, 'row')"


def test_this_test_can_fail():
    assert plurals('f"{len(rows):,} rows"') == ["{len(rows):,} rows"]
    assert plurals('f"{a:,} of {b:,} rows"') == []
