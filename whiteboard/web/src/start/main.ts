/** The first page: make a board, open one, or go back to one. */
import '../page/style.css';
import './start.css';
import { forget, keepLookSecret, read, theme, visits, type Visit } from '../page/device';
import { choose, words } from '../words/words';
import { boardIn, create } from './open';

const language = choose([read('whiteboard-language'), ...navigator.languages]);
const t = words(language);
document.documentElement.lang = language;
document.documentElement.dataset.theme = theme();
document.title = t('app');

type Child = Node | string | null;

/** An element with properties and children. */
function make<K extends keyof HTMLElementTagNameMap>(tag: K, properties: Partial<HTMLElementTagNameMap[K]> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const problem = make('p', { className: 'problem', role: 'alert' });

async function begin(forClass: boolean, button: HTMLButtonElement): Promise<void> {
  problem.textContent = '';
  button.disabled = true;
  const before = button.textContent;
  button.textContent = t('start.creating');
  try {
    const { id, path, look } = await create(forClass);
    if (look) keepLookSecret(id, look);
    location.assign(path);
  } catch (error) {
    const reason = error instanceof TypeError ? t('start.unreachable') : error instanceof Error ? error.message : String(error);
    problem.textContent = t('start.failed', { reason });
    button.disabled = false;
    button.textContent = before;
  }
}

function creator(forClass: boolean): HTMLButtonElement {
  const button = make('button', { type: 'button', className: forClass ? 'plain' : 'chief' }, t(forClass ? 'start.class' : 'start.create'));
  button.addEventListener('click', () => void begin(forClass, button));
  return button;
}

function opener(): HTMLFormElement {
  const name = make('input', { id: 'name', name: 'name', required: true, maxLength: 500, autocomplete: 'off', spellcheck: false });
  const form = make('form', { className: 'field' },
    make('label', { htmlFor: 'name' }, t('start.name')),
    make('div', { className: 'row' }, name, make('button', { className: 'plain' }, t('start.go'))));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const path = boardIn(name.value, location.origin);
    if (path === null) problem.textContent = t('start.badName');
    else location.assign(path);
  });
  return form;
}

function row(visit: Visit, list: HTMLElement): HTMLLIElement {
  const title = visit.title || visit.board;
  const time = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(visit.at);
  const away = make('button', { type: 'button', className: 'plain', ariaLabel: t('start.forget', { title }) }, '✕');
  const item = make('li', {}, make('a', { href: `/b/${encodeURIComponent(visit.board)}${visit.hash}` }, title), make('small', {}, time), away);
  away.addEventListener('click', () => {
    forget(visit.board);
    item.remove();
    if (list.childElementCount === 0) list.closest('section')?.remove();
  });
  return item;
}

function visited(): HTMLElement | null {
  const all = visits();
  if (all.length === 0) return null;
  const list = make('ul', { className: 'visited' });
  list.append(...all.map((visit) => row(visit, list)));
  return make('section', {}, make('h2', {}, t('start.visited')), list);
}

document.getElementById('start')!.append(
  make('h1', {}, t('app')),
  make('p', { className: 'lead' }, t('start.lead')),
  make('div', { className: 'row' }, creator(false), creator(true)),
  make('p', { className: 'hint' }, t('start.classHint')),
  problem,
  make('section', {}, make('h2', {}, t('start.open')), opener()),
  visited() ?? '',
  make('footer', {}, make('a', { href: '/licences.txt' }, t('start.licences'))),
);
