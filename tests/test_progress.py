"""The bar of long work: on a terminal, with rate and time left, and nowhere else."""

import io

import numpy as np
import rich.console

from polyhead.progress import bar, shown_while


def on_terminal(monkeypatch, terminal=True):
    text = io.StringIO()
    made = rich.console.Console
    monkeypatch.setattr(
        rich.console,
        "Console",
        lambda **_: made(file=text, force_terminal=terminal, width=100, color_system=None),
    )
    return text


def pieces(count):
    return [(i, np.zeros(5)) for i in range(count)]


def test_rows_rate_and_time_left_are_shown(monkeypatch):
    text = on_terminal(monkeypatch)
    with bar("packing", 20) as done:
        done(10)
        done(10)
    assert "packing" in text.getvalue()
    assert "20/20 rows" in text.getvalue()
    assert "/s" in text.getvalue()


def test_nothing_is_shown_without_a_terminal(monkeypatch):
    text = on_terminal(monkeypatch, terminal=False)
    assert list(shown_while("reading", pieces(4), 20, after=-1)) is not None
    with bar("packing", 20) as done:
        done(20)
    assert text.getvalue() == ""


def test_short_work_shows_no_bar(monkeypatch):
    text = on_terminal(monkeypatch)
    assert [i for i, _ in shown_while("reading", pieces(4), 20, after=1000)] == [0, 1, 2, 3]
    assert text.getvalue() == ""


def test_long_work_shows_what_was_done_before_the_bar(monkeypatch):
    text = on_terminal(monkeypatch)
    assert [i for i, _ in shown_while("reading", pieces(4), 20, after=-1)] == [0, 1, 2, 3]
    assert "20/20 rows" in text.getvalue()
