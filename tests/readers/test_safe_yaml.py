"""A data YAML from elsewhere, which may stand for more than a memory holds."""

import tracemalloc

import pytest

import polyhead as ph
from polyhead.readers.safe_yaml import load_yaml

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")


def bomb(width, depth, merge=False):
    names = [f"n{i}" for i in range(depth)]
    lines = [f"{names[0]}: &{names[0]} {'{a: 1}' if merge else '[' + ','.join('x' * width) + ']'}"]
    for name, before in zip(names[1:], names, strict=False):
        many = ",".join([f"*{before}"] * width)
        lines.append(f"{name}: &{name} {'{<<: [' + many + ']}' if merge else '[' + many + ']'}")
    return "\n".join([*lines, "train: images", f"names: *{names[-1]}", ""])


@pytest.mark.parametrize("merge", [False, True], ids=["lists", "merged keys"])
def test_aliases_of_aliases_are_refused_in_little_memory(tmp_path, merge):
    file = tmp_path / "data.yaml"
    file.write_text(bomb(9, 9, merge))
    tracemalloc.start()
    try:
        with pytest.raises(ph.DataError) as caught:
            ph.read_yolo(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(caught.value) == (
        f"file {file}: expected YAML, got aliases that stand for more than 200,000 values."
    )
    assert peak < 10 << 20


def test_what_is_just_allowed_is_not_written_out_in_an_error(tmp_path):
    file = tmp_path / "data.yaml"
    file.write_text(bomb(9, 4))
    with pytest.raises(ph.DataError) as caught:
        ph.read_yolo(file)
    assert len(str(caught.value)) < 300 + len(str(file))
    assert "expected names, a list of the classes or {number: name}, got [[[['x', 'x'," in str(caught.value)


def test_an_alias_of_a_list_of_names_is_fine():
    assert load_yaml(b"a: &n [cat, dog]\nnames: *n\nmore: {<<: {b: 1}, c: 2}") == {
        "a": ["cat", "dog"],
        "names": ["cat", "dog"],
        "more": {"b": 1, "c": 2},
    }
    assert load_yaml(b"") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: &a [*a]", "an alias of a value that contains it"),
        (b"[" * 150 + b"]" * 150, "lists in lists, more than 100 deep"),
        (b"[" * 5000, "RecursionError"),
        (b" " * ((1 << 20) + 1), "a file of 1,048,577 bytes"),
        (b"a: !!int x", "invalid literal for int() with base 10: 'x'"),
        (b"a: !!int ''", "IndexError"),
        (b"a: !!bool x", "KeyError"),
        (b"a: !!timestamp x", "AttributeError"),
        (b"a: " + b"9" * 5000, "Exceeds the limit (4300 digits) for integer string conversion"),
        (b"\xff\xfe\x00", ""),
        (b"a: \x00", ""),
        (b"{[a]: 1}", "while constructing a mapping"),
    ],
)
def test_what_is_no_yaml_is_one_error(tmp_path, text, words):
    file = tmp_path / "data.yaml"
    file.write_bytes(text)
    with pytest.raises(ph.DataError) as caught:
        ph.read_yolo(file)
    assert str(caught.value).startswith(f"file {file}: expected YAML, got {words}")
    assert len(str(caught.value)) < 600 + len(str(file))
