import { describe, expect, it } from 'vitest';
import { accessibility, agree, sleep, until } from './browser';
import { Stage } from './stage';

const stage = new Stage();

describe('the start page', () => {
  it('leads to drawing with one click, and remembers', async () => {
    const ann = await stage.open('/');
    await ann.page.getByRole('button', { name: 'New board' }).click();
    await ann.saved();
    expect(ann.page.url()).toMatch(/\/b\/[A-Za-z0-9_-]+$/);
    await ann.wave(300, 250);
    await agree([ann], 1);
    const path = new URL(ann.page.url()).pathname;
    await ann.page.goto(stage.server.url);
    expect(await ann.page.getByRole('listitem').getByRole('link').getAttribute('href')).toBe(path);
  });

  it.each([['de', 'Neues Board'], ['it', 'Nuova lavagna'], ['fr', 'New board']])('speaks %s', async (locale, words) => {
    const ann = await stage.open('/', { locale });
    expect(await ann.page.getByRole('button', { name: words }).count()).toBe(1);
  });
});

describe('a board', () => {
  it('can be drawn on with the keyboard alone', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    const { keyboard } = ann.page;
    await ann.page.getByTestId('main-menu-trigger').focus();
    await keyboard.press('Enter');
    await ann.page.getByRole('button', { name: 'Insert by keyboard' }).focus();
    await keyboard.press('Enter');
    // The dialog's first field has the keyboard.
    await ann.page.getByRole('combobox', { name: 'Insert' }).waitFor();
    await keyboard.press('r');
    await keyboard.press('Tab');
    await keyboard.type('By keyboard');
    await keyboard.press('Enter');
    const scene = await agree([ann], 2);
    expect(scene.map(({ type }) => type).sort()).toEqual(['rectangle', 'text']);
    const before = scene.find(({ type }) => type === 'rectangle')!;
    await keyboard.press('ArrowRight');
    await until(() => ann.scene(), (now) => now.find(({ id: other }) => other === before.id)?.x !== before.x, 'the arrow key moves it');
    const listed = () => ann.page.locator('section.unseen li').allTextContents();
    await until(listed, (items) => items.includes('Text: By keyboard'), 'the list for screen readers has it');
  });

  it.each([360, 740, 820, 1024, 1149, 1150, 1440])('has every control on the screen, %i pixels wide', async (width) => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`, { viewport: { width, height: 800 } });
    // Of each: its name, if it is beside the screen or lies under something else.
    const lost = () => ann.page.evaluate(() => {
      const there = (control: Element) => {
        const { left, right, top, bottom } = control.getBoundingClientRect();
        const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        return left >= 0 && right <= window.innerWidth && !!above && (control.contains(above) || above.contains(control));
      };
      const controls = document.querySelectorAll('.corner button, .App-toolbar :is(label, .App-toolbar__extra-tools-trigger)');
      const names = [...controls].filter((control) => !there(control)).map((control) => control.getAttribute('title') || control.textContent);
      return controls.length > 10 ? names : ['the toolbar'];
    });
    await until(lost, (names) => names.length === 0, 'all controls');
    if (width === 820) await ann.picture('tablet');
  });

  it('on a phone takes fingers and a pen with pressure', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
    await ann.picture('phone');
    const beside = await ann.page.evaluate(() => [...document.querySelectorAll('.App-toolbar :is(label, button), .App-toolbar-content button')]
      .filter((control) => control.getBoundingClientRect().right > window.innerWidth)
      .map((control) => control.getAttribute('title')));
    expect(beside, 'controls beside the screen').toEqual([]);
    await ann.page.getByTestId('toolbar-freedraw').locator('..').tap();
    const session = await ann.cdp();
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x = 0, y = 0) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y, id: 1 }] });
    await touch('touchStart', 100, 300);
    for (let step = 1; step <= 15; step++) {
      await touch('touchMove', 100 + step * 10, 300 + step * 4);
      await sleep(16);
    }
    await touch('touchEnd');
    await agree([ann], 1);
    const pen = (type: 'mousePressed' | 'mouseMoved' | 'mouseReleased', x: number, y: number, force: number) =>
      session.send('Input.dispatchMouseEvent', { type, x, y, force, button: 'left', buttons: type === 'mouseReleased' ? 0 : 1, clickCount: 1, pointerType: 'pen' });
    await pen('mousePressed', 100, 500, 0.2);
    for (let step = 1; step <= 15; step++) {
      await pen('mouseMoved', 100 + step * 10, 500, 0.2 + step * 0.05);
      await sleep(16);
    }
    await pen('mouseReleased', 250, 500, 0);
    const scene = await agree([ann], 2);
    const pressed = scene.find(({ y }) => Number(y) > Math.min(...scene.map((one) => Number(one.y))));
    expect(pressed?.simulatePressure).toBe(false);
    expect(new Set(pressed?.pressures).size).toBeGreaterThan(5);
    await ann.picture('phone-drawn');
    expect(await accessibility(ann)).toEqual([]);
  });
});

describe('a newer version of the page', () => {
  it('is offered when the connection comes back, and not forced', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    const offer = ann.page.locator('.offer');
    const comeBack = async () => {
      const asked = ann.page.waitForResponse('**/client.json');
      await ann.page.evaluate(() => (window as unknown as { whiteboard: { cut(): void } }).whiteboard.cut());
      await asked;
      await ann.saved();
    };
    await comeBack();
    expect(await offer.count(), 'the same version is not offered').toBe(0);
    await ann.page.route('**/client.json', (route) => route.fulfill({ json: { build: 'newer' } }));
    await comeBack();
    await offer.waitFor();
    expect(await accessibility(ann)).toEqual([]);
    await ann.picture('newer');
    await ann.page.getByRole('button', { name: 'Later' }).click();
    expect(await offer.count()).toBe(0);
    await ann.shape('r', 400, 300);
    await agree([ann], 1);
    await comeBack();
    await offer.waitFor();
    await ann.page.evaluate(() => Object.assign(window, { old: true }));
    await ann.page.getByRole('button', { name: 'Load it' }).click();
    await until(() => ann.page.evaluate(() => 'old' in window).catch(() => true), (old) => !old, 'the page is loaded anew');
    await ann.saved();
    await agree([ann], 1);
  });
});

describe('the past', () => {
  it('is looked at, named and brought back', async () => {
    const { id } = await stage.server.board();
    const ann = await stage.enter(`/b/${id}`);
    await ann.shape('r', 400, 300);
    await agree([ann], 1);
    await ann.menu('History');
    await ann.page.getByRole('textbox', { name: 'Name of this version' }).fill('One box');
    await ann.page.getByRole('button', { name: 'Keep as version' }).click();
    await ann.page.getByText('One box').waitFor();
    await ann.page.getByRole('button', { name: 'Close' }).click();
    await ann.wave(400, 450);
    await agree([ann], 2);
    await ann.menu('History');
    await ann.page.getByRole('img', { name: 'The board at that moment' }).waitFor();
    await ann.picture('history');
    expect(await accessibility(ann)).toEqual([]);
    const slider = ann.page.getByRole('dialog').getByRole('slider');
    await slider.focus();
    await ann.page.keyboard.press('Home');
    await sleep(500);
    await ann.page.getByRole('button', { name: 'Bring back' }).first().click();
    expect((await agree([ann], 1)).map(({ type }) => type)).toEqual(['rectangle']);
    await ann.undo();
    await agree([ann], 2);
    await ann.menu('History');
    await ann.page.getByRole('listitem').getByRole('button', { name: 'Bring back' }).click();
    await agree([ann], 1);
  });
});
