/** Undo and redo of one's own work, by the server: they take the place of the canvas' own, keys and buttons alike. */
import { useSyncExternalStore } from 'react';
import type { Words } from '../words/words';
import type { Canvas } from './canvas';
import type { Session } from './session';

type Api = import('@excalidraw/excalidraw/types').ExcalidrawImperativeAPI;
type Action = Parameters<Api['registerAction']>[0];

const WAYS = {
  undo: { path: 'M7.5 10.83 4.17 7.5 7.5 4.17M4.17 7.5h9.16a3.33 3.33 0 0 1 0 6.67H12.5', key: (event: KeyboardEvent | React.KeyboardEvent) => isKey(event, 'z') && !event.shiftKey },
  redo: { path: 'M12.5 10.83 15.83 7.5 12.5 4.17M15.83 7.5H6.67a3.33 3.33 0 1 0 0 6.67h.83', key: (event: KeyboardEvent | React.KeyboardEvent) => (isKey(event, 'z') && event.shiftKey) || (isKey(event, 'y') && !event.shiftKey) },
};

function isKey(event: KeyboardEvent | React.KeyboardEvent, key: string): boolean {
  return (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === key;
}

export function travelActions(session: Session, canvas: Canvas, t: Words): Action[] {
  return (['undo', 'redo'] as const).map((way) => {
    const go = () => {
      canvas.flush();
      if (session.connection.replica.mayDraw) session.connection.ask({ t: way });
    };
    return {
      name: way,
      label: `buttons.${way}`,
      trackEvent: false,
      viewMode: false,
      perform: () => {
        go();
        return false;
      },
      keyTest: WAYS[way].key,
      PanelComponent: () => <TravelButton session={session} way={way} t={t} go={go} />,
    } satisfies Action;
  });
}

function TravelButton({ session, way, t, go }: { session: Session; way: 'undo' | 'redo'; t: Words; go: () => void }) {
  useSyncExternalStore(session.subscribe, session.snapshot);
  const { replica, waiting } = session.connection;
  const steps = way === 'undo' ? replica.undoable + waiting : replica.redoable;
  return (
    <button type="button" className="ToolIcon_type_button ToolIcon_size_medium ToolIcon_type_button--show ToolIcon" data-testid={`button-${way}`}
      title={t(way)} aria-label={t(way)} disabled={steps === 0} onClick={go}>
      <div className="ToolIcon__icon" aria-hidden="true">
        <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.25" strokeLinecap="round" strokeLinejoin="round"><path d={WAYS[way].path} /></svg>
      </div>
    </button>
  );
}
