// The small routes of Anthropic's dialect: count_tokens and the list of models (api-conformance A45, A46, M2).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { checkError, hello } from './claude-client.mjs';
import { CLIENT_KEY, pools, start } from './harness.mjs';

let sim, weir;
const names = ['alpha', 'beta', 'gamma', 'delta', 'vendor/model'];

before(async () => {
  sim = await startSimulator();
  const config = pools(sim, Object.fromEntries(names.map((name) => [name.replace('/', '-'), { upstream: { models: [name] }, limits: { rpd: 0 } }])));
  const keys = [CLIENT_KEY, { id: 'narrow', key: 'sk-weir-narrow-key', models: ['beta'] }];
  weir = await start({ config: { ...config, keys, aliases: { 'claude-of-mine': 'alpha' } } });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

// ------------------------------------------------------------------------------------------- count_tokens

async function count(body, options = {}) {
  const answer = await weir.call('POST', options.path ?? '/anthropic/v1/messages/count_tokens', { ...options, body: { model: 'alpha', messages: hello, ...body } });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(Object.keys(answer.json), ['input_tokens']);
  assert.ok(Number.isInteger(answer.json.input_tokens) && answer.json.input_tokens > 0, answer.text);
  assert.ok(answer.headers.get('request-id'));
  return answer.json.input_tokens;
}

const sentence = 'The quick brown fox jumps over the lazy dog again. ';
const tool = (name) => ({ name, description: sentence, input_schema: { type: 'object', properties: { city: { type: 'string', description: sentence } } } });

test('the count grows with everything that the model will read', async () => {
  const plain = await count({});
  assert.ok(plain < 30, `${plain}`);
  const turn = (content) => [...hello, { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'f', input: { city: sentence } }] }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content }] }];
  for (const [what, less, more] of [
    ['a system text', {}, { system: sentence }],
    ['system blocks', { system: [{ type: 'text', text: sentence }] }, { system: [{ type: 'text', text: sentence }, { type: 'text', text: sentence }] }],
    ['a tool', {}, { tools: [tool('a')] }],
    ['a second tool', { tools: [tool('a')] }, { tools: [tool('a'), tool('b')] }],
    ['a longer message', {}, { messages: [{ role: 'user', content: sentence }] }],
    ['a turn with a tool', {}, { messages: turn('x') }],
    ['a longer result', { messages: turn('x') }, { messages: turn([{ type: 'text', text: sentence }]) }],
    ['a picture', {}, { messages: [{ role: 'user', content: [{ type: 'text', text: 'hello' }, { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } }] }] }],
  ]) {
    const [before, after] = [await count(less), await count(more)];
    assert.ok(after > before + 5, `${what}: ${before} and ${after}`);
  }
  const [hundred, thousand] = [await count({ system: sentence.repeat(100) }), await count({ system: sentence.repeat(1_000) })];
  assert.ok(hundred > 800 && hundred < 1_600, `an English word is about a token: ${hundred} for 1,000`);
  assert.ok(Math.abs(thousand / hundred - 10) < 0.5, `${thousand}`);
  const chinese = await count({ system: '今天天气很好我们去公园散步吧'.repeat(100) });
  assert.ok(chinese > 500 && chinese < 2_100, `${chinese} for 1,400 characters`);
});

test('deferred tools and the billing block are not counted', async () => {
  assert.equal(await count({ tools: [tool('a'), { ...tool('b'), defer_loading: true }] }), await count({ tools: [tool('a')] }));
  const billing = { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.329.a1b; cc_entrypoint=cli' };
  assert.equal(await count({ system: [billing, { type: 'text', text: sentence }] }), await count({ system: [{ type: 'text', text: sentence }] }));
});

test('many counts at once take no account and ask no upstream', async () => {
  const counts = await Promise.all(Array.from({ length: 60 }, (_, at) => count({}, { path: `${at % 2 ? '/anthropic' : ''}/v1/messages/count_tokens?beta=true` })));
  assert.equal(new Set(counts).size, 1);
  assert.equal(sim.requests.length, 0);
  assert.equal((await weir.account('alpha-1')).usage.rpd, 0);
});

test('a body that a message could not have is refused here too', async () => {
  const refused = (body, message) => weir.call('POST', '/v1/messages/count_tokens', { body }).then((answer) => checkError(answer, 400, message));
  await refused({ model: 'alpha' }, /messages/);
  await refused({ model: 'alpha', messages: [] }, /messages/);
  await refused({ messages: hello }, /model/);
  await refused({ model: 'alpha', messages: [{ role: 'user', content: [{ type: 'text' }] }] }, /text/);
  checkError(await weir.call('POST', '/v1/messages/count_tokens', { raw: '{' }), 400);
});

// ------------------------------------------------------------------------------------------------- models

async function list(query = '', options = {}) {
  const answer = await weir.call('GET', `${options.path ?? '/anthropic/v1/models'}${query}`, options);
  assert.equal(answer.status, 200, answer.text);
  const { data, first_id: first, last_id: last, has_more: more, object } = answer.json;
  assert.deepEqual([object, typeof more], ['list', 'boolean']);
  assert.deepEqual([first, last], [data[0]?.id ?? null, data.at(-1)?.id ?? null]);
  data.forEach(checkModel);
  return { ids: data.map(({ id }) => id), more };
}

function checkModel(model) {
  assert.deepEqual([model.type, model.object], ['model', 'model']);
  for (const field of ['id', 'display_name', 'owned_by']) assert.ok(typeof model[field] === 'string' && model[field] !== '', `${field}: ${JSON.stringify(model)}`);
  assert.match(model.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
}

test('the list holds every model and alias, in both shapes, under both base URLs', async () => {
  const { ids, more } = await list();
  for (const name of [...names, 'claude-of-mine']) assert.ok(ids.includes(name), name);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(more, false);
  for (const version of ['2023-06-01', '2026-10-21']) {
    assert.deepEqual((await list('?limit=1000', { path: '/v1/models', key: null, headers: { 'x-api-key': CLIENT_KEY, 'anthropic-version': version } })).ids, ids);
  }
  assert.deepEqual((await list('?limit=1000&beta=true&unheard_of=1')).ids, ids);
  assert.deepEqual((await list('', { key: 'sk-weir-narrow-key' })).ids.filter((id) => names.includes(id)), ['beta']);
});

test('pages forwards and backwards give every model once, and end', async () => {
  const { ids } = await list();
  const forwards = [];
  for (let page = await list('?limit=2'); ; page = await list(`?limit=2&after_id=${encodeURIComponent(forwards.at(-1))}`)) {
    assert.ok(page.ids.length > 0 && page.ids.length <= 2);
    forwards.push(...page.ids);
    assert.equal(page.more, forwards.length < ids.length, forwards.join());
    if (!page.more) break;
  }
  assert.deepEqual(forwards, ids);

  const backwards = [ids.at(-1)];
  for (let more = true; more; ) {
    const page = await list(`?limit=2&before_id=${encodeURIComponent(backwards[0])}`);
    backwards.unshift(...page.ids);
    more = page.more;
    assert.equal(more, backwards.length < ids.length, backwards.join());
  }
  assert.deepEqual(backwards, ids);
  assert.deepEqual(await list(`?after_id=${encodeURIComponent(ids.at(-1))}`), { ids: [], more: false });
});

test('one model, its name percent-encoded or not, or none', async () => {
  for (const [path, id] of [['alpha', 'alpha'], ['vendor%2Fmodel', 'vendor/model'], ['vendor/model', 'vendor/model'], ['claude-of-mine', 'claude-of-mine']]) {
    const answer = await weir.call('GET', `/anthropic/v1/models/${path}`);
    assert.deepEqual([answer.status, answer.json.id], [200, id], answer.text);
    checkModel(answer.json);
  }
  checkError(await weir.call('GET', '/anthropic/v1/models/unheard-of'), 404, /unheard-of/);
  checkError(await weir.call('GET', '/anthropic/v1/models/alpha', { key: 'sk-weir-narrow-key' }), 404);
});
