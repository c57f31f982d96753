// POST /v1/messages in Anthropic's dialect: answers and streams, field by field, over an OpenAI-format upstream with tools of
// its own and over web accounts that are told of tools in a prompt (api-conformance A25 to A38).
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { MESSAGES, Reading, bodyOf, bothWays, create, hello, open, stream, thinking } from './claude-client.mjs';
import { Raw, Sse } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

const WEB = 'web@example.com';
let official, web, weir;

before(async () => {
  official = await startSimulator({ profile: 'deepseek' });
  web = await startDeepSeek();
  web.addAccount(WEB);
  const config = pools(official, { native: { upstream: { reasoning: 'thinking' } } });
  config.upstreams.push({ id: 'deepseek-web', base_url: web.url });
  config.accounts.push({ id: 'web', email: WEB, password: `password-of-${WEB}`, limits: { min_gap_ms: 0 } });
  weir = await start({
    config: {
      ...config,
      aliases: { 'claude-native': 'native', 'claude-of-mine-*': 'native' },
      settings: { max_attempts: 1, hold_headers_ms: 150, ping_ms: 100, deadlines: { connect_ms: 20_000, first_token_ms: 20_000, stall_ms: 20_000 } },
    },
  });
});
beforeEach(() => {
  official.reset();
  web.reset();
});
after(async () => {
  await weir?.stop();
  await Promise.all([official?.close(), web?.close()]);
});

const tool = (name, properties = {}) => ({ name, description: `Does ${name}.`, input_schema: { type: 'object', properties } });
const tools = [tool('get_weather', { city: { type: 'string' }, days: { type: 'integer' } }), tool('now')];
const weather = { city: 'Zürich "N"\n🌡', days: 3 };

/** A call as the web chat's model writes it, in pieces that are cut anywhere. */
const markup = (...calls) => {
  const parameter = ([name, value]) => `<parameter name="${name}">${typeof value === 'string' ? `<![CDATA[${value}]]>` : JSON.stringify(value)}</parameter>\n`;
  const invoke = ({ name, input }) => `<invoke name="${name}">\n${Object.entries(input).map(parameter).join('')}</invoke>\n`;
  return `<tool_calls>\n${calls.map(invoke).join('')}</tool_calls>`.match(/[^]{1,9}/gu);
};

let made = 0;
const nativeCall = ({ name, input }) => ({ id: `call_${(made += 1)}`, type: 'function', function: { name, arguments: JSON.stringify(input) } });

/** Both kinds of upstream; `says` sets what the model of the next call thinks, says and calls. */
const kinds = {
  'an OpenAI-format upstream': {
    model: 'claude-native',
    served: 'native',
    says: ({ thoughts = [], text = [], calls = [], ...rest }) =>
      official.next(secretOf('native-1'), { reasoning: thoughts, text, ...(calls.length > 0 && { tools: calls.map(nativeCall) }), ...rest }),
  },
  'a web account': {
    model: 'claude-sonnet-4-5-20250929',
    served: 'deepseek-chat',
    says: ({ thoughts = [], text = [], calls = [], ...rest }) => {
      web.script = () => ({ thinking: thoughts, text: [...text, ...(calls.length > 0 ? markup(...calls) : [])] });
      if (Object.keys(rest).length > 0) web.next({ is: 'ok', ...rest });
    },
  },
};

for (const [kind, { model, served, says }] of Object.entries(kinds)) {
  test(`${kind}: a text, whole and streamed`, async () => {
    const { whole, stream: read, headers } = await bothWays(weir, { model }, () => says({ text: ['Hällo, ', 'wörld ', '👋🏽\n'] }));
    assert.deepEqual(whole.content, [{ type: 'text', text: 'Hällo, wörld 👋🏽\n' }]);
    assert.deepEqual([whole.model, whole.stop_reason, whole.stop_sequence], [model, 'end_turn', null]);
    assert.equal(headers.get('x-weir-model'), served);
    assert.equal(read.headers.get('x-weir-model'), served);
    assert.deepEqual(
      read.types.filter((type, at) => type !== 'ping' && type !== read.types[at - 1]),
      ['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop'],
    );
    assert.ok(read.startUsage.input_tokens > 0);
    assert.ok(whole.usage.output_tokens > 0);
  });

  test(`${kind}: thoughts with a signature, then a text`, async () => {
    const says_so = () => says({ thoughts: ['First ', 'this, 再.'], text: ['Then ', 'that.'] });
    const { whole, streamed } = await bothWays(weir, { model, thinking }, says_so);
    for (const { content } of [whole, streamed]) {
      const [{ signature, ...thought }, text, ...rest] = content;
      assert.deepEqual(thought, { type: 'thinking', thinking: 'First this, 再.' });
      assert.deepEqual([text, rest], [{ type: 'text', text: 'Then that.' }, []]);
    }
    for (const wanted of [{ type: 'adaptive' }, { type: 'enabled', budget_tokens: 3000, display: 'omitted' }, { type: 'between_tools' }]) {
      says_so();
      const { message } = await create(weir, { model, thinking: wanted });
      assert.equal(message.content.at(-1).text, 'Then that.', JSON.stringify(wanted));
    }
  });

  test(`${kind}: no thoughts where thinking is absent or disabled`, async () => {
    for (const wanted of [{}, { thinking: { type: 'disabled' } }]) {
      const { whole } = await bothWays(weir, { model, ...wanted }, () => says({ thoughts: ['Never ', 'shown.'], text: ['Yes.'] }));
      assert.deepEqual(whole.content, [{ type: 'text', text: 'Yes.' }]);
    }
  });

  test(`${kind}: a tool call after thoughts`, async () => {
    const { whole, stream: read } = await bothWays(weir, { model, tools, thinking }, () => says({ thoughts: ['Look.'], calls: [{ name: 'get_weather', input: weather }] }));
    assert.deepEqual(whole.content.map(({ type }) => type), ['thinking', 'tool_use']);
    assert.deepEqual([whole.content[1].name, whole.content[1].input], ['get_weather', weather]);
    assert.equal(whole.stop_reason, 'tool_use');
    assert.ok(read.types.includes('content_block_delta'));
  });

  test(`${kind}: parallel calls, the second without arguments`, async () => {
    const calls = [{ name: 'get_weather', input: weather }, { name: 'now', input: {} }, { name: 'get_weather', input: { city: 'Oslo', days: 1 } }];
    const { whole, streamed } = await bothWays(weir, { model, tools }, () => says({ calls }));
    assert.deepEqual(whole.content.map(({ name, input }) => ({ name, input })), calls);
    assert.equal(whole.stop_reason, 'tool_use');
    for (const { content } of [whole, streamed]) assert.equal(new Set(content.map(({ id }) => id)).size, 3);
  });

  test(`${kind}: an answer cut for its length`, async () => {
    const { whole } = await bothWays(weir, { model, max_tokens: 20 }, () => says({ text: Array(200).fill('word '), ...(served === 'native' && { finish: 'length' }) }));
    assert.equal(whole.stop_reason, 'max_tokens');
    assert.match(whole.content[0].text, /^(word )+/);
  });

  test(`${kind}: a stop sequence ends the answer, at the upstream too, and is told`, async () => {
    const text = ['one E', 'ND two', ' three'];
    const { whole } = await bothWays(weir, { model, stop_sequences: ['STOP', 'END'] }, () => says({ text }));
    assert.deepEqual([whole.content[0].text, whole.stop_reason, whole.stop_sequence], ['one ', 'stop_sequence', 'END']);
    const { whole: other } = await bothWays(weir, { model, stop_sequences: ['never said'] }, () => says({ text }));
    assert.deepEqual([other.content[0].text, other.stop_reason, other.stop_sequence], ['one END two three', 'end_turn', null]);
    for (const answer of [create, stream]) {
      const gate = new Gate();
      gate.open(9);
      says({ text: ['one END', ...Array(50).fill(' more')], gate });
      assert.equal((await answer(weir, { model, stop_sequences: ['END'] })).message.stop_sequence, 'END');
      gate.open(1_000);
      await eventually(async () => assert.equal((await weir.account(served === 'native' ? 'native-1' : 'web')).in_flight, 0));
    }
  });

  test(`${kind}: the last message is the assistant's own, to go on from`, async () => {
    const messages = [...hello, { role: 'assistant', content: [{ type: 'text', text: '{"answer":' }] }];
    const { whole } = await bothWays(weir, { model, messages }, () => says({ text: [' 42}'] }));
    assert.equal(whole.content[0].text, ' 42}');
    if (served === 'native') {
      assert.deepEqual([official.last.body.messages.at(-1).role, official.last.body.messages.at(-1).content], ['assistant', '{"answer":']);
    } else {
      assert.ok(web.requests.findLast(({ path }) => path.endsWith('/completion')).body.prompt.endsWith('{"answer":'), 'no end of its turn');
    }
  });

  test(`${kind}: pings while the model is silent`, async () => {
    const gate = new Gate();
    says({ text: ['At last.'], gate, ...(served === 'native' && { is: 'queued' }) });
    const sse = new Sse(await open(weir, { model }));
    const read = new Reading();
    while (read.pings < 2) read.take((await sse.data()) ?? assert.fail('the stream ended'));
    assert.ok(!read.types.includes('content_block_start'));
    gate.open(1_000);
    for (const event of await sse.rest()) read.take(event);
    assert.ok(read.isComplete);
    assert.equal(read.message.content[0].text, 'At last.');
  });

  test(`${kind}: a caller who leaves ends the call and frees the account`, async () => {
    const account = served === 'native' ? 'native-1' : 'web';
    const gate = new Gate();
    gate.open(5);
    says({ text: Array(50).fill('word '), gate });
    const raw = new Raw(weir.url, { path: MESSAGES, headers: { 'x-api-key': CLIENT_KEY }, body: bodyOf({ model, stream: true }) });
    await raw.until(/text_delta/);
    raw.rst();
    gate.open(1_000);
    if (served === 'native') await official.until(() => official.open === 0);
    else await web.until(() => web.account(WEB).stops > 0);
    await eventually(async () => assert.equal((await weir.account(account)).in_flight, 0));
  });

  test(`${kind}: twenty streams and whole answers at once, each with its own`, async () => {
    if (served === 'native') official.onModel('native', 'ok');
    else web.script = (prompt) => ({ text: ['You said: ', prompt] });
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, at) => {
      const body = { model, messages: [{ role: 'user', content: `word-${at}-of-caller` }] };
      return (await (at % 2 ? stream : create)(weir, body)).message;
    }));
    answers.forEach(({ content }, at) => assert.match(content[0].text, new RegExp(`^You said: .*word-${at}-of-caller`, 's')));
    assert.equal(new Set(answers.map(({ id }) => id)).size, 20);
  });
}

// ------------------------------------------------------------------------------- the OpenAI-format upstream

test('usage: the upstream\'s count, what it read from its cache apart from the rest', async () => {
  const says = () => kinds['an OpenAI-format upstream'].says({ thoughts: ['a', 'b'], text: ['c', 'd', 'e'], promptTokens: 50 });
  const { whole, stream: read } = await bothWays(weir, { model: 'native', thinking }, says);
  const wanted = { input_tokens: 48, cache_creation_input_tokens: 0, cache_read_input_tokens: 2, output_tokens: 5 };
  assert.deepEqual(whole.usage, wanted);
  assert.deepEqual(read.message.usage, wanted);
  assert.deepEqual(official.last.body.stream_options, { include_usage: true });
});

test('input_tokens at the start of a stream is an estimate of the whole request', async () => {
  const estimate = async (body) => (await stream(weir, { model: 'native', ...body })).startUsage.input_tokens;
  const plain = await estimate({});
  const system = await estimate({ system: 'You are terse and never say more than a word. '.repeat(10) });
  const all = await estimate({ system: 'You are terse and never say more than a word. '.repeat(10), tools });
  assert.ok(plain > 0 && system > plain + 50 && all > system + 20, `${plain}, ${system}, ${all}`);
});

test('arguments that came as an empty text are an empty object', async () => {
  const call = { id: 'call_empty', type: 'function', function: { name: 'now', arguments: '' } };
  const { whole } = await bothWays(weir, { model: 'native', tools }, () => official.next(secretOf('native-1'), { tools: [call] }));
  assert.deepEqual(whole.content.map(({ input }) => input), [{}]);
});

test('what the upstream withheld is a refusal', async () => {
  const { whole } = await bothWays(weir, { model: 'native' }, () => official.next(secretOf('native-1'), { text: ['I '], finish: 'content_filter' }));
  assert.equal(whole.stop_reason, 'refusal');
});

test('an answer without a word still has a block', async () => {
  const { whole } = await bothWays(weir, { model: 'native' }, () => official.next(secretOf('native-1'), { text: [] }));
  assert.deepEqual(whole.content, [{ type: 'text', text: '' }]);
});

test('characters split between network chunks stay whole', async () => {
  for (const slice of [1, 7]) {
    official.next(secretOf('native-1'), { slice, reasoning: ['思考'], text: ['漢字', '👍🏽 é', '\u2028'] });
    const { message } = await stream(weir, { model: 'native', thinking });
    assert.deepEqual(message.content.map((block) => block.thinking ?? block.text), ['思考', '漢字👍🏽 é\u2028']);
  }
});

test('each piece reaches the client before the upstream sends the next', async () => {
  const gate = new Gate();
  official.next(secretOf('native-1'), { reasoning: [], text: ['one ', 'two ', 'three '], gate });
  gate.open(2); // the role, and the first word
  const sse = new Sse(await open(weir, { model: 'native' }));
  const read = new Reading();
  for (const word of ['one ', 'one two ', 'one two three ']) {
    while (read.message?.content[0]?.text !== word) read.take((await sse.data()) ?? assert.fail(`the stream ended before "${word}"`));
    gate.open();
  }
  gate.open(10);
  for (const event of await sse.rest()) read.take(event);
  assert.ok(read.isComplete);
});

// -------------------------------------------------------------------------------------------- web accounts

const sonnet = 'claude-sonnet-4-5-20250929';
const prompt = () => web.requests.findLast(({ path }) => path.endsWith('/completion')).body.prompt;

test('a web account: text before a call is a block of its own, without the call\'s markup', async () => {
  web.script = () => ({ text: ['Let me ', 'see.\n\n', ...markup({ name: 'get_weather', input: weather })] });
  const { whole } = await bothWays(weir, { model: sonnet, tools });
  assert.deepEqual(whole.content.map(({ type }) => type), ['text', 'tool_use']);
  assert.equal(whole.content[0].text.trim(), 'Let me see.');
});

test('a web account: ids of calls never repeat, not even for the same question', async () => {
  web.script = () => ({ text: markup({ name: 'now', input: {} }) });
  const ids = await Promise.all(Array.from({ length: 6 }, async () => (await create(weir, { model: sonnet, tools })).message.content[0].id));
  assert.equal(new Set(ids).size, 6);
});

test('a web account: one call where parallel ones are not wanted', async () => {
  web.script = () => ({ text: markup({ name: 'now', input: {} }, { name: 'get_weather', input: weather }) });
  const { whole } = await bothWays(weir, { model: sonnet, tools, tool_choice: { type: 'auto', disable_parallel_tool_use: true } });
  assert.deepEqual(whole.content.map(({ name }) => name), ['now']);
});

test('a web account: any and tool must yield a call, none must not', async () => {
  web.script = () => ({ text: markup({ name: 'now', input: {} }) });
  for (const tool_choice of [{ type: 'any' }, { type: 'tool', name: 'now' }]) {
    const { whole } = await bothWays(weir, { model: sonnet, tools, tool_choice });
    assert.deepEqual([whole.stop_reason, whole.content.map(({ name }) => name)], ['tool_use', ['now']]);
  }
  web.script = () => ({ text: ['I would rather not.'] });
  const refused = await weir.call('POST', MESSAGES, { body: bodyOf({ model: sonnet, tools, tool_choice: { type: 'any' } }) });
  assert.deepEqual([refused.status, refused.json.error.type], [502, 'api_error'], refused.text);
  await create(weir, { model: sonnet, tools, tool_choice: { type: 'none' } });
  assert.ok(!prompt().includes('get_weather'));
});

test('a web account: what the chat withdraws is a refusal', async () => {
  web.next({ is: 'filter' });
  const { message } = await stream(weir, { model: sonnet });
  assert.equal(message.stop_reason, 'refusal');
});

test('a web account: JSON that fits a schema is bare, however the model wraps it', async () => {
  const format = { type: 'json_schema', schema: { type: 'object', properties: { title: { type: 'string' } }, required: ['title'] } };
  web.script = () => ({ text: ['Sure:\n```json\n{"title"', ': "A talk"}\n', '```'] });
  for (const wanted of [{ output_config: { format }, tools: [] }, { output_format: format }]) {
    const { whole } = await bothWays(weir, { model: 'claude-haiku-4-5', ...wanted });
    assert.deepEqual(JSON.parse(whole.content[0].text), { title: 'A talk' });
    assert.match(prompt(), /"title"/);
  }
});

test('a web account: Claude Code\'s permission classifier gets an answer that begins with <block>', async () => {
  web.script = () => ({ thinking: ['Safe.'], text: ['<blo', 'ck>no</block>', ' and more'] });
  const { whole } = await bothWays(weir, { model: sonnet, max_tokens: 64, stop_sequences: ['</block>'], thinking: { type: 'disabled' }, system: [{ type: 'text', text: 'Classify.' }] });
  assert.deepEqual(whole.content, [{ type: 'text', text: '<block>no' }]);
  assert.equal(whole.stop_sequence, '</block>');
});

test('a web account: a whole turn with tools stands in the prompt, pictures in results as notes', async () => {
  const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgoAAAANSUhEUg' } };
  const messages = [
    { role: 'user', content: 'Look at /tmp/a.png and the time.' },
    { role: 'assistant', content: [{ type: 'thinking', thinking: 'Two calls.', signature: '' }, { type: 'text', text: '(no content)' }, { type: 'tool_use', id: 'toolu_a', name: 'now', input: {} }, { type: 'tool_use', id: 'toolu_b', name: 'get_weather', input: weather }] },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_b', content: [{ type: 'text', text: 'A picture:' }, picture] },
        { type: 'tool_result', tool_use_id: 'toolu_a', content: 'ENOENT', is_error: true },
        { type: 'text', text: 'Well?' },
      ],
    },
  ];
  const { message } = await create(weir, { model: sonnet, tools, messages, system: [{ type: 'text', text: 'Be terse.' }] });
  assert.equal(message.content[0].type, 'text');
  for (const part of ['Be terse.', '/tmp/a.png', 'toolu_a', 'toolu_b', 'A picture:', 'ENOENT', 'Well?', 'get_weather']) assert.ok(prompt().includes(part), part);
  assert.match(prompt(), /image/i);
  assert.ok(!prompt().includes('iVBORw0KGgo'));
  assert.ok(prompt().indexOf('Two calls.') === -1, 'thoughts of the history are not for the web chat');
});

// --------------------------------------------------------------------------------------------- who is asked

test('names of Claude go to the built-in models, configured aliases come first', async () => {
  for (const [name, served] of [
    ['claude-opus-4-1-20250805', 'deepseek-reasoner'],
    ['claude-3-opus-latest', 'deepseek-reasoner'],
    ['claude-sonnet-4-20250514-slow', 'deepseek-reasoner'],
    ['claude-reasoner', 'deepseek-reasoner'],
    ['claude-sonnet-4-20250514', 'deepseek-chat'],
    ['claude-3-5-haiku-20241022', 'deepseek-chat'],
    ['claude-fable-9', 'deepseek-chat'],
    ['claude-native', 'native'],
    ['claude-of-mine-opus', 'native'],
    ['deepseek-chat', 'deepseek-chat'],
    ['native', 'native'],
  ]) {
    const { message, headers } = await create(weir, { model: name });
    assert.deepEqual([message.model, headers.get('x-weir-model')], [name, served]);
    assert.ok(message.content.every(({ type }) => type === 'text'), `${name} does not think unasked`);
  }
});

test('the reasoning model thinks when it is asked to', async () => {
  const { message } = await create(weir, { model: 'claude-opus-4-1', thinking });
  assert.deepEqual(message.content.map(({ type }) => type), ['thinking', 'text']);
});

test('both base URLs, a query, the header\'s versions and betas, and every way to give the key', async () => {
  const body = bodyOf({ model: 'native' });
  for (const path of ['/anthropic/v1/messages', '/v1/messages', '/v1/messages?beta=true', '/anthropic/v1/messages?beta=true&x=1', '//v1/messages', '/v1/messages/']) {
    const answer = await weir.call('POST', path, { body });
    assert.deepEqual([answer.status, answer.json?.type], [200, 'message'], `${path}: ${answer.text}`);
  }
  for (const headers of [
    { 'x-api-key': CLIENT_KEY },
    { authorization: `Bearer ${CLIENT_KEY}` },
    { authorization: `bearer  ${CLIENT_KEY} ` },
    { 'x-api-key': CLIENT_KEY, authorization: 'Bearer sk-somebody-else-0000' },
    { 'x-api-key': CLIENT_KEY, 'anthropic-version': '2023-06-01' },
    { 'x-api-key': CLIENT_KEY, 'anthropic-version': '2026-10-21' },
    { 'x-api-key': CLIENT_KEY, 'anthropic-version': '2031-01-01', 'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,unheard-of-2030-01-01' },
    { 'x-api-key': CLIENT_KEY, 'anthropic-dangerous-direct-browser-access': 'true', 'x-app': 'cli', 'x-stainless-lang': 'js', 'x-stainless-helper': 'stream' },
  ]) {
    const answer = await weir.call('POST', MESSAGES, { key: null, headers, body });
    assert.deepEqual([answer.status, answer.json?.type], [200, 'message'], `${JSON.stringify(headers)}: ${answer.text}`);
  }
  assert.ok(!JSON.stringify(official.requests.map(({ headers }) => headers)).includes('anthropic-'));
});
