"""A robot before the oven (prep, load, discard), after docs/device-protocol.md and docs/firmware.md, without any of Brigade's code.

Usage: robot.py mqtt://host:port[,mqtt://host:port…] kitchen id
"""
import json, queue, random, secrets, sys, time
from urllib.parse import urlparse
import paho.mqtt.client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

ACTIONS = {"prep": ("ALWAYS", 60000, 120000), "load": ("UNTIL_START", 8000, 20000), "discard": ("UNTIL_START", 5000, 20000)}
OVER = ("FINISHED", "FAILED", "CANCELLED", "EXPIRED")
QOS0, QOS1 = SubscribeOptions(qos=0), SubscribeOptions(qos=1)
now = lambda: time.monotonic_ns() // 1_000_000


class Robot:
    def __init__(self, brokers, kitchen, me):
        self.brokers, self.kitchen, self.me = brokers, kitchen, me
        self.boot, self.n, self.rev, self.s, self.born = secrets.token_hex(8), 0, 0, 0, now()
        self.epoch, self.sent, self.answered, self.unanswered, self.beat_at = 0, {}, 0, 0, 0
        self.tasks, self.known, self.done, self.results = {}, [], [], []
        self.gripper, self.hb_ms, self.orphan_ms = None, 1000, 10000
        self.hold, self.zone, self.zone_at, self.lease_held, self.paused_at = [False, -1], [False, -1], 0, False, None
        self.inbox, self.client, self.up, self.changed, self.retry_at = queue.Queue(), None, False, False, 0

    # Talking
    def topic(self, leaf):
        return f"brigade/v1/{self.kitchen}/{self.me}/{leaf}"

    def say(self, leaf, payload, retain=True, qos=1):
        self.up and self.client.publish(self.topic(leaf), json.dumps(payload), qos, retain)

    def world(self, ev, task, **more):
        fact = {"ev": ev, "device": self.me, "pizza": task["pizza"], "task": task["id"], "att": task["att"], "act": task["act"], **more}
        self.up and self.client.publish(f"brigade-sim/v1/{self.kitchen}/world", json.dumps(fact), 1)

    def say_state(self):
        shown = ("id", "att", "pizza", "act", "lane", "st", "pct", "code", "detail")
        runs = any(t["st"] == "RUNNING" for t in self.tasks.values())
        self.say("state", {
            "v": 1, "boot": self.boot, "rev": self.rev, "mode": "AUTOMATIC", "estop": False, "errors": [],
            "cond": "HELD" if self.held() else "EXECUTE" if runs else "IDLE", "fence": {"epoch": self.epoch},
            "holds": [{"lane": 0, "pizza": self.gripper}] if self.gripper else [],
            "tasks": [{k: t[k] for k in shown if k in t} for t in self.tasks.values()], "cmds": self.results[-32:]})

    def say_facts(self):
        self.say("facts", {
            "v": 1, "kind": "robot.before_oven", "fw": "py-1", "proto": 1, "lanes": [0], "hb_ms": self.hb_ms, "orphan_ms": self.orphan_ms,
            "actions": [{"name": a, "cancel": c, "typ_ms": t, "max_ms": m} for a, (c, t, m) in ACTIONS.items()]})

    def beat(self, periodic=False):
        if self.up:
            self.s += 1
            self.sent = {s: at for s, at in self.sent.items() if s > self.s - 64} | {self.s: now()}
            self.unanswered += periodic
            self.say("hb", {"b": self.boot, "s": self.s, "r": self.rev, "up": now() - self.born}, False, 0)

    # Connecting (rules 1 and 8)
    def connect(self):
        self.n, url = self.n + 1, urlparse(self.brokers[0])
        # paho-mqtt 2 asks which callbacks we speak; 1.6 (Debian's) does not know the question.
        api = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
        client = mqtt.Client(*api, f"{self.kitchen}.{self.me}", protocol=mqtt.MQTTv5)
        client.will_set(self.topic("conn"), json.dumps({"v": 1, "boot": self.boot, "n": self.n, "st": "LOST"}), 1, True)
        client.on_connect = lambda c, *_: c.subscribe(
            [(self.topic("cmd"), QOS1), (self.topic("lease"), QOS0)]
            + [(f"brigade/v1/{self.kitchen}/{t}", QOS1) for t in ("all/cmd", "ctl/leader")])
        client.on_subscribe = lambda c, *_: self.inbox.put((c, "up", None, False))
        client.on_disconnect = lambda c, *_: self.inbox.put((c, "down", None, False))
        client.on_message = lambda c, _, m: self.inbox.put((c, "/".join(m.topic.split("/")[3:]), m.payload, m.retain))
        self.client, self.beat_at = client, now() + 5000
        try:
            client.connect(url.hostname, url.port or 1883, 10)
            client.loop_start()
        except OSError:
            self.move_on()

    def move_on(self):
        old, self.client, self.up = self.client, None, False
        old.on_disconnect = None
        old.disconnect(), old.loop_stop()
        self.brokers.append(self.brokers.pop(0))
        self.retry_at = now() + random.randrange(1000)

    # Hearing (rules 2, 4, 5, 7, 10)
    def hear(self, what, payload, retained):
        if what == "up":
            self.up, self.unanswered, self.beat_at = True, 0, now() + self.hb_ms
            self.say("conn", {"v": 1, "boot": self.boot, "n": self.n, "st": "ONLINE"})
            self.say_facts(), self.beat()
            self.changed = True
        elif what == "down":
            self.move_on()
        elif len(payload) <= 4096 and (not retained or what == "ctl/leader"):
            try:
                message = json.loads(payload)
                if message["epoch"] > self.epoch:
                    self.epoch, self.changed = message["epoch"], True
                    for task in self.tasks.values():
                        task["until"] = None
                    self.beat()
                {"ctl/leader": self.hear_leader, "all/cmd": self.hear_all}.get(what, self.hear_lease if what.endswith("/lease") else self.hear_cmd)(message)
            except (ValueError, KeyError, TypeError, AttributeError):
                if what.endswith("/cmd") and what != "all/cmd" and isinstance(message := self.try_json(payload), dict) and "id" in message:
                    self.answer(message["id"], "REJECTED_INVALID")

    @staticmethod
    def try_json(payload):
        try:
            return json.loads(payload)
        except ValueError:
            return None

    def hear_leader(self, m):
        if m["st"] == "UP" and m["epoch"] == self.epoch:
            self.brokers += [b for b in m["brokers"] if b not in self.brokers]

    def hear_all(self, m):
        if m["epoch"] == self.epoch and "zone" not in m and m["idx"] > self.zone[1]:  # this robot stands in no zone
            self.zone, self.zone_at, self.changed = [m["op"] == "hold", m["idx"]], now(), True
            self.lease_held = self.lease_held and self.zone[0]

    def hear_lease(self, m):
        at = self.sent.get(m["s"])
        if m["b"] != self.boot or m["epoch"] < self.epoch or at is None or m["s"] < self.answered:
            return
        self.answered, self.unanswered = m["s"], 0
        if now() < at + m["l_ms"]:
            was, self.lease_held = self.held(), m["held"]
            if not m["held"] and at > self.zone_at:
                self.zone[0] = False
            self.changed |= was != self.held()
            for task in self.tasks.values():
                task["until"] = at + m["l_ms"] if task["cmds"] & set(m["open"]) else None

    def answer(self, id, res):
        if {"id": id, "res": res} not in self.results:
            self.results = [r for r in self.results if r["id"] != id] + [{"id": id, "res": res}]
            self.changed = True
        if not res.startswith("STALE"):
            self.known = self.known[-511:] + [id]

    def hear_cmd(self, m):
        id, op = m["id"], m["op"]
        if m["boot"] != self.boot or m["epoch"] < self.epoch:
            return self.answer(id, "STALE_BOOT" if m["boot"] != self.boot else "STALE_EPOCH")
        if id in self.known or op in ("state.get", "facts.get"):
            op == "facts.get" and self.say_facts()
            return self.changed or self.say_state()  # what has changed is shown anyway, under the next rev
        task = m.get("task") or {}
        key = (task["id"], task["att"]) if op in ("task.start", "task.cancel", "ack") else None
        mine, active = self.tasks.get(key), [t for t in self.tasks.values() if t["st"] not in OVER]
        res = "DONE"
        if op == "task.start":
            res = self.accept(id, key, task, m["ttl_ms"], active)
        elif op == "task.cancel":
            if mine is None and key not in self.done:
                self.tasks[key] = {"id": key[0], "att": key[1], "st": "CANCELLED", "cmds": {id}, "until": None}
            elif mine and mine["st"] == "WAITING" or mine in active and ACTIONS[mine["act"]][0] == "ALWAYS":
                mine["st"] = "CANCELLED"
            elif mine in active:
                res = "REJECTED_UNSUPPORTED"
        elif op in ("hold", "resume"):
            res = "DONE" if m["idx"] > self.hold[1] else "DUPLICATE"
            self.hold = [op == "hold", m["idx"]] if res == "DONE" else self.hold
        elif op == "ack":
            res = "REJECTED_BUSY" if mine in active else "DONE"
            if mine and res == "DONE":
                self.done = self.done[-511:] + [key]
                del self.tasks[key]
        elif op in ("config.set", "selftest"):
            hb, orphan = (m.get("config") or {}).get("hb_ms", self.hb_ms), (m.get("config") or {}).get("orphan_ms", self.orphan_ms)
            res = "REJECTED_INVALID" if not (50 <= hb <= 10000 and 0 <= orphan <= 600000) else "REJECTED_BUSY" if active else "DONE"
            if res == "DONE":
                self.hb_ms, self.orphan_ms = hb, orphan
                self.say_facts()
        else:
            res = "REJECTED_UNSUPPORTED"
        self.answer(id, res)

    def accept(self, id, key, task, ttl_ms, active):
        if key in self.tasks or key in self.done:
            key in self.tasks and self.tasks[key]["cmds"].add(id)
            return "DUPLICATE"
        act, params, delay = task["act"], task.get("params") or {}, (task.get("after") or {}).get("ms")
        needs_slot = act == "load" or "oven" in params
        unacknowledged = len(self.tasks) - len(active)
        fits = self.gripper is None if act == "prep" else self.gripper == task["pizza"] if act == "load" else True
        refusal = ("REJECTED_UNSUPPORTED" if act not in ACTIONS else "REJECTED_MODE" if self.held()
                   else "REJECTED_INVALID" if task.get("lane", 0) != 0 or "ev" in (task.get("after") or {}) or needs_slot and not {"oven", "slot"} <= params.keys()
                   else "REJECTED_BUSY" if active and delay is None or len(active) >= 8 or unacknowledged >= 8
                   else None if fits or delay is not None else "REJECTED_INVALID" if self.gripper is None else "REJECTED_OCCUPIED")
        if refusal:
            self.done = self.done[-511:] + [key]
            return refusal
        self.tasks[key] = {"id": key[0], "att": key[1], "pizza": task["pizza"], "act": act, "lane": 0, "st": "WAITING", "cmds": {id}, "until": None,
                           "params": params, "due": now() + (delay or 0), "grace": self.orphan_ms if delay is not None else 0, "moved": False,
                           "expires": now() + task.get("start_within_ms", ttl_ms), "max": task.get("max_ms", ACTIONS[act][2]),
                           "ms": params.get("ms", ACTIONS[act][1])}
        self.beat()
        return "DONE"

    # Doing (rules 4, 6, 8, 9)
    def held(self):
        return self.hold[0] or self.zone[0] or self.lease_held

    def end(self, task, st, code=""):
        self.changed, task["st"], task["code"] = True, st, code
        self.world("finished" if st == "FINISHED" else "failed", task)

    def step(self):
        t = now()
        moving = next((k for k in self.tasks.values() if k["st"] in ("RUNNING", "PAUSED")), None)
        for task in [k for k in self.tasks.values() if k["st"] == "WAITING"]:
            fits = self.gripper is None if task["act"] == "prep" else self.gripper == task["pizza"] if task["act"] == "load" else True
            if t >= task["expires"]:
                task["st"], self.changed = "EXPIRED", True
            elif not moving and not self.held() and fits and t >= task["due"] and task["until"] and t < task["until"] + task["grace"]:
                task.update(st="RUNNING", pct=0, start=t, spent=0, seen=t)
                moving, self.changed = task, True
                if task["act"] == "prep":
                    self.gripper = task["pizza"]
                self.world("started", task)
        if moving and moving["st"] in ("RUNNING", "PAUSED"):
            self.move(moving, t)

    def move(self, task, t):
        task["spent"] += t - task["seen"] if task["st"] == "RUNNING" else 0
        task["seen"] = t
        if (st := "PAUSED" if self.held() else "RUNNING") != task["st"]:
            task["st"], self.changed = st, True
        slot = {k: task["params"][k] for k in ("oven", "slot") if k in task["params"]}
        if task["act"] == "load" and not task["moved"] and task["spent"] * 2 >= task["ms"]:
            task["moved"], self.gripper, self.changed = True, None, True
            self.world("placed", task, **slot)
        if t - task["start"] >= task["max"]:
            return self.end(task, "FAILED", "WATCHDOG")
        if (pct := min(90, task["spent"] * 10 // max(1, task["ms"]) * 10)) > task["pct"]:
            task["pct"], self.changed = pct, True
        if task["spent"] >= task["ms"]:
            if task["act"] == "discard":
                self.gripper = self.gripper if slot else None
                self.world("discarded", task, **slot)
            task["pct"] = 100
            self.end(task, "FINISHED")

    def run(self):
        while True:
            if self.client is None and now() >= self.retry_at:
                self.connect()
            try:
                client, *heard = self.inbox.get(timeout=0.01)
                client is self.client and self.hear(*heard)
            except queue.Empty:
                pass
            self.step()
            if self.client and now() >= self.beat_at:
                self.beat_at = now() + self.hb_ms
                self.move_on() if not self.up or self.unanswered >= 3 else self.beat(periodic=True)
            if self.changed:
                self.changed, self.rev = False, self.rev + 1
                self.say_state()


if __name__ == "__main__":
    Robot(sys.argv[1].split(","), *sys.argv[2:4]).run()
