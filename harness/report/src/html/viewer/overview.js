// The run: what it came to, failures first.

const ORDER = ["failed", "flaky", "broken", "unfinished", "passed", "skipped"];

function overviewOf() {
  const run = overview.run;
  const cases = overview.cases
    .map((one, index) => ({ ...one, index }))
    .sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) || a.index - b.index);
  const counts = ORDER.map((verdict) => [verdict, cases.filter((one) => one.verdict === verdict).length])
    .filter(([, count]) => count > 0);
  const only = { words: "", verdict: "" };
  const body = el("tbody");
  const told = el("p", { "aria-live": "polite", class: "faint" });
  const draw = () => {
    const words = only.words.toLowerCase();
    const wanted = cases.filter((one) => (!only.verdict || one.verdict === only.verdict)
      && (one.id + " " + one.scenario + " " + why(one)).toLowerCase().includes(words));
    body.replaceChildren(...wanted.map(caseRow));
    told.textContent = wanted.length === cases.length ? "" : wanted.length + " of " + several(cases.length, "case");
  };
  const search = el("input", {
    type: "search", id: "find-case", placeholder: "Find a case", "aria-label": "Find a case",
    oninput: () => { only.words = search.value; draw(); },
  });
  const chips = counts.map(([verdict, count]) => {
    const chip = el("button", {
      class: "chip", "aria-pressed": "false",
      onclick: () => {
        only.verdict = only.verdict === verdict ? "" : verdict;
        for (const other of chips) other.setAttribute("aria-pressed", String(other === chip && only.verdict !== ""));
        draw();
      },
    }, count + " ", badge(verdict));
    return chip;
  });
  draw();
  return el("main", { id: "overview-page" },
    el("h1", {}, overview.title),
    run && el("p", { class: "faint" },
      new Date(run.started_ms).toISOString().replace("T", " ").slice(0, 19), " UTC, took ",
      duration(run.wall_ms), ", seed ", run.seed, run.interrupted ? ", interrupted" : ""),
    overview.sections.map((section) => el("section", {},
      el("h2", {}, section.title), el("pre", {}, section.lines.join("\n")))),
    el("div", { class: "bar", role: "group", "aria-label": "Cases by verdict" }, chips, search),
    told,
    el("table", { class: "cases" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Verdict"), el("th", { scope: "col" }, "Case"),
        el("th", { scope: "col" }, "Why"), el("th", { scope: "col" }, "Took"))),
      body),
    run && run.setups.length > 0 && el("details", {}, el("summary", {}, "Made with"),
      el("ul", {}, run.setups.map((setup) => el("li", {}, setup)))));
}

function why(one) {
  if (one.skipped) return one.skipped;
  const telling = tellingAttempt(one);
  const failure = telling && telling.failure;
  if (!failure) return "";
  const lines = [failure.message];
  if (failure.diagnosis) lines.push("look at: " + failure.diagnosis);
  return lines.join("\n");
}

// The attempt that explains the verdict of a case: the first that did not pass.
function tellingAttempt(one) {
  const attempts = one.attempts.map((index) => overview.attempts[index]);
  return attempts.find((attempt) => attempt.verdict !== "passed") || attempts[0] || null;
}

function caseRow(one) {
  const telling = tellingAttempt(one);
  const took = one.attempts.reduce((sum, index) => sum + (overview.attempts[index].wall_ms || 0), 0);
  const link = (index, text) => el("a", { href: "#attempt=" + index }, text);
  const first = telling ? overview.attempts.indexOf(telling) : -1;
  return el("tr", { class: one.verdict },
    el("td", {}, badge(one.verdict)),
    el("td", {}, first >= 0 ? link(first, one.id) : one.id,
      one.attempts.length > 1 && el("div", { class: "attempts" }, "attempts: ",
        one.attempts.map((index) => {
          const attempt = overview.attempts[index];
          return [link(index, attempt.number + " " + (SHAPES[attempt.verdict] || "") + " " + attempt.verdict), " "];
        })),
      el("div", { class: "faint" }, one.scenario)),
    el("td", { class: "why" }, why(one)),
    el("td", { class: "number" }, took ? duration(took) : ""));
}
