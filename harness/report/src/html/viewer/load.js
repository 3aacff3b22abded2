// What the page holds: the overview at once, the events of an attempt when they are looked at.

const overview = JSON.parse(document.getElementById("overview").textContent);

const loaded = new Map();

// The events of an attempt by columns; null if the page does not hold them.
function eventsOf(index) {
  if (!loaded.has(index)) loaded.set(index, unpack(index));
  return loaded.get(index);
}

async function unpack(index) {
  const element = document.getElementById("events-" + index);
  if (!element) return null;
  const bytes = fromBase64(element.textContent);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Events(JSON.parse(await new Response(stream).text()));
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

class Events {
  constructor(columns) {
    Object.assign(this, columns);
    this.length = columns.text.length;
    this.seq = summed(columns.seq);
    this.at = summed(columns.lab_us);
    this.level = Int8Array.from(columns.level);
    this.gravity = Uint8Array.from(columns.gravity);
    this.lane = Uint8Array.from(columns.lane);
    this.deviceTime = this.deviceTimes(columns.device_ms);
    this.lanesUsed = new Set(this.lane);
    this.lower = null;
    this.steps = stepsOf(this);
    this.spans = spansOf(this);
    this.begin = this.length ? this.at[0] : 0;
    this.end = this.length ? Math.max(this.at[this.length - 1], this.begin + 1) : 1;
  }

  // The device's own time in ms at each event: as its last line told it, and as far as time has gone
  // on since. NaN before the first line.
  deviceTimes(told) {
    const times = new Float64Array(this.length).fill(NaN);
    const last = new Map();
    for (let i = 0; i < this.length; i++) {
      if (told[i] >= 0) {
        times[i] = told[i];
        last.set(this.device[i], i);
        last.set(0, i);
      } else if (last.has(this.device[i])) {
        const before = last.get(this.device[i]);
        times[i] = told[before] + (this.at[i] - this.at[before]) / 1000;
      }
    }
    return times;
  }

  sourceName(i) { return this.sources[this.source[i]]; }
  laneName(i) { return this.lanes[this.lane[i]]; }
  kindName(i) { return this.kinds[this.kind[i] - 1] || ""; }
  tagName(i) { return this.tag[i] ? this.tags[this.tag[i] - 1] : ""; }
  deviceName(i) { return this.device[i] ? this.devices[this.device[i] - 1] : ""; }
  isLine(i) { return this.level[i] >= 0; }

  // What the event says, in one line.
  line(i) {
    if (!this.isLine(i)) return this.text[i];
    return "EWIDV"[this.level[i]] + " " + this.tagName(i) + ": " + this.text[i];
  }

  // The particulars; null if there are none that the text does not say.
  particulars(i) {
    if (!this.json[i]) return null;
    try { return JSON.parse(this.json[i]); } catch { return this.json[i]; }
  }

  // The device's own time, `≈` where it is worked out; empty if nothing tells.
  deviceClock(i) {
    const ms = this.deviceTime[i];
    if (Number.isNaN(ms)) return "";
    return (this.device_ms[i] >= 0 ? "" : "≈") + (ms / 1000).toFixed(3);
  }

  // Lower-case texts to search in, made at the first search.
  searchable() {
    if (!this.lower) {
      this.lower = this.text.map((text, i) =>
        (this.tagName(i) + ": " + text + " " + this.kindName(i) + " " + this.json[i]).toLowerCase());
    }
    return this.lower;
  }

  // Index of the event with this seq, or -1.
  indexOf(seq) {
    let [low, high] = [0, this.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.seq[middle] === seq) return middle;
      if (this.seq[middle] < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  // The step during which event `i` happened, or null.
  stepAt(i) {
    return this.steps.find((step) => step.from <= i && i <= step.to) || null;
  }
}

function summed(differences) {
  const sums = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < sums.length; i++) sums[i] = sum += differences[i];
  return sums;
}
