// An upstream at its worst: half answers, foreign lines, redirects. Nothing of it passes for a good answer.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import OpenAI from 'openai';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Sse, readStream } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim, thief, weir;
const first = secretOf('pair-1');
const ANSWER_MAX = 200_000;

before(async () => {
  sim = await startSimulator();
  thief = await startSimulator();
  const pair = { accounts: [{ priority: 1 }, {}] };
  const settings = { ping_ms: 100, hold_headers_ms: 2_000, max_answer_bytes: ANSWER_MAX, deadlines: { connect_ms: 600, first_token_ms: 900, stall_ms: 2_000 } };
  weir = await start({ config: pools(sim, { pair, pages: pair }, { settings }) });
});
beforeEach(async () => {
  sim.reset();
  for (const enabled of [false, true]) await weir.manage('PATCH', '/admin/accounts/pair-1', { enabled });
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), thief?.close()]);
});

const settled = (id = 'pair-1') => eventually(async () => assert.equal((await weir.account(id)).in_flight, 0));

for (const behaviour of ['cut', { is: 'cut', reset: true }, 'truncate', 'garbage']) {
  test(`a plain answer that is broken (${JSON.stringify(behaviour)}) is tried elsewhere`, async () => {
    sim.next(first, behaviour);
    const answer = await weir.chat({ model: 'pair' });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-weir-attempts'), '2');
    assert.equal(answer.json.choices[0].finish_reason, 'stop');
    await settled();
  });
}

for (const [name, behaviour] of Object.entries({
  'cut after its headers': { is: 'cut', after: 0 },
  'ended after its headers': { is: 'truncate', after: 0 },
  'silent after its headers': { is: 'stall', after: 0 },
  'silent altogether': 'silent',
  'garbage from the start': { is: 'garbage', after: 0 },
})) {
  test(`a stream that is ${name} is tried elsewhere`, async () => {
    sim.next(first, behaviour);
    const response = await weir.openChat({ model: 'pair' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-weir-attempts'), '2');
    const stream = await readStream(response);
    assert.ok(stream.done && stream.errors.length === 0);
    await sim.until(() => sim.open === 0);
    await settled();
  });
}

test('a failed try leaves no word of its own in the stream', async () => {
  sim.next(first, { is: 'event_error', status: 503 });
  const stream = await readStream(await weir.openChat({ model: 'pair' }));
  assert.deepEqual(stream.errors, []);
  assert.equal(new Set(stream.chunks.map(({ id }) => id)).size, 1);
});

test('one of two choices finished is not the end', async () => {
  sim.next(first, async (call) => {
    await call.data('{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null},{"index":1,"delta":{"content":"b"},"finish_reason":null}]}');
    await call.data('{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}');
    call.end();
  });
  const stream = await readStream(await weir.openChat({ model: 'pair', n: 2 }));
  assert.ok(!stream.done && stream.lastIsError);
  await settled();
});

for (const finish of ['error', 'network_error', 'abort', 'insufficient_system_resource']) {
  test(`an answer that its service gave up (${finish}) is no whole one, on either path`, async () => {
    sim.next(first, { finish });
    const plain = await weir.chat({ model: 'pair' });
    assert.equal(plain.headers.get('x-weir-attempts'), '2', plain.text);
    assert.equal(plain.json.choices[0].finish_reason, 'stop');

    sim.next(first, { finish });
    const stream = await readStream(await weir.openChat({ model: 'pair' }));
    assert.ok(!stream.done && stream.lastIsError && stream.text.length > 0);
    assert.equal(stream.finish, null);
    assert.match(stream.errors[0].message, new RegExp(finish));

    sim.next(first, { finish });
    const translated = new Sse(await weir.fetch('POST', '/v1/messages', { body: { model: 'pair', max_tokens: 100, stream: true, messages: [{ role: 'user', content: 'hi' }] } }));
    const events = await translated.rest();
    assert.equal(events.at(-1).event, 'error');
    assert.match(events.at(-1).data, new RegExp(finish));
    await settled();
  });
}

test('JSON that only looks whole raises in the client', async () => {
  sim.next(first, async (call) => {
    await call.data('{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}');
    await call.data('{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"b"},"finish_reason":null}]}');
    await call.data('[DONE]');
    call.end();
  });
  const client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
  const stream = await client.chat.completions.create({ model: 'pair', stream: true, messages: [{ role: 'user', content: 'x' }] });
  await assert.rejects(async () => {
    for await (const chunk of stream) assert.ok(chunk.id);
  });
  await settled();
});

test('id: and retry: lines, which kill Python\'s decoder, are left out', async () => {
  sim.next(first, async (call) => {
    call.streamHead();
    await call.write('retry: 3000\n\nid: 1\nevent: message\ndata: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n: note\n\nid: 2\ndata: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
    call.end();
  });
  const sse = new Sse(await weir.openChat({ model: 'pair' }));
  await sse.rest();
  assert.doesNotMatch(sse.text, /^(id|retry):/m);
  assert.match(sse.text, /"content":"a"/);
  assert.match(sse.text, /data: \[DONE\]\n\n$/);
});

test('a keep-alive never falls into the middle of an event', async () => {
  const gate = new Gate();
  const event = '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"long"},"finish_reason":null}]}';
  sim.next(first, async (call) => {
    await call.data(event);
    await call.write(`data: ${event.slice(0, 60)}`);
    await call.orGone(gate.wait());
    await call.write(`${event.slice(60)}\n`);
    await call.orGone(gate.wait());
    await call.write('\n');
    await call.data('{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}');
    await call.data('[DONE]');
    call.end();
  });
  const sse = new Sse(await weir.openChat({ model: 'pair' }));
  assert.ok((await sse.data()).data);
  assert.ok('comment' in (await sse.next()), 'a comment comes while half an event is held');
  gate.open();
  assert.equal(JSON.parse((await sse.data()).data).choices[0].delta.content, 'long');
  gate.open();
  const rest = await sse.rest();
  assert.equal(rest.at(-1).data, '[DONE]');
  for (const { data } of rest.filter(({ data }) => data !== '[DONE]')) assert.ok(JSON.parse(data), 'each event is whole');
});

test('a redirect is not followed: the credential stays here', async () => {
  for (const status of [301, 302, 307, 308]) {
    sim.next(first, { is: 'redirect', status, location: `${thief.url}/chat/completions` });
    assert.equal((await weir.chat({ model: 'pair' })).status, 200);
    await weir.manage('PATCH', '/admin/accounts/pair-1', { enabled: false });
    await weir.manage('PATCH', '/admin/accounts/pair-1', { enabled: true });
  }
  assert.equal(thief.requests.length, 0);
});

// What a service answers a stream with is judged by what it holds, whatever its label says: some say text/plain or text/html, or nothing.
for (const label of ['text/plain; charset=utf-8', 'text/html', undefined]) {
  const headers = label && { 'content-type': label };
  test(`a stream labelled ${label} is one, and is passed on as it comes`, async () => {
    for (const path of ['/v1/chat/completions', '/v1/messages']) {
      const gate = new Gate();
      sim.next(first, async (call) => {
        call.head(200, headers);
        await call.data('{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"early"},"finish_reason":null}]}');
        await call.orGone(gate.wait());
        await call.data('{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}');
        await call.data('[DONE]');
        call.end();
      });
      const response = await weir.fetch('POST', path, { body: { model: 'pair', max_tokens: 100, stream: true, messages: [{ role: 'user', content: 'hi' }] } });
      assert.equal(response.headers.get('x-weir-attempts'), '1');
      const sse = new Sse(response);
      while (!sse.text.includes('early')) assert.ok(await sse.next(), 'it comes before the end');
      gate.open();
      await sse.rest();
      assert.match(sse.text, path === '/v1/messages' ? /event: message_stop/ : /data: \[DONE\]\n\n$/);
    }
    await settled();
  });

  for (const [what, body, message] of [
    ['a page for people', '<!doctype html>\n<html>\n<body>Who goes there?</body></html>\n', /something that is no answer/],
    ['a word of a proxy', 'upstream connect error or disconnect/reset before headers', /something that is no answer/],
    ['an error in JSON', '{"error":{"message":"Out to lunch","type":"server_error"}}', /Out to lunch/],
  ]) {
    test(`${what} in a 200 labelled ${label} is told as what it is, and another account tried`, async () => {
      const page = (call) => {
        call.head(200, headers);
        call.end(body);
      };
      sim.next(first, page);
      const response = await weir.openChat({ model: 'pair' });
      assert.equal(response.headers.get('x-weir-attempts'), '2');
      assert.ok((await readStream(response)).done);
      for (const path of ['/v1/chat/completions', '/v1/messages']) {
        sim.next('*', page, page);
        const told = await weir.call('POST', path, { body: { model: 'pair', max_tokens: 100, stream: true, messages: [{ role: 'user', content: 'hi' }] } });
        assert.equal(told.status, 502, told.text);
        assert.match(told.json.error.message, message);
      }
    });
  }
}

/** A plain answer of so many bytes. */
function completion(bytes) {
  const answer = (content) => JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'pair', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }] });
  return answer('x'.repeat(bytes - answer('').length));
}

const JSON_HEAD = { 'content-type': 'application/json' };
const ways = {
  'of a known length': (body) => (call) => call.send(200, body, JSON_HEAD),
  'of no known length': (body) => async (call) => {
    call.head(200, JSON_HEAD);
    await call.write(body.slice(0, 10));
    call.end(body.slice(10));
  },
  'that is compressed': (body) => (call) => call.send(200, gzipSync(body), { ...JSON_HEAD, 'content-encoding': 'gzip' }),
};
for (const [name, way] of Object.entries(ways)) {
  test(`a plain answer ${name} is taken up to its bound, and no further`, async () => {
    for (const bytes of [1_000, 65_536, 150_000, ANSWER_MAX]) {
      sim.next(first, way(completion(bytes)));
      const { text, headers } = await weir.chat({ model: 'pair' });
      assert.deepEqual([text, headers.get('x-weir-attempts')], [completion(bytes), '1'], `${bytes} bytes`);
    }
    const long = way(completion(ANSWER_MAX + 1));
    // Another account's answer would be as long, and paid for as well.
    for (let time = 0; time < 3; time += 1) {
      sim.next('*', long);
      const told = await weir.chat({ model: 'pair' });
      assert.equal(told.headers.get('x-weir-attempts'), '1');
      assert.equal(told.status, 502, told.text);
      assert.match(told.json.error.message, /larger than 200000 bytes \(settings\.max_answer_bytes\)/);
    }
    for (const id of ['pair-1', 'pair-2']) assert.equal((await weir.account(id)).state, 'ready', 'no account is blamed');
  });
}

test('an answer without an end is given up at its bound', async () => {
  const endless = (head, piece) => async (call) => {
    call.head(200, head);
    for (;;) await call.write(piece);
  };
  const event = `data: {"choices":[{"delta":{"content":"${'x'.repeat(10_000)}"}}]}\n\n`;
  for (const [path, behaviour] of [
    ['/v1/chat/completions', endless(JSON_HEAD, 'x'.repeat(10_000))],
    ['/v1/messages', endless({ 'content-type': 'text/event-stream' }, event)],
  ]) {
    sim.next('*', behaviour);
    const told = await weir.call('POST', path, { body: { model: 'pair', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] } });
    assert.equal(told.status, 502, told.text);
    assert.match(told.json.error.message, /max_answer_bytes/);
    await sim.until(() => sim.open === 0);
  }
});

test('a plain answer of no known length that breaks off is tried elsewhere', async () => {
  for (const bytes of [1_000, 150_000]) {
    sim.next(first, async (call) => {
      call.head(200, JSON_HEAD);
      await call.write(completion(bytes).slice(0, -10));
      call.cut();
    });
    const answer = await weir.chat({ model: 'pair' });
    assert.deepEqual([answer.status, answer.headers.get('x-weir-attempts')], [200, '2'], answer.text);
  }
});

test('pages for people never reach a client', async () => {
  sim.onModel('pages', 'html');
  for (const stream of [false, true]) {
    const answer = await weir.chat({ model: 'pages', stream });
    assert.equal(answer.status, 502, answer.text);
    assert.deepEqual(Object.keys(answer.json.error).sort(), ['code', 'message', 'param', 'type']);
    assert.doesNotMatch(answer.text, /<html|cloudfront/);
  }
});

test('a stall is an error event in good time, and the upstream call ends', async () => {
  sim.next(first, { is: 'stall', after: 3 });
  const stream = await readStream(await weir.openChat({ model: 'pair' }));
  assert.ok(stream.lastIsError);
  assert.equal(stream.errors[0].code, 'upstream_timeout');
  await sim.until(() => sim.open === 0);
  await settled();
});

test('an upstream\'s error in mid-stream is told without its credential', async () => {
  sim.next(first, { is: 'event_error', after: 2, message: `your key ${first} was revoked` });
  const sse = new Sse(await weir.openChat({ model: 'pair' }));
  const { error } = JSON.parse((await sse.rest()).at(-1).data);
  assert.ok(error.message.length > 0);
  assert.ok(!sse.text.includes(first));
});
