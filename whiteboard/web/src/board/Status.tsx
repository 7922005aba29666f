/** What state the work is in, in few words: saved, saving, offline. */
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { Words } from '../words/words';
import type { Open } from './Board';
import type { Session } from './session';

export type Mood = 'good' | 'busy' | 'bad';

/** The state of a connection in words. `slow`: whether saving takes long enough to speak of it. */
export function describe(session: Session, t: Words, slow: boolean): { mood: Mood; text: string } {
  const { connection } = session;
  if (!connection) return { mood: 'busy', text: t('status.connecting') };
  const { status, replica } = connection;
  const { waiting } = session;
  if (status.at === 'connecting' && replica.client === 0) return { mood: 'busy', text: t('status.connecting') };
  if (status.at !== 'online') {
    return { mood: 'bad', text: waiting > 0 ? t('status.waiting', { n: waiting }) : t('status.offline') };
  }
  if (waiting > 0 && slow) return { mood: 'busy', text: t('status.saving', { n: waiting }) };
  if (replica.readonly) return { mood: 'busy', text: t('status.readonly') };
  if (replica.role === 'viewer') return { mood: 'good', text: t('status.look') };
  if (!replica.mayDraw) return { mood: 'busy', text: t('status.locked') };
  return { mood: 'good', text: replica.quiz ? `${t('status.quiz')} · ${t('status.saved')}` : t('status.saved') };
}

/** Milliseconds a change may wait before it is spoken of: less would flicker with each stroke. */
const SLOW = 500;

/** Where the canvas arranges itself for a small screen. */
const SMALL = '(max-width: 729px), (max-height: 499px) and (max-width: 999px)';

/** Where all that lies above the canvas does not fit into one row: tablets, and windows beside others. */
const NARROW = '(max-width: 1149px)';

export type Room = 'small' | 'narrow' | 'wide';

/** How much room the page has. */
export function useRoom(): Room {
  const small = useMatch(SMALL);
  const narrow = useMatch(NARROW);
  return small ? 'small' : narrow ? 'narrow' : 'wide';
}

function useMatch(media: string): boolean {
  const query = useMemo(() => matchMedia(media), [media]);
  const subscribe = useCallback((changed: () => void) => {
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return useSyncExternalStore(subscribe, () => query.matches);
}

/** State, people and sharing: in the upper corner, on a small screen above the lower bar, on a narrow one in the lower corner. */
export function Corner({ session, t, room, open }: { session: Session; t: Words; room: Room; open: (what: Open) => void }) {
  useSyncExternalStore(session.subscribe, session.snapshot);
  const waits = session.waiting > 0;
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    if (!waits) return setSlow(false);
    const timer = setTimeout(() => setSlow(true), SLOW);
    return () => clearTimeout(timer);
  }, [waits]);
  const { mood, text } = describe(session, t, slow);
  const here = (session.connection?.replica.people.size ?? 0) + 1;
  const offline = session.connection?.status.at === 'waiting';
  return (
    <div className="corner" data-room={room}>
      <p className="status" data-mood={mood} data-waiting={session.waiting} role="status" title={text}>
        <span className="dot" aria-hidden="true" />
        <span className="words">{text}</span>
      </p>
      {offline && room !== 'small' && <button type="button" className="plain" onClick={() => session.connection.hurry()}>{t('status.retry')}</button>}
      <button type="button" className="plain" onClick={() => open('people')} aria-label={t('people.here', { n: here })} title={t('people.here', { n: here })}>
        <svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="6.5" r="3.2" /><path d="M3.8 16.5c.6-3.4 3-5 6.2-5s5.600 1.600 6.200 5" /></svg>
        {here}
      </button>
      <button type="button" className="chief" onClick={() => open('share')}>{t('share.title')}</button>
    </div>
  );
}
