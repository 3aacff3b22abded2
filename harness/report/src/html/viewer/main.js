// The page: which part of it the address asks for, and the keys.

const KEYS = [["/", "search"], ["j  k", "next and previous event"], ["f  F", "next and previous error"],
  ["n  p", "next and previous step"], ["Esc", "leave the search, then all events again"], ["?", "this"]];

// So many steps are listed; nobody writes more, and a page would not bear any number.
const MOST_STEPS = 1000;

// The list, filter and the like of the attempt that is shown; null elsewhere.
let view = null;

function route() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const known = (text) => Number.isInteger(Number(text)) && overview.attempts[Number(text)] ? Number(text) : null;
  if (asked.has("compare")) {
    const [left, right] = asked.get("compare").split(",").map(known);
    if (left !== null && right !== null && right !== undefined) return { compare: [left, right] };
  }
  const attempt = asked.has("attempt") ? known(asked.get("attempt")) : null;
  if (attempt !== null) return { attempt, seq: asked.has("seq") ? Number(asked.get("seq")) : null };
  if (overview.attempts.length === 1 && !overview.run) return { attempt: 0, seq: asked.has("seq") ? Number(asked.get("seq")) : null };
  return {};
}

async function show() {
  const asked = route();
  if (view && asked.attempt === view.index) {
    if (asked.seq !== null) view.goTo(asked.seq);
    return;
  }
  view = null;
  let main;
  if (asked.compare) main = await comparePage(...asked.compare);
  else if (asked.attempt !== undefined) main = await attemptPage(asked.attempt, asked.seq);
  else main = overviewOf();
  document.getElementById("page").replaceChildren(topBar(asked), main);
  scrollTo(0, 0);
  if (view) view.begin();
  document.documentElement.dataset.ready = "true";
  // For measurements: the first time that something is on the screen.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    performance.mark("painted");
    document.documentElement.dataset.painted = "true";
  }));
}

function topBar(asked) {
  const several = overview.run || overview.attempts.length > 1;
  return el("nav", { class: "top", "aria-label": "Page" },
    several && el("a", { href: "#" }, overview.run ? "Run" : "All attempts"),
    asked.attempt !== undefined && comparison(asked.attempt),
    el("span", { class: "grow" }),
    el("button", { class: "small", onclick: turnTheme, "aria-label": "Dark or light" }, "◐"),
    el("button", { class: "small", onclick: help, "aria-label": "Keys" }, "?"));
}

// Where to compare with another attempt; first come those of the same case that ended otherwise.
function comparison(index) {
  const here = overview.attempts[index];
  const others = overview.attempts.map((attempt, at) => ({ attempt, at }))
    .filter(({ attempt, at }) => at !== index && !attempt.absent);
  if (!others.length) return null;
  const near = ({ attempt }) => (attempt.case === here.case ? 0 : 2) + (attempt.verdict === here.verdict ? 1 : 0)
    + (scenarioOf(attempt) === scenarioOf(here) ? 0 : 4);
  others.sort((a, b) => near(a) - near(b) || a.at - b.at);
  const choice = el("select", {
    id: "compare", "aria-label": "Compare with another attempt",
    onchange: () => {
      if (!choice.value) return;
      const other = Number(choice.value);
      // What passed stands on the left.
      const pair = here.verdict === "passed" ? [index, other] : [other, index];
      location.hash = "compare=" + pair.join(",");
    },
  }, el("option", { value: "" }, "Compare with…"),
  others.slice(0, 500).map(({ attempt, at }) => el("option", { value: String(at) }, attempt.verdict + ": " + attempt.case + " / " + attempt.number)));
  return choice;
}

function scenarioOf(attempt) {
  const one = overview.cases.find((candidate) => candidate.id === attempt.case);
  return one ? one.scenario : "";
}

async function attemptPage(index, seq) {
  const attempt = overview.attempts[index];
  const events = await eventsOf(index).catch((error) => {
    attempt.absent = "they cannot be unpacked (" + error.message + ")";
    return null;
  });
  const facts = [attempt.seed !== null && "seed " + attempt.seed, attempt.bug && "with the bug " + attempt.bug,
    attempt.wall_ms !== null && "took " + duration(attempt.wall_ms),
    events && seconds(events.end) + " of lab time", attempt.events !== null && several(attempt.events, "event"), attempt.setup];
  const head = el("header", {},
    el("h1", {}, badge(attempt.verdict), " ", attempt.case, attempt.number > 1 ? " / attempt " + attempt.number : ""),
    el("p", { class: "faint" }, facts.filter(Boolean).join(" · ")));
  const select = (i) => view && view.choose({ event: i });
  const panel = failurePanel(attempt, events, select);
  if (!events || !events.length) {
    return el("main", {}, head, panel, el("p", { class: "note" }, events ? "The trace has no event." : "No events to show. Trace: " + attempt.trace));
  }
  view = new AttemptView(index, attempt, events, seq);
  return el("main", { id: "attempt-page" }, head, panel, view.element,
    el("p", { class: "faint" }, "Trace: ", copyable(attempt.trace)));
}

class AttemptView {
  constructor(index, attempt, events, seq) {
    Object.assign(this, { index, attempt, events, seq });
    this.timeline = new Timeline(events, (chosen) => this.choose(chosen));
    this.list = new List(events, (i) => this.choose({ event: i }));
    this.filter = new Filter(events, (wanted) => this.list.show(wanted));
    this.moment = el("aside", { class: "moment panel", "aria-label": "What every source said", id: "moment", tabindex: "-1" });
    this.steps = events.steps.slice(0, MOST_STEPS).map((step) => el("li", {}, el("button", {
      class: "step " + (step.ok === true ? "passed" : step.ok === false ? "failed" : "odd"),
      onclick: () => this.choose({ step }),
    }, el("span", { class: "mark" }, step.ok === true ? "✓" : step.ok === false ? "✗" : "…"),
    el("span", {}, step.number + " " + step.label),
    el("span", { class: "faint" }, seconds(events.at[step.from])))));
    this.element = el("div", { class: "attempt" }, this.timeline.element,
      el("div", { class: "columns" },
        el("nav", { class: "steps panel", "aria-label": "Steps" }, el("h2", {}, "Steps"), el("ol", {}, this.steps),
          events.steps.length > MOST_STEPS && el("p", { class: "faint" }, several(events.steps.length - MOST_STEPS, "more step") + " on the time line")),
        el("section", { class: "events", "aria-label": "Events" }, this.filter.element, this.list.element),
        this.moment));
  }

  // Called once it is in the document: what explains the verdict comes first.
  begin() {
    this.filter.apply();
    const missed = this.events.steps.find((step) => step.ok === false);
    if (this.seq !== null && this.goTo(this.seq)) return;
    if (missed) this.choose({ step: missed });
    else if (this.events.steps.length) this.choose({ step: this.events.steps[this.events.steps.length - 1] });
    else this.choose({ event: this.events.length - 1 });
  }

  goTo(seq) {
    const i = this.events.indexOf(seq);
    if (i >= 0) this.choose({ event: i });
    return i >= 0;
  }

  choose({ step, event }) {
    this.chosenStep = step || this.events.stepAt(event);
    const act = { select: (i) => this.choose({ event: i }), step: (one) => this.choose({ step: one }), narrow: (lane, from, to) => this.narrow(lane, from, to) };
    this.moment.replaceChildren(step ? momentOfStep(this.events, step, act) : momentOfEvent(this.events, event, act));
    this.moment.scrollTop = 0;
    for (const [at, item] of this.steps.entries()) {
      const current = this.events.steps[at] === this.chosenStep;
      item.firstChild.setAttribute("aria-current", current ? "step" : "false");
    }
    this.list.mark(step ? step.to : event);
    this.timeline.chosen = step ? { step } : { event };
    this.timeline.reveal(step ? step.from : event, step ? step.to : event);
    if (event !== undefined) history.replaceState(null, "", "#attempt=" + this.index + "&seq=" + this.events.seq[event]);
  }

  narrow(lane, from, to) {
    const step = this.events.stepAt(from);
    if (lane !== null) this.filter.hidden = new Set([...this.events.lanesUsed].filter((other) => other !== lane));
    this.filter.narrow([from, to], step && step.from === from && step.to === to ? "step " + step.number : "this moment");
    this.list.scroller.focus();
  }

  nextStep(by) {
    const at = this.events.steps.indexOf(this.chosenStep);
    const next = this.events.steps[at + by];
    if (next) this.choose({ step: next });
  }
}

function turnTheme() {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme === "dark"
    || (root.style.colorScheme === "" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.style.colorScheme = dark ? "light" : "dark";
  if (view) view.timeline.draw();
}

function help() {
  const dialog = el("dialog", { "aria-label": "Keys", onclose: () => dialog.remove() },
    el("h2", {}, "Keys"),
    el("dl", {}, KEYS.map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])),
    el("button", { onclick: () => dialog.close() }, "close"));
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape" && view) {
    if (typing) event.target.blur();
    else view.filter.reset();
    return;
  }
  if (typing) return;
  const acts = {
    "/": () => (document.getElementById("find") || document.getElementById("find-case") || document.body).focus(),
    "?": help,
    ...(view && { j: () => view.list.step(1), k: () => view.list.step(-1), f: () => view.list.nextGrave(1),
      F: () => view.list.nextGrave(-1), n: () => view.nextStep(1), p: () => view.nextStep(-1) }),
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
});

addEventListener("hashchange", show);
show();
