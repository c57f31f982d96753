// A ledger that is split: what one object promises, several keep together.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Raw } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startSimulator();
});
after(() => sim?.close());

const settings = { ledger_shards: 3, queue: { max_waiting: 1_000, max_wait_ms: 60_000 } };

async function worker(context, cases, rest) {
  sim.reset();
  const weir = await start({ config: pools(sim, cases, { settings, ...rest }) });
  context.after(() => weir.stop());
  return weir;
}

const idle = (weir) =>
  eventually(async () => {
    const { accounts, queue_size, keys } = await weir.status();
    assert.deepEqual(accounts.map(({ in_flight }) => in_flight), accounts.map(() => 0));
    assert.deepEqual([queue_size, ...keys.map(({ in_flight }) => in_flight)], [0, ...keys.map(() => 0)]);
  }, { within: 20_000 });

test('100 callers on 8 accounts of concurrency 1: all are served, never two at once on one account', async (context) => {
  const weir = await worker(context, { split: { accounts: 8, limits: { concurrency: 1 } } });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => weir.chat({ model: 'split', messages: [{ role: 'user', content: `talk ${at}` }] })));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  for (let at = 1; at <= 8; at += 1) assert.equal(sim.max(secretOf(`split-${at}`)), 1, `split-${at} was used, once at a time`);
  await idle(weir);
  const { accounts } = await weir.status();
  assert.deepEqual(accounts.map(({ id }) => id).sort(), Array.from({ length: 8 }, (_, at) => `split-${at + 1}`));
});

test('a model with one account is found in whatever shard it is', async (context) => {
  const names = ['one', 'two', 'three', 'four', 'five', 'six'];
  const weir = await worker(context, Object.fromEntries(names.map((name) => [name, {}])));
  for (const model of names) assert.equal((await weir.chat({ model })).status, 200, model);
});

test('a key\'s limits are exact over all shards', async (context) => {
  const keys = [{ id: 'few', key: 'sk-weir-e2e-few-0001', limits: { rpm: 7 } }, { id: 'one', key: 'sk-weir-e2e-one-0001', limits: { concurrency: 1 } }];
  const weir = await worker(context, { wide: { accounts: 8 } }, { keys: [CLIENT_KEY, ...keys], settings: { ...settings, queue: { max_wait_ms: 0 } } });
  const answers = await Promise.all(Array.from({ length: 30 }, () => weir.chat({ model: 'wide' }, { key: keys[0].key })));
  const codes = answers.map(({ status, json }) => json.error?.code ?? status);
  assert.equal(codes.filter((code) => code === 200).length, 7);
  assert.equal(codes.filter((code) => code === 'key_limit').length, 23);
  for (let call = 0; call < 12; call += 1) {
    const gate = new Gate();
    gate.open(1);
    sim.next('*', { gate });
    const first = await weir.openChat({ model: 'wide', messages: [{ role: 'user', content: `talk ${call}` }] }, { key: keys[1].key });
    const second = await weir.chat({ model: 'wide' }, { key: keys[1].key });
    assert.equal(second.json.error?.code, 'key_limit');
    gate.open(1_000);
    assert.equal(first.status, 200);
    await first.text();
    await idle(weir);
  }
});

test('a key that was revoked is refused, whatever shard the call goes to', async (context) => {
  const weir = await worker(context, { held: { accounts: 8 } }, { keys: [CLIENT_KEY, { id: 'gone', key: 'sk-weir-e2e-gone-0001' }] });
  const ask = (content) => weir.chat({ model: 'held', messages: [{ role: 'user', content }] }, { key: 'sk-weir-e2e-gone-0001' });
  assert.equal((await ask('a')).status, 200);
  await weir.manage('DELETE', '/admin/keys/gone');
  for (let call = 0; call < 10; call += 1) assert.equal((await ask(`${call}`)).status, 401);
});

test('callers who leave, waiting or served, leave nothing in flight', async (context) => {
  const keys = [{ key: CLIENT_KEY, limits: { concurrency: 50 } }];
  const weir = await worker(context, { left: { accounts: 6, limits: { concurrency: 1 } } }, { keys });
  const gate = new Gate();
  for (let call = 0; call < 6; call += 1) sim.next('*', { gate, text: Array(100).fill('word ') });
  const headers = { authorization: `Bearer ${CLIENT_KEY}` };
  const callers = Array.from({ length: 30 }, () => new Raw(weir.url, { path: '/v1/chat/completions', headers, body: { model: 'left', stream: true, messages: [{ role: 'user', content: 'hi' }] } }));
  await eventually(async () => {
    const { accounts, queue_size } = await weir.status();
    assert.equal(accounts.filter(({ in_flight }) => in_flight === 1).length + queue_size, 30);
  });
  for (const [at, caller] of callers.entries()) at % 2 ? caller.fin() : caller.rst();
  gate.open(10_000);
  await idle(weir);
});

/** What each shard knows. Not by `/admin/queue/status`, which would send what waits. */
async function shardsOf(weir) {
  const namespace = await weir.mf.getDurableObjectNamespace('LEDGER');
  const shards = ['main', 'shard-1', 'shard-2'].map((name) => namespace.getByName(name));
  return async () => {
    const answers = await Promise.all(shards.map((shard) => shard.status('null')));
    // What an object counted comes first, on a line of its own.
    return answers.map((answer) => JSON.parse(answer.split('\n').at(-1)));
  };
}

test('how a try ended is told to its shard while the call waits at another one', async (context) => {
  const key = 'sk-weir-e2e-one-at-a-time';
  const weir = await worker(context, Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`lone${at}`, {}])), { keys: [CLIENT_KEY, { id: 'one', key, limits: { concurrency: 1 } }] });
  assert.equal((await weir.chat({ model: 'lone0' })).status, 200);
  await weir.status();
  const states = await shardsOf(weir);
  const shards = await states();
  const home = shards.findIndex(({ keys }) => keys.some(({ id, limits }) => id === 'one' && limits.concurrency === 1));
  const owner = (model) => shards.findIndex(({ accounts }) => accounts.some(({ id }) => id === `${model}-1`));
  const models = Array.from({ length: 8 }, (_, at) => `lone${at}`);
  const failing = models.find((model) => owner(model) !== home);
  const long = models.find((model) => owner(model) !== owner(failing));
  assert.ok(failing && long, 'accounts of different shards');
  // The second call has the key's only place as soon as the first one's try is over; that one waits for it, at the key's home.
  const [fault, gate] = [new Gate(), new Gate()];
  sim.next(secretOf(`${failing}-1`), async (call) => {
    await call.orGone(fault.wait());
    call.error(401);
  });
  const first = weir.chat({ model: failing }, { key });
  await eventually(() => assert.equal(fault.held, 1));
  sim.next(secretOf(`${long}-1`), { gate, text: ['a ', 'b ', 'c '] });
  const second = weir.openChat({ model: long, stream: true }, { key });
  await eventually(async () => assert.equal((await states())[home].waiting, 1));
  fault.open();
  await eventually(async () => {
    const now = await states();
    const { in_flight, state } = now[owner(failing)].accounts.find(({ id }) => id === `${failing}-1`);
    assert.deepEqual([in_flight, state, now[home].waiting], [0, 'disabled', 1]);
  });
  gate.open(1_000);
  await (await second).text();
  assert.equal((await first).status, 502, 'there was no other account');
  await idle(weir);
});

test('how a try ended is told to its shard while the next one, of another shard, still streams', async (context) => {
  const weir = await worker(context, Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`pair${at}`, { accounts: 2, limits: { concurrency: 1 } }])));
  const shards = await shardsOf(weir);
  const states = async () => (await shards()).map(({ accounts }) => accounts);
  assert.equal((await weir.chat({ model: 'pair0' })).status, 200);
  await weir.status();
  const owner = new Map((await states()).flatMap((accounts, shard) => accounts.map(({ id }) => [id, shard])));
  const model = Array.from({ length: 8 }, (_, at) => `pair${at}`).find((name) => owner.get(`${name}-1`) !== owner.get(`${name}-2`));
  assert.ok(model, 'two accounts of different shards');
  // The first shard is busy, so that the call begins on the second; then it is free, and no try asks the second again.
  const [busy, fault, long] = [new Gate(), new Gate(), new Gate()];
  for (const gate of [busy, long]) gate.open(2);
  sim.next('*', { gate: busy, text: ['a ', 'b ', 'c '] });
  const first = await weir.openChat({ model, stream: true });
  sim.next('*', async (call) => {
    await call.orGone(fault.wait());
    call.error(401);
  });
  const second = weir.openChat({ model, stream: true });
  await eventually(() => assert.equal(fault.held, 1));
  busy.open(1_000);
  await first.text();
  await eventually(async () => assert.equal((await states()).flat().filter(({ in_flight }) => in_flight > 0).length, 1));
  sim.next('*', { gate: long, text: ['a ', 'b ', 'c '] });
  fault.open();
  const stream = await second;
  assert.equal(stream.headers.get('x-weir-attempts'), '2');
  await eventually(async () => {
    const pair = (await states()).flat().filter(({ id }) => id.startsWith(`${model}-`));
    assert.deepEqual(pair.map(({ in_flight, state }) => [in_flight, state]).sort(), [[0, 'disabled'], [1, 'busy']]);
  });
  long.open(1_000);
  await stream.text();
});

test('explain and status see all shards, and the setting has its bounds', async (context) => {
  const weir = await worker(context, { seen: { accounts: 8 } });
  const { explanation } = await weir.manage('POST', '/admin/explain', { model: 'seen', messages: [{ role: 'user', content: 'hi' }] });
  assert.equal(explanation.considered.length, 8);
  assert.ok(explanation.serves);
  assert.equal(Object.keys((await weir.call('GET', '/v1/status')).json.apis).length, 8);
  for (const ledger_shards of [0, 17]) {
    const answer = await weir.admin('POST', '/admin/config', { settings: { ledger_shards } });
    assert.deepEqual([answer.status, answer.json.error.param], [400, 'settings.ledger_shards']);
  }
  await weir.manage('POST', '/admin/config', { settings: { ...settings, ledger_shards: 1 } });
  assert.equal((await weir.chat({ model: 'seen' })).status, 200);
  assert.equal((await weir.status()).accounts.length, 8);
});
