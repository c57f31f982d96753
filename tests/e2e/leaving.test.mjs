// Callers who leave: at every moment of a call, politely and rudely, its lease ends and its upstream call is aborted.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { Raw, Sse } from './client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

let sim, weir;
const worker = (hold_headers_ms, ping_ms = 200) =>
  start({
    config: pools(sim, { left: {}, single: { limits: { concurrency: 1 } } }, {
      settings: { ping_ms, hold_headers_ms, queue: { max_waiting: 500, max_wait_ms: 20_000 } },
    }),
  });

before(async () => {
  sim = await startSimulator();
  weir = await worker(300);
});
beforeEach(() => sim.reset());
after(async () => {
  await weir?.stop();
  await sim?.close();
});

const call = (model, more, gateway = weir) =>
  new Raw(gateway.url, {
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
    body: { model, stream: true, messages: [{ role: 'user', content: 'hi' }], ...more },
  });

async function idle({ within, gateway = weir } = {}) {
  await eventually(async () => {
    const { accounts, queue_size, keys } = await gateway.status();
    assert.deepEqual(accounts.map(({ in_flight }) => in_flight), accounts.map(() => 0));
    assert.deepEqual([queue_size, ...keys.map(({ in_flight }) => in_flight)], [0, 0]);
  }, { within });
  assert.equal(sim.open, 0, 'the upstream has no call left either');
}

for (const leave of ['fin', 'rst']) {
  test(`a caller who leaves a flowing stream by ${leave} aborts the upstream call`, async () => {
    const gate = new Gate();
    gate.open(3);
    sim.next('*', { gate, text: Array(1_000).fill('word ') });
    const raw = call('left');
    await raw.until(/data: [^]*data: /);
    raw[leave]();
    gate.open(2_000);
    await sim.until(() => sim.aborts === 1);
    assert.ok(sim.last.events < 1_000, 'it did not run to its end');
    await idle();
  });

  test(`a caller who leaves a silent stream by ${leave} is noticed`, async () => {
    sim.next('*', { is: 'stall', after: 2 });
    const raw = call('left');
    await raw.until(/data: [^]*data: /);
    raw[leave]();
    await sim.until(() => sim.aborts === 1);
    await idle();
  });

  test(`a caller who leaves before the headers by ${leave} is noticed`, async () => {
    sim.next('*', 'silent');
    const raw = call('left');
    await sim.until(() => sim.open === 1);
    raw[leave]();
    await sim.until(() => sim.aborts === 1);
    await idle();
  });
}

// `fetch` closes its socket when it is aborted: a FIN, which may as well be half of a connection that goes on. The platform
// takes it for that until a write is answered by a reset; then the request's signal fires. So the keep-alive is the probe.
test('a caller whose fetch is aborted in a silent stream is noticed by the next keep-alive, which is never late', async (context) => {
  const patient = await worker(300, 2_000);
  context.after(() => patient.stop());
  sim.next('*', { is: 'stall', after: 2 });
  const leaving = new AbortController();
  const sse = new Sse(await patient.openChat({ model: 'left' }, { signal: leaving.signal }));
  await sse.data();
  await sse.data();
  const begun = performance.now();
  assert.ok('comment' in (await sse.next()), 'a keep-alive');
  const silent = performance.now() - begun;
  assert.ok(silent < 2_700, `silent for ${silent} ms of at most 2000`);
  leaving.abort();
  const left = performance.now();
  await sim.until(() => sim.aborts === 1);
  assert.ok(performance.now() - left < 2_700);
  await idle({ gateway: patient });
});

test('a caller who stays and reads no more does not keep the account', async (context) => {
  const impatient = await start({
    config: pools(sim, { unread: { limits: { concurrency: 1 } } }, { settings: { ping_ms: 100, deadlines: { stall_ms: 800 } } }),
  });
  context.after(() => impatient.stop());
  sim.next('*', { is: 'huge', bytes: 60_000_000 });
  const raw = call('unread', {}, impatient);
  context.after(() => raw.rst());
  await raw.until(/data: /);
  raw.socket.pause();
  await sim.until(() => sim.aborts === 1);
  await idle({ gateway: impatient });
  assert.equal(raw.over, undefined, 'it is still there');
  const { apis } = (await impatient.call('GET', '/v1/status')).json;
  assert.deepEqual(apis.map(({ errorCount }) => errorCount), [0], 'and the account did nothing wrong');
});

// More than the sockets between them hold, and what a stream begins or ends with is written in one piece.
const long = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"${'x'.repeat(15_000_000)}"},"finish_reason":null}]}`;
for (const [piece, begins] of [['first', ''], ['last', `${long.replace(/x+/, 'a')}\n\n`]]) {
  test(`a caller who does not take the ${piece} piece of a stream does not keep the account`, async (context) => {
    const impatient = await start({
      config: pools(sim, { unread: { limits: { concurrency: 1 } } }, { settings: { ping_ms: 100, deadlines: { stall_ms: 800 } } }),
    });
    context.after(() => impatient.stop());
    sim.next('*', async (call) => {
      call.streamHead();
      if (begins) await call.write(begins);
      await call.write(long);
      await call.write('\n\ndata: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
      call.end();
    });
    const raw = call('unread', {}, impatient);
    raw.socket.pause();
    context.after(() => raw.rst());
    await sim.until(() => sim.requests.length === 1);
    await idle({ gateway: impatient });
    assert.equal(raw.over, undefined, 'it is still there');
    await eventually(async () => {
      const { logs } = await impatient.manage('GET', '/admin/logs');
      assert.deepEqual(logs.map(({ status }) => status), [499], 'and counts as one who left');
    });
  });
}

test('a caller of a plain answer who resets is noticed before the answer', async () => {
  sim.next('*', 'silent');
  const raw = call('left', { stream: false });
  await sim.until(() => sim.open === 1);
  raw.rst();
  await sim.until(() => sim.aborts === 1);
  await idle();
});

test('a caller who leaves the queue gives up its place, and the next is served', async () => {
  const gate = new Gate();
  sim.next(secretOf('single-1'), { is: 'slow', gate });
  const first = weir.chat({ model: 'single' });
  await sim.until(() => sim.open === 1);
  const second = call('single');
  await eventually(async () => assert.equal((await weir.status()).queue_size, 1));
  const third = weir.chat({ model: 'single' });
  await eventually(async () => assert.equal((await weir.status()).queue_size, 2));
  second.rst();
  await eventually(async () => assert.equal((await weir.status()).queue_size, 1));
  gate.open();
  assert.deepEqual([(await first).status, (await third).status], [200, 200]);
  assert.equal(sim.requests.length, 2, 'nothing was asked for the one who left');
  await idle();
});

// The headers of these answers are made just as their callers reset: such a response is neither read nor cancelled, and
// whoever writes into it waits for ever. Each of these once kept its lease for two minutes.
test('200 callers who reset while their headers are due leave nothing behind', async (context) => {
  const hasty = await worker(1);
  context.after(() => hasty.stop());
  sim.onModel('left', 'silent');
  for (let round = 0; round < 2; round += 1) {
    await Promise.all(Array.from({ length: 100 }, async (_, at) => {
      const raw = call('left', {}, hasty);
      await new Promise((connected) => raw.socket.once('connect', connected));
      await new Promise((moment) => setTimeout(moment, at)); // spread over the time that the Worker needs to begin
      raw.rst();
    }));
  }
  await idle({ within: 15_000, gateway: hasty });
});
