// POST /v1/chat/completions: what reaches the upstream, what comes back, and when.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Sse, rawFields, readStream } from './client.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

let sim, ark, weir;

before(async () => {
  sim = await startSimulator();
  ark = await startSimulator({ profile: 'ark', models: ['ep-20250218144306-sshj5'] });
  sim.addModels('glm-4.5-air');
  const config = pools(sim, {
    plain: {},
    origin: { upstream: { base_url: sim.origin } },
    slashed: { upstream: { base_url: `${sim.url}/` } },
    globbed: { upstream: { models: ['glm-*'] } },
    named: {
      at: ark,
      upstream: { models: [], model_mapping: { 'deepseek-r1': 'ep-20250218144306-sshj5' }, default_model: 'deepseek-r1' },
    },
  });
  weir = await start({ config: { ...config, aliases: { 'gpt-4o': 'plain', 'my/alias': 'deepseek-r1' } } });
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), ark?.close()]);
});

const straight = async (simulator, account, body) => {
  const response = await fetch(`${simulator.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretOf(account)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hello' }], ...body }),
  });
  return body.stream ? readStream(response) : response.json();
};

test('a plain answer is the upstream\'s, with the model\'s name as asked', async () => {
  const answer = await weir.chat({ model: 'plain' });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { ...(await straight(sim, 'plain-1', { model: 'plain' })), model: 'plain' });
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  assert.equal(answer.headers.get('x-weir-attempts'), '1');
  assert.match(answer.headers.get('x-weir-queue-ms'), /^\d+$/);
  assert.ok(answer.headers.get('x-request-id'));
  assert.equal(answer.headers.get('openai-organization'), null, 'the upstream account\'s own headers stay behind');
});

test('a stream is the upstream\'s, chunk by chunk', async () => {
  const response = await weir.openChat({ model: 'plain' });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/event-stream; ?charset=utf-8$/i);
  assert.match(response.headers.get('cache-control'), /no-cache/);
  assert.equal(response.headers.get('content-length'), null);
  assert.equal(response.headers.get('x-weir-attempts'), '1');
  assert.match(response.headers.get('x-weir-queue-ms'), /^\d+$/);
  assert.ok(response.headers.get('x-request-id'));
  const through = await readStream(response);
  const direct = await straight(sim, 'plain-1', { model: 'plain', stream: true });
  assert.deepEqual(through.chunks, direct.chunks.map((chunk) => ({ ...chunk, model: 'plain' })));
  assert.ok(through.done);
});

test('request ids differ from call to call', async () => {
  const ids = await Promise.all([1, 2, 3].map(async () => (await weir.chat({ model: 'plain' })).headers.get('x-request-id')));
  assert.equal(new Set(ids).size, 3);
});

test('every field reaches the upstream byte for byte, but for model and stream_options', async () => {
  const sent = (stream) => `{ "model" : "plain",
    "messages":[{"role":"system","content":"h\\u00e9 \\ud83d\\ude00 é"},{"role":"user","content":[{"type":"text","text":"a\\/b"}],"name":"x"}],
    "temperature":1.0, "top_p":1e-1,"seed":12345678901234567890,"presence_penalty":-0.50,
    "logit_bias":{"50256":-100,  "1":1.5E+1},"stop":["a","\\u0000"],"user":"ü","metadata":{"z":"1","a":"2"},
    "max_tokens":128000,"reasoning_effort":null,"logprobs":false,"n":1,"parallel_tool_calls":true,
    "tools":[{"type":"function","name":"stray","function":{"name":"f","parameters":{"$schema":"x","type":"object","properties":{"b":{},"a":{}}}}}],
    "tool_choice":"none","response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"required":["b"],"a":[ ]}}},
    "prompt_cache_key":"k","store":false,"service_tier":"auto","thinking":{"type":"disabled"},"verbosity":"low",
    "a_field_of_next_year":{"deep":[1,2.50,{"k":null}],"big":9007199254740993},"stream":${stream}${stream ? ',"stream_options":{"include_obfuscation":false}' : ''} }`;
  for (const stream of [false, true]) {
    const answer = await weir.call('POST', '/v1/chat/completions', { raw: sent(stream) });
    assert.equal(answer.status, 200, answer.text);
    const [wanted, got] = [rawFields(sent(stream)), rawFields(sim.last.raw)];
    assert.equal(got.get('model'), '"plain"');
    if (stream) assert.deepEqual(sim.last.body.stream_options, { include_obfuscation: false, include_usage: true });
    else assert.ok(!got.has('stream_options'), 'an upstream refuses stream_options where nothing streams');
    for (const fields of [wanted, got]) ['model', 'stream_options'].forEach((name) => fields.delete(name));
    assert.deepEqual(Object.fromEntries(got), Object.fromEntries(wanted));
  }
});

test('the upstream sees the account\'s credential and nothing of the client', async () => {
  await weir.chat({ model: 'plain' }, { headers: { cookie: 'session=1', 'x-forwarded-for': '10.1.2.3', origin: 'https://app.example', 'x-title': 'mine', 'openai-organization': 'org-client' } });
  const { headers, method, url } = sim.last;
  assert.deepEqual([method, url], ['POST', '/v1/chat/completions']);
  assert.equal(headers.authorization, `Bearer ${secretOf('plain-1')}`);
  assert.match(headers['content-type'], /^application\/json/);
  for (const name of ['cookie', 'x-forwarded-for', 'origin', 'x-title', 'openai-organization', 'x-api-key', 'cf-connecting-ip']) {
    assert.equal(headers[name], undefined, name);
  }
  assert.ok(!JSON.stringify(headers).includes(CLIENT_KEY));
});

test('a mapped model goes upstream under its own name and comes back under the asked one', async () => {
  for (const stream of [false, true]) {
    const answer = stream ? await readStream(await weir.openChat({ model: 'deepseek-r1' })) : (await weir.chat({ model: 'deepseek-r1' })).json;
    assert.equal(ark.last.body.model, 'ep-20250218144306-sshj5');
    for (const part of stream ? answer.chunks : [answer]) assert.equal(part.model, 'deepseek-r1');
    assert.ok(!stream || answer.done);
  }
});

test('an alias stands for its model, mapped or not', async () => {
  assert.equal((await weir.chat({ model: 'gpt-4o' })).json.model, 'gpt-4o');
  assert.equal(sim.last.body.model, 'plain');
  assert.equal((await weir.chat({ model: 'my/alias' })).json.model, 'my/alias');
  assert.equal(ark.last.body.model, 'ep-20250218144306-sshj5');
});

test('a name that nobody lists goes to the upstream with a default model', async () => {
  const answer = await weir.chat({ model: 'never-heard-of' });
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.model, 'never-heard-of');
  assert.equal(ark.last.body.model, 'ep-20250218144306-sshj5');
});

test('a pattern in an upstream\'s models takes the names that match it', async () => {
  const answer = await weir.chat({ model: 'glm-4.5-air' });
  assert.equal(answer.json.model, 'glm-4.5-air');
  assert.equal(sim.last.body.model, 'glm-4.5-air');
  assert.equal(sim.last.key, secretOf('globbed-1'));
});

test('a base URL works with /v1, without it, with a slash at its end, and with another path', async () => {
  for (const model of ['origin', 'slashed', 'plain']) {
    assert.equal((await weir.chat({ model })).status, 200, model);
    assert.equal(sim.last.url, '/v1/chat/completions', model);
  }
  assert.equal((await weir.chat({ model: 'deepseek-r1' })).status, 200);
  assert.equal(ark.last.url, '/api/v3/chat/completions');
});

test('the path may be short, doubled, slashed at its end, or carry a query', async () => {
  for (const path of ['/chat/completions', '//v1/chat/completions', '/v1/chat/completions/', '/v1/chat/completions?beta=true']) {
    const answer = await weir.call('POST', path, { body: { model: 'plain', messages: [{ role: 'user', content: path }] } });
    assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  }
});

test('a key may come as Bearer in any case or as x-api-key; one of two is enough', async () => {
  const body = { model: 'plain', messages: [{ role: 'user', content: 'x' }] };
  for (const headers of [
    { authorization: `bearer ${CLIENT_KEY}` },
    { authorization: `Bearer  ${CLIENT_KEY} ` },
    { 'x-api-key': CLIENT_KEY },
    { 'x-api-key': CLIENT_KEY, authorization: 'Bearer sk-somebody-else-0000' },
    { 'x-api-key': 'sk-somebody-else-0000', authorization: `Bearer ${CLIENT_KEY}` },
  ]) {
    const answer = await weir.call('POST', '/v1/chat/completions', { key: null, headers, body });
    assert.equal(answer.status, 200, JSON.stringify(headers));
  }
});

test('each delta reaches the client before the upstream sends the next', async () => {
  const gate = new Gate();
  sim.next(secretOf('plain-1'), { gate });
  gate.open();
  // With usage asked for, no event of the upstream's is hidden, so that the two can be counted together.
  const sse = new Sse(await weir.openChat({ model: 'plain', stream_options: { include_usage: true } }));
  for (let count = 1; ; count += 1) {
    const event = await sse.data();
    if (event === null) break;
    // What has been written so far is what has been read: nothing waits for company.
    if (event.data !== '[DONE]') assert.equal(sim.last.events, count);
    gate.open();
  }
  assert.match(sse.text, /data: \[DONE\]\n\n$/);
});

test('an answer of two megabytes and an event of 150 KB pass whole', async () => {
  for (const behaviour of ['huge', 'long_event']) {
    for (const stream of [true, false]) {
      sim.next('*', behaviour);
      const response = await weir.openChat({ model: 'plain', stream });
      sim.next('*', behaviour);
      const direct = await straight(sim, 'plain-1', { model: 'plain', stream });
      const text = stream ? (await readStream(response)).text : (await response.json()).choices[0].message.content;
      const wanted = stream ? direct.text : direct.choices[0].message.content;
      assert.ok(wanted.length > 50_000);
      assert.ok(text === wanted, `${behaviour}, stream ${stream}: ${text.length} of ${wanted.length} characters`);
    }
  }
});

test('a request of several megabytes reaches the upstream', async () => {
  const content = 'ä'.repeat(2_000_000);
  const answer = await weir.chat({ model: 'plain', messages: [{ role: 'user', content }] });
  assert.equal(answer.status, 200);
  assert.ok(sim.last.body.messages[0].content === content);
});
