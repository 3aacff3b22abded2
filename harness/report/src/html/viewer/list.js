// The events, one a row. Only the rows in sight are in the document, however many there are.

const ROW = 22;

class List {
  // `choose(i)` is told which event was clicked.
  constructor(events, choose) {
    this.events = events;
    this.choose = choose;
    this.wanted = new Uint32Array(0);
    this.chosen = -1;
    this.rows = [];
    this.frame = 0;
    this.spacer = el("div", { class: "spacer", role: "rowgroup" });
    const head = el("div", { class: "row head", role: "row", "aria-rowindex": "1" },
      ["lab time", "device time", "source", "what"].map((name) => el("span", { role: "columnheader" }, name)));
    this.scroller = el("div", { class: "scroller", tabindex: "0", id: "events", role: "grid", "aria-label": "Events",
      onscroll: () => this.soon(), onkeydown: (event) => this.key(event) }, head, this.spacer);
    this.element = el("div", { class: "list" }, this.scroller);
    new ResizeObserver(() => this.draw()).observe(this.scroller);
  }

  show(wanted) {
    this.wanted = wanted;
    this.scroller.setAttribute("aria-rowcount", String(wanted.length + 1));
    this.spacer.style.height = wanted.length * ROW + "px";
    this.draw();
  }

  soon() {
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  draw() {
    const inSight = Math.ceil(this.scroller.clientHeight / ROW) + 1;
    const first = Math.max(0, Math.min(Math.floor(this.scroller.scrollTop / ROW), this.wanted.length - inSight));
    const count = Math.min(inSight, this.wanted.length - first);
    while (this.rows.length < count) this.rows.push(this.newRow());
    for (const [at, row] of this.rows.entries()) {
      row.hidden = at >= count;
      if (at < count) this.fill(row, first + at);
    }
  }

  newRow() {
    const cells = ["time", "device-time", "lane", "text"].map((name) => el("span", { role: "gridcell", class: name }, ""));
    const row = el("div", { role: "row", onclick: () => this.choose(this.wanted[Number(row.dataset.at)]) }, cells);
    this.spacer.append(row);
    return row;
  }

  fill(row, at) {
    const i = this.wanted[at];
    const { events } = this;
    const [time, device, lane, text] = row.children;
    row.dataset.at = at;
    row.id = "row-" + at;
    row.className = "row gravity-" + events.gravity[i] + (i === this.chosen ? " chosen" : "") + (events.level[i] > 2 ? " debug" : "");
    row.setAttribute("aria-rowindex", String(at + 2));
    row.setAttribute("aria-selected", String(i === this.chosen));
    row.style.transform = "translateY(" + at * ROW + "px)";
    time.textContent = exactSeconds(events.at[i]);
    device.textContent = events.deviceClock(i);
    lane.textContent = events.laneName(i);
    text.textContent = shown(events.line(i).slice(0, 600));
  }

  // Marks an event, and scrolls to it.
  mark(i) {
    this.chosen = i;
    const at = this.place(i);
    if (at >= 0) {
      const top = at * ROW;
      const height = this.scroller.clientHeight - 2 * ROW;
      if (top < this.scroller.scrollTop || top > this.scroller.scrollTop + height) {
        this.scroller.scrollTop = Math.max(0, top - height / 2);
      }
    }
    this.draw();
    if (at >= 0) this.scroller.setAttribute("aria-activedescendant", "row-" + at);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  // Where event `i` is among those that are shown, or -1.
  place(i) {
    let [low, high] = [0, this.wanted.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.wanted[middle] === i) return middle;
      if (this.wanted[middle] < i) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  // Goes on by so many rows.
  step(by) {
    if (!this.wanted.length) return;
    const at = this.place(this.chosen);
    const next = at < 0 ? (by > 0 ? 0 : this.wanted.length - 1) : Math.min(Math.max(at + by, 0), this.wanted.length - 1);
    this.choose(this.wanted[next]);
  }

  // Goes to the next row, or the one before, that is wrong or odd.
  nextGrave(by) {
    const begin = this.place(this.chosen);
    for (let at = begin < 0 && by < 0 ? this.wanted.length - 1 : begin + by; at >= 0 && at < this.wanted.length; at += by) {
      if (this.events.gravity[this.wanted[at]] === 2) return this.choose(this.wanted[at]);
    }
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 2);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.step(Number.isFinite(by) ? by : Math.sign(by) * this.wanted.length);
  }
}
