// Two attempts side by side: source by source, up to the first difference.

const BEFORE = 3;
const AFTER = 12;

// A line without what differs from run to run: numbers, hex, names that were made up.
function signature(events, i) {
  const text = events.isLine(i) ? events.text[i] : events.text[i];
  return events.kindName(i) + "|" + events.tagName(i) + "|" + events.level[i] + "|"
    + text.replace(/\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{6,}\b|(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}|\d+/g, "#")
      .replace(/\b(PROV_|home-|[a-z]+-)[A-Za-z0-9#_]{4,}/g, "$1#");
}

// For each source in either: where the two part, by place in that source; -1 if they never do.
function differences(left, right) {
  const kinds = new Set(["started", "setup", "contracts_judged"]);
  const bySource = (events) => {
    const lists = new Map();
    for (let i = 0; i < events.length; i++) {
      if (events.sourceName(i) === "engine" && kinds.has(events.kindName(i))) continue;
      if (!lists.has(events.lane[i])) lists.set(events.lane[i], []);
      lists.get(events.lane[i]).push(i);
    }
    return lists;
  };
  const [a, b] = [bySource(left), bySource(right)];
  return left.lanes.map((name, lane) => {
    const [one, other] = [a.get(lane) || [], b.get(lane) || []];
    let same = 0;
    while (same < one.length && same < other.length
      && signature(left, one[same]) === signature(right, other[same])) same++;
    const parts = same < one.length || same < other.length;
    // When it shows: the earlier of the two, since one may say nothing more.
    const at = Math.min(same < one.length ? left.at[one[same]] : Infinity, same < other.length ? right.at[other[same]] : Infinity);
    return { name, lane, one, other, same, parts, at };
  }).filter(({ one, other }) => one.length || other.length);
}

async function comparePage(left, right) {
  const attempts = [overview.attempts[left], overview.attempts[right]];
  const both = await Promise.all([eventsOf(left), eventsOf(right)]);
  const title = (index) => el("span", {}, badge(attempts[index].verdict), " ",
    el("a", { href: "#attempt=" + [left, right][index] }, attempts[index].case + " / " + attempts[index].number));
  const head = el("header", { class: "compare-head" }, el("h1", {}, "Side by side"),
    el("div", { class: "sides" }, el("div", {}, title(0)), el("div", {}, title(1))));
  if (!both[0] || !both[1]) return el("main", {}, head, el("p", { class: "note" }, "The events of one of them are not in this page."));
  const all = differences(both[0], both[1]).sort((a, b) => a.at - b.at);
  const parted = all.filter((one) => one.parts);
  const first = parted[0];
  return el("main", { id: "compare-page" }, head,
    first
      ? el("section", { class: "panel failure", id: "first-difference", "aria-label": "First difference" },
        el("h2", {}, "First difference: " + first.name + ", at " + seconds(first.at)),
        el("p", {}, first.same ? several(first.same, "event") + " of this source before it are alike." : "It is the first that this source said."),
        sides(both, first))
      : el("p", { class: "panel", id: "first-difference" }, "No source says anything that the other attempt's does not, numbers and made-up names aside."),
    parted.slice(1).map((one) => el("details", { class: "panel" },
      el("summary", {}, one.name + ": parts at " + seconds(one.at) + ", after " + several(one.same, "event")), sides(both, one))),
    el("p", { class: "faint" }, "Alike throughout: " + (all.filter((one) => !one.parts).map((one) => one.name).join(", ") || "none") + "."));
}

// The last lines that are alike, and what follows in each.
function sides(both, { one, other, same }) {
  const column = (events, list) => {
    const from = Math.max(0, same - BEFORE);
    const rows = list.slice(from, same + AFTER).map((i, at) => el("div", {
      class: "compare-row gravity-" + events.gravity[i] + (from + at === same ? " parts" : "") + (from + at < same ? " alike" : ""),
    }, el("span", { class: "faint" }, exactSeconds(events.at[i]) + " "), events.line(i)));
    if (list.length <= same) rows.push(el("div", { class: "compare-row parts" }, "nothing more"));
    if (list.length > same + AFTER) rows.push(el("div", { class: "faint" }, several(list.length - same - AFTER, "more event")));
    return el("div", {}, rows);
  };
  return el("div", { class: "sides" }, column(both[0], one), column(both[1], other));
}
