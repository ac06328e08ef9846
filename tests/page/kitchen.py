"""A demo kitchen for the browser, its processes, and its API."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request


def request(url, body=None, method=None, token=None, key=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": data and "application/json", "authorization": token and f"Bearer {token}", "idempotency-key": key}
    asked = urllib.request.Request(url, data, {name: value for name, value in headers.items() if value}, method=method)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


class Kitchen:
    """`brigade demo --closed` with its three replicas, which ask for tokens as a site does. Ends with its `with` block.

    The demo ends itself when a process dies that it did not kill, until its own orders are done. So it gets one, and the rest is placed here.
    """

    def __init__(self, program, orders=40, speed=10):
        command = [program, "demo", "--closed", "--orders", "1", "--speed", str(speed)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.apis = {}
        for line in self.process.stderr:
            if found := re.findall(r"http://\S+", line):
                self.apis = dict(enumerate(found, start=1))
            if "stays open" in line:
                break
        assert self.apis, "the demo did not start"
        # The next line names the file of the admin's token.
        with open(re.search(r"--token-file (\S+)", self.process.stderr.readline())[1]) as file:
            self.token = file.read()
        # Promised soon, and overtaken by all others: it will be late.
        self.put("/v1/orders/table-0", {"items": ["margherita"] * 4, "promise_ms": 20_000, "priority": -10})
        menu = [recipe["id"] for recipe in self.get("/v1/recipes")["items"]]
        for n in range(orders):
            items = [menu[(n + i) % len(menu)] for i in range(1 + n % 4)]
            self.put(f"/v1/orders/table-{n + 1}", {"items": items})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def get(self, path):
        return self.ask(path)

    def put(self, path, body):
        return self.ask(path, body, "PUT")

    def add_token(self, name, role):
        return self.ask("/v1/tokens", {"name": name, "role": role}, key=name)["token"]

    def ask(self, path, body=None, method=None, key=None):
        """Of any replica that answers."""
        for api in self.apis.values():
            try:
                return request(api + path, body, method, self.token, key)
            except urllib.error.HTTPError as error:
                raise AssertionError(f"{path}: {error.read().decode()}") from error
            except OSError:
                continue
        raise TimeoutError(f"no replica answers {path}")

    def in_charge(self):
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if charge := self.get("/v1/kitchen")["in_charge"]:
                    return charge["node"]
            except AssertionError:
                pass  # Nobody leads yet.
            time.sleep(0.1)
        raise TimeoutError("nobody is in charge")

    def kill(self, words):
        """SIGKILL to the one child of the demo whose command line has these words."""
        os.kill(self.child(words)[0], signal.SIGKILL)

    @contextlib.contextmanager
    def stopped(self, node):
        """A replica that stands still, for a `with` block."""
        pid, _ = self.child(f"node{node}.toml")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def twin(self):
        """The same devices a second time, as if somebody had copied their configuration. The caller ends the process."""
        _, command = self.child("brigade device")
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def person(self, name):
        """The tablet of a person who works after the oven, in front of the demo's simulated ovens: its address, for a `with` block."""
        _, command = self.child("brigade device")
        where = [part for n, word in enumerate(command) if word in ("--kitchen", "--broker") for part in command[n:n + 2]]
        command = [command[0], "human", "--id", name, "--listen", "127.0.0.1:0", "--simulated", *where]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield re.search(r"http://\S+", process.stdout.readline())[0]
            finally:
                process.terminate()

    def child(self, words):
        """Process id and command line."""
        tasks = f"/proc/{self.process.pid}/task"
        for thread in os.listdir(tasks):
            with open(f"{tasks}/{thread}/children") as file:
                children = file.read().split()
            for pid in children:
                with open(f"/proc/{pid}/cmdline") as file:
                    command = file.read().split("\0")[:-1]
                if words in " ".join([os.path.basename(command[0]), *command[1:]]) if command else False:
                    return int(pid), command
        raise AssertionError(f"no process of the demo has {words!r}")
