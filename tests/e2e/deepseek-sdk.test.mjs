// DeepSeek web accounts under the official openai SDKs: thoughts, tools, JSON, errors, and a crowd with tools.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { python } from './client.mjs';
import { CLIENT_KEY, start } from './harness.mjs';

let sim, weir, client;
const names = Array.from({ length: 5 }, (_, at) => `sdk-${at}@example.com`);
const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] };
const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather.', parameters } }];

before(async () => {
  sim = await startDeepSeek();
  for (const name of names) sim.addAccount(name);
  weir = await start({
    config: {
      keys: [CLIENT_KEY],
      upstreams: [{ id: 'deepseek-web', base_url: sim.url }],
      accounts: names.map((email) => ({ email, password: `password-of-${email}`, limits: { min_gap_ms: 0 } })),
      settings: { queue: { max_waiting: 200 } },
    },
  });
  client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
});
beforeEach(() => {
  sim.reset();
  sim.script = model;
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

/** A model that calls the tool that its prompt tells of, and uses the result that comes back. */
function model(prompt) {
  const said = prompt.split('<｜User｜>').at(-1).replace(/<｜Assistant｜>$/, '');
  const result = said.match(/<tool_result id="[^"]+">\n([^]*?)\n<\/tool_result>/)?.[1];
  if (result) return { thinking: ['It is known. '], text: [`In short: ${result}`] };
  const city = said.match(/weather in ([\w-]+)/)?.[1] ?? 'Paris';
  if (/JSON schema/.test(prompt)) return { text: ['```json\n', `{"city": "${city}"}`, '\n```'] };
  if (said.includes('look it up')) return { text: ['Found[cita', 'tion:1].'], pages: [{ url: 'https://example.org/1', title: 'One' }] };
  if (!prompt.includes('get_weather')) return { thinking: ['Hm. '], text: ['No ', 'tools ', `for ${city}.`] };
  return {
    thinking: ['I should ', 'look.'],
    text: ['Let me ', 'see.\n\n<tool', '_calls>\n<invoke name="get_weather">\n<param', `eter name="city"><![CDATA[${city}]]></para`, 'meter>\n<parameter name="days">"3"</parameter>\n</invoke>\n</tool_calls>'],
  };
}

const ask = (city) => [{ role: 'system', content: 'You are helpful.' }, { role: 'user', content: `What is the weather in ${city}?` }];

test('Node: a reasoning model calls a tool, and answers with its result', async () => {
  for (const stream of [false, true]) {
    const messages = ask('Oslo');
    const create = (more) =>
      stream
        ? client.chat.completions.stream({ model: 'deepseek-reasoner', messages, tools, ...more }).finalChatCompletion()
        : client.chat.completions.create({ model: 'deepseek-reasoner', messages, tools, ...more });
    const [choice] = (await create()).choices;
    assert.equal(choice.finish_reason, 'tool_calls');
    const [call] = choice.message.tool_calls;
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ['get_weather', { city: 'Oslo', days: 3 }]);
    assert.equal(choice.message.content.trim(), 'Let me see.');
    assert.ok(!choice.message.content.includes('<'));
    if (!stream) assert.equal(choice.message.reasoning_content, 'I should look.');
    messages.push(choice.message, { role: 'tool', tool_call_id: call.id, content: 'Snow in Oslo' });
    const [answer] = (await create()).choices;
    assert.deepEqual([answer.message.content, answer.finish_reason], ['In short: Snow in Oslo', 'stop']);
  }
});

test('Node: tool_choice none, required and named', async () => {
  const create = (more) => client.chat.completions.create({ model: 'deepseek-chat', messages: ask('Rome'), tools, ...more });
  assert.equal((await create({ tool_choice: 'none' })).choices[0].message.content, 'No tools for Rome.');
  for (const tool_choice of ['required', { type: 'function', function: { name: 'get_weather' } }]) {
    const [{ message, finish_reason }] = (await create({ tool_choice })).choices;
    assert.deepEqual([message.content, message.tool_calls.length, finish_reason], [null, 1, 'tool_calls']);
  }
  sim.script = () => ({ text: ['I would rather not.'] });
  await assert.rejects(create({ tool_choice: 'required' }), ({ status, message }) => status === 502 && /did not call/.test(message));
});

test('Node: JSON that fits a schema, however the model wraps it', async () => {
  const response_format = { type: 'json_schema', json_schema: { name: 'city', schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } } };
  const { choices } = await client.chat.completions.parse({ model: 'deepseek-chat', messages: ask('Bonn'), response_format });
  assert.deepEqual(choices[0].message.parsed, { city: 'Bonn' });
  sim.script = () => ({ text: ['{"town": 1}'] });
  await assert.rejects(client.chat.completions.create({ model: 'deepseek-chat', messages: ask('Bonn'), response_format }), /does not fit/);
});

test('Node: 50 callers with tools on 5 accounts: everyone gets its own call, and no account has two streams', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, async (_, at) => {
    const stream = client.chat.completions.stream({ model: 'deepseek-reasoner', messages: ask(`City-${at}`), tools });
    return JSON.parse((await stream.finalChatCompletion()).choices[0].message.tool_calls[0].function.arguments).city;
  }));
  assert.deepEqual(answers, Array.from({ length: 50 }, (_, at) => `City-${at}`));
  for (const name of names) assert.equal(sim.account(name).peak, 1, name);
});

test('Node: search gives links and annotations', async () => {
  const messages = [{ role: 'user', content: 'Please look it up.' }];
  const { message } = (await client.chat.completions.create({ model: 'deepseek-reasoner-search', messages })).choices[0];
  assert.equal(message.content, 'Found[1](https://example.org/1).');
  assert.deepEqual(message.annotations.map(({ url_citation }) => url_citation.title), ['One']);
  const final = await client.chat.completions.stream({ model: 'deepseek-chat-search', messages }).finalChatCompletion();
  assert.equal(final.choices[0].message.content, message.content);
});

test('Python: plain, streamed, tools, JSON and errors', async () => {
  const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x/y.png' } }] }];
  const got = await python('deepseek.py', { base_url: `${weir.url}/v1`, api_key: CLIENT_KEY, messages: ask('Lima'), tools, image, search: [{ role: 'user', content: 'Please look it up.' }] });
  assert.equal(got.plain.choices[0].message.content, 'No tools for Lima.');
  assert.equal(got.plain.choices[0].message.reasoning_content, 'Hm. ');
  assert.ok(got.plain.usage.completion_tokens > 0);
  assert.deepEqual(got.stream, { content: 'No tools for Lima.', reasoning: 'Hm. ' });
  for (const choice of [got.tool, got.tool_stream]) {
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.deepEqual(JSON.parse(choice.message.tool_calls[0].function.arguments), { city: 'Lima', days: 3 });
  }
  assert.equal(got.search.content, 'Found[1](https://example.org/1).');
  assert.equal(got.search.annotations[0].url_citation.url, 'https://example.org/1');
  assert.equal(got.parsed, 'Lima');
  assert.deepEqual(got.image, ['BadRequestError', 400, null]);
  assert.deepEqual(got.unknown, ['NotFoundError', 404, 'model_not_found']);
});
