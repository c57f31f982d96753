// volcengine_deepseek2api's management of web ids, on the built Worker: its paths and bodies, with the operator's session.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { AUTHORIZATION, startConsole } from '../simulators/volcengine-console.mjs';
import { CLIENT_KEY, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startConsole();
});
beforeEach(() => sim.reset());
after(() => sim?.close());

/** A Worker without any id, as after a first start. */
async function worker(context, rest = {}) {
  const config = { keys: [CLIENT_KEY], upstreams: [{ id: 'console', kind: 'volcengine-console', base_url: sim.url }], ...rest };
  const weir = await start({ config, bindings: { VOLCENGINE_AUTHORIZATION: AUTHORIZATION } });
  weir.secret(AUTHORIZATION, 'the shared authorization');
  context.after(() => weir.stop());
  return weir;
}

const chat = (weir) => weir.chat({ model: 'deepseek-v3-1' });
const list = async (weir) => (await weir.manage('GET', '/api/webids')).data;
const find = async (weir, id) => (await list(weir)).find((found) => found.id === id);

test('ids are added, listed, used, counted, reset and deleted', async (context) => {
  const weir = await worker(context);
  assert.deepEqual(await list(weir), []);
  const added = await weir.manage('POST', '/api/webids', { id: '7000000000000000001' });
  assert.deepEqual(added, { id: '7000000000000000001', success: true });
  const { account, ...fresh } = await find(weir, '7000000000000000001');
  assert.match(account, /^web-[0-9a-f]{8}$/);
  assert.deepEqual(fresh, { id: '7000000000000000001', usageCount: 0, maxUsage: null, status: 'active', reason: null, until: null, lastUsed: null });

  assert.equal((await chat(weir)).status, 200);
  assert.equal(sim.requests[0].headers['x-web-id'], '7000000000000000001');
  const used = await find(weir, '7000000000000000001');
  assert.deepEqual([used.usageCount, used.status, typeof used.lastUsed], [1, 'active', 'number']);

  const reset = await weir.manage('POST', '/api/webids/reset', { id: '7000000000000000001' });
  assert.deepEqual(reset, { id: '7000000000000000001', success: true });
  assert.equal((await find(weir, '7000000000000000001')).usageCount, 0);

  assert.equal((await weir.manage('DELETE', '/api/webids', { id: '7000000000000000001' })).success, true);
  assert.deepEqual(await list(weir), []);
  assert.equal((await chat(weir)).status, 503);
});

test('an id that has had its uses gives way to the next, until its count is reset, also after a restart', async (context) => {
  const weir = await worker(context);
  await weir.manage('POST', '/api/webids/batch', { ids: ['id-one', 'id-two'] });
  assert.deepEqual(await weir.manage('POST', '/api/webids/config', { maxUsage: 2 }), { maxUsage: 2, success: true });
  for (let call = 0; call < 4; call += 1) assert.equal((await chat(weir)).status, 200);
  assert.deepEqual([sim.uses('id-one'), sim.uses('id-two')], [2, 2]);
  const refused = await chat(weir);
  assert.deepEqual([refused.status, refused.json.error.code], [429, 'daily_limit'], refused.text);
  const stats = { total: 2, active: 0, exhausted: 2, resting: 0, disabled: 0, totalUsage: 4, maxUsage: 2 };
  assert.deepEqual((await weir.manage('GET', '/api/webids/stats')).data, stats);

  await weir.manage('POST', '/api/webids/reset', { id: 'id-two' });
  assert.equal((await chat(weir)).status, 200);
  assert.deepEqual([sim.uses('id-one'), sim.uses('id-two')], [2, 3]);
  await weir.restart();
  assert.deepEqual((await list(weir)).map(({ id, usageCount, maxUsage, status }) => [id, usageCount, maxUsage, status]), [
    ['id-one', 2, 2, 'exhausted'],
    ['id-two', 1, 2, 'active'],
  ]);
  assert.equal((await chat(weir)).status, 200);
  assert.equal((await chat(weir)).status, 429);
  await weir.manage('POST', '/api/webids/config', { maxUsage: -1 });
  assert.equal((await chat(weir)).status, 200, 'no limit any more');
});

test('an id\'s own limit counts for more, and other settings stay', async (context) => {
  const accounts = [{ id: 'own', upstream: 'console', web_id: 'id-with-a-limit', limits: { max_uses: 7 } }, { upstream: 'console', web_id: 'id-without-one' }];
  const weir = await worker(context, { accounts, settings: { sticky_s: 9, volcengine_console: { rest_s: 60 } } });
  await weir.manage('POST', '/api/webids/config', { maxUsage: 20 });
  assert.deepEqual((await list(weir)).map(({ account, maxUsage }) => [account === 'own', maxUsage]), [[true, 7], [false, 20]]);
  const { settings, accounts: stored } = await weir.manage('GET', '/admin/config');
  assert.deepEqual([settings.sticky_s, settings.volcengine_console.rest_s, settings.volcengine_console.max_uses], [9, 60, 20]);
  assert.deepEqual(stored.map(({ limits }) => limits), [{ max_uses: 7 }, {}]);
});

test('the bound of a file is that of all ids, and can be changed for all', async (context) => {
  const weir = await worker(context, { settings: { sticky_s: 9 } });
  const raw = JSON.stringify({ maxUsage: 1, webIds: [{ id: 'id-bound-by-all' }, { id: 'id-with-its-own', maxUsage: 7 }] });
  assert.equal((await weir.admin('POST', '/admin/import', undefined, { raw })).json.success, true);
  const bounds = async () => Object.fromEntries((await list(weir)).map(({ id, maxUsage }) => [id, maxUsage]));
  assert.deepEqual(await bounds(), { 'id-bound-by-all': 1, 'id-with-its-own': 7 });
  await weir.manage('POST', '/api/webids/config', { maxUsage: 3 });
  assert.deepEqual(await bounds(), { 'id-bound-by-all': 3, 'id-with-its-own': 7 });
  await weir.manage('POST', '/api/webids/reset', { id: 'id-bound-by-all' });
  assert.deepEqual([(await find(weir, 'id-bound-by-all')).maxUsage, (await weir.manage('GET', '/api/webids/stats')).data.maxUsage], [3, 3]);
  assert.equal((await weir.manage('GET', '/admin/config')).settings.sticky_s, 9);
});

test('a batch keeps its good lines', async (context) => {
  const weir = await worker(context);
  await weir.manage('POST', '/api/webids', { id: 'known' });
  const { success, added, skipped, results } = await weir.manage('POST', '/api/webids/batch', { ids: ['new-1', 'known', 'new-1', 'a b', '', 'new-2'] });
  assert.deepEqual([success, added, skipped], [true, 2, 4]);
  assert.deepEqual(results.map((line) => line.success), [true, false, false, false, false, true]);
  assert.deepEqual((await list(weir)).map(({ id }) => id), ['known', 'new-1', 'new-2']);
  assert.equal((await weir.manage('POST', '/api/webids/batch', { ids: ['known'] })).added, 0);
});

test('an id may bring its own authorization, which is sealed', async (context) => {
  const weir = await worker(context);
  const authorization = 'an-authorization-of-its-own-77';
  weir.secret(authorization, 'authorization');
  sim.authorization = authorization;
  context.after(() => { sim.authorization = AUTHORIZATION; });
  await weir.manage('POST', '/api/webids', { id: 'id-one', authorization });
  assert.equal((await chat(weir)).status, 200);
  const { accounts } = await weir.manage('GET', '/admin/config');
  assert.deepEqual([accounts[0].authorization, accounts[0].web_id], ['***', 'id-one']);
  // Read back masked, it is the same account.
  await weir.manage('POST', '/admin/config', { accounts });
  assert.equal((await chat(weir)).status, 200);
});

test('a disabled id is shown as such, and is not used', async (context) => {
  const weir = await worker(context);
  await weir.manage('POST', '/api/webids/batch', { ids: ['id-one', 'id-two'] });
  const { account } = await find(weir, 'id-one');
  await weir.manage('PATCH', `/admin/accounts/${account}`, { enabled: false });
  assert.equal((await find(weir, 'id-one')).status, 'disabled');
  await chat(weir);
  assert.deepEqual([sim.uses('id-one'), sim.uses('id-two')], [0, 1]);
});

test('ids are nobody\'s business but the operator\'s', async (context) => {
  const weir = await worker(context);
  await weir.manage('POST', '/api/webids', { id: '7000000000000000001' });
  for (const [method, path, body] of [
    ['GET', '/api/webids'],
    ['POST', '/api/webids', { id: 'x' }],
    ['DELETE', '/api/webids', { id: 'x' }],
    ['POST', '/api/webids/batch', { ids: ['x'] }],
    ['POST', '/api/webids/reset', { id: 'x' }],
    ['POST', '/api/webids/config', { maxUsage: 1 }],
    ['POST', '/api/webids/save'],
    ['GET', '/api/webids/stats'],
  ]) {
    for (const key of [null, CLIENT_KEY]) {
      const refused = await weir.call(method, path, { key, body });
      assert.deepEqual([refused.status, refused.json.error.code], [401, 'invalid_api_key'], `${method} ${path}`);
      assert.equal(refused.headers.get('access-control-allow-origin'), null);
    }
  }
  assert.equal((await list(weir)).length, 1);
  assert.notEqual((await weir.call('OPTIONS', '/api/webids', { key: null })).status, 204);
  const status = await weir.call('GET', '/v1/status');
  assert.equal(status.status, 200);
  assert.doesNotMatch(status.text, /7000000000000000001/);
});

test('what is wrong is named', async (context) => {
  const weir = await worker(context);
  await weir.manage('POST', '/api/webids', { id: 'known' });
  for (const [method, path, body, status, param] of [
    ['POST', '/api/webids', {}, 400, 'id'],
    ['POST', '/api/webids', { id: '' }, 400, 'id'],
    ['POST', '/api/webids', { id: 'a b' }, 400, 'id'],
    ['POST', '/api/webids', { id: 7 }, 400, 'id'],
    ['POST', '/api/webids', { id: 'known' }, 409, null],
    ['POST', '/api/webids', { id: 'new', upstream: 'nowhere' }, 400, 'accounts[1].upstream'],
    ['DELETE', '/api/webids', { id: 'unknown' }, 404, null],
    ['DELETE', '/api/webids', {}, 400, 'id'],
    ['POST', '/api/webids/reset', { id: 'unknown' }, 404, null],
    ['POST', '/api/webids/batch', { ids: 'x' }, 400, 'ids'],
    ['POST', '/api/webids/batch', { ids: [1] }, 400, 'ids[0]'],
    ['POST', '/api/webids/batch', {}, 400, 'ids'],
    ['POST', '/api/webids/config', { maxUsage: 0 }, 400, 'maxUsage'],
    ['POST', '/api/webids/config', { maxUsage: '20' }, 400, 'maxUsage'],
    ['PUT', '/api/webids', { id: 'x' }, 405, 'GET, POST, DELETE'],
    ['GET', '/api/webids/save', undefined, 405, 'POST'],
    ['GET', '/api/webids/nothing', undefined, 404, null],
    ['POST', '/admin/accounts/nobody/reset', undefined, 404, null],
  ]) {
    const answer = await weir.admin(method, path, body);
    assert.deepEqual([answer.status, answer.json.error.param], [status, param], `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`);
  }
  assert.deepEqual(await weir.manage('POST', '/api/webids/save'), { success: true, message: 'Every change is stored as it is made.' });
});
