// What happens to a stream: a cut one is never passed off as a whole one (architecture §6, api-conformance T9).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Sse, readStream } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim, deepseek, weir;

before(async () => {
  sim = await startSimulator();
  deepseek = await startSimulator({ profile: 'deepseek' });
  const config = pools(sim, { plain: {}, thinking: { at: deepseek } });
  const settings = {
    max_attempts: 1,
    hold_headers_ms: 150,
    ping_ms: 100,
    deadlines: { connect_ms: 20_000, first_token_ms: 20_000, stall_ms: 1_200 },
  };
  weir = await start({ config: { ...config, settings } });
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), deepseek?.close()]);
});

/** The pool is whole again: what a test broke is reset by switching the account off and on. */
async function heal(id) {
  await weir.manage('PATCH', `/admin/accounts/${id}`, { enabled: false });
  await weir.manage('PATCH', `/admin/accounts/${id}`, { enabled: true });
}

const broken = {
  cut: { is: 'cut', after: 3 },
  truncated: { is: 'truncate', after: 3 },
  stalled: { is: 'stall', after: 3 },
  garbage: { is: 'garbage', after: 3 },
  'an error event': { is: 'event_error', after: 3 },
};

for (const [name, behaviour] of Object.entries(broken)) {
  test(`${name} in mid-stream ends with the dialect's error event and nothing more`, async () => {
    sim.next(secretOf('plain-1'), behaviour);
    const response = await weir.openChat({ model: 'plain' });
    assert.equal(response.status, 200);
    const stream = await readStream(response);
    assert.equal(stream.done, false, 'no [DONE]');
    assert.equal(stream.finish, null, 'no finish reason');
    assert.equal(stream.errors.length, 1);
    assert.ok(stream.lastIsError, 'nothing follows the error');
    assert.deepEqual(Object.keys(stream.errors[0]).sort(), ['code', 'message', 'param', 'type']);
    assert.equal(stream.chunks.length, 3, 'what came before is passed on');
    await eventually(async () => assert.equal((await weir.account('plain-1')).in_flight, 0));
    await heal('plain-1');
  });

  test(`${name} in mid-stream raises in the official SDK`, async () => {
    sim.next(secretOf('plain-1'), behaviour);
    const client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
    const stream = await client.chat.completions.create({ model: 'plain', stream: true, messages: [{ role: 'user', content: 'hi' }] });
    let chunks = 0;
    await assert.rejects(async () => {
      for await (const chunk of stream) chunks += chunk.choices.length;
    }, OpenAI.APIError);
    assert.equal(chunks, 3);
    await heal('plain-1');
  });
}

test('characters split between network chunks stay whole, byte by byte too', async () => {
  for (const slice of [1, 7]) {
    sim.next(secretOf('plain-1'), { slice, text: ['漢字', '👍🏽 é', '\u2028'] });
    const stream = await readStream(await weir.openChat({ model: 'plain' }));
    assert.equal(stream.text, '漢字👍🏽 é\u2028');
    assert.ok(stream.done);
  }
});

test('CRLF, no space after data:, and a missing [DONE] are accepted', async () => {
  for (const options of [{ eol: '\r\n' }, { space: '' }, { done: false }]) {
    sim.next(secretOf('plain-1'), { ...options, text: ['a', 'b'] });
    const stream = await readStream(await weir.openChat({ model: 'plain' }));
    assert.deepEqual([stream.text, stream.finish, stream.done], ['ab', 'stop', true], JSON.stringify(options));
  }
});

test('keep-alive comments flow while the upstream thinks, and reasoning comes through', async () => {
  const gate = new Gate();
  deepseek.next(secretOf('thinking-1'), { is: 'queued', gate, reasoning: ['hm'], text: ['yes'] });
  const sse = new Sse(await weir.openChat({ model: 'thinking' }));
  assert.ok('comment' in (await sse.next()));
  assert.ok('comment' in (await sse.next()));
  gate.open();
  const chunks = (await sse.rest()).filter(({ data }) => data !== '[DONE]').map(({ data }) => JSON.parse(data));
  const deltas = chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.delta);
  assert.equal(deltas.map((delta) => delta.reasoning_content ?? '').join(''), 'hm');
  assert.equal(deltas.map((delta) => delta.content ?? '').join(''), 'yes');
});

test('usage is counted for every stream and shown only to who asks', async () => {
  const before = (await weir.account('plain-1')).usage.tpm;
  const hidden = await readStream(await weir.openChat({ model: 'plain' }));
  assert.ok(hidden.chunks.every((chunk) => chunk.choices.length > 0 && !('usage' in chunk)));
  await eventually(async () => assert.ok((await weir.account('plain-1')).usage.tpm > before));
  const shown = await readStream(await weir.openChat({ model: 'plain', stream_options: { include_usage: true } }));
  assert.ok(shown.chunks.at(-1).usage.total_tokens > 0);
  assert.deepEqual(shown.chunks.at(-1).choices, []);
});

test('one connection serves a stream after the other', async () => {
  // At the second call already, unless it overtakes the end of the first one's body.
  await eventually(async () => {
    const before = sim.last.connection;
    assert.ok((await readStream(await weir.openChat({ model: 'plain' }))).done);
    assert.equal(sim.last.connection, before);
  });
});

test('a stream that stays open past its marker is whole, and holds its account no longer', async () => {
  sim.next(secretOf('plain-1'), 'stays_open');
  assert.ok((await readStream(await weir.openChat({ model: 'plain' }))).done);
  await eventually(async () => assert.equal((await weir.account('plain-1')).in_flight, 0));
  await sim.until(() => sim.last.aborted);
});

test('what follows a large piece of a stream does not wait for more', async () => {
  const gate = new Gate();
  const event = (delta, finish_reason = null) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'plain', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  const large = event({ content: 'x'.repeat(40_000) });
  const pieces = [event({ role: 'assistant', content: '' }), large.slice(0, -10), large.slice(-10), large, event({ content: 'a' }), event({}, 'stop')];
  sim.next(secretOf('plain-1'), async (call) => {
    call.streamHead();
    for (const piece of [...pieces, 'data: [DONE]\n\n']) {
      await call.orGone(gate.wait());
      await call.write(piece);
    }
    return call.forever();
  });
  gate.open();
  const sse = new Sse(await weir.openChat({ model: 'plain' }));
  const next = async () => {
    const { data } = await sse.data();
    return data === '[DONE]' ? data : (JSON.parse(data).choices[0].delta.content ?? '').length;
  };
  assert.equal(await next(), 0);
  gate.open();
  // Silence: what there is of the event has been read.
  assert.ok('comment' in (await sse.next()));
  for (const expected of [40_000, 40_000, 1, 0, '[DONE]']) {
    gate.open();
    assert.equal(await next(), expected);
  }
  assert.equal(await sse.next(), null);
});

test('no first token and no whole answer in time is a 504', async () => {
  const patient = await start({
    config: {
      ...pools(sim, { late: { accounts: 1, upstream: { timeout_s: 1 } } }),
      settings: { max_attempts: 1, hold_headers_ms: 60_000, deadlines: { connect_ms: 400, first_token_ms: 400 } },
    },
  });
  try {
    for (const stream of [true, false]) {
      sim.next(secretOf('late-1'), 'silent');
      const answer = await patient.chat({ model: 'late', stream });
      assert.equal(answer.status, 504, answer.text);
      assert.equal(answer.json.error.code, 'upstream_timeout');
    }
  } finally {
    await patient.stop();
  }
});
