// Anthropic's request as an OpenAI-format upstream receives it (api-conformance A10 to A22, §7): nothing lost, nothing foreign.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { create, hello, stream } from './claude-client.mjs';
import { pools, secretOf, start } from './harness.mjs';

let sim, official, weir;

before(async () => {
  sim = await startSimulator();
  official = await startSimulator({ profile: 'deepseek' });
  weir = await start({ config: { ...pools(sim, { plain: {}, thinks: { at: official, upstream: { reasoning: 'thinking' } }, untold: { at: official } }), settings: { max_attempts: 1 } } });
});
beforeEach(() => {
  sim.reset();
  official.reset();
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), official?.close()]);
});

/** What the upstream got for a body. */
async function sent(body) {
  await create(weir, { model: 'plain', ...body });
  return sim.last.body;
}

const textOf = (content) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? `[${part.type}]`).join('\n'));
const lines = (content) => textOf(content).split(/\n+/).filter((line) => line !== '');
/** Who says what, as pairs. */
const talk = (body) => body.messages.map(({ role, content }) => [role, lines(content).join(' | ')]);
const cached = { cache_control: { type: 'ephemeral' } };
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk';
const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } };

test('a text and its numbers', async () => {
  const body = await sent({ system: 'Be terse.', max_tokens: 128, temperature: 0.5, top_p: 0.9 });
  assert.deepEqual(talk(body), [['system', 'Be terse.'], ['user', 'hello']]);
  assert.deepEqual([body.model, body.max_tokens ?? body.max_completion_tokens, body.temperature, body.top_p], ['plain', 128, 0.5, 0.9]);
  for (const field of ['system', 'tools', 'tool_choice', 'response_format', 'reasoning_effort', 'thinking']) assert.ok(!(field in body), field);
});

test('max_tokens may be missing', async () => {
  assert.deepEqual(talk(await sent({ max_tokens: undefined })), [['user', 'hello']]);
});

test('what only Anthropic knows stays behind, and nothing of it is refused', async () => {
  const body = await sent({
    ...cached, metadata: { user_id: '{"device_id":"d","session_id":"s-of-metadata"}' }, service_tier: 'auto', speed: 'fast', inference_geo: 'us', container: null, diagnostics: {}, top_k: 40,
    context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] }, mcp_servers: [], fallbacks: [], billing_policy: 'x', a_field_of_next_year: { a: 1 }, betas: ['x'],
  });
  for (const foreign of ['cache_control', 'context_management', 'mcp_servers', 's-of-metadata', 'fallbacks', 'billing_policy', 'inference_geo', 'a_field_of_next_year', 'betas']) {
    assert.ok(!JSON.stringify(body).includes(foreign), foreign);
  }
});

test('system blocks are one text; the billing block is dropped', async () => {
  const system = [
    { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.329.a1b; cc_entrypoint=cli' },
    { type: 'text', text: 'You are Claude Code.', ...cached },
    { type: 'text', text: 'Be kind.' },
  ];
  const body = await sent({ system });
  assert.deepEqual(talk(body), [['system', 'You are Claude Code. | Be kind.'], ['user', 'hello']]);
  assert.ok(!sim.last.raw.includes('billing-header'));
  assert.ok(!sim.last.raw.includes('cache_control'));
  assert.deepEqual(talk(await sent({ system: system.slice(0, 1) })), [['user', 'hello']]);
  assert.deepEqual(talk(await sent({ system: '' })), [['user', 'hello']]);
});

test('system messages in the middle stay where they are, and both forms of one are the same', async () => {
  const talkWith = (content) => [
    { role: 'user', content: 'one' },
    { role: 'system', content },
    { role: 'assistant', content: [{ type: 'text', text: 'two' }] },
    { role: 'system', content: 'Later.', output_config: { effort: 'low' }, clear_at: 'x' },
    { role: 'user', content: [{ type: 'text', text: 'three', ...cached }, { type: 'text', text: 'four' }] },
  ];
  const body = await sent({ messages: talkWith('Reminder.') });
  assert.deepEqual(talk(body), [['user', 'one'], ['system', 'Reminder.'], ['assistant', 'two'], ['system', 'Later.'], ['user', 'three | four']]);
  const { raw } = sim.last;
  await sent({ messages: talkWith([{ type: 'text', text: 'Reminder.', ...cached }]) });
  assert.equal(sim.last.raw, raw);
});

test('a text is the same as a string and as one block', async () => {
  await sent({ messages: [{ role: 'user', content: 'a "b"\n' }] });
  const { raw } = sim.last;
  await sent({ messages: [{ role: 'user', content: [{ type: 'text', text: 'a "b"\n', ...cached }] }] });
  assert.equal(sim.last.raw, raw);
});

test('equal roles in a row, empty texts and an assistant that begins lose nothing', async () => {
  const messages = [{ role: 'assistant', content: 'zero' }, { role: 'user', content: 'one' }, { role: 'user', content: [{ type: 'text', text: 'two' }] }, { role: 'assistant', content: '' }, { role: 'assistant', content: 'three' }, { role: 'user', content: 'four' }];
  const body = await sent({ messages });
  assert.deepEqual(talk(body).map(([, text]) => text).filter(Boolean).join(' | '), 'zero | one | two | three | four');
});

test('pictures are image_url parts, in their place among texts', async () => {
  const url = { type: 'image', source: { type: 'url', url: 'https://example.org/a.jpg' }, ...cached };
  const body = await sent({ messages: [{ role: 'user', content: [{ type: 'text', text: 'A:' }, picture, { type: 'text', text: 'B:' }, url] }] });
  assert.deepEqual(body.messages[0].content, [
    { type: 'text', text: 'A:' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
    { type: 'text', text: 'B:' },
    { type: 'image_url', image_url: { url: 'https://example.org/a.jpg' } },
  ]);
});

test('documents: texts as text with their titles, a PDF as a file', async () => {
  const text = { type: 'document', title: 'A title', context: 'From a shelf.', citations: { enabled: true }, source: { type: 'text', media_type: 'text/plain', data: 'Plain words.' } };
  const blocks = { type: 'document', source: { type: 'content', content: [{ type: 'text', text: 'Nested words.' }] } };
  const found = { type: 'search_result', source: 'https://example.org', title: 'Found', content: [{ type: 'text', text: 'Found words.' }] };
  const plain = textOf((await sent({ messages: [{ role: 'user', content: [text, blocks, found, { type: 'text', text: 'Sum up.' }] }] })).messages[0].content);
  for (const part of ['A title', 'Plain words.', 'Nested words.', 'https://example.org', 'Found words.', 'Sum up.']) assert.ok(plain.includes(part), part);
  const pdf = { type: 'document', title: 'a.pdf', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' } };
  const [part] = (await sent({ messages: [{ role: 'user', content: [pdf, { type: 'text', text: 'Sum up.' }] }] })).messages[0].content;
  assert.deepEqual([part.type, part.file.file_data], ['file', 'data:application/pdf;base64,JVBERi0xLjQK']);
});

// ---------------------------------------------------------------------------------------------------- tools

const schema = { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', properties: { b: { type: 'string' }, a: { type: 'integer' } }, required: ['b'], additionalProperties: false };
const read = { name: 'Read', description: 'Reads a file.', input_schema: schema };

test('tools: name, description and schema, and nothing of Anthropic\'s own', async () => {
  const extras = { ...cached, defer_loading: false, eager_input_streaming: true, input_examples: [{ b: 'x' }], allowed_callers: ['direct'] };
  const body = await sent({ tools: [{ ...read, ...extras }, { type: 'custom', name: 'Bare', input_schema: { type: 'object' } }] });
  assert.deepEqual(body.tools, [
    { type: 'function', function: { name: 'Read', description: 'Reads a file.', parameters: schema } },
    { type: 'function', function: { name: 'Bare', parameters: { type: 'object' } } },
  ]);
});

test('dated server tools are dropped, also when nothing else is left', async () => {
  const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 8 };
  const both = await sent({ tools: [search, read, { type: 'tool_search_tool_regex_20251119', name: 'tool_search_tool_regex' }] });
  assert.deepEqual(both.tools.map((tool) => tool.function.name), ['Read']);
  const alone = await sent({ tools: [search], tool_choice: { type: 'auto' } });
  for (const field of ['tools', 'tool_choice', 'parallel_tool_calls']) assert.ok(!(field in alone), `${field} without tools is refused by OpenAI`);
  const none = await sent({ tools: [] });
  assert.ok(!('tools' in none));
});

test('deferred tools are hidden; a reference to one says that it is loaded', async () => {
  const hidden = { name: 'DeferredToolPlaceholder', input_schema: { type: 'object' }, defer_loading: true };
  const messages = [
    ...hello,
    { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_s', name: 'ToolSearch', input: { query: 'web' } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_s', content: [{ type: 'tool_reference', tool_name: 'WebFetch' }] }] },
  ];
  const body = await sent({ tools: [read, hidden], messages });
  assert.deepEqual(body.tools.map((tool) => tool.function.name), ['Read']);
  assert.match(textOf(body.messages.at(-1).content), /loaded: WebFetch/);
});

test('tool_choice in all its forms', async () => {
  for (const [tool_choice, choice, parallel] of [
    [undefined, 'auto', undefined],
    [{ type: 'auto' }, 'auto', undefined],
    [{ type: 'auto', disable_parallel_tool_use: true }, 'auto', false],
    [{ type: 'any' }, 'required', undefined],
    [{ type: 'any', disable_parallel_tool_use: true }, 'required', false],
    [{ type: 'tool', name: 'Read' }, { type: 'function', function: { name: 'Read' } }, undefined],
    [{ type: 'tool', name: 'Read', disable_parallel_tool_use: true }, { type: 'function', function: { name: 'Read' } }, false],
    [{ type: 'none' }, 'none', undefined],
  ]) {
    const body = await sent({ tools: [read], tool_choice });
    assert.deepEqual(body.tool_choice ?? 'auto', choice, JSON.stringify(tool_choice));
    assert.notEqual(body.parallel_tool_calls ?? true, parallel === false, JSON.stringify(tool_choice));
  }
});

/** A turn with two calls, and what came of them. */
const turn = (...results) => [
  { role: 'user', content: 'Go.' },
  {
    role: 'assistant',
    content: [
      { type: 'text', text: 'I go.' },
      { type: 'tool_use', id: 'toolu_01A', name: 'Read', input: { b: 'é"\n', a: 1, deep: { z: [1.5, null] } }, ...cached },
      { type: 'tool_use', id: 'toolu_01B', name: 'Read', input: {}, caller: { type: 'direct' } },
    ],
  },
  { role: 'user', content: results },
];
const result = (id, content, more) => ({ type: 'tool_result', tool_use_id: id, ...(content !== undefined && { content }), ...more });

test('calls are tool_calls with their arguments as a text', async () => {
  const body = await sent({ tools: [read], messages: turn(result('toolu_01A', 'A'), result('toolu_01B', 'B')) });
  const { role, content, tool_calls } = body.messages[1];
  assert.deepEqual([role, textOf(content)], ['assistant', 'I go.']);
  assert.deepEqual(tool_calls.map(({ id, type, function: { name, arguments: text } }) => [id, type, name, JSON.parse(text)]), [
    ['toolu_01A', 'function', 'Read', { b: 'é"\n', a: 1, deep: { z: [1.5, null] } }],
    ['toolu_01B', 'function', 'Read', {}],
  ]);
});

test('results in any order, among texts, follow their calls; the texts come after', async () => {
  const messages = turn({ type: 'text', text: 'before' }, result('toolu_01B', [{ type: 'text', text: 'B1' }, { type: 'text', text: 'B2', ...cached }]), { type: 'text', text: 'between' }, result('toolu_01A', 'A', cached));
  const body = await sent({ tools: [read], messages });
  assert.deepEqual(body.messages.map(({ role }) => role), ['user', 'assistant', 'tool', 'tool', 'user']);
  assert.deepEqual(Object.fromEntries(body.messages.slice(2, 4).map(({ tool_call_id: id, content }) => [id, lines(content)])), { toolu_01A: ['A'], toolu_01B: ['B1', 'B2'] });
  assert.deepEqual(lines(body.messages[4].content), ['before', 'between']);
});

test('a failed result is seen to have failed, an absent one is empty', async () => {
  const body = await sent({ tools: [read], messages: turn(result('toolu_01A', 'ENOENT', { is_error: true }), result('toolu_01B')) });
  const [failed, empty] = ['toolu_01A', 'toolu_01B'].map((id) => body.messages.find((message) => message.tool_call_id === id));
  assert.match(textOf(failed.content), /error.*ENOENT/is);
  assert.equal(typeof empty.content, 'string');
  assert.ok(!sim.last.raw.includes('is_error'));
});

test('pictures and documents in a result reach an upstream that takes pictures', async () => {
  const nested = [{ type: 'text', text: 'Here:' }, picture, { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Plain words.' } }];
  const body = await sent({ tools: [read], messages: turn(result('toolu_01A', nested), result('toolu_01B', [picture])) });
  assert.deepEqual(body.messages.slice(1, 4).map(({ role }) => role), ['assistant', 'tool', 'tool']);
  const texts = body.messages.filter(({ role }) => role === 'tool').map(({ content }) => textOf(content));
  assert.ok(texts.some((text) => text.includes('Here:') && text.includes('Plain words.')), JSON.stringify(texts));
  const pictures = body.messages.filter(({ role }) => role === 'user').flatMap(({ content }) => content).filter((part) => part.type === 'image_url');
  assert.deepEqual(pictures.map((part) => part.image_url.url), Array(2).fill(`data:image/png;base64,${PNG}`), 'OpenAI takes pictures from users only');
});

test('blocks of server tools in the history become text or nothing', async () => {
  const content = [
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'x' } },
    { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [{ type: 'web_search_result', url: 'https://example.org', title: 'T', encrypted_content: 'SEALED', page_age: null }] },
    { type: 'text', text: 'Found.', citations: [{ type: 'web_search_result_location', url: 'https://example.org', cited_text: 'x', encrypted_index: 'SEALED' }] },
  ];
  const body = await sent({ messages: [...hello, { role: 'assistant', content }, { role: 'user', content: [{ type: 'container_upload', file_id: 'file_1' }, { type: 'text', text: 'More.' }] }] });
  assert.deepEqual(body.messages.map(({ role }) => role), ['user', 'assistant', 'user']);
  assert.ok(textOf(body.messages[1].content).includes('Found.'));
  assert.equal(textOf(body.messages[2].content), 'More.');
  assert.ok(!sim.last.raw.includes('SEALED'));
});

test('what is shown goes to an upstream that looks at it, if any serves the model', async (context) => {
  const models = ['shared'];
  const config = pools(sim, { blind: { upstream: { models, images: false } }, looking: { upstream: { models } } });
  sim.addModels('shared');
  const own = await start({ config });
  context.after(() => own.stop());
  const shown = [{ role: 'user', content: [{ type: 'text', text: 'See:' }, picture] }];
  for (let turn = 0; turn < 4; turn += 1) {
    await create(own, { model: 'shared', messages: [{ role: 'user', content: `no. ${turn}` }, { role: 'assistant', content: 'Yes?' }, ...shown] });
    assert.equal(sim.last.key, secretOf('looking-1'));
  }
  const chat = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.org/a.jpg' } }] }];
  await own.chat({ model: 'shared', messages: chat });
  assert.equal(sim.last.key, secretOf('looking-1'));
});

// ------------------------------------------------------------------------------------- thoughts and formats

test('thoughts of a turn with tools are reasoning_content, whatever their signature; sealed ones are dropped', async () => {
  for (const signature of ['', 'of somebody else', 'EqQBCkYIBRgCKkA=']) {
    const messages = turn(result('toolu_01A', 'A'), result('toolu_01B', 'B'));
    messages[1].content.unshift({ type: 'thinking', thinking: 'Because.', signature }, { type: 'redacted_thinking', data: 'SEALED' });
    await create(weir, { model: 'thinks', thinking: { type: 'enabled', budget_tokens: 2048 }, tools: [read], messages });
    const assistant = official.last.body.messages.find(({ role }) => role === 'assistant');
    assert.equal(assistant.reasoning_content, 'Because.');
    assert.equal(assistant.tool_calls.length, 2);
    assert.ok(!official.last.raw.includes('SEALED') && !official.last.raw.includes('signature'));
  }
});

test('our own thoughts and calls go back unchanged, streamed or not', async () => {
  for (const answer of [create, stream]) {
    const body = { model: 'thinks', thinking: { type: 'adaptive' }, tools: [read] };
    const { message } = await answer(weir, body);
    assert.deepEqual(message.content.map(({ type }) => type), ['thinking', 'tool_use']);
    const [thought, call] = message.content;
    const { message: second } = await answer(weir, { ...body, messages: [...hello, { role: 'assistant', content: message.content }, { role: 'user', content: [result(call.id, 'Done.')] }] });
    assert.equal(second.stop_reason, 'end_turn');
    const [, assistant, told] = official.last.body.messages;
    assert.equal(assistant.reasoning_content, thought.thinking);
    assert.deepEqual([assistant.tool_calls[0].id, JSON.parse(assistant.tool_calls[0].function.arguments)], [told.tool_call_id, call.input]);
  }
});

test('an upstream that thinks unasked gets the thoughts of its calls back, though the client never saw them', async () => {
  for (const answer of [create, stream]) {
    const { message } = await answer(weir, { model: 'untold', tools: [read] });
    assert.deepEqual(message.content.map(({ type }) => type), ['tool_use']);
    const messages = [...hello, { role: 'assistant', content: message.content }, { role: 'user', content: [result(message.content[0].id, 'Done.')] }];
    await answer(weir, { model: 'untold', tools: [read], messages });
    assert.equal(official.last.body.messages[1].reasoning_content, 'Let me think 想一想 about it.');
  }
});

test('whether to think is told to an upstream that can be told', async () => {
  for (const [thinking, wanted] of [[undefined, 'disabled'], [{ type: 'disabled' }, 'disabled'], [{ type: 'enabled', budget_tokens: 1024 }, 'enabled'], [{ type: 'adaptive' }, 'enabled']]) {
    await create(weir, { model: 'thinks', thinking });
    assert.equal(official.last.body.thinking?.type, wanted, JSON.stringify(thinking));
  }
  await create(weir, { model: 'untold', thinking: { type: 'disabled' } });
  assert.ok(!('thinking' in official.last.body), 'OpenAI refuses the field');
});

test('output_config: the effort, and a schema as response_format', async () => {
  const format = { type: 'json_schema', schema: { type: 'object', properties: { title: { type: 'string' } }, required: ['title'], additionalProperties: false } };
  for (const wanted of [{ output_config: { format } }, { output_format: format }]) {
    const { response_format: got } = await sent(wanted);
    assert.equal(got.type, 'json_schema');
    assert.deepEqual(got.json_schema.schema, format.schema);
    assert.match(got.json_schema.name, /^[\w-]{1,64}$/);
  }
  const { reasoning_effort: effort, response_format: none } = await sent({ thinking: { type: 'adaptive' }, output_config: { effort: 'low' } });
  assert.deepEqual([effort, none], ['low', undefined]);
});

test('a stream asks the upstream for its usage', async () => {
  await stream(weir, { model: 'plain' });
  assert.deepEqual([sim.last.body.stream, sim.last.body.stream_options], [true, { include_usage: true }]);
});
