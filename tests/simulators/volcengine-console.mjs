// Volcengine's console, over a real loopback socket: the chat of its experience centre, as far as it is known.
//
//   const sim = await startConsole();
//   sim.limit = 2;                              // answers per id; then it is used up
//   sim.exhausted = 'status';                   // how that is told: status, envelope, event or middle
//   sim.variant = { wrapped: true, crlf: true } // how answers are sent; see `Frames`
//   sim.script = (text) => ({ reasoning: ['Hm'], text: ['Hello'] });
//   sim.next({ is: 'cut', after: 2 });          // the next call, whosever it is
//   sim.requests, sim.uses(id)
//
// Written from the protocol notes (protocols: volcengine A.6–A.8), which call this profile assumed: no capture exists.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { Watched } from './watched.mjs';

export const PATH = '/ark/bff/api/cn-beijing/2024-01-29/Chat';
export const AUTHORIZATION = 'console-authorization-5f1d7a20';
const MODELS = ['deepseek-v3-1', 'deepseek-r1-1'];

export async function startConsole(options = {}) {
  const simulator = new ConsoleSimulator(options);
  simulator.server.listen(options.port ?? 0, '127.0.0.1');
  await once(simulator.server, 'listening');
  return simulator;
}

/** Every failure of the BFF. */
const envelope = (code, message, rest = {}) => ({
  ResponseMetadata: {
    Action: 'Chat', Version: '2024-01-29', Service: 'ark', Region: 'cn-beijing', RequestId: '20261121090000A1B2C3D4E5F6A1B2C3D4', Duration: 12,
    Error: { Code: code, CodeN: 1009000, Message: message },
  },
  Result: null,
  ...rest,
});

class Failed extends Error {
  constructor(status, body, headers = {}) {
    super('failed');
    Object.assign(this, { status, body, headers });
  }
}

export class ConsoleSimulator extends Watched {
  patience_ms = 60_000;
  requests = [];
  #uses = new Map();
  #next = [];

  constructor({ authorization = AUTHORIZATION } = {}) {
    super();
    this.authorization = authorization;
    this.reset();
    this.server = createServer({ keepAlive: true, noDelay: true }, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    Object.assign(this.server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, timeout: 0 });
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}${PATH}`;
  }

  reset() {
    this.requests.length = 0;
    this.#uses.clear();
    this.#next.length = 0;
    Object.assign(this, { limit: 20, exhausted: 'status', variant: {} });
    this.script = (text) => ({ reasoning: ['You ', 'want ', 'an echo.'], text: ['You said: ', ...(text.match(/[^]{1,7}/gu) ?? [])] });
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  uses(id) {
    return this.#uses.get(id) ?? 0;
  }

  next(behaviour) {
    this.#next.push(behaviour);
  }

  async #serve(request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const seen = { path: request.url, method: request.method, headers: request.headers, body: JSON.parse(Buffer.concat(pieces).toString() || '{}'), left: false };
    this.requests.push(seen);
    response.on('close', () => {
      seen.left = !response.writableFinished;
      this.changed();
    });
    try {
      await this.#chat(seen, response);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      const text = typeof error.body === 'string' ? error.body : JSON.stringify(error.body);
      response.writeHead(error.status, { 'content-type': 'application/json; charset=utf-8', 'x-tt-logid': '0217', ...error.headers });
      response.end(text);
    } finally {
      this.changed();
    }
  }

  async #chat(seen, response) {
    const { headers } = seen;
    const [path] = seen.path.split('?');
    if (seen.method !== 'POST' || path !== PATH) throw new Failed(404, '404 page not found');
    const [id, authorization] = ['x-web-id', 'authorization'].map((name) => (headers[name] ?? '').trim());
    if (id === '' || authorization === '') throw new Failed(401, envelope('NotLogin', 'not login'));
    if (authorization !== this.authorization) throw new Failed(401, envelope('InvalidCredential', `the credential ${authorization} is not valid`));
    const asked = readBody(seen.body);
    if (!MODELS.includes(asked.model)) throw new Failed(404, envelope('InvalidEndpointOrModel.NotFound', `The model or endpoint ${asked.model} does not exist.`));
    const behaviour = this.#next.shift() ?? { is: 'ok' };
    if (behaviour.is === 'http') throw new Failed(behaviour.status, behaviour.body ?? '', behaviour.headers);
    if (behaviour.is === 'error') throw new Failed(behaviour.status ?? 200, envelope(behaviour.code, behaviour.message ?? behaviour.code), behaviour.headers);
    const used = this.uses(id) + 1;
    this.#uses.set(id, used);
    const isOver = used > this.limit;
    const told = { code: 'QuotaExceeded', message: 'You have used up the free trial of this model.' };
    if (isOver && this.exhausted === 'status') throw new Failed(429, envelope(told.code, told.message));
    if (isOver && this.exhausted === 'envelope') throw new Failed(200, envelope(told.code, told.message));
    const answer = this.script(asked.messages.at(-1).content, asked);
    if (!asked.stream || this.variant.json) return this.#whole(response, asked, answer);
    const error = (isOver && { event: 0, middle: 2 }[this.exhausted]) ?? false;
    await this.#stream(response, asked, answer, error === false ? behaviour : { is: 'told', after: error, error: told });
  }

  #whole(response, asked, answer) {
    const frames = new Frames(this.variant, asked.model);
    const thinks = asked.model.includes('r1');
    const message = { role: 'assistant', ...(thinks && { reasoning_content: answer.reasoning.join('') }), content: answer.text.join('') };
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
    response.end(JSON.stringify(frames.dressed({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage: frames.usage(answer) })));
  }

  /** The behaviours: `told` an error, `cut`, `ended`, `stall` or `garbage` after a number of chunks; a `gate` lets chunks out one by one. */
  async #stream(response, asked, answer, behaviour) {
    const frames = new Frames(this.variant, asked.model);
    const all = frames.of(answer);
    if (behaviour.is === 'told') all.splice(behaviour.after, Infinity, frames.error(behaviour.error));
    if (behaviour.is === 'garbage') all.splice(behaviour.after, 0, 'data: {"choices":\n\n');
    if (behaviour.is === 'cut' || behaviour.is === 'ended' || behaviour.is === 'stall') all.splice(behaviour.after);
    const type = this.variant.type ?? 'text/event-stream; charset=utf-8';
    if (this.variant.gzip) {
      response.writeHead(200, { 'content-type': type, 'content-encoding': 'gzip' });
      return response.end(gzipSync(all.join('')));
    }
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache' });
    response.flushHeaders();
    for (const frame of all) {
      if (behaviour.gate) await behaviour.gate.wait();
      if (response.destroyed) return;
      const bytes = Buffer.from(frame);
      const size = this.variant.piece ?? bytes.length;
      for (let at = 0; at < bytes.length; at += size) {
        response.write(bytes.subarray(at, at + size));
        if (this.variant.piece) await new Promise(setImmediate);
      }
    }
    if (behaviour.is === 'stall') return;
    if (behaviour.is !== 'cut') return response.end();
    // What was written reaches the reader before the connection breaks.
    await new Promise((done) => response.write(': \n', done));
    response.destroy();
  }
}

/** Either of the two profiles that are assumed; a body that is neither is refused, as an unknown one would be. */
function readBody(body) {
  const pick = (value, ...names) => names.map((name) => value?.[name]).find((found) => found !== undefined);
  const messages = pick(body, 'messages', 'Messages');
  const model = pick(body, 'model', 'Model', 'ModelName');
  if (!Array.isArray(messages) || messages.length === 0) throw new Failed(400, envelope('MissingParameter', 'messages'));
  const read = messages.map((message) => ({ role: pick(message, 'role', 'Role'), content: pick(message, 'content', 'Content') }));
  if (read.some(({ role, content }) => typeof content !== 'string' || !['system', 'user', 'assistant'].includes(role))) throw new Failed(400, envelope('InvalidParameter', 'messages'));
  return { model, messages: read, stream: pick(body, 'stream', 'Stream') === true };
}

/** The events of an answer, in a variant: { wrapped, pascal, crlf, tight, no_done, noise, no_usage, message }. */
class Frames {
  constructor(variant, model) {
    Object.assign(this, { variant, model });
  }

  of(answer) {
    const delta = (said, finish_reason = null, rest = {}) => this.#event({ model: this.model, choices: [{ index: 0, [this.variant.message ? 'message' : 'delta']: said, finish_reason }], ...rest });
    const thinks = this.model.includes('r1');
    return [
      ...(thinks ? answer.reasoning.map((reasoning_content) => delta({ role: 'assistant', reasoning_content })) : []),
      ...answer.text.map((content) => delta({ role: 'assistant', content })),
      delta({ role: 'assistant', content: '' }, 'stop', this.variant.no_usage ? {} : { usage: this.usage(answer) }),
      ...(this.variant.no_done ? [] : [this.#line('[DONE]')]),
    ];
  }

  usage({ reasoning, text }) {
    return { prompt_tokens: 11, completion_tokens: reasoning.length + text.length, total_tokens: 11 + reasoning.length + text.length };
  }

  error(error) {
    return this.#line(JSON.stringify(this.variant.wrapped ? envelope(error.code, error.message) : { error }));
  }

  dressed(chunk) {
    const said = this.variant.pascal ? pascal(chunk) : chunk;
    return this.variant.wrapped ? { ResponseMetadata: { Action: 'Chat', RequestId: '2026' }, Result: said } : said;
  }

  #event(chunk) {
    return (this.variant.noise ? `: keep-alive\n\n${this.#line('{}')}` : '') + this.#line(JSON.stringify(this.dressed(chunk)));
  }

  #line(data) {
    const end = this.variant.crlf ? '\r\n' : '\n';
    return `data:${this.variant.tight ? '' : ' '}${data}${end}${end}`;
  }
}

function pascal(value) {
  if (Array.isArray(value)) return value.map(pascal);
  if (value === null || typeof value !== 'object') return value;
  const key = (name) => name.replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [key(name), pascal(field)]));
}
