// What lasts: steps, and in the lanes whatever begins with one event and ends with another.

// The steps, each with its first and last event, whether it was met, and where it stands.
function stepsOf(events) {
  const steps = [];
  let open = null;
  for (let i = 0; i < events.length; i++) {
    if (events.sourceName(i) !== "engine") continue;
    const kind = events.kindName(i);
    if (kind === "step_started") {
      const told = events.particulars(i) || {};
      open = { number: told.step, label: String(told.label), place: told.place, from: i, to: i, ok: null };
      steps.push(open);
    } else if (kind === "step_ended" && open) {
      open.to = i;
      open.ok = (events.particulars(i) || {}).ok === true;
      open = null;
    } else if (kind === "finished" && open) {
      // Something else than the step ended the attempt.
      open.to = i;
      open = null;
    }
  }
  if (open) open.to = events.length - 1;
  return steps;
}

// By source: the kinds that begin something, the kinds that end it, and what both have in common.
const PAIRS = {
  mqtt: [["connection_opened", "connection_closed", "connection"]],
  air: [
    ["soft_ap_started", "soft_ap_stopped", "ssid"],
    ["joined", "left", null],
    ["phone_joined", "phone_left", "phone"],
    ["ble_connected", "ble_disconnected", "central"],
    ["connection_opened", "connection_closed", "client"],
  ],
};

// In each lane: {lane, from, to, at, until, gravity}, by events; `at` and `until` in µs.
function spansOf(events) {
  const spans = [];
  const open = new Map();
  const begin = (key, i, gravity) => open.set(key, { i, gravity });
  const end = (key, i) => {
    const began = open.get(key);
    if (!began) return;
    open.delete(key);
    spans.push(span(events, began.i, i, began.gravity));
  };
  for (let i = 0; i < events.length; i++) {
    const source = events.sourceName(i);
    if (source === "log") continue;
    const kind = events.kindName(i);
    const who = source + " " + events.device[i] + " ";
    if (source === "provisioning" && kind === "exchange") {
      const took = Number((events.particulars(i) || {}).took_us) || 0;
      const at = Math.max(events.begin || events.at[0], events.at[i] - took);
      spans.push({ ...span(events, i, i, events.gravity[i]), at });
    } else if (source === "board" && kind === "power") {
      const on = (events.particulars(i) || {}).power === "on";
      end(who + "power", i);
      if (on) begin(who + "power", i, 0);
    } else if (source === "engine" && kind === "fault") {
      const told = events.particulars(i) || {};
      const key = "fault " + told.name;
      if (told.on) begin(key, i, 1);
      else end(key, i);
    } else if (source === "witness") {
      const told = events.particulars(i) || {};
      if (told.sound === false) {
        if (!open.has("witness " + told.witness)) begin("witness " + told.witness, i, 2);
      } else end("witness " + told.witness, i);
    } else {
      for (const [first, last, same] of PAIRS[source] || []) {
        if (kind !== first && kind !== last) continue;
        const common = same ? (events.particulars(i) || {})[same] : "";
        const key = who + first + " " + common;
        if (kind === first) begin(key, i, 0);
        else end(key, i);
      }
    }
  }
  for (const { i, gravity } of open.values()) spans.push(span(events, i, events.length - 1, gravity));
  return spans;
}

function span(events, from, to, gravity) {
  return { lane: events.lane[from], from, to, at: events.at[from], until: events.at[to], gravity };
}
