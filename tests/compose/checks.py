"""What must be true of the project before anything breaks."""

import http.client
import json
import socket
import urllib.error

from engine import docker, inspect
from project import CONTROLLERS, wait_for


def status(site, name, path, token):
    try:
        site.ask(name, path, token=token)
        return 200
    except urllib.error.HTTPError as error:
        return error.code


def closed(site):
    """No token, no answer; no TLS, no answer; no port on another address than loopback."""
    for name, path in [(name, "/v1/orders") for name in CONTROLLERS] + [("backend", "/v1/orders")]:
        assert status(site, name, path, "none") == 401, f"{name} answers a stranger"
        plain = http.client.HTTPConnection("localhost", site.ports[name], timeout=5)
        try:
            plain.request("GET", "/livez")
            raise AssertionError(f"{name} answers {plain.getresponse().status} without TLS")
        except (http.client.HTTPException, ConnectionError, socket.timeout):
            pass
    assert status(site, "controller1", "/v1/orders", site.operator) == 401, "the backend's token is good in the kitchen"
    opened = {}
    for name, identity in site.ids.items():
        for port, where in (inspect(identity)["NetworkSettings"]["Ports"] or {}).items():
            for binding in where or []:
                assert binding["HostIp"] == "127.0.0.1", f"{name} is open at {binding}"
                opened.setdefault(name, []).append(port)
    assert "postgres" not in opened and "line" not in opened
    return f"closed: no answer without token or TLS; {sum(map(len, opened.values()))} ports, all on 127.0.0.1"


def hardened(site):
    for name, identity in site.ids.items():
        told = inspect(identity)
        host = told["HostConfig"]
        uid = docker("exec", identity, "id", "-u").stdout.strip()
        assert uid not in ("", "0"), f"{name} runs as {uid}"
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], name
        assert "no-new-privileges:true" in host["SecurityOpt"] and host["Memory"] > 0 and host["NanoCpus"] > 0 and host["PidsLimit"] > 0, name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", name
        wrote = docker("exec", identity, "sh", "-c", "echo x >/usr/written", check=False)
        assert wrote.returncode != 0, f"{name} can write its root"
    reads = {name: docker("exec", site.ids[name], "sh", "-c", "find /run/brigade -type f").stdout.split() for name in ["controller1", site.brokers[0], "line"]}
    assert not [path for paths in reads.values() for path in paths if "ca.key" in path], reads
    assert not [path for path in reads["line"] + reads[site.brokers[0]] if "token" in path or "peer" in path], reads
    return f"hardened: {len(site.ids)} containers without root, capabilities, new privileges or a root that can be written; each has limits"


def mute(site):
    """No log holds a secret; nor does an environment, which anybody with Docker's socket sees."""
    files = ["admin-token", "operator-token", "kitchen-token", "postgres-password", "mosquitto/controller-password"]
    secrets = [site.secret(file) for file in files]
    assert all(len(secret) >= 32 for secret in secrets) and len(set(secrets)) == len(secrets)
    logs = site.compose("logs", "--no-color").stdout
    shown = json.dumps([inspect(identity) for identity in docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={site.project}").stdout.split()])
    assert "The kitchen is closed" in logs
    for file, secret in zip(files, secrets):
        assert secret not in logs and secret not in shown, f"{file} is shown"
    return f"mute: {len(secrets)} secrets are in no log and no environment"


def settled(site):
    """A second `up` makes nothing anew."""
    before, token, ca = dict(site.ids), site.token, site.secret("certs/ca.pem")
    site.up()
    assert site.ids == before, "containers were made anew"
    assert (site.secret("admin-token"), site.secret("certs/ca.pem")) == (token, ca), "secrets were made anew"
    if "monitoring" in site.profiles:
        wait_for("Prometheus sees all", lambda: seen(site) == [1] * 4, 60)
    return "settled: a second `up` changes nothing" + ("; Prometheus sees three controllers and the backend" if "monitoring" in site.profiles else "")


def seen(site):
    answer = docker("exec", site.ids["prometheus"], "promtool", "query", "instant", "http://localhost:9090", "up", check=False).stdout
    return [int(line.split("=>")[1].split()[0]) for line in answer.splitlines() if "=>" in line]
