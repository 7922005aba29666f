/** The server under test: its program in a process, or one that runs already (`WHITEBOARD_URL`). */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Site } from './site';

const FOLDERS = ['release', 'cluster', 'debug'];

/** The server's program: `WHITEBOARD_SERVER`, or the newest kind that cargo built. */
function program(): string {
  const named = process.env.WHITEBOARD_SERVER;
  const target = process.env.CARGO_TARGET_DIR ?? '../../target';
  const found = named ?? FOLDERS.map((folder) => join(target, folder, 'whiteboard')).find((path) => existsSync(path));
  if (!found) throw new Error('build the server first (cargo build -p whiteboard), or name it with WHITEBOARD_SERVER');
  return found;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

export class Server {
  private process: ChildProcess | null = null;
  private readonly data = mkdtempSync(join(tmpdir(), 'whiteboard-'));

  private constructor(
    readonly site: Site, private readonly port: number, private readonly admin: number, private readonly settings: Readonly<Record<string, string>>,
  ) {}

  /** `settings`: environment variables of the server; they are for a server of one's own. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<Server> {
    const running = Site.running();
    if (running) return new Server(running, 0, 0, settings);
    const port = await freePort();
    const server = new Server(new Site(`http://127.0.0.1:${port}`), port, await freePort(), settings);
    await server.run();
    return server;
  }

  /** Whether tests have a server of their own, which they may kill. */
  static readonly owned = Site.running() === null;

  get url(): string {
    return this.site.url;
  }

  async run(): Promise<void> {
    const child = spawn(program(), ['serve', '--data', this.data, '--port', String(this.port), '--admin-port', String(this.admin)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // How full the disk of this machine is has nothing to do with the client.
      env: { ...process.env, LOG_LEVEL: 'warn', DISK_LOW_PERCENT: '100', DISK_FULL_PERCENT: '100', ...this.settings },
    });
    let errors = '';
    child.stderr?.on('data', (text: Buffer) => { errors = (errors + text.toString()).slice(-4000); });
    this.process = child;
    for (let attempt = 0; attempt < 1500; attempt++) {
      if (child.exitCode !== null) throw new Error(`the server ended: ${errors}`);
      if (await this.site.ask('GET', '/readyz').then(({ status }) => status === 200, () => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`the server did not get ready: ${errors}`);
  }

  /** As a machine does that loses its power. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM');
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Makes a board; `teacher` is its secret, if it was made for a class. */
  async board(forClass = false): Promise<{ id: string; teacher: string }> {
    const { status, text } = await this.site.ask('POST', '/api/boards', forClass ? { teacher: true } : {});
    if (status >= 300) throw new Error(`no board was made: ${status} ${text}`);
    const body = JSON.parse(text) as { id: string; teacher?: string };
    return { id: body.id, teacher: body.teacher ?? '' };
  }
}
