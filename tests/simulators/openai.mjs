// A service that speaks the OpenAI format, over a real loopback socket, well or badly as a test asks.
//
//   const sim = await startSimulator({ profile: 'ark', keys: ['key-1'], models: ['m'] });
//   sim.next('key-1', 'cut');                       // the next call of this account; `'*'` is any account
//   sim.next('key-1', { status: 429, retryAfter: 2 });
//   sim.onKey('key-1', 401);  sim.onModel('m', 'silent');  // until `sim.reset()`
//   sim.requests                                    // every request: key, path, headers, raw, body, aborted, …
//   await sim.until(() => sim.aborts === 3);        // settles on an event, never by polling
//
// What it accepts and how it answers is written from the services' own pages (see openai-profiles.mjs), so that it
// refuses what they refuse. `openai-behaviours.mjs` lists the behaviours.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Call, Gate, Gone } from './openai-call.mjs';
import { behaviours } from './openai-behaviours.mjs';
import { embeddings, moderation } from './openai-plan.mjs';
import { profiles } from './openai-profiles.mjs';
import { Watched } from './watched.mjs';

export { Gate };

export async function startSimulator(options = {}) {
  const simulator = new OpenAiSimulator(options);
  simulator.server.listen(options.port ?? 0, '127.0.0.1');
  await once(simulator.server, 'listening');
  return simulator;
}

export class OpenAiSimulator extends Watched {
  /** Every request so far, in order of arrival. */
  requests = [];
  #keys;
  #models;
  #queues = new Map();
  #always = new Map();
  #now = new Map();
  #max = new Map();
  #faults = [];

  constructor({ profile = 'openai', keys = [], models = [] } = {}) {
    super();
    this.profileName = profile;
    this.profile = profiles[profile];
    this.#keys = new Set(keys);
    this.#models = new Set(models);
    this.server = createServer({ keepAlive: true, noDelay: true }, (request, response) => {
      this.#serve(request, response).catch((error) => {
        if (error instanceof Gone) return;
        this.#faults.push(error);
        response.destroy();
      });
    });
    // A service's idle timeouts would make a test's outcome depend on the machine's speed.
    Object.assign(this.server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, timeout: 0 });
  }

  get port() {
    return this.server.address().port;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The base URL that the service's documentation gives. */
  get url() {
    return `${this.origin}${this.profile.mount}`;
  }

  addKeys(...keys) {
    for (const key of keys) this.#keys.add(key);
  }

  addModels(...models) {
    for (const model of models) this.#models.add(model);
  }

  /** How the next request of an account is answered; several calls queue up. */
  next(key, ...wanted) {
    if (!this.#queues.has(key)) this.#queues.set(key, []);
    this.#queues.get(key).push(...wanted);
  }

  /** Behaviours that were asked for and never used. */
  get unused() {
    return [...this.#queues.values()].flat().length;
  }

  onKey(key, behaviour) {
    this.#always.set(`key ${key}`, behaviour);
  }

  onModel(model, behaviour) {
    this.#models.add(model);
    this.#always.set(`model ${model}`, behaviour);
  }

  /** Forgets behaviours, requests and maxima; not keys and models. */
  reset() {
    this.#queues.clear();
    this.#always.clear();
    this.#max.clear();
    this.requests = [];
  }

  /** Calls that an account has open now. */
  now(key) {
    return this.#now.get(key) ?? 0;
  }

  /** The most calls an account ever had open at once. */
  max(key) {
    return this.#max.get(key) ?? 0;
  }

  get open() {
    return [...this.#now.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Calls whose client went away before the answer was complete. */
  get aborts() {
    return this.requests.filter((record) => record.aborted).length;
  }

  of(key) {
    return this.requests.filter((record) => record.key === key);
  }

  get last() {
    return this.requests.at(-1);
  }

  /** Stops, and fails if the simulator itself had a fault. */
  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
    if (this.#faults.length > 0) throw new AggregateError(this.#faults, `the simulator failed: ${this.#faults[0].stack}`);
  }

  /** From a call: its answer is complete. */
  finished(record) {
    if (record.finished || record.closed) return;
    record.finished = true;
    this.#leave(record);
  }

  #enter(record) {
    const now = this.now(record.key) + 1;
    this.#now.set(record.key, now);
    this.#max.set(record.key, Math.max(this.max(record.key), now));
    record.concurrent = now;
  }

  #leave(record) {
    if (record.left) return;
    record.left = true;
    this.#now.set(record.key, this.now(record.key) - 1);
  }

  async #serve(request, response) {
    const record = {
      n: this.requests.length,
      method: request.method,
      url: request.url,
      path: null,
      headers: request.headers,
      /** Which connection it came on. */
      connection: request.socket.remotePort,
      key: /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? null,
      raw: '',
      body: undefined,
      /** Events of a stream that were written. */
      events: 0,
      /** The answer was written to its end. */
      finished: false,
      /** The client went away before that. */
      aborted: false,
      /** The connection or the answer is over. */
      closed: false,
    };
    this.requests.push(record);
    this.#enter(record);
    response.once('close', () => {
      record.closed = true;
      record.aborted = !record.finished && !record.cut;
      this.#leave(record);
      this.changed();
    });
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return; // the client left while it was still speaking
    }
    record.raw = Buffer.concat(pieces).toString();
    const call = new Call({ simulator: this, profile: this.profile, request, response, record });
    this.changed();
    await this.#answer(call);
    this.changed();
  }

  async #answer(call) {
    const { profile, record } = call;
    const path = new URL(record.url, this.origin).pathname;
    const mounts = [profile.mount, profile.alsoMountedAt].filter((mount) => mount !== undefined).sort((a, b) => b.length - a.length);
    const mount = mounts.find((one) => path.startsWith(`${one}/`));
    record.path = mount === undefined ? path : path.slice(mount.length);
    const route = mount !== undefined && routes[`${record.method} ${record.path.replace(/^\/models\/.+/, '/models/*')}`];
    if (!route) {
      const { status, text, json } = profile.unknownPath(record.method, path);
      return text === undefined ? call.json(status, json) : call.send(status, text, { 'content-type': 'text/plain; charset=utf-8' });
    }
    if (!this.#keys.has(record.key)) {
      const { status, ...error } = profile.wrongKey(record.key);
      return call.error(status, error);
    }
    if (record.method === 'POST') {
      try {
        record.body = JSON.parse(record.raw);
      } catch {
        return call.error(400);
      }
      const wrong = this.#fault(call);
      if (wrong) return call.error(wrong.status, wrong);
    }
    return route(call, this.#behaviour(record), [...this.#models]);
  }

  #behaviour({ key, body }) {
    for (const name of [key, '*']) {
      const queue = this.#queues.get(name);
      if (queue?.length > 0) return normal(queue.shift());
    }
    return normal(this.#always.get(`model ${body?.model}`) ?? this.#always.get(`key ${key}`) ?? 'ok');
  }

  /** What the real service finds wrong with a body. */
  #fault({ profile, record }) {
    const { body, path } = record;
    const invalid = (param, message, more = {}) => ({ status: 400, param, message, ...more });
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid(null, 'The request body must be an object.');
    const isModelNeeded = path !== '/moderations' || body.model !== undefined;
    if (isModelNeeded && typeof body.model !== 'string') return invalid('model', 'you must provide a model parameter', this.profileName === 'ark' ? { code: 'MissingParameter.model' } : {});
    if (isModelNeeded && !this.#models.has(body.model)) return profile.unknownModel(body.model);
    if (body.n != null && !(Number.isInteger(body.n) && body.n >= 1 && body.n <= 128)) return invalid('n', "Invalid 'n': an integer from 1 to 128 is expected.");
    if ((path === '/embeddings' || path === '/moderations') && !isInput(body.input)) return invalid('input', "Invalid 'input': a text or a non-empty array is expected.");
    if (path !== '/chat/completions') return null;
    const code = this.profileName === 'ark' ? 'MissingParameter.messages' : this.profileName === 'openai' ? 'empty_array' : undefined;
    if (!Array.isArray(body.messages)) return invalid('messages', "Missing required parameter: 'messages'.", { code });
    if (body.messages.length === 0) return invalid('messages', "Invalid 'messages': empty array.", { code });
    const role = body.messages.findIndex((message) => !['system', 'developer', 'user', 'assistant', 'tool', 'function'].includes(message?.role));
    if (role >= 0) return invalid(`messages[${role}].role`, `Invalid value for 'messages[${role}].role'.`, this.profileName === 'ark' ? { code: 'InvalidArgumentError.UnknownRole' } : {});
    if (this.profileName !== 'ark' && body.stream_options != null && body.stream !== true) {
      return invalid('stream_options', "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
    }
    if (this.profileName === 'ark' && body.max_tokens != null && body.max_completion_tokens != null) {
      return invalid('max_tokens', '`max_tokens` and `max_completion_tokens` cannot both be set.');
    }
    if (this.profileName === 'deepseek' && lostReasoning(body)) {
      return { status: 400, message: 'The `reasoning_content` in the thinking mode must be passed back to the API.' };
    }
    return null;
  }
}

const isInput = (input) => typeof input === 'string' || (Array.isArray(input) && input.length > 0);

/** DeepSeek: in thinking mode a turn with tool calls must keep its `reasoning_content`, be it empty. */
const lostReasoning = (body) =>
  body.thinking?.type !== 'disabled' &&
  body.messages.some((message) => message.role === 'assistant' && message.tool_calls?.length > 0 && typeof message.reasoning_content !== 'string');

function normal(behaviour) {
  if (typeof behaviour === 'string') return { is: behaviour };
  if (typeof behaviour === 'number') return { is: 'status', status: behaviour };
  if (typeof behaviour === 'function') return { is: behaviour };
  return behaviour.is ? behaviour : { is: behaviour.status ? 'status' : 'ok', ...behaviour };
}

function perform(call, { is, ...options }, otherwise) {
  if (typeof is === 'function') return is(call);
  if (is === 'ok' && otherwise) return otherwise();
  if (!behaviours[is]) throw new Error(`the simulator knows no behaviour "${is}"`);
  return behaviours[is](call, options);
}

const routes = {
  'POST /chat/completions': (call, behaviour) => perform(call, behaviour),
  'POST /completions': (call, behaviour) => perform(call, behaviour),
  'POST /embeddings': (call, behaviour) => perform(call, behaviour, () => call.json(200, embeddings(call))),
  'POST /moderations': (call, behaviour) => perform(call, behaviour, () => call.json(200, moderation(call))),
  'GET /models': (call, behaviour, models) =>
    perform(call, behaviour, () => call.json(200, { object: 'list', data: models.map(call.profile.listedModel) })),
  'GET /models/*': (call, behaviour, models) => {
    const id = decodeURIComponent(call.record.path.slice('/models/'.length));
    if (models.includes(id)) return call.json(200, call.profile.listedModel(id));
    const { status, ...error } = call.profile.unknownModel(id);
    return call.error(status, error);
  },
};
