/** The board's past: a slider over its moments, a preview, named versions; what was chosen can be brought back. */
import { exportToCanvas, restoreElements } from '@excalidraw/excalidraw';
import { useEffect, useId, useRef, useState } from 'react';
import type { Language, Words } from '../words/words';
import { Dialog } from './Dialogs';
import { bearer, fetchMoments, fetchScene, fetchVersions, keepVersion, restoreVersion, type Moment, type Version } from './past';
import type { Session } from './session';

interface Props {
  readonly session: Session;
  readonly language: Language;
  readonly t: Words;
  readonly close: () => void;
}

/** Milliseconds that the slider must rest before its moment is fetched. */
const REST = 150;

export function HistoryDialog({ session, language, t, close }: Props) {
  const [moments, setMoments] = useState<readonly Moment[] | null>(null);
  const [versions, setVersions] = useState<readonly Version[]>([]);
  const [at, setAt] = useState(0);
  const [failure, setFailure] = useState<string | null>(null);
  const [name, setName] = useState('');
  const frame = useRef<HTMLDivElement>(null);
  const [slider, field] = [useId(), useId()];
  const { replica } = session.connection;
  const access = bearer(session.links.access);
  const time = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
  const failed = (error: unknown) => setFailure(error instanceof Error ? error.message : String(error));

  const load = () => Promise.all([
    fetchMoments(session.board, access).then((list) => {
      setMoments(list);
      setAt(Math.max(0, list.length - 1));
    }),
    fetchVersions(session.board, access).then(setVersions),
  ]).catch(failed);
  useEffect(() => void load(), []);

  const moment = moments?.[at];
  useEffect(() => {
    if (!moment) return;
    let wanted = true;
    const timer = setTimeout(() => {
      fetchScene(session.board, moment.seq, access)
        .then(async ({ elements, files, background }) => {
          const canvas = await exportToCanvas({
            elements: restoreElements(elements as never, null).filter((element) => !element.isDeleted),
            appState: { exportBackground: true, viewBackgroundColor: background, exportWithDarkMode: document.documentElement.dataset.theme === 'dark' },
            files: files as never,
            maxWidthOrHeight: 900,
          });
          canvas.setAttribute('role', 'img');
          canvas.setAttribute('aria-label', t('history.preview'));
          if (wanted) frame.current?.replaceChildren(canvas);
        })
        .catch((error: unknown) => wanted && failed(error));
    }, REST);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [moment?.seq]);

  const said = moment ? t('history.at', { time: time.format(moment.time), n: moment.count }) : '';
  return (
    <Dialog title={t('history.title')} t={t} close={close} wide>
      {failure && <p role="alert">{t('history.failed', { reason: failure })}</p>}
      {moments?.length === 0 && <p>{t('history.empty')}</p>}
      {moment && moments && (
        <>
          <div className="preview" ref={frame} />
          <div className="field">
            <label htmlFor={slider}>{t('history.moment')}: {said}</label>
            <input id={slider} type="range" min={0} max={moments.length - 1} value={at} aria-valuetext={said} onChange={(event) => setAt(Number(event.target.value))} />
          </div>
          {replica.role === 'teacher' && (
            <p className="row end">
              <button type="button" className="chief" onClick={() => {
                session.connection.ask({ t: 'restore', seq: moment.seq });
                close();
              }}>{t('history.back')}</button>
            </p>
          )}
        </>
      )}
      {replica.role === 'teacher' && (
        <form className="field" onSubmit={(event) => {
          event.preventDefault();
          keepVersion(session.board, name.trim(), session.name, access).then(() => { setName(''); return load(); }).catch(failed);
        }}>
          <label htmlFor={field}>{t('history.name')}</label>
          <div className="row">
            <input id={field} value={name} required maxLength={200} onChange={(event) => setName(event.target.value)} />
            <button className="plain">{t('history.keep')}</button>
          </div>
        </form>
      )}
      {versions.length > 0 && (
        <>
          <h3>{t('history.versions')}</h3>
          <ul className="versions">
            {versions.map((version) => (
              <li key={version.id}>
                <strong>{version.name}</strong> <small>{time.format(version.time)}</small>
                {replica.role === 'teacher' && (
                  <button type="button" className="plain" onClick={() => void restoreVersion(session.board, version.id, access).then(close, failed)}>{t('history.back')}</button>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}
