// Text and elements. All that a device, a network or a file said reaches the page through `shown` and
// as text nodes: nothing here makes markup out of text.

// Marks of direction would reorder what stands beside them, and control characters hide in it.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function shown(text) {
  return String(text).replace(UNSEEN, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
}

// An element with properties (`class`, `on…` listeners, attributes) and children, which are elements
// or text.
function el(name, properties, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : shown(child));
  }
  return element;
}

function seconds(us) {
  return (us / 1e6).toFixed(us < 1e8 ? 3 : 1) + " s";
}

function exactSeconds(us) {
  return (us / 1e6).toFixed(6);
}

// Milliseconds as people read them.
function duration(ms) {
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 120000) return (ms / 1000).toFixed(1) + " s";
  return Math.round(ms / 60000) + " min";
}

function several(count, one, many) {
  return count.toLocaleString("en") + " " + (count === 1 ? one : many || one + "s");
}

// A verdict by word, shape and colour.
const SHAPES = { passed: "✓", failed: "✗", broken: "⚠", flaky: "≈", skipped: "–", unfinished: "…" };

function badge(verdict) {
  const known = verdict in SHAPES ? verdict : "unfinished";
  return el("span", { class: "badge " + known },
    el("span", { "aria-hidden": "true" }, SHAPES[known] + " "), verdict);
}

// A button that copies `text`; where the browser refuses, it selects it.
function copyable(text) {
  const code = el("code", { tabindex: "0" }, text);
  const button = el("button", {
    class: "small", title: "Copy",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
    },
  }, "copy");
  return el("span", { class: "copyable" }, code, " ", button);
}
