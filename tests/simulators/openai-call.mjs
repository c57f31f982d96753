// One request in the simulated service: what it was, and the means to answer it well or badly.
import { hex } from './openai-profiles.mjs';

/** Tokens that let something go on, one at a time: `await gate.wait()` in the simulator, `gate.open()` in a test. */
export class Gate {
  #tokens = 0;
  #waiting = [];

  open(tokens = 1) {
    this.#tokens += tokens;
    while (this.#tokens > 0 && this.#waiting.length > 0) {
      this.#tokens -= 1;
      this.#waiting.shift()();
    }
  }

  wait() {
    if (this.#tokens > 0) {
      this.#tokens -= 1;
      return Promise.resolve();
    }
    return new Promise((go) => this.#waiting.push(go));
  }

  /** How many are held back. */
  get held() {
    return this.#waiting.length;
  }
}

/** The client of this call has gone: nobody is left to answer. */
export class Gone extends Error {}

export class Call {
  /** The public record of this call, kept in `simulator.requests`. */
  record;
  #eol = '\n';
  #space = ' ';
  #slice = null;
  #gone;

  constructor({ simulator, profile, request, response, record }) {
    this.simulator = simulator;
    this.profile = profile;
    this.request = request;
    this.response = response;
    this.record = record;
    this.#gone = new Promise((_, gone) => response.once('close', () => gone(new Gone('the client left'))));
    this.#gone.catch(() => {}); // a call that never waits for it
  }

  get body() {
    return this.record.body;
  }

  /** The same for the same conversation, whoever asks and however often: so that answers can be compared. */
  get seed() {
    return hex(JSON.stringify(this.body?.messages ?? this.body?.input ?? this.body?.prompt ?? null), 16);
  }

  get requestId() {
    return this.profile.ids.request(`${this.simulator.port}/${this.record.n}`);
  }

  /** Waits for `promise`, or throws `Gone` when the client leaves first. */
  orGone(promise) {
    return Promise.race([promise, this.#gone]);
  }

  /** Never comes back: throws `Gone` when the client leaves. */
  forever() {
    return this.#gone;
  }

  /** How events are framed from here on: `eol` CRLF, `space: false`, `slice` bytes per write, or what it gives each time. */
  framing({ eol, space, slice }) {
    if (eol !== undefined) this.#eol = eol;
    if (space !== undefined) this.#space = space ? ' ' : '';
    if (slice !== undefined) this.#slice = slice;
  }

  head(status, headers) {
    this.response.writeHead(status, { ...this.profile.headers(this.requestId), ...headers });
    this.response.flushHeaders();
  }

  streamHead() {
    if (!this.response.headersSent) {
      this.head(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    }
  }

  /** Writes bytes; done when the system has taken them. */
  async write(bytes) {
    const buffer = Buffer.from(bytes);
    const sizeOf = typeof this.#slice === 'function' ? this.#slice : () => this.#slice ?? buffer.length;
    for (let at = 0, size; at < buffer.length; at += size) {
      size = sizeOf();
      await this.orGone(new Promise((done) => this.response.write(buffer.subarray(at, at + size), done)));
      // Each piece in its own packet, as far as a sender can bring that about.
      if (this.#slice !== null) await this.orGone(new Promise((done) => setImmediate(done)));
    }
  }

  data(text) {
    this.streamHead();
    return this.write(`data:${this.#space}${text}${this.#eol}${this.#eol}`);
  }

  comment(text = ' keep-alive') {
    this.streamHead();
    return this.write(`:${text}${this.#eol}${this.#eol}`);
  }

  /** The answer is complete: from the service's side the call is over. */
  end(text) {
    this.simulator.finished(this.record);
    this.response.end(text);
  }

  json(status, value, headers = {}) {
    this.send(status, JSON.stringify(value), { 'content-type': 'application/json', ...headers });
  }

  send(status, text, headers) {
    const bytes = Buffer.from(text);
    this.head(status, { 'content-length': bytes.length, ...headers });
    this.end(bytes);
  }

  /** An error in the service's own words. */
  error(status, { type, code, message, param, headers, ...rest } = {}) {
    const [usualType, usualCode, usualMessage] = this.profile.errors[status] ?? ['error', null, 'Error'];
    this.record.status = status;
    this.json(
      status,
      {
        ...this.profile.error({
          type: type === undefined ? usualType : type,
          code: code === undefined ? usualCode : code,
          message: message ?? usualMessage,
          param,
          requestId: this.requestId,
        }),
        ...rest.extra,
      },
      headers,
    );
  }

  /** The connection breaks: `reset` sends RST, else FIN without the end of the body. */
  cut({ reset = false } = {}) {
    this.record.cut = true;
    if (reset) this.response.socket.resetAndDestroy();
    else this.response.socket.destroy();
  }
}
