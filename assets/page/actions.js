// What an operator may do, and the one dialog in which it is said: what will happen, who says so, and why.

import { may } from "./access.js";
import { ask } from "./link.js";
import { h, patch } from "./dom.js";
import { store } from "./store.js";
import { capital, plain } from "./words.js";

const dialog = document.getElementById("dialog");
let asked = null;
let opened = 0;

/**
 * Asks for a confirmation. `choices` are [{ label, note, path, body, place, danger }]; one of them is carried out. With `place` the
 * person names a lane of a device as well. `facts` are lines above the choices. What the role may not do is not offered.
 */
export function confirm(title, all, facts = []) {
  const choices = all.filter(choice => may(choice.path));
  // Each opening is a form of its own: nothing is left of the reason that was given for something else.
  opened += 1;
  asked = { title, facts, choices, chosen: choices.length === 1 ? choices[0] : null, busy: false, fault: "" };
  draw();
  dialog.showModal();
  dialog.querySelector("input:not(:disabled)")?.focus();
}

function draw() {
  const { title, facts, choices, chosen, busy, fault } = asked;
  const choose = choice => h("label.choice", { key: choice.path + choice.label },
    h("input", { type: "radio", name: "choice", required: true, onchange: () => { asked.chosen = choice; draw(); } }),
    h("span", {}, h("b", {}, choice.label), choice.note && ` · ${choice.note}`));
  patch(dialog, [h("form", { key: opened, onsubmit: carryOut },
    h("h2", { id: "dialog-title" }, title),
    facts.map(fact => h("p.soft", {}, fact)),
    choices.length > 1 ? h("fieldset", {}, h("legend", {}, "What is to be done"), choices.map(choose)) : choices.map(c => c.note && h("p", {}, capital(c.note), ".")),
    chosen?.place && h("label.field", { key: "place" }, "Where is it", h("select", { name: "place", required: true }, lanes())),
    choices.length > 0 && h("label.field", { key: "actor" }, "Your name", h("input", { name: "actor", required: true, maxlength: 100, autocomplete: "off", value: localStorage.getItem("actor") ?? "" })),
    choices.length > 0 && h("label.field", { key: "reason" }, "Reason", h("input", { name: "reason", required: true, maxlength: 200, autocomplete: "off" })),
    fault && h("p.bad", { role: "alert" }, fault),
    h("div.row", { key: "buttons" }, choices.length > 0 && h("button", { type: "submit", disabled: busy, class: chosen?.danger ? "danger" : "main" }, chosen?.label ?? "Choose above"),
      h("button", { type: "button", onclick: () => dialog.close() }, "Back")))]);
}

const lanes = () => (store.devices ?? []).flatMap(d => d.lanes.map(l => h("option", { value: `${d.id}/${l.lane}` }, `${d.id}, lane ${l.lane}`)));

async function carryOut(event) {
  event.preventDefault();
  const form = new FormData(event.target), { chosen } = asked;
  if (!chosen || asked.busy) return;
  const body = { ...chosen.body, actor: form.get("actor").trim(), reason: form.get("reason").trim() };
  localStorage.setItem("actor", body.actor);
  if (chosen.place) {
    const at = form.get("place").lastIndexOf("/");
    body.place = { device: form.get("place").slice(0, at), lane: Number(form.get("place").slice(at + 1)) };
  }
  Object.assign(asked, { busy: true, fault: "" });
  draw();
  try {
    await ask(chosen.path, { body, limitMs: 10_000 });
    dialog.close();
  } catch (error) {
    // Everything that can be asked for here may be asked for twice: the second time it is refused, or changes nothing.
    asked.fault = error.problem ? capital(error.message) : "No answer: it may have been done. Look, and say it again if it was not.";
  }
  asked.busy = false;
  draw();
}

/** What may be said about a device in its state. The kitchen has the last word. */
export function aboutDevice(d) {
  const id = encodeURIComponent(d.id), stands = (...standings) => standings.includes(d.standing);
  const all = [
    [stands("PENDING", "RETIRED"), "Adopt", "it belongs to this kitchen", `/v1/devices/${id}/adopt`],
    [d.quarantine, "Release", "out of quarantine, after a self-test and one trial", `/v1/devices/${id}/release`],
    [d.held || stands("DRAINING", "MAINTENANCE"), "Resume", "it goes on", `/v1/devices/${id}/resume`],
    [!d.held && !stands("RETIRED"), "Hold", "it stops where it is", `/v1/devices/${id}/hold`],
    [stands("ADOPTED"), "Drain", "it finishes what it has and gets nothing more", `/v1/devices/${id}/drain`],
    [stands("ADOPTED", "DRAINING"), "Maintenance", "a technician has it", `/v1/devices/${id}/maintenance`],
    [!stands("RETIRED"), "Retire", "it is gone for good", `/v1/devices/${id}/retire`, true],
  ];
  const facts = [`${capital(plain(d.state))} · ${d.model}, firmware ${d.firmware} · ${d.successes_total} steps done, ${d.failures_total} failed`];
  if (store.why.get(d.id) && d.state !== "BUSY") facts.push(capital(store.why.get(d.id).text));
  if (d.errors.length) facts.push(`Errors: ${d.errors.join(", ")}`);
  confirm(`Device ${d.id}`, all.filter(([fits]) => fits).map(([, label, note, path, danger]) => ({ label, note, path, danger })), facts);
}

export function aboutKitchen(what) {
  const one = {
    hold: { label: "Hold the kitchen", note: "every device stops where it is; what bakes is taken out late or burns", path: "/v1/kitchen/hold", danger: true },
    resume: { label: "Resume the kitchen", note: "every device goes on", path: "/v1/kitchen/resume" },
    drain: { label: "Take no new orders", note: "what was accepted is finished", path: "/v1/kitchen/drain" },
    undrain: { label: "Take orders again", note: "new orders are accepted", path: "/v1/kitchen/undrain" },
  }[what];
  confirm(one.label, [one]);
}

export function aboutZones(zones) {
  const held = zone => store.kitchen.held_zones.includes(zone);
  confirm("Zones", zones.map(zone => held(zone)
    ? { label: `Resume ${zone}`, note: "its devices go on", path: "/v1/kitchen/resume", body: { zone } }
    : { label: `Hold ${zone}`, note: "its devices stop where they are", path: "/v1/kitchen/hold", body: { zone }, danger: true }));
}

export const cancelOrder = o => confirm(`Cancel order ${o.id}`, [{ label: "Cancel the order", note: `${o.items.join(", ")}: what is begun is thrown away`, path: `/v1/orders/${encodeURIComponent(o.id)}/cancellation`, danger: true }]);

export const handOut = o => confirm(`Hand out order ${o.id}`, [{ label: "It was handed out", note: o.items.join(", "), path: `/v1/orders/${encodeURIComponent(o.id)}/collection` }]);

/** A person says that a pizza is bad. The id names a generation: said twice, it is made again once. */
export const remake = (p, order) => confirm(`Pizza ${p.id} of order ${order.id}`, [{ label: "Make it again", note: `this ${p.recipe} is thrown away wherever it is, and another one is made`, path: `/v1/pizzas/${p.id}/remake`, danger: true }], [`${capital(p.recipe)}, ${plain(p.state)}`]);

export function decide(incident, decision) {
  const label = capital(plain(decision));
  confirm(`Question ${incident.id}`, [{ label, path: `/v1/incidents/${incident.id}/decision`, body: { decision }, place: decision === "on_device" }], [incident.question]);
}

export const transfer = node => confirm(`Hand over to replica ${node}`, [{ label: `Hand over to ${node}`, note: "instructions pause for a moment; what runs, runs on", path: "/v1/cluster/transfer", body: { to: node } }]);
