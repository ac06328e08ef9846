// Turns plain descriptions of elements into the document, and changes only what differs: focus, open menus and selections stay where
// they are when the page is drawn ten times a second. Everything is set as text: what a client wrote can't become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element to be: `h("button.small", { onclick, key }, "Hold")`. Children that are null or false are left out. */
export function h(name, props, ...children) {
  const [tag, ...classes] = name.split(".");
  const all = { ...props };
  if (classes.length) all.class = [...classes, all.class].filter(Boolean).join(" ");
  return { tag, props: all, children: children.flat(5).filter(c => c !== null && c !== undefined && c !== false) };
}

/** Makes the children of `parent` what is described. */
export function patch(parent, wanted) {
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.made?.props.key !== undefined) keyed.set(node.made.props.key, node);
  let place = parent.firstChild;
  for (const want of wanted) {
    const node = fitting(want, place, keyed) ?? create(want, parent);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
    update(node, want);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

/** The node that is already there for this description, if any. */
function fitting(want, place, keyed) {
  if (typeof want !== "object") return place?.nodeType === Node.TEXT_NODE ? place : null;
  if (want.props.key !== undefined) {
    const node = keyed.get(want.props.key);
    return node?.made.tag === want.tag ? node : null;
  }
  return place?.made?.tag === want.tag && place.made.props.key === undefined ? place : null;
}

function create(want, parent) {
  if (typeof want !== "object") return document.createTextNode("");
  const isSvg = want.tag === "svg" || parent.namespaceURI === SVG;
  const node = isSvg ? document.createElementNS(SVG, want.tag) : document.createElement(want.tag);
  node.made = { tag: want.tag, props: {} };
  return node;
}

function update(node, want) {
  if (typeof want !== "object") {
    if (node.data !== String(want)) node.data = want;
    return;
  }
  const before = node.made.props;
  for (const name of Object.keys(before)) if (!(name in want.props)) set(node, name, null);
  for (const [name, value] of Object.entries(want.props)) if (name === "style" || before[name] !== value) set(node, name, value);
  node.made = want;
  patch(node, want.children);
}

function set(node, name, value) {
  if (name === "key") return;
  if (name.startsWith("on") || name === "disabled" || name === "hidden" || name === "required") node[name] = value;
  // Through the object model: the policy of this page forbids style attributes.
  else if (name === "style") for (const [key, v] of Object.entries(value ?? {})) node.style.setProperty(key, v);
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : value);
}
