// POST /v1/responses: what of a request reaches the upstream, and what is refused.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';
import { callsOf, parts, whole } from './responses.mjs';

let sim, thinker, chat, weir;

before(async () => {
  [sim, thinker, chat] = await Promise.all([startSimulator(), startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount('one@example.com');
  const config = pools(sim, { plain: {}, thinking: { at: thinker, upstream: { reasoning: 'thinking' } } });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push({ id: 'one', email: 'one@example.com', password: 'password-of-one@example.com', limits: { min_gap_ms: 0 } });
  weir = await start({ config });
});
beforeEach(() => [sim, thinker, chat].forEach((one) => one.reset()));
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), thinker?.close(), chat?.close()]);
});

/** What the simulated OpenAI-format upstream receives of a request. */
async function received(body) {
  await whole(weir, { model: 'plain', input: 'hello', ...body });
  return sim.last.body;
}

/** What the simulated DeepSeek chat is told. */
async function told(body, text = 'Yes.') {
  chat.script = () => ({ text: [text] });
  await whole(weir, { model: 'deepseek-chat', input: 'hello', ...body });
  return chat.requests.findLast(({ path }) => path.endsWith('/chat/completion')).body;
}

/** Messages with their contents as parts; `developer` and `system` are the same thing (C1). */
const plainly = (messages) =>
  messages.map(({ role, content, tool_calls, tool_call_id, name }) => ({
    role: role === 'developer' ? 'system' : role,
    ...(parts(content).length > 0 && { content: parts(content) }),
    ...(tool_calls && { tool_calls }),
    ...(tool_call_id && { tool_call_id }),
    ...(name && { name }),
  }));
const said = (role, ...texts) => ({ role, content: [{ type: 'text', text: texts.join('\n') }] });
const called = (id, name, json) => ({ id, type: 'function', function: { name, arguments: json } });
const tool = (name, properties = { a: { type: 'string' } }) => ({ type: 'function', name, description: `Does ${name}.`, parameters: { type: 'object', properties }, strict: true });
const offered = (name, properties = { a: { type: 'string' } }) => ({ type: 'function', function: { name, description: `Does ${name}.`, parameters: { type: 'object', properties }, strict: true } });

test('a string is what the user said; instructions come first', async () => {
  const body = await received({ instructions: 'Be brief.', input: 'Grüße 好' });
  assert.deepEqual(plainly(body.messages), [said('system', 'Be brief.'), said('user', 'Grüße 好')]);
  assert.deepEqual(plainly((await received({})).messages), [said('user', 'hello')]);
});

const png = 'data:image/png;base64,iVBORw0KGgo=';
const items = {
  'messages with and without a type, of every role': [
    [
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'D' }] },
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U1' },
      { type: 'message', role: 'assistant', id: 'msg_1', status: 'completed', content: [{ type: 'output_text', text: 'A', annotations: [], logprobs: [] }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'U2' }, { type: 'input_text', text: 'U3' }] },
    ],
    [said('system', 'D'), said('system', 'S'), said('user', 'U1'), said('assistant', 'A'), said('user', 'U2', 'U3')],
  ],
  'an image as a bare string': [
    [{ role: 'user', content: [{ type: 'input_text', text: 'See:' }, { type: 'input_image', image_url: png, detail: 'low' }, { type: 'input_image', image_url: 'https://example.org/a.png' }] }],
    [{ role: 'user', content: [
      { type: 'text', text: 'See:' },
      { type: 'image_url', image_url: { url: png, detail: 'low' } },
      { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
    ] }],
  ],
  'a call and its result': [
    [
      { role: 'user', content: 'Q' },
      { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'f', arguments: '{ "a" : "b" }', status: 'completed' },
      { type: 'function_call_output', call_id: 'call_1', output: 'R' },
    ],
    [said('user', 'Q'), { role: 'assistant', tool_calls: [called('call_1', 'f', '{ "a" : "b" }')] }, { ...said('tool', 'R'), tool_call_id: 'call_1' }],
  ],
  'a text and parallel calls are one message; the results keep their order': [
    [
      { role: 'user', content: 'Q' },
      { role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
      { type: 'function_call', call_id: 'call_1', name: 'f', arguments: '{}' },
      { type: 'function_call', call_id: 'call_2', name: 'f', arguments: 'no json' },
      { type: 'function_call_output', call_id: 'call_2', output: 'second' },
      { type: 'function_call_output', call_id: 'call_1', output: 'first' },
      { role: 'user', content: 'And?' },
    ],
    [
      said('user', 'Q'), { ...said('assistant', 'I look.'), tool_calls: [called('call_1', 'f', '{}'), called('call_2', 'f', 'no json')] },
      { ...said('tool', 'second'), tool_call_id: 'call_2' }, { ...said('tool', 'first'), tool_call_id: 'call_1' }, said('user', 'And?'),
    ],
  ],
  'a result in parts': [
    [
      { role: 'user', content: 'Q' },
      { type: 'function_call', call_id: 'call_1', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: [{ type: 'input_text', text: 'R1' }, { type: 'input_text', text: 'R2' }] },
    ],
    [said('user', 'Q'), { role: 'assistant', tool_calls: [called('call_1', 'f', '{}')] }, { ...said('tool', 'R1', 'R2'), tool_call_id: 'call_1' }],
  ],
  'a custom call and its result': [
    [
      { role: 'user', content: 'Q' },
      { type: 'custom_tool_call', id: 'ctc_1', call_id: 'call_1', name: 'apply_patch', input: 'a\n"b"' },
      { type: 'custom_tool_call_output', call_id: 'call_1', output: [{ type: 'input_text', text: 'Done' }] },
      { type: 'custom_tool_call', call_id: 'call_2', name: 'apply_patch', input: '' },
      { type: 'custom_tool_call_output', call_id: 'call_2', output: 'Nothing' },
    ],
    [
      said('user', 'Q'), { role: 'assistant', tool_calls: [called('call_1', 'apply_patch', '{"input":"a\\n\\"b\\""}')] }, { ...said('tool', 'Done'), tool_call_id: 'call_1' },
      { role: 'assistant', tool_calls: [called('call_2', 'apply_patch', '{"input":""}')] }, { ...said('tool', 'Nothing'), tool_call_id: 'call_2' },
    ],
  ],
  'a namespaced call, under its flat name': [
    [
      { role: 'user', content: 'Q' },
      { type: 'function_call', call_id: 'call_1', namespace: 'multi_agent_v1', name: 'spawn_agent', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'R' },
    ],
    [said('user', 'Q'), { role: 'assistant', tool_calls: [called('call_1', 'multi_agent_v1__spawn_agent', '{}')] }, { ...said('tool', 'R'), tool_call_id: 'call_1' }],
  ],
  'unknown items are passed over': [
    [{ type: 'item_of_next_year', deep: [1] }, { role: 'user', content: 'Q' }, { type: 'compaction', encrypted_content: 'x' }, { type: 'reasoning', summary: [], encrypted_content: 'gAAAA' }],
    [said('user', 'Q')],
  ],
};
for (const [name, [input, messages]] of Object.entries(items)) {
  test(`input: ${name}`, async () => {
    const answer = await received({ input });
    assert.deepEqual(plainly(answer.messages), messages);
  });
}

test('input: a thought goes back to an upstream that insists on it, and no other sees it as text (C4)', async () => {
  const input = [
    { role: 'user', content: 'Q' },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'I must look.' }], encrypted_content: 'opaque' },
    { type: 'function_call', call_id: 'call_1', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 'call_1', output: 'R' },
  ];
  await whole(weir, { model: 'thinking', input });
  assert.equal(thinker.last.body.messages[1].reasoning_content, 'I must look.');
  // Without one, as some clients do: the upstream would answer 400 to a missing field.
  await whole(weir, { model: 'thinking', input: input.filter(({ type }) => type !== 'reasoning') });
  assert.equal(typeof thinker.last.body.messages[1].reasoning_content, 'string');
  const { messages } = await received({ input });
  assert.deepEqual(messages.map(({ role }) => role), ['user', 'assistant', 'tool']);
  assert.ok(!JSON.stringify(messages).includes('opaque'));
  assert.deepEqual(parts(messages[1].content), []);
});

test('input: an image in a result does not end the session (C7, A16)', async () => {
  const input = [
    { role: 'user', content: 'Q' },
    { type: 'function_call', call_id: 'call_1', name: 'view', arguments: '{}' },
    { type: 'function_call_output', call_id: 'call_1', output: [{ type: 'input_text', text: 'A picture:' }, { type: 'input_image', image_url: png }] },
  ];
  const { messages } = await received({ input });
  const result = messages.find(({ role }) => role === 'tool');
  assert.deepEqual([result.tool_call_id, parts(result.content)[0]], ['call_1', { type: 'text', text: 'A picture:' }]);
  assert.ok(parts(result.content).every(({ type }) => type === 'text'), 'a tool message holds text only');
  assert.match((await told({ input })).prompt, /A picture:/);
});

test('input: an image that the user shows to a text-only upstream is refused by name (C7)', async () => {
  const input = [{ role: 'user', content: [{ type: 'input_text', text: 'See:' }, { type: 'input_image', image_url: png }] }];
  const answer = await weir.call('POST', '/v1/responses', { body: { model: 'deepseek-chat', input } });
  assert.equal(answer.status, 400, answer.text);
  assert.equal(answer.json.error.param, 'input[0].content[1]');
});

test('input: a text-only upstream is told of calls and results, custom and namespaced ones too', async () => {
  const { prompt } = await told({
    instructions: 'Be brief.',
    input: [
      { role: 'developer', content: 'Mind the gap.' },
      { role: 'user', content: 'Question?' },
      { type: 'function_call', call_id: 'call_1', namespace: 'agents', name: 'spawn', arguments: '{"a":"one"}' },
      { type: 'custom_tool_call', call_id: 'call_2', name: 'apply_patch', input: 'the patch' },
      { type: 'custom_tool_call_output', call_id: 'call_2', output: 'patched' },
      { type: 'function_call_output', call_id: 'call_1', output: 'spawned' },
    ],
    tools: [tool('f'), { type: 'custom', name: 'apply_patch', description: 'Patches.' }, { type: 'namespace', name: 'agents', tools: [tool('spawn')] }],
  });
  let at = -1;
  for (const part of ['Question?', '<invoke name="agents__spawn">', 'one', '<invoke name="apply_patch">', 'the patch', 'spawned', 'patched']) {
    at = prompt.indexOf(part, at + 1);
    assert.ok(at >= 0, `${part} is missing, or too early, in: ${prompt}`);
  }
  for (const part of ['Be brief.', 'Mind the gap.', '- f: Does f.', '- apply_patch: Patches.', '- agents__spawn: Does spawn.']) assert.ok(prompt.includes(part), part);
});

test('tools are offered flat: functions as they are, custom ones with one input, namespaces spelled out (R5, R7)', async () => {
  const body = await received({
    tools: [
      tool('f'), { type: 'web_search' }, { type: 'custom', name: 'apply_patch', description: 'Patches.', format: { type: 'text' } },
      { type: 'namespace', name: 'agents', description: 'Agents.', tools: [tool('spawn'), tool('wait')] }, { type: 'image_generation' },
    ],
  });
  const [f, patch, ...agents] = body.tools;
  assert.deepEqual([f, ...agents], [offered('f'), { ...offered('spawn'), function: { ...offered('spawn').function, name: 'agents__spawn' } }, { ...offered('wait'), function: { ...offered('wait').function, name: 'agents__wait' } }]);
  assert.equal(patch.function.name, 'apply_patch');
  assert.match(patch.function.description, /^Patches\./);
  assert.deepEqual([Object.keys(patch.function.parameters.properties), patch.function.parameters.properties.input.type, patch.function.parameters.required], [['input'], 'string', ['input']]);
});

test('tools that no upstream has leave neither an empty list nor a choice behind', async () => {
  const body = await received({ tools: [{ type: 'web_search' }, { type: 'local_shell' }], tool_choice: 'auto', parallel_tool_calls: true });
  for (const field of ['tools', 'tool_choice', 'parallel_tool_calls']) assert.ok(!(field in body), field);
});

test('the grammar of a custom tool reaches the model', async () => {
  const definition = 'start: begin_patch hunk+ end_patch';
  const body = await received({ tools: [{ type: 'custom', name: 'apply_patch', description: 'Patches.', format: { type: 'grammar', syntax: 'lark', definition } }] });
  assert.ok(JSON.stringify(body.tools).includes(definition));
});

test('additional_tools in the input are tools like the others (R6)', async () => {
  sim.next(secretOf('plain-1'), { is: 'ok', tools: [called('call_x', 'functions__exec', '{"input":"ls"}')] });
  const exec = { type: 'custom', name: 'exec', description: 'Runs.', format: { type: 'grammar', syntax: 'lark', definition: 'start: /.+/' } };
  const { response } = await whole(weir, {
    model: 'plain', tools: [tool('f')],
    input: [{ type: 'additional_tools', role: 'developer', tools: [{ type: 'namespace', name: 'functions', tools: [exec] }] }, { role: 'user', content: 'Q' }],
  });
  assert.deepEqual(plainly(sim.last.body.messages), [said('user', 'Q')]);
  assert.deepEqual(sim.last.body.tools.map((one) => one.function.name), ['f', 'functions__exec']);
  assert.equal(response.output.at(-1).type, 'custom_tool_call');
  assert.deepEqual(callsOf(response), [['functions', 'exec', 'ls']]);
});

test('tool_choice in all its forms', async () => {
  const tools = [tool('f'), tool('g'), { type: 'custom', name: 'apply_patch' }];
  const choose = async (tool_choice) => (await received({ tools, tool_choice })).tool_choice;
  for (const choice of ['none', 'auto', 'required']) assert.equal((await choose(choice)) ?? 'auto', choice);
  assert.deepEqual(await choose({ type: 'function', name: 'g' }), { type: 'function', function: { name: 'g' } });
  assert.deepEqual(await choose({ type: 'custom', name: 'apply_patch' }), { type: 'function', function: { name: 'apply_patch' } });
  for (const mode of ['auto', 'required']) {
    const body = await received({ tools, tool_choice: { type: 'allowed_tools', mode, tools: [{ type: 'function', name: 'g' }] } });
    const passed = body.tool_choice?.allowed_tools;
    // Either the upstream's own form of it, or only the allowed tools.
    assert.deepEqual((passed?.tools ?? body.tools).map((one) => one.function.name), ['g']);
    assert.equal(passed?.mode ?? body.tool_choice ?? 'auto', mode);
  }
});

test('a forced call is forced on a text-only upstream too (C10)', async () => {
  chat.script = () => ({ text: ['I would rather not.'] });
  for (const tool_choice of ['required', { type: 'function', name: 'f' }]) {
    const answer = await weir.call('POST', '/v1/responses', { body: { model: 'deepseek-chat', input: 'hello', tools: [tool('f')], tool_choice } });
    assert.deepEqual([answer.status, /did not call/.test(answer.json.error.message)], [502, true], answer.text);
  }
});

test('text.format becomes response_format (flat there, nested here)', async () => {
  const schema = { type: 'object', properties: { z: { type: 'string' }, a: { type: 'integer' } }, required: ['z', 'a'], additionalProperties: false };
  const format = async (text) => (await received({ text })).response_format;
  assert.deepEqual(await format({ format: { type: 'json_schema', name: 'thing', schema, strict: true } }), { type: 'json_schema', json_schema: { name: 'thing', schema, strict: true } });
  assert.deepEqual(await format({ format: { type: 'json_object' } }), { type: 'json_object' });
  assert.equal((await format({ format: { type: 'text' }, verbosity: 'low' }))?.type ?? 'text', 'text');
  assert.match((await told({ text: { format: { type: 'json_object' } } }, '{"a": 1}')).prompt, /one JSON object/);
  assert.match((await told({ text: { format: { type: 'json_schema', name: 'thing', schema } } }, '{"z": "1", "a": 1}')).prompt, /JSON schema[^]*additionalProperties/);
});

test('limits, sampling and effort go upstream under the names of chat', async () => {
  const given = { max_output_tokens: 321, temperature: 0.25, top_p: 0.5, reasoning: { effort: 'low', summary: 'auto' }, parallel_tool_calls: false, tools: [tool('f')], user: 'someone' };
  const body = await received(given);
  assert.equal(body.max_completion_tokens ?? body.max_tokens, 321);
  assert.ok(!('max_completion_tokens' in body && 'max_tokens' in body), 'Ark refuses both');
  assert.deepEqual([body.temperature, body.top_p, body.reasoning_effort, body.parallel_tool_calls], [0.25, 0.5, 'low', false]);
  for (const field of ['input', 'instructions', 'max_output_tokens', 'reasoning', 'text', 'include', 'previous_response_id']) assert.ok(!(field in body), field);
  await weir.call('POST', '/v1/responses', { body: { model: 'plain', input: 'hello', stream: true } });
  assert.deepEqual([sim.last.body.stream, sim.last.body.stream_options.include_usage], [true, true]);
});

test('effort none does not think, on an upstream that can be told so', async () => {
  assert.equal((await told({ model: 'deepseek-reasoner' })).thinking_enabled, true);
  assert.equal((await told({ model: 'deepseek-reasoner', reasoning: { effort: 'none' } })).thinking_enabled, false);
});

test('a cut at max_output_tokens on a text-only upstream is incomplete', async () => {
  chat.script = () => ({ text: Array.from({ length: 400 }, (_, at) => `word-${at} `) });
  const { response } = await whole(weir, { model: 'deepseek-chat', input: 'hello', max_output_tokens: 20 });
  assert.deepEqual([response.status, response.incomplete_details], ['incomplete', { reason: 'max_output_tokens' }]);
  assert.ok(response.usage.output_tokens <= 40, JSON.stringify(response.usage));
});

test('the client\'s own headers and key stay here', async () => {
  await weir.call('POST', '/v1/responses', { body: { model: 'plain', input: 'hello' }, headers: { 'session-id': 'abc', originator: 'codex_exec', 'x-codex-turn-metadata': '{}' } });
  assert.equal(sim.last.headers.authorization, `Bearer ${secretOf('plain-1')}`);
  for (const name of ['session-id', 'originator', 'x-codex-turn-metadata']) assert.equal(sim.last.headers[name], undefined);
  assert.ok(!JSON.stringify(sim.last.headers).includes(CLIENT_KEY));
});
