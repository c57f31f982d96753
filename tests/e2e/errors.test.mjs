// Every error of contract §5, with all four keys, and what a browser needs of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { Raw } from './client.mjs';
import { CLIENT_KEY, eventually, pools, start } from './harness.mjs';

let sim, weir;
const chat = '/v1/chat/completions';
const message = { role: 'user', content: 'hi' };

before(async () => {
  sim = await startSimulator();
  const config = pools(sim, {
    plain: {},
    slow: { limits: { rpm: 1 } },
    daily: { limits: { rpd: 1 } },
    blocked: { limits: { rpm: 0 } },
    none: { accounts: 0 },
    off: { accounts: [{ enabled: false }] },
    own: { upstream: { direct: true } },
    theirs: { upstream: { direct: true } },
  });
  const keys = [
    CLIENT_KEY,
    { id: 'narrow', key: 'sk-weir-narrow-key', models: ['slow*'] },
    { id: 'old', key: 'sk-weir-expired-key', expires_at: '2020-01-01T00:00:00Z' },
    { id: 'off', key: 'sk-weir-disabled-key', enabled: false },
    { id: 'tight', key: 'sk-weir-tight-key', limits: { rpm: 1 } },
  ];
  weir = await start({ config: { ...config, keys, settings: { queue: { max_wait_ms: 1_000, max_waiting: 5 } } } });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

function expect(answer, status, code, param = null) {
  assert.equal(answer.status, status, answer.text);
  assert.deepEqual(Object.keys(answer.json.error).sort(), ['code', 'message', 'param', 'type']);
  assert.equal(answer.json.error.code, code, answer.text);
  assert.equal(answer.json.error.param, param, answer.text);
  assert.equal(typeof answer.json.error.message, 'string');
  assert.ok(answer.headers.get('x-request-id'));
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
}

test('bad JSON and wrong types name the field', async () => {
  for (const raw of ['', '{', 'null', '[]', '"x"', '{"model":"plain",}']) {
    expect(await weir.call('POST', chat, { raw }), 400, null);
  }
  for (const [body, param] of [
    [{ messages: [message] }, 'model'],
    [{ model: '', messages: [message] }, 'model'],
    [{ model: 1, messages: [message] }, 'model'],
    [{ model: 'plain' }, 'messages'],
    [{ model: 'plain', messages: [] }, 'messages'],
    [{ model: 'plain', messages: {} }, 'messages'],
    [{ model: 'plain', messages: ['hi'] }, 'messages[0]'],
    [{ model: 'plain', messages: [{ content: 'hi' }] }, 'messages[0].role'],
    [{ model: 'plain', messages: [message], stream: 'yes' }, 'stream'],
    [{ model: 'plain', messages: [message], stream_options: true }, 'stream_options'],
    [{ model: 'plain', messages: [message], max_tokens: 'many' }, 'max_tokens'],
  ]) {
    expect(await weir.call('POST', chat, { body }), 400, null, param);
  }
  expect(await weir.call('POST', '/v1/embeddings', { body: { model: 'plain' } }), 400, null, 'input');
  assert.equal(sim.requests.length, 0, 'nothing of it reached an upstream');
});

test('a body of 50 MB is refused', async () => {
  const raw = JSON.stringify({ model: 'plain', messages: [{ role: 'user', content: 'x'.repeat(50_000_000) }] });
  expect(await weir.call('POST', chat, { raw }), 413, 'request_too_large');
});

// Node, curl and others write until they are done: were the rest not read, they would see a reset.
test('a body of 50 MB whose length nobody announced is refused, and its sender hears of it', async () => {
  const piece = new Uint8Array(100_000).fill(0x20);
  let pieces = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (pieces === 500) return controller.close();
      pieces += 1;
      controller.enqueue(piece);
    },
  });
  const response = await fetch(weir.url + chat, { method: 'POST', duplex: 'half', body, headers: { authorization: `Bearer ${CLIENT_KEY}` } });
  const text = await response.text();
  expect({ status: response.status, headers: response.headers, text, json: JSON.parse(text) }, 413, 'request_too_large');
});

test('an unknown model, route or method', async () => {
  expect(await weir.chat({ model: 'unheard-of' }), 404, 'model_not_found', 'model');
  expect(await weir.call('GET', '/v1/models/unheard-of'), 404, 'model_not_found', 'model');
  expect(await weir.call('POST', '/v1/embeddings', { body: { model: 'unheard-of', input: 'x' } }), 404, 'model_not_found', 'model');
  expect(await weir.call('GET', '/v1/nothing'), 404, 'unknown_url');
  const answer = await weir.call('GET', chat);
  expect(answer, 405, 'method_not_allowed', 'POST');
  assert.equal(answer.headers.get('allow'), 'POST');
  expect(await weir.call('QUERY', '/v1/models'), 405, 'method_not_allowed', 'GET');
});

test('a missing, unknown, disabled or expired key', async () => {
  for (const path of [chat, '/v1/embeddings']) {
    for (const key of [null, 'sk-weir-disabled-key', 'sk-weir-expired-key']) {
      expect(await weir.call('POST', path, { key, body: { model: 'plain', messages: [message], input: 'x' } }), 401, 'invalid_api_key');
    }
  }
  for (const path of ['/v1/models', '/v1/status']) {
    for (const key of [null, 'sk-weir-disabled-key', 'sk-weir-expired-key']) expect(await weir.call('GET', path, { key }), 401, 'invalid_api_key');
  }
});

test('a disabled or expired key is nobody\'s credential, whichever header it comes in', async () => {
  sim.reset();
  for (const key of ['sk-weir-disabled-key', 'sk-weir-expired-key']) {
    for (const own of [{ key }, { key: null, headers: { 'x-api-key': key } }, { key: 'sk-of-nobody', headers: { 'x-api-key': key } }, { key, headers: { 'x-api-key': 'sk-of-nobody' } }]) {
      expect(await weir.chat({ model: 'own' }, own), 401, 'invalid_api_key');
    }
  }
  assert.equal(sim.requests.length, 0, 'no upstream saw it');
});

test('a key that was deleted or changed is nobody\'s credential', async () => {
  sim.reset();
  const chosen = (number) => `sk-chosen-by-the-operator-${number}`;
  const made = await weir.manage('POST', '/admin/keys', { id: 'made' });
  for (const number of [1, 2, 3]) await weir.manage('POST', '/admin/keys', { id: `chosen-${number}`, key: chosen(number) });
  for (const key of [made.key.key, chosen(1), chosen(2), chosen(3)]) assert.equal((await weir.chat({ model: 'plain' }, { key })).status, 200);
  sim.reset();
  await weir.manage('DELETE', '/admin/keys/made');
  await weir.manage('DELETE', '/admin/keys/chosen-1');
  await weir.manage('PATCH', '/admin/keys/chosen-2', { key: 'sk-chosen-by-the-operator-4' });
  const { keys } = await weir.manage('GET', '/admin/config');
  await weir.manage('POST', '/admin/config', { keys: keys.filter(({ id }) => id !== 'chosen-3') });
  for (const key of [made.key.key, chosen(1), chosen(2), chosen(3)]) {
    for (const own of [{ key }, { key: 'sk-of-nobody', headers: { 'x-api-key': key } }]) expect(await weir.chat({ model: 'theirs' }, own), 401, 'invalid_api_key');
  }
  assert.equal(sim.requests.length, 0, 'no upstream saw it');
  await weir.manage('POST', '/admin/keys', { id: 'chosen-1', key: chosen(1) });
  assert.equal((await weir.chat({ model: 'theirs' }, { key: chosen(1) })).status, 200, 'it is a key again');
  assert.notEqual(sim.last.key, chosen(1));
});

test('a key that Weir could have made, and does not know, is nobody\'s credential', async () => {
  sim.reset();
  expect(await weir.chat({ model: 'theirs' }, { key: `sk-weir-${'aZ09'.repeat(10)}` }), 401, 'invalid_api_key');
  assert.equal(sim.requests.length, 0);
});

test('a key that was made a moment ago is nobody\'s credential, however many strangers come at once', async () => {
  sim.reset();
  // As another isolate makes it: this one has not heard of it.
  const registry = (await weir.mf.getDurableObjectNamespace('REGISTRY')).getByName('main');
  const own = (key) => weir.chat({ model: 'theirs' }, { key });
  for (let round = 0; round < 6; round += 1) {
    const key = `sk-fresh-from-the-operator-${round}`;
    const added = await registry.apply(JSON.stringify({ actor: 'test', change: { add: { list: 'keys', item: { id: `fresh-${round}`, key } } } }));
    assert.match(added, /"version"/);
    const strangers = Array.from({ length: 150 }, (_, at) => own(`sk-of-a-stranger-${round}-${at}`));
    const answers = await Promise.all([...strangers, own(key), own(key)]);
    for (const { status, text } of answers.slice(-2)) assert.ok([200, 429].includes(status), `${status} ${text}`);
    assert.deepEqual(sim.of(key), [], 'no upstream saw it');
    await eventually(async () => assert.equal((await own(key)).status, 200));
  }
});

test('a key for other models', async () => {
  expect(await weir.chat({ model: 'plain' }, { key: 'sk-weir-narrow-key' }), 403, 'model_not_allowed', 'model');
  const models = await weir.call('GET', '/v1/models', { key: 'sk-weir-narrow-key' });
  assert.deepEqual(models.json.data.map(({ id }) => id), ['slow']);
});

test('an unknown key is a credential only for an upstream that takes those', async () => {
  sim.addKeys('sk-of-the-caller');
  const own = await weir.chat({ model: 'own' }, { key: 'sk-of-the-caller' });
  assert.equal(own.status, 200, own.text);
  assert.equal(sim.last.key, 'sk-of-the-caller');
  assert.equal((await weir.account('own-1')).usage.rpd, 0, 'no pooled account was taken');
  expect(await weir.chat({ model: 'plain' }, { key: 'sk-of-the-caller' }), 401, 'invalid_api_key');
  expect(await weir.call('GET', '/v1/status', { key: 'sk-of-the-caller' }), 401, 'invalid_api_key');
});

test('limits answer 429 with a true Retry-After', async () => {
  assert.equal((await weir.chat({ model: 'slow' })).status, 200);
  const minute = await weir.chat({ model: 'slow' });
  expect(minute, 429, 'rate_limited');
  const seconds = Number(minute.headers.get('retry-after'));
  assert.ok(seconds > 55 && seconds <= 60, `${seconds}`);

  assert.equal((await weir.chat({ model: 'daily' })).status, 200);
  const day = await weir.chat({ model: 'daily' });
  expect(day, 429, 'daily_limit');
  const midnight = new Date();
  midnight.setUTCHours(24, 0, 0, 0);
  assert.ok(Math.abs(Number(day.headers.get('retry-after')) - (midnight - Date.now()) / 1000) < 3, 'midnight');
  assert.equal(day.headers.get('x-should-retry'), 'false');

  assert.equal((await weir.chat({ model: 'plain' }, { key: 'sk-weir-tight-key' })).status, 200);
  expect(await weir.chat({ model: 'plain' }, { key: 'sk-weir-tight-key' }), 429, 'key_limit');
});

test('no account is a 503 that says why', async () => {
  for (const model of ['none', 'off', 'blocked']) {
    const answer = await weir.chat({ model });
    expect(answer, 503, 'no_account');
    assert.equal(answer.headers.get('x-should-retry'), 'false');
  }
});

test('a refusal does not wait for ever for the rest of a body', async () => {
  for (const [path, status] of [[chat, 401], ['/v1/nothing', 404]]) {
    const raw = new Raw(weir.url, { path, headers: { 'content-length': 100 } });
    raw.socket.write('{"a"');
    await raw.until(/\r\n\r\n/);
    assert.equal(raw.status, status);
    raw.fin();
  }
});

test('a preflight needs no key and echoes what the page wants to send', async () => {
  const answer = await weir.call('OPTIONS', chat, { key: null, headers: { 'access-control-request-headers': 'authorization, x-stainless-os' } });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-headers'), 'authorization, x-stainless-os');
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  assert.match(answer.headers.get('access-control-allow-methods'), /POST/);
});

test('health needs no key, HEAD has no body, and names no account', async () => {
  for (const path of ['/health', '/healthz']) {
    const answer = await weir.call('GET', path, { key: null });
    assert.deepEqual([answer.status, answer.json.status], [200, 'ok']);
    assert.deepEqual(Object.keys(answer.json).sort(), ['status', 'timestamp', 'version']);
  }
  const head = await weir.call('HEAD', '/health', { key: null });
  assert.deepEqual([head.status, head.text], [200, '']);
});

test('a revoked key stops at once, and a new one works at once', async () => {
  const { key } = await weir.manage('POST', '/admin/keys', { name: 'short-lived' });
  weir.secret(key.key, 'client key');
  assert.equal((await weir.chat({ model: 'plain' }, { key: key.key })).status, 200);
  await weir.manage('DELETE', `/admin/keys/${key.id}`);
  expect(await weir.chat({ model: 'plain' }, { key: key.key }), 401, 'invalid_api_key');
});
