/** A site as both sides of a test reach it, Node's and the browser's: whom they trust for it, and where it is without DNS. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { connect } from 'node:tls';
import WebSocket from 'ws';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export class Site {
  private readonly agent: PlainAgent;

  /** `authority`: the certificate (PEM) that alone is trusted for it. `address`: the IP address of its host. */
  constructor(readonly url: string, private readonly authority?: Buffer, private readonly address?: string) {
    const places = address === undefined ? {} : { lookup: always(address) };
    this.agent = this.secure ? new SecureAgent({ ...places, ...(authority ? { ca: authority } : {}) }) : new PlainAgent(places);
  }

  /** The site that `WHITEBOARD_URL`, `WHITEBOARD_CA` (a file) and `WHITEBOARD_ADDRESS` name; null if none is named. */
  static running(): Site | null {
    const { WHITEBOARD_URL: url, WHITEBOARD_CA: authority, WHITEBOARD_ADDRESS: address } = process.env;
    return url ? new Site(url.replace(/\/$/, ''), authority ? readFileSync(authority) : undefined, address || undefined) : null;
  }

  get secure(): boolean {
    return this.url.startsWith('https:');
  }

  ask(method: string, path: string, body?: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = (this.secure ? secureRequest : plainRequest)(this.url + path, {
        method,
        agent: this.agent,
        headers: body ? { 'Content-Type': 'application/json' } : {},
      });
      request.once('error', reject);
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => { text += part; });
        response.once('error', reject);
        response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      });
      request.end(body ? JSON.stringify(body) : undefined);
    });
  }

  socket(path: string): WebSocket {
    return new WebSocket(this.url.replace(/^http/, 'ws') + path, { agent: this.agent });
  }

  /**
   * What makes Chromium go to this site and trust it. It cannot be told of another authority for one run; so the certificate is
   * checked here, chain and host name, and Chromium takes that certificate's key and no other that it does not trust by itself.
   */
  async flags(): Promise<string[]> {
    const { hostname } = new URL(this.url);
    return [
      ...(this.address === undefined ? [] : [`--host-resolver-rules=MAP ${hostname} ${this.address}`]),
      ...(this.secure && this.authority ? [`--ignore-certificate-errors-spki-list=${await this.key()}`] : []),
    ];
  }

  /** The fingerprint of the key that the site shows; fails if its certificate is not the authority's or of another host. */
  private key(): Promise<string> {
    const { hostname, port } = new URL(this.url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: this.address ?? hostname, port: Number(port) || 443, servername: hostname, ca: this.authority });
      socket.setTimeout(20_000, () => socket.destroy(new Error(`${this.url} does not answer`)));
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        const certificate = socket.getPeerX509Certificate();
        socket.end();
        if (!certificate) return reject(new Error(`${this.url} showed no certificate`));
        resolve(createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64'));
      });
    });
  }
}

/** Finds one address, whatever is asked for. */
function always(address: string): LookupFunction {
  const family = isIP(address);
  if (family === 0) throw new Error(`WHITEBOARD_ADDRESS is an IP address; ${address} is none`);
  return (_host, options, callback) => (options.all ? callback(null, [{ address, family }]) : callback(null, address, family));
}
