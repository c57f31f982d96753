// Anthropic's dialect where something is wrong: the caller, the key, the upstream, before and after the first byte
// (api-conformance A18, A40, A41, T9, T10; contract §5).
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { MESSAGES, bodyOf, checkError, create, hello, open, readClaude, stream } from './claude-client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim, web, weir;
let made = 0;

before(async () => {
  sim = await startSimulator();
  web = await startDeepSeek();
});
beforeEach(() => {
  sim.reset();
  web.reset();
});
after(() => Promise.all([sim?.close(), web?.close()]));

/** A Worker over both kinds, with a web account of its own; `cases` are further pools. */
async function worker(context, cases = {}, settings = {}) {
  const config = pools(sim, { plain: {}, ...cases });
  config.keys = [CLIENT_KEY, { id: 'narrow', key: 'sk-weir-narrow-key', models: ['other'] }, { id: 'off', key: 'sk-weir-disabled-key', enabled: false }, { id: 'tight', key: 'sk-weir-tight-key', limits: { rpm: 1 } }];
  const email = `errors-${(made += 1)}@example.com`;
  web.addAccount(email);
  config.upstreams.push({ id: 'deepseek-web', base_url: web.url });
  config.accounts.push({ id: 'web', email, password: `password-of-${email}`, limits: { min_gap_ms: 0 } });
  const deadlines = { connect_ms: 20_000, first_token_ms: 20_000, stall_ms: 1_200 };
  const started = await start({ config: { ...config, settings: { queue: { max_wait_ms: 500 }, hold_headers_ms: 20_000, deadlines, ...settings } } });
  context.after(() => started.stop());
  return started;
}

const post = (body, options) => weir.call('POST', MESSAGES, { ...options, body: bodyOf({ model: 'plain', ...body }) });
const user = (...content) => ({ messages: [{ role: 'user', content }] });
/** A field as Anthropic's own messages name it, or as contract §5 does. */
const at = (path) => new RegExp(path.replace(/[.[\]]+/g, '.').split('.').filter(Boolean).map((step) => `\\[?${step}\\]?`).join('\\.?'));

test('a bad request is told by its field, and reaches no upstream', async (context) => {
  weir = await worker(context);
  for (const raw of ['', '{', 'null', '[]', '"x"', '{"model":"plain",}', '{"model":"plain","max_tokens":1,"messages":[{"role":"user","content":"\\ud800"}]']) {
    checkError(await weir.call('POST', MESSAGES, { raw }), 400);
  }
  const schema = { type: 'object' };
  const unnamed = [];
  for (const [body, field] of [
    [{ model: undefined }, 'model'],
    [{ model: '' }, 'model'],
    [{ model: 7 }, 'model'],
    [{ messages: undefined }, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: {} }, 'messages'],
    [{ messages: ['hi'] }, 'messages[0]'],
    [{ messages: [{ content: 'hi' }] }, 'messages[0].role'],
    [{ messages: [...hello, { role: 'tool', content: 'hi' }] }, 'messages[1].role'],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
    [user({ text: 'hi' }), 'messages[0].content[0].type'],
    [user({ type: 'text' }), 'messages[0].content[0].text'],
    [user({ type: 'text', text: 'a' }, { type: 'image' }), 'messages[0].content[1].source'],
    [user({ type: 'tool_result', content: 'x' }), 'messages[0].content[0].tool_use_id'],
    [{ max_tokens: 'many' }, 'max_tokens'],
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ stream: 'yes' }, 'stream'],
    [{ system: 5 }, 'system'],
    [{ system: [{ type: 'image' }] }, 'system[0]'],
    [{ temperature: 'warm' }, 'temperature'],
    [{ stop_sequences: 'END' }, 'stop_sequences'],
    [{ stop_sequences: [1] }, 'stop_sequences'],
    [{ tools: {} }, 'tools'],
    [{ tools: [{ input_schema: schema }] }, 'tools[0].name'],
    [{ tools: [{ name: 'f' }] }, 'tools[0].input_schema'],
    [{ tools: [{ name: 'f', input_schema: schema }], tool_choice: 'auto' }, 'tool_choice'],
    [{ tools: [{ name: 'f', input_schema: schema }], tool_choice: { type: 'some' } }, 'tool_choice'],
    [{ tools: [{ name: 'f', input_schema: schema }], tool_choice: { type: 'tool', name: 'g' } }, 'tool_choice'],
    [{ thinking: true }, 'thinking'],
    [{ output_config: { format: { type: 'json_schema' } } }, 'output_config.format'],
  ]) {
    const answer = await post(body);
    if (answer.status === 400) checkError(answer, 400);
    if (answer.status !== 400 || !at(field).test(answer.json.error.message)) unnamed.push([field, answer.status, answer.text]);
  }
  assert.deepEqual(unnamed, []);
  assert.equal(sim.requests.length, 0);
});

test('what is not known is not refused', async (context) => {
  weir = await worker(context);
  await create(weir, { model: 'plain', ...user({ type: 'text', text: 'a', of_next_year: 1 }), stream: null, temperature: null, thinking: null, tools: null, tool_choice: null, system: null, stop_sequences: null, metadata: null, brand_new: {} });
});

test('what cannot be converted is refused by its block', async (context) => {
  weir = await worker(context);
  const text = { type: 'text', text: 'See:' };
  const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } };
  const linked = { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } };
  const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' } };
  const file = { type: 'image', source: { type: 'file', file_id: 'file_1' } };
  for (const block of [picture, linked, pdf]) {
    for (const streams of [false, true]) {
      const messages = [...hello, { role: 'assistant', content: 'Yes?' }, { role: 'user', content: [text, block] }];
      checkError(await post({ model: 'claude-sonnet-4-5', stream: streams, messages }), 400, at('messages[2].content[1]'));
    }
  }
  checkError(await post(user(text, file)), 400, at('messages[0].content[1]'));
  checkError(await post({ compaction: { type: 'summarize' } }), 400, /compaction/);
  assert.equal(web.requests.filter(({ path }) => path.endsWith('/completion')).length, 0);
});

test('a thread is refused so that the SDKs go on without one', async (context) => {
  weir = await worker(context);
  for (const thread of [{ type: 'create' }, { type: 'continue', previous_message_id: 'msg_1' }]) {
    for (const streams of [false, true]) {
      const answer = await post({ thread, stream: streams }, { path: `${MESSAGES}?beta=true`, headers: { 'anthropic-beta': 'message-threads-2026-08-12' } });
      checkError(answer, 400);
      assert.deepEqual(answer.json.error.details, { error_code: 'thread_unsupported_request', unsupported: [] });
    }
  }
  await create(weir, { model: 'plain', thread: null });
});

test('keys, models, sizes, methods and routes', async (context) => {
  weir = await worker(context, { other: {} });
  for (const key of [null, 'sk-nobody', 'sk-weir-disabled-key']) {
    checkError(await post({}, { key }), 401);
    checkError(await post({ stream: true }, { key: null, headers: key && { 'x-api-key': key } }), 401);
    for (const [method, path, body] of [['POST', `${MESSAGES}/count_tokens`, bodyOf({})], ['GET', '/anthropic/v1/models']]) {
      checkError(await weir.call(method, path, { key, body }), 401);
    }
  }
  checkError(await post({}, { key: 'sk-weir-narrow-key' }), 403);
  checkError(await post({ model: 'unheard-of' }), 404, /unheard-of/);
  checkError(await post({ model: 'unheard-of', stream: true }), 404, /unheard-of/);
  const raw = JSON.stringify(bodyOf({ model: 'plain', messages: [{ role: 'user', content: 'x'.repeat(40_000_000) }] }));
  checkError(await weir.call('POST', MESSAGES, { raw }), 413);
  const method = await weir.call('GET', MESSAGES);
  checkError(method, 405);
  assert.equal(method.headers.get('allow'), 'POST');
  for (const [verb, path] of [['POST', '/anthropic/v1/messages/batches'], ['GET', '/anthropic/v1/messages/batches/msgbatch_1'], ['POST', '/v1/messages/batches'], ['GET', '/anthropic/v1/files'], ['POST', '/anthropic/v1/complete'], ['GET', '/anthropic/v1/nothing']]) {
    checkError(await weir.call(verb, path, verb === 'POST' ? { body: {} } : {}), 404);
  }
  assert.equal(sim.requests.length, 0);
});

test('a page may ask: preflight and the headers it may read', async (context) => {
  weir = await worker(context);
  const wanted = 'x-api-key, anthropic-version, anthropic-beta, anthropic-dangerous-direct-browser-access, content-type';
  for (const path of [MESSAGES, '/v1/messages', `${MESSAGES}/count_tokens`]) {
    const answer = await weir.call('OPTIONS', path, { key: null, headers: { 'access-control-request-headers': wanted } });
    assert.deepEqual([answer.status, answer.headers.get('access-control-allow-headers')], [204, wanted]);
  }
  const exposed = (await post({})).headers.get('access-control-expose-headers').toLowerCase();
  for (const name of ['request-id', 'x-request-id', 'retry-after', 'x-should-retry', 'x-weir-model', 'x-weir-attempts']) assert.ok(exposed.split(/, */).includes(name), name);
});

// ---------------------------------------------------------------------------------------------- upstreams

for (const [behaviour, status, type] of [
  [{ status: 500 }, 502, 'api_error'],
  [{ status: 503 }, 502, 'api_error'],
  ['hang_up', 502, 'api_error'],
  ['html', 502, 'api_error'],
  ['empty', 502, 'api_error'],
  [{ is: 'json_error' }, 502, 'api_error'],
  [{ status: 400, message: 'Too hot.', param: 'temperature' }, 400, 'invalid_request_error'],
]) {
  test(`an upstream's ${JSON.stringify(behaviour)} before the first byte is a ${status} ${type}`, async (context) => {
    for (const streams of [false, true]) {
      weir = await worker(context, {}, { max_attempts: 1 });
      sim.onKey(secretOf('plain-1'), behaviour);
      const answer = await post({ stream: streams });
      checkError(answer, status, behaviour.message && /Too hot/, type);
    }
  });
}

test('an upstream\'s 429 with Retry-After is a rate_limit_error with the time that is left', async (context) => {
  for (const streams of [false, true]) {
    weir = await worker(context);
    sim.onKey(secretOf('plain-1'), { status: 429, retryAfter: 20 });
    const answer = await post({ stream: streams });
    checkError(answer, 429);
    const seconds = Number(answer.headers.get('retry-after'));
    assert.ok(Number.isInteger(seconds) && seconds >= 18 && seconds <= 20, `${seconds}`);
  }
});

test('a prompt too long is told so that Claude Code compacts', async (context) => {
  weir = await worker(context);
  const message = "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens.";
  sim.onKey(secretOf('plain-1'), { status: 400, code: 'context_length_exceeded', message });
  checkError(await post({}), 400, /prompt is too long: \d+ tokens > \d+ maximum|maximum context length is \d+ tokens/);
  web.next({ is: 'hint', reason: 'input_exceeds_limit' });
  checkError(await post({ model: 'claude-sonnet-4-5' }), 400, /prompt is too long: \d+ tokens > \d+ maximum|maximum context length is \d+ tokens/);
});

test('limits: of a key, of a day, of no account', async (context) => {
  weir = await worker(context, { daily: { limits: { rpd: 1 } }, off: { accounts: [{ enabled: false }] } });
  await create(weir, { model: 'plain' }, { key: 'sk-weir-tight-key' });
  checkError(await post({}, { key: 'sk-weir-tight-key' }), 429);
  await create(weir, { model: 'daily' });
  const day = await post({ model: 'daily' });
  checkError(day, 429);
  assert.equal(day.headers.get('x-should-retry'), 'false');
  checkError(await post({ model: 'off' }), 503);
});

test('a failure before the first byte moves to another account', async (context) => {
  for (const behaviour of ['hang_up', { status: 500 }, 'empty', 'event_error', { is: 'cut', after: 0 }]) {
    for (const answer of [create, stream]) {
      weir = await worker(context, { pair: { accounts: [{ priority: 1 }, {}] } });
      sim.next(secretOf('pair-1'), behaviour);
      const { headers } = await answer(weir, { model: 'pair' });
      assert.equal(headers.get('x-weir-attempts'), '2', JSON.stringify(behaviour));
    }
  }
});

for (const [name, behaviour] of Object.entries({
  cut: { is: 'cut', after: 3 },
  truncated: { is: 'truncate', after: 3 },
  stalled: { is: 'stall', after: 3 },
  garbled: { is: 'garbage', after: 3 },
  'ended by an error event': { is: 'event_error', after: 3 },
})) {
  test(`a stream that was ${name} ends with the error event and nothing more`, async (context) => {
    weir = await worker(context);
    sim.next(secretOf('plain-1'), behaviour);
    const read = await readClaude(await open(weir, { model: 'plain' }));
    assert.ok(['api_error', 'overloaded_error', 'timeout_error'].includes(read.error?.type), JSON.stringify(read));
    assert.deepEqual([read.isComplete, read.wasCut, read.message.stop_reason], [false, false, null]);
    assert.ok(!read.types.includes('message_delta'));
    assert.match(read.message.content[0].text, /^You/, 'what came before is passed on');
    await eventually(async () => assert.equal((await weir.account('plain-1')).in_flight, 0));
  });
}

for (const [name, behaviour] of [['cut', { cut_at: 8 }], ['ended without a status', { end_at: 8 }], ['stalled', { stall_at: 8 }], ['garbled', { garbage_at: 8 }]]) {
  test(`a web account's stream that was ${name} ends with the error event and nothing more`, async (context) => {
    weir = await worker(context);
    web.script = () => ({ text: Array(20).fill('word ') });
    const gate = new Gate();
    gate.open(7);
    web.next({ is: 'ok', gate, ...behaviour });
    const response = await open(weir, { model: 'claude-sonnet-4-5' });
    gate.open(1_000); // the first bytes are through: no other account may try
    const read = await readClaude(response);
    assert.ok(read.error, JSON.stringify(read));
    assert.deepEqual([read.isComplete, read.wasCut, read.message.stop_reason], [false, false, null]);
  });
}

test('arguments that are no JSON are an error, never an empty object', async (context) => {
  weir = await worker(context, {}, { max_attempts: 1 });
  const call = { id: 'call_bad', type: 'function', function: { name: 'f', arguments: 'Oslo, please' } };
  const tools = [{ name: 'f', input_schema: { type: 'object' } }];
  sim.next(secretOf('plain-1'), { tools: [call] });
  checkError(await post({ tools }), 502);
  sim.next(secretOf('plain-1'), { tools: [call] });
  const response = await weir.fetch('POST', MESSAGES, { body: bodyOf({ model: 'plain', tools, stream: true }) });
  if (response.status !== 200) return assert.equal(response.status, 502);
  const read = await readClaude(response);
  assert.deepEqual([read.error?.type, read.isComplete], ['api_error', false]);
});
