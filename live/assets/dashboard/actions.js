// What an operator can do here. Each deed is told in words first, and confirmed.

import { element, write } from './page.js';
import { KeyNeeded, keys, post, request } from './feed.js';

const by = (id) => document.getElementById(id);
const MESSAGE_MILLIS = 8_000;
let messageEnds = 0;

/** Tells something for a while. */
export function tell(text, kind = '') {
  const message = by('message');
  clearTimeout(messageEnds);
  message.className = kind;
  message.hidden = false;
  write(message, text);
  messageEnds = setTimeout(() => { message.hidden = true; }, MESSAGE_MILLIS);
}

/** Asks whether to do something, does it, and tells what came of it; errors stay in the dialog. */
export function confirm({ title, text, yes, path, body }, done) {
  const dialog = by('confirm');
  write(by('confirm-title'), title);
  write(by('confirm-text'), text);
  write(by('confirm-error'), '');
  write(by('confirm-yes'), yes);
  by('confirm-yes').disabled = false;
  by('confirm-no').onclick = () => dialog.close();
  dialog.querySelector('form').onsubmit = async (event) => {
    event.preventDefault();
    by('confirm-yes').disabled = true;
    write(by('confirm-error'), '');
    try {
      const { changed = [], needs_restart = [] } = await post(path, body);
      dialog.close();
      const waits = needs_restart.length ? `; needs a restart: ${needs_restart.join(', ')}` : '';
      tell(`✓ ${changed.join('; ') || 'Nothing had to change'}${waits}`, 'good');
    } catch (error) {
      write(by('confirm-error'), `✕ ${error.message}`);
    }
    by('confirm-yes').disabled = false;
    done();
  };
  dialog.showModal();
  by('confirm-no').focus();
}

export const deeds = {
  drain: (host) => (host.drained
    ? { title: `Undrain ${host.name}?`, text: 'It gets requests again.', yes: 'Undrain', path: `hosts/${encodeURIComponent(host.name)}/undrain` }
    : { title: `Drain ${host.name}?`, text: `It gets no new requests. What runs there (${host.in_flight}) runs to its end.`, yes: 'Drain', path: `hosts/${encodeURIComponent(host.name)}/drain` }),
  freeze: (frozen) => (frozen
    ? { title: 'Unfreeze?', text: 'Control may change things by itself again: selection, guards, learned limits.', yes: 'Unfreeze', path: 'unfreeze' }
    : { title: 'Freeze?', text: 'Nothing in control changes by itself any more until it is unfrozen. Requests go on.', yes: 'Freeze', path: 'freeze' }),
  rollback: () => ({ title: 'Roll back?', text: 'Back to the config before the last change, one step. Requests under way stay where they are.', yes: 'Roll back', path: 'rollback' }),
  choose: (part, name) => ({ title: `Switch the ${part} to ${name}?`, text: 'With its default parameters, from the next decision on. Requests under way stay where they are; a rollback takes it back.', yes: 'Switch', path: 'strategy', body: { [part]: name } }),
};

let asking = null;

/** Asks for a key until the gateway takes one; whoever asks meanwhile waits for the same. */
export function askForKey(why) {
  asking ??= new Promise((given) => {
    const dialog = by('key');
    write(by('key-error'), keys.get() ? why : '');
    keys.forget();
    const escape = (event) => event.preventDefault();
    dialog.addEventListener('cancel', escape);
    dialog.querySelector('form').onsubmit = async (event) => {
      event.preventDefault();
      const key = by('key-text').value.trim();
      try {
        await request('api/v1/caller', { key });
      } catch (error) {
        // A text that no header can carry is no key either.
        const refused = error instanceof KeyNeeded || error instanceof TypeError;
        write(by('key-error'), refused ? 'This key is not known here.' : error.message);
        return;
      }
      keys.set(key);
      by('key-text').value = '';
      dialog.removeEventListener('cancel', escape);
      dialog.close();
      asking = null;
      given();
    };
    if (!dialog.open) dialog.showModal();
  });
  return asking;
}

/** Scheduler and balancer: which is in force, what each one is, and a way to switch. */
export class Strategies {
  constructor(place, choose) {
    this.parts = [['scheduler', 'Scheduler', 'who is next'], ['balancer', 'Balancer', 'which host']].map(([part, title, about]) => {
      const made = {
        part,
        now: element('b'),
        select: element('select', { id: `choose-${part}` }),
        summary: element('p', { className: 'summary' }),
        button: element('button', { type: 'button' }, 'Switch …'),
        known: [],
      };
      made.select.onchange = () => this.#show(made);
      made.button.onclick = () => choose(part, made.select.value);
      place.append(element('article', {},
        element('h3', {}, `${title} `, element('span', { className: 'quiet' }, `${about}; in force: `), made.now),
        element('div', { className: 'bar-of-tools' }, element('label', { for: `choose-${part}` }, 'Switch to'), made.select, made.button),
        made.summary,
      ));
      return made;
    });
    this.permission = { may: false, why: '' };
  }

  /** All that there are, as of `/strategies`. */
  know({ schedulers, balancers }) {
    for (const made of this.parts) {
      made.known = made.part === 'scheduler' ? schedulers : balancers;
      made.select.replaceChildren(...made.known.map((one) => element('option', { value: one.name, disabled: one.requires !== null }, one.requires === null ? one.name : `${one.name} (needs ${one.requires})`)));
      if (made.inForce) made.select.value = made.inForce;
      this.#show(made);
    }
  }

  update(status, permission) {
    this.permission = permission;
    for (const made of this.parts) {
      const name = status[made.part];
      write(made.now, name);
      // What is being chosen stays chosen, unless another one comes into force.
      if (made.inForce !== name) made.select.value = name;
      made.inForce = name;
      this.#show(made);
    }
  }

  #show(made) {
    const one = made.known.find((known) => known.name === made.select.value);
    const parameters = one?.parameters.map((parameter) => `${parameter.name} = ${parameter.default}`).join(', ');
    write(made.summary, one ? `${one.summary}. Cost: ${one.cost}.${parameters ? ` Parameters: ${parameters}.` : ''}` : '');
    made.select.disabled = !this.permission.may;
    made.button.disabled = !this.permission.may || !one || made.select.value === made.inForce;
    made.button.title = this.permission.why || (made.select.value === made.inForce ? 'It is in force' : '');
  }
}
