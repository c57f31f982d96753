// The official openai SDKs, for Node and Python: through Weir they give what they give straight from the upstream.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { startSimulator } from '../simulators/openai.mjs';
import { python } from './client.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

let sim, weir, through, straight;
const messages = [{ role: 'user', content: 'What is the weather in Paris?' }];
const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];

before(async () => {
  sim = await startSimulator();
  weir = await start({ config: pools(sim, { plain: {} }, { settings: { max_attempts: 1 } }) });
  // The simulator gives an asked model a dated name, as the service does; straight, that is mended here.
  through = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
  straight = new OpenAI({ apiKey: secretOf('plain-1'), baseURL: sim.url, maxRetries: 0 });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

const named = (value) => JSON.parse(JSON.stringify(value, (field, inner) => (field === 'model' ? 'plain' : inner)));

async function collect(client, options) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({ model: 'plain', messages, stream: true, ...options })) chunks.push(chunk);
  return chunks;
}

for (const [name, options] of Object.entries({
  plain: {},
  'with tools': { tools },
  'with usage': { stream_options: { include_usage: true } },
  'with tools and usage': { tools, parallel_tool_calls: true, stream_options: { include_usage: true } },
})) {
  test(`Node: a chat ${name}, whole and streamed, is the same field by field`, async () => {
    const { stream_options: _, ...whole } = options;
    const plain = (client) => client.chat.completions.create({ model: 'plain', messages, ...whole });
    assert.deepEqual(named(await plain(through)), named(await plain(straight)));
    const chunks = await collect(through, options);
    assert.ok(chunks.length > 3);
    assert.deepEqual(named(chunks), named(await collect(straight, options)));
  });
}

test('Node: embeddings, completions, moderations and models', async () => {
  for (const call of [
    (client) => client.embeddings.create({ model: 'plain', input: ['one', 'two'] }),
    (client) => client.embeddings.create({ model: 'plain', input: 'one', encoding_format: 'base64' }),
    (client) => client.completions.create({ model: 'plain', prompt: 'Once' }),
    (client) => client.moderations.create({ model: 'plain', input: 'hello' }),
  ]) {
    assert.deepEqual(named(await call(through)), named(await call(straight)));
  }
  const models = [];
  for await (const model of through.models.list()) models.push(model.id);
  assert.deepEqual(models, ['plain']);
  assert.equal((await through.models.retrieve('plain')).owned_by, 'plain');
});

test('Node: errors are the SDK\'s own classes', async () => {
  const chat = (client, options) => client.chat.completions.create({ model: 'plain', messages, ...options });
  const wrongKey = new OpenAI({ apiKey: 'sk-nobody', baseURL: `${weir.url}/v1`, maxRetries: 0 });
  await assert.rejects(chat(wrongKey), OpenAI.AuthenticationError);
  await assert.rejects(chat(through, { model: 'unheard-of' }), OpenAI.NotFoundError);
  await assert.rejects(chat(through, { messages: [] }), OpenAI.BadRequestError);
  sim.next(secretOf('plain-1'), { status: 422, message: 'no' });
  await assert.rejects(chat(through), OpenAI.UnprocessableEntityError);
});

test('Python: the same, and a broken stream raises', { skip: !process.env.WEIR_PYTHON && 'no Python environment' }, async () => {
  sim.reset();
  const input = (base_url, api_key) => ({ base_url, api_key, model: 'plain', messages, tools });
  const [ours, theirs] = await Promise.all([
    python('sdk.py', input(`${weir.url}/v1`, CLIENT_KEY)),
    python('sdk.py', input(sim.url, secretOf('plain-1'))),
  ]);
  assert.ok(ours.stream.length > 3 && ours.tools_stream.length > 3);
  assert.deepEqual(named(ours), named(theirs));
  for (const behaviour of [{ is: 'cut', after: 3 }, { is: 'truncate', after: 3 }, { is: 'event_error', after: 3 }]) {
    sim.next(secretOf('plain-1'), behaviour);
    const { raised, chunks } = await python('broken.py', input(`${weir.url}/v1`, CLIENT_KEY));
    assert.match(raised ?? 'nothing', /APIError/, JSON.stringify(behaviour));
    assert.equal(chunks, 3);
    await weir.manage('PATCH', '/admin/accounts/plain-1', { enabled: false });
    await weir.manage('PATCH', '/admin/accounts/plain-1', { enabled: true });
  }
});
