// Ark, the DeepSeek platform and OpenAI through Weir: each service's own habits arrive as they are, and are counted right.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { eventually, CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

const sims = {};
let weir;
const messages = [{ role: 'user', content: 'What is the weather in Paris?' }];
const parameters = { type: 'object', properties: { city: { type: 'string' } } };
const tools = ['get_weather', 'get_time'].map((name) => ({ type: 'function', function: { name, parameters } }));
const usage = { include_usage: true };

before(async () => {
  const config = { keys: [CLIENT_KEY], upstreams: [], accounts: [], settings: { max_attempts: 1, ping_ms: 200, hold_headers_ms: 200 } };
  for (const profile of ['openai', 'ark', 'deepseek']) {
    sims[profile] = await startSimulator({ profile });
    const { upstreams, accounts } = pools(sims[profile], { [profile]: {} });
    config.upstreams.push(...upstreams);
    config.accounts.push(...accounts);
  }
  weir = await start({ config });
});
after(async () => {
  await weir?.stop();
  await Promise.all(Object.values(sims).map((sim) => sim.close()));
});

const clients = (profile) => [
  new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 }),
  new OpenAI({ apiKey: secretOf(`${profile}-1`), baseURL: sims[profile].url, maxRetries: 0 }),
];

async function answer(client, body) {
  if (!body.stream) return client.chat.completions.create(body);
  const chunks = [];
  for await (const chunk of await client.chat.completions.create(body)) chunks.push(chunk);
  return chunks;
}

/** The only thing that Weir changes. */
const named = (value, model) => JSON.parse(JSON.stringify(value, (field, inner) => (field === 'model' ? model : inner)));

const cases = {
  openai: { plain: {}, 'two choices': { n: 2 }, tools: { tools }, 'one tool at a time': { tools, parallel_tool_calls: false }, 'no obfuscation': { streamed: { include_obfuscation: false } } },
  ark: { plain: {}, thinking: { thinking: { type: 'enabled' } }, tools: { tools }, 'usage on every chunk': { streamed: { ...usage, chunk_include_usage: true } } },
  deepseek: { thinking: {}, plain: { thinking: { type: 'disabled' } }, tools: { tools, thinking: { type: 'disabled' } } },
};

for (const [profile, bodies] of Object.entries(cases)) {
  for (const [name, { streamed, ...body }] of Object.entries(bodies)) {
    test(`${profile}: ${name}, field by field`, async () => {
      const ways = streamed ? [{ stream: true, stream_options: streamed }] : [{}, { stream: true }, { stream: true, stream_options: usage }];
      for (const way of ways) {
        const [through, straight] = await Promise.all(clients(profile).map((client) => answer(client, { model: profile, messages, ...body, ...way })));
        // Ark writes `usage: null` even where no usage was asked for; then Weir leaves it out, as OpenAI does (C22).
        const bare = profile === 'ark' && way.stream && !way.stream_options;
        const wanted = bare ? straight.map(({ usage: _, ...chunk }) => chunk) : straight;
        assert.deepEqual(named(through, profile), named(wanted, profile), JSON.stringify(way));
        for (const part of [through].flat()) assert.equal(part.model, profile);
      }
    });
  }
}

const used = async (profile) => (await weir.account(`${profile}-1`)).usage.tpm;

/** Tokens that a call adds to its account, once it is settled. */
async function costs(profile, call) {
  const before = await used(profile);
  const value = await call();
  let cost;
  await eventually(async () => {
    assert.equal((await weir.account(`${profile}-1`)).in_flight, 0);
    cost = (await used(profile)) - before;
  });
  return [cost, value];
}

test('tokens are counted once, however a service reports them', async () => {
  for (const [profile, options, behaviour] of [
    ['openai', {}, 'ok'],
    ['openai', { stream: true }, 'ok'],
    ['openai', { stream: true, stream_options: usage }, 'ok'],
    ['openai', { stream: true, stream_options: { include_usage: false } }, 'ok'],
    ['ark', { stream: true, stream_options: { ...usage, chunk_include_usage: true } }, 'ok'],
    ['deepseek', { stream: true }, { usageOn: 'finish' }],
    ['deepseek', { stream: true }, 'ok'],
  ]) {
    const [through, straight] = clients(profile);
    const { usage: wanted } = await straight.chat.completions.create({ model: profile, messages });
    sims[profile].next(secretOf(`${profile}-1`), behaviour);
    const [cost] = await costs(profile, () => answer(through, { model: profile, messages, ...options }));
    assert.equal(cost, wanted.total_tokens, `${profile} ${JSON.stringify(options)} ${JSON.stringify(behaviour)}`);
  }
});

test('a stream that reports no usage at all is whole all the same', async () => {
  sims.openai.next(secretOf('openai-1'), { usageOn: 'none' });
  const chunks = await answer(clients('openai')[0], { model: 'openai', messages, stream: true });
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('empty lines before a queued DeepSeek\'s JSON do no harm', async () => {
  const [gate, beats] = [new Gate(), new Gate()];
  sims.deepseek.next(secretOf('deepseek-1'), { is: 'queued', gate, beats });
  const pending = clients('deepseek')[0].chat.completions.create({ model: 'deepseek', messages });
  beats.open(3);
  await eventually(() => assert.equal(beats.held, 1));
  gate.open();
  assert.equal((await pending).choices[0].finish_reason, 'stop');
});

test('reasoning comes back with its tool turn, and its absence is the service\'s own error', async () => {
  const [through] = clients('deepseek');
  const first = await through.chat.completions.create({ model: 'deepseek', messages, tools });
  const { message } = first.choices[0];
  assert.ok(message.reasoning_content);
  const results = message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: '20°' }));
  const turn = (assistant) => through.chat.completions.create({ model: 'deepseek', tools, messages: [...messages, assistant, ...results] });
  assert.equal((await turn(message)).choices[0].finish_reason, 'stop');
  const { reasoning_content: _, ...forgetful } = message;
  await assert.rejects(turn(forgetful), (error) => error instanceof OpenAI.BadRequestError && /must be passed back/.test(error.message));
});

test('the SDK\'s helpers work: stream(), parse() and runTools()', async () => {
  const [through] = clients('openai');
  const streamed = await through.chat.completions.stream({ model: 'openai', messages }).finalChatCompletion();
  assert.match(streamed.choices[0].message.content, /You said: What is the weather/);
  sims.openai.next(secretOf('openai-1'), { text: ['{"city":', '"Paris"}'] });
  const format = { type: 'json_schema', json_schema: { name: 'place', strict: true, schema: { ...parameters, required: ['city'], additionalProperties: false } } };
  const parsed = await through.chat.completions.parse({ model: 'openai', messages, response_format: format });
  assert.deepEqual(parsed.choices[0].message.parsed, { city: 'Paris' });
  const asked = [];
  const runner = through.chat.completions.runTools({
    model: 'openai',
    messages,
    stream: true,
    tools: [{ type: 'function', function: { name: 'get_weather', parameters, parse: JSON.parse, function: ({ city }) => (asked.push(city), '20°') } }],
  });
  assert.match(await runner.finalContent(), /You said/);
  assert.deepEqual(asked, ['größe city 🌡']);
});

test('a 429 with Retry-After: 1 and then a good answer is one success for the SDK', async () => {
  const patient = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 2 });
  sims.openai.next(secretOf('openai-1'), { status: 429, retryAfter: 1 });
  assert.equal((await patient.chat.completions.create({ model: 'openai', messages })).choices[0].finish_reason, 'stop');
});
