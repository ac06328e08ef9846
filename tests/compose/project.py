"""The project of docker-compose.yml as the test runs it: its containers, networks, APIs and tokens."""

import json
import os
import signal
import socket
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request

from engine import docker, inspect, run

CONTROLLERS = ["controller1", "controller2", "controller3"]
MOSQUITTOS = ["mosquitto1", "mosquitto2", "mosquitto3"]

GRAFANA = "grafana/grafana:11.4.0"


def free_port():
    with socket.socket() as claim:
        claim.bind(("127.0.0.1", 0))
        return claim.getsockname()[1]


def wait_for(what, condition, limit_s=90):
    """How long it took, in seconds."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() > begun + limit_s:
            raise TimeoutError(f"{what}: not within {limit_s} s")
        time.sleep(0.1)
    return time.monotonic() - begun


class Site:
    """Ends with its `with` block, volumes and networks too."""

    def __init__(self, compose, image, speed, profiles=("line",)):
        self.project, self.profiles = f"brigade-test-{os.getpid()}", profiles
        is_embedded = "embedded" in profiles
        self.brokers = ["broker1", "broker2", "broker3"] if is_embedded else MOSQUITTOS
        services = [*CONTROLLERS, *MOSQUITTOS, "backend", "prometheus", "grafana"]
        self.ports = {name: free_port() for name in services}
        self.env = {**os.environ, "KITCHEN_SPEED": str(speed), "BRIGADE_IMAGE": image, "MOSQUITTOS": "0" if is_embedded else "1", "COMPOSE_HTTP_TIMEOUT": "300"}
        self.env.update({f"PORT_{name.upper()}": str(port) for name, port in self.ports.items()})
        flags = [word for profile in profiles for word in ("--profile", profile)]
        self.words = [*compose, "--project-name", self.project, "--file", "docker-compose.yml", *flags]
        self.ids, self.tls, self.alone = {}, None, threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            logs = self.compose("logs", "--no-color", "--tail", "60", check=False)
            print(logs.stdout[-15000:], self.compose("ps", check=False).stdout)
        self.compose("down", "--volumes", "--timeout", "10", check=False)

    def compose(self, *words, check=True):
        return run([*self.words, *words], check, env=self.env)

    def up(self):
        """Returns when every service that stays is healthy, or at least runs; how long that took, in seconds."""
        begun = time.monotonic()
        self.compose("up", "--detach", "--no-build", *self.services())
        self.ids = {name: self.compose("ps", "--quiet", name).stdout.strip() for name in self.services()}
        for name in self.services():
            wait_for(f"{name} is well", lambda name=name: self.is_well(name), 180)
        return time.monotonic() - begun

    def services(self):
        """What stays. Grafana only where its image is: no package of Debian stands in for it."""
        names = [*CONTROLLERS, *self.brokers, "postgres", "backend", *(["line"] if "line" in self.profiles else [])]
        if "monitoring" in self.profiles:
            names.append("prometheus")
            if docker("image", "inspect", GRAFANA, check=False).returncode == 0:
                names.append("grafana")
        return names

    def is_well(self, name):
        state = inspect(self.ids[name])["State"]
        return state["Running"] and state.get("Health", {}).get("Status", "healthy") == "healthy"

    def container(self, name):
        return inspect(self.ids[name])

    def secret(self, file):
        """What the operator is told to type."""
        return self.compose("run", "--rm", "--no-deps", "site", "-c", f"cat /site/{file}").stdout.strip()

    def learn(self):
        """The admin's token and whom to trust, as an operator would."""
        self.token, self.operator = self.secret("admin-token"), self.secret("operator-token")
        self.trust(self.secret("certs/ca.pem"))

    def trust(self, pem):
        self.tls = ssl.create_default_context(cadata=pem)
        with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
            file.write(pem)
        self.ca = file.name

    def url(self, name):
        return f"https://localhost:{self.ports[name]}"

    def ask(self, name, path, body=None, method=None, token=None, limit_s=10):
        """Of one service. An answer with a bad status is an HTTPError, none is an OSError."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {token or self.token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url(name) + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=limit_s, context=self.tls) as answer:
            return json.load(answer)

    def any(self, path, body=None, method=None):
        """Of any controller: reads, and what is safe to repeat, until one answers."""
        until, why = time.monotonic() + 60, None
        while time.monotonic() < until:
            for name in CONTROLLERS:
                try:
                    return self.ask(name, path, body, method, limit_s=3)
                except urllib.error.HTTPError as error:
                    if error.code not in (429, 500, 502, 503, 504):
                        raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error
                    why = error
                except OSError as error:
                    why = error
            time.sleep(0.2)
        raise TimeoutError(f"no controller answers {path}: {why}")

    def everything(self, name, path, token=None):
        """All pages of a list."""
        items, cursor = [], ""
        while True:
            page = self.ask(name, f"{path}{cursor}", token=token) if name else self.any(f"{path}{cursor}")
            items += page["items"]
            if not page.get("next"):
                return items
            cursor = f"&cursor={page['next']}"

    def charge(self):
        """The service in charge and its epoch, as whoever is furthest sees it; (None, 0) while there is nobody."""
        seen = [(None, 0)]
        for name in CONTROLLERS:
            try:
                charge = self.ask(name, "/v1/kitchen", limit_s=1)["in_charge"]
                seen += [(f"controller{charge['node']}", charge["epoch"])] if charge else []
            except OSError:
                continue
        return max(seen, key=lambda one: one[1])

    def crash(self, name):
        """SIGKILL from outside of the container: its restart policy brings it back. (`docker kill` would count as a person's stop.)"""
        before = self.container(name)
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        return wait_for(f"{name} was started again", lambda: self.container(name)["State"]["StartedAt"] != before["State"]["StartedAt"] and self.container(name)["State"]["Running"])

    def network(self, name):
        return f"{self.project}_{name}"

    def cut(self, name, network):
        docker("network", "disconnect", self.network(network), self.ids[name])

    def join(self, name, network):
        # Whichever broker it is, it has the mosquitto's name.
        alias = dict(zip(self.brokers, MOSQUITTOS)).get(name, name)
        docker("network", "connect", "--alias", alias, self.network(network), self.ids[name])

    def record(self):
        """What happened on the simulated devices: they trust no controller, and nobody can tell them what to write."""
        text = docker("exec", self.ids["line"], "cat", "/var/lib/brigade/record.jsonl").stdout
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
