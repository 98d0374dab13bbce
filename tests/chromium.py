"""A headless Chromium, spoken to over a pipe (Chrome DevTools Protocol): what a page does, and what it asks for."""

import itertools
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)


def binary():
    """The path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page in a headless Chromium.

    Attributes:
        requests: the addresses that it wanted, those that its own policy stopped among them.
        stopped: the addresses that its policy stopped.
        violations: what it wrote into the browser's log.
    """

    def __init__(self, folder, size=(1200, 900)):
        self.requests, self.stopped, self.violations = [], [], []
        self._asked = {}
        self._ids = itertools.count(1)
        self._left = b""
        down, self._write = os.pipe()
        self._read, up = os.pipe()
        # the browser reads its file descriptor 3 and writes 4
        os.set_inheritable(down, True)
        os.set_inheritable(up, True)
        command = [binary(), *FLAGS, f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{down} 4>&{up}', "chromium", *command],
            pass_fds=(down, up),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down)
        os.close(up)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    _session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.close(self._write)  # a browser whose pipe ends goes, too
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def send(self, method, **params):
        """Ask, and wait for the answer."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == number:
                assert "error" not in found, found
                return found["result"]

    def _next(self, seconds=240):
        end = time.monotonic() + seconds
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            piece = os.read(self._read, 1 << 20)
            assert piece, "Chromium has ended"
            self._left += piece
        message, _, self._left = self._left.partition(b"\0")
        found = json.loads(message)
        if found.get("method") == "Network.requestWillBeSent":
            url = self._asked[found["params"]["requestId"]] = found["params"]["request"]["url"]
            self.requests.append(url)
        elif found.get("method") == "Network.loadingFailed":
            if found["params"].get("blockedReason") == "csp":
                self.stopped.append(self._asked[found["params"]["requestId"]])
        elif found.get("method") == "Log.entryAdded":
            self.violations.append(found["params"]["entry"]["text"])
        return found

    def open(self, address):
        """Load a page and wait until its pictures are decoded."""
        self.send("Page.navigate", url=address)
        while self._next().get("method") != "Page.loadEventFired":
            pass
        self.run("Promise.all([...document.images].map((i) => i.decode().catch(() => 0))).then(() => 1)")

    def run(self, code):
        """The value of a piece of JavaScript in the page."""
        found = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")
