"""docker-compose.yml, run and broken: run.py PROGRAM FOLDER [PROFILE…]. PROGRAM is packed by the image's last stage; FOLDER keeps Docker's layers for a second run.
With the profile `embedded` the brokers are those of the same image.

Containers are killed, frozen and cut off while orders go in at the kitchen and at the backend. In the end every accepted order is READY, each of
its pizzas was packed once by the devices' own record, nothing burnt or failed, and backend and kitchen agree.
"""

import os
import random
import sys
import threading
import time
import urllib.error
import urllib.request

from engine import Engine, compose, docker, inspect, run
from images import BASE, provide
from checks import closed, hardened, mute, settled
from project import Site, wait_for

IMAGE = "brigade:compose-test"
IMAGE_MB_MAX = 120
# Times as fast as life. A baked pizza may stay in its oven for 12 s then, which is what a failover on a busy machine of two cores leaves room for.
SPEED = 5
ORDERS_MIN = 20


def build(program):
    """The image as it is shipped, around this program."""
    layers = []
    for more in ["", "--no-cache"]:
        run(["scripts/image", IMAGE], env={**os.environ, "PROGRAM": program, "BUILD_OPTIONS": more})
        layers.append(inspect(IMAGE)["RootFS"]["Layers"])
    size, base = inspect(IMAGE)["Size"] / 1e6, inspect(BASE)["Size"] / 1e6
    same = layers[0] == layers[1]
    print(f"image: {size:.0f} MB (Debian's slim image alone: {base:.0f} MB); built twice, its layers are {'the same' if same else 'NOT the same'}")
    return size, same


class Customers:
    """Orders at the kitchen and at the backend, until they are told to stop. What was accepted is kept; what has no answer is asked again."""

    def __init__(self, site, client_token):
        self.site, self.client_token, self.stop = site, client_token, threading.Event()
        self.accepted, self.failed = {}, []
        self.threads = [threading.Thread(target=self.run, args=(where,)) for where in ("kitchen", "backend")]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def run(self, where):
        menu, n, draw = ["margherita", "funghi"], 0, random.Random(where)
        while not self.stop.is_set():
            order = f"{where}-{n}"
            try:
                self.place(where, order, [draw.choice(menu) for _ in range(draw.randint(1, 2))])
            except AssertionError as error:
                self.failed.append(f"{order}: {error}")
            n += 1
            self.stop.wait(15)

    def place(self, where, order, items):
        body = {"items": items, "promise_ms": 3_600_000}
        if where == "kitchen":
            self.site.any(f"/v1/orders/{order}", body, "PUT")
        else:
            until = time.monotonic() + 120
            while True:
                try:
                    self.site.ask("backend", f"/v1/orders/{order}", body, "PUT", self.client_token)
                    break
                except urllib.error.HTTPError as error:
                    # 503: it may have been done, or no kitchen is in reach. Asked again with the same id.
                    if error.code not in (429, 503) or time.monotonic() > until:
                        raise AssertionError(f"{error.code} {error.read().decode()}") from error
                except OSError as error:
                    if time.monotonic() > until:
                        raise AssertionError(str(error)) from error
                time.sleep(0.5)
        self.accepted[order] = len(items)


def in_charge(site):
    """Who it is, and in which epoch."""
    seen = []
    wait_for("somebody is in charge", lambda: seen.append(site.charge()) or seen[-1][0])
    return seen[-1]


def later(site, epoch):
    """Until somebody is in charge after this epoch: how long that took, in seconds."""
    return wait_for("another tenure", lambda: site.charge()[1] > epoch)


def kill_leader(site):
    leader, epoch = in_charge(site)
    restarted = site.crash(leader)
    later(site, epoch)
    return f"{leader} killed; Docker started it again after {restarted:.1f} s"


def stop_machine(site):
    """docker kill counts as a person's stop: it stays away until it is started."""
    leader, epoch = in_charge(site)
    docker("kill", site.ids[leader])
    took = later(site, epoch)
    time.sleep(8)
    docker("start", site.ids[leader])
    return f"{leader} away for 8 s; another one in charge after {took:.1f} s"


def freeze_leader(site):
    leader, epoch = in_charge(site)
    docker("pause", site.ids[leader])
    took = later(site, epoch)
    time.sleep(5)
    docker("unpause", site.ids[leader])
    return f"{leader} frozen for 5 s; another one in charge after {took:.1f} s"


def cut_leader(site):
    """From everybody: brokers, the other controllers, the backend, clients."""
    leader, epoch = in_charge(site)
    for network in ["kitchen", "backend"]:
        site.cut(leader, network)
    took = later(site, epoch)
    time.sleep(8)
    for network in ["kitchen", "backend"]:
        site.join(leader, network)
    return f"{leader} cut off for 8 s; another one in charge after {took:.1f} s"


def cut_brokers(site):
    """A leader without brokers: the other controllers still hear it, by the network that leads to the backend. It hands over."""
    leader, epoch = in_charge(site)
    site.cut(leader, "kitchen")
    took = later(site, epoch)
    time.sleep(8)
    site.join(leader, "kitchen")
    return f"{leader} without brokers for 8 s; another one in charge after {took:.1f} s"


def kill_broker(site):
    """The one that is preferred by all."""
    took = site.crash(site.brokers[0])
    return f"{site.brokers[0]} killed; Docker started it again after {took:.1f} s"


def cut_broker(site):
    site.cut(site.brokers[0], "kitchen")
    time.sleep(8)
    site.join(site.brokers[0], "kitchen")
    return f"{site.brokers[0]} cut off for 8 s"


def kill_backend(site):
    return f"backend killed; Docker started it again after {site.crash('backend'):.1f} s"


def kill_database(site):
    return f"postgres killed; Docker started it again after {site.crash('postgres'):.1f} s"


def cut_backend(site):
    """The kitchen goes on without it, and takes local orders."""
    site.cut("backend", "backend")
    time.sleep(8)
    site.join("backend", "backend")
    return "backend cut off from the kitchen for 8 s"


FAULTS = [kill_leader, kill_broker, kill_backend, cut_leader, kill_database, cut_brokers, freeze_leader, cut_broker, stop_machine, cut_backend]


def break_it(site):
    for fault in FAULTS:
        print("  ", fault(site), flush=True)
        for name in site.services():
            wait_for(f"{name} is well", lambda name=name: site.is_well(name), 120)
        in_charge(site)
        time.sleep(4)


def client_token(site):
    return docker("exec", site.ids["backend"], "brigade", "backend", "token", "--config", "/run/brigade/backend.toml", "--role", "client", "--name", "shop").stdout.strip()


def restart(site, accepted):
    """A stop and a start of everything: each program ends well, and nothing is forgotten."""
    site.compose("stop", "--timeout", "30")
    codes = {name: site.container(name)["State"]["ExitCode"] for name in ["controller1", "controller2", "controller3", "backend", "line"]}
    assert set(codes.values()) == {0}, codes
    took = site.up()
    in_charge(site)
    orders = {order["id"]: order["status"] for order in site.everything(None, "/v1/orders?limit=100")}
    assert all(orders.get(order) == "READY" for order in accepted), "an order was forgotten"
    print(f"stopped (all with exit code 0) and started again in {took:.0f} s: {len(accepted)} orders are still there")


def main(program, folder, *more):
    os.makedirs(folder, exist_ok=True)
    with Engine(os.path.join(folder, "engine")) as engine:
        words = compose()
        stand_ins, made = provide(folder)
        if stand_ins:
            print("stand-ins of Debian's packages:", ", ".join(stand_ins))
        # In somebody's own engine nothing stays that has a public name and is something else.
        engine.leave_without(made)
        size, same = build(program)
        for profile in ["monitoring", "embedded"]:
            run([*words, "--profile", "line", "--profile", profile, "config", "--quiet"])
        with Site(words, IMAGE, SPEED, ("line", "monitoring", *more)) as site:
            print(f"up: every service well after {site.up():.0f} s", flush=True)
            site.learn()
            in_charge(site)
            for check in [closed, hardened, mute, settled]:
                print(check(site), flush=True)
            with Customers(site, client_token(site)) as customers:
                break_it(site)
                wait_for(f"{ORDERS_MIN} orders", lambda: len(customers.accepted) >= ORDERS_MIN, 300)
            judge(site, customers)
            restart(site, customers.accepted)
        assert size < IMAGE_MB_MAX, f"the image has {size:.0f} MB"
        assert same, "two builds of the image differ"


def judge(site, customers):
    accepted = customers.accepted
    assert not customers.failed, customers.failed
    ends = lambda: [order for order in site.everything(None, "/v1/orders?limit=100") if order["status"] != "READY"]
    wait_for("every order is READY", lambda: not ends(), 300)
    orders = {order["id"]: order for order in site.everything(None, "/v1/orders?limit=100")}
    assert set(orders) == set(accepted), (set(orders) ^ set(accepted))
    at_backend = {order["id"]: order["status"] for order in site.everything("backend", "/v1/orders?limit=100", site.operator)}
    wait_for("the backend knows of every end", lambda: all(o["status"] == "READY" for o in site.everything("backend", "/v1/orders?limit=100", site.operator)), 60)
    assert set(at_backend) == {order for order in accepted if order.startswith("backend-")}
    facts = site.record()
    packed = [fact["pizza"] for fact in facts if fact["event"] == "packed"]
    starts = [(fact.get("task"), fact.get("att")) for fact in facts if fact["event"] == "started"]
    bad = [fact for fact in facts if fact["event"] in ("burnt", "failed")]
    assert not bad, bad
    assert len(packed) == len(set(packed)) == sum(accepted.values()), (len(packed), len(set(packed)), sum(accepted.values()))
    assert all(pizza.endswith(".0") for pizza in packed), "a pizza was made again"
    assert len(starts) == len(set(starts)), "a step was begun twice"
    told = site.any("/v1/statistics")
    assert (told["pizzas_packed"], told["pizzas_discarded"], told["steps_failed"]) == (len(packed), 0, 0), told
    assert told["incidents_raised"] == 0, told
    print(f"{len(accepted)} orders accepted ({len(at_backend)} by the backend), all READY once; {len(packed)} pizzas packed once each, none burnt, failed or made again")


if __name__ == "__main__":
    main(*sys.argv[1:])
