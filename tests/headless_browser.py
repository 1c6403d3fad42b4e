"""Drives a headless Chromium by the DevTools protocol over two pipes, without a client library.

with Browser(find_chromium(), tmp_path) as browser:
    browser.open("file:///tmp/report.html")
    browser.value("document.title")
"""

import itertools
import json
import os
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--hide-scrollbars", "--disable-background-networking", "--disable-component-update"),
    "--remote-debugging-pipe",
)
LIMIT = 60.0  # seconds for one answer


def find_chromium():
    """The path of a Chromium; None if this machine has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a headless Chromium.

    Attributes:
        problems: What the page has written to the console as a warning or error, and what it threw.
        requests: The addresses that the page has asked for.
    """

    def __init__(self, chromium, profile):
        self.chromium, self.profile = chromium, profile
        self.problems, self.requests = [], []
        self.numbers, self.rest = itertools.count(1), b""

    def __enter__(self):
        to_chromium, self.writing = os.pipe()
        self.reading, from_chromium = os.pipe()
        # Chromium reads file descriptor 3 and writes 4
        line = 'exec "$@" 3<&$READ 4>&$WRITE'.replace("$READ", str(to_chromium))
        line = line.replace("$WRITE", str(from_chromium))
        self.process = subprocess.Popen(
            ["bash", "-c", line, "sh", self.chromium, *FLAGS, f"--user-data-dir={self.profile}"],
            pass_fds=(to_chromium, from_chromium),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_chromium)
        os.close(from_chromium)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(10)
        os.close(self.writing)
        os.close(self.reading)

    session = None

    def call(self, method, **params):
        """The result of a method of the protocol."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def receive(self):
        """The next message; events of interest are noted."""
        while b"\0" not in self.rest:
            if not select.select([self.reading], [], [], LIMIT)[0]:
                raise TimeoutError("Chromium does not answer")
            self.rest += os.read(self.reading, 1 << 20)
        line, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(line)
        event, params = message.get("method"), message.get("params", {})
        if event == "Runtime.exceptionThrown":
            self.problems.append(params["exceptionDetails"])
        elif event == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
            self.problems.append(params["entry"])
        elif event == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error"):
            self.problems.append(params["args"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message

    def value(self, expression):
        """The value of a JavaScript expression; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, address):
        """Open an address in a page without a past."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def wait_for(self, expression, seconds=LIMIT):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            if time.monotonic() > end:
                raise TimeoutError(expression)
            time.sleep(0.02)

    def set_window(self, width, height=900, scheme="light"):
        """Set the size of the window, and the colours that the system asks for."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
