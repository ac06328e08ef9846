"""A Chromium without a window, steered over the DevTools protocol. Needs the packages chromium and python3-websocket."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request

import websocket


class Browser:
    """One page. Ends with its `with` block."""

    def __init__(self, width=1600, height=1200):
        self.profile = tempfile.mkdtemp(prefix="brigade-page-")
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--remote-allow-origins=*"]
        command += [f"--user-data-dir={self.profile}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.number = 0
        self.faults = []
        self.socket = websocket.create_connection(self._address(), timeout=60)
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _address(self):
        """Chromium writes the port that it chose into its profile."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                with open(f"{self.profile}/DevToolsActivePort") as file:
                    port = int(file.readline())
                tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5))
                return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            except (OSError, ValueError, StopIteration):
                time.sleep(0.1)
        raise TimeoutError("Chromium did not start")

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv())
            if said.get("id") == self.number:
                assert "error" not in said, said["error"]
                return said["result"]
            self._note(said)

    def _note(self, said):
        """Scripts that throw and a policy that is broken are faults. A replica that does not answer is not: the test kills it."""
        entry = said.get("params", {}).get("entry", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.faults.append(said["params"]["exceptionDetails"])
        elif entry.get("level") == "error" and entry.get("source") in ("security", "javascript"):
            self.faults.append(entry["text"])

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, what, script, limit_s=30):
        """Seconds until the expression was true."""
        begun = time.monotonic()
        while time.monotonic() - begun < limit_s:
            if self.run(script):
                return time.monotonic() - begun
            time.sleep(0.02)
        raise TimeoutError(f"waited {limit_s} s in vain for: {what}")

    def key(self, name):
        code = {"Tab": 9, "Enter": 13, "Escape": 27}.get(name) or ord(name.upper())
        text = {"text": "\r"} if name == "Enter" else {"text": name} if len(name) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    def shoot(self, path):
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))
