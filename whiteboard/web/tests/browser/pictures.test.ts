/** Every page in both themes, on a laptop and on a phone: pictures to look at, and no serious accessibility fault on any of them. */
import { describe, expect, it } from 'vitest';
import { accessibility, agree, type Person, until } from './browser';
import { Stage } from './stage';

const stage = new Stage();

const DEVICES = {
  laptop: { viewport: { width: 1200, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};

describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
  describe.each(['laptop', 'phone'] as const)('on a %s', (device) => {
    const options = { ...DEVICES[device], colorScheme };

    async function look(person: Person, page: string): Promise<void> {
      await person.picture(`${page}-${device}-${colorScheme}`);
      expect(await accessibility(person), page).toEqual([]);
    }

    it('the pages of a teacher and of a pupil', async () => {
      const { id, teacher } = await stage.server.board(true);
      const [ann, bob] = await Promise.all([stage.enter(`/b/${id}#teacher=${teacher}`, options), stage.enter(`/b/${id}`, options)]);
      const names: [Person, string][] = [[ann, 'Ann'], [bob, 'Bob']];
      for (const [person, name] of names) {
        await person.page.getByRole('button', { name: '2 people here' }).click();
        await person.page.getByRole('textbox', { name: 'Your name' }).fill(name);
        await person.page.getByRole('button', { name: 'Save', exact: true }).click();
        await person.saved();
      }
      // On a laptop the panel of the pen lies over the left.
      const left = device === 'laptop' ? 300 : 60;
      await ann.wave(left, 330, 40);
      await bob.shape('r', left, 450, 120, 80);
      await agree([ann, bob], 2, false);
      await ann.tool('v');
      await look(ann, 'board');
      await ann.page.getByTestId('main-menu-trigger').click();
      await look(ann, 'menu-teacher');
      for (const [item, page] of [['Rename', 'rename'], ['Clear the board', 'clear'], ['Insert by keyboard', 'insert'], ['History', 'history']] as const) {
        await (page === 'rename' ? ann.page.getByTestId('main-menu-trigger').click() : ann.page.keyboard.press('Escape'));
        await ann.menu(item);
        if (page === 'history') await ann.page.getByRole('img', { name: 'The board at that moment' }).waitFor();
        await look(ann, page);
      }
      await ann.page.keyboard.press('Escape');
      await ann.page.getByRole('button', { name: 'Share' }).click();
      await look(ann, 'share');
      await ann.page.keyboard.press('Escape');
      await ann.page.getByRole('button', { name: '2 people here' }).click();
      await look(ann, 'people');
      await ann.page.keyboard.press('Escape');
      await bob.page.getByTestId('main-menu-trigger').click();
      await look(bob, 'menu-pupil');
      await bob.page.getByTestId('main-menu-trigger').click();
      await bob.tool('p');
      await look(bob, 'pen');
      await ann.menu('menu-quiz');
      await until(() => bob.status(), (text) => text.startsWith('Quiz'), 'the pupil is told of the quiz');
      await look(bob, 'quiz');
      await ann.menu('menu-quiz');
      await ann.menu('menu-lock');
      await until(() => bob.status(), (text) => text.startsWith('Locked'), 'the pupil is told of the lock');
      await look(bob, 'locked');
    });

    it('the first page, and what is said where no board is', async () => {
      const ann = await stage.open('/', options);
      await look(ann, 'start');
      await ann.page.getByRole('button', { name: 'New board' }).click();
      await ann.saved();
      await ann.page.goto(stage.server.url);
      await ann.page.getByRole('listitem').waitFor();
      await look(ann, 'start-visited');
      const path = (await ann.page.getByRole('listitem').getByRole('link').getAttribute('href'))!;
      const told = async (title: string, page: string) => {
        await ann.page.getByRole('heading', { name: title }).waitFor();
        await look(ann, page);
      };
      await ann.page.goto(`${stage.server.url}/b/no-such-board`);
      await told('There is no such board.', 'missing');
      await ann.page.goto(`${stage.server.url}${path}#teacher=wrong`);
      await told('This link does not give access to the board.', 'no-access');
      await ann.page.routeWebSocket('**/live', () => {});
      await ann.page.goto(stage.server.url);
      await ann.page.goto(`${stage.server.url}${path}`);
      await told('One moment', 'calm');
    });
  });
});
