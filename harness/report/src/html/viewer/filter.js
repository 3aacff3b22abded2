// Which events the list shows.

const LEVELS = [["all", "every line"], ["3", "without debug"], ["1", "warnings and errors"], ["0", "errors"]];
const MOST_TAGS = 300;

class Filter {
  // `changed` is called with the indices of the events that are wanted.
  constructor(events, changed) {
    this.events = events;
    this.changed = changed;
    this.hidden = new Set();
    this.range = null;
    this.timer = 0;
    const soon = () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.apply(), 60); };
    this.words = el("input", { type: "search", id: "find", placeholder: "Search ( / )", "aria-label": "Search in all events", oninput: soon });
    this.level = el("select", { "aria-label": "Level", id: "level", onchange: () => this.apply() },
      LEVELS.map(([value, text]) => el("option", { value }, text)));
    this.tag = el("input", { type: "text", id: "tag", list: "tags", placeholder: "Tag", "aria-label": "Log tag", oninput: soon });
    const tags = [...events.tags].sort().slice(0, MOST_TAGS).map((tag) => el("option", { value: shown(tag) }));
    this.chips = events.lanes.map((name, lane) => ({ name, lane })).filter(({ lane }) => events.lanesUsed.has(lane))
      .map(({ name, lane }) => el("button", {
        class: "chip", "aria-pressed": "true", "data-lane": name,
        title: "Click: hide or show. Double click: only this one",
        onclick: () => this.toggle(lane), ondblclick: () => this.only(lane),
      }, name));
    this.count = el("span", { role: "status", "aria-live": "polite", id: "count" });
    this.rangeChip = el("button", { class: "chip range", hidden: true, onclick: () => this.narrow(null) });
    this.element = el("div", { class: "filter", role: "search" },
      el("div", { class: "bar" }, this.words, this.level, this.tag, el("datalist", { id: "tags" }, tags), this.count),
      el("div", { class: "bar", role: "group", "aria-label": "Sources" }, this.chips, this.rangeChip,
        el("button", { class: "small", onclick: () => this.reset() }, "reset")));
  }

  toggle(lane) {
    if (!this.hidden.delete(lane)) this.hidden.add(lane);
    this.apply();
  }

  only(lane) {
    this.hidden = new Set([...this.events.lanesUsed].filter((other) => other !== lane));
    this.apply();
  }

  // Only events from index to index; null for all.
  narrow(range, name = "") {
    this.range = range;
    this.rangeChip.hidden = !range;
    this.rangeChip.textContent = range ? shown(name + " only ✕") : "";
    this.apply();
  }

  reset() {
    this.words.value = this.tag.value = "";
    this.level.value = "all";
    this.hidden.clear();
    this.narrow(null);
  }

  wanted() {
    const { events } = this;
    const words = this.words.value.toLowerCase();
    const tag = this.tag.value.toLowerCase();
    const texts = words ? events.searchable() : null;
    const most = this.level.value === "all" ? 9 : Number(this.level.value);
    const tags = events.tags.map((name) => name.toLowerCase().includes(tag));
    const [from, to] = this.range || [0, events.length - 1];
    const found = new Uint32Array(Math.max(0, to - from + 1));
    let count = 0;
    for (let i = from; i <= to; i++) {
      if (this.hidden.has(events.lane[i])) continue;
      // What is no log line is as grave as an error, a warning, or a line of information.
      if ((events.level[i] >= 0 ? events.level[i] : 2 - events.gravity[i]) > most) continue;
      if (tag && !(events.tag[i] && tags[events.tag[i] - 1])) continue;
      if (texts && !texts[i].includes(words)) continue;
      found[count++] = i;
    }
    return found.subarray(0, count);
  }

  apply() {
    const lanes = [...this.events.lanesUsed].sort((a, b) => a - b);
    for (const [at, lane] of lanes.entries()) this.chips[at].setAttribute("aria-pressed", String(!this.hidden.has(lane)));
    const wanted = this.wanted();
    this.count.textContent = wanted.length === this.events.length ? several(wanted.length, "event")
      : wanted.length.toLocaleString("en") + " of " + several(this.events.length, "event");
    this.changed(wanted);
  }
}
