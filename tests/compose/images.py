"""The public images that docker-compose.yml and cluster/Dockerfile name: pulled where a registry is reachable, else made of Debian's packages.

A stand-in has the name, the user's number, the entry point and the paths of the image in whose place it stands, and Debian 12's program.
Grafana is no package of Debian: where no registry is reachable, it is not there.
"""

import os
import shutil
import subprocess

from engine import docker, install, run

BASE = "debian:bookworm-slim"
# Name, Debian's packages, what is done in its root, what is said of it.
STAND_INS = {
    BASE: ([], "", ["CMD [\"bash\"]"]),
    "eclipse-mosquitto:2": (
        ["mosquitto", "mosquitto-clients"],
        "install -d -o 1883 -g 1883 /mosquitto/config /mosquitto/data /mosquitto/log",
        ["CMD [\"/usr/sbin/mosquitto\", \"-c\", \"/mosquitto/config/mosquitto.conf\"]"],
    ),
    "postgres:15-bookworm": (
        ["postgresql-15"],
        """sed -i 's/^postgres:x:[0-9]*:[0-9]*:/postgres:x:999:999:/' /etc/passwd
        rm -rf /var/lib/postgresql/15 /etc/postgresql/15
        install -d -o 999 -g 999 -m 1777 /var/lib/postgresql/data /var/run/postgresql
        ln -sf /usr/lib/postgresql/15/bin/* /usr/local/bin/
        cat >/usr/local/bin/docker-entrypoint.sh <<'SCRIPT'
#!/bin/sh
# What of the official image's entry point the compose file uses.
set -eu
export PGDATA=/var/lib/postgresql/data
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    chmod 0700 "$PGDATA"
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl -o "-c listen_addresses=''" -w start
    createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl -m fast -w stop
fi
exec "$@" -c 'listen_addresses=*'
SCRIPT
        chmod 0755 /usr/local/bin/docker-entrypoint.sh""",
        ["ENTRYPOINT [\"docker-entrypoint.sh\"]", "CMD [\"postgres\"]", "VOLUME /var/lib/postgresql/data"],
    ),
    "prom/prometheus:v2.55.1": (
        ["prometheus"],
        "install -d -o 65534 -g 65534 /prometheus",
        ["ENTRYPOINT [\"/usr/bin/prometheus\"]", "USER 65534", "WORKDIR /prometheus"],
    ),
}
# What Debian's own slim image leaves out, and what only apt needs.
LEFT_OUT = ["doc", "man", "locale", "info", "lintian", "groff", "linda"]


def mirror():
    """Where this machine's apt gets Debian from."""
    lines = run(["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"]).stdout.split("\n")
    sites = [line.split()[0] for line in lines if line.endswith(" bookworm")]
    return sites[0] if sites else "http://deb.debian.org/debian"


def stand_in(name, folder):
    """Imports an image under a public name."""
    install("debootstrap")
    packages, script, changes = STAND_INS[name]
    root, cache = os.path.join(folder, "root"), os.path.join(folder, "packages")
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(cache, exist_ok=True)
    include = [f"--include={','.join(packages)}"] if packages else []
    run(["debootstrap", "--variant=minbase", f"--cache-dir={os.path.abspath(cache)}", *include, "bookworm", root, mirror()])
    if script:
        run(["chroot", root, "/bin/sh", "-euc", script])
    left_out = [f"--exclude=./usr/share/{name}/*" for name in LEFT_OUT]
    left_out += ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--exclude=./var/log/*", "--exclude=./proc/*", "--exclude=./sys/*"]
    tar = subprocess.Popen(["tar", "-C", root, "--one-file-system", *left_out, "-c", "."], stdout=subprocess.PIPE)
    docker("import", *[word for change in changes for word in ("--change", change)], "-", name, stdin=tar.stdout)
    tar.stdout.close()
    if tar.wait() != 0:
        raise AssertionError(f"{root} could not be packed")
    shutil.rmtree(root)


def provide(folder, names=STAND_INS):
    """Every image is there when this returns. Which of them are stand-ins, and which of those were made now."""
    made = []
    missing = [name for name in names if docker("image", "inspect", name, check=False).returncode != 0]
    for name in missing:
        if docker("pull", "--quiet", name, check=False).returncode == 0:
            continue
        print(f"{name}: no registry is reachable; made of Debian's packages", flush=True)
        stand_in(name, folder)
        made.append(name)
    return [name for name in names if not docker("image", "inspect", "--format", "{{.RepoDigests}}", name).stdout.strip("[]\n")], made
