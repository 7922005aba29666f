/** Small dialogs: share, people, rename, clear, insert. */
import { CaptureUpdateAction, convertToExcalidrawElements, viewportCoordsToSceneCoords } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { lookSecret } from '../page/device';
import type { Word, Words } from '../words/words';
import type { Parts } from './Board';
import { colorOf } from './people';
import type { Session } from './session';

interface Props {
  readonly session: Session;
  readonly t: Words;
  readonly close: () => void;
}

/** A dialog of the browser: it holds the focus, Escape closes it. Keys in it do not reach the canvas. */
export function Dialog({ title, t, close, wide, children }: { title: string; t: Words; close: () => void; wide?: boolean; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current!;
    element.showModal();
    // The browser would choose the button that closes it. On a phone a field would bring the keyboard up, over half of the dialog.
    const first = matchMedia('(pointer: coarse)').matches ? '[data-first]' : '[data-first], form input, form select, input';
    element.querySelector<HTMLElement>(first)?.focus();
    const keep = (event: Event) => event.stopPropagation();
    const kinds = ['keydown', 'keyup', 'paste', 'copy', 'cut', 'wheel'];
    for (const kind of kinds) element.addEventListener(kind, keep);
    return () => {
      for (const kind of kinds) element.removeEventListener(kind, keep);
      element.close();
    };
  }, []);
  return (
    <dialog ref={dialog} className={wide ? 'dialog wide' : 'dialog'} aria-labelledby={heading} onClose={close} onCancel={close}>
      <header>
        <h2 id={heading}>{title}</h2>
        <button type="button" className="plain" onClick={close} aria-label={t('close')}>✕</button>
      </header>
      {children}
    </dialog>
  );
}

function Link({ label, url, t }: { label: string; url: string; t: Words }) {
  const [copied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const copy = async () => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(url);
    } catch {
      // Without a secure context the browser copies what is selected only on its old way; the text is selected for the person.
      document.execCommand('copy');
    }
    setCopied(true);
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="row">
        <input id={id} ref={field} readOnly value={url} onFocus={(event) => event.target.select()} />
        <button type="button" className="chief" onClick={() => void copy()}>{copied ? t('share.copied') : t('share.copy')}</button>
      </div>
    </div>
  );
}

export function ShareDialog({ session, t, close }: Props) {
  const base = `${location.origin}/b/${encodeURIComponent(session.board)}`;
  const { access, look: shown } = session.links;
  const look = shown ?? lookSecret(session.board);
  return (
    <Dialog title={t('share.title')} t={t} close={close}>
      {shown ? null : <Link label={t('share.pupils')} url={base} t={t} />}
      {access && <Link label={t('share.teachers')} url={`${base}#teacher=${access}`} t={t} />}
      {look && <Link label={t('share.look')} url={`${base}#look=${look}`} t={t} />}
      <Link label={t('share.embed')} url={`<iframe src="${base}?embed${look ? `#look=${look}` : ''}"></iframe>`} t={t} />
    </Dialog>
  );
}

export function PeopleDialog({ session, parts, t, close }: Props & { parts: Parts }) {
  const { replica } = session.connection;
  const [name, setName] = useState(session.name);
  const id = useId();
  return (
    <Dialog title={t('people.title')} t={t} close={close}>
      <form className="field" onSubmit={(event) => { event.preventDefault(); session.rename(name); close(); }}>
        <label htmlFor={id}>{t('people.name')}</label>
        <div className="row">
          <input id={id} value={name} maxLength={60} autoComplete="nickname" onChange={(event) => setName(event.target.value)} />
          <button className="chief">{t('save')}</button>
        </div>
      </form>
      <ul className="people">
        <li><span className="swatch" ref={tint(replica.user)} />{session.name} <small>{t('people.you')}{replica.role === 'teacher' ? `, ${t('people.teacher')}` : ''}</small></li>
        {[...replica.people.values()].map((person) => (
          <li key={person.client}>
            <span className="swatch" ref={tint(person.user)} />
            {parts.people.name(person.client)} <small>{person.role === 'pupil' ? '' : person.role === 'teacher' ? t('people.teacher') : t('people.viewer')}</small>
            <button type="button" className="plain" onClick={() => {
              const username = parts.people.name(person.client);
              parts.api.updateScene({ appState: { userToFollow: { socketId: String(person.client), username } } as never });
              parts.people.follow(person.client);
              close();
            }}>{t('people.follow', { name: parts.people.name(person.client) })}</button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

/** Colours a small square. A style attribute would be barred by the content security policy; a property is not. */
function tint(user: string) {
  return (element: HTMLElement | null) => {
    if (element) element.style.backgroundColor = colorOf(user);
  };
}

export function RenameDialog({ session, t, close }: Props) {
  const [title, setTitle] = useState(session.connection.replica.board?.title ?? '');
  const id = useId();
  const rename = () => {
    if (title.trim()) session.connection.ask({ t: 'title', title: title.trim() });
    close();
  };
  return (
    <Dialog title={t('menu.title')} t={t} close={close}>
      <form className="field" onSubmit={(event) => { event.preventDefault(); rename(); }}>
        <label htmlFor={id}>{t('menu.title')}</label>
        <div className="row">
          <input id={id} value={title} maxLength={200} onChange={(event) => setTitle(event.target.value)} />
          <button className="chief">{t('save')}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function ClearDialog({ session, t, close }: Props) {
  const clear = () => {
    session.connection.ask({ t: 'clear' });
    close();
  };
  return (
    <Dialog title={t('menu.clear').replace(/ …$/, '')} t={t} close={close}>
      <p>{t('clear.sure')}</p>
      <p className="row end">
        <button type="button" className="plain" onClick={close} data-first>{t('cancel')}</button>
        <button type="button" className="danger" onClick={clear}>{t('clear.do')}</button>
      </p>
    </Dialog>
  );
}

const KINDS = ['text', 'rectangle', 'ellipse', 'diamond', 'arrow', 'line'] as const;

/** Puts a shape in the middle of the view, chosen, so that the arrow keys move it: drawing without a pointer. */
export function InsertDialog({ api, t, close }: { api: ExcalidrawImperativeAPI; t: Words; close: () => void }) {
  const [kind, setKind] = useState<(typeof KINDS)[number]>('text');
  const [text, setText] = useState('');
  const [first, second] = [useId(), useId()];
  const insert = () => {
    const state = api.getAppState();
    const middle = { clientX: state.offsetLeft + state.width / 2, clientY: state.offsetTop + state.height / 2 };
    const { x, y } = viewportCoordsToSceneCoords(middle, state);
    const at = { x: Math.round(x - 80), y: Math.round(y - 50) };
    const label = text && kind !== 'line' ? { label: { text } } : {};
    const skeleton = kind === 'text' ? { type: kind, text: text || t('kind.text'), ...at } : { type: kind, ...at, width: 160, height: 100, ...label };
    const made = convertToExcalidrawElements([skeleton as never]);
    api.updateScene({
      elements: [...api.getSceneElementsIncludingDeleted(), ...made],
      appState: { selectedElementIds: { [made[0]!.id]: true }, activeTool: { ...state.activeTool, type: 'selection', customType: null } } as never,
      captureUpdate: CaptureUpdateAction.NEVER,
    });
    close();
    focusCanvas();
  };
  return (
    <Dialog title={t('insert.title')} t={t} close={close}>
      <form onSubmit={(event) => { event.preventDefault(); insert(); }}>
        <div className="field">
          <label htmlFor={first}>{t('insert.title')}</label>
          <select id={first} value={kind} onChange={(event) => setKind(event.target.value as typeof kind)}>
            {KINDS.map((one) => <option key={one} value={one}>{t(`kind.${one}` as Word)}</option>)}
          </select>
        </div>
        <div className="field">
          <label htmlFor={second}>{t('insert.text')}</label>
          <input id={second} value={text} maxLength={2000} onChange={(event) => setText(event.target.value)} />
        </div>
        <p className="row end"><button className="chief">{t('insert.do')}</button></p>
      </form>
    </Dialog>
  );
}

/** The keyboard goes to the canvas. */
export function focusCanvas(): void {
  setTimeout(() => document.querySelector<HTMLElement>('.excalidraw.excalidraw-container')?.focus(), 0);
}
