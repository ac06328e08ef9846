"""The Debian package, installed in a Debian of its own: run.py PACKAGE FOLDER. Needs root, for chroot.

Nothing runs after the installation; a controller runs with the unit's own command line as its user; a purge leaves data and takes the rest.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "compose"))
from engine import install, run
from images import mirror

# The highest exposure that systemd may find, in tenths.
EXPOSURE_MAX = 20
NODE = """kitchen = "k1"
node = 1
data_dir = "/var/lib/brigade"
brokers = ["mqtt://127.0.0.1:{broker}"]
embedded_broker = "127.0.0.1:{broker}"
nodes = [{{ id = 1, peer = "127.0.0.1:{peer}", api = "127.0.0.1:{api}" }}]
"""


def free_ports(count):
    claims = [socket.socket() for _ in range(count)]
    for claim in claims:
        claim.bind(("127.0.0.1", 0))
    ports = [claim.getsockname()[1] for claim in claims]
    for claim in claims:
        claim.close()
    return ports


class Machine:
    """A Debian without anything of ours."""

    def __init__(self, folder):
        self.root = os.path.join(os.path.abspath(folder), "root")
        if not os.path.exists(f"{self.root}.tar"):
            install("debootstrap")
            shutil.rmtree(self.root, ignore_errors=True)
            run(["debootstrap", "--variant=minbase", "--include=adduser,libstdc++6", "bookworm", self.root, mirror()])
            run(["tar", "-C", self.root, "-cf", f"{self.root}.tar", "."])
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        run(["tar", "-C", self.root, "-xf", f"{self.root}.tar"])

    def do(self, *words, check=True, user="root"):
        return run(["chroot", f"--userspec={user}:{user}", self.root, *words], check, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"})

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def install(self, package):
        shutil.copy(package, self.path("/tmp/brigade.deb"))
        return self.do("dpkg", "--install", "--force-confold", "/tmp/brigade.deb")


def command(machine, unit, key):
    """What a unit runs."""
    with open(machine.path(f"/usr/lib/systemd/system/{unit}")) as file:
        return next(line.split("=", 1)[1].split() for line in file if line.startswith(f"{key}="))


def units(machine):
    for unit in ["brigade.service", "brigade-backend.service"]:
        said = run(["systemd-analyze", f"--root={machine.root}", "verify", unit], check=False)
        ours = [line for line in said.stderr.splitlines() if "brigade" in line and "Failed to" not in line]
        assert not ours, ours
        run(["systemd-analyze", f"--root={machine.root}", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit])
    wanted = machine.path("/etc/systemd/system/multi-user.target.wants")
    assert not os.path.exists(wanted) or not [name for name in os.listdir(wanted) if "brigade" in name], "a unit is enabled"


def controller(machine):
    """As the unit does it, without systemd."""
    broker, peer, api = free_ports(3)
    machine.write("/etc/brigade/node.toml", NODE.format(broker=broker, peer=peer, api=api))
    # What StateDirectory= does.
    machine.do("install", "-d", "-o", "brigade", "-g", "brigade", "-m", "0700", "/var/lib/brigade")
    checked = machine.do(*command(machine, "brigade.service", "ExecStartPre"), user="brigade")
    assert "is good" in checked.stdout, checked.stdout
    words = ["chroot", "--userspec=brigade:brigade", machine.root, *command(machine, "brigade.service", "ExecStart")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        healthy = lambda: machine.do("brigade", "health", f"http://127.0.0.1:{api}", check=False, user="brigade").returncode == 0
        try:
            while not healthy():
                assert process.poll() is None and time.monotonic() < until, "the controller is not well"
                time.sleep(0.2)
            path = machine.path("/var/lib/brigade/admin-token")
            while not os.path.exists(path):
                assert time.monotonic() < until, "no admin's token was drawn"
                time.sleep(0.1)
            token = os.stat(path)
            assert token.st_mode & 0o777 == 0o600, oct(token.st_mode)
            stranger = machine.do("brigade", "ctl", "--api", f"http://127.0.0.1:{api}", "status", check=False, user="brigade")
            assert stranger.returncode == 1 and "token" in stranger.stderr, stranger.stderr
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    assert process.returncode == 0, process.returncode


def main(package, folder):
    os.makedirs(folder, exist_ok=True)
    machine = Machine(folder)
    machine.install(package)
    machine.do("brigade", "--version")
    for user in ["brigade", "brigade-backend"]:
        entry = machine.do("getent", "passwd", user).stdout.split(":")
        assert int(entry[2]) != 0 and entry[6].strip() == "/usr/sbin/nologin", entry
    units(machine)
    controller(machine)
    machine.write("/etc/brigade/environment", "BRIGADE_LOG__FORMAT=json\n")
    machine.install(package)
    with open(machine.path("/etc/brigade/environment")) as file:
        assert file.read() == "BRIGADE_LOG__FORMAT=json\n", "an update changed what an operator wrote"
    machine.do("dpkg", "--remove", "brigade")
    assert os.path.exists(machine.path("/etc/brigade/environment")) and not os.path.exists(machine.path("/usr/bin/brigade"))
    machine.do("dpkg", "--purge", "brigade")
    assert not os.path.exists(machine.path("/etc/brigade/environment"))
    assert os.path.exists(machine.path("/var/lib/brigade/admin-token")) and os.path.exists(machine.path("/etc/brigade/node.toml"))
    shutil.rmtree(machine.root)
    size = os.path.getsize(package) / 1e6
    print(f"{os.path.basename(package)} ({size:.1f} MB): installed, run as its unit does, brought up to date, removed and purged; data and node.toml stayed")


if __name__ == "__main__":
    main(*sys.argv[1:])
