/** The page of one board: the canvas, and around it who is here, what state it is in, and the menu. */
import { Excalidraw } from '@excalidraw/excalidraw';
import type { AppState, BinaryFiles, ExcalidrawImperativeAPI, UIAppState } from '@excalidraw/excalidraw/types';
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { read } from '../page/device';
import type { Element } from '../sync/element';
import type { News } from '../sync/replica';
import { LANGUAGES, type Language, type Words } from '../words/words';
import { Canvas } from './canvas';
import { Ended, Newer, Calm } from './Notices';
import { ClearDialog, InsertDialog, PeopleDialog, RenameDialog, ShareDialog } from './Dialogs';
import { add, isDrawing } from './exchange';
import { Files } from './files';
import { HistoryDialog } from './History';
import { Menu } from './Menu';
import { Outline } from './Outline';
import { Overlay } from './overlay';
import { People } from './people';
import type { Session } from './session';
import { Corner, useRoom } from './Status';
import { initialData, keepLibrary, remember } from './view';
import { travelActions } from './travel';

export type Open = 'share' | 'people' | 'history' | 'rename' | 'clear' | 'insert' | null;

export interface Parts {
  readonly api: ExcalidrawImperativeAPI;
  readonly canvas: Canvas;
  readonly people: People;
  readonly files: Files;
  readonly overlay: Overlay;
}

interface Props {
  readonly session: Session;
  readonly language: Language;
  readonly t: Words;
}

export function BoardPage({ session, language, t }: Props) {
  useSyncExternalStore(session.subscribe, session.snapshot);
  const [api, setApi] = useState<ExcalidrawImperativeAPI | null>(null);
  const [open, setOpen] = useState<Open>(null);
  const [parts, setParts] = useState<Parts | null>(null);
  const surface = useRef<HTMLDivElement>(null);
  const live = useRef<Parts | null>(null);
  const connection = session.connection;
  const replica = connection?.replica;
  const ready = connection !== undefined;

  useEffect(() => {
    if (!api || !ready || !surface.current) return;
    const refused = (reason: string) => api.setToast({ message: t('image.refused', { reason }), closable: true });
    const files = new Files(api, {
      board: session.board,
      key: session.key,
      kept: session.kept,
      known: (id) => session.connection.replica.known(id),
      settled: (refusal) => {
        if (refusal !== null) refused(refusal);
        canvas.released();
      },
      waits: (count) => session.imagesWait(count),
    });
    const adopt = () => {
      if (session.connection.replica.loaded && session.connection.replica.mayDraw) void files.adopt();
    };
    const overlay = new Overlay(surface.current, api);
    const canvas = new Canvas(api, connection, files, overlay);
    const people = new People(api, connection);
    const made = { api, canvas, people, files, overlay };
    live.current = made;
    setParts(made);
    expose(session, api);
    for (const action of travelActions(session, canvas, t)) api.registerAction(action);
    session.onTouched(() => {
      files.want(touched(session));
      canvas.soon();
    });
    const hear = session.hear((news) => {
      people.hear(news);
      onNews(news, session, api, t);
      if (news.kind === 'welcome' || news.kind === 'facts') adopt();
    });
    const keep = () => files.keepNow();
    window.addEventListener('pagehide', keep);
    document.addEventListener('visibilitychange', keep);
    const unwatch = canvas.watch(surface.current);
    const unfollow = api.onUserFollow(({ userToFollow, action }) => people.follow(action === 'FOLLOW' ? Number(userToFollow.socketId) : null));
    for (const element of replica!.visible()) replica!.touched.add(element.id);
    files.want(replica!.visible());
    canvas.soon();
    adopt();
    return () => {
      window.removeEventListener('pagehide', keep);
      document.removeEventListener('visibilitychange', keep);
      unwatch();
      unfollow();
      hear();
      people.stop();
      overlay.stop();
    };
  }, [api, ready]);

  useFirstLook(api, session);
  useLabels(surface, t);
  useDrops(surface, parts, session, t);

  const onChange = useCallback((elements: readonly unknown[], state: AppState, binary: BinaryFiles) => {
    const made = live.current;
    if (!made) return;
    made.files.offer(elements as readonly Element[], binary);
    made.canvas.soon();
    made.people.choice(state);
    remember(session.board, state);
    shareLook(session, state);
  }, [session]);
  const onScroll = useCallback(() => {
    live.current?.people.view();
    live.current?.overlay.draw();
  }, []);
  const onPointer = useCallback<People['pointer']>((pointer) => live.current?.people.pointer(pointer), []);
  const onPaste = useCallback((data: { mixedContent?: { type: string }[] }) => {
    // Pictures of pasted pages would be fetched from their hosts.
    if (data.mixedContent) data.mixedContent = data.mixedContent.filter(({ type }) => type !== 'imageUrl');
    return true;
  }, []);
  const start = useMemo(() => initialData(session.board), [session.board]);
  const show = session.embedded;
  const room = useRoom();
  const topRight = useCallback(
    (_isMobile: boolean, _state: UIAppState) => (show || room !== 'wide' ? null : <Corner session={session} t={t} room={room} open={setOpen} />),
    [session, t, show, room],
  );
  // Other children would make the canvas render anew with each change.
  const menu = useMemo(() => <Menu session={session} parts={parts} language={language} t={t} open={setOpen} />, [session, parts, language, t]);
  const close = useCallback(() => setOpen(null), []);

  return (
    <div className="board" ref={surface} data-embedded={show || undefined}>
      {room !== 'wide' && !show && <Corner session={session} t={t} room={room} open={setOpen} />}
      <h1 className="unseen">{replica?.board?.title || t('board.untitled')}</h1>
      <Excalidraw
        excalidrawAPI={setApi}
        initialData={start}
        onChange={onChange as never}
        onPointerUpdate={onPointer}
        onScrollChange={onScroll}
        onPaste={onPaste as never}
        onLibraryChange={keepLibrary}
        isCollaborating
        autoFocus
        handleKeyboardGlobally
        aiEnabled={false}
        validateEmbeddable={false}
        langCode={LANGUAGES[language].canvas}
        viewModeEnabled={show || (replica ? replica.client !== 0 && !replica.mayDraw : false)}
        zenModeEnabled={show}
        renderTopRightUI={topRight}
        UIOptions={UI}
      >
        {menu}
      </Excalidraw>
      {ready && replica && (
        <>
          <Outline session={session} api={api} t={t} />
          <Calm session={session} t={t} />
          <Ended session={session} t={t} />
          <Newer session={session} t={t} />
          {open === 'share' && <ShareDialog session={session} t={t} close={close} />}
          {open === 'people' && parts && <PeopleDialog session={session} parts={parts} t={t} close={close} />}
          {open === 'rename' && <RenameDialog session={session} t={t} close={close} />}
          {open === 'clear' && <ClearDialog session={session} t={t} close={close} />}
          {open === 'insert' && api && <InsertDialog api={api} t={t} close={close} />}
          {open === 'history' && <HistoryDialog session={session} language={language} t={t} close={close} />}
        </>
      )}
    </div>
  );
}

/** For tests, and for whoever looks for a fault: what this page holds. */
function expose(session: Session, api: ExcalidrawImperativeAPI): void {
  Object.assign(window, {
    whiteboard: {
      build: __BUILD__,
      scene: () => session.connection.replica.scene(api.getSceneElements() as unknown as readonly Element[]),
      strokes: () => session.connection.replica.growingElsewhere(),
      files: () => Object.keys(api.getFiles()),
      cut: () => session.connection.cut(),
    },
  });
}

const UI = {
  canvasActions: { clearCanvas: false, loadScene: false, saveToActiveFile: false, export: false as const, toggleTheme: true, changeViewBackgroundColor: true },
};

function touched(session: Session): Element[] {
  const { replica } = session.connection;
  return [...replica.touched].flatMap((id) => replica.look(id) ?? []);
}

function onNews(news: News, session: Session, api: ExcalidrawImperativeAPI, t: Words): void {
  const { replica } = session.connection;
  if (news.kind === 'refused' && news.request) {
    const { code, message } = news.error;
    api.setToast({ message: code === 'locked' ? t('refused.locked') : t('refused.other', { reason: message }), closable: true, duration: 8000 });
  }
  if (news.kind === 'welcome' || news.kind === 'facts') {
    document.title = replica.board?.title ? `${replica.board.title} – ${t('app')}` : t('app');
    const color = replica.board?.settings.viewBackgroundColor;
    if (typeof color === 'string' && color !== api.getAppState().viewBackgroundColor) {
      api.updateScene({ appState: { viewBackgroundColor: color } });
    }
  }
}

let toldLook: ReturnType<typeof setTimeout> | undefined;

/** The background colour is the board's: who may change it for all does so by choosing one. */
function shareLook(session: Session, state: AppState): void {
  const { replica, status } = session.connection;
  const mine = state.viewBackgroundColor;
  const ours = replica.board?.settings.viewBackgroundColor ?? '#ffffff';
  if (replica.role !== 'teacher' || status.at !== 'online' || mine === ours) return;
  clearTimeout(toldLook);
  toldLook = setTimeout(() => {
    if ((replica.board?.settings.viewBackgroundColor ?? '#ffffff') !== mine) session.connection.ask({ t: 'settings', values: { viewBackgroundColor: mine } });
  }, 300);
}

/** Shows what is there when a board opens on this device for the first time. */
function useFirstLook(api: ExcalidrawImperativeAPI | null, session: Session): void {
  useEffect(() => {
    if (!api || read(`whiteboard-view-${session.board}`)) return;
    const look = () => api.scrollToContent(undefined, { fitToViewport: true, viewportZoomFactor: 0.9, maxZoom: 1, animate: false });
    const begin = () => {
      if (!session.connection.replica.visible().next().done) setTimeout(look, 100);
    };
    if (session.connection?.replica.loaded) return begin();
    // What others draw after the board was received moves nobody's view.
    const stop = session.hear(() => {
      if (!session.connection.replica.loaded) return;
      stop();
      begin();
    });
    return stop;
  }, [api]);
}

/** Gives names to what the canvas leaves nameless. */
function useLabels(surface: React.RefObject<HTMLDivElement | null>, t: Words): void {
  useEffect(() => {
    const name = () => {
      surface.current?.querySelector('[data-testid="main-menu-trigger"]')?.setAttribute('aria-label', t('board.menu'));
      const canvas = surface.current?.querySelector('canvas.interactive');
      canvas?.setAttribute('role', 'img');
      canvas?.setAttribute('aria-label', t('board.canvas'));
      surface.current?.querySelector('canvas.static')?.setAttribute('aria-hidden', 'true');
      // A button is called what it shows; a group of buttons is none; a dialog has a name.
      surface.current?.querySelector('.reset-zoom-button')?.removeAttribute('aria-label');
      for (const item of surface.current?.querySelectorAll('.dropdown-menu-item[aria-label]') ?? []) item.removeAttribute('aria-label');
      for (const trigger of surface.current?.querySelectorAll('div[type="button"][aria-haspopup]') ?? []) {
        for (const attribute of ['aria-haspopup', 'aria-expanded', 'aria-controls']) trigger.removeAttribute(attribute);
      }
      for (const dialog of surface.current?.querySelectorAll('[role="dialog"].color-picker-container, [role="dialog"].FontPicker__container') ?? []) {
        const isFont = dialog.classList.contains('FontPicker__container');
        if (!dialog.hasAttribute('aria-label')) dialog.setAttribute('aria-label', t(isFont ? 'board.fonts' : 'board.colors'));
      }
    };
    name();
    const watcher = new MutationObserver(name);
    watcher.observe(surface.current!, { childList: true, subtree: true });
    return () => watcher.disconnect();
  }, [surface, t]);
}

/** Drawings and libraries that are dropped are added; the canvas alone would replace everything by them. */
function useDrops(surface: React.RefObject<HTMLDivElement | null>, parts: Parts | null, session: Session, t: Words): void {
  useEffect(() => {
    const element = surface.current;
    if (!element || !parts) return;
    const drop = (event: DragEvent) => {
      const file = [...(event.dataTransfer?.files ?? [])].find(isDrawing);
      if (!file) return;
      event.preventDefault();
      event.stopPropagation();
      void bringIn(parts.api, file, session, t);
    };
    element.addEventListener('drop', drop, true);
    return () => element.removeEventListener('drop', drop, true);
  }, [parts]);
}

/** Adds a file to the board and says how that went. */
export async function bringIn(api: ExcalidrawImperativeAPI, file: File, session: Session, t: Words): Promise<void> {
  try {
    if (!session.connection.replica.mayDraw) return;
    const count = await add(api, file);
    if (count > 0) api.setToast({ message: t('import.done', { n: count }), duration: 3000 });
  } catch (error) {
    api.setToast({ message: t('import.failed', { reason: error instanceof Error ? error.message : String(error) }), closable: true });
  }
}

