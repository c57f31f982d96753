// Earlier versions of the document: what is kept, what differs, and the way back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startSimulator();
});
after(() => sim?.close());

async function worker(context, options) {
  const weir = await start(options);
  context.after(() => weir.stop());
  return weir;
}

const config = (weir) => weir.manage('GET', '/admin/config');
const restore = (weir, version) => weir.manage('POST', `/admin/backups/${version}/restore`);

test('every change makes a version with its time, its cause and who made it, and each can be had again', async (context) => {
  const weir = await worker(context, { config: pools(sim, { kept: { accounts: 2 } }) });
  const started = Date.now();
  const versions = [[1, await config(weir)]];
  const change = async (...call) => versions.push([(await weir.manage(...call)).version, await config(weir)]);
  sim.addKeys(secretOf('kept-3'));
  await change('POST', '/admin/accounts', { id: 'kept-3', upstream: 'kept', api_key: secretOf('kept-3') });
  await change('PATCH', '/admin/accounts/kept-1', { limits: { rpm: 7 } });
  await change('DELETE', '/admin/accounts/kept-2');
  await change('POST', '/admin/config', { aliases: { k: 'kept' } });
  await change('POST', '/admin/keys', { id: 'second', key: 'sk-weir-second-key-0002' });
  assert.deepEqual(versions.map(([version]) => version), [1, 2, 3, 4, 5, 6]);

  const listed = await weir.manage('GET', '/admin/backups');
  assert.equal(listed.version, 6);
  assert.deepEqual(
    listed.backups.map(({ version, change: made }) => [version, made]),
    [
      [6, 'add to keys'], [5, 'merge aliases'], [4, 'delete accounts kept-2'], [3, 'change accounts kept-1'],
      [2, 'add to accounts'], [1, 'replace'], [0, 'nothing was stored yet'],
    ],
  );
  assert.ok(listed.backups.slice(0, 5).every(({ at, actor }) => at >= started - 1_000 && at <= Date.now() && actor));
  assert.equal(listed.backups[5].actor, 'CONFIG_JSON');

  await weir.restart();
  for (const [version, document] of versions) {
    assert.deepEqual((await weir.manage('GET', `/admin/backups/${version}`)).document, document, `version ${version}`);
  }
  for (const [version, document] of versions.toReversed()) {
    await restore(weir, version);
    assert.deepEqual(await config(weir), document, `version ${version}`);
  }
  assert.equal((await weir.chat({ model: 'kept' })).status, 200, 'secrets came back sealed as they were');
  await restore(weir, 6);
  assert.equal((await weir.chat({ model: 'k' }, { key: 'sk-weir-second-key-0002' })).status, 200);
  await weir.restart();
  assert.deepEqual(await config(weir), versions.at(-1)[1], 'in the next life too');
  await restore(weir, 0);
  assert.deepEqual((await config(weir)).accounts, []);
  assert.equal((await weir.chat({ model: 'kept' })).status, 401, 'a key that is gone stops at once');
});

test('the difference of two versions, without a secret', async (context) => {
  const weir = await worker(context, { config: pools(sim, { diff: { accounts: 2 } }) });
  await weir.manage('PATCH', '/admin/accounts/diff-1', { limits: { rpm: 7 }, api_key: secretOf('diff-new') });
  await weir.manage('DELETE', '/admin/accounts/diff-2');
  await weir.manage('POST', '/admin/config', { settings: { timezone: 'Asia/Shanghai' } });
  const { changes, against } = await weir.manage('GET', '/admin/backups/1');
  assert.equal(against, 4);
  const gone = changes.find(({ path }) => path.join() === 'accounts,diff-2');
  assert.deepEqual([gone.to.api_key, 'from' in gone], ['***', false], 'a restore would bring it back');
  assert.deepEqual(
    changes.filter((entry) => entry !== gone),
    [
      { path: ['accounts', 'diff-1', 'limits', 'rpm'], from: 7 },
      { path: ['settings', 'timezone'], from: 'Asia/Shanghai', to: 'UTC' },
      { path: ['accounts', 'diff-1', 'secrets'], from: '***', to: '***' },
    ],
  );
  const step = await weir.manage('GET', '/admin/backups/4?against=3');
  assert.deepEqual(step.changes, [{ path: ['settings', 'timezone'], from: 'UTC', to: 'Asia/Shanghai' }]);
});

test('as many versions are kept as the settings say', async (context) => {
  const weir = await worker(context, { config: pools(sim, { few: {} }, { settings: { backups: 2 } }) });
  const documents = new Map();
  for (let rpm = 1; rpm <= 5; rpm += 1) {
    const { version } = await weir.manage('PATCH', '/admin/accounts/few-1', { limits: { rpm } });
    documents.set(version, await config(weir));
  }
  const { version, backups } = await weir.manage('GET', '/admin/backups');
  assert.deepEqual([version, backups.map((made) => made.version)], [6, [6, 5, 4]]);
  assert.equal((await weir.admin('POST', '/admin/backups/3/restore')).status, 404);
  await restore(weir, 4);
  assert.deepEqual(await config(weir), documents.get(4));
});

test('what is no version is not found, and what changes nothing makes none', async (context) => {
  const weir = await worker(context, { config: { keys: [CLIENT_KEY] } });
  for (const path of ['9', 'x', '-1', '1/else']) assert.equal((await weir.admin('GET', `/admin/backups/${path}`)).status, 404, path);
  assert.equal((await weir.admin('POST', '/admin/backups/9/restore')).status, 404);
  assert.equal((await weir.admin('GET', '/admin/backups/1/restore')).status, 405);
  assert.equal((await weir.admin('GET', '/admin/backups/1?against=8')).status, 404);
  const { version } = await weir.manage('POST', '/admin/config?replace=true', await config(weir));
  assert.equal(version, 1);
  assert.equal((await restore(weir, 1)).version, 1);
  assert.equal((await weir.manage('GET', '/admin/backups')).version, 1);
});
