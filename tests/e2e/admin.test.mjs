// The admin API: who may, what is kept secret, and that nothing is lost.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { ADMIN_KEY, CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

let sim, weir;
before(async () => {
  sim = await startSimulator();
  weir = await start({ config: pools(sim, { plain: {} }) });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

test('without a session nothing is told, and wrong passwords are throttled', async () => {
  for (const key of [null, 'nonsense', 'a.b.c']) {
    const answer = await weir.call('GET', '/admin/config', { key });
    assert.deepEqual([answer.status, answer.json.error.code], [401, 'invalid_api_key']);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  }
  const token = await weir.login();
  const headers = { 'cf-connecting-ip': '198.51.100.7' };
  const attempt = (key) => weir.call('POST', '/admin/login', { key: null, body: { key }, headers });
  for (let failure = 0; failure < 5; failure += 1) assert.equal((await attempt('wrong')).status, 401);
  const throttled = await attempt(ADMIN_KEY);
  assert.equal(throttled.status, 429);
  assert.ok(Number(throttled.headers.get('retry-after')) > 50);
  assert.equal((await weir.call('GET', '/admin/config', { key: token })).status, 200, 'other addresses are not concerned');
});

test('a stranger\'s body is not kept, however large, and the refusal reaches who sends it', async () => {
  for (const [method, path, megabytes, status] of [
    ['POST', '/admin/config', 40, 401],
    ['POST', '/admin/import', 8, 401],
    ['PUT', '/admin/login', 8, 405],
    ['POST', '/admin/login', 1, 413],
    ['POST', '/admin/login', 40, 413],
    ['POST', '/v1/chat/completions', 40, 401],
    ['POST', '/v1/nothing', 40, 404],
  ]) {
    const raw = JSON.stringify({ key: 'x'.repeat(megabytes * 1_000_000) });
    for (const body of [raw, new Blob([raw]).stream()]) {
      const response = await fetch(weir.url + path, { method, headers: { authorization: 'Bearer a.b.c' }, body, duplex: 'half' });
      assert.equal(response.status, status, `${method} ${path}, ${megabytes} MB, ${typeof body}`);
      const text = await response.text();
      assert.ok(!text.includes('max_body_bytes'), 'the bound of a login is no setting');
    }
  }
});

test('the document shows no secret, and sent back as it is it changes nothing', async () => {
  const document = await weir.manage('GET', '/admin/config');
  assert.equal(document.accounts[0].api_key, '***');
  assert.equal(document.keys[0].key, '***');
  await weir.manage('POST', '/admin/config?replace=true', document);
  assert.deepEqual(await weir.manage('GET', '/admin/config'), document);
  assert.equal((await weir.chat({ model: 'plain' })).status, 200, 'the secrets are still there');
  assert.equal(sim.last.key, secretOf('plain-1'));
});

test('keys, accounts and upstreams come, change and go', async () => {
  sim.addKeys('sk-upstream-secret-of-new-1');
  sim.addModels('fresh');
  await weir.manage('POST', '/admin/upstreams', { id: 'fresh', kind: 'openai', base_url: sim.url, models: ['fresh'] });
  const { account } = await weir.manage('POST', '/admin/accounts', { upstream: 'fresh', api_key: 'sk-upstream-secret-of-new-1' });
  assert.equal(account.id, 'fresh-1');
  assert.equal(account.api_key, '***');
  assert.equal((await weir.chat({ model: 'fresh' })).status, 200);

  await weir.manage('PATCH', '/admin/accounts/fresh-1', { limits: { rpm: 7 }, api_key: '***' });
  assert.deepEqual((await weir.manage('GET', '/admin/accounts/fresh-1')).account.limits, { rpm: 7 });
  assert.equal((await weir.chat({ model: 'fresh' })).status, 200);

  assert.equal((await weir.admin('DELETE', '/admin/upstreams/fresh')).status, 409);
  await weir.manage('DELETE', '/admin/accounts/fresh-1');
  await weir.manage('DELETE', '/admin/upstreams/fresh');
  assert.equal((await weir.chat({ model: 'fresh' })).status, 404);
  assert.equal((await weir.admin('DELETE', '/admin/upstreams/fresh')).status, 404);

  const made = await weir.admin('POST', '/admin/keys', { name: 'laptop' });
  assert.equal(made.status, 201);
  weir.secret(made.json.key.key, 'client key');
  assert.match(made.json.key.key, /^sk-weir-[0-9A-Za-z]{40}$/);
  assert.equal((await weir.manage('GET', `/admin/keys/${made.json.key.id}`)).key.key, '***');
  await weir.manage('PATCH', `/admin/keys/${made.json.key.id}`, { enabled: false });
  assert.equal((await weir.chat({ model: 'plain' }, { key: made.json.key.key })).status, 401);
});

test('what is wrong is named by its path, and nothing of it is stored', async () => {
  const before = await weir.manage('GET', '/admin/config');
  for (const [path, body, param] of [
    ['/admin/config', { accounts: [{ id: 'a', upstream: 'plain', api_key: 'k', limits: { rpm: 'x' } }] }, 'accounts[0].limits.rpm'],
    ['/admin/config', { aliases: { a: 'b' }, settings: { timezone: 'Mars/Olympus' } }, 'settings.timezone'],
    ['/admin/config', { nonsense: 1 }, 'nonsense'],
    ['/admin/accounts', { upstream: 'nobody', api_key: 'k' }, 'upstream'],
    ['/admin/accounts', { id: 'plain-1', upstream: 'plain', api_key: 'k' }, 'id'],
    ['/admin/keys', { name: 'n', limits: { rpm: -7 } }, 'limits.rpm'],
    ['/admin/upstreams', { id: 'u', kind: 'openai', base_url: 'ftp://x' }, 'base_url'],
  ]) {
    const answer = await weir.admin('POST', path, body);
    assert.deepEqual([answer.status, answer.json.error.param], [400, param], answer.text);
  }
  assert.equal((await weir.admin('POST', '/admin/config', undefined)).status, 400);
  assert.equal((await weir.admin('PUT', '/admin/config', {})).status, 405);
  assert.equal((await weir.admin('GET', '/admin/nothing')).status, 404);
  assert.deepEqual(await weir.manage('GET', '/admin/config'), before);
});

test('a bound on bodies that is too small locks no operator out', async () => {
  await weir.manage('POST', '/admin/config', { settings: { max_body_bytes: 1 } });
  assert.equal((await weir.chat({ model: 'plain' })).status, 413);
  await weir.login();
  await weir.manage('POST', '/admin/config', { settings: {} });
  assert.equal((await weir.chat({ model: 'plain' })).status, 200);
});

test('of 100 edits at once none is lost', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `edit-${at}`);
  await weir.status(); // logs in once
  const answers = await Promise.all(names.map((id) => weir.admin('POST', '/admin/keys', { id, key: `sk-weir-${id}-0123456789` })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  assert.equal(new Set(answers.map(({ json }) => json.version)).size, 100, 'each its own version');
  const { keys } = await weir.manage('GET', '/admin/keys');
  for (const id of names) assert.ok(keys.some((key) => key.id === id), id);
  const served = await Promise.all(names.map((id) => weir.chat({ model: 'plain' }, { key: `sk-weir-${id}-0123456789` })));
  assert.deepEqual([...new Set(served.map(({ status }) => status))], [200]);
});

test('what is missing is said, with the way to set it', async () => {
  for (const [bindings, name] of [[{ ADMIN_KEY: null }, 'ADMIN_KEY'], [{ MASTER_KEY: 'short' }, 'MASTER_KEY']]) {
    const bare = await start({ config: { keys: [CLIENT_KEY] }, bindings });
    try {
      const answer = await bare.call('POST', '/admin/login', { key: null, body: { key: ADMIN_KEY } });
      assert.deepEqual([answer.status, answer.json.error.code], [503, 'not_configured']);
      assert.match(answer.json.error.message, new RegExp(`wrangler secret put ${name}`));
    } finally {
      await bare.stop();
    }
  }
});

test('an empty Worker answers, and can be set up from nothing', async () => {
  const empty = await start();
  try {
    assert.equal((await empty.call('GET', '/healthz', { key: null })).status, 200);
    assert.equal((await empty.chat({ model: 'plain' })).status, 401);
    await empty.manage('POST', '/admin/config', pools(sim, { plain: {} }));
    assert.equal((await empty.chat({ model: 'plain' })).status, 200);
  } finally {
    await empty.stop();
  }
});

test('a weak ADMIN_KEY serves local development alone', async () => {
  const weak = await start({ config: { keys: [CLIENT_KEY] }, bindings: { ADMIN_KEY: 'short' } });
  const login = (host) =>
    new Promise((done, failed) => {
      const sent = request(`${weak.url}/admin/login`, { method: 'POST', headers: { host } }, (response) => {
        response.resume().on('end', () => done(response.statusCode));
      });
      sent.on('error', failed).end(JSON.stringify({ key: 'short' }));
    });
  try {
    assert.equal(await login('localhost'), 200);
    assert.equal(await login('weir.example.com'), 503);
  } finally {
    await weak.stop();
  }
});

test('CONFIG_JSON is for the first start: a changed one overrides nothing that was stored', async (context) => {
  const persist = mkdtempSync(join(tmpdir(), 'weir-config-'));
  context.after(() => rmSync(persist, { recursive: true, force: true }));
  const first = await start({ persist, config: pools(sim, { plain: {} }) });
  await first.manage('POST', '/admin/keys', { id: 'added', key: 'sk-weir-added-later-0001' });
  await first.stop();
  const second = await start({ persist, config: { keys: ['sk-weir-of-another-config'] } });
  try {
    assert.equal((await second.chat({ model: 'plain' }, { key: 'sk-weir-added-later-0001' })).status, 200);
    assert.equal((await second.chat({ model: 'plain' }, { key: 'sk-weir-of-another-config' })).status, 401);
  } finally {
    await second.stop();
  }
});

test('HEAD on the models says what GET says, to pages too', async () => {
  const [head, get] = [await weir.call('HEAD', '/v1/models'), await weir.call('GET', '/v1/models')];
  assert.deepEqual([head.status, head.text], [200, '']);
  for (const name of ['content-type', 'access-control-allow-origin', 'access-control-expose-headers']) {
    assert.equal(head.headers.get(name), get.headers.get(name), name);
    assert.ok(get.headers.get(name), name);
  }
});
