// Testing accounts: one short call on each, whatever the pool thinks of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Sse } from './client.mjs';
import { pools, secretOf, start } from './harness.mjs';

const EMAIL = 'tester@example.com';
const PASSWORD = 'the-testers-password';

let sim, chat, weir;
before(async () => {
  sim = await startSimulator();
  chat = await startDeepSeek();
  chat.addAccount(EMAIL, { password: PASSWORD });
  const config = pools(sim, { good: { accounts: 2 }, bad: {}, mended: {}, busy: { limits: { concurrency: 1 } }, mapped: { upstream: { models: [], model_mapping: { mine: 'good' } } }, wild: { upstream: { models: ['*'] } } });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push({ id: 'web', email: EMAIL, password: PASSWORD, limits: { min_gap_ms: 0 } });
  weir = await start({ config });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
  await chat?.close();
});

const run = (body) => weir.manage('POST', '/admin/accounts/test', body);

test('an account that works says so, at the price of one short call', async () => {
  const before = sim.requests.length;
  const result = await run({ id: 'good-1' });
  assert.deepEqual([result.id, result.success, result.model], ['good-1', true, 'good']);
  assert.ok(result.latency_ms >= 0);
  assert.match(result.message, /^It answered: ./);
  assert.match(result.cost, /one short call/);
  assert.ok(result.tokens.prompt > 0);
  assert.equal(sim.requests.length, before + 1);
  assert.equal(sim.last.key, secretOf('good-1'));
  assert.ok(sim.last.body.max_tokens <= 16 && !sim.last.body.stream);
  assert.equal((await weir.account('good-1')).usage.rpd, 0, 'it takes nothing of the account’s limits');
});

test('one that does not work says why, without its secret', async () => {
  sim.onKey(secretOf('bad-1'), 401);
  const result = await run({ id: 'bad-1' });
  assert.equal(result.success, false);
  assert.ok(result.message.length > 10 && !result.message.includes(secretOf('bad-1')));
});

test('one that was mended serves once its test is answered', async () => {
  sim.next(secretOf('mended-1'), 401);
  assert.equal((await run({ id: 'mended-1' })).success, false);
  const refused = await weir.account('mended-1');
  assert.deepEqual([refused.state, refused.available], ['disabled', false], 'a test says as much as a call');
  const explained = async () => {
    const { explanation } = await weir.manage('POST', '/admin/explain', { model: 'mended', messages: [{ role: 'user', content: 'hi' }] });
    return explanation.considered.find(({ id }) => id === 'mended-1');
  };
  assert.match((await explained()).passed_over, /invalid credential/);
  assert.equal((await run({ id: 'mended-1' })).success, true);
  assert.equal((await weir.account('mended-1')).state, 'ready');
  assert.equal((await explained()).eligible, true);
  assert.equal((await run({ id: 'mended-1', model: 'nobody-has-it' })).success, false);
  assert.equal((await weir.account('mended-1')).state, 'ready', 'a wrong model is no fault of the account');
});

test('a muted web account is told as such, and serves once it answers again', async () => {
  const until = Math.floor(Date.now() / 1000) + 3_600;
  chat.account(EMAIL).muted_until = until;
  const muted = await run({ id: 'web' });
  assert.equal(muted.success, false);
  const account = await weir.account('web');
  assert.deepEqual([account.state, account.until], ['parked', until * 1000]);
  chat.account(EMAIL).muted_until = undefined;
  assert.equal((await run({ id: 'web' })).success, true);
  assert.equal((await weir.account('web')).state, 'ready');
});

test('one that the pool passes over can be tested', async () => {
  await weir.manage('PATCH', '/admin/accounts/good-2', { enabled: false });
  assert.equal((await run({ id: 'good-2' })).success, true);
});

test('a web account is found by its e-mail', async () => {
  const result = await run({ email: EMAIL });
  assert.deepEqual([result.id, result.email, result.success, result.model], ['web', EMAIL, true, 'deepseek-chat'], result.message);
});

test('the model is the one that is asked for, by its upstream’s name', async () => {
  const result = await run({ id: 'mapped-1' });
  assert.deepEqual([result.success, result.model, sim.last.body.model], [true, 'mine', 'good']);
  assert.equal((await run({ id: 'good-1', model: 'bad' })).success, true);
  assert.equal(sim.last.body.model, 'bad');
  const unnamed = await run({ id: 'wild-1' });
  assert.deepEqual([unnamed.success, /`model`/.test(unnamed.message)], [false, true], unnamed.message);
});

test('an account that has no room for a call is not tested', async () => {
  const gate = new Gate();
  sim.next(secretOf('busy-1'), { is: 'slow', gate });
  const first = weir.chat({ model: 'busy' });
  await sim.until(() => sim.now(secretOf('busy-1')) === 1);
  const result = await run({ id: 'busy-1' });
  assert.equal(result.success, false);
  assert.match(result.message, /Not tested: 1 calls are in flight/);
  gate.open(Infinity);
  assert.equal((await first).status, 200);
  assert.equal(sim.max(secretOf('busy-1')), 1);
});

test('all of them, with a sum', async () => {
  const all = await weir.manage('POST', '/admin/accounts/test-all');
  const { accounts } = await weir.manage('GET', '/admin/accounts');
  assert.deepEqual(all.results.map(({ id }) => id).sort(), accounts.map(({ id }) => id).sort());
  assert.deepEqual([all.total, all.success + all.failed], [accounts.length, accounts.length]);
  assert.deepEqual(all.results.filter(({ success }) => !success).map(({ id }) => id).sort(), ['bad-1', 'wild-1']);
  assert.match(all.cost, /one short call/);
});

test('each result comes when it is there', async () => {
  const gate = new Gate();
  const token = await weir.login();
  const ids = ['good-2', 'good-1', 'bad-1', 'mapped-1', 'busy-1'];
  sim.next(secretOf('good-2'), { is: 'slow', gate });
  const response = await weir.fetch('POST', '/admin/accounts/test-all?stream=true', { key: token, body: { ids } });
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  const sse = new Sse(response);
  const first = [];
  for (let at = 0; at < 4; at += 1) first.push(JSON.parse((await sse.data()).data));
  assert.deepEqual(first.map(({ id }) => id).sort(), ids.slice(1).sort(), 'before the first has answered');
  gate.open(Infinity);
  assert.deepEqual(JSON.parse((await sse.data()).data).id, 'good-2');
  const done = await sse.data();
  assert.equal(done.event, 'done');
  const { total, success, failed } = JSON.parse(done.data);
  assert.deepEqual([total, success, failed], [5, 4, 1]);
  assert.equal(await sse.next(), null);
});

test('a caller who leaves ends the tests', async () => {
  const gate = new Gate();
  const token = await weir.login();
  sim.next(secretOf('good-1'), { is: 'slow', gate });
  const before = sim.requests.length;
  const ids = ['good-1', ...Array(8).fill('bad-1')];
  const leaving = new AbortController();
  await weir.fetch('POST', '/admin/accounts/test-all?stream=true', { key: token, body: { ids }, signal: leaving.signal });
  await sim.until(() => sim.requests.length >= before + 4);
  leaving.abort();
  gate.open(Infinity);
  await sim.until(() => sim.open === 0);
  const { json } = await weir.call('POST', '/v1/chat/completions', { body: { model: 'good', messages: [{ role: 'user', content: 'x' }] } });
  assert.equal(json.object, 'chat.completion');
  assert.ok(sim.requests.length < before + ids.length + 1, 'not all were made');
});

test('who is not there is named', async () => {
  const answer = await weir.admin('POST', '/admin/accounts/test', { id: 'nobody' });
  assert.deepEqual([answer.status, answer.json.error.code], [404, 'not_found']);
  assert.equal((await weir.admin('POST', '/admin/accounts/test', {})).json.error.param, 'id');
  assert.equal((await weir.admin('GET', '/admin/accounts/test')).status, 405);
  const { results } = await weir.manage('POST', '/admin/accounts/test-all', { ids: ['nobody'] });
  assert.deepEqual([results[0].id, results[0].success], ['nobody', false]);
});
