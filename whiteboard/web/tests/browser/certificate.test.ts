/** Whether these browsers look at certificates at all: else that they reach a site over TLS would prove nothing. */
import { afterAll, describe, expect, it } from 'vitest';
import { launch } from './stage';
import { Site } from './site';

const site = Site.running();
const opened: Awaited<ReturnType<typeof launch>>[] = [];
afterAll(() => Promise.all(opened.map((browser) => browser.close())));

async function load(flags: readonly string[]): Promise<number | string> {
  const browser = await launch(flags);
  opened.push(browser);
  const page = await browser.newPage();
  return page.goto(site!.url).then((answer) => answer?.status() ?? 0, (error: Error) => error.message);
}

// A site that everybody trusts is trusted without our help.
describe.runIf(site?.secure && process.env.WHITEBOARD_CA)('the certificate of the site', () => {
  it('is taken by a browser that knows its key', async () => {
    expect(await load(await site!.flags())).toBe(200);
  });

  it('is refused by a browser that knows another key', async () => {
    const flags = (await site!.flags()).map((flag) => flag.replace(/^(--ignore-certificate-errors-spki-list=).*/, `$1${Buffer.alloc(32, 1).toString('base64')}`));
    expect(await load(flags)).toMatch(/ERR_CERT_AUTHORITY_INVALID/);
  });

  it('is refused by Node without its authority', async () => {
    const stranger = new Site(site!.url, undefined, process.env.WHITEBOARD_ADDRESS || undefined);
    await expect(stranger.ask('GET', '/')).rejects.toThrow(/certificate/);
  });
});
