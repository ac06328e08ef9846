"""Docker Engine for the test: the one that runs, or one of its own that ends with the test."""

import json
import os
import shutil
import subprocess
import tempfile
import time

PACKAGES = {"dockerd": "docker.io", "docker-compose": "docker-compose", "debootstrap": "debootstrap"}


def run(command, check=True, **more):
    """A command that is done when this returns; its output as text."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done


def docker(*words, check=True, **more):
    return run(["docker", *words], check, **more)


def inspect(what):
    return json.loads(docker("inspect", what).stdout)[0]


def install(*programs):
    """Debian's packages for what is not there."""
    missing = [PACKAGES[name] for name in programs if not shutil.which(name) and not os.path.exists(f"/usr/sbin/{name}")]
    if missing:
        print("Installing:", *missing, flush=True)
        run(["apt-get", "update", "-qq"], check=False)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


EMPTY = {
    "filter": "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n",
    "nat": "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n",
}
SWITCHES = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/net/bridge/bridge-nf-call-ip6tables"]


class Firewall:
    """What dockerd changes in this machine's network and leaves behind: rules that drop what others forward, over bridges too."""

    def __init__(self):
        said = {table: run(["iptables-save", "-t", table], check=False).stdout for table in EMPTY}
        self.rules = {table: said[table] if f"*{table}" in said[table] else empty for table, empty in EMPTY.items()}
        self.switches = {path: open(path).read() for path in SWITCHES if os.path.exists(path)}

    def restore(self):
        for rules in self.rules.values():
            run(["iptables-restore"], check=False, input=rules)
        for path in filter(os.path.exists, SWITCHES):
            # A switch that was not there before came with dockerd.
            with open(path, "w") as file:
                file.write(self.switches.get(path, "0"))
        run(["ip", "link", "delete", "docker0"], check=False)


class Engine:
    """`docker` speaks to it through DOCKER_HOST, for a `with` block. Its images and layers stay in `folder`, so that a second run is short."""

    def __init__(self, folder):
        self.folder, self.process, self.images = os.path.abspath(folder), None, []

    def __enter__(self):
        if docker("info", check=False).returncode == 0 if shutil.which("docker") else False:
            print("Docker Engine: the one that runs here")
            return self
        install("dockerd", "docker-compose")
        self.firewall = Firewall()
        # Sockets have short names.
        self.short = tempfile.mkdtemp(prefix="brigade-docker-")
        os.environ["DOCKER_HOST"] = f"unix://{self.short}/docker.sock"
        for driver in ["overlay2", "vfs"]:
            if self.start(driver):
                return self
        with open(f"{self.folder}/dockerd.log") as log:
            raise AssertionError(f"dockerd does not start here (it needs root):\n{log.read()[-3000:]}")

    def start(self, driver):
        os.makedirs(self.folder, exist_ok=True)
        where = ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.short}/exec", "--pidfile", f"{self.short}/pid"]
        with open(f"{self.folder}/dockerd.log", "a") as log:
            command = ["dockerd", "-H", os.environ["DOCKER_HOST"], "--storage-driver", driver, *where]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if docker("info", check=False).returncode == 0:
                print(f"Docker Engine: started for this test, {driver}")
                return True
            time.sleep(0.2)
        self.stop()
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process = None

    def leave_without(self, images):
        """These are taken out of an engine that is not ours; in ours they serve the next run."""
        self.images += images

    def __exit__(self, *_):
        if self.process:
            self.stop()
            self.firewall.restore()
            shutil.rmtree(self.short, ignore_errors=True)
        elif self.images:
            docker("rmi", "--force", *self.images, check=False)


def compose():
    """The words that start Compose here: 2, or else 1.29."""
    if docker("compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    install("docker-compose")
    return ["docker-compose"]
