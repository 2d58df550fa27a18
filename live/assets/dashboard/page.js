// Parts of the page, and how values are written. Whatever is shown goes in as text: names come from clients.

/** An element with properties, attributes (`aria-…`, `role`, `for`, `scope`) and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Changes a text only where it differs: selections and readers of screens stay where they are. */
export function write(node, value) {
  const text = String(value);
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, name) {
  if (node.className !== name) node.className = name;
}

/** Children of `parent`, one for each item: kept by key, made where new, in the items' order. */
export function keep(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    known.delete(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
    update(child, item);
  }
  for (const gone of known.values()) gone.remove();
}

/**
 * Fills a table in place. `columns`: `{title, kind, hint}`; `rows`: arrays of texts or of
 * `{text, kind, bar, deed, title}`. Cells are used again, so nothing moves but what changes.
 */
export function fill(table, columns, rows, nothing) {
  const signature = columns.map((column) => column.title).join('\n');
  if (table.dataset.columns !== signature) {
    table.dataset.columns = signature;
    const heads = columns.map((column) => element('th', { scope: 'col', className: column.kind ?? '', title: column.hint ?? '' }, column.title));
    table.replaceChildren(element('thead', {}, element('tr', {}, ...heads)), element('tbody'));
  }
  const body = table.tBodies[0];
  const shown = rows.length ? rows : [[{ text: nothing, kind: 'nothing' }]];
  while (body.rows.length > shown.length) body.lastElementChild.remove();
  shown.forEach((cells, index) => {
    const row = body.rows[index] ?? body.insertRow();
    while (row.cells.length > cells.length) row.lastElementChild.remove();
    cells.forEach((cell, at) => fillCell(row.cells[at] ?? row.insertCell(), cell, rows.length ? columns[at] : null, columns.length));
  });
}

function fillCell(cell, value, column, width) {
  const { text, kind = '', bar, deed, title } = typeof value === 'object' ? value : { text: value };
  setClass(cell, `${column?.kind ?? ''} ${kind}`.trim());
  cell.colSpan = column ? 1 : width;
  const wanted = deed ? 'BUTTON' : 'SPAN';
  if (cell.firstElementChild?.tagName !== wanted) {
    cell.replaceChildren(element(wanted.toLowerCase(), deed ? { type: 'button', className: 'link' } : {}));
  }
  const told = cell.firstElementChild;
  write(told, text);
  const hint = title ?? text;
  if (cell.title !== hint) cell.title = hint;
  if (deed) told.onclick = deed;
  let strip = cell.querySelector('.strip');
  if (bar === undefined) strip?.remove();
  else {
    strip ??= cell.appendChild(element('div', { className: 'strip', 'aria-hidden': 'true' }));
    strip.style.width = `${Math.round(100 * Math.min(1, Math.max(0, bar)))}%`;
  }
}

const whole = new Intl.NumberFormat('en');

export function count(number) {
  return whole.format(number);
}

/** A rate: one digit after the point below 100. */
export function rate(number) {
  if (number === null || number === undefined) return '–';
  return number < 99.95 ? number.toFixed(1) : count(Math.round(number));
}

/** A time in milliseconds, in the unit that reads best. */
export function duration(millis) {
  if (millis === null || millis === undefined) return '–';
  if (millis < 9.95) return `${millis.toFixed(1)} ms`;
  if (millis < 999.5) return `${Math.round(millis)} ms`;
  const seconds = millis / 1000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  return span(Math.round(seconds));
}

/** A long time in seconds. */
export function span(seconds) {
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = Math.max(0, units.findIndex(([unit]) => seconds >= unit));
  if (seconds < 60) return `${seconds} s`;
  const [[unit, name], [smaller, smallerName]] = units.slice(first);
  return `${Math.floor(seconds / unit)} ${name} ${Math.floor((seconds % unit) / smaller)} ${smallerName}`;
}

export function gib(bytes) {
  const amount = bytes / 2 ** 30;
  return `${amount < 99.95 ? amount.toFixed(1) : count(Math.round(amount))} GiB`;
}

export function percent(part, total) {
  return total > 0 ? `${((100 * part) / total).toFixed(1)} %` : '–';
}

/** A word of the API as people write it. */
export function words(name) {
  return name ? String(name).replaceAll('_', ' ') : '–';
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export function clock(unixMillis) {
  return clockFormat.format(new Date(unixMillis));
}
