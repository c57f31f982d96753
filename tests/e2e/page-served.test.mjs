// How the page is served: to whom, with which policy, and on a Worker that is not set up.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { checkAccess, openBrowser, picture, skip } from './browser.mjs';
import { start } from './harness.mjs';

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

describe('the page as it is served', () => {
  let weir;
  before(async () => {
    weir = await start();
  });
  after(() => weir?.stop());

  test('a browser gets the page at / and /me, a program what it always got', async () => {
    for (const path of ['/', '/me']) {
      const answer = await weir.call('GET', path, { key: null, headers: html });
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type'), /^text\/html/);
      assert.match(answer.text, /<div id="app">/);
    }
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }]) {
      assert.equal((await weir.call('GET', '/', { key: null, headers })).json?.status, 'ok', JSON.stringify(headers));
    }
    assert.equal((await weir.call('GET', '/health', { key: null, headers: html })).json?.status, 'ok');
    assert.equal((await weir.call('GET', '/nothing', { key: null, headers: html })).status, 404);
    assert.equal((await weir.call('POST', '/', { key: null, headers: html, body: {} })).status, 405);
  });

  test('its policy allows its own files alone, and nothing stands in line', async () => {
    const { headers, text } = await weir.call('GET', '/', { key: null, headers: html });
    const policy = Object.fromEntries(headers.get('content-security-policy').split(';').map((part) => part.trim().split(/ (.*)/s)));
    assert.equal(policy['default-src'], "'none'");
    assert.deepEqual([policy['script-src'], policy['style-src'], policy['connect-src']], ["'self'", "'self'", "'self'"]);
    assert.deepEqual([policy['frame-ancestors'], policy['base-uri'], policy['form-action']], ["'none'", "'none'", "'none'"]);
    assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:/i);
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    assert.equal(files.length, 3);
    for (const path of files) {
      const file = await weir.call('GET', path, { key: null });
      assert.equal(file.status, 200, path);
      if (/\.(js|css)$/.test(path)) assert.match(file.headers.get('cache-control'), /immutable/);
    }
  });

  test('the description of the routes is there for tools and for pages of any origin', async () => {
    const { status, headers, json } = await weir.call('GET', '/openapi.json', { key: null, headers: { origin: 'https://tool.example' } });
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^application\/json/);
    assert.equal(headers.get('access-control-allow-origin'), '*');
    assert.equal(json.openapi, '3.1.0');
    assert.equal(json.info.version, (await weir.call('GET', '/health', { key: null })).json.version);
  });

  test('a Worker without secrets says what to do first', { skip }, async () => {
    const unready = await start({ bindings: { ADMIN_KEY: null } });
    const browser = await openBrowser();
    try {
      const page = await browser.page(unready);
      await page.goto('/');
      await page.getByText('wrangler secret put ADMIN_KEY').first().waitFor();
      await checkAccess(page, 'unready');
      await picture(page, 'unready');
    } finally {
      await browser.close();
      await unready.stop();
    }
  });
});
