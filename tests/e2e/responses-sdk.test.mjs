// The Responses API of the official openai SDKs, for Node and Python, over both kinds of upstream.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { speakDeepSeek, speakOpenAi } from '../simulators/model.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { python } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim, chat, weir, client;
const properties = { city: { type: 'string' } };
const parameters = { type: 'object', properties, required: ['city'], additionalProperties: false };
const tools = [{ type: 'function', name: 'get_weather', description: 'The weather.', parameters, strict: true }];
const text = { format: zodTextFormat(z.object({ city: z.string() }), 'city') };
const models = { 'native tools': 'native', 'emulated tools': 'deepseek-reasoner' };

before(async () => {
  [sim, chat] = await Promise.all([startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount('one@example.com');
  const config = pools(sim, { native: { upstream: { reasoning: 'thinking' } }, broken: {}, retried: {} });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push({ id: 'one', email: 'one@example.com', password: 'password-of-one@example.com', limits: { min_gap_ms: 0 } });
  weir = await start({ config: { ...config, settings: { max_attempts: 1 } } });
  client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
});
beforeEach(() => {
  sim.reset();
  chat.reset();
  speakOpenAi(sim, 'native', model);
  speakDeepSeek(chat, model);
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), chat?.close()]);
});

/** Calls its tool for the city that was asked for, and uses the result. */
function model({ said, results, offers, wantsJson }) {
  const city = /weather in ([\w-]+)/.exec(said)?.[1] ?? 'Paris';
  if (wantsJson) return { text: JSON.stringify({ city }) };
  if (results.length > 0) return { reasoning: 'It is known.', text: `In short: ${results.at(-1)}` };
  if (offers('get_weather')) return { reasoning: 'I should look.', text: 'Let me see.', calls: [['get_weather', { city }]] };
  return { reasoning: 'Hm.', text: `No tools for ${city}, schön 好.` };
}

const ask = (city) => `What is the weather in ${city}?`;
const callOf = (response) => response.output.find(({ type }) => type === 'function_call');
const thoughtOf = (response) => response.output.find(({ type }) => type === 'reasoning')?.summary.map((part) => part.text).join('');

for (const [kind, model] of Object.entries(models)) {
  test(`Node, ${kind}: create, whole and as events`, async () => {
    const response = await client.responses.create({ model, input: ask('Oslo') });
    assert.deepEqual([response.output_text, thoughtOf(response), response.status], ['No tools for Oslo, schön 好.', 'Hm.', 'completed']);
    assert.ok(response.usage.input_tokens > 0 && response.usage.output_tokens > 0);
    assert.ok(response._request_id);
    let streamed = '';
    let last;
    for await (const event of await client.responses.create({ model, input: ask('Oslo'), stream: true })) {
      if (event.type === 'response.output_text.delta') streamed += event.delta;
      last = event;
    }
    assert.deepEqual([streamed, last.type], ['No tools for Oslo, schön 好.', 'response.completed']);
  });

  test(`Node, ${kind}: the stream helper puts the same response together`, async () => {
    const seen = [];
    const stream = client.responses.stream({ model, input: ask('Oslo'), tools });
    stream.on('response.function_call_arguments.delta', ({ snapshot }) => seen.push(snapshot));
    const final = await stream.finalResponse();
    assert.equal(final.output_text.trim(), 'Let me see.');
    assert.deepEqual(JSON.parse(callOf(final).arguments), { city: 'Oslo' });
    assert.equal(seen.at(-1), callOf(final).arguments);
    assert.equal(thoughtOf(final), 'I should look.');
  });

  for (const [how, get] of Object.entries({
    whole: (body) => client.responses.create(body),
    streamed: (body) => client.responses.stream(body).finalResponse(),
  })) {
    test(`Node, ${kind}: a loop of tools, ${how}, with the whole history and by previous_response_id`, async () => {
      const input = [{ role: 'user', content: ask('Bonn') }];
      const first = await get({ model, input, tools, store: true });
      const call = callOf(first);
      const result = { type: 'function_call_output', call_id: call.call_id, output: 'Snow in Bonn' };
      const history = await get({ model, input: [...input, ...first.output, result], tools, store: false });
      assert.equal(history.output_text, 'In short: Snow in Bonn');
      await eventually(() => client.responses.retrieve(first.id));
      const chained = await get({ model, input: [result], tools, previous_response_id: first.id });
      assert.equal(chained.output_text, 'In short: Snow in Bonn');
      assert.equal(chained.previous_response_id, first.id);
    });

    test(`Node, ${kind}: a client that drops the thoughts goes on all the same, ${how} (C4)`, async () => {
      const input = [{ role: 'user', content: ask('Rome') }];
      const first = await get({ model, input, tools });
      const result = { type: 'function_call_output', call_id: callOf(first).call_id, output: 'Sun' };
      const second = await get({ model, input: [...input, callOf(first), result], tools });
      assert.equal(second.output_text, 'In short: Sun');
      if (model === 'native') assert.equal(sim.last.body.messages[1].reasoning_content, 'I should look.', 'remembered and put back');
    });

    test(`Node, ${kind}: a forced call, ${how}`, async () => {
      const response = await get({ model, input: ask('Lima'), tools, tool_choice: { type: 'function', name: 'get_weather' } });
      assert.deepEqual(JSON.parse(callOf(response).arguments), { city: 'Lima' });
    });
  }

  test(`Node, ${kind}: parse, with a schema`, async () => {
    assert.deepEqual((await client.responses.parse({ model, input: ask('Cork'), text })).output_parsed, { city: 'Cork' });
    assert.deepEqual((await client.responses.stream({ model, input: ask('Cork'), text }).finalResponse()).output_parsed, { city: 'Cork' });
  });

  test(`Node, ${kind}: retrieve and delete`, async () => {
    const made = await client.responses.create({ model, input: ask('Oslo') });
    const kept = await eventually(() => client.responses.retrieve(made.id));
    assert.deepEqual([kept.output_text, kept.output], [made.output_text, made.output]);
    await client.responses.delete(made.id);
    await assert.rejects(client.responses.retrieve(made.id), OpenAI.NotFoundError);
  });
}

test('Node: errors are the SDK\'s own classes', async () => {
  const create = (body) => client.responses.create({ model: 'native', input: 'hello', ...body });
  const wrongKey = new OpenAI({ apiKey: 'sk-nobody', baseURL: `${weir.url}/v1`, maxRetries: 0 });
  await assert.rejects(wrongKey.responses.create({ model: 'native', input: 'hello' }), OpenAI.AuthenticationError);
  await assert.rejects(create({ model: 'unheard-of' }), OpenAI.NotFoundError);
  await assert.rejects(create({ background: true }), (error) => error instanceof OpenAI.BadRequestError && error.param === 'background');
  await assert.rejects(create({ previous_response_id: 'resp_never' }), (error) => error.param === 'previous_response_id');
  await assert.rejects(client.responses.retrieve('resp_never'), OpenAI.NotFoundError);
});

test('Node: a 429 that is worth waiting for is retried, and then succeeds', async () => {
  sim.next(secretOf('retried-1'), { status: 429, retryAfter: 1 });
  const patient = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 2 });
  assert.equal((await patient.responses.create({ model: 'retried', input: 'hello' })).status, 'completed');
});

const breakages = [{ is: 'cut', after: 4 }, { is: 'truncate', after: 4 }, { is: 'event_error', after: 4 }];
const mend = async () => {
  for (const enabled of [false, true]) await weir.manage('PATCH', '/admin/accounts/broken-1', { enabled });
};

test('Node: a stream that breaks is a failed response, never a completed one', async () => {
  for (const behaviour of breakages) {
    sim.next(secretOf('broken-1'), behaviour);
    const types = [];
    for await (const { type, response } of await client.responses.create({ model: 'broken', input: 'hello', stream: true })) {
      types.push(type);
      if (type === 'response.failed') assert.ok(response.error.message.length > 10);
    }
    assert.equal(types.at(-1), 'response.failed', JSON.stringify(behaviour));
    assert.ok(!types.includes('response.completed'));
    await mend();
  }
});

test('Python: the same', { skip: !process.env.WEIR_PYTHON && 'no Python environment' }, async () => {
  for (const [kind, model] of Object.entries(models)) {
    const got = await python('responses.py', { base_url: `${weir.url}/v1`, api_key: CLIENT_KEY, model, input: ask('Lima'), tools });
    for (const plain of [got.plain, got.streamed]) {
      assert.deepEqual([plain.text, plain.thought, plain.status], ['No tools for Lima, schön 好.', 'Hm.', 'completed'], kind);
      assert.ok(plain.usage.input_tokens > 0 && plain.usage.output_tokens > 0 && plain.usage.total_tokens > 0);
    }
    assert.deepEqual(got.warnings, [], 'what the SDK reads has the types that it declares');
    for (const loop of ['history', 'chained', 'streamed_loop']) assert.equal(got[loop], 'In short: Snow', `${kind}: ${loop}`);
    assert.deepEqual([got.parsed, got.parsed_stream], ['Lima', 'Lima'], kind);
    assert.equal(got.retrieved, 'No tools for Lima, schön 好.');
    assert.deepEqual(got.errors, {
      deleted: ['NotFoundError', 404], background: ['BadRequestError', 400], unknown: ['NotFoundError', 404], key: ['AuthenticationError', 401],
    });
  }
});
