// The page as a whole: events come in, and what they tell is drawn, at most once a second.

import { Strategies, askForKey, confirm, deeds, tell } from './actions.js';
import { KeyNeeded, follow, keys, read } from './feed.js';
import { clock, count, write } from './page.js';
import { Series } from './series.js';
import * as tables from './tables.js';
import * as views from './views.js';

const by = (id) => document.getElementById(id);
/** Requests that are kept, and that are shown of them. */
const KEPT_MAX = 1_024;
const SHOWN_MAX = 100;
/** Answers of a host whose times are told. */
const LATELY = 20;

const series = new Series();
const state = { snapshot: null, decisions: [], seeds: null, missed: 0, caller: null, config: null, heldDecisions: null, heardAt: null, broken: false };
const drawCharts = views.charts(by('charts'));
const strategies = new Strategies(by('strategies'), (part, name) => confirm(deeds.choose(part, name), learn));

/** What each role may do here, in words. */
const roles = { view: 'may only look', operate: 'may operate', admin: 'may do all' };

/** What the caller may do, and if it is not much, why. */
function permission() {
  if (state.broken || !state.snapshot) return { may: false, why: 'No connection to the gateway' };
  const { caller } = state;
  if (!caller) return { may: false, why: '' };
  const may = caller.role !== 'view';
  return { may, why: may ? '' : `The key ${caller.name} may only look (role view); this needs the role operate` };
}

/** Reads what events do not tell: who we are and what can be rolled back. */
async function learn() {
  try {
    [state.caller, state.config] = await Promise.all([read('caller'), read('config')]);
    draw();
  } catch (error) {
    if (error instanceof KeyNeeded) await askForKey(error.message);
    else tell(`✕ ${error.message}`, 'bad');
  }
}

async function opened() {
  const [known, all, caller, config] = await Promise.all([
    read(`decisions?limit=${KEPT_MAX}`), read('strategies'), read('caller'), read('config'),
  ]);
  Object.assign(state, { caller, config, seeds: known.decisions, missed: 0 });
  const end = (one) => one.arrived_unix_millis + one.e2e_millis;
  state.decisions = known.decisions.filter((one) => one.e2e_millis !== null).sort((one, other) => end(other) - end(one));
  strategies.know(all);
}

function event(name, data) {
  if (name === 'snapshot') snapshot(data);
  else if (name === 'decision') decision(data);
  else if (name === 'missed') state.missed += data;
}

const startedAt = (status) => status.now_unix_millis - 1000 * status.uptime_seconds;

function snapshot(now) {
  const before = state.snapshot?.status;
  // Both are of one second: a larger difference is another run of the gateway.
  if (before && Math.abs(startedAt(now.status) - startedAt(before)) > 2_000) series.clear();
  if (state.seeds) {
    series.seed(state.seeds, now.status);
    state.seeds = null;
  }
  if (before && before.epoch !== now.status.epoch) learn();
  Object.assign(state, { snapshot: now, heardAt: Date.now(), broken: false });
  series.snapshot(now.status);
  draw();
}

function decision(one) {
  // What was read at the start may be told again.
  if (state.decisions.some((known) => known.id === one.id)) return;
  state.decisions.unshift(one);
  if (state.decisions.length > KEPT_MAX) state.decisions.length = KEPT_MAX;
  series.decision(one);
}

function lost() {
  state.broken = true;
  draw();
}

function median(values) {
  const sorted = values.filter((value) => value !== null).sort((one, other) => one - other);
  return sorted.length ? sorted[Math.floor((sorted.length - 1) / 2)] : null;
}

/** The last times of each host. */
function lately() {
  const by = new Map();
  for (const one of state.decisions) {
    if (one.outcome !== 'finished') continue;
    const times = by.get(one.host) ?? { ttft: [], e2e: [] };
    if (times.e2e.length < LATELY) {
      times.ttft.push(one.ttft_millis);
      times.e2e.push(one.e2e_millis);
    }
    by.set(one.host, times);
  }
  return (name) => by.has(name) && { ttft: median(by.get(name).ttft), e2e: median(by.get(name).e2e) };
}

let wanted = false;

/** Draws at the next frame; a page that nobody sees is not drawn. */
function draw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(() => {
    wanted = false;
    banner();
    if (state.snapshot) drawAll(state.snapshot);
  });
}

function banner() {
  const line = by('banner');
  line.hidden = !state.broken;
  if (state.broken) {
    write(line, state.heardAt ? `▲ No data since ${clock(state.heardAt)}: trying again` : '▲ The gateway does not answer: trying again');
  }
  document.body.classList.toggle('stale', state.broken);
}

function drawAll(now) {
  const allowed = permission();
  const points = series.points();
  views.header(by('gateway'), now.status, state.broken);
  views.figures(by('figures'), now, points.findLast((point) => point));
  drawCharts(points);
  views.hosts(by('hosts'), now.hosts, lately(), allowed, (host) => confirm(deeds.drain(host), learn));
  tables.models(by('models'), now.models);
  tables.queue(by('queue'), by('queue-sum'), now.queue);
  drawDecisions();
  tables.experiments(by('experiments'), now.experiments);
  strategies.update(now.status, allowed);
  drawDeeds(now.status, allowed);
}

function drawDeeds(status, allowed) {
  const [freeze, rollback] = [by('freeze'), by('rollback')];
  write(freeze, status.frozen ? 'Unfreeze' : 'Freeze');
  freeze.disabled = !allowed.may;
  freeze.title = allowed.why;
  const nothing = state.config?.can_roll_back ? '' : 'There is no earlier config to go back to';
  rollback.disabled = !allowed.may || nothing !== '';
  rollback.title = allowed.why || nothing;
  by('forget').hidden = !keys.get();
  if (state.caller) write(by('caller'), keys.get() ? `${state.caller.name} ${roles[state.caller.role]}` : 'no key needed');
}

function drawDecisions() {
  const all = state.heldDecisions ?? state.decisions;
  const filter = by('filter').value.trim();
  const found = filter ? all.filter((one) => tables.matches(one, filter)) : all;
  const nothing = filter ? 'No request of the last ones matches.' : 'No request has ended yet.';
  tables.decisions(by('decisions'), found.slice(0, SHOWN_MAX), nothing, openDetail);
  const missed = state.missed ? `; ${count(state.missed)} came too fast to be told` : '';
  write(by('decisions-sum'), `${count(Math.min(found.length, SHOWN_MAX))} of ${count(found.length)}${filter ? ' that match' : ' kept'}${missed}`);
}

function openDetail(one) {
  write(by('detail-title'), `Request ${one.id}`);
  views.facts(by('detail-list'), tables.detail(one));
  by('detail').showModal();
}

by('filter').addEventListener('input', drawDecisions);
by('hold').addEventListener('change', (change) => {
  state.heldDecisions = change.target.checked ? [...state.decisions] : null;
  drawDecisions();
});
by('freeze').addEventListener('click', () => confirm(deeds.freeze(state.snapshot.status.frozen), learn));
by('rollback').addEventListener('click', () => confirm(deeds.rollback(), learn));
by('forget').addEventListener('click', () => {
  keys.forget();
  location.reload();
});

follow({ opened, event, lost, keyNeeded: (error) => askForKey(error.message) });
