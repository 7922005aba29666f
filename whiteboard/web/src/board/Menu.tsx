/** The menu: what is done with a board as a whole. */
import { MainMenu } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useRef, useSyncExternalStore } from 'react';
import { write } from '../page/device';
import { LANGUAGES, type Language, type Words } from '../words/words';
import { bringIn, type Open, type Parts } from './Board';
import { addBackground, savePdf, saveScene } from './exchange';
import type { Session } from './session';

interface Props {
  readonly session: Session;
  readonly parts: Parts | null;
  readonly language: Language;
  readonly t: Words;
  readonly open: (what: Open) => void;
}

export function Menu({ session, parts, language, t, open }: Props) {
  useSyncExternalStore(session.subscribe, session.snapshot);
  const chooser = useRef<HTMLInputElement>(null);
  const backdrop = useRef<HTMLInputElement>(null);
  const replica = session.connection?.replica;
  const teacher = replica?.role === 'teacher' && !session.embedded;
  const draws = replica?.mayDraw ?? false;
  const title = replica?.board?.title || t('board.untitled');
  const withApi = (act: (api: ExcalidrawImperativeAPI) => void) => () => parts && act(parts.api);
  return (
    <>
      <MainMenu>
        <MainMenu.ItemCustom className="menu-title">{title}</MainMenu.ItemCustom>
        {teacher && <MainMenu.Item onSelect={() => open('rename')}>{t('menu.rename')}</MainMenu.Item>}
        {teacher && <MainMenu.Item data-testid="menu-lock" onSelect={() => session.connection.ask({ t: 'lock', on: !replica.locked })}>{t(replica.locked ? 'menu.unlock' : 'menu.lock')}</MainMenu.Item>}
        {teacher && <MainMenu.Item data-testid="menu-quiz" onSelect={() => session.connection.ask({ t: 'quiz', on: !replica.quiz })}>{t(replica.quiz ? 'menu.endQuiz' : 'menu.quiz')}</MainMenu.Item>}
        {teacher && <MainMenu.Item onSelect={() => open('clear')}>{t('menu.clear')}</MainMenu.Item>}
        {teacher && <MainMenu.Item onSelect={() => open('history')}>{t('menu.history')}</MainMenu.Item>}
        <MainMenu.Separator />
        {draws && <MainMenu.Item onSelect={() => open('insert')}>{t('menu.insert')}</MainMenu.Item>}
        {draws && <MainMenu.Item onSelect={() => chooser.current?.click()}>{t('menu.import')}</MainMenu.Item>}
        {teacher && <MainMenu.Item onSelect={() => backdrop.current?.click()}>{t('menu.background')}</MainMenu.Item>}
        <MainMenu.Item onSelect={withApi((api) => saveScene(api, title))}>{t('menu.export')}</MainMenu.Item>
        <MainMenu.DefaultItems.SaveAsImage />
        <MainMenu.Item onSelect={withApi((api) => void savePdf(api, title).catch((error: Error) => api.setToast({ message: error.message, closable: true })))}>{t('menu.pdf')}</MainMenu.Item>
        <MainMenu.DefaultItems.SearchMenu />
        <MainMenu.DefaultItems.Help />
        <MainMenu.Separator />
        <MainMenu.DefaultItems.ToggleTheme />
        <MainMenu.ItemCustom>
          <label className="language">
            {t('menu.language')}
            <select value={language} onChange={(event) => { write('whiteboard-language', event.target.value); location.reload(); }}>
              {Object.entries(LANGUAGES).map(([tag, { name }]) => <option key={tag} value={tag}>{name}</option>)}
            </select>
          </label>
        </MainMenu.ItemCustom>
        {teacher && <MainMenu.DefaultItems.ChangeCanvasBackground />}
        <MainMenu.ItemLink href="/" target="_self">{t('menu.home')}</MainMenu.ItemLink>
      </MainMenu>
      <input ref={backdrop} type="file" hidden accept="image/png,image/jpeg,image/webp,image/gif" aria-label={t('menu.background')} onChange={(event) => {
        const file = event.target.files?.[0];
        event.target.value = '';
        if (file && parts) void addBackground(parts.api, file).catch((error: Error) => parts.api.setToast({ message: t('import.failed', { reason: error.message }), closable: true }));
      }} />
      <input ref={chooser} type="file" hidden accept=".excalidraw,.excalidrawlib,application/json" aria-label={t('menu.import')} onChange={(event) => {
        const file = event.target.files?.[0];
        event.target.value = '';
        if (file && parts) void bringIn(parts.api, file, session, t);
      }} />
    </>
  );
}
