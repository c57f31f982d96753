// Before the first byte a failed try moves to another account; a caller's own error never does.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { readStream } from './client.mjs';
import { pools, secretOf, start } from './harness.mjs';

let sim, ark, weir;

before(async () => {
  sim = await startSimulator();
  ark = await startSimulator({ profile: 'ark' });
});
after(async () => Promise.all([sim?.close(), ark?.close()]));

// A Worker for each test: what one learns of its accounts is not another's business.
beforeEach(async (context) => {
  sim.reset();
  ark.reset();
  const config = pools(sim, { pair: { accounts: [{ priority: 1 }, {}] }, volcano: { at: ark, accounts: [{ priority: 1 }, {}] }, many: { accounts: 5 } });
  weir = await start({ config: { ...config, settings: { deadlines: { connect_ms: 500, first_token_ms: 500 } } } });
  context.after(() => weir.stop());
});

const state = async (id) => (await weir.account(id)).state;

for (const [behaviour, after] of [
  [{ status: 401 }, 'disabled'],
  [{ status: 402 }, 'parked'],
  [{ status: 403 }, 'disabled'],
  [{ status: 429, retryAfter: 30 }, 'cooling'],
  [{ status: 429 }, 'cooling'],
  [{ status: 500 }, 'ready'],
  [{ status: 503 }, 'ready'],
  ['hang_up', 'ready'],
  ['empty', 'ready'],
  ['only_done', 'ready'],
  ['html', 'ready'],
  ['json_error', 'ready'],
  ['wrong_kind', 'ready'],
  [{ is: 'redirect', location: 'http://127.0.0.1:9/' }, 'ready'],
  ['insufficient_quota', 'parked'],
]) {
  const name = typeof behaviour === 'string' ? behaviour : JSON.stringify(behaviour);
  test(`after ${name} another account answers, and the first is ${after}`, async () => {
    for (const stream of [false, true]) {
      if (stream && after !== 'ready') continue; // it is out of the way by now
      sim.next(secretOf('pair-1'), behaviour);
      const response = await weir.openChat({ model: 'pair', stream });
      assert.equal(response.status, 200, `stream ${stream}`);
      assert.equal(response.headers.get('x-weir-attempts'), '2');
      if (stream) assert.ok((await readStream(response)).done);
      else assert.ok((await response.json()).choices.length > 0);
      assert.equal(await state('pair-1'), after);
      assert.equal(await state('pair-2'), 'ready');
    }
  });
}

test('an error as a stream\'s first event is still a failed try', async () => {
  sim.next(secretOf('pair-1'), 'event_error');
  const response = await weir.openChat({ model: 'pair' });
  assert.equal(response.headers.get('x-weir-attempts'), '2');
  assert.ok((await readStream(response)).done);
});

test('Retry-After is kept to the second', async () => {
  sim.next(secretOf('pair-1'), { status: 429, retryAfter: 30 });
  const before = Date.now();
  await weir.chat({ model: 'pair' });
  const { until, reason } = await weir.account('pair-1');
  assert.ok(until >= before + 29_900 && until <= Date.now() + 30_000, `${until - before}`);
  assert.match(reason, /rate limited/);
});

test('Ark\'s QuotaExceeded means three things', async () => {
  for (const [behaviour, after, ends] of [['quota_queue', 'cooling', true], ['quota_trial', 'parked', false], ['quota_plan', 'parked', true]]) {
    ark.next(secretOf('volcano-1'), behaviour);
    assert.equal((await weir.chat({ model: 'volcano' })).status, 200, behaviour);
    const { state, until } = await weir.account('volcano-1');
    assert.equal(state, after, behaviour);
    assert.equal(until !== null, ends, behaviour);
    await weir.manage('PATCH', '/admin/accounts/volcano-1', { enabled: false });
    await weir.manage('PATCH', '/admin/accounts/volcano-1', { enabled: true });
  }
});

test('a caller\'s error passes as it came, once, and is not held against the account', async () => {
  for (const status of [400, 404, 422]) {
    sim.next(secretOf('pair-1'), { status, code: 'some_code', message: 'no such thing' });
    const answer = await weir.chat({ model: 'pair' });
    assert.equal(answer.status, status);
    assert.equal(answer.json.error.message, 'no such thing');
    assert.equal(answer.json.error.code, 'some_code');
    assert.equal(answer.headers.get('x-weir-attempts'), '1');
    const { state, error_count } = await weir.account('pair-1');
    assert.deepEqual([state, error_count], ['ready', 0]);
  }
  assert.equal(sim.requests.length, 3);
});

test('tries are bounded, and the last failure is told without the credential', async () => {
  sim.onModel('many', { status: 500, echoKey: true });
  const answer = await weir.chat({ model: 'many' });
  assert.equal(answer.status, 502);
  assert.equal(answer.headers.get('x-weir-attempts'), '3');
  assert.equal(new Set(sim.requests.map(({ key }) => key)).size, 3, 'each on another account');
  assert.match(answer.json.error.message, /500/);
  assert.equal(answer.json.error.type, 'upstream_error');
  assert.ok(!answer.text.includes('sk-upstream'));
});

test('three failures in a row cool an account', async () => {
  for (let round = 0; round < 3; round += 1) {
    sim.next(secretOf('pair-1'), { status: 500 });
    assert.equal((await weir.chat({ model: 'pair' })).status, 200);
  }
  assert.equal(await state('pair-1'), 'cooling');
});

test('when an account cools, and for how long, is the operator\'s to say', async () => {
  const { settings } = await weir.manage('GET', '/admin/config');
  const cooling = { failures: 1, min_ms: 20_000, retry_after_max_ms: 5_000 };
  await weir.manage('POST', '/admin/config', { settings: { ...settings, cooling } });
  const cools = async (service, model, behaviour) => {
    service.next(secretOf(`${model}-1`), behaviour);
    const before = Date.now();
    assert.equal((await weir.chat({ model })).status, 200);
    const { state, until } = await weir.account(`${model}-1`);
    assert.equal(state, 'cooling');
    return [until - before, until - Date.now()];
  };
  const [least, most] = await cools(sim, 'pair', { status: 500 });
  assert.ok(least >= 20_000 && most <= 20_000, `${least} ${most}`);
  const [at_least, at_most] = await cools(ark, 'volcano', { status: 429, retryAfter: 30 });
  assert.ok(at_least >= 5_000 && at_most <= 5_000, `${at_least} ${at_most}`);
  const refused = await weir.admin('POST', '/admin/config', { settings: { ...settings, cooling: { ...cooling, max_ms: 1 } } });
  assert.deepEqual([refused.status, refused.json.error.param], [400, 'settings.cooling.max_ms']);
});

test('when all are limited by the upstream, the answer is a 429 with the ledger\'s time', async () => {
  for (const id of ['pair-1', 'pair-2']) sim.onKey(secretOf(id), { status: 429, retryAfter: 50 });
  const answer = await weir.chat({ model: 'pair' });
  assert.equal(answer.status, 429);
  const seconds = Number(answer.headers.get('retry-after'));
  assert.ok(seconds >= 48 && seconds <= 50, `${seconds}`);
});

test('when no account is left the answer says why', async () => {
  for (const id of ['pair-1', 'pair-2']) sim.onKey(secretOf(id), { status: 401 });
  assert.equal((await weir.chat({ model: 'pair' })).status, 502);
  const answer = await weir.chat({ model: 'pair' });
  assert.equal(answer.status, 503);
  assert.equal(answer.json.error.code, 'no_account');
  assert.match(answer.json.error.message, /2: disabled: invalid credential/);
});
