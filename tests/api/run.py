"""Schemathesis against real processes: run.py PROGRAM SCHEMATHESIS [SECONDS] [SEED].

The kitchen's API is asked at a follower of a demo kitchen, so that writes are forwarded; the routes that change who is a member, and who may
ask, are asked at a replica of their own. Then the main backend's. All of them ask for tokens, as a site's do. Each run ends with the number of the seed, which draws the same cases again.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "page"))
from kitchen import Kitchen, request  # noqa: E402

MEMBERS = ["join_cluster", "leave_cluster", "list_tokens", "add_token", "revoke_token"]
# Many requests come without a token, on purpose, and all of them from here.
PATIENT = {"BRIGADE_ACCESS__FAILURES_PER_MIN": "1000000", "BRIGADE_ACCESS__REQUESTS_PER_S": "1000000"}
TOKEN = "operator-of-a-test-of-32-characters"


def run(schemathesis, url, token, seconds, seed, *options):
    command = [schemathesis, "--config-file", f"{HERE}/schemathesis.toml", "run", f"{url}/openapi.json", "--seed", str(seed)]
    command += ["--max-time", str(seconds), "--checks", "all", "--no-color", *options]
    # A place of its own for what it writes down.
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "checks", "PYTHONPATH": HERE, "BRIGADE_TEST_TOKEN": token}
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode == 0


class Undone:
    """A person who takes back what would keep the kitchen from being asked further: drain, hold, and settings. And guests, so that something happens."""

    def __init__(self, api, token):
        self.api, self.token, self.stop = api, token, threading.Event()
        self.settings = self.ask("/v1/kitchen/settings")
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def ask(self, path, body=None, method=None):
        return request(self.api + path, body, method, self.token)

    def work(self):
        while not self.stop.wait(0.5):
            # Refused, or between two leaders: the next time will do.
            with contextlib.suppress(OSError, urllib.error.HTTPError):
                kitchen = self.ask("/v1/kitchen?consistency=stale")
                if kitchen["draining"]:
                    self.ask("/v1/kitchen/undrain", {})
                for zone in kitchen["held_zones"]:
                    self.ask("/v1/kitchen/resume", {"zone": zone})
                self.ask("/v1/kitchen/settings", self.settings, "PUT")
                self.ask(f"/v1/orders/guest-{time.monotonic_ns()}", {"items": ["margherita"]}, "PUT")


def follower(kitchen):
    leader = kitchen.in_charge()
    return next(api for node, api in kitchen.apis.items() if node != leader)


def kitchen(program, schemathesis, seconds, seed):
    os.environ.update(PATIENT)
    with Kitchen(program, orders=5, speed=100) as demo:
        api = follower(demo)
        options = [option for name in MEMBERS for option in ("--exclude-operation-id", name)]
        # What is taken back or retired stays on record.
        options += ["--exclude-checks", "use_after_free"]
        with Undone(api, demo.token):
            fine = run(schemathesis, api, demo.token, seconds, seed, *options)
        # Whatever was asked of it, the kitchen still takes an order.
        demo.put("/v1/orders/after-all", {"items": ["margherita"]})
        return fine


@contextlib.contextmanager
def process(command, environment=None):
    """A process that is asked to end with the block; what it says is kept where it can be read when something is wrong."""
    with tempfile.TemporaryFile() as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        try:
            yield running
            assert running.poll() is None, f"{command[1]} ended with {running.poll()}"
        except BaseException:
            log.seek(0)
            sys.stderr.buffer.write(log.read()[-4000:])
            raise
        finally:
            running.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(20)
            running.kill()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, condition):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(f"waited in vain for: {what}")


def members(program, schemathesis, seconds, seed):
    """Joining and leaving, and tokens, at a replica that has nobody to lose, and an admin whose token nobody takes away."""
    peer, api, broker = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = f"""
            kitchen = "api"
            node = 1
            data_dir = "{folder}/data"
            brokers = ["mqtt://127.0.0.1:{broker}"]
            embedded_broker = "127.0.0.1:{broker}"
            nodes = [{{ id = 1, peer = "127.0.0.1:{peer}", api = "127.0.0.1:{api}" }}]
            access.admin_token_file = "{folder}/token"
        """
        for name, text in [("node.toml", config), ("token", TOKEN)]:
            with open(f"{folder}/{name}", "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(text)
        url = f"http://127.0.0.1:{api}"
        with process([program, "controller", "--config", f"{folder}/node.toml"]):
            wait_for("a leader", lambda: request(f"{url}/readyz")["ready"])
            options = [option for name in MEMBERS for option in ("--include-operation-id", name)]
            return run(schemathesis, url, TOKEN, seconds, seed, *options)


def backend(program, schemathesis, seconds, seed):
    url = f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "backend", "--listen", url.removeprefix("http://"), "--database", f"sqlite://{folder}/brigade.db"]
        with process(command, {"BRIGADE_BACKEND_OPERATOR_TOKEN": TOKEN}):
            wait_for("the backend", lambda: subprocess.run(["curl", "-sf", f"{url}/readyz"], capture_output=True, check=False).returncode == 0)
            register(url)
            return run(schemathesis, url, TOKEN, seconds, seed)


def register(url):
    """A kitchen that has told once how it is: orders have somewhere to go, and nobody to cook them."""
    import urllib.request

    def ask(method, path, token, body):
        asked = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), {"content-type": "application/json", "authorization": f"Bearer {token}"}, method=method)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)

    token = ask("PUT", "/v1/kitchens/k1", TOKEN, {"name": "Mitte"})["token"]
    with open(f"{HERE}/../golden/backend_exchange.json", encoding="utf-8") as file:
        told = json.load(file)["request"]
    ask("POST", "/v1/kitchens/k1/exchange", token, {**told, "held": [], "outcomes": [], "first": 1})


def main():
    program, schemathesis = (os.path.abspath(path) for path in sys.argv[1:3])
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 and sys.argv[3] else 120
    seed = int(sys.argv[4]) if len(sys.argv) > 4 and sys.argv[4] else random.randrange(1, 10**6)
    failed = []
    for name, work, share in [("kitchen", kitchen, 1.0), ("members", members, 0.25), ("backend", backend, 0.75)]:
        print(f"=== {name}: seed {seed}, at most {int(seconds * share)} s", flush=True)
        if not work(program, schemathesis, int(seconds * share), seed):
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}. Again: make api-test SEED={seed} SECONDS={seconds}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
