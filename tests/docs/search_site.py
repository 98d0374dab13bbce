"""Types words into the search box of the built site, and tells where they don't find their page first.

``python tests/docs/search_site.py site`` in the environment of the site; ``make docs`` runs it. A headless Chromium
loads the site from this machine once, and the theme's own search answers. Without a browser nothing is tried.
"""

import functools
import http.server
import json
import re
import sys
import tempfile
import threading
from pathlib import Path

from searches import QUESTIONS, TOPICS

sys.path.insert(0, str(Path(__file__).parents[1]))

import chromium

AT_ONCE = 10
"""The searches of one request to the browser, which a busy machine can answer before it counts as stuck."""

ASK = """
(async () => {
  const box = document.querySelector('[data-md-component=search-query]');
  const meta = document.querySelector('.md-search-result__meta');
  const when = (ready) => new Promise((found) => {
    if (ready()) return found();
    const watch = new MutationObserver(() => { if (ready()) { watch.disconnect(); found(); } });
    watch.observe(document.querySelector('.md-search-result'), {childList: true, subtree: true, characterData: true});
  });
  const type = (words) => {
    box.value = words;
    for (const name of ['focus', 'input', 'keyup']) box.dispatchEvent(new Event(name, {bubbles: true}));
  };
  const links = () => [...document.querySelectorAll('.md-search-result__item:first-child a')];
  document.querySelector('[data-md-toggle=search]').checked = true;
  const found = [];
  for (const words of WORDS) {
    for (const next of box.value ? ['', words] : [words]) {
      meta.textContent = 'asked';  // two searches that find nothing are answered by the same text
      type(next);
      await when(() => meta.textContent !== 'asked');
    }
    await when(() => links().length > 0 || !/[1-9]/.test(meta.textContent));
    found.push(links().map((one) => one.getAttribute('href')));
  }
  return found;
})()
"""


class Site(http.server.SimpleHTTPRequestHandler):
    """The files of the site."""

    def log_message(self, *_):
        """Say nothing."""


def answers(site, searches):
    """What the search finds first for each of some words: the links of the first page, without their base."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Site, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/"
    try:
        with tempfile.TemporaryDirectory() as folder, chromium.Browser(folder) as browser:
            browser.open(base)
            words = list(searches)
            parts = [words[start : start + AT_ONCE] for start in range(0, len(words), AT_ONCE)]
            found = [links for part in parts for links in browser.run(ASK.replace("WORDS", json.dumps(part)))]
    finally:
        server.shutdown()
    return [[link.removeprefix(base).partition("?")[0] + hash_of(link) for link in links] for links in found]


def hash_of(link):
    """The place in the page that a link leads to, ``#name``; empty for the page itself."""
    _, mark, name = link.partition("#")
    return mark + name


def wrong(searches, found):
    """One line for each search that does not find its page, or its part of a page, first."""
    for (words, expected), links in zip(searches.items(), found, strict=True):
        page, _, place = expected.partition("#")
        parts = [link for link in links if "#" in link]
        first = (parts or links or ["nothing"])[0] if place else (links or ["nothing"])[0].partition("#")[0]
        if first != expected:
            yield f"{words!r}: expected {page}{'#' * bool(place)}{place} first, found {first}"


def place_of(heading):
    """The place of a heading in its page."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def main(site):
    """Whether every search finds its page first."""
    if chromium.binary() is None:
        print("the search of the site was not tried: there is no Chromium")
        return True
    searches = {
        words: f"questions/#{place_of(name)}" for name, some in QUESTIONS.items() for words in some
    } | TOPICS
    problems = list(wrong(searches, answers(site, searches)))
    print(*problems, sep="\n")
    print(f"{len(searches) - len(problems)} of {len(searches)} searches find their page first")
    return not problems


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1]))
