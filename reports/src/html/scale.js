// From values to what people read and to pixels: numbers in their units, ticks, scales.

// Numbers for people.
const plain = (value, decimals) => {
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return value < 0 && /[1-9]/.test(text) ? "−" + text : text;
};
const decimalsOf = (step) => {
  let decimals = 0;
  for (let scaled = step; decimals < 9 && Math.abs(scaled - Math.round(scaled)) > 1e-6 * scaled; scaled *= 10) decimals += 1;
  return decimals;
};
const short = (value) => {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.01) return plain(value, Math.min(9, 1 - Math.floor(Math.log10(size))));
  return plain(value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
};
const two = (value) => String(Math.floor(value)).padStart(2, "0");
const duration = (seconds) => {
  if (Math.abs(seconds) < 120) return short(seconds) + " s";
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${two(seconds / 60 % 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${two(seconds / 3600 % 24)} h`;
};
const millis = (value) => {
  const size = Math.abs(value);
  if (size === 0) return "0 ms";
  return size < 0.9995 ? short(value * 1e3) + " µs" : size < 999.5 ? short(value) + " ms" : short(value / 1e3) + " s";
};
const told = (axis, value) => {
  if (value === null || value === undefined) return "–";
  // What is whole is a count: 6 hosts, not 6.00.
  if (axis.number) return (Number.isInteger(value) ? plain(value, 0) : short(value)) + (axis.unit ? " " + axis.unit : "");
  return axis.unit === "s" ? duration(value) : axis.unit === "ms" ? millis(value) : short(value) + " %";
};

// In which unit ticks of an axis are told: its size, its word, and steps that suit it.
const spoken = (axis, span) => {
  const decimal = [1, 2, 2.5, 5, 10];
  if (axis.number || axis.unit === "%") return { size: 1, word: axis.unit, steps: decimal };
  if (axis.unit === "ms") return span < 1 ? { size: 1e-3, word: "µs", steps: decimal } : span < 2000 ? { size: 1, word: "ms", steps: decimal } : { size: 1e3, word: "s", steps: decimal };
  const round = [1, 2, 5, 10];
  if (span < 1) return { size: 1e-3, word: "ms", steps: round };
  if (span < 300) return { size: 1, word: "s", steps: round };
  if (span < 18000) return { size: 60, word: "min", steps: round };
  return span < 432000 ? { size: 3600, word: "h", steps: [1, 2, 3, 6, 10] } : { size: 86400, word: "days", steps: round };
};

// From values to pixels and back, with ticks.
class Scale {
  constructor(axis, from, to, start, end, wanted, outwards) {
    Object.assign(this, { axis, start, end });
    if (axis.log) {
      if (!(to > from)) { to = from * 3; from /= 3; }
    } else if (!(to > from)) {
      const half = Math.abs(from) > 0 && !axis.zero ? Math.abs(from) * 0.1 : 0.5;
      to = from + half;
      from = axis.zero ? from : from - half;
    }
    Object.assign(this, { from, to });
    this.ticks = axis.log ? this.logTicks(wanted) : this.evenTicks(wanted, outwards);
    this.low = axis.log ? Math.log(this.from) : this.from;
    this.high = axis.log ? Math.log(this.to) : this.to;
  }
  evenTicks(wanted, outwards) {
    const unit = spoken(this.axis, this.to - this.from);
    this.word = unit.word;
    const least = (this.to - this.from) / unit.size / Math.max(1, wanted);
    const power = 10 ** Math.floor(Math.log10(least));
    // Between 3 and 4 hosts there is nothing to tell.
    const steps = this.axis.whole ? unit.steps.filter(Number.isInteger) : unit.steps;
    const fitting = (steps.find((factor) => factor * power >= least * 0.999999) ?? 10) * power;
    const step = this.axis.whole ? Math.max(1, fitting) : fitting;
    const first = outwards ? Math.floor(this.from / unit.size / step + 1e-9) : Math.ceil(this.from / unit.size / step - 1e-9);
    const last = outwards ? Math.ceil(this.to / unit.size / step - 1e-9) : Math.floor(this.to / unit.size / step + 1e-9);
    const ticks = [];
    for (let k = first; k <= last; k += 1) ticks.push({ at: k * step * unit.size, text: plain(k * step, decimalsOf(step)) });
    if (outwards) [this.from, this.to] = [first * step * unit.size, last * step * unit.size];
    return ticks;
  }
  logTicks(wanted) {
    this.word = this.axis.number ? this.axis.unit : "";
    const text = (value) => {
      const word = this.axis.number ? "" : this.axis.unit === "%" ? " %" : null;
      if (word === null) return told(this.axis, value).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
      return plain(value, Math.max(0, -Math.floor(Math.log10(value) + 1e-9))) + word;
    };
    // Within a factor of three even steps are round enough; else as many of each decade as there is room for.
    if (this.to / this.from < 3) return this.evenTicks(wanted, false);
    const first = Math.floor(Math.log10(this.from) + 1e-9);
    const last = Math.ceil(Math.log10(this.to) - 1e-9);
    const every = Math.max(1, Math.ceil((last - first) / wanted));
    const within = (factors) => {
      const ticks = [];
      for (let power = first; power <= last; power += every) ticks.push(...factors.map((factor) => factor * 10 ** power));
      return ticks.filter((at) => at >= this.from * 0.999999 && at <= this.to * 1.000001);
    };
    const sets = every > 1 ? [] : [[1, 2, 5], [1, 3]].map(within).filter((ticks) => ticks.length <= wanted);
    return (sets[0] ?? within([1])).map((at) => ({ at, text: text(at) }));
  }
  at(value) {
    const along = this.axis.log ? Math.log(Math.max(value, 1e-300)) : value;
    return this.start + ((along - this.low) / (this.high - this.low)) * (this.end - this.start);
  }
  back(pixel) {
    const along = this.low + ((pixel - this.start) / (this.end - this.start)) * (this.high - this.low);
    return this.axis.log ? Math.exp(along) : along;
  }
}
