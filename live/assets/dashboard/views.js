// The gateway, its figures, and its hosts.

import { Chart } from './chart.js';
import { count, duration, element, gib, keep, percent, rate, setClass, span, write } from './page.js';

const CHARTS = [
  ['Requests', 'Per second, over the last 10 seconds', [{ name: 'arrived', of: (point) => point.arrived }, { name: 'failed or rejected', of: (point) => point.bad }], (value) => `${rate(value)}/s`, 1],
  ['Under way', 'Requests at hosts, and in the queue', [{ name: 'at hosts', of: (point) => point.running }, { name: 'queued', of: (point) => point.queued }], (value) => (Number.isInteger(value) ? count(value) : rate(value)), 4],
  ['Time to first token', 'From arrival at the gateway; of answers that ended in the last 30 seconds', [{ name: 'p50', of: (point) => point.ttftMedian }, { name: 'p95', of: (point) => point.ttftHigh }], duration, 10],
  ['Whole answer', 'From arrival at the gateway to the end; of answers that ended in the last 30 seconds', [{ name: 'p50', of: (point) => point.e2eMedian }, { name: 'p95', of: (point) => point.e2eHigh }], duration, 10],
];

export function charts(place) {
  const all = CHARTS.map((chart) => new Chart(...chart));
  place.append(...all.map((chart) => chart.figure));
  return (points) => all.forEach((chart) => chart.draw(points));
}

/** A list of labels and values in place; `{name, text, state, hint}`, where the state is `good`, `warn`, `bad` or none. */
export function facts(list, all) {
  keep(list, all, (fact) => fact.name, (fact) => element('div', {}, element('dt', {}, fact.name), element('dd')), (group, fact) => {
    setClass(group, fact.state ?? '');
    const hint = fact.hint ?? '';
    if (group.title !== hint) group.title = hint;
    write(group.lastElementChild, fact.text);
  });
}

export function header(list, status, broken) {
  const parts = status.fallen_back.map((part) => (typeof part === 'string' ? part : `balancer ${Object.values(part)[0]}`));
  const control = status.safe_mode ? 'safe mode' : parts.length ? `fell back: ${parts.join(', ')}` : 'as chosen';
  const log = status.log_steps_lost ? `${status.log}, ${count(status.log_steps_lost)} steps lost` : status.log;
  facts(list, [
    broken ? { name: 'State', text: '▲ not known', state: 'warn', hint: 'No data comes; the rest is as it was last heard' } : status.draining ? { name: 'State', text: '▼ draining', state: 'warn' } : { name: 'State', text: '● serving', state: 'good' },
    { name: 'Hosts up', text: `${status.hosts_up === status.hosts ? '' : '▲ '}${status.hosts_up} of ${status.hosts}`, state: status.hosts_up === status.hosts ? '' : status.hosts_up ? 'warn' : 'bad' },
    { name: 'Control', text: (status.safe_mode || parts.length ? '▲ ' : '') + control, state: status.safe_mode ? 'bad' : parts.length ? 'warn' : '', hint: 'Parts that were found at fault decide in their plain form' },
    status.frozen ? { name: 'Changes by itself', text: '■ frozen', state: 'warn' } : { name: 'Changes by itself', text: 'allowed' },
    { name: 'Decision log', text: (status.log === 'failed' || status.log_steps_lost ? '▲ ' : '') + log, state: status.log === 'failed' ? 'bad' : status.log_steps_lost ? 'warn' : '' },
    { name: 'Config', text: `no. ${status.epoch}`, hint: 'Number of the config in force' },
    { name: 'Up for', text: span(status.uptime_seconds) },
    { name: 'Version', text: status.version },
  ]);
}

export function figures(list, { status, queue }, point) {
  const { counters } = status;
  const ended = counters.finished + counters.failed + counters.rejected + counters.cancelled;
  facts(list, [
    { name: 'Requests', text: `${rate(point?.arrived)}/s`, hint: `${count(counters.arrived)} since the start` },
    { name: 'Failed, rejected', text: `${rate(point?.bad)}/s`, state: point?.bad ? 'warn' : '', hint: `${percent(counters.failed + counters.rejected, ended)} since the start: ${count(counters.failed)} failed, ${count(counters.rejected)} rejected, ${count(counters.cancelled)} left by their clients, ${count(counters.retries)} tried again` },
    { name: 'At hosts', text: count(counters.running) },
    { name: 'Queued', text: count(counters.queued), hint: `the oldest waits ${duration(queue.oldest_wait_millis)}` },
    { name: 'First token, p95', text: duration(point?.ttftHigh) },
    { name: 'Output', text: `${rate(point?.tokens)} tok/s` },
  ]);
}

/** How a host is, in a sign, a word and a colour. */
function hostState(host) {
  if (host.removed) return ['▼ leaving', 'warn'];
  if (!host.up) return ['✕ silent', 'bad'];
  if (host.drained) return ['■ drained', 'warn'];
  return ['● up', 'good'];
}

const breakerSigns = { closed: 'closed', half_open: '◐ half open', open: '○ open' };

function strip(label) {
  const fillOf = element('span');
  const told = element('b');
  const bar = element('div', { className: 'gauge', role: 'meter', 'aria-label': label, 'aria-valuemin': '0' }, fillOf);
  const row = element('div', { className: 'gauge-row' }, element('span', { className: 'label' }, label), bar, told);
  return { row, set(value, most, text) {
    const share = most > 0 ? Math.min(1, value / most) : 0;
    fillOf.style.width = `${(100 * share).toFixed(1)}%`;
    setClass(bar, share >= 1 ? 'gauge full' : 'gauge');
    bar.setAttribute('aria-valuenow', value);
    bar.setAttribute('aria-valuemax', Math.max(most, value));
    bar.setAttribute('aria-valuetext', text);
    write(told, text);
  } };
}

function makeHost(host, drain) {
  const card = element('li', { className: 'host' });
  const parts = {
    name: element('h3', {}, host.name),
    state: element('span', { className: 'state' }),
    about: element('p', { className: 'quiet about' }),
    requests: strip('Requests'),
    memory: strip('Memory'),
    models: element('ul', { className: 'loaded', 'aria-label': `Models loaded on ${host.name}` }),
    facts: element('dl', { className: 'fields' }),
    button: element('button', { type: 'button' }),
  };
  parts.button.onclick = () => drain(card.host);
  card.append(
    element('div', { className: 'host-head' }, parts.name, parts.state, parts.button),
    parts.about, parts.requests.row, parts.memory.row, parts.models, parts.facts,
  );
  card.parts = parts;
  return card;
}

function updateHost(card, host, last, permission) {
  card.host = host;
  const { parts } = card;
  const [state, kind] = hostState(host);
  write(parts.state, state);
  setClass(parts.state, `state ${kind}`);
  setClass(card, host.up ? 'host' : 'host away');
  const about = [!host.up && 'as last heard', host.gpu, host.zone && `zone ${host.zone}`, host.address, host.version && `Ollama ${host.version}`];
  write(parts.about, about.filter(Boolean).join(' · '));
  // Without a limit the slots say how full it is.
  const most = host.limit < 1e6 ? host.limit || host.slots : host.slots;
  parts.requests.set(host.in_flight, most, `${host.in_flight} of ${most}`);
  const held = host.loaded.reduce((sum, loaded) => sum + loaded.bytes, 0);
  parts.memory.set(held, host.memory_bytes, host.memory_bytes ? `${gib(held)} of ${gib(host.memory_bytes)}` : gib(held));
  const sick = new Map(host.model_breakers.map((breaker) => [breaker.model, breaker.state]));
  const models = host.loaded.map(({ model, bytes, vram_bytes }) => ({ model, told: vram_bytes < bytes ? `${gib(bytes)}, ${percent(vram_bytes, bytes)} on the GPU` : gib(bytes) }));
  for (const model of sick.keys()) if (!host.loaded.some((loaded) => loaded.model === model)) models.push({ model, told: 'not loaded' });
  if (!models.length) models.push({ model: 'No model is loaded', told: '' });
  keep(parts.models, models, (one) => one.model, () => element('li', {}, element('span'), element('span', { className: 'quiet' })), (item, one) => {
    write(item.firstElementChild, one.model);
    const breaker = sick.get(one.model);
    write(item.lastElementChild, breaker ? `${one.told}, breaker ${breakerSigns[breaker]}` : one.told);
    setClass(item, breaker ? 'warn' : one.told ? '' : 'quiet');
  });
  facts(parts.facts, [
    { name: 'Breaker', text: breakerSigns[host.breaker], state: host.breaker === 'closed' ? '' : 'bad' },
    { name: 'Failures', text: count(host.failures), state: '', hint: `of ${count(host.dispatches)} attempts` },
    { name: 'First token', text: duration(last?.ttft), hint: 'Median of the last 20 answers from here, from their arrival at the gateway' },
    { name: 'Whole answer', text: duration(last?.e2e), hint: 'Median of the last 20 answers from here, from their arrival at the gateway' },
  ]);
  write(parts.button, host.drained ? 'Undrain' : 'Drain');
  parts.button.setAttribute('aria-label', `${host.drained ? 'Undrain' : 'Drain'} ${host.name}`);
  parts.button.disabled = host.removed || !permission.may;
  parts.button.title = permission.why;
}

/** `lately` gives a host's last times by its name; `drain` is called with the host as it is then. */
export function hosts(list, all, lately, permission, drain) {
  keep(list, all, (host) => host.id, (host) => makeHost(host, drain), (card, host) => updateHost(card, host, lately(host.name), permission));
}
