// DeepSeek's web chat, over a real loopback socket: it checks what the real one checks, and misbehaves as a test asks.
//
//   const sim = await startDeepSeek();
//   sim.addAccount('a@b.c', { password: 'p' });
//   sim.script = (prompt) => ({ thinking: ['Hm'], text: ['Hello'] });
//   sim.next({ is: 'hint', reason: 'rate_limit_reached' });   // the next completion, whosever it is; or `behaviour` of a script
//   sim.account('a@b.c').banned = true;                       // or muted_until, device_rejected, captcha, token_refused
//   sim.account('a@b.c').logins, .peak, .running              // streams at once: the most, and now
//   sim.requests                                              // every request: path, body, headers, account
//
// Written from the protocol notes (protocols: deepseek-web), not from any client.
import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { hint, stream } from './deepseek/answer.mjs';
import { hash } from './deepseek/hash.mjs';
import { Watched } from './watched.mjs';

const COMPLETION = '/api/v0/chat/completion';
const DELETE_EVERY_MS = 1_500;
const MODELS = ['default', 'expert', 'vision'];

export async function startDeepSeek(options = {}) {
  const simulator = new DeepSeekSimulator(options);
  simulator.server.listen(options.port ?? 0, '127.0.0.1');
  await once(simulator.server, 'listening');
  return simulator;
}

/** What a JSON call answers: `biz_data`, or a failure of either kind. */
class Failed extends Error {
  constructor(body, status = 200, headers = {}) {
    super('failed');
    Object.assign(this, { body, status, headers });
  }
}
const biz = (biz_code, biz_msg, biz_data = null) => new Failed({ code: 0, msg: '', data: { biz_code, biz_msg, biz_data } });
const top = (code, msg) => new Failed({ code, msg, data: null });
const missing = (field) => new Failed({ detail: [{ loc: `body.${field}` }] }, 422);

export class DeepSeekSimulator extends Watched {
  patience_ms = 60_000; // an account logs in, works and chats
  requests = [];
  #accounts = new Map();
  #tokens = new Map();
  #sessions = new Map();
  #challenges = new Map();
  #next = [];

  constructor({ difficulty = 50, rtt_ms = 0, frame_ms = 0, old_session_shape = false } = {}) {
    super();
    Object.assign(this, { difficulty, rtt_ms, frame_ms, old_session_shape });
    this.reset();
    this.server = createServer({ keepAlive: true, noDelay: true }, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    Object.assign(this.server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, timeout: 0 });
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Forgets requests and behaviours; accounts stay. */
  reset() {
    this.requests.length = 0;
    this.#next.length = 0;
    this.script = (prompt) => ({ thinking: ['You ', 'want ', 'an echo.'], text: ['You said: ', ...(prompt.slice(-160).match(/[^]{1,12}/gu) ?? [])] });
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  addAccount(name, { password = `password-of-${name}`, token, ...rest } = {}) {
    const account = { name, password, logins: 0, running: 0, peak: 0, sessions: 0, deleted: 0, stops: 0, left: 0, streams: new Set(), ...rest };
    this.#accounts.set(name, account);
    if (token) this.#tokens.set(token, account);
    return account;
  }

  account(name) {
    return this.#accounts.get(name);
  }

  /** Ends an account's tokens. */
  expire(name) {
    for (const [token, account] of this.#tokens) if (account.name === name) this.#tokens.delete(token);
  }

  /** Deletes an account's conversations, as their owner may do in a browser. */
  clear(name) {
    for (const [id, { account }] of this.#sessions) if (account.name === name) this.#sessions.delete(id);
  }

  /** What the next completion does: `{ is, … }` of `behaviours` below. */
  next(behaviour) {
    this.#next.push(behaviour);
  }

  /** Conversations that were neither deleted nor used. */
  get sessions() {
    return [...this.#sessions.values()];
  }

  async #serve(request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const path = new URL(request.url, 'http://sim').pathname;
    const text = Buffer.concat(pieces).toString();
    const seen = { path, method: request.method, headers: request.headers, body: text === '' ? {} : JSON.parse(text), at: performance.now() };
    this.requests.push(seen);
    this.changed();
    if (this.rtt_ms > 0) await new Promise((done) => setTimeout(done, this.rtt_ms));
    try {
      const route = this.#routes[path];
      if (!route) {
        response.writeHead(200, { 'content-type': 'text/html' });
        return response.end('<!doctype html><title>DeepSeek</title>');
      }
      const biz_data = await route.call(this, seen, response);
      if (!response.headersSent) send(response, 200, { code: 0, msg: '', data: { biz_code: 0, biz_msg: '', biz_data: biz_data ?? null } });
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      send(response, error.status, error.body, error.headers);
    } finally {
      this.changed();
    }
  }

  #routes = {
    '/api/v0/users/login': this.#login,
    '/api/v0/chat_session/create': this.#create,
    '/api/v0/chat/create_pow_challenge': this.#challenge,
    [COMPLETION]: this.#complete,
    '/api/v0/chat/continue': this.#continue,
    '/api/v0/chat/stop_stream': this.#stop,
    '/api/v0/chat_session/delete': this.#delete,
  };

  #authorize(seen) {
    const [scheme, token] = (seen.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || !token) throw top(40002, 'Missing Token');
    const account = this.#tokens.get(token);
    if (!account || account.token_refused) throw top(40003, 'Authorization Failed (invalid token)');
    seen.account = account.name;
    return account;
  }

  #login({ body }) {
    for (const field of ['password', 'device_id', 'os']) if (typeof body[field] !== 'string' || body[field] === '') throw missing(field);
    const account = this.#accounts.get(body.email || body.mobile);
    if (account) account.logins += 1;
    if (!account || account.password !== body.password) throw biz(2, 'PASSWORD_OR_USER_NAME_IS_WRONG');
    if (account.banned) throw biz(10, 'USER_IS_BANNED');
    if (account.device_rejected) throw biz(11, 'RISK_DEVICE_DETECTED');
    if (account.captcha) throw biz(2, 'RECAPTCHA_VERIFY_FAILED');
    const token = randomBytes(48).toString('base64url');
    this.expire(account.name);
    this.#tokens.set(token, account);
    const chat = { is_muted: account.muted_until ? 1 : 0, mute_until: account.muted_until ?? null };
    return { code: 0, msg: '', user: { id: randomUUID(), token, email: account.name, status: 0, chat, need_birthday: false } };
  }

  #create(seen) {
    const account = this.#authorize(seen);
    account.sessions += 1;
    const session = { id: randomUUID(), account, messages: new Map(), last: 0, usage: 0 };
    this.#sessions.set(session.id, session);
    const shown = { id: session.id, seq_id: 1, agent: 'chat', model_type: 'default', title: null, title_type: 'WIP', version: 0, current_message_id: null, pinned: false };
    return this.old_session_shape ? shown : { chat_session: shown, ttl_seconds: 259200 };
  }

  #challenge(seen) {
    this.#authorize(seen);
    if (typeof seen.body.target_path !== 'string') throw missing('target_path');
    const [salt, expire_at] = [randomBytes(10).toString('hex'), Date.now() + 300_000];
    const answer = randomInt(this.difficulty);
    const challenge = hash(`${salt}_${expire_at}_${answer}`);
    const signature = createHash('sha256').update(challenge).digest('hex');
    this.#challenges.set(signature, { challenge, salt, answer, expire_at, target_path: seen.body.target_path });
    const shown = { algorithm: 'DeepSeekHashV1', challenge, salt, signature, difficulty: this.difficulty, expire_at, expire_after: 300_000 };
    return { challenge: { ...shown, target_path: seen.body.target_path } };
  }

  /** A proof of work is good once, in time, for its path. */
  #verifyWork(seen) {
    const header = seen.headers['x-ds-pow-response'];
    if (!header) throw top(40300, 'MISSING_HEADER');
    const work = JSON.parse(Buffer.from(header, 'base64').toString());
    const known = this.#challenges.get(work.signature);
    this.#challenges.delete(work.signature);
    const good = known && work.algorithm === 'DeepSeekHashV1' && Number.isInteger(work.answer) && work.answer === known.answer && work.salt === known.salt
      && work.challenge === known.challenge && work.target_path === COMPLETION && known.target_path === COMPLETION && Date.now() < known.expire_at;
    if (!good) throw top(40301, 'INVALID_POW_RESPONSE');
  }

  async #complete(seen, response) {
    const { body } = seen;
    const account = this.#authorize(seen);
    const is = {
      chat_session_id: (value) => typeof value === 'string',
      parent_message_id: (value) => value === null || Number.isInteger(value),
      prompt: (value) => typeof value === 'string',
      ref_file_ids: (value) => Array.isArray(value),
      thinking_enabled: (value) => typeof value === 'boolean',
      search_enabled: (value) => typeof value === 'boolean',
    };
    for (const [field, check] of Object.entries(is)) if (!check(body[field])) throw missing(field);
    if (body.model_type != null && !MODELS.includes(body.model_type)) throw missing('model_type');
    const session = this.#sessions.get(body.chat_session_id);
    if (session?.account !== account) throw biz(1, 'ILLEGAL_CHAT_SESSION_ID');
    if (body.parent_message_id !== null && !session.messages.has(body.parent_message_id)) throw biz(26, 'invalid message id');
    this.#verifyWork(seen);
    if (account.muted_until) throw biz(5, 'user is muted', { is_muted: 1, mute_until: account.muted_until });
    const answer = this.script(body.prompt);
    const behaviour = this.#next.shift() ?? answer.behaviour ?? { is: 'ok' };
    if (behaviour.is === 'http') throw new Failed(behaviour.body ?? '', behaviour.status, behaviour.headers);
    if (behaviour.is === 'json') throw top(behaviour.code, behaviour.msg ?? '');
    const ids = { request: session.last + 1, response: session.last + 2 };
    session.last += 2;
    const message = { ids, request: body, answer, fragments: [] };
    session.messages.set(ids.response, message);
    await this.#stream(response, account, behaviour, async (write, written) => {
      if (account.running > 1 || account.left > 0) return hint(write, ids, 'parallel_chat_limit');
      if (behaviour.is === 'hint') return hint(write, ids, behaviour.reason);
      await this.#behave(write, written, session, message, behaviour);
    });
  }

  async #behave(write, written, session, message, behaviour) {
    const { ids, request, answer } = message;
    if (behaviour.is === 'replay') {
      // A stream as it was captured, older formats too.
      for (const frame of behaviour.stream.match(/[^]*?\n\r?\n|[^]+$/g)) await write(frame);
      return;
    }
    const usage = (fragments) => {
      const said = fragments.filter(({ type }) => type === 'RESPONSE').reduce((sum, { content }) => sum + content.length, 0);
      return (session.usage += Math.ceil(request.prompt.length / 3) + said);
    };
    const shared = { ids, request, written, usage, unknown: behaviour.is === 'unknown', isFirst: session.last === 2 };
    if (behaviour.is === 'incomplete') {
      // The answer's budget ends in its middle; `continue` gives the rest.
      const half = Math.ceil(answer.text.length / 2);
      message.rest = answer.text.slice(half);
      message.fragments = await stream(write, { ...shared, answer: { ...answer, text: answer.text.slice(0, half) }, status: 'INCOMPLETE' });
      return;
    }
    message.fragments = await stream(write, { ...shared, answer: behaviour.is === 'empty' ? {} : answer, filtered: behaviour.is === 'filter' ? 'Let’s talk about something else.' : undefined });
  }

  async #continue(seen, response) {
    const account = this.#authorize(seen);
    const message = this.#sessions.get(seen.body.chat_session_id)?.messages.get(seen.body.message_id);
    if (!message?.rest) throw biz(26, 'invalid message id');
    const { ids, request, rest, fragments } = message;
    message.rest = undefined;
    await this.#stream(response, account, {}, (write, written) => {
      if (account.running > 1 || account.left > 0) return hint(write, ids, 'parallel_chat_limit');
      return stream(write, { ids, request, written, answer: { text: rest }, snapshot: fragments, usage: () => 2_551, isFirst: false });
    });
  }

  /**
   * One stream of an account. The behaviour's `gate` lets frames out one by one; `cut_at`, `end_at`, `stall_at`, `garbage_at`
   * count frames; `piece` and `crlf` change how they are sent. An answer that its reader left goes on until it is stopped; an
   * account is free again when its answer is written or stopped, whatever frames come after; with `busy_until_end`, after those.
   */
  async #stream(response, account, behaviour, run) {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', 'x-ds-sse-heartbeat-timeout-secs': '8' });
    response.flushHeaders();
    const state = {
      stopped: false,
      isFree: false,
      free() {
        if (!state.isFree) account.running -= 1;
        state.isFree = true;
      },
    };
    account.streams.add(state);
    account.running += 1;
    account.peak = Math.max(account.peak, account.running);
    this.changed();
    let frames = 0;
    const write = async (frame) => {
      frames += 1;
      if (behaviour.gate) await behaviour.gate.wait();
      if (this.frame_ms > 0) await new Promise((done) => setTimeout(done, this.frame_ms));
      if (state.stopped) throw new Ended();
      if (response.destroyed) throw new Gone();
      if (frames === behaviour.cut_at) {
        response.destroy();
        throw new Ended();
      }
      if (frames === behaviour.end_at) throw new Ended();
      if (frames === behaviour.stall_at) {
        await once(response, 'close');
        throw new Gone();
      }
      if (frames === behaviour.garbage_at) frame = 'data: {"v":\n\n';
      const bytes = Buffer.from(behaviour.crlf ? frame.replaceAll('\n', '\r\n') : frame);
      // In pieces that split a character of several bytes.
      const size = behaviour.piece ?? bytes.length;
      for (let at = 0; at < bytes.length; at += size) {
        response.write(bytes.subarray(at, at + size));
        if (behaviour.piece) await new Promise(setImmediate);
      }
    };
    try {
      await run(write, this.busy_until_end ? () => {} : state.free);
      response.end();
    } catch (error) {
      if (error instanceof Ended) response.end();
      else if (error instanceof Gone) account.left += state.isFree ? 0 : 1;
      else throw error;
    } finally {
      account.streams.delete(state);
      if (account.left === 0) state.free();
      this.changed();
    }
  }

  #stop(seen) {
    const account = this.#authorize(seen);
    const session = this.#sessions.get(seen.body.chat_session_id);
    if (session?.account !== account) throw biz(1, 'ILLEGAL_CHAT_SESSION_ID');
    if (!session.messages.has(seen.body.message_id)) throw biz(26, 'invalid message id');
    account.stops += 1;
    for (const state of account.streams) {
      state.stopped = true;
      state.free();
    }
    account.running -= account.left;
    account.left = 0;
  }

  #delete(seen) {
    const account = this.#authorize(seen);
    const [before, now] = [account.deleted_at ?? -Infinity, performance.now()];
    account.deleted_at = now;
    if (now - before < DELETE_EVERY_MS) throw new Failed({ code: 0, msg: 'rate limit reached', data: null }, 429);
    if (!this.#sessions.delete(seen.body.chat_session_id)) throw biz(4, 'Chat session not found');
    account.deleted += 1;
  }
}

class Ended extends Error {}
class Gone extends Error {}

function send(response, status, body, headers = {}) {
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers });
  response.end(isText ? body : JSON.stringify(body));
}
