/** What is drawn, as a list: for screen readers, and to choose elements by keyboard. */
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useEffect, useState } from 'react';
import { order, type Element } from '../sync/element';
import type { Word, Words } from '../words/words';
import { focusCanvas } from './Dialogs';
import type { Session } from './session';

const MOST = 200;
/** Milliseconds between two looks at the board. */
const PACE = 1500;

/** An element in words. */
export function name(element: Element, t: Words): string {
  const word = `kind.${element.type}` as Word;
  const kind = ['rectangle', 'ellipse', 'diamond', 'line', 'arrow', 'freedraw', 'text', 'image', 'frame'].includes(element.type) ? t(word) : t('kind.other');
  const text = typeof element.text === 'string' ? element.text : typeof element.name === 'string' ? element.name : '';
  return text ? `${kind}: ${text.slice(0, 200)}` : kind;
}

export function Outline({ session, api, t }: { session: Session; api: ExcalidrawImperativeAPI | null; t: Words }) {
  const [items, setItems] = useState<{ id: string; label: string }[]>([]);
  const [more, setMore] = useState(0);
  useEffect(() => {
    let [due, timer]: [boolean, ReturnType<typeof setTimeout> | undefined] = [true, undefined];
    const look = () => {
      timer = undefined;
      if (!due) return;
      due = false;
      const all = [...session.connection.replica.visible()].sort(order);
      setItems(all.slice(0, MOST).map((element) => ({ id: element.id, label: name(element, t) })));
      setMore(Math.max(0, all.length - MOST));
    };
    const watch = () => {
      due = true;
      timer ??= setTimeout(look, PACE);
    };
    watch();
    const [unwatch, unhear] = [session.subscribe(watch), api?.onChange(watch)];
    return () => {
      unwatch();
      unhear?.();
      clearTimeout(timer);
    };
  }, [session, api, t]);
  return (
    <section className="unseen" aria-label={t('outline.title')}>
      <p>{t('outline.hint')}</p>
      <ul>
        {items.map(({ id, label }) => (
          <li key={id}>
            <button type="button" onClick={() => {
              api?.updateScene({ appState: { selectedElementIds: { [id]: true } } as never });
              focusCanvas();
            }}>{label}</button>
          </li>
        ))}
        {more > 0 && <li>{t('outline.more', { n: more })}</li>}
      </ul>
    </section>
  );
}
