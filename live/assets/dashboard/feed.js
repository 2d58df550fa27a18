// What the gateway is asked, and the stream of its events. EventSource cannot send a key, so the stream is read by fetch.

const KEY = 'herder-key';
/** A snapshot comes each second: after so long without any the stream is broken. */
const SILENCE_MILLIS = 5_000;
const PAUSE_MILLIS = 1_000;
const PAUSE_MILLIS_MAX = 8_000;

/** The gateway wants another key than was sent. */
export class KeyNeeded extends Error {}

export const keys = {
  get: () => sessionStorage.getItem(KEY),
  set: (key) => sessionStorage.setItem(KEY, key),
  forget: () => sessionStorage.removeItem(KEY),
};

/** Sends a request; an answer that is an error is thrown with the gateway's words. */
export async function request(path, { method = 'GET', body, signal, key = keys.get() } = {}) {
  const headers = new Headers();
  if (key) headers.set('authorization', `Bearer ${key}`);
  // Whatever is no GET must say that it is JSON.
  if (method !== 'GET') headers.set('content-type', 'application/json');
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(path, { method, headers, body: text, signal, cache: 'no-store', credentials: 'omit' });
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  const error = said.error ?? `the gateway answers with status ${response.status}`;
  throw response.status === 401 ? new KeyNeeded(error) : new Error(error);
}

export async function read(path) {
  return (await request(`api/v1/${path}`)).json();
}

export async function post(path, body) {
  return (await request(`api/v1/${path}`, { method: 'POST', body })).json();
}

const wait = (millis) => new Promise((done) => setTimeout(done, millis));

/**
 * Follows the events for as long as the page is open. `opened` runs before each stream's first event, `lost` when one
 * breaks, `keyNeeded` gives a promise that ends when there is a key.
 */
export async function follow({ opened, event, lost, keyNeeded }) {
  let pause = PAUSE_MILLIS;
  for (;;) {
    try {
      await stream(opened, (name, data) => {
        pause = PAUSE_MILLIS;
        event(name, data);
      });
      lost();
    } catch (error) {
      if (error instanceof KeyNeeded) {
        await keyNeeded(error);
        continue;
      }
      lost();
    }
    await wait(pause);
    pause = Math.min(2 * pause, PAUSE_MILLIS_MAX);
  }
}

async function stream(opened, event) {
  const broken = new AbortController();
  let alarm = setTimeout(() => broken.abort(), SILENCE_MILLIS);
  try {
    const response = await request('api/v1/events', { signal: broken.signal });
    await opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => broken.abort(), SILENCE_MILLIS);
      const blocks = (text + value).split('\n\n');
      text = blocks.pop();
      for (const block of blocks) tell(block, event);
    }
  } finally {
    clearTimeout(alarm);
    broken.abort();
  }
}

function tell(block, event) {
  let name = 'message';
  const data = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  event(name, JSON.parse(data.join('\n')));
}
