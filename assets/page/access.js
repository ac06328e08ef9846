// Who is at the page: the token, which is kept for this tab alone, and what it allows. What a role may do is read from the kitchen and not
// known here: a button that is missing or grey is a courtesy, the kitchen refuses all the same.

import { h, patch } from "./dom.js";

export const access = { in: false, open: false, name: null, role: null, rules: [] };

const KEY = "brigade-token", LIMIT_MS = 5_000;
const dialog = document.getElementById("door");
let entered = null;

/** What every request carries. */
export function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...more, authorization: `Bearer ${token}` } : more;
}

/** Whether this role may. The path is one of a route, with or without a query. */
export const may = (path, method = "POST") => access.rules.some(rule => rule.test(`${method} ${path.split("?")[0]}`));

/** The token is good no longer. */
export const refused = () => { access.in = false; };

/** Returns once the kitchen lets this page in; asks for a token if it does not. Throws if the replica does not answer. */
export async function enter(at) {
  for (let fault = ""; ; ) {
    const answer = await fetch(`${at}/v1/access`, { headers: headers(), cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS) });
    const json = await answer.json().catch(() => ({}));
    if (answer.ok) {
      const rules = json.may.map(rule => new RegExp(`^${rule.replaceAll("{id}", "[^/]+")}$`));
      Object.assign(access, json, { rules, in: true });
      if (may("/v1/events", "GET")) return dialog.close();
      fault = `The role ${json.role} can't look at the kitchen: it is for programs.`;
    } else if (answer.status === 401) {
      fault = sessionStorage.getItem(KEY) ? "This token is not good, or no longer." : "";
    } else if (answer.status === 429) {
      fault = "Too many tries came from here: wait a minute.";
    } else {
      throw new Error(json.detail || answer.statusText);
    }
    access.in = false;
    await typed(fault);
  }
}

/** Returns once somebody has typed a token. */
function typed(fault) {
  return new Promise(resolve => {
    entered = resolve;
    patch(dialog, [h("form", { onsubmit: take },
      h("h2", { id: "door-title" }, "This kitchen asks for a token"),
      h("p.soft", {}, "An admin adds one for you: brigade ctl tokens add. It is kept for this tab, until it is closed."),
      h("label.field", {}, "Token", h("input", { name: "token", type: "password", required: true, autocomplete: "off" })),
      fault && h("p.bad", { role: "alert" }, fault),
      h("div.row", {}, h("button.main", { type: "submit" }, "Enter")))]);
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("input").select();
  });
}

function take(event) {
  event.preventDefault();
  sessionStorage.setItem(KEY, new FormData(event.target).get("token").trim());
  entered?.();
}

// Behind it nothing can be seen: Escape has nowhere to go.
dialog.addEventListener("cancel", event => event.preventDefault());

/** Forgets the token. */
function leave() {
  sessionStorage.removeItem(KEY);
  location.reload();
}

/** Whose token it is, and the way out. */
export const who = () => access.in && !access.open && h("span", {}, h("b", {}, access.name), h("span.soft", {}, ` ${access.role} `), h("button.quiet", { onclick: leave }, "Leave"));
