// Why an attempt did not pass: what a tired reader has to see first.

function failurePanel(attempt, events, select) {
  const failure = attempt.failure;
  const notes = [];
  if (attempt.cut) notes.push("The trace is cut short: " + attempt.cut + ". What stands before it is shown.");
  if (attempt.left_out) notes.push(several(attempt.left_out, "event") + " in the middle are left out: there are too many for a page.");
  if (attempt.absent) notes.push("The events are not in this page: " + attempt.absent + ".");
  const warnings = notes.map((note) => el("p", { class: "note", role: "note" }, note));
  if (!failure) return warnings.length ? el("section", { class: "panel" }, warnings) : null;
  const rows = [];
  const row = (title, ...content) => rows.push(el("dt", {}, title), el("dd", {}, ...content));
  const place = failure.place;
  row("Wanted", failure.label,
    place && el("div", { class: "faint" }, place.file + ":" + place.line + ":" + place.column,
      failure.step ? " (step " + failure.step + ")" : ""));
  if (attempt.claim) {
    row("But", beforeClaim(failure.message));
    rows.push(claimTable(attempt.claim));
  } else {
    row("But", lines(failure.message));
  }
  if (failure.nearest) {
    row("Nearest miss", eventLink(events, failure.nearest.seq, select),
      el("div", {}, el("strong", {}, "but "), failure.nearest.lacks));
  }
  const instead = failure.instead || [];
  if (instead.length) row("Instead", instead.map((seq) => el("div", {}, eventLink(events, seq, select))));
  if (failure.diagnosis) row("Look at", el("div", { class: "diagnosis" }, lines(failure.diagnosis)));
  const broken = brokenRules(events);
  if (broken.length) {
    row(broken.length === 1 ? "Rule broken" : "Rules broken", broken.map(({ i, told }) => el("div", {},
      el("button", { class: "event-link", onclick: () => select(i) }, String(told.says)), el("div", {}, "seen: " + told.seen))));
  }
  row("Blame", lines(failure.blame));
  if (attempt.stderr && attempt.stderr.length) row("Worker's stderr", el("pre", {}, attempt.stderr.join("\n")));
  if (attempt.leaked && attempt.leaked.length) row("Left running", attempt.leaked.join(", "));
  if (attempt.again) row("Again", copyable(attempt.again));
  return el("section", { class: "panel failure " + attempt.verdict, "aria-label": "Why it did not pass" },
    el("h2", {}, failure.step ? "Step " + failure.step + " was missed" : "Missed: " + failure.label),
    warnings,
    el("div", { class: "failure-columns" }, el("dl", {}, rows), sourcePanel(place)));
}

// The contracts that were broken, and not excepted by the scenario.
function brokenRules(events) {
  const broken = [];
  for (let i = 0; events && i < events.length && broken.length < 5; i++) {
    if (events.sourceName(i) !== "engine" || events.kindName(i) !== "contract_broken") continue;
    const told = events.particulars(i) || {};
    if (!told.excepted) broken.push({ i, told });
  }
  return broken;
}

function lines(text) {
  return String(text).split("\n").map((line, i) => [i > 0 && el("br"), line]);
}

// What stands in a message before the claim that is shown beside what was seen.
function beforeClaim(message) {
  const at = message.indexOf("the device says: ");
  return message.slice(0, at).replace(/[;,:\s]+$/, "") || "it was not so";
}

function claimTable(claim) {
  return el("dd", { class: "claim", role: "group", "aria-label": "The claim beside what was seen" },
    el("div", {}, el("div", { class: "faint" }, "The device says"), claim.claims),
    el("div", { class: "seen" }, el("div", { class: "faint" }, claim.witness ? claim.witness.replace(/^the /, "The ") + " saw" : "Seen"),
      claim.saw || "nothing that bears on it"));
}

// A button that leads to the event with this `seq`.
function eventLink(events, seq, select) {
  const i = events ? events.indexOf(seq) : -1;
  if (i < 0) return el("span", {}, "event " + seq);
  return el("button", { class: "event-link", onclick: () => select(i) },
    el("span", { class: "faint" }, exactSeconds(events.at[i]) + " " + events.laneName(i) + " "), events.line(i));
}

// The scenario with the line that `place` names.
function sourcePanel(place) {
  if (!place || !Object.hasOwn(overview.sources, place.file)) return null;
  const text = overview.sources[place.file];
  const all = text.replace(/\n$/, "").split("\n");
  const row = (line, i) => el("div", {
    class: "code-line" + (i + 1 === place.line ? " here" : ""),
    "aria-current": i + 1 === place.line ? "location" : null,
  }, el("span", { class: "line-number", "aria-hidden": "true" }, String(i + 1)), el("span", {}, line));
  const from = Math.max(0, place.line - 7);
  const rows = all.map(row);
  const some = rows.slice(from, place.line + 5);
  const code = el("div", { class: "code", tabindex: "0", role: "region", "aria-label": "The scenario's source" }, some);
  const button = el("button", {
    class: "small",
    onclick: () => {
      const whole = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(whole));
      button.textContent = whole ? "only the step" : "the whole file";
      code.replaceChildren(...(whole ? rows : some));
      if (whole && rows[place.line - 1]) rows[place.line - 1].scrollIntoView({ block: "nearest" });
    },
    "aria-expanded": "false",
  }, "the whole file");
  return el("div", { class: "source" }, el("div", { class: "source-head" },
    el("span", { class: "faint" }, place.file), button), code);
}
