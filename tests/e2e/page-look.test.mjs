// How the page meets its reader: language, theme, a phone, the keyboard, and what axe finds.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { checkAccess, colours, enter, openBrowser, overflow, phone, picture, settled, skip, visit } from './browser.mjs';
import { ADMIN_KEY, eventually, pools, start } from './harness.mjs';

const views = ['home', 'accounts', 'upstreams', 'keys', 'playground', 'logs', 'explain', 'imports', 'settings'];

describe('the page and its reader', { skip }, () => {
  let [weir, sim, browser] = [];
  before(async () => {
    sim = await startSimulator();
    const cases = { alpha: { accounts: [{}, { enabled: false }, { limits: { rpd: 0 } }], limits: { concurrency: 2, rpm: 60 } } };
    const config = pools(sim, cases, { aliases: { gpt: 'alpha' }, settings: { stats: { batch_ms: 1 } } });
    [weir, browser] = await Promise.all([start({ config }), openBrowser()]);
    for (const model of ['alpha', 'nobody-has-it']) await weir.chat({ model });
  });
  after(async () => {
    await browser?.close();
    await weir?.stop();
    await sim?.close();
  });

  test('language: the browser’s, then the reader’s, and it stays', async () => {
    const page = await browser.page(weir, { locale: 'zh-CN' });
    await enter(page);
    await page.getByRole('heading', { name: '首页' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
    for (const view of views) {
      await visit(page, view);
      await picture(page, `zh-${view}`);
    }
    await page.getByRole('button', { name: 'English' }).click();
    await page.reload();
    await page.getByRole('link', { name: 'Settings' }).waitFor();
    await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
    await page.context().close();
  });

  test('theme: the system’s, then the reader’s, and it stays', async () => {
    const page = await browser.page(weir, { colorScheme: 'dark' });
    await enter(page);
    const dark = await colours(page);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.locator('html[data-theme=light]').waitFor();
    const light = await colours(page);
    assert.notDeepEqual(dark, light);
    await page.getByRole('button', { name: 'Dark' }).click();
    assert.deepEqual(await colours(page), dark);
    await page.reload();
    await page.locator('.figure').first().waitFor();
    assert.deepEqual(await colours(page), dark);
    await page.getByRole('button', { name: 'Light' }).click();
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.deepEqual(await colours(page), light);
    await page.context().close();
  });

  for (const [view, route] of [['home', '/admin/queue/status'], ['logs', '/admin/logs']]) {
    test(`a page that is left alone asks less often: ${view}`, async () => {
      const page = await browser.page(weir);
      await page.clock.install();
      await enter(page, `/#/${view}`);
      const asked = async (ms) => {
        const before = page.addresses.length;
        await page.clock.runFor(ms);
        return page.addresses.slice(before).filter((address) => new URL(address).pathname === route).length;
      };
      await page.mouse.move(100, 100);
      assert.ok((await asked(60_000)) >= 10);
      await page.clock.runFor(5 * 60_000);
      const alone = await asked(3 * 60_000);
      assert.ok(alone >= 2 && alone <= 4, `${alone} in three minutes`);
      await page.mouse.move(200, 200);
      assert.ok((await asked(60_000)) >= 10);
      await page.context().close();
    });
  }

  test('a phone: every view fits, and the menu leads to each', async () => {
    const page = await browser.page(weir, { viewport: phone, hasTouch: true, isMobile: true });
    await enter(page);
    for (const view of views) {
      await page.getByRole('button', { name: 'Menu' }).tap();
      await page.locator(`dialog a[href="#/${view}"]`).tap();
      await page.locator('dialog').waitFor({ state: 'detached' });
      await settled(page);
      assert.equal(await overflow(page), 0, view);
      await picture(page, `phone-${view}`);
    }
    await visit(page, 'accounts');
    await page.getByRole('button', { name: 'Add an account' }).tap();
    await page.getByRole('dialog').waitFor();
    assert.equal(await overflow(page), 0);
    await picture(page, 'phone-add-account', { fullPage: false });
    await page.context().close();
  });

  test('no view sticks out of a narrower window', async () => {
    const page = await browser.page(weir);
    await enter(page);
    for (const width of [1081, 1024, 861]) {
      await page.setViewportSize({ width, height: 800 });
      for (const view of views) {
        await visit(page, view);
        assert.equal(await overflow(page), 0, `${view}, ${width} wide`);
      }
    }
    await page.context().close();
  });

  test('by keyboard alone: log in, go to a view, open a dialog and leave it', async () => {
    const page = await browser.page(weir);
    await page.goto('/');
    await page.getByLabel('Password').waitFor();
    await page.keyboard.type(ADMIN_KEY);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Accounts' }).waitFor();
    await tabTo(page, 'Accounts');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Accounts', level: 1 }).waitFor();
    await eventually(async () => assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1'));
    await tabTo(page, 'Add an account');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    assert.ok(await page.evaluate(() => document.querySelector('dialog').contains(document.activeElement)));
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await eventually(async () => assert.equal(await focused(page), 'Add an account', 'the focus is back where it was'));
    await page.context().close();
  });

  test('axe finds nothing serious in any view, light and dark', async () => {
    for (const colorScheme of ['light', 'dark']) {
      const page = await browser.page(weir, { colorScheme });
      await page.goto('/');
      await page.getByLabel('Password').waitFor();
      await checkAccess(page, `login, ${colorScheme}`);
      await enter(page);
      for (const view of views) {
        await visit(page, view);
        await checkAccess(page, `${view}, ${colorScheme}`);
        if (colorScheme === 'dark') await picture(page, `dark-${view}`);
      }
      for (const [view, button] of [['accounts', 'Add an account'], ['upstreams', 'Add a service'], ['keys', 'Create a key']]) {
        await visit(page, view);
        await page.getByRole('button', { name: button }).first().click();
        await checkAccess(page, `${button}, ${colorScheme}`);
        await page.keyboard.press('Escape');
      }
      await page.context().close();
    }
  });
});

/** The text of an element that has the focus. */
const focused = (page) => page.evaluate(() => document.activeElement?.textContent?.trim());

async function tabTo(page, name) {
  for (let pressed = 0; pressed < 60; pressed += 1) {
    await page.keyboard.press('Tab');
    if ((await focused(page)) === name) return;
  }
  assert.fail(`the Tab key does not reach "${name}"`);
}
