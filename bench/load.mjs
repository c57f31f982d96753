// The load generator, in its own process: `node bench/load.mjs '{"kind":…}'` prints its findings as JSON.
//
// It reads the CPU time of workerd itself (`pid`), at the moments between which it counts.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

/** Seconds that a process has computed: utime and stime, in ticks of 1/100 s. */
function cpu(pid) {
  if (pid === null) return null;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const since = (pid, before) => (pid === null ? null : cpu(pid) - before);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Posts a chat, whose message says what the upstream answers; settles with its response. */
function post(agent, target, bench, fields) {
  const messages = [{ role: 'user', content: JSON.stringify(bench) }];
  const payload = JSON.stringify({ model: 'bench', messages, ...target.fields, ...fields });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(payload),
    authorization: `Bearer ${target.key}`,
  };
  return new Promise((done, failed) => {
    const sent = request(`${target.url}${target.path ?? '/v1/chat/completions'}`, { method: 'POST', agent, headers }, (response) => {
      if (response.statusCode === 200) return done(response);
      response.setEncoding('utf8').on('data', (text) => failed(new Error(`${target.url}: ${response.statusCode} ${text}`)));
    });
    sent.on('error', failed);
    sent.end(payload);
  });
}

/** Reads a response to its end. */
function drain(response, onData = () => {}) {
  return new Promise((done, failed) => {
    response.on('data', onData).on('end', done).on('error', failed);
  });
}

const kinds = {
  /** Many slow streams at once; counts the events and the CPU in the middle of them. */
  async streams({ target, pid, streams, every_ms, seconds }) {
    const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
    const events = Math.ceil(((seconds + 1.5) * 1000) / every_ms);
    let counted = 0;
    /** Counts blank lines: every event of every API ends with one. */
    const counter = () => {
      let last = 0;
      return (piece) => {
        for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) {
          if ((at === 0 ? last : piece[at - 1]) === 10) counted += 1;
        }
        last = piece.at(-1);
      };
    };
    const ends = [];
    const open = async () => {
      const response = await post(agent, target, { events, every_ms }, { stream: true });
      ends.push(drain(response, counter()));
    };
    await Promise.all(Array.from({ length: streams }, open));
    await sleep(500);
    const [before, countedBefore, began] = [cpu(pid), counted, performance.now()];
    await sleep(seconds * 1000);
    const result = { cpu: since(pid, before), events: counted - countedBefore, seconds: (performance.now() - began) / 1000 };
    await Promise.all(ends);
    agent.destroy();
    return result;
  },

  /** One long answer after the other, as fast as they come. */
  async bulk({ target, pid, megabytes, times }) {
    const agent = new Agent({ keepAlive: true });
    const read = async (bulk_mb) => {
      let bytes = 0;
      const response = await post(agent, target, { bulk_mb }, { stream: true });
      await drain(response, (piece) => (bytes += piece.length));
      return bytes;
    };
    await read(4);
    const [before, began] = [cpu(pid), performance.now()];
    let bytes = 0;
    for (let time = 0; time < times; time += 1) bytes += await read(megabytes);
    const result = { cpu: since(pid, before), bytes, seconds: (performance.now() - began) / 1000 };
    agent.destroy();
    return result;
  },

  /** Milliseconds to the first byte of a stream's body, of targets that take turns. */
  async first_byte({ targets, count }) {
    const agent = new Agent({ keepAlive: true });
    const times = targets.map(() => []);
    for (let turn = -20; turn < count; turn += 1) {
      for (const [index, target] of targets.entries()) {
        const began = performance.now();
        const response = await post(agent, target, { events: 3, every_ms: 0 }, { stream: true });
        let first = null;
        await drain(response, () => (first ??= performance.now()));
        if (turn >= 0) times[index].push(first - began);
        await sleep(1); // a settlement of the last call is not this call's cost
      }
    }
    agent.destroy();
    return { times };
  },

  /** Plain answers, so many at a time. */
  async plain({ target, pid, count, concurrency }) {
    const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
    const run = async (total) => {
      let left = total;
      const caller = async () => {
        while (left-- > 0) await drain(await post(agent, target, {}));
      };
      await Promise.all(Array.from({ length: concurrency }, caller));
    };
    await run(Math.ceil(count / 4));
    const [before, began] = [cpu(pid), performance.now()];
    await run(count);
    const result = { cpu: since(pid, before), count, seconds: (performance.now() - began) / 1000 };
    agent.destroy();
    return result;
  },
};

const job = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await kinds[job.kind](job)));
