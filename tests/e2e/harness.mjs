// The built Worker in workerd, on a real socket, with everything it logs under watch.
//
//   const sim = await startSimulator();
//   const weir = await start({ config: pools(sim, { plain: { accounts: 2 } }) });
//   await weir.chat({ model: 'plain' })      // as the client `CLIENT_KEY`
//   await weir.admin('GET', '/admin/config') // logs in by itself
//   await weir.stop()                        // fails if a secret or a crash is in the log
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Log, LogLevel, Miniflare } from 'miniflare';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export const MASTER_KEY = 'e2e-master-key-7d0f4c1b9a8e6352-f0e1d2c3';
export const ADMIN_KEY = 'e2e-admin-password-51c2';
export const CLIENT_KEY = 'sk-weir-e2e-client-0001';
/** The upstream credential of an account in these tests. */
export const secretOf = (account) => `sk-upstream-secret-of-${account}-93b1f7`;

/** What a crash of the Worker leaves in its log. */
const FAULTS = /panicked at|uncaught|unreachable|RuntimeError|code had hung|will never generate a response|out of bounds|Disallowed operation/i;
/** Workerd's own remark about a client that left: not a fault. */
const BENIGN = /disconnected: |Network connection lost/;

/**
 * Starts the Worker. `persist` keeps its storage for a later start; `bindings` overrides or, with null, removes; `entry` is
 * another entry than the Worker's own, which it may import.
 */
export async function start(options = {}) {
  const gateway = new Gateway(options);
  await gateway.open();
  return gateway;
}

/**
 * A configuration with a pool for each case, so that tests which share a Worker do not meet: the upstream, its only model
 * and the case have one name, and the accounts are `name-1`, `name-2`, …
 *
 *   pools(sim, { plain: {}, busy: { accounts: 2, limits: { concurrency: 1 } }, weighted: { accounts: [{ weight: 3 }, {}] } })
 */
export function pools(sim, cases, rest = {}) {
  const [upstreams, accounts] = [[], []];
  for (const [name, { accounts: wanted = 1, limits, upstream, at = sim }] of Object.entries(cases)) {
    at.addModels(name);
    upstreams.push({ id: name, kind: 'openai', base_url: at.url, models: [name], ...upstream });
    for (const [index, extra] of (Array.isArray(wanted) ? wanted : Array(wanted).fill({})).entries()) {
      const id = `${name}-${index + 1}`;
      at.addKeys(secretOf(id));
      accounts.push({ id, upstream: name, api_key: secretOf(id), ...(limits && { limits }), ...extra });
    }
  }
  return { keys: [CLIENT_KEY], upstreams, accounts, ...rest };
}

export class Gateway {
  /** All that the Worker and its runtime printed. */
  log = '';
  #options;
  #ownsStorage;
  #secrets = new Map();
  #token = null;

  constructor(options) {
    this.#options = options;
    this.#ownsStorage = options.persist === undefined;
    this.persist = options.persist ?? mkdtempSync(join(tmpdir(), 'weir-e2e-'));
    this.bindings = {
      MASTER_KEY,
      ADMIN_KEY,
      ...(options.config && { CONFIG_JSON: JSON.stringify(options.config) }),
      ...options.bindings,
    };
    for (const [name, value] of Object.entries(this.bindings)) if (value === null) delete this.bindings[name];
    for (const name of ['MASTER_KEY', 'ADMIN_KEY']) if (this.bindings[name]) this.secret(this.bindings[name], name);
    this.#learn(options.config);
  }

  async open() {
    const { date, flags } = wranglerSettings();
    this.mf = new Miniflare({
      cf: false,
      log: new Captured((text) => this.#heard(text)),
      handleRuntimeStdio: (...streams) => {
        for (const stream of streams) stream.setEncoding('utf8').on('data', (text) => this.#heard(text));
      },
      defaultPersistRoot: this.persist,
      workers: [
        {
          name: 'weir',
          modulesRoot: root,
          modules: modules(this.#options.entry),
          compatibilityDate: date,
          compatibilityFlags: flags,
          bindings: this.bindings,
          assets: { directory: join(root, 'public'), binding: 'ASSETS', assetConfig: { html_handling: 'none' }, routerConfig: { has_user_worker: true } },
          kvNamespaces: ['CONFIG'],
          durableObjects: {
            LEDGER: { className: 'Ledger', useSQLite: true },
            REGISTRY: { className: 'Registry', useSQLite: true },
            SESSION: { className: 'Session', useSQLite: true },
            MEMORY: { className: 'Memory', useSQLite: true },
            STATS: { className: 'Stats', useSQLite: true },
          },
          unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
        },
      ],
    });
    await this.mf.ready;
    this.url = String(await this.mf.unsafeGetDirectURL('weir')).replace(/\/$/, '');
  }

  /** What must never be printed or answered. */
  secret(value, what) {
    if (typeof value === 'string' && value.length >= 8) this.#secrets.set(value, what);
  }

  /** Kills the Worker. Fails if what it printed holds a secret or a crash. */
  async stop() {
    await this.mf?.dispose();
    if (this.#ownsStorage) rmSync(this.persist, { recursive: true, force: true });
    this.checkLog();
  }

  /** Kills the Worker and starts it on the same storage. */
  async restart() {
    await this.mf.dispose();
    await this.open();
  }

  checkLog() {
    for (const [secret, what] of this.#secrets) {
      assert.ok(!this.log.includes(secret), `the log shows a secret (${what}):\n${around(this.log, secret)}`);
    }
    const faults = this.log.split('\n').filter((line) => FAULTS.test(line) && !BENIGN.test(line));
    assert.deepEqual(faults, [], 'the Worker crashed or hung');
  }

  // ---------------------------------------------------------------------------------------- requests

  /** A request as `key` (null: none). The answer is checked for account secrets. */
  async call(method, path, { key = CLIENT_KEY, body, headers, raw, signal } = {}) {
    const response = await this.fetch(method, path, { key, body, headers, raw, signal });
    const text = await response.text();
    for (const [secret, what] of this.#secrets) {
      // A web id names an account, as an email does: the operator sees it, and nobody else.
      if (what === 'client key' || (what.startsWith('web_id') && /^\/(admin|api)\//.test(path))) continue;
      assert.ok(!text.includes(secret), `${method} ${path} answers with a secret (${what}): ${text}`);
    }
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  }

  fetch(method, path, { key = CLIENT_KEY, body, headers, raw, signal } = {}) {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    return fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...headers,
      },
      body: payload,
      signal,
    });
  }

  /** A chat, whole. */
  chat(body = {}, options = {}) {
    return this.call('POST', '/v1/chat/completions', { ...options, body: chatBody(body) });
  }

  /** A chat's response as it begins. */
  openChat(body = {}, options = {}) {
    return this.fetch('POST', '/v1/chat/completions', { ...options, body: chatBody({ stream: true, ...body }) });
  }

  /** As the operator. Every call logs in from its own address the first time, so that throttling stays out of the way. */
  async admin(method, path, body, options = {}) {
    this.#learn(body);
    const attempt = async () => this.call(method, path, { ...options, body, key: (this.#token ??= await this.login()) });
    const answer = await attempt();
    if (answer.status !== 401) return answer;
    this.#token = null;
    return attempt();
  }

  async login(password = this.bindings.ADMIN_KEY) {
    const answer = await this.call('POST', '/admin/login', { key: null, body: { key: password } });
    assert.equal(answer.status, 200, answer.text);
    return answer.json.token;
  }

  /** As `admin`, and it must succeed. */
  async manage(method, path, body) {
    const answer = await this.admin(method, path, body);
    assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  status() {
    return this.manage('GET', '/admin/queue/status');
  }

  async account(id) {
    const { accounts } = await this.status();
    const found = accounts.find((account) => account.id === id);
    assert.ok(found, `no account ${id} in ${JSON.stringify(accounts)}`);
    return found;
  }

  #heard(text) {
    this.log += text.endsWith('\n') ? text : `${text}\n`;
    if (process.env.WEIR_E2E_LOG) process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  #learn(config) {
    if (typeof config !== 'object' || config === null) return;
    for (const key of config.keys ?? []) this.secret(typeof key === 'string' ? key : key?.key, 'client key');
    for (const account of [...(Array.isArray(config.accounts) ? config.accounts : []), config]) {
      for (const field of ['api_key', 'password', 'authorization', 'web_id']) this.secret(account?.[field], `${field} of account ${account?.id}`);
    }
  }
}

const chatBody = (body) => ({ messages: [{ role: 'user', content: 'hello' }], ...body });

/** Waits for a condition that no event announces: asks again and again, for a bounded time. */
export async function eventually(check, { within = 10_000, every = 20 } = {}) {
  const deadline = Date.now() + within;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((next) => setTimeout(next, every));
  }
}

class Captured extends Log {
  constructor(hear) {
    super(LogLevel.WARN);
    this.hear = hear;
  }

  log(message) {
    this.hear(message);
  }
}

function wranglerSettings() {
  const text = readFileSync(join(root, 'wrangler.toml'), 'utf8');
  const date = text.match(/^compatibility_date\s*=\s*"([^"]+)"/m)?.[1];
  const flags = text.match(/^compatibility_flags\s*=\s*\[([^\]]*)\]/m)?.[1].match(/[\w-]+/g) ?? [];
  assert.ok(date, 'wrangler.toml has no compatibility_date');
  return { date, flags };
}

function modules(entry) {
  const built = readdirSync(join(root, 'build'), { recursive: true }).map(String).sort();
  return [
    ...[...(entry ? [entry] : []), 'src/entry.js', 'src/page.js'].map((name) => ({ type: 'ESModule', path: join(root, name) })),
    ...built.filter((name) => /\.m?js$/.test(name)).map((name) => ({ type: 'ESModule', path: join(root, 'build', name) })),
    ...built.filter((name) => name.endsWith('.wasm')).map((name) => ({ type: 'CompiledWasm', path: join(root, 'build', name) })),
  ];
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const around = (text, part) => text.slice(Math.max(0, text.indexOf(part) - 200), text.indexOf(part) + 100);
