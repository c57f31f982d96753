// What a key holder is told: what the key may do, what of it is used, and what is left.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { eventually, pools, start } from './harness.mjs';

const LIMITED = 'sk-weir-e2e-limited-0001';
const FREE = 'sk-weir-e2e-free-000001';

let sim, weir;
before(async () => {
  sim = await startSimulator();
  const keys = [
    { id: 'limited', name: 'Phone', key: LIMITED, models: ['plain'], limits: { rpm: 10, rpd: 100, concurrency: 2, tpm: 100_000 }, expires_at: '2099-01-02T03:04:05Z' },
    { id: 'free', key: FREE },
  ];
  weir = await start({ config: pools(sim, { plain: {}, other: {} }, { keys, settings: { timezone: 'Asia/Shanghai' } }) });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

const me = async (key, path = '/v1/me') => {
  const answer = await weir.call('GET', path, { key });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};

test('a key holder sees its own limits, and what is left of them', async () => {
  const fresh = await me(LIMITED);
  assert.deepEqual([fresh.id, fresh.name, fresh.expires_at, fresh.models], ['limited', 'Phone', '2099-01-02T03:04:05.000Z', ['plain']]);
  assert.deepEqual(fresh.limits, { concurrency: 2, rpm: 10, rpd: 100, tpm: 100_000 });
  assert.deepEqual(fresh.left, { rpm: 10, rpd: 100, tpm: 100_000, concurrency: 2 });
  assert.deepEqual([fresh.today.requests, fresh.in_flight], [0, 0]);

  const answers = [await weir.chat({ model: 'plain' }, { key: LIMITED }), await weir.chat({ model: 'plain' }, { key: LIMITED })];
  const tokens = answers.reduce((sum, { json }) => sum + json.usage.completion_tokens, 0);
  const used = await eventually(async () => {
    const now = await me(LIMITED);
    assert.equal(now.today.requests, 2);
    return now;
  });
  assert.deepEqual([used.usage.rpm, used.usage.rpd, used.left.rpm, used.left.rpd], [2, 2, 8, 98]);
  assert.equal(used.today.tokens.completion, tokens);
  assert.ok(used.left.tpm < 100_000);
  assert.equal((await me(LIMITED, '//v1/me/')).id, 'limited');
});

test('the day ends at midnight where the gateway is', async () => {
  const ends = new Date((await me(FREE)).day_ends_at);
  assert.equal(ends.toISOString().slice(11), '16:00:00.000Z', 'midnight in Shanghai');
  assert.ok(ends > new Date() && ends - new Date() <= 24 * 3_600_000);
});

test('a key without limits has nothing left to count, and sees every model', async () => {
  const free = await me(FREE);
  assert.deepEqual([free.limits, free.left, free.expires_at], [{}, {}, null]);
  assert.deepEqual(free.models.sort(), ['other', 'plain']);
});

test('nothing is told of accounts and other keys, and nothing without a key', async () => {
  const { text } = await weir.call('GET', '/v1/me', { key: FREE });
  for (const other of ['plain-1', 'limited', 'Phone', LIMITED, FREE]) assert.ok(!text.includes(`"${other}"`), other);
  assert.equal((await weir.call('GET', '/v1/me', { key: null })).status, 401);
  assert.equal((await weir.call('GET', '/v1/me', { key: 'sk-unknown' })).status, 401);
  assert.equal((await weir.call('POST', '/v1/me', { key: FREE, body: {} })).status, 405);
});

test('a direct caller holds no key', async () => {
  const direct = await start({ config: pools(sim, { plain: { upstream: { direct: true } } }) });
  try {
    assert.equal((await direct.call('GET', '/v1/me', { key: 'sk-somebody-elses-own-0001' })).status, 404);
  } finally {
    await direct.stop();
  }
});

test('a ledger that is split counts a key in one place', async () => {
  const keys = [{ id: 'limited', key: LIMITED, limits: { rpd: 5 } }];
  const split = await start({ config: pools(sim, { shared: { accounts: 6 } }, { keys, settings: { ledger_shards: 3 } }) });
  try {
    for (let at = 0; at < 3; at += 1) assert.equal((await split.chat({ model: 'shared' }, { key: LIMITED })).status, 200);
    const { json } = await split.call('GET', '/v1/me', { key: LIMITED });
    assert.deepEqual([json.usage.rpd, json.left], [3, { rpd: 2 }]);
  } finally {
    await split.stop();
  }
});
