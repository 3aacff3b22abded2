// What every source said in a step, or around an event.

const FIRST = 3;
const LAST = 6;

// `act.select(i)` shows an event, `act.narrow(lane, from, to)` the list of those of a lane.
function momentOfStep(events, step, act) {
  const took = events.at[step.to] - events.at[step.from];
  const state = step.ok === true ? "passed" : step.ok === false ? "failed" : "unfinished";
  return el("div", {},
    el("h2", {}, "Step " + step.number + ": " + step.label, " ", badge(state)),
    el("p", { class: "faint" }, seconds(events.at[step.from]) + " to " + seconds(events.at[step.to]) + " of lab time, "
      + duration(took / 1000), deviceRange(events, step),
      step.place ? [" · ", step.place.file + ":" + step.place.line] : ""),
    el("button", { class: "small", onclick: () => act.narrow(null, step.from, step.to) }, "Show only this step in the list"),
    bySource(events, step.from, step.to, act));
}

function deviceRange(events, step) {
  const until = events.deviceClock(step.to);
  return until ? "; device time at its end: " + until + " s" : "";
}

function momentOfEvent(events, i, act) {
  const step = events.stepAt(i);
  const told = events.particulars(i);
  const facts = [
    ["lab time", exactSeconds(events.at[i]) + " s"],
    ["device time", events.deviceClock(i) ? events.deviceClock(i) + " s" : "not told"],
    ["source", events.sourceName(i) + " · " + events.kindName(i)],
    ["device", events.deviceName(i) || "–"],
    ["in", step ? el("button", { class: "event-link", onclick: () => act.step(step) }, "step " + step.number + ": " + step.label) : "no step"],
  ];
  // Some µs around, so that what belongs together is seen together.
  let [from, to] = [i, i];
  const near = 50000;
  while (from > 0 && events.at[i] - events.at[from - 1] <= near && i - from < 400) from--;
  while (to + 1 < events.length && events.at[to + 1] - events.at[i] <= near && to - i < 400) to++;
  return el("div", {},
    el("h2", {}, "Event " + events.seq[i]),
    el("p", { class: "full-text gravity-" + events.gravity[i] }, events.line(i)),
    el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    told !== null && el("pre", { class: "particulars", tabindex: "0" }, JSON.stringify(told, null, 1)),
    el("h3", {}, "50 ms before and after"),
    bySource(events, from, to, act));
}

function bySource(events, from, to, act) {
  const lanes = new Map();
  for (let i = from; i <= to; i++) {
    if (!lanes.has(events.lane[i])) lanes.set(events.lane[i], []);
    lanes.get(events.lane[i]).push(i);
  }
  const spoke = [...events.lanes.keys()].filter((lane) => lanes.has(lane));
  const silent = [...events.lanes.keys()].filter((lane) => !lanes.has(lane) && events.lanesUsed.has(lane));
  const never = events.lanes.filter((_, lane) => !events.lanesUsed.has(lane));
  return el("div", { class: "by-source" },
    spoke.map((lane) => saidBy(events, lane, lanes.get(lane), from, to, act)),
    silent.length > 0 && el("h3", {}, "Silent"),
    silent.map((lane) => {
      const before = lastBefore(events, lane, from);
      return el("div", { class: "silent" }, el("strong", {}, events.lanes[lane]), " ",
        before < 0 ? "had said nothing yet"
          : ["last ", duration((events.at[from] - events.at[before]) / 1000) + " before: ", said(events, before, act)]);
    }),
    never.length > 0 && el("p", { class: "faint" }, "Nothing in the whole attempt: " + never.join(", ") + "."));
}

function saidBy(events, lane, all, from, to, act) {
  const few = all.length <= FIRST + LAST + 1;
  const first = few ? all : all.slice(0, FIRST);
  const last = few ? [] : all.slice(-LAST);
  return el("section", { "aria-label": events.lanes[lane] },
    el("h3", {}, events.lanes[lane], el("span", { class: "faint" }, " " + all.length)),
    first.map((i) => said(events, i, act)),
    !few && el("button", { class: "small", onclick: () => act.narrow(lane, from, to) },
      (all.length - FIRST - LAST).toLocaleString("en") + " more in the list"),
    last.map((i) => said(events, i, act)));
}

function said(events, i, act) {
  return el("button", { class: "event-link gravity-" + events.gravity[i], onclick: () => act.select(i) },
    el("span", { class: "faint" }, exactSeconds(events.at[i]) + " "), events.line(i));
}

function lastBefore(events, lane, i) {
  while (--i >= 0) if (events.lane[i] === lane) return i;
  return -1;
}
