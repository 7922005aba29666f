/** Time that passes when a test says so, and sockets to a test server that can be cut. */
import type { Socket, World } from '../connection';
import type { TestServer } from './server';

export class TestWorld implements World {
  time = 0;
  /** Whether the network lets anything through. */
  up = true;
  readonly sent: Record<string, unknown>[] = [];
  private timers: { at: number; run: () => void }[] = [];
  private readonly sockets = new Set<{ cut: (code: number) => void }>();

  constructor(readonly server: TestServer) {}

  open(): Socket {
    const socket: Socket = { send: () => {}, close: () => {}, onopen: null, onmessage: null, onclose: null };
    const link = this.server.connect((message) => this.later(1, () => {
      if (alive && this.up) socket.onmessage?.({ data: JSON.stringify(message) });
    }));
    let alive = true;
    const cut = (code: number) => {
      if (!alive) return;
      alive = false;
      this.sockets.delete(entry);
      link.close();
      socket.onclose?.({ code, reason: '' });
    };
    const entry = { cut };
    this.sockets.add(entry);
    socket.send = (text) => {
      const message = JSON.parse(text) as Record<string, unknown>;
      this.sent.push(message);
      this.later(1, () => { if (alive && this.up) link.receive(message); });
    };
    socket.close = (code = 1000) => cut(code);
    this.later(1, () => (this.up ? socket.onopen?.() : cut(1006)));
    return socket;
  }

  /** Ends every connection. */
  cut(code: number): void {
    for (const socket of [...this.sockets]) socket.cut(code);
  }

  now(): number {
    return this.time;
  }

  later(milliseconds: number, run: () => void): unknown {
    const timer = { at: this.time + milliseconds, run };
    this.timers.push(timer);
    return timer;
  }

  cancel(timer: unknown): void {
    this.timers = this.timers.filter((other) => other !== timer);
  }

  random(): number {
    return 1;
  }

  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.cancel(next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }
}
