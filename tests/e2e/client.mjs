// Clients for the tests: an SSE reader that shows every event as it comes, a bare socket that can leave rudely,
// Python with the official SDK, and a splitter of JSON text that keeps the bytes.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Reads a stream event by event: `await sse.next()` is `{ data }`, `{ comment }`, `{ event, data }` or null at a clean end. */
export class Sse {
  /** Everything received so far. */
  text = '';
  #reader;
  #decoder = new TextDecoder('utf-8', { fatal: true });
  #ready = [];
  #rest = '';

  constructor(response) {
    this.response = response;
    this.#reader = response.body.getReader();
  }

  async next() {
    while (this.#ready.length === 0) {
      const { done, value } = await this.#reader.read();
      if (done) return this.#rest === '' ? null : { cut: this.#rest };
      const text = this.#decoder.decode(value, { stream: true });
      this.text += text;
      this.#rest += text;
      const blocks = this.#rest.split(/\r?\n\r?\n/);
      this.#rest = blocks.pop();
      this.#ready.push(...blocks.map(parseBlock));
    }
    return this.#ready.shift();
  }

  /** The next event that is no comment. */
  async data() {
    for (;;) {
      const event = await this.next();
      if (event === null || 'data' in event || 'cut' in event) return event;
    }
  }

  /** All events to the end, comments left out. */
  async rest() {
    const events = [];
    for (let event = await this.data(); event !== null; event = await this.data()) events.push(event);
    return events;
  }

  cancel() {
    return this.#reader.cancel();
  }
}

function parseBlock(block) {
  const event = {};
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith(':')) event.comment = line.slice(1);
    else {
      const [, field, value] = /^([^:]*):? ?(.*)$/su.exec(line);
      event[field] = field in event ? `${event[field]}\n${value}` : value;
    }
  }
  return event;
}

/** Reads a streamed answer whole: its chunks, its text, how it ended. */
export async function readStream(response) {
  const events = await new Sse(response).rest();
  const lines = events.map((event) => event.data);
  const done = lines.at(-1) === '[DONE]';
  const values = lines.filter((line) => line !== '[DONE]').map((line) => JSON.parse(line));
  const chunks = values.filter((value) => !('error' in value));
  const errors = values.filter((value) => 'error' in value).map((value) => value.error);
  const text = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === 0).map((choice) => choice.delta.content ?? '').join('');
  const finish = chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.finish_reason).findLast((reason) => reason != null) ?? null;
  return { events, chunks, errors, text, done, finish, lastIsError: values.at(-1) !== undefined && 'error' in values.at(-1) && !done };
}

/** A request on a bare socket, so that a test can leave as it likes. */
export class Raw {
  received = '';
  #waiting = new Set();

  constructor(base, { method = 'POST', path, headers = {}, body }) {
    const { hostname, port } = new URL(base);
    const payload = body === undefined ? '' : JSON.stringify(body);
    this.socket = connect(Number(port), hostname);
    this.closed = new Promise((done) => this.socket.once('close', done));
    this.socket.setEncoding('utf8');
    this.socket.on('error', () => {}); // a reset of our own, or the server's: told by 'close'
    for (const event of ['data', 'close']) {
      this.socket.on(event, (text) => {
        if (event === 'data') this.received += text;
        else this.over = true;
        for (const check of [...this.#waiting]) check();
      });
    }
    const lines = { host: `${hostname}:${port}`, ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }), ...headers };
    this.socket.write(`${method} ${path} HTTP/1.1\r\n${Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${payload}`);
  }

  /** Settles once what was received matches; fails when the connection ends without. */
  until(pattern) {
    return new Promise((done, failed) => {
      const check = () => {
        const matches = pattern.test(this.received);
        if (!matches && !this.over) return;
        this.#waiting.delete(check);
        if (matches) done();
        else failed(new Error(`the connection ended without ${pattern}: ${this.received.slice(0, 500)}`));
      };
      this.#waiting.add(check);
      check();
    });
  }

  get status() {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1]);
  }

  /** Leaves with a FIN, as a closed browser tab does. */
  fin() {
    this.socket.destroy();
  }

  /** Leaves with a RST, as a killed process does. */
  rst() {
    this.socket.resetAndDestroy();
  }
}

/** Runs a script of tests/e2e/python with the official SDK; its standard output is JSON. */
export async function python(script, input) {
  const file = join(dirname(fileURLToPath(import.meta.url)), 'python', script);
  const child = spawn(process.env.WEIR_PYTHON ?? 'python3', [file], { stdio: ['pipe', 'pipe', 'pipe'] });
  const [out, err] = [[], []];
  child.stdout.on('data', (piece) => out.push(piece));
  child.stderr.on('data', (piece) => err.push(piece));
  child.stdin.end(JSON.stringify(input));
  const code = await new Promise((done, failed) => child.on('error', failed).on('close', done));
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${Buffer.concat(err)}`);
  return JSON.parse(Buffer.concat(out).toString());
}

/** The top-level fields of a JSON object as they are written: name → the value's own bytes. */
export function rawFields(text) {
  const fields = new Map();
  let at = text.indexOf('{') + 1;
  const skip = () => { while (/[\s,:]/.test(text[at])) at += 1; };
  for (skip(); text[at] !== '}'; skip()) {
    const name = JSON.parse(text.slice(at, (at = endOfValue(text, at))));
    skip();
    const from = at;
    at = endOfValue(text, at);
    fields.set(name, text.slice(from, at));
  }
  return fields;
}

function endOfValue(text, from) {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      for (at += 1; text[at] !== '"'; at += 1) if (text[at] === '\\') at += 1;
      if (depth === 0) return at + 1;
    } else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && /[\s,]/.test(char)) return at;
  }
  return text.length;
}
