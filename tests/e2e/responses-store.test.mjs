// Responses that are kept: previous_response_id, GET and DELETE /v1/responses/{id}, each key for itself.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';
import { parts, streamed, textOf, whole } from './responses.mjs';

const OTHER_KEY = 'sk-weir-e2e-other-client-0002';
let sim, thinker, chat, weir;

before(async () => {
  [sim, thinker, chat] = await Promise.all([startSimulator(), startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount('one@example.com');
  const config = pools(sim, { plain: {}, thinking: { at: thinker, upstream: { reasoning: 'thinking' } } });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push({ id: 'one', email: 'one@example.com', password: 'password-of-one@example.com', limits: { min_gap_ms: 0 } });
  weir = await start({ config: { ...config, keys: [CLIENT_KEY, { name: 'other', key: OTHER_KEY }] } });
});
beforeEach(() => [sim, thinker, chat].forEach((one) => one.reset()));
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), thinker?.close(), chat?.close()]);
});

const tools = [{ type: 'function', name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }];
const kinds = { whole, streamed };
const get = (id, options) => weir.call('GET', `/v1/responses/${id}`, options);
const textsOf = (messages) => messages.map(({ role, content }) => [role, parts(content).map(({ text }) => text).join('')]);

/** Keeping may happen after the answer: it is waited for. */
const kept = (id) => eventually(async () => {
  const answer = await get(id);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
});

function refusesUnknown(answer) {
  assert.equal(answer.status, 404, answer.text);
  assert.deepEqual(Object.keys(answer.json.error).sort(), ['code', 'message', 'param', 'type']);
  assert.equal(answer.json.error.type, 'invalid_request_error');
}

for (const [kind, ask] of Object.entries(kinds)) {
  test(`${kind}: a response is kept as it was answered, and can be deleted`, async () => {
    const { response } = await ask(weir, { model: 'plain', input: 'hello', metadata: { a: 'b' } });
    assert.deepEqual(await kept(response.id), response);
    const deleted = await weir.call('DELETE', `/v1/responses/${response.id}`);
    assert.deepEqual([deleted.status, deleted.json], [200, { id: response.id, object: 'response', deleted: true }], deleted.text);
    refusesUnknown(await get(response.id));
    const item = { type: 'item_reference', id: response.output[0].id };
    const referring = await weir.call('POST', '/v1/responses', { body: { model: 'plain', input: [item, { role: 'user', content: 'And?' }] } });
    assert.deepEqual([referring.status, referring.json.error.param], [400, 'input[0].id'], referring.text);
    refusesUnknown(await weir.call('DELETE', `/v1/responses/${response.id}`));
  });

  test(`${kind}: previous_response_id puts the conversation so far before the new input`, async () => {
    let previous_response_id;
    for (const [turn, text] of ['one', 'two', 'three'].entries()) {
      sim.next(secretOf('plain-1'), { is: 'ok', text: [`answer ${turn}`] });
      const { response } = await ask(weir, { model: 'plain', input: text, instructions: `turn ${turn}`, previous_response_id });
      assert.equal(response.previous_response_id ?? null, previous_response_id ?? null);
      assert.equal((await kept(response.id)).id, response.id);
      previous_response_id = response.id;
    }
    // Earlier instructions are not carried over: OpenAI's documentation.
    assert.deepEqual(textsOf(sim.last.body.messages).map(([role, text]) => [role.replace('developer', 'system'), text]), [
      ['system', 'turn 2'], ['user', 'one'], ['assistant', 'answer 0'], ['user', 'two'], ['assistant', 'answer 1'], ['user', 'three'],
    ]);
  });

  test(`${kind}: a result finds its call in the response before it, thoughts included`, async () => {
    const call = { id: 'call_00_abc', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } };
    thinker.next(secretOf('thinking-1'), { is: 'ok', reasoning: ['I ', 'look.'], tools: [call] });
    const first = (await ask(weir, { model: 'thinking', input: 'Weather?', tools })).response;
    await kept(first.id);
    const { call_id } = first.output.at(-1);
    const output = { type: 'function_call_output', call_id, output: 'Snow' };
    thinker.next(secretOf('thinking-1'), { is: 'ok', text: ['It snows.'] });
    const second = (await ask(weir, { model: 'thinking', input: [output], tools, previous_response_id: first.id })).response;
    assert.equal(textOf(second), 'It snows.');
    const [user, assistant, tool, ...more] = thinker.last.body.messages;
    assert.deepEqual([user.role, assistant.role, tool.role, more], ['user', 'assistant', 'tool', []]);
    assert.deepEqual(assistant.tool_calls, [{ ...call, id: call_id }]);
    assert.equal(assistant.reasoning_content, 'I look.');
    assert.equal(tool.tool_call_id, call_id);
  });
}

test('over a text-only upstream, too', async () => {
  chat.script = (prompt) => ({ text: [prompt.includes('nice name') ? 'You are Ada.' : 'A nice name.'] });
  const first = (await streamed(weir, { model: 'deepseek-reasoner', input: 'I am Ada.' })).response;
  await kept(first.id);
  const second = (await whole(weir, { model: 'deepseek-reasoner', input: 'Who am I?', previous_response_id: first.id })).response;
  assert.equal(textOf(second), 'You are Ada.');
  assert.match(chat.requests.findLast(({ path }) => path.endsWith('/completion')).body.prompt, /I am Ada\.[^]*A nice name\.[^]*Who am I\?/);
});

test('two answers to one response are two branches of the conversation', async () => {
  const first = (await whole(weir, { model: 'plain', input: 'root' })).response;
  await kept(first.id);
  for (const input of ['left', 'right']) {
    await whole(weir, { model: 'plain', input, previous_response_id: first.id });
    assert.deepEqual(textsOf(sim.last.body.messages).filter(([role]) => role === 'user').map(([, text]) => text), ['root', input]);
  }
});

test('another key sees none of it', async () => {
  const { response } = await whole(weir, { model: 'plain', input: 'hello' });
  await kept(response.id);
  refusesUnknown(await get(response.id, { key: OTHER_KEY }));
  refusesUnknown(await weir.call('DELETE', `/v1/responses/${response.id}`, { key: OTHER_KEY }));
  assert.equal((await get(response.id, { key: null })).status, 401);
  const before = sim.requests.length;
  const chained = await weir.call('POST', '/v1/responses', { key: OTHER_KEY, body: { model: 'plain', input: 'And?', previous_response_id: response.id } });
  assert.deepEqual([chained.status, chained.json.error.param], [400, 'previous_response_id'], chained.text);
  assert.equal(sim.requests.length, before);
  assert.deepEqual(await kept(response.id), response, 'it is still there');
});

test('store:false leaves nothing behind', async () => {
  for (const ask of [whole, streamed]) {
    const { response } = await ask(weir, { model: 'plain', input: 'hello', store: false });
    assert.equal(response.store ?? false, false);
    // A response that is kept, asked for later, is there by then: so would be this one.
    await kept((await ask(weir, { model: 'plain', input: 'hello' })).response.id);
    refusesUnknown(await get(response.id));
    const chained = await weir.call('POST', '/v1/responses', { body: { model: 'plain', input: 'And?', previous_response_id: response.id } });
    assert.deepEqual([chained.status, chained.json.error.param], [400, 'previous_response_id'], chained.text);
  }
});

test('store:false can still go on from a response that is kept', async () => {
  const first = (await whole(weir, { model: 'plain', input: 'root' })).response;
  await kept(first.id);
  await whole(weir, { model: 'plain', input: 'leaf', store: false, previous_response_id: first.id });
  assert.deepEqual(textsOf(sim.last.body.messages).filter(([role]) => role === 'user').map(([, text]) => text), ['root', 'leaf']);
});

test('ids that never were, and routes that are not there, are 404 (R21)', async () => {
  for (const id of ['resp_never', 'resp_00000000000000000000000000000000', 'x', '%2e%2e', `resp_${'a'.repeat(500)}`]) refusesUnknown(await get(id));
  const { response } = await whole(weir, { model: 'plain', input: 'hello' });
  for (const [method, rest] of [['POST', 'cancel'], ['GET', 'input_items']]) refusesUnknown(await weir.call(method, `/v1/responses/${response.id}/${rest}`));
  refusesUnknown(await weir.call('POST', '/v1/responses/compact', { body: {} }));
});

test('what was kept first goes first, whatever its lifetime', async (context) => {
  const memory = { max_bytes: 60_000, reasoning_s: 60, responses_s: 86_400 };
  const own = await start({ config: { ...pools(sim, { plain: {}, thinking: { at: thinker, upstream: { reasoning: 'thinking' } } }), settings: { memory } } });
  context.after(() => own.stop());
  const make = async () => (await whole(own, { model: 'plain', input: 'x'.repeat(10_000) })).response.id;
  const made = [await make(), await make(), await make(), await make(), await make(), await make()];
  const status = async (id) => (await own.call('GET', `/v1/responses/${id}`)).status;
  assert.deepEqual([await status(made[0]), await status(made[5])], [404, 200], 'there is room for some');
  // Thoughts, which are kept for a minute, are not pushed aside by responses that are kept for a day.
  const call = { id: 'call_00_abc', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } };
  const [user, input] = [{ role: 'user', content: 'Weather?' }, tools];
  thinker.next(secretOf('thinking-1'), { is: 'ok', reasoning: ['I look.'], tools: [call] });
  const { response } = await whole(own, { model: 'thinking', input: [user], tools: input, store: false });
  const { call_id, name } = response.output.at(-1);
  const turn = [{ type: 'function_call', call_id, name, arguments: '{}' }, { type: 'function_call_output', call_id, output: 'Snow' }];
  await whole(own, { model: 'thinking', input: [user, ...turn], tools: input, store: false });
  assert.equal(thinker.last.body.messages[1].reasoning_content, 'I look.');
});

test('a kept response is not given as a stream', async () => {
  const { response } = await whole(weir, { model: 'plain', input: 'hello' });
  const answer = await get(`${response.id}?stream=true`);
  assert.deepEqual([answer.status, answer.json.error.param], [400, 'stream'], answer.text);
  assert.equal((await get(`${response.id}?include[]=x`)).status, 200);
});

test('a response outlives the Worker, and is sealed', async (context) => {
  const own = await startSimulator();
  const persist = mkdtempSync(join(tmpdir(), 'weir-e2e-'));
  context.after(() => Promise.all([own.close(), rm(persist, { recursive: true })]));
  const weir = await start({ persist, config: pools(own, { plain: {} }) });
  const input = 'a-very-private-remark';
  const { response } = await whole(weir, { model: 'plain', input });
  const again = () => weir.call('GET', `/v1/responses/${response.id}`);
  await eventually(async () => assert.equal((await again()).status, 200));
  await weir.restart();
  const { status, json } = await again();
  await weir.stop();
  assert.deepEqual([status, json], [200, response]);
  const stored = readdirSync(persist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(stored.length > 0);
  for (const { parentPath, name } of stored) assert.ok(!readFileSync(join(parentPath, name)).includes(input), `${name} shows what was said`);
});
