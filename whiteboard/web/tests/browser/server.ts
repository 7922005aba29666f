/** The server under test: its program in a process, or one that runs already (`WHITEBOARD_URL`). */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

  private constructor(readonly url: string, private readonly port: number, private readonly admin: number) {}

  static async start(): Promise<Server> {
    const running = process.env.WHITEBOARD_URL;
    if (running) return new Server(running.replace(/\/$/, ''), 0, 0);
    const port = await freePort();
    const server = new Server(`http://127.0.0.1:${port}`, port, await freePort());
    await server.run();
    return server;
  }

  /** Whether this test may kill it. */
  get owned(): boolean {
    return this.port !== 0;
  }

  async run(): Promise<void> {
    const child = spawn(program(), ['serve', '--data', this.data, '--port', String(this.port), '--admin-port', String(this.admin)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, FRAME_ANCESTORS: '*', LOG_LEVEL: 'warn' },
    });
    let errors = '';
    child.stderr?.on('data', (text: Buffer) => { errors = (errors + text.toString()).slice(-4000); });
    this.process = child;
    for (let attempt = 0; attempt < 300; attempt++) {
      if (child.exitCode !== null) throw new Error(`the server ended: ${errors}`);
      if (await fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
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
    const answer = await fetch(`${this.url}/api/boards`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(forClass ? { teacher: true } : {}),
    });
    if (!answer.ok) throw new Error(`no board was made: ${answer.status} ${await answer.text()}`);
    const body = (await answer.json()) as { id: string; teacher?: string };
    return { id: body.id, teacher: body.teacher ?? '' };
  }
}
