// What happened in each of the last seconds, by the gateway's clock.

/** How far charts look back. */
export const SECONDS = 300;
/** Rates are means over so long, shares of times (percentiles) over so long: fewer answers say nothing. */
const RATE_SECONDS = 10;
const TIMES_SECONDS = 30;
/** Times kept of one second; what is beyond is left out of its percentiles. */
const TIMES_MAX = 200;

export class Series {
  constructor() {
    this.clear();
  }

  clear() {
    /** By second: counters at its end, times that became known in it, and the point that is drawn. */
    this.seconds = new Map();
    this.last = null;
  }

  /** What was before this page was opened, or while nothing was heard, as far as the last decisions tell. */
  seed(decisions, status) {
    const now = Math.floor(status.now_unix_millis / 1000);
    const started = now - status.uptime_seconds;
    const oldest = Math.min(...decisions.map((one) => one.arrived_unix_millis / 1000));
    // All that ever came is known where nothing was forgotten.
    const all = decisions.length >= status.counters.arrived;
    const heard = this.last ?? 0;
    const from = Math.max(heard + 1, now - SECONDS, Math.ceil(all ? started : Math.max(started, oldest)));
    const moments = decisions.map((one) => {
      const arrived = one.arrived_unix_millis;
      const sent = one.wait_millis === null ? Infinity : arrived + one.wait_millis;
      const ended = one.e2e_millis === null ? Infinity : arrived + one.e2e_millis;
      return { arrived, sent: Math.min(sent, ended), ended, one };
    });
    const { counters } = status;
    for (let second = from; second < now; second += 1) {
      const at = (second + 1) * 1000;
      const after = (test) => moments.filter(test).length;
      const bad = ({ one }) => one.outcome === 'failed' || one.outcome === 'rejected';
      this.#second(second).counters = {
        arrived: counters.arrived - after((moment) => moment.arrived > at),
        bad: counters.failed + counters.rejected - after((moment) => moment.ended > at && bad(moment)),
        queued: after((moment) => moment.arrived <= at && moment.sent > at),
        running: after((moment) => moment.sent <= at && moment.ended > at),
      };
    }
    for (const { one, ended } of moments) if (one.e2e_millis !== null && ended / 1000 >= heard + 1) this.decision(one);
  }

  snapshot(status) {
    const { arrived, failed, rejected, queued, running } = status.counters;
    const second = Math.floor(status.now_unix_millis / 1000);
    this.#second(second).counters = { arrived, bad: failed + rejected, queued, running };
    this.last = second;
    for (const old of this.seconds.keys()) {
      if (old < second - SECONDS - TIMES_SECONDS) this.seconds.delete(old);
    }
  }

  decision(one) {
    const second = this.#second(Math.floor((one.arrived_unix_millis + one.e2e_millis) / 1000));
    second.tokens += one.output_tokens ?? 0;
    if (second.e2e.length >= TIMES_MAX) return;
    if (one.ttft_millis !== null) second.ttft.push(one.ttft_millis);
    if (one.outcome === 'finished') second.e2e.push(one.e2e_millis);
  }

  /** The points of the last seconds, the oldest first; null where nothing is known. */
  points() {
    if (this.last === null) return [];
    const points = [];
    for (let second = this.last - SECONDS + 1; second <= this.last; second += 1) points.push(this.#point(second));
    return points;
  }

  #second(second) {
    let known = this.seconds.get(second);
    if (!known) {
      known = { counters: null, ttft: [], e2e: [], tokens: 0, point: null };
      this.seconds.set(second, known);
    }
    return known;
  }

  #point(second) {
    const here = this.seconds.get(second);
    if (!here?.counters) return null;
    if (here.point) return here.point;
    let before = null;
    for (let back = RATE_SECONDS; back > 0 && !before; back -= 1) {
      const counters = this.seconds.get(second - back)?.counters;
      if (counters) before = { counters, seconds: back };
    }
    const perSecond = (name) => before && Math.max(0, here.counters[name] - before.counters[name]) / before.seconds;
    const ttft = this.#times(second, 'ttft');
    const e2e = this.#times(second, 'e2e');
    let tokens = 0;
    for (let back = 0; back < RATE_SECONDS; back += 1) tokens += this.seconds.get(second - back)?.tokens ?? 0;
    const point = {
      arrived: perSecond('arrived'),
      bad: perSecond('bad'),
      queued: here.counters.queued,
      running: here.counters.running,
      tokens: before && tokens / RATE_SECONDS,
      ttftMedian: quantile(ttft, 0.5),
      ttftHigh: quantile(ttft, 0.95),
      e2eMedian: quantile(e2e, 0.5),
      e2eHigh: quantile(e2e, 0.95),
    };
    // What is said of the last seconds may still come.
    if (second < this.last - 1) here.point = point;
    return point;
  }

  #times(second, name) {
    const times = [];
    for (let back = 0; back < TIMES_SECONDS; back += 1) times.push(...(this.seconds.get(second - back)?.[name] ?? []));
    return times.sort((one, other) => one - other);
  }
}

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] : null;
}
