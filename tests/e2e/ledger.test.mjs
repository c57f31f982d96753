// Admission in the real runtime: limits that hold under load, leases that always end, counts that survive a restart.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Raw } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startSimulator();
});
after(() => sim?.close());

async function worker(context, cases, rest) {
  sim.reset();
  const weir = await start({ config: pools(sim, cases, rest) });
  context.after(() => weir.stop());
  return weir;
}

const unlimited = { settings: { queue: { max_waiting: 1_000, max_wait_ms: 60_000 } } };
const idle = (weir) =>
  eventually(async () => {
    const { accounts, queue_size, keys } = await weir.status();
    assert.deepEqual(accounts.map(({ in_flight }) => in_flight), accounts.map(() => 0));
    assert.deepEqual([queue_size, ...keys.map(({ in_flight }) => in_flight)], [0, ...keys.map(() => 0)]);
  }, { within: 20_000 });

test('200 callers on 5 accounts of concurrency 1: all are served, never two at once on one account', async (context) => {
  const weir = await worker(context, { single: { accounts: 5, limits: { concurrency: 1 } } }, unlimited);
  const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => weir.openChat({ model: 'single', stream: at % 2 === 0 }).then(async (answer) => [answer.status, await answer.text()])));
  assert.deepEqual([...new Set(answers.map(([status]) => status))], [200]);
  for (let at = 1; at <= 5; at += 1) assert.equal(sim.max(secretOf(`single-${at}`)), 1);
  assert.equal(sim.requests.length, 200);
  await idle(weir);
});

test('500 callers who leave at random leave no call in flight', async (context) => {
  const weir = await worker(context, { left: { accounts: 10, limits: { concurrency: 20 } } }, {
    settings: { ping_ms: 300, hold_headers_ms: 500, queue: { max_waiting: 1_000, max_wait_ms: 5_000 } },
  });
  const ways = [
    { behaviour: { is: 'stall', after: 2 }, when: /data: / }, // idle: the upstream is silent
    { behaviour: 'silent', when: null }, // before the headers
    { behaviour: { is: 'ok', text: Array(50).fill('word ') }, when: /data: / }, // flowing
    { behaviour: { is: 'stall', after: 1 }, when: /200 OK/ },
  ];
  let random = 20261121;
  const next = (bound) => (random = (random * 1_103_515_245 + 12_345) % 2 ** 31) % bound;
  const headers = { authorization: `Bearer ${CLIENT_KEY}` };
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(Array.from({ length: 50 }, async () => {
      const { behaviour, when } = ways[next(ways.length)];
      sim.next('*', behaviour);
      const raw = new Raw(weir.url, { path: '/v1/chat/completions', headers, body: { model: 'left', stream: true, messages: [{ role: 'user', content: 'hi' }] } });
      // Whoever was given another's behaviour may see nothing: then it leaves when its headers are due.
      const seen = when ? Promise.race([raw.until(when).catch(() => {}), new Promise((done) => setTimeout(done, next(400)))]) : Promise.resolve();
      await seen;
      if (next(2)) raw.fin();
      else raw.rst();
    }));
  }
  await idle(weir);
  await eventually(() => assert.equal(sim.open, 0, 'every upstream call was ended'));
});

test('the Worker killed and started again in mid-minute keeps its counts', async (context) => {
  sim.reset();
  const persist = mkdtempSync(join(tmpdir(), 'weir-persist-'));
  const weir = await start({ persist, config: pools(sim, { kept: { limits: { rpm: 3, rpd: 50 } } }, { settings: { queue: { max_wait_ms: 200 } } }) });
  context.after(async () => {
    await weir.stop();
    rmSync(persist, { recursive: true, force: true });
  });
  assert.equal((await weir.chat({ model: 'kept' })).status, 200);
  assert.equal((await weir.chat({ model: 'kept' })).status, 200);
  const before = (await weir.account('kept-1')).usage;
  await weir.restart();
  assert.deepEqual((await weir.account('kept-1')).usage, before);
  assert.equal((await weir.chat({ model: 'kept' })).status, 200);
  assert.equal((await weir.chat({ model: 'kept' })).status, 429);
});

test('a lease survives a restart until it is due, and is not lost', async (context) => {
  sim.reset();
  const persist = mkdtempSync(join(tmpdir(), 'weir-persist-'));
  const weir = await start({ persist, config: pools(sim, { leased: { limits: { concurrency: 1 } } }, { settings: { queue: { max_wait_ms: 100 } } }) });
  context.after(async () => {
    await weir.stop();
    rmSync(persist, { recursive: true, force: true });
  });
  sim.next(secretOf('leased-1'), { is: 'stall', after: 1 });
  await weir.openChat({ model: 'leased' });
  await weir.restart();
  assert.equal((await weir.account('leased-1')).in_flight, 1);
  assert.equal((await weir.chat({ model: 'leased' })).status, 429, 'the lease still holds its place');
});

test('of an account that is gone nothing is stored', async (context) => {
  sim.reset();
  const persist = mkdtempSync(join(tmpdir(), 'weir-persist-'));
  const weir = await start({ persist, config: pools(sim, { gone: {}, other: {} }) });
  context.after(async () => {
    await weir.stop();
    rmSync(persist, { recursive: true, force: true });
  });
  sim.next(secretOf('gone-1'), 401);
  await weir.manage('POST', '/admin/accounts/test', { id: 'gone-1' });
  assert.equal((await weir.account('gone-1')).state, 'disabled');
  const { version } = await weir.manage('GET', '/admin/backups');
  await weir.manage('DELETE', '/admin/accounts/gone-1');
  // With this the ledger forgets it: it had no calls that count.
  await weir.manage('PATCH', '/admin/accounts/other-1', { weight: 2 });
  await weir.manage('POST', `/admin/backups/${version}/restore`);
  assert.equal((await weir.account('gone-1')).state, 'ready');
  await weir.restart();
  assert.equal((await weir.account('gone-1')).state, 'ready', 'with the very secret that was refused');
});

test('a queue: who waits is served in turn, and told how long it was', async (context) => {
  const weir = await worker(context, { queued: { limits: { concurrency: 1 } } }, { settings: { queue: { max_waiting: 1, max_wait_ms: 10_000 } } });
  const gate = new Gate();
  sim.next(secretOf('queued-1'), { is: 'slow', gate });
  const first = weir.chat({ model: 'queued' });
  await sim.until(() => sim.requests.length === 1);
  const second = weir.chat({ model: 'queued' });
  await eventually(async () => assert.equal((await weir.status()).queue_size, 1));
  const third = await weir.chat({ model: 'queued' });
  assert.equal(third.status, 429);
  assert.equal(third.json.error.code, 'queue_full');
  assert.ok(Number(third.headers.get('retry-after')) >= 1);
  gate.open();
  assert.equal((await first).headers.get('x-weir-queue-ms'), '0');
  assert.ok(Number((await second).headers.get('x-weir-queue-ms')) > 0);
  await idle(weir);
});

test('a caller who waited out its time is told so', async (context) => {
  const weir = await worker(context, { waited: { limits: { concurrency: 1 } } }, { settings: { queue: { max_wait_ms: 300 } } });
  sim.next(secretOf('waited-1'), 'silent');
  const headers = { authorization: `Bearer ${CLIENT_KEY}` };
  const first = new Raw(weir.url, { path: '/v1/chat/completions', headers, body: { model: 'waited', messages: [{ role: 'user', content: 'hi' }] } });
  await sim.until(() => sim.requests.length === 1);
  const second = await weir.chat({ model: 'waited' });
  assert.deepEqual([second.status, second.json.error.code], [429, 'queue_full']);
  first.rst();
  await idle(weir);
});

test('min_gap_ms is kept between the calls that reach the upstream', async (context) => {
  const weir = await worker(context, { gentle: { limits: { min_gap_ms: 400 } } }, unlimited);
  const at = [];
  const answers = await Promise.all(Array.from({ length: 4 }, () => weir.chat({ model: 'gentle' })));
  for (const answer of answers) at.push(Number(answer.headers.get('x-weir-queue-ms')));
  at.sort((one, two) => one - two);
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
  for (let index = 1; index < 4; index += 1) assert.ok(at[index] >= 400 * index - 60, `${at}`);
});

test('max_uses, tpm, weights, priorities and a conversation\'s own account', async (context) => {
  const weir = await worker(context, {
    used: { limits: { max_uses: 2 } },
    tokens: { limits: { tpm: 1_500 } },
    weighted: { accounts: [{ weight: 3 }, {}] },
    ranked: { accounts: [{}, { priority: 5 }] },
    sticky: { accounts: 4 },
  }, { settings: { queue: { max_wait_ms: 100 } } });

  for (const status of [200, 200, 429]) assert.equal((await weir.chat({ model: 'used' })).status, status);

  assert.equal((await weir.chat({ model: 'tokens' })).status, 200);
  const over = await weir.chat({ model: 'tokens', messages: [{ role: 'user', content: 'x'.repeat(3_000) }] });
  assert.deepEqual([over.status, over.json.error.code], [429, 'rate_limited']);

  const gate = new Gate();
  sim.onModel('weighted', { is: 'slow', gate });
  const held = Array.from({ length: 8 }, (_, at) => weir.chat({ model: 'weighted', messages: [{ role: 'user', content: `talk ${at}` }] }));
  await sim.until(() => sim.open === 8);
  assert.deepEqual([sim.now(secretOf('weighted-1')), sim.now(secretOf('weighted-2'))], [6, 2]);
  gate.open(8);
  await Promise.all(held);

  for (let round = 0; round < 3; round += 1) await weir.chat({ model: 'ranked' });
  assert.equal(sim.requests.filter(({ key }) => key === secretOf('ranked-2')).length, 3);

  const messages = [{ role: 'system', content: 's' }, { role: 'user', content: 'first' }];
  const keys = new Set();
  for (let turn = 0; turn < 5; turn += 1) {
    await weir.chat({ model: 'sticky', messages });
    keys.add(sim.last.key);
    messages.push({ role: 'assistant', content: 'reply' }, { role: 'user', content: `turn ${turn}` });
  }
  assert.equal(keys.size, 1, 'one conversation, one account');
});

test('explain says who would serve and why others would not, and sends nothing', async (context) => {
  const weir = await worker(context, { told: { accounts: [{ enabled: false }, { priority: 2 }, {}] } });
  const explained = await weir.manage('POST', '/admin/explain', { model: 'told', messages: [{ role: 'user', content: 'hi' }] });
  assert.equal(explained.explanation.serves, 'told-2');
  assert.deepEqual(explained.route, [{ upstream: 'told', model: 'told' }]);
  assert.deepEqual(explained.explanation.considered.map(({ id, passed_over }) => [id, passed_over]), [['told-1', 'switched off'], ['told-2', null], ['told-3', null]]);
  assert.equal(sim.requests.length, 0);
  const status = await weir.call('GET', '/v1/status');
  assert.deepEqual(status.json.apis.map(({ id, enabled }) => [id, enabled]), [['told-1', false], ['told-2', true], ['told-3', true]]);
});

test('a key\'s own concurrency and day, and its end while it is used and waited with', async (context) => {
  const soon = new Date(Date.now() + 3_000).toISOString();
  const keys = [
    { id: 'one', key: 'sk-weir-e2e-one-at-a-time', limits: { concurrency: 1 } },
    { id: 'day', key: 'sk-weir-e2e-two-a-day-01', limits: { rpd: 2 } },
    { id: 'ends', key: 'sk-weir-e2e-ends-soon-01', expires_at: soon },
  ];
  const weir = await worker(context, { held: { limits: { concurrency: 1 } }, free: {} }, { keys: [CLIENT_KEY, ...keys], settings: { queue: { max_wait_ms: 20_000 } } });
  const day = () => weir.chat({ model: 'free' }, { key: keys[1].key });
  assert.deepEqual([(await day()).status, (await day()).status], [200, 200]);
  const third = await day();
  assert.deepEqual([third.status, third.json.error.code], [429, 'key_limit']);
  assert.ok(third.headers.get('retry-after-ms') > 0);

  const gate = new Gate();
  gate.open(1);
  sim.next('*', { gate });
  const holding = await weir.openChat({ model: 'held' }, { key: keys[0].key });
  const queued = weir.chat({ model: 'free' }, { key: keys[0].key });
  const ending = weir.chat({ model: 'held' }, { key: keys[2].key });
  assert.equal((await ending).status, 401, 'whoever waits with a key that ends is told so');
  assert.equal((await weir.chat({ model: 'free' }, { key: keys[2].key })).status, 401);
  gate.open(1_000);
  await holding.text();
  assert.equal((await queued).status, 200, 'the second call of the key waited for the first');
});
