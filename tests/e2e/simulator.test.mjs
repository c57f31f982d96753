// The simulated service, tried without a gateway: a test is worth as much as what it tests against.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { Gate, startSimulator } from '../simulators/openai.mjs';

const key = 'sk-simulated-account';
const models = ['m', 'gpt-x'];
const sims = {};

before(async () => {
  for (const profile of ['openai', 'ark', 'deepseek']) sims[profile] = await startSimulator({ profile, keys: [key], models });
});
after(() => Promise.all(Object.values(sims).map((sim) => sim.close())));

const ask = (sim, body, { path = '/chat/completions', ...init } = {}) =>
  fetch(`${sim.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi there' }], ...body }),
    ...init,
  });

const events = (text) =>
  text.split(/\r?\n\r?\n/).filter((block) => block.startsWith('data:')).map((block) => block.slice(5).trim());

test('a plain answer has the shape of each service', async () => {
  for (const [name, sim] of Object.entries(sims)) {
    const answer = await (await ask(sim, {})).json();
    assert.match(answer.choices[0].message.content, /^\s*You said: hi there/u, name);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
    assert.deepEqual(await (await ask(sim, {})).json(), answer, 'the same question gets the same answer');
  }
});

test('Ark repeats the role, has no finish_reason before the end, and one usage chunk when asked', async () => {
  const text = await (await ask(sims.ark, { stream: true, stream_options: { include_usage: true } })).text();
  const all = events(text);
  assert.equal(all.pop(), '[DONE]');
  const chunks = all.map((line) => JSON.parse(line));
  const usage = chunks.pop();
  assert.deepEqual(usage.choices, []);
  assert.ok(usage.usage.total_tokens > 0);
  for (const chunk of chunks) assert.equal(chunk.choices[0].delta.role, 'assistant');
  for (const chunk of chunks.slice(0, -1)) assert.ok(!('finish_reason' in chunk.choices[0]));
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('each service refuses an unknown key, model and path in its own words', async () => {
  const wrong = { headers: { authorization: 'Bearer nobody' } };
  assert.equal((await (await ask(sims.openai, {}, wrong)).json()).error.code, 'invalid_api_key');
  assert.equal((await (await ask(sims.ark, {}, wrong)).json()).error.code, 'AuthenticationError');
  assert.match((await (await ask(sims.deepseek, {}, wrong)).json()).error.message, /Authentication Fails/);
  assert.equal((await ask(sims.openai, { model: '?' })).status, 404);
  assert.equal((await (await ask(sims.ark, { model: '?' })).json()).error.code, 'InvalidEndpointOrModel.NotFound');
  assert.equal((await (await ask(sims.deepseek, { model: '?' })).json()).error.message, 'Model Not Exist');
  const lost = await fetch(`${sims.ark.origin}/v1/chat/completions`, { method: 'POST', body: '{}' });
  assert.deepEqual([lost.status, await lost.text()], [404, '404 page not found']);
  const tail = await fetch(`${sims.deepseek.origin}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(tail.status, 200);
});

test('bad bodies are refused as the services refuse them', async () => {
  assert.equal((await ask(sims.openai, { messages: [] })).status, 400);
  assert.equal((await ask(sims.openai, { stream_options: { include_usage: true } })).status, 400);
  assert.equal((await ask(sims.ark, { max_tokens: 1, max_completion_tokens: 1 })).status, 400);
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
  const turn = [{ role: 'user', content: 'x' }, { role: 'assistant', content: '', tool_calls: [call] }];
  assert.equal((await ask(sims.deepseek, { messages: turn })).status, 400);
  turn[1].reasoning_content = '';
  assert.equal((await ask(sims.deepseek, { messages: turn })).status, 200);
});

test('a gate holds back each event until the reader has the one before', async () => {
  const gate = new Gate();
  sims.openai.next(key, { gate });
  const gone = new AbortController();
  gate.open();
  const response = await ask(sims.openai, { stream: true }, { signal: gone.signal });
  const reader = response.body.getReader();
  for (let at = 0; at < 3; at += 1) {
    if (at > 0) gate.open();
    const { value } = await reader.read();
    assert.equal(events(Buffer.from(value).toString()).length, 1);
    assert.equal(sims.openai.last.events, at + 1);
  }
  assert.equal(sims.openai.now(key), 1);
  gone.abort();
  await sims.openai.until(() => sims.openai.aborts === 1);
  assert.equal(sims.openai.now(key), 0);
});

test('broken streams are broken on the wire', async () => {
  const sim = sims.openai;
  sim.next(key, 'cut', { is: 'truncate', after: 3 }, 'garbage', { is: 'event_error', after: 1 }, 'empty', { done: false });
  await assert.rejects(ask(sim, { stream: true }).then((response) => response.text()));
  const truncated = events(await (await ask(sim, { stream: true })).text());
  assert.equal(truncated.length, 3);
  assert.ok(!truncated.includes('[DONE]'));
  assert.match(await (await ask(sim, { stream: true })).text(), /"del\n\n/);
  assert.ok(JSON.parse(events(await (await ask(sim, { stream: true })).text()).at(-1)).error.message);
  assert.equal(await (await ask(sim, { stream: true })).text(), '');
  const unmarked = events(await (await ask(sim, { stream: true })).text());
  assert.equal(JSON.parse(unmarked.at(-1)).choices[0].finish_reason, 'stop');
});

test('a queued DeepSeek answers with comments, or with empty lines before the JSON', async () => {
  for (const stream of [true, false]) {
    const [gate, beats] = [new Gate(), new Gate()];
    sims.deepseek.next(key, { is: 'queued', gate, beats });
    beats.open(2);
    const response = await ask(sims.deepseek, { stream });
    const reader = response.body.getReader();
    let text = '';
    while (text.split('\n').length < 3) text += Buffer.from((await reader.read()).value).toString();
    gate.open();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += Buffer.from(piece.value).toString();
    assert.ok(stream ? text.startsWith(': keep-alive\n\n') : text.startsWith('\n\n{'), text.slice(0, 40));
  }
});

test('the official SDK reads tools, several choices, embeddings, completions, moderations and models', async () => {
  const client = new OpenAI({ apiKey: key, baseURL: sims.openai.url, maxRetries: 0 });
  const tools = ['a', 'b', 'c'].map((name) => ({ type: 'function', function: { name, parameters: { type: 'object', properties: { x: {} } } } }));
  const stream = client.chat.completions.stream({ model: 'm', messages: [{ role: 'user', content: 'go' }], tools });
  const { choices } = await stream.finalChatCompletion();
  assert.deepEqual(choices[0].message.tool_calls.map((tool) => tool.function.name), ['a', 'b']);
  assert.ok(JSON.parse(choices[0].message.tool_calls[0].function.arguments).x);
  const two = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'go' }], n: 2 });
  assert.deepEqual(two.choices.map((choice) => choice.index), [0, 1]);
  const embedded = await client.embeddings.create({ model: 'm', input: ['one', 'two'] });
  const plain = await client.embeddings.create({ model: 'm', input: ['one', 'two'], encoding_format: 'float' });
  assert.deepEqual(embedded.data, plain.data);
  assert.equal((await client.completions.create({ model: 'm', prompt: 'x' })).choices[0].finish_reason, 'stop');
  assert.equal((await client.moderations.create({ model: 'm', input: 'kill' })).results[0].flagged, true);
  assert.deepEqual((await client.models.list()).data.map((model) => model.id), models);
});

test('open calls are counted for each account', async () => {
  const sim = sims.openai;
  sim.reset();
  const gate = new Gate();
  sim.next(key, ...Array(3).fill({ is: 'slow', gate }));
  const three = [1, 2, 3].map(() => ask(sim, {}).then((response) => response.text()));
  await sim.until(() => sim.now(key) === 3);
  gate.open(3);
  await Promise.all(three);
  assert.deepEqual([sim.now(key), sim.max(key), sim.aborts], [0, 3, 0]);
});
