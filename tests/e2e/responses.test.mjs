// POST /v1/responses: the answer, whole and as events, over an upstream with tools of its own and over one without.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Raw } from './client.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';
import { callsOf, checkItem, streamed, textOf, thoughtsOf, whole } from './responses.mjs';

let sim, thinker, chat, weir;

before(async () => {
  [sim, thinker, chat] = await Promise.all([startSimulator(), startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount('one@example.com');
  const broken = Object.fromEntries(['cut', 'truncate', 'event_error', 'stall', 'garbage', 'early'].map((name) => [`broken-${name}`, {}]));
  const config = pools(sim, { plain: {}, thinking: { at: thinker, upstream: { reasoning: 'thinking' } }, daily: { limits: { rpd: 1 } }, minutely: { limits: { rpm: 1 } }, ...broken });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push({ id: 'one', email: 'one@example.com', password: 'password-of-one@example.com', limits: { min_gap_ms: 0 } });
  const settings = { queue: { max_wait_ms: 1_000 }, deadlines: { stall_ms: 1_500 } };
  weir = await start({ config: { ...config, settings } });
});
beforeEach(() => [sim, thinker, chat].forEach((one) => one.reset()));
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), thinker?.close(), chat?.close()]);
});

const says = (account, options) => (account === 'thinking-1' ? thinker : sim).next(secretOf(account), options);
const weather = { type: 'function', name: 'get_weather', description: 'The weather.', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }, strict: false };
const call = (id, name, given) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(given) } });

/** How each kind of upstream is brought to think, to speak and to call; `calls` are `[name, arguments]`. */
const upstreams = {
  'native tools': {
    model: 'thinking',
    plan({ reasoning = [], text, calls = [] }) {
      says('thinking-1', { reasoning, text, tools: calls.map(([name, given], at) => call(`call_${at}`, name, given)) });
    },
  },
  'emulated tools': {
    model: 'deepseek-reasoner',
    plan({ reasoning = [], text = [], calls = [] }) {
      const parameters = (given) => Object.entries(given).map(([name, value]) => `<parameter name="${name}"><![CDATA[${value}]]></parameter>\n`).join('');
      const block = calls.map(([name, given]) => `<invoke name="${name}">\n${parameters(given)}</invoke>\n`).join('');
      const written = calls.length > 0 ? `\n\n<tool_calls>\n${block}</tool_calls>`.match(/[^]{1,9}/gu) : [];
      chat.script = () => ({ thinking: reasoning, text: [...text, ...written] });
    },
  },
};

/** The same request whole and streamed, each checked, and the two compared. */
async function both(upstream, plan, body) {
  const request = { model: upstream.model, input: 'hello', ...body };
  upstream.plan(plan);
  const events = await streamed(weir, request);
  upstream.plan(plan);
  const { response } = await whole(weir, request);
  response.output.forEach(checkItem);
  for (const part of [textOf, thoughtsOf, callsOf]) assert.deepEqual(part(events.response), part(response));
  assert.deepEqual(Object.keys(events.response).sort(), Object.keys(response).sort());
  assert.deepEqual(events.response.usage, response.usage);
  assert.equal(events.response.status, response.status);
  return { ...events, object: response };
}

for (const [kind, upstream] of Object.entries(upstreams)) {
  test(`${kind}: a text is one message, event by event`, async () => {
    const text = ['One ', 'schön ', '好的 👍🏽'];
    const { types, items, response, headers } = await both(upstream, { text }, {});
    assert.deepEqual([...new Set(types)], [
      'response.created', 'response.in_progress', 'response.output_item.added', 'response.content_part.added', 'response.output_text.delta',
      'response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.completed',
    ]);
    assert.deepEqual(items.map(({ type, status }) => [type, status]), [['message', 'completed']]);
    assert.equal(textOf(response), text.join(''));
    assert.equal(headers.get('x-weir-attempts'), '1');
    assert.equal(headers.get('x-weir-model'), upstream.model);
    assert.ok(headers.get('x-request-id'));
  });

  test(`${kind}: a thought is a reasoning item with a summary, before the message`, async () => {
    const { types, items, response } = await both(upstream, { reasoning: ['Hm, ', '想一想.'], text: ['Yes.'] }, {});
    assert.deepEqual(items.map(({ type }) => type), ['reasoning', 'message']);
    assert.deepEqual([thoughtsOf(response), textOf(response)], ['Hm, 想一想.', 'Yes.']);
    const thinking = types.slice(2, types.indexOf('response.output_item.done') + 1);
    assert.deepEqual([...new Set(thinking)], [
      'response.output_item.added', 'response.reasoning_summary_part.added', 'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done', 'response.reasoning_summary_part.done', 'response.output_item.done',
    ]);
    assert.ok(response.usage.output_tokens_details.reasoning_tokens > 0);
  });

  test(`${kind}: a thought, a text and parallel calls, in this order`, async () => {
    const calls = [['get_weather', { city: 'größe "x" 🌡' }], ['get_weather', { city: 'Oslo' }]];
    const { items, types, response } = await both(upstream, { reasoning: ['Look.'], text: ['I look.'], calls }, { tools: [weather] });
    assert.deepEqual(items.map(({ type }) => type), ['reasoning', 'message', 'function_call', 'function_call']);
    assert.deepEqual(callsOf(response), calls);
    assert.equal(response.status, 'completed');
    assert.equal(new Set(items.slice(2).map(({ call_id }) => call_id)).size, 2);
    assert.equal(textOf(response).trim(), 'I look.');
    const last = types.slice(types.lastIndexOf('response.output_item.added'));
    assert.deepEqual([...new Set(last)], [
      'response.output_item.added', 'response.function_call_arguments.delta', 'response.function_call_arguments.done', 'response.output_item.done', 'response.completed',
    ]);
  });

  test(`${kind}: call ids never come again (T12)`, async () => {
    const ids = [];
    for (let turn = 0; turn < 3; turn += 1) {
      upstream.plan({ calls: [['get_weather', { city: 'Oslo' }]] });
      const { items } = await streamed(weir, { model: upstream.model, input: 'hello', tools: [weather] });
      ids.push(...items.flatMap(({ id, call_id }) => [id, call_id].filter(Boolean)));
    }
    assert.equal(new Set(ids).size, ids.length, `some services count from call_0 in every answer: ${ids.join(' ')}`);
  });

  test(`${kind}: a call without arguments is given {}`, async () => {
    const tools = [{ type: 'function', name: 'now', parameters: { type: 'object', properties: {} } }];
    const { items } = await both(upstream, { calls: [['now', {}]] }, { tools });
    assert.equal(items.at(-1).arguments, '{}');
  });

  test(`${kind}: a custom tool's call comes back as one, with its input bare`, async () => {
    const tools = [{ type: 'custom', name: 'apply_patch', description: 'Patches.', format: { type: 'grammar', syntax: 'lark', definition: 'start: /.+/' } }, weather];
    const input = '*** Begin Patch\n"quoted" \\ 好\n*** End Patch';
    const { items, types, response } = await both(upstream, { calls: [['apply_patch', { input }], ['get_weather', { city: 'Rome' }]] }, { tools });
    assert.deepEqual(items.filter(({ type }) => type !== 'message' && type !== 'reasoning').map(({ type }) => type), ['custom_tool_call', 'function_call']);
    assert.deepEqual(callsOf(response), [['apply_patch', input], ['get_weather', { city: 'Rome' }]]);
    assert.ok(types.includes('response.custom_tool_call_input.done'));
  });

  test(`${kind}: a namespaced tool's call is split again (R7)`, async () => {
    const inner = (name) => ({ type: 'function', name, parameters: { type: 'object', properties: { city: { type: 'string' } } } });
    const tools = [inner('plain_tool'), { type: 'namespace', name: 'multi_agent_v1', description: 'Agents.', tools: [inner('spawn_agent'), inner('wait__for')] }];
    const calls = [['multi_agent_v1__spawn_agent', { city: 'a' }], ['multi_agent_v1__wait__for', { city: 'b' }], ['plain_tool', { city: 'c' }]];
    const { items, response } = await both(upstream, { calls }, { tools });
    assert.deepEqual(callsOf(response), [['multi_agent_v1', 'spawn_agent', { city: 'a' }], ['multi_agent_v1', 'wait__for', { city: 'b' }], ['plain_tool', { city: 'c' }]]);
    assert.ok(!('namespace' in items.at(-1)) || items.at(-1).namespace === null);
  });

  test(`${kind}: a name with __ that is no namespace stays whole`, async () => {
    const tools = [{ type: 'function', name: 'mcp__files__read', parameters: { type: 'object', properties: { path: { type: 'string' } } } }];
    const { response } = await both(upstream, { calls: [['mcp__files__read', { path: 'a' }]] }, { tools });
    assert.deepEqual(callsOf(response), [['mcp__files__read', { path: 'a' }]]);
  });

  test(`${kind}: the whole object (R20)`, async () => {
    const given = {
      instructions: 'Be brief.', tools: [weather], tool_choice: 'auto', parallel_tool_calls: false, temperature: 0.5, top_p: 0.9,
      metadata: { a: 'b' }, max_output_tokens: 500, reasoning: { effort: 'high', summary: 'auto' }, text: { format: { type: 'text' } },
    };
    const { object } = await both(upstream, { text: ['Yes.'] }, given);
    assert.match(object.id, /^resp_[\w-]{20,}$/);
    assert.equal(object.object, 'response');
    assert.ok(Math.abs(object.created_at - Date.now() / 1000) < 60);
    for (const [field, value] of Object.entries({ status: 'completed', error: null, incomplete_details: null, model: upstream.model, instructions: 'Be brief.', parallel_tool_calls: false, tool_choice: 'auto', temperature: 0.5, top_p: 0.9, metadata: { a: 'b' }, max_output_tokens: 500 })) {
      assert.deepEqual(object[field], value, field);
    }
    assert.deepEqual(object.tools.map(({ type, name }) => [type, name]), [['function', 'get_weather']]);
    assert.equal(object.reasoning.effort, 'high');
    assert.deepEqual(object.text.format, { type: 'text' });
    const { usage } = object;
    assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0);
    assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
    for (const number of [usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens]) assert.ok(Number.isInteger(number));
  });
}

test('usage is the upstream\'s', async () => {
  const plan = { promptTokens: 40, reasoning: ['a', 'b', 'c'], text: ['d', 'e'] };
  for (const stream of [false, true]) {
    says('thinking-1', plan);
    const body = { model: 'thinking', input: 'hello' };
    const { usage } = (await (stream ? streamed(weir, body) : whole(weir, body))).response;
    assert.deepEqual([usage.input_tokens, usage.output_tokens, usage.total_tokens], [40, 5, 45]);
    assert.equal(usage.input_tokens_details.cached_tokens, 2);
    assert.equal(usage.output_tokens_details.reasoning_tokens, 3);
  }
});

test('an answer that was cut short is incomplete, and says why', async () => {
  for (const [finish, reason] of [['length', 'max_output_tokens'], ['content_filter', 'content_filter']]) {
    says('plain-1', { text: ['Once ', 'upon'], finish });
    const { response, items } = await streamed(weir, { model: 'plain', input: 'hello' });
    assert.deepEqual([response.status, response.incomplete_details], ['incomplete', { reason }]);
    assert.deepEqual([items[0].status, textOf(response)], ['incomplete', 'Once upon']);
    assert.ok(response.usage.output_tokens > 0);
    sim.reset();
    says('plain-1', { text: ['Once ', 'upon'], finish });
    const { response: object } = await whole(weir, { model: 'plain', input: 'hello' });
    assert.deepEqual([object.status, object.incomplete_details], ['incomplete', { reason }]);
  }
});

for (const behaviour of ['cut', 'truncate', 'event_error', 'stall']) {
  test(`a stream that breaks after its first words (${behaviour}) ends with response.failed (R14)`, async () => {
    says(`broken-${behaviour}-1`, { is: behaviour, after: 4 });
    const { types, response } = await streamed(weir, { model: `broken-${behaviour}`, input: 'hello' });
    assert.ok(types.includes('response.output_text.delta'), types.join(' '));
    assert.equal(types.at(-1), 'response.failed');
    assert.ok(!types.some((type) => type === 'response.completed' || type === 'response.output_item.done' || type === 'error'), types.join(' '));
    assert.equal(response.status, 'failed');
    assert.match(response.error.code, /^\w+$/);
    assert.ok(response.error.message.length > 10);
  });
}

test('garbage in a stream never passes for a good answer', async () => {
  says('broken-garbage-1', { is: 'garbage', after: 4 });
  assert.equal((await streamed(weir, { model: 'broken-garbage', input: 'hello' })).types.at(-1), 'response.failed');
});

test('a DeepSeek stream that breaks within its answer ends with response.failed', async () => {
  const gate = new Gate();
  chat.script = () => ({ text: ['One ', 'two ', 'three ', 'four '] });
  chat.next({ is: 'ok', gate, cut_at: 7 });
  gate.open(6);
  // It breaks once its first words have arrived.
  const onEvent = ({ type }) => type === 'response.output_text.delta' && gate.open();
  const { types, response } = await streamed(weir, { model: 'deepseek-chat', input: 'hello' }, { onEvent });
  assert.deepEqual([types.at(-1), response.status], ['response.failed', 'failed']);
});

test('what fails before the first word is a status, also for a stream', async () => {
  for (const stream of [false, true]) {
    sim.onKey(secretOf('broken-early-1'), { status: 500 });
    const answer = await weir.call('POST', '/v1/responses', { body: { model: 'broken-early', input: 'hello', stream } });
    assert.equal(answer.status, 502, answer.text);
    assert.match(answer.headers.get('content-type'), /^application\/json/);
    assert.deepEqual(Object.keys(answer.json.error).sort(), ['code', 'message', 'param', 'type']);
    for (const enabled of [false, true]) await weir.manage('PATCH', '/admin/accounts/broken-early-1', { enabled });
  }
});

test('a context that is too long keeps its code, which ends the turn of an agent', async () => {
  for (const stream of [false, true]) {
    says('plain-1', { status: 400, code: 'context_length_exceeded', message: 'maximum context length is 8192 tokens' });
    const answer = await weir.call('POST', '/v1/responses', { body: { model: 'plain', input: 'hello', stream } });
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'context_length_exceeded'], answer.text);
    sim.reset();
  }
});

test('a wait that is worth waiting has a Retry-After, a long one has none (B2)', async () => {
  const ask = (model, stream) => weir.call('POST', '/v1/responses', { body: { model, input: 'hello', stream } });
  for (const model of ['daily', 'minutely']) assert.equal((await ask(model, false)).status, 200);
  for (const stream of [false, true]) {
    const long = await ask('daily', stream);
    assert.deepEqual([long.status, long.json.error.code], [429, 'daily_limit'], long.text);
    assert.deepEqual([long.headers.get('retry-after'), long.headers.get('retry-after-ms')], [null, null]);
    assert.equal(long.headers.get('x-should-retry'), 'false');
    assert.match(long.json.error.message, /\d/, 'the time is in the message');
    const short = await ask('minutely', stream);
    assert.deepEqual([short.status, short.json.error.code], [429, 'rate_limited'], short.text);
    assert.ok(Number(short.headers.get('retry-after')) >= 1 && Number(short.headers.get('retry-after')) <= 60);
    assert.equal(short.headers.get('x-should-retry'), null);
  }
});

test('errors are JSON in the shape of OpenAI, and name the field', async () => {
  const model = 'plain';
  for (const [body, status, param] of [
    [{ input: 'hello' }, 400, 'model'],
    [{ model, input: 5 }, 400, 'input'],
    [{ model }, 400, 'input'],
    [{ model, input: [] }, 400, 'input'],
    [{ model, input: ['hello'] }, 400, 'input[0]'],
    [{ model, input: 'hello', stream: 'yes' }, 400, 'stream'],
    [{ model, input: 'hello', max_output_tokens: 'many' }, 400, 'max_output_tokens'],
    [{ model, input: 'hello', conversation: 'conv_1' }, 400, 'conversation'],
    [{ model, input: 'hello', background: true }, 400, 'background'],
    [{ model, input: 'hello', prompt: { id: 'pmpt_1' } }, 400, 'prompt'],
    [{ model, input: 'hello', tool_choice: { type: 'function', name: 'unheard_of' }, tools: [weather] }, 400, 'tool_choice'],
    [{ model: 'unheard-of', input: 'hello' }, 404, 'model'],
  ]) {
    for (const stream of 'stream' in body ? [body.stream] : [false, true]) {
      const answer = await weir.call('POST', '/v1/responses', { body: { ...body, stream } });
      assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`);
      assert.deepEqual(Object.keys(answer.json.error).sort(), ['code', 'message', 'param', 'type']);
      assert.deepEqual([answer.json.error.param, answer.json.error.type], [param, 'invalid_request_error'], answer.text);
    }
  }
  assert.equal((await weir.call('POST', '/v1/responses', { raw: '{' })).status, 400);
  assert.equal((await weir.call('POST', '/v1/responses', { key: null, body: { model, input: 'hello' } })).status, 401);
  assert.equal(sim.requests.length, 0, 'nothing of it reached an upstream');
});

test('fields that say nothing, and unknown ones, are no errors (T4)', async () => {
  const nothing = Object.fromEntries(
    ['instructions', 'previous_response_id', 'conversation', 'background', 'prompt', 'tools', 'tool_choice', 'parallel_tool_calls', 'reasoning', 'text', 'max_output_tokens', 'temperature', 'top_p', 'stream', 'store', 'include', 'metadata', 'user', 'truncation'].map((name) => [name, null]),
  );
  await whole(weir, { model: 'plain', input: 'hello', ...nothing });
  const some = { background: false, client_metadata: { a: '1' }, include: ['reasoning.encrypted_content'], service_tier: 'auto', top_logprobs: 0, truncation: 'disabled', prompt_cache_key: 'k', safety_identifier: 'x', a_field_of_next_year: { deep: [1] } };
  await streamed(weir, { model: 'plain', input: 'hello', ...some });
  await streamed(weir, { model: 'deepseek-chat', input: 'hello', ...some });
});

test('the key may come as x-api-key, the path may be doubled or end in a slash', async () => {
  const body = { model: 'plain', input: 'hello' };
  for (const path of ['/v1/responses', '//v1/responses', '/v1/responses/', '/v1/responses?beta=true']) {
    const answer = await weir.call('POST', path, { key: null, headers: { 'x-api-key': CLIENT_KEY }, body });
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  }
});

test('a WebSocket is refused with 426, which sends Codex to HTTPS at once (R3)', async () => {
  const headers = {
    authorization: `Bearer ${CLIENT_KEY}`, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'openai-beta': 'responses_websockets=2026-02-06',
  };
  const raw = new Raw(weir.url, { method: 'GET', path: '/v1/responses', headers });
  await raw.until(/\r\n\r\n/);
  assert.equal(raw.status, 426, raw.received);
  raw.fin();
  const plain = await weir.call('GET', '/v1/responses');
  assert.deepEqual([plain.status, plain.headers.get('allow')], [405, 'POST'], plain.text);
});
