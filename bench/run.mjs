// Measures what Weir costs, as ratios, and prints one table. About two minutes; nothing leaves 127.0.0.1.
//
//   npm run bench                 everything
//   npm run bench -- PART…        only these of: streaming, plain, translation, ledger, session, size, pow
//
// It reports and never fails on a number: on a busy machine all are noisy. The sides take turns, so that noise hits both.
// CPU is that of the workerd process, from /proc; the upstream and the load generator are processes of their own.
import { fork, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Failure, main, root, say } from '../scripts/run.mjs';
import { build } from '../scripts/build.mjs';
import { powRows } from './pow.mjs';
import { figure, median, print, row, skipped, sum } from './table.mjs';

const KEY = 'sk-weir-bench-client';
const ROUNDS = 5;
const SIZES = [10, 1_000, 10_000];
const NO_PROC = 'the CPU time of workerd is read from /proc, which this system does not have';

// ------------------------------------------------------------------------------------------------ the sides

/** The same upstream behind Weir, behind a bare Worker, and without either. */
async function startSides() {
  const upstream = await startUpstream();
  const { startWorker } = await import('./worker.mjs');
  const bare = await startWorker('bench/bare-worker.mjs', { bindings: { UPSTREAM: upstream.url }, objects: false });
  const weir = await startWorker('src/entry.js', { bindings: weirBindings(upstream.url) });
  const stop = async () => {
    await Promise.all([weir.stop(), bare.stop()]);
    upstream.stop();
  };
  const target = ({ url }) => ({ url, key: KEY });
  return {
    weir: { target: target(weir), pid: weir.pid },
    bare: { target: target(bare), pid: bare.pid },
    direct: { target: target(upstream), pid: null },
    stop,
  };
}

function weirBindings(upstream) {
  const limits = { concurrency: 64, rpm: 10_000_000, rpd: 100_000_000 };
  const account = (_, index) => ({ id: `account-${index}`, upstream: 'bench', api_key: `sk-upstream-${index}`, limits });
  const config = {
    keys: [KEY],
    upstreams: [{ id: 'bench', kind: 'openai', base_url: upstream, models: ['bench'] }],
    accounts: Array.from({ length: 10 }, account),
  };
  return {
    MASTER_KEY: 'bench-master-key-7d0f4c1b9a8e6352-f0e1d2c3',
    ADMIN_KEY: 'bench-admin-password-51c2',
    CONFIG_JSON: JSON.stringify(config),
  };
}

/** A service of the bench in its own process. */
async function startUpstream(file = 'upstream.mjs', options = {}) {
  const child = fork(join(root, 'bench', file), [JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const url = await new Promise((done, failed) => {
    child.stdout.setEncoding('utf8').once('data', (text) => done(text.trim()));
    child.once('exit', (code) => failed(new Failure(`the upstream of the bench ended with ${code}`)));
  });
  return { url, stop: () => child.kill() };
}

/** One run of the load generator. */
const load = (job) => json(process.execPath, [join(root, 'bench/load.mjs'), JSON.stringify(job)]).then(([result]) => result);

/** A command's standard output, a JSON value a line. */
function json(command, args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
    child.on('error', failed);
    child.on('close', (code) => {
      if (code !== 0) return failed(new Failure(`${command} ended with ${code}`));
      done(text.trim().split('\n').map((line) => JSON.parse(line)));
    });
  });
}

/** The same job on each side, in turns; a list of results for each. */
async function inTurns(sides, job) {
  const results = sides.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, { target, pid }] of sides.entries()) results[index].push(await load({ ...job, target, pid }));
  }
  return results;
}

/** All CPU over all that was done: a single round has too few ticks of the clock. */
const cost = (results, what) => sum(results.map(({ cpu }) => cpu)) / sum(results.map((result) => result[what]));

// ------------------------------------------------------------------------------------------------ (a) streaming

async function streaming({ weir, bare }) {
  const rows = [];
  const names = ['CPU per event, 40 streams × 100 events/s', 'CPU per MB of a bulk stream'];
  if (weir.pid === null) {
    rows.push(...names.map((name) => skipped(name, NO_PROC)));
  } else {
    const live = await inTurns([weir, bare], { kind: 'streams', streams: 40, every_ms: 10, seconds: 4 });
    const [perEvent, barePerEvent] = live.map((results) => cost(results, 'events') * 1e6);
    const rate = median(live[0].map(({ events, seconds }) => events / seconds));
    const note = `${figure(rate)} events/s came through`;
    const sides = { weir: figure(perEvent, 'µs'), other: figure(barePerEvent, 'µs') };
    rows.push(row(names[0], { ...sides, value: perEvent / barePerEvent, target: { most: 6 }, note }));

    const bulk = await inTurns([weir, bare], { kind: 'bulk', megabytes: 64, times: 3 });
    const [perMb, barePerMb] = bulk.map((results) => cost(results, 'bytes') * 2 ** 20 * 1e3);
    const speeds = bulk.map((results) => figure(median(results.map(({ bytes, seconds }) => bytes / seconds / 2 ** 20)), 'MB/s'));
    const bulkSides = { weir: figure(perMb, 'ms'), other: figure(barePerMb, 'ms') };
    const value = perMb / barePerMb;
    rows.push(row(names[1], { ...bulkSides, value, target: { most: 1.5 }, note: `${speeds[0]}, bare ${speeds[1]}` }));
  }
  const { times } = await load({ kind: 'first_byte', targets: [weir.target, bare.target], count: 300 });
  const [first, bareFirst] = times.map(median);
  rows.push(
    row('time to first byte, added at the median', {
      weir: figure(first, 'ms'),
      other: figure(bareFirst, 'ms'),
      value: first - bareFirst,
      unit: 'ms',
      target: { most: 2 },
    }),
  );
  return rows;
}

// ------------------------------------------------------------------------------------------------ (b) plain answers

async function plain({ weir, bare, direct }) {
  const results = await inTurns([weir, bare, direct], { kind: 'plain', count: 1_500, concurrency: 32 });
  const rates = results.map((side) => median(side.map(({ count, seconds }) => count / seconds)));
  const rows = [
    row('plain answers a second, 32 at a time', {
      weir: figure(rates[0], '/s'),
      other: figure(rates[1], '/s'),
      value: rates[0] / rates[1],
      target: { least: 0.5 },
      note: `the upstream itself ${figure(rates[2], '/s')}`,
    }),
  ];
  if (weir.pid === null) return [...rows, skipped('CPU per plain answer', NO_PROC)];
  const [perCall, barePerCall] = results.slice(0, 2).map((side) => cost(side, 'count') * 1e6);
  const sides = { weir: figure(perCall, 'µs'), other: figure(barePerCall, 'µs') };
  return [...rows, row('CPU per plain answer', { ...sides, value: perCall / barePerCall })];
}

// ------------------------------------------------------------------------------------------------ translation

/** What it costs that the caller speaks Claude's API, against the fast path. */
async function translation() {
  const names = ['CPU per event, OpenAI → Claude', 'CPU per event, DeepSeek web → Claude'];
  const job = { kind: 'streams', streams: 40, every_ms: 10, seconds: 4 };
  const upstream = await startUpstream();
  const chat = await startUpstream('deepseek.mjs', { accounts: job.streams, every_ms: job.every_ms, events: (job.seconds + 2) * 100 });
  const { startWorker } = await import('./worker.mjs');
  const accounts = Array.from({ length: job.streams }, (_, number) => ({
    email: `bench-${number}@example.com`,
    password: 'bench',
    limits: { min_gap_ms: 0 },
  }));
  const config = {
    keys: [KEY],
    upstreams: [{ id: 'bench', kind: 'openai', base_url: upstream.url, models: ['bench'] }, { id: 'deepseek-web', base_url: chat.url }],
    accounts: [{ id: 'bench-1', upstream: 'bench', api_key: 'sk-upstream' }, ...accounts],
    settings: { deepseek_web: { warm_s: 0, delete_sessions: false } },
  };
  const weir = await startWorker('src/entry.js', { bindings: { ...weirBindings(upstream.url), CONFIG_JSON: JSON.stringify(config) } });
  const side = (path, fields) => ({ target: { url: weir.url, key: KEY, path, fields }, pid: weir.pid });
  try {
    if (weir.pid === null) return names.map((name) => skipped(name, NO_PROC));
    const claude = (model) => side('/v1/messages', { model, max_tokens: 100_000 });
    const results = await inTurns([side('/v1/chat/completions', {}), claude('bench'), claude('deepseek-chat')], job);
    const [fast, ...translated] = results.map((side) => cost(side, 'events') * 1e6);
    return translated.map((perEvent, index) => {
      const rate = median(results[index + 1].map(({ events, seconds }) => events / seconds));
      const note = `the fast path beside; ${figure(rate)} events/s came through`;
      return row(names[index], { weir: figure(perEvent, 'µs'), other: figure(fast, 'µs'), value: perEvent / fast, target: { most: 2.5 }, note });
    });
  } finally {
    await weir.stop();
    upstream.stop();
    chat.stop();
  }
}

// ------------------------------------------------------------------------------------------------ (c) the ledger

async function ledger() {
  say('measuring: ledger, natively');
  const native = await json('cargo', ['run', '--quiet', '--release', '--example', 'ledger_bench']);
  say('measuring: ledger, through the Durable Object');
  const object = await throughObject();
  return [
    ...ledgerRows('admissions/s, native', native.map(({ per_second }) => per_second)),
    ...ledgerRows('admissions/s, Durable Object', object),
  ];
}

function ledgerRows(name, rates) {
  const few = rates[0];
  return SIZES.slice(1).map((accounts, index) => {
    const rate = rates[index + 1];
    return row(`${name}, ${figure(accounts)} accounts`, {
      weir: figure(rate, '/s'),
      other: figure(few, '/s'),
      value: rate / few,
      target: accounts === SIZES.at(-1) ? { least: 0.8 } : undefined,
      note: 'compared with 10 accounts',
    });
  });
}

/** Admissions a second of an object for each size. */
async function throughObject() {
  const { startWorker } = await import('./worker.mjs');
  const worker = await startWorker('bench/ledger-worker.mjs');
  const ask = async (path) => {
    const response = await fetch(worker.url + path, { method: 'POST' });
    if (!response.ok) throw new Failure(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  try {
    const measure = async (accounts, count) => {
      await ask(`/configure?accounts=${accounts}`); // again each time: an object that idles for ten seconds is evicted
      const { ms } = await ask(`/calls?accounts=${accounts}&count=${count}&parallel=16`);
      return (count / ms) * 1000;
    };
    for (const accounts of SIZES) await measure(accounts, 500);
    const rates = SIZES.map(() => []);
    for (let round = 0; round < 5; round += 1) {
      for (const [index, accounts] of SIZES.entries()) rates[index].push(await measure(accounts, 3_000));
    }
    return rates.map(median);
  } finally {
    await worker.stop();
  }
}

// ------------------------------------------------------------------------------------------------ DeepSeek sessions

const RTT_MS = 80;

/** Round trips to the first token of a DeepSeek account, with its next conversation standing ready and without. */
async function session() {
  const { startDeepSeek } = await import('../tests/simulators/deepseek.mjs');
  const chat = await startDeepSeek({ rtt_ms: RTT_MS, difficulty: 144_000 }); // as the real one asks
  const account = chat.addAccount('bench@example.com', { password: 'bench' });
  try {
    const [warm, cold] = [median(await firstTokens(chat, account, 120)), median(await firstTokens(chat, account, 0))];
    const sides = { weir: figure(warm, 'ms'), other: figure(cold, 'ms') };
    const note = `${RTT_MS} ms each; without a conversation ready ${figure(cold / RTT_MS)}`;
    return [row('round trips to the first token, DeepSeek web', { ...sides, value: warm / RTT_MS, target: { most: 1.3 }, note })];
  } finally {
    await chat.close();
  }
}

/** Milliseconds to the first token of each of some calls; between two of them the next conversation has time to be made. */
async function firstTokens(chat, account, warm_s) {
  const { startWorker } = await import('./worker.mjs');
  const config = {
    keys: [KEY],
    upstreams: [{ id: 'deepseek-web', base_url: chat.url }],
    accounts: [{ email: account.name, password: account.password, limits: { min_gap_ms: 0 } }],
    settings: { deepseek_web: { warm_s, delete_sessions: false } },
  };
  const worker = await startWorker('src/entry.js', { bindings: { ...weirBindings(chat.url), CONFIG_JSON: JSON.stringify(config) } });
  const times = [];
  try {
    for (let call = 0; call < 12; call += 1) {
      const began = performance.now();
      const response = await fetch(`${worker.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'deepseek-chat', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
      });
      if (!response.ok) throw new Failure(`${response.status} ${await response.text()}`);
      const reader = response.body.getReader();
      await reader.read();
      if (call >= 2) times.push(performance.now() - began);
      while (!(await reader.read()).done);
      await new Promise((done) => setTimeout(done, 600));
    }
    return times;
  } finally {
    await worker.stop();
  }
}

// ------------------------------------------------------------------------------------------------ (d) size and start

async function size() {
  const files = ['index_bg.wasm', 'index.js'].map((name) => join(root, 'build', name)).filter(existsSync);
  const bytes = files.map((file) => readFileSync(file));
  const zipped = sum(bytes.map((content) => gzipSync(content, { level: 9 }).length)) / 1024;
  const whole = sum(bytes.map(({ length }) => length)) / 1024;
  const rows = [row('build/, gzipped', { weir: figure(whole, 'KB'), value: zipped, unit: 'KB', target: { most: 600 }, note: 'Wasm and JavaScript' })];

  say('measuring: start');
  const { startWorker } = await import('./worker.mjs');
  const times = { weir: [], bare: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of Object.keys(times)) {
      const isWeir = side === 'weir';
      const bindings = isWeir ? weirBindings('http://127.0.0.1:9') : { UPSTREAM: 'http://127.0.0.1:9' };
      const worker = await startWorker(isWeir ? 'src/entry.js' : 'bench/bare-worker.mjs', { bindings, objects: isWeir });
      const began = performance.now();
      await (await fetch(`${worker.url}/healthz`)).text();
      times[side].push(performance.now() - began);
      await worker.stop();
    }
  }
  const [weir, bare] = [median(times.weir), median(times.bare)];
  const note = 'from a started workerd to the first answer of /healthz';
  rows.push(row('start, added at the median', { weir: figure(weir, 'ms'), other: figure(bare, 'ms'), value: weir - bare, unit: 'ms', note }));
  return rows;
}

// ------------------------------------------------------------------------------------------------ all of it

/** bench/pow.mjs */
async function pow() {
  const [native] = await json('cargo', ['run', '--quiet', '--release', '--example', 'pow_bench']);
  return powRows(native);
}

const parts = {
  streaming: ['gateways', streaming],
  plain: ['gateways', plain],
  translation: [null, translation],
  ledger: [null, ledger],
  session: [null, session],
  size: [null, size],
  pow: [null, pow],
};

await main(async () => {
  const named = process.argv.slice(2);
  const unknown = named.find((name) => !parts[name]);
  if (unknown) throw new Failure(`there is no part "${unknown}"; there are: ${Object.keys(parts).join(', ')}`);
  const wanted = named.length > 0 ? named : Object.keys(parts);
  if (wanted.some((name) => name !== 'pow')) await build();
  const rows = [];
  const sides = wanted.some((name) => parts[name][0] === 'gateways') ? await startSides() : null;
  try {
    for (const name of wanted) {
      say(`measuring: ${name}`);
      if (parts[name][0] !== null) rows.push(...(await parts[name][1](sides)));
    }
  } finally {
    await sides?.stop();
  }
  // On their own: nothing else of ours runs.
  for (const name of wanted) if (parts[name][0] === null) rows.push(...(await parts[name][1]()));
  print(rows);
});
