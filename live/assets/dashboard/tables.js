// Models, the queue, decisions, and arms side by side.

import { clock, count, duration, element, fill, keep, percent, words, write } from './page.js';

export function models(table, all) {
  const columns = [
    { title: 'Model', kind: 'name' },
    { title: 'Loaded on' },
    { title: 'On disk of', kind: 'wide' },
    { title: 'At hosts', kind: 'number' },
    { title: 'Queued', kind: 'number' },
    { title: 'Answers', kind: 'number wide' },
    { title: 'Tokens', kind: 'number wide', hint: 'Output tokens' },
  ];
  fill(table, columns, all.map((model) => [
    model.name, model.loaded_on.join(', ') || '–', model.stored_on.join(', ') || '–',
    count(model.running), count(model.queued), count(model.answers), count(model.output_tokens),
  ]), 'No model is known yet.');
}

export function queue(table, sum, view) {
  write(sum, view.queued ? `${count(view.queued)} waiting, the oldest for ${duration(view.oldest_wait_millis)}` : 'nobody waits');
  const columns = [
    { title: 'Tenant', kind: 'name' }, { title: 'Model', kind: 'name' },
    { title: 'Waiting', kind: 'number' }, { title: 'Oldest', kind: 'number' },
  ];
  const most = Math.max(1, ...view.groups.map((group) => group.queued));
  fill(table, columns, view.groups.map((group) => [
    group.tenant, group.model, { text: count(group.queued), bar: group.queued / most }, duration(group.oldest_wait_millis),
  ]), 'Nobody waits.');
}

const OUTCOMES = { finished: ['✓', 'good'], rejected: ['■', 'warn'], failed: ['✕', 'bad'], cancelled: ['–', 'quiet'], queued: ['…', 'quiet'], running: ['▶', ''] };

export function outcome(one) {
  const [sign, kind] = OUTCOMES[one.outcome] ?? ['', ''];
  return { text: `${sign} ${one.cause ? words(one.cause) : one.outcome}`, kind, title: one.cause ? `${one.outcome}: ${words(one.cause)}` : one.outcome };
}

const COLUMNS = [
  { title: 'Time', kind: 'time' },
  { title: 'Id', kind: 'number wide id', hint: 'As in the decision log and in the answer\'s header x-herder-request' },
  { title: 'Model', kind: 'name' },
  { title: 'Tenant', kind: 'wide' },
  { title: 'Host' },
  { title: 'Reason', kind: 'wide' },
  { title: 'Arm', kind: 'wide' },
  { title: 'Wait', kind: 'number wide', hint: 'In the queue, until the last attempt' },
  { title: 'First token', kind: 'number' },
  { title: 'Total', kind: 'number wide' },
  { title: 'Tokens', kind: 'number wide', hint: 'Prompt, answer' },
  { title: 'Outcome' },
];

/** Whether each word of a filter is somewhere in what is shown of a request. */
export function matches(one, filter) {
  const text = [one.id, one.model, one.tenant, one.host, words(one.reason), one.reason, one.arm, one.outcome, one.cause, words(one.cause)].join(' ').toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function tokens(one) {
  return one.output_tokens === null ? '–' : `${count(one.prompt_tokens)} + ${count(one.output_tokens)}`;
}

export function decisions(table, all, nothing, open) {
  fill(table, COLUMNS, all.map((one) => [
    { text: clock(one.arrived_unix_millis), deed: () => open(one), title: `All of request ${one.id}` },
    String(one.id), one.model, one.tenant, one.host ?? '–', words(one.reason), one.arm ?? '–',
    duration(one.wait_millis), duration(one.ttft_millis), duration(one.e2e_millis), tokens(one), outcome(one),
  ]), nothing);
}

/** All of a request, as labels and values. */
export function detail(one) {
  return [
    ['Arrived', new Date(one.arrived_unix_millis).toLocaleString()], ['Model', one.model], ['Tenant', one.tenant],
    ['Host', one.host ?? '–'], ['Reason', words(one.reason)], ['Arm', one.arm ?? '–'], ['Attempts', one.attempts],
    ['Wait', duration(one.wait_millis)], ['First token', duration(one.ttft_millis)], ['Total', duration(one.e2e_millis)],
    ['Tokens', tokens(one)], ['Outcome', outcome(one).title],
  ].map(([name, text]) => ({ name, text: String(text) }));
}

function armState(arm, guarded) {
  if (arm.rolled_back) return { text: '✕ taken back by its guard', kind: 'bad' };
  if (arm.broken) return { text: '▲ broken, fell back', kind: 'bad' };
  return arm.role === 'variant' && guarded ? { text: '● guarded', kind: 'good' } : '● active';
}

/** The API's names begin with the trial, or with the role. */
function armTitle(arm) {
  const short = arm.name.slice(arm.name.indexOf('/') + 1);
  return arm.role === 'shadow' || arm.role === 'choice' ? `${short} (${arm.role})` : short;
}

function sideBySide(table, arms, guarded) {
  const alone = arms.length === 1;
  const slowest = Math.max(...arms.map((arm) => arm.ttft_mean_millis ?? 0), 1);
  const shadows = arms.some((arm) => arm.role === 'shadow');
  const line = (title, of) => [{ text: title, kind: 'head' }, ...arms.map(of)];
  const rows = [
    line('Balancer', (arm) => arm.balancer),
    line('Share', (arm) => (arm.share_permille === null ? '–' : `${arm.share_permille / 10} %`)),
    line('Decided', (arm) => count(arm.decided)),
    line('Finished', (arm) => (arm.role === 'shadow' ? '–' : count(arm.finished))),
    line('Failed', (arm) => (arm.role === 'shadow' ? '–' : `${count(arm.failed)} (${percent(arm.failed, arm.failed + arm.finished)})`)),
    line('First token, mean', (arm) => (arm.ttft_mean_millis === null ? '–' : { text: duration(arm.ttft_mean_millis), bar: alone ? undefined : arm.ttft_mean_millis / slowest, title: 'From dispatch' })),
  ];
  if (shadows) rows.push(line('Would do the same', (arm) => (arm.role === 'shadow' ? { text: percent(arm.agreed, arm.decided), bar: arm.decided ? arm.agreed / arm.decided : 0 } : '–')));
  rows.push(line('State', (arm) => armState(arm, guarded)));
  const columns = [{ title: '', kind: 'head' }, ...arms.map((arm) => ({ title: armTitle(arm), kind: 'arm' }))];
  const told = rows.filter(([, ...cells]) => cells.some((cell) => cell !== '–'));
  fill(table, columns, told, '');
}

export function experiments(place, { trials, arms }) {
  const base = arms.find((arm) => arm.role === 'base');
  const others = arms.filter((arm) => arm.role !== 'base');
  const groups = trials.map((trial) => {
    const given = trial.arms.reduce((sum, arm) => sum + arm.share_permille, 0);
    return { ...trial, arms: [{ ...base, share_permille: 1000 - given }, ...trial.arms] };
  });
  if (others.length || !groups.length) groups.push({ name: '', guarded: false, arms: [base, ...others] });
  keep(place, groups, (group) => `${group.name} ${group.arms.length}`, (group) => element('article', {},
    element('h3', {}, group.name || (group.arms.length > 1 ? 'Beside the base' : 'The base decides alone'), ' ', element('span', { className: 'quiet' })),
    element('div', { className: 'scroll', tabIndex: 0, role: 'region', 'aria-label': `Arms: ${group.name || 'base'}` }, element('table', { className: 'arms' })),
  ), (article, group) => {
    write(article.querySelector('h3 span'), group.name ? (group.guarded ? 'with a guard' : 'without a guard') : '');
    sideBySide(article.querySelector('table'), group.arms, group.guarded);
  });
}
