import '../page/assets';
import '@excalidraw/excalidraw/index.css';
import '../page/style.css';
import './board.css';
import { createRoot } from 'react-dom/client';
import { read, theme } from '../page/device';
import { choose, words } from '../words/words';
import { BoardPage } from './Board';
import { boardOf, Session } from './session';

const language = choose([read('whiteboard-language'), ...navigator.languages]);
const t = words(language);
const board = boardOf(location.pathname);

document.documentElement.lang = language;
document.documentElement.dataset.theme = theme();

if (board === null) location.replace('/');
else {
  const session = new Session(board, location, t);
  void session.open();
  createRoot(document.getElementById('board')!).render(<BoardPage session={session} language={language} t={t} />);
}
