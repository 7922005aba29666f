/** What is said over the canvas: wait a moment, something is over, something newer is there. */
import { useEffect, useState } from 'react';
import type { Word, Words } from '../words/words';
import type { Session } from './session';

interface Props {
  readonly session: Session;
  readonly t: Words;
}

/** Milliseconds of waiting for the first answer until something is said. */
const PATIENCE = 2500;

/** A calm page while the server cannot be reached at first; it goes by itself. */
export function Calm({ session, t }: Props) {
  const [late, setLate] = useState(false);
  const { replica, status } = session.connection;
  const missing = replica.client === 0 && status.at !== 'ended';
  useEffect(() => {
    if (!missing) return setLate(false);
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => clearTimeout(timer);
  }, [missing]);
  if (!missing || !late) return null;
  return (
    <div className="veil" role="status">
      <div className="card">
        <h2>{t('calm.title')}</h2>
        <p>{t('calm.text')}</p>
        <button type="button" className="plain" onClick={() => session.connection.hurry()}>{t('status.retry')}</button>
      </div>
    </div>
  );
}

const SAID = [4401, 4404, 4406, 4409];

/** The server does not want this page back: the person decides. */
export function Ended({ session, t }: Props) {
  const { status } = session.connection;
  if (status.at !== 'ended') return null;
  const { code, error } = status;
  const sentence = SAID.includes(code) ? t(`ended.${code}` as Word) : t('ended.other', { code: error?.message ?? String(code) });
  return (
    <div className="veil" role="alertdialog" aria-label={sentence}>
      <div className="card">
        <h2>{sentence}</h2>
        <p className="row">
          {code === 4404 && <button type="button" className="chief" onClick={() => void create(session)}>{t('ended.create')}</button>}
          <button type="button" className={code === 4404 ? 'plain' : 'chief'} onClick={() => location.reload()}>{t('ended.reload')}</button>
          <a className="plain" href="/">{t('ended.start')}</a>
        </p>
      </div>
    </div>
  );
}

async function create(session: Session): Promise<void> {
  await fetch('/api/boards', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ id: session.board }) });
  location.reload();
}

/** Offers the page of a newer server, when the connection comes back to one. */
export function Newer({ session, t }: Props) {
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let first = true;
    return session.hear((news) => {
      if (news.kind !== 'welcome') return;
      if (first) {
        first = false;
        return;
      }
      void fetch('/client.json', { cache: 'no-store' })
        .then(async (answer) => {
          const { build } = (await answer.json()) as { build?: string };
          setReady(build !== undefined && build !== __BUILD__);
        })
        .catch(() => {});
    });
  }, [session]);
  if (!ready) return null;
  return (
    <div className="offer" role="status">
      <span>{t('update.ready')}</span>
      <button type="button" className="chief" onClick={() => void session.connection.shelveNow().then(() => location.reload())}>{t('update.load')}</button>
      <button type="button" className="plain" onClick={() => setReady(false)}>{t('update.later')}</button>
    </div>
  );
}
