// Builds and changes elements. Texts become text nodes, so nothing from the database is parsed.

const SVG = 'http://www.w3.org/2000/svg';

/** h makes an element. An attribute that is a function is a listener; null and false leave one out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** s makes an element of SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else attr(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** set changes the text of a node, if it differs. */
export function set(node, text) {
  const value = String(text);
  if (node.textContent !== value) node.textContent = value;
}

/** attr changes an attribute, if it differs. null and false remove it. */
export function attr(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? '' : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** show hides or shows a node. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// Control, format, surrogate, private and unassigned characters, and separators of lines.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** visible escapes each character that cannot be seen, or that could reorder its surroundings. */
export function visible(text) {
  const value = String(text);
  if (value.trim() === '') return JSON.stringify(value);
  return value.replace(UNSEEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

/** cut shortens a text to a number of characters. */
export function cut(text, limit) {
  if (text.length <= limit) return text;
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join('')}…`;
}

/** word is an untrusted text within a sentence: visible, short, and isolated from its direction. */
export function word(text, limit = 80) {
  return `\u2068${cut(visible(text), limit)}\u2069`;
}

/** name is an element that shows an untrusted text alone. Its title has the whole text. */
export function name(text, limit = 120) {
  const node = h('bdi', { class: 'name' });
  rename(node, text, limit);
  return node;
}

/** rename changes the text of a name. null is shown as a dash. */
export function rename(node, text, limit = 120) {
  const whole = text === null ? '–' : visible(text);
  set(node, cut(whole, limit));
  attr(node, 'title', text === null ? null : cut(whole, 2000));
}

/** section is a part of a page with a heading. */
export function section(title, id, ...children) {
  return h('section', { 'aria-labelledby': id, class: `s-${id}` }, h('h2', { id }, title), ...children);
}

/** tableOf makes a table with a column for each title, around its body. */
export function tableOf(classes, label, columns, body) {
  return h('table', { class: `${classes} cards`, role: 'table', 'aria-label': label },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...columns.map((text) => h('th', { scope: 'col', role: 'columnheader', class: `h-${first(text)}` }, text)))), body);
}

/** rowOf makes a row of such a table. A phone shows the titles beside the cells. */
export function rowOf(columns, cells) {
  return h('tr', { role: 'row' }, ...cells.map((cell, i) => h('td', { role: 'cell', 'data-label': columns[i], class: `c-${first(columns[i])}` }, cell)));
}

const first = (title) => title.toLowerCase().split(' ')[0];

/** tag shows tags in a list. */
export function tag(list, tags) {
  const text = JSON.stringify(tags);
  if (list.dataset.tags === text) return;
  list.dataset.tags = text;
  const all = Object.entries(tags ?? {});
  show(list, all.length > 0);
  list.replaceChildren(...all.slice(0, 12).map(([key, value]) => h('li', { title: `${visible(key)}=${visible(value)}`.slice(0, 2000) }, word(key, 32), '=', word(value, 48))),
    ...(all.length > 12 ? [h('li', {}, `${all.length - 12} more`)] : []));
}

/** order makes nodes the children of a parent, in this order. It moves no more than it must. */
export function order(parent, nodes) {
  const kept = new Set(nodes);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const node of nodes) {
    if (node === next) {
      next = next.nextElementSibling;
    } else if (node.isConnected && parent.moveBefore) {
      parent.moveBefore(node, next); // keeps the focus
    } else {
      parent.insertBefore(node, next);
    }
  }
}
