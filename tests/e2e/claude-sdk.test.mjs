// The official Anthropic SDKs, for Node and Python, over both kinds of upstream (api-conformance §10, A18).
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { jsonSchemaOutputFormat } from '@anthropic-ai/sdk/helpers/json-schema';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { checkMessage } from './claude-client.mjs';
import { python } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

const names = Array.from({ length: 5 }, (_, at) => `claude-${at}@example.com`);
let official, web, weir;

before(async () => {
  official = await startSimulator({ profile: 'deepseek' });
  web = await startDeepSeek();
  for (const name of names) web.addAccount(name);
  const config = pools(official, { native: { upstream: { reasoning: 'thinking' } } });
  config.upstreams.push({ id: 'deepseek-web', base_url: web.url });
  config.accounts.push(...names.map((email) => ({ id: email, email, password: `password-of-${email}`, limits: { min_gap_ms: 0 } })));
  const settings = { max_attempts: 1, queue: { max_waiting: 200 }, deadlines: { connect_ms: 20_000, first_token_ms: 20_000, stall_ms: 1_200 } };
  weir = await start({ config: { ...config, settings } });
});
beforeEach(() => {
  official.reset();
  web.reset();
  web.script = model;
});
after(async () => {
  await weir?.stop();
  await Promise.all([official?.close(), web?.close()]);
});

/** The web chat's model: calls the tool that its prompt tells of, and uses the result that comes back. */
function model(prompt) {
  const said = prompt.split('<｜User｜>').at(-1).replace(/<｜Assistant｜>$/, '');
  const result = said.match(/<tool_result id="[^"]+">\n([^]*?)\n<\/tool_result>/)?.[1];
  if (result) return { thinking: ['It is known.'], text: [`In short: ${result}`] };
  const city = said.match(/weather in ([\w-]+)/)?.[1] ?? 'Paris';
  if (/JSON schema/.test(prompt)) return { text: ['```json\n', `{"city": "${city}"}`, '\n```'] };
  if (!prompt.includes('get_weather')) return { thinking: ['Hm.'], text: ['No ', 'tools ', `for ${city}.`] };
  return { thinking: ['I should ', 'look.'], text: ['<tool', '_calls>\n<invoke name="get_weather">\n<param', `eter name="city"><![CDATA[${city}]]></para`, 'meter>\n</invoke>\n</tool_calls>'] };
}

const ask = (city) => [{ role: 'user', content: `What is the weather in ${city}?` }];
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const tools = [{ name: 'get_weather', description: 'The weather.', input_schema: schema }];
const thinking = { type: 'enabled', budget_tokens: 1024 };
const sdk = (path = '/anthropic', options = {}) => new Anthropic({ apiKey: CLIENT_KEY, baseURL: weir.url + path, maxRetries: 0, ...options });
const said = ({ content }) => content.map((block) => block.text ?? '').join('');

const kinds = {
  'an OpenAI-format upstream': {
    base: '',
    model: 'native',
    says: /^You said: What is the weather in Oslo\? — schön, 好的 👍🏽$/,
    thoughts: 'Let me think 想一想 about it.',
    city: 'größe city 🌡',
    concludes: /^You said: What is the weather in Oslo\?/,
  },
  'a web account': {
    base: '/anthropic',
    model: 'claude-sonnet-4-5-20250929',
    says: /^No tools for Oslo\.$/,
    thoughts: 'I should look.',
    city: 'Oslo',
    concludes: /^In short: Snow in Oslo$/,
  },
};

for (const [kind, { base, model: name, says, thoughts, city, concludes }] of Object.entries(kinds)) {
  const body = (more) => ({ model: name, max_tokens: 2048, messages: ask('Oslo'), ...more });

  test(`Node, ${kind}: create, an event stream and the stream helper say the same`, async () => {
    const client = sdk(base);
    const { data: message, request_id: id } = await client.messages.create(body()).withResponse();
    checkMessage(message);
    assert.match(said(message), says);
    assert.ok(id);
    const events = [];
    for await (const event of await client.messages.create(body({ stream: true }))) events.push(event);
    assert.equal(events.filter(({ type }) => type === 'content_block_delta').map(({ delta }) => delta.text).join(''), said(message));
    const helper = client.messages.stream(body());
    const pieces = [];
    helper.on('text', (piece) => pieces.push(piece));
    const final = await helper.finalMessage();
    assert.equal(pieces.join(''), said(message));
    assert.deepEqual([said(final), final.stop_reason, final.usage], [said(message), 'end_turn', message.usage]);
  });

  for (const streams of [false, true]) {
    const way = streams ? 'streamed' : 'whole';
    const answer = (client, more) => (streams ? client.messages.stream(body(more)).finalMessage() : client.messages.create(body(more)));

    test(`Node, ${kind}: a tool turn and the answer with its result, with thoughts, ${way}`, async () => {
      const client = sdk(base);
      const first = await answer(client, { tools, thinking });
      assert.equal(first.stop_reason, 'tool_use');
      assert.equal(first.content[0].thinking, thoughts);
      const call = first.content.find(({ type }) => type === 'tool_use');
      assert.deepEqual([call.name, call.input], ['get_weather', { city }]);
      const result = { type: 'tool_result', tool_use_id: call.id, content: [{ type: 'text', text: `Snow in ${call.input.city}` }] };
      const messages = [...ask('Oslo'), { role: 'assistant', content: first.content }, { role: 'user', content: [result] }];
      const second = await answer(client, { tools, thinking, messages });
      assert.match(said(second), concludes);
      assert.equal(second.stop_reason, 'end_turn');
    });

    test(`Node, ${kind}: the tool runner keeps the conversation, ${way}`, async () => {
      const asked = [];
      const runnable = betaTool({ name: 'get_weather', description: 'The weather.', inputSchema: schema, run: (input) => { asked.push(input.city); return `Snow in ${input.city}`; } });
      const runner = sdk(base).beta.messages.toolRunner(body({ tools: [runnable], stream: streams }));
      const final = await runner.runUntilDone();
      assert.deepEqual(asked, [city]);
      assert.match(said(final), concludes);
      assert.equal(final.stop_reason, 'end_turn');
      if (name === 'native') assert.deepEqual(official.last.body.messages.map(({ role }) => role), ['user', 'assistant', 'tool']);
    });
  }

  test(`Node, ${kind}: a stream that breaks raises`, async () => {
    const client = sdk(base);
    const breaks = name === 'native'
      ? ['cut', 'truncate', 'stall', 'garbage', 'event_error'].map((is) => ({ is, after: 3 }))
      : [{ cut_at: 8 }, { end_at: 8 }, { stall_at: 8 }, { garbage_at: 8 }];
    if (name !== 'native') web.script = () => ({ text: Array(20).fill('word ') });
    for (const behaviour of breaks) {
      const gate = new Gate();
      gate.open(7);
      if (name === 'native') official.next(secretOf('native-1'), behaviour);
      else web.next({ is: 'ok', gate, ...behaviour });
      const stream = await client.messages.create(body({ stream: true }));
      gate.open(1_000); // the first bytes are through: no other account may try
      let text = '';
      await assert.rejects(async () => {
        for await (const event of stream) text += event.delta?.text ?? '';
      }, (error) => error instanceof Anthropic.APIError, JSON.stringify(behaviour));
      assert.notEqual(text, '', JSON.stringify(behaviour));
      await eventually(async () => assert.deepEqual((await weir.status()).accounts.filter((account) => account.in_flight > 0), []));
      for (const account of (await weir.status()).accounts.filter(({ state }) => state !== 'ready')) {
        for (const enabled of [false, true]) await weir.manage('PATCH', `/admin/accounts/${account.id}`, { enabled });
      }
    }
  });
}

test('Node: a structured answer is parsed', async () => {
  const output_config = { format: jsonSchemaOutputFormat(schema) };
  const message = await sdk().messages.parse({ model: 'claude-haiku-4-5', max_tokens: 512, messages: ask('Bonn'), output_config });
  assert.deepEqual(message.parsed_output, { city: 'Bonn' });
});

test('Node: count_tokens and models, under both base URLs', async () => {
  for (const path of ['', '/anthropic']) {
    const client = sdk(path);
    const plain = await client.messages.countTokens({ model: 'native', messages: ask('Oslo') });
    const more = await client.messages.countTokens({ model: 'native', messages: ask('Oslo'), system: 'Be terse.', tools });
    assert.ok(plain.input_tokens > 0 && more.input_tokens > plain.input_tokens);
    const [pages, whole] = [[], []];
    for await (const one of client.models.list({ limit: 2 })) pages.push(one.id);
    for await (const one of client.models.list({ limit: 1000 })) whole.push(one.id);
    assert.deepEqual(pages, whole);
    assert.ok(whole.includes('native') && whole.includes('deepseek-chat'), whole.join());
    assert.equal((await client.models.retrieve('native')).type, 'model');
  }
  assert.equal(official.requests.length, 0);
});

test('Node: errors are the SDK\'s own classes, with the request\'s id', async () => {
  const create = (more, client = sdk()) => client.messages.create({ model: 'native', max_tokens: 16, messages: ask('Oslo'), ...more });
  const rejects = (promise, type) => assert.rejects(promise, (error) => error instanceof type && typeof error.requestID === 'string' && error.requestID === error.error.request_id);
  await rejects(create({}, sdk('', { apiKey: 'sk-nobody' })), Anthropic.AuthenticationError);
  await rejects(create({ model: 'unheard-of' }), Anthropic.NotFoundError);
  await rejects(create({ messages: [] }), Anthropic.BadRequestError);
  await rejects(create({ stream: true, messages: [] }), Anthropic.BadRequestError);
  official.next(secretOf('native-1'), 500);
  await rejects(create({}), Anthropic.InternalServerError);
});

test('Node: what was overloaded at first is asked again, and answers', async () => {
  for (const status of [529, 503, 500]) {
    for (const streams of [false, true]) {
      official.reset();
      official.next(secretOf('native-1'), { status });
      const body = { model: 'native', max_tokens: 512, messages: ask('Oslo') };
      const client = sdk('', { maxRetries: 2 });
      const message = await (streams ? client.messages.stream(body).finalMessage() : client.messages.create(body));
      assert.match(said(message), /^You said/);
      assert.equal(official.requests.length, 2, `after ${status}`);
    }
  }
});

test('Node: leaving a stream frees its account', async () => {
  const gate = new Gate();
  gate.open(3);
  official.next(secretOf('native-1'), { text: Array(50).fill('word '), gate });
  for await (const event of await sdk().messages.create({ model: 'native', max_tokens: 512, messages: ask('Oslo'), stream: true })) {
    if (event.type === 'content_block_delta') break;
  }
  gate.open(1_000);
  await official.until(() => official.open === 0);
  await eventually(async () => assert.equal((await weir.account('native-1')).in_flight, 0));
});

test('Node: 40 tool runners on five web accounts each keep to their own', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, async (_, at) => {
    const runnable = betaTool({ name: 'get_weather', description: 'The weather.', inputSchema: schema, run: ({ city }) => `Snow in ${city}` });
    return said(await sdk().beta.messages.toolRunner({ model: 'claude-sonnet-4-5', max_tokens: 512, messages: ask(`City-${at}`), tools: [runnable] }).runUntilDone());
  }));
  assert.deepEqual(answers, answers.map((_, at) => `In short: Snow in City-${at}`));
  for (const name of names) assert.equal(web.account(name).peak, 1, name);
});

for (const [kind, { base, model: name, says, thoughts, city, concludes }] of Object.entries(kinds)) {
  test(`Python, ${kind}: all of it`, { skip: !process.env.WEIR_PYTHON && 'no Python environment' }, async () => {
    const got = await python('claude.py', { base_url: weir.url + base, api_key: CLIENT_KEY, model: name, messages: ask('Oslo'), tools });
    for (const message of [got.plain, got.helper]) {
      assert.match(said(message), says);
      assert.equal(message.stop_reason, 'end_turn');
    }
    assert.deepEqual(got.helper.usage.output_tokens, got.plain.usage.output_tokens);
    assert.match(got.text, says);
    for (const message of [got.tool, got.tool_stream]) {
      assert.deepEqual([message.stop_reason, message.content[0].thinking], ['tool_use', thoughts]);
      assert.deepEqual(message.content.at(-1).input, { city });
    }
    for (const text of [said(got.second), got.runner, got.streaming_runner]) assert.match(text, concludes);
    assert.deepEqual(got.asked, [city, city]);
    assert.ok(got.counts[0] > 0 && got.counts[1] > got.counts[0]);
    assert.ok(got.models.includes('native') && new Set(got.models).size === got.models.length);
    assert.equal(got.model, 'native');
    assert.deepEqual(got.errors, [['AuthenticationError', 401], ['NotFoundError', 404], ['BadRequestError', 400]]);
  });
}

test('Python: a stream that breaks raises, an overloaded upstream is asked again', { skip: !process.env.WEIR_PYTHON && 'no Python environment' }, async () => {
  const input = (max_retries) => ({ base_url: weir.url, api_key: CLIENT_KEY, model: 'native', messages: ask('Oslo'), max_retries });
  for (const is of ['cut', 'truncate', 'event_error']) {
    official.next(secretOf('native-1'), { is, after: 3 });
    const { text, raised, is_api_error: own } = await python('claude_broken.py', input(0));
    assert.ok(own, `${is}: ${raised}`);
    assert.match(text, /^You/);
    for (const enabled of [false, true]) await weir.manage('PATCH', '/admin/accounts/native-1', { enabled });
  }
  official.next(secretOf('native-1'), { status: 529 });
  const { text, raised } = await python('claude_broken.py', input(2));
  assert.deepEqual([raised, /^You said: .*👍🏽$/.test(text)], [null, true]);
});
