// Chromium with the page in it: fresh profiles, pictures of what was seen, and what must never be seen.
//
//   const browser = await openBrowser();
//   const page = await browser.page(weir, { locale: 'zh-CN' });  // a fresh profile; `page.faults` is what went wrong in it
//   await enter(page);                                           // as the operator
//   await picture(page, 'home');                                 // into tests/e2e/.screenshots/
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { chromiumArgs, ensureChromium } from '../../scripts/chromium.mjs';
import { root } from '../../scripts/run.mjs';
import { ADMIN_KEY } from './harness.mjs';

const pictures = join(root, 'tests', 'e2e', '.screenshots');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const phone = { width: 390, height: 844 };

/** Why there is no browser; false where there is one. */
const found = await ensureChromium();
export const skip = found.reason ?? false;

export async function openBrowser() {
  const browser = await chromium.launch({ executablePath: found.path, args: chromiumArgs });
  const pages = [];
  return {
    async page(weir, options = {}) {
      const context = await browser.newContext({ baseURL: weir.url, locale: 'en-US', viewport: { width: 1280, height: 860 }, ...options });
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      watch(page);
      pages.push(page);
      return page;
    },
    /** Closes it; fails if a page broke, or put a secret where it must not be. */
    async close() {
      await browser.close();
      for (const page of pages) assert.deepEqual(page.faults, []);
    },
  };
}

/** Notes the page's own errors, what its policy forbade, and every address it asked for. */
function watch(page) {
  page.faults = [];
  page.addresses = [];
  page.on('pageerror', (error) => page.faults.push(String(error.stack ?? error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) page.faults.push(message.text());
  });
  page.on('request', (request) => page.addresses.push(request.url()));
}

/** Logs in, in a fresh profile. */
export async function enter(page, path = '/') {
  await page.goto(path);
  await page.getByLabel('Password', { exact: true }).or(page.getByLabel('密码', { exact: true })).fill(ADMIN_KEY);
  await page.keyboard.press('Enter');
  await page.locator('nav').first().waitFor({ state: 'attached' });
}

/** A view, by its name in the address, once its data are there. */
export async function visit(page, view) {
  await page.evaluate((name) => void (location.hash = `#/${name}`), view);
  await page.locator(`.nav a[href="#/${view}"][aria-current]`).first().waitFor({ state: 'attached' });
  await settled(page);
}

/** Nothing is being loaded. */
export async function settled(page) {
  await page.waitForFunction(() => document.querySelectorAll('.skeleton').length === 0);
}

export async function picture(page, name, options = {}) {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, animations: 'disabled', ...options });
}

/** Fails where axe finds something serious, or worse. */
export async function checkAccess(page, what) {
  // Evaluated, not added as a script: that the page's policy would forbid.
  await page.evaluate(`${axe};void 0`);
  const violations = await page.evaluate(async () => {
    const options = { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] };
    const { violations: all } = await globalThis.axe.run(document, options);
    return all
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} (${failureSummary.split('\n').pop().trim()})`).join('; ')}`);
  });
  assert.deepEqual(violations, [], what);
}

/** How far the page's content sticks out of the window, in pixels. */
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

export const colours = (page) =>
  page.evaluate(() => {
    const { backgroundColor, color } = getComputedStyle(document.body);
    return { background: backgroundColor, text: color };
  });
