"""What the search of the site is asked, and how its answers are judged; ``make docs`` asks it in a browser."""

from page_programs import DOCS
from search_site import place_of, wrong
from searches import QUESTIONS, TOPICS


def test_every_question_is_searched_for_by_other_words_than_its_heading():
    text = (DOCS / "questions.md").read_text(encoding="utf-8")
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert list(QUESTIONS) == headings
    assert len(headings) >= 30
    assert all(set(words) - {heading} for heading, words in QUESTIONS.items())
    assert len({words for some in QUESTIONS.values() for words in some} | set(TOPICS)) == sum(
        len(some) for some in (*QUESTIONS.values(), TOPICS)
    )
    pages = {page for page in TOPICS.values() if not (DOCS / f"{page.rstrip('/')}.md").exists()}
    assert pages == set()


def test_an_answer_is_judged_by_its_page_and_its_part():
    assert place_of("The keys of y don't match `a_b`: (None, 1)") == "the-keys-of-y-dont-match-a_b-none-1"
    searches = {"nan": "questions/#loss-nan", "resume": "resume/"}
    assert list(wrong(searches, [["questions/", "questions/#loss-nan"], ["resume/#x", "resume/#y"]])) == []
    assert list(wrong(searches, [["questions/", "questions/#other"], []])) == [
        "'nan': expected questions/#loss-nan first, found questions/#other",
        "'resume': expected resume/ first, found nothing",
    ]
