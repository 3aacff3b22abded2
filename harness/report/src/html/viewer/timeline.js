// All lanes on one time axis, drawn by pixel and not by event, so that any number of events costs the
// same. What it shows is in steps and list, too: it is a picture to readers of the screen.

const LANE_HEIGHT = 20;
const STEPS_HEIGHT = 26;
const AXIS_HEIGHT = 20;

class Timeline {
  // `choose` is told of a click: a step, or an event's index.
  constructor(events, choose) {
    this.events = events;
    this.choose = choose;
    this.from = events.begin;
    this.until = events.end;
    this.chosen = null;
    this.canvas = el("canvas", {
      role: "img", tabindex: "0",
      "aria-label": "Time line of " + several(events.length, "event") + " in " + several(events.lanesUsed.size, "lane")
        + ". Steps and events stand in the lists below. Plus and minus zoom, arrows move.",
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
      onmousemove: (event) => this.hover(event),
      onmouseleave: () => { this.readout.textContent = ""; },
    });
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const at = this.timeAt(event.offsetX);
      this.zoom(event.deltaY < 0 ? 0.8 : 1.25, at);
    }, { passive: false });
    this.readout = el("span", { class: "readout", "aria-hidden": "true" });
    const button = (text, label, act) => el("button", { class: "small", "aria-label": label, title: label, onclick: act }, text);
    this.element = el("section", { class: "timeline", "aria-label": "Time line" },
      el("div", { class: "bar" },
        button("+", "Zoom in", () => this.zoom(0.5)),
        button("−", "Zoom out", () => this.zoom(2)),
        button("◀", "Earlier", () => this.move(-0.4)),
        button("▶", "Later", () => this.move(0.4)),
        button("all", "Show all", () => this.show(events.begin, events.end)),
        this.readout),
      this.canvas);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.lanes = events.lanes.map((name, lane) => ({ name, lane }))
      .filter(({ name, lane }) => events.lanesUsed.has(lane) || !["web", "time", "witness"].includes(name));
    this.rows = new Map(this.lanes.map(({ lane }, row) => [lane, row]));
    this.height = STEPS_HEIGHT + this.lanes.length * LANE_HEIGHT + AXIS_HEIGHT;
    this.canvas.style.height = this.height + "px";
  }

  show(from, until) {
    const least = 50;
    this.from = Math.max(this.events.begin, from);
    this.until = Math.min(this.events.end, Math.max(until, this.from + least));
    this.draw();
  }

  // Shows the part from event to event, with some room, if it is not in sight.
  reveal(i, j) {
    const [from, until] = [this.events.at[i], this.events.at[j]];
    if (from >= this.from && until <= this.until) return this.draw();
    const room = Math.max(until - from, (this.until - this.from) / 2) * 0.3;
    this.show(from - room, until + room);
  }

  zoom(factor, around = (this.from + this.until) / 2) {
    const from = around - (around - this.from) * factor;
    this.show(from, from + (this.until - this.from) * factor);
  }

  move(part) {
    const width = this.until - this.from;
    const from = Math.min(Math.max(this.from + part * width, this.events.begin), Math.max(this.events.end - width, this.events.begin));
    this.show(from, from + width);
  }

  key(event) {
    const act = { "+": () => this.zoom(0.5), "-": () => this.zoom(2), ArrowLeft: () => this.move(-0.2),
      ArrowRight: () => this.move(0.2), 0: () => this.show(this.events.begin, this.events.end) }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  labels() { return this.canvas.clientWidth < 600 ? 66 : 88; }
  x(us) {
    const left = this.labels();
    return left + (us - this.from) / (this.until - this.from) * (this.canvas.clientWidth - left - 4);
  }
  timeAt(x) {
    const left = this.labels();
    return this.from + (x - left) / (this.canvas.clientWidth - left - 4) * (this.until - this.from);
  }

  // The step or the event at a place of the canvas.
  hit(event) {
    const at = this.timeAt(event.offsetX);
    if (event.offsetY < STEPS_HEIGHT) {
      const near = this.events.steps.filter((step) => this.x(this.events.at[step.from]) - 3 <= event.offsetX
        && event.offsetX <= this.x(this.events.at[step.to]) + 3);
      return near.length ? { step: near[near.length - 1] } : null;
    }
    const row = Math.floor((event.offsetY - STEPS_HEIGHT) / LANE_HEIGHT);
    const lane = this.lanes[row];
    if (!lane) return null;
    let best = -1;
    const { at: times, lane: lanes } = this.events;
    for (let i = 0; i < times.length; i++) {
      if (lanes[i] === lane.lane && (best < 0 || Math.abs(times[i] - at) < Math.abs(times[best] - at))) best = i;
    }
    return best < 0 ? null : { event: best };
  }

  click(event) {
    const hit = this.hit(event);
    if (hit) this.choose(hit);
  }

  hover(event) {
    const hit = event.offsetX >= this.labels() ? this.hit(event) : null;
    const time = exactSeconds(Math.max(0, this.timeAt(event.offsetX))) + " s";
    if (!hit) this.readout.textContent = time;
    else if (hit.step) this.readout.textContent = shown("step " + hit.step.number + ": " + hit.step.label);
    else this.readout.textContent = shown(exactSeconds(this.events.at[hit.event]) + " s  " + this.events.line(hit.event));
  }

  // Marks a step, or an event.
  mark(chosen) {
    this.chosen = chosen;
    this.draw();
  }

  draw() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(this.height * scale);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const colour = palette();
    pen.clearRect(0, 0, width, this.height);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    this.drawLanes(pen, colour, width);
    pen.save();
    pen.beginPath();
    pen.rect(this.labels(), 0, width - this.labels(), this.height);
    pen.clip();
    this.drawSteps(pen, colour);
    this.drawSpans(pen, colour);
    this.drawEvents(pen, colour, width);
    this.drawChosen(pen, colour);
    this.drawAxis(pen, colour, width);
    pen.restore();
  }

  drawLanes(pen, colour, width) {
    for (const [row, { name, lane }] of this.lanes.entries()) {
      const top = STEPS_HEIGHT + row * LANE_HEIGHT;
      pen.fillStyle = row % 2 ? colour.background : colour.stripe;
      pen.fillRect(0, top, width, LANE_HEIGHT);
      pen.fillStyle = this.events.lanesUsed.has(lane) ? colour.text : colour.faint;
      pen.fillText(name, 4, top + LANE_HEIGHT / 2);
    }
    pen.fillStyle = colour.text;
    pen.fillText("steps", 4, STEPS_HEIGHT / 2);
  }

  drawSteps(pen, colour) {
    for (const step of this.events.steps) {
      const x = this.x(this.events.at[step.from]);
      const w = Math.max(3, this.x(this.events.at[step.to]) - x - 1);
      pen.fillStyle = step.ok === true ? colour.passedFill : step.ok === false ? colour.failedFill : colour.oddFill;
      pen.fillRect(x, 3, w, STEPS_HEIGHT - 7);
      if (w > 16) {
        pen.fillStyle = colour.text;
        const room = Math.floor((w - 6) / 6.2);
        const text = shown(step.number + " " + step.label);
        pen.fillText(text.length > room ? text.slice(0, Math.max(2, room - 1)) + "…" : text, x + 3, STEPS_HEIGHT / 2);
      }
    }
  }

  drawSpans(pen, colour) {
    for (const span of this.events.spans) {
      const row = this.rows.get(span.lane);
      if (row === undefined || span.until < this.from || span.at > this.until) continue;
      const x = this.x(span.at);
      pen.fillStyle = [colour.span, colour.oddFill, colour.failedFill][span.gravity];
      pen.fillRect(x, STEPS_HEIGHT + row * LANE_HEIGHT + 5, Math.max(1, this.x(span.until) - x), LANE_HEIGHT - 10);
    }
  }

  drawEvents(pen, colour, width) {
    // By lane and pixel: how many, and how grave the gravest is.
    const cells = this.lanes.map(() => ({ count: new Uint32Array(width + 1), worst: new Uint8Array(width + 1) }));
    const { at, lane, gravity } = this.events;
    const left = this.labels();
    const scale = (width - left - 4) / (this.until - this.from);
    for (let i = 0; i < at.length; i++) {
      if (at[i] < this.from || at[i] > this.until) continue;
      const row = this.rows.get(lane[i]);
      if (row === undefined) continue;
      const x = Math.round(left + (at[i] - this.from) * scale);
      const cell = cells[row];
      cell.count[x]++;
      if (gravity[i] > cell.worst[x]) cell.worst[x] = gravity[i];
    }
    const fills = [colour.event, colour.odd, colour.failed];
    for (const [row, { count, worst }] of cells.entries()) {
      const top = STEPS_HEIGHT + row * LANE_HEIGHT;
      for (let x = left; x <= width; x++) {
        if (!count[x]) continue;
        const height = Math.min(LANE_HEIGHT - 4, 6 + Math.log2(count[x]) * 3);
        pen.fillStyle = fills[worst[x]];
        pen.fillRect(x - 1, top + (LANE_HEIGHT - height) / 2, worst[x] ? 3 : 2, height);
      }
    }
  }

  drawChosen(pen, colour) {
    if (!this.chosen) return;
    const bottom = this.height - AXIS_HEIGHT;
    if (this.chosen.step) {
      const x = this.x(this.events.at[this.chosen.step.from]);
      const w = Math.max(3, this.x(this.events.at[this.chosen.step.to]) - x);
      pen.fillStyle = colour.chosenFill;
      pen.fillRect(x, 0, w, bottom);
      pen.strokeStyle = colour.chosen;
      pen.lineWidth = 2;
      pen.strokeRect(x, 1, w, bottom - 2);
    } else {
      pen.fillStyle = colour.chosen;
      pen.fillRect(this.x(this.events.at[this.chosen.event]) - 1, 0, 2, bottom);
    }
  }

  drawAxis(pen, colour, width) {
    const left = this.labels();
    const most = Math.max(2, Math.floor((width - left) / 76));
    const raw = (this.until - this.from) / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const every = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
    pen.fillStyle = colour.faint;
    const first = Math.ceil(this.from / every);
    for (let n = 0; n <= most + 1; n++) {
      const at = (first + n) * every;
      if (at > this.until) break;
      const x = this.x(at);
      pen.fillRect(x, this.height - AXIS_HEIGHT, 1, 4);
      const digits = Math.max(0, Math.min(6, 6 - Math.floor(Math.log10(every))));
      const text = (at / 1e6).toFixed(digits) + " s";
      if (x + pen.measureText(text).width < width) pen.fillText(text, x + 2, this.height - AXIS_HEIGHT / 2 + 2);
    }
  }
}

// The colours of the style sheet, as they are in this theme.
function palette() {
  const probe = el("span", {});
  document.body.append(probe);
  const of = (name) => {
    probe.style.color = "var(--" + name + ")";
    return getComputedStyle(probe).color;
  };
  const names = { text: "text", faint: "faint", background: "background", stripe: "stripe", event: "event", span: "span",
    odd: "odd", oddFill: "odd-fill", failed: "failed", failedFill: "failed-fill", passedFill: "passed-fill",
    chosen: "chosen", chosenFill: "chosen-fill" };
  const colours = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, of(name)]));
  probe.remove();
  return colours;
}
