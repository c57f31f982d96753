// The description of Weir's routes against the running Worker: schemathesis sends what it says may and may not be sent, and
// checks every answer. The Worker holds the description's own example document, so that its examples must succeed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exampleDocument } from '../../openapi/document.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { startVercel } from '../simulators/vercel.mjs';
import { AUTHORIZATION, startConsole } from '../simulators/volcengine-console.mjs';
import { start } from './harness.mjs';

const methods = ['get', 'post', 'put', 'patch', 'delete'];
const skip = !process.env.WEIR_PYTHON && 'no Python environment';

describe('the description of the routes', () => {
  const sims = {};
  let weir, description, document, directory;
  before(async () => {
    Object.assign(sims, { service: await startSimulator(), console: await startConsole(), vercel: await startVercel() });
    document = documentFor(sims);
    for (const { api_key: key } of document.accounts) if (key) sims.service.addKeys(key);
    for (const { models = [] } of document.upstreams) sims.service.addModels(...models);
    directory = mkdtempSync(join(tmpdir(), 'weir-openapi-'));
    weir = await start({ config: document, bindings: { ADMIN_KEY: 'a-made-up-password' } }); // the example's, as below
    sims.vercel.token = 'a-made-up-token';
    description = await (await weir.fetch('GET', '/openapi.json', { key: null })).json();
  });
  after(async () => {
    if (directory) rmSync(directory, { recursive: true });
    await Promise.all([weir?.stop(), ...Object.values(sims).map((sim) => sim.close())]);
  });

  test('every route in the Worker’s tables is described', () => {
    const paths = Object.keys(description.paths).map((path) => path.replace(/\{\w+\}/g, '{}'));
    const routes = tables.flatMap(patternsOf);
    assert.ok(routes.length > 50, `only ${routes.length} routes were read`);
    assert.deepEqual(routes.filter((route) => !paths.some((path) => route.test(path))), []);
  });

  test('the Worker knows each method that is described, and no other', async () => {
    for (const [path, item] of Object.entries(description.paths)) {
      const url = path.replace(/\{\w+\}/g, 'nothing-of-this-name');
      const key = /^\/(admin|api\/webids)/.test(path) ? await session() : document.keys[0].key;
      for (const method of methods) {
        const answer = await weir.fetch(method.toUpperCase(), url, { key });
        const text = await answer.text();
        const isKnown = answer.status !== 405 && !text.includes('Unknown request URL');
        assert.equal(isKnown, method in item, `${method} ${path}: ${answer.status} ${text}`);
      }
    }
  });

  test('schemathesis finds the Worker as it is described', { skip }, async (context) => {
    const { code, output, counted } = await check(closed(description), await session());
    for (const label of labels(description)) context.diagnostic(`${label}: ${JSON.stringify(counted[label] ?? {})}`);
    assert.equal(code, 0, output);
    const hasSucceeded = (label) => Object.keys(counted[label] ?? {}).some((status) => status < 300);
    assert.deepEqual(labels(description).filter((label) => !hasSucceeded(label)), [], 'these never succeeded');
  });

  test('schemathesis finds what is not as it is described', { skip }, async () => {
    const wrong = closed(description);
    const { '/health': health, '/v1/me': me, '/admin/keys': keys, '/admin/plan': plan } = wrong.paths;
    wrong.paths = { '/health': health, '/v1/me': me, '/admin/keys': keys, '/admin/plan': plan };
    const good = (operation) => operation.responses[200].content['application/json'].schema;
    good(health.get).properties.timestamp = { type: 'string' };
    delete good(me.get).properties.left;
    good(me.get).required = [];
    delete keys.post.responses[400];
    plan.get.responses[200].content = { 'text/plain': { schema: { type: 'string' } } };
    const { code, output } = await check(wrong, await session());
    assert.notEqual(code, 0);
    const failed = [...output.matchAll(/^_+ (\S+ \S+) _+$/gm)].map(([, label]) => label);
    assert.deepEqual(new Set(failed), new Set(['GET /health', 'GET /v1/me', 'POST /admin/keys', 'GET /admin/plan']));
  });

  let token;
  async function session() {
    return (token ??= await weir.login());
  }

  /** Runs schemathesis: its exit code, what it said, and how often each route answered with which status. */
  async function check(wanted, adminToken) {
    const file = (name, value) => {
      writeFileSync(join(directory, name), JSON.stringify(value));
      return join(directory, name);
    };
    const statuses = join(directory, 'statuses.json');
    const env = { WEIR_URL: weir.url, WEIR_ADMIN_TOKEN: adminToken, WEIR_CLIENT_KEY: document.keys[0].key, WEIR_DOCUMENT: file('document.json', document), WEIR_STATUSES: statuses, HYPOTHESIS_STORAGE_DIRECTORY: directory };
    const command = join(dirname(process.env.WEIR_PYTHON), 'schemathesis');
    const child = spawn(command, ['--config-file', 'tests/e2e/openapi.toml', 'run', file('openapi.json', wanted), '--url', weir.url], {
      cwd: new URL('../..', import.meta.url),
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    const code = await new Promise((done, failed) => child.on('error', failed).on('close', done));
    return { code, output, counted: JSON.parse(readFileSync(statuses, 'utf8')) };
  }
});

/** The example document with the simulators as its services, no limit that a thousand calls would meet, and no upstream without accounts in use. */
function documentFor({ service, console: web, vercel }) {
  const document = structuredClone(exampleDocument);
  for (const upstream of document.upstreams) upstream.base_url = upstream.kind === 'openai' ? service.url : web.url;
  for (const limited of [...document.accounts, ...document.keys]) delete limited.limits;
  document.upstreams.find(({ id }) => id === 'spare').enabled = false;
  document.accounts.find(({ web_id: id }) => id).authorization = AUTHORIZATION;
  document.settings.vercel_url = vercel.url;
  return document;
}

/** What schemathesis calls the routes. */
const labels = ({ paths }) => Object.entries(paths).flatMap(([path, item]) => methods.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`));

/** The description with answers that may have no field besides those that it names: a reader takes more, this test does not. */
function closed(description) {
  const copy = structuredClone(description);
  const close = (value) => {
    if (typeof value !== 'object' || value === null) return;
    if (value.properties && value.additionalProperties === undefined) value.additionalProperties = false;
    Object.values(value).forEach(close);
  };
  close(copy.components);
  for (const item of Object.values(copy.paths)) for (const method of methods) close(item[method]?.responses);
  return copy;
}

/** Where the Worker's tables of routes are: the file, where the table begins and ends in it, and what is before its paths. */
const tables = [
  { file: 'src/http/path.rs', from: 'match segments.as_slice() {', prefix: '' },
  { file: 'src/admin/mod.rs', from: 'let password = ', to: 'path => {', prefix: '/admin' },
  { file: 'src/admin/transfer.rs', from: 'match rest {', prefix: '/admin/backups' },
  { file: 'src/admin/webids.rs', from: 'match rest {', prefix: '/api/webids' },
];

/** The patterns of Rust slices in a table, as expressions for described paths: `["a" | "b", id, rest @ ..]` is two. */
function patternsOf({ file, from, to = '_ => ', prefix }) {
  const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const begin = source.indexOf(from) + from.length;
  assert.ok(begin > from.length, `${file} has no ${from}`);
  const table = source.slice(begin, source.indexOf(to, begin));
  const slices = [...table.matchAll(/^ *(?:if let )?((?:\[[^\]\n]*\](?: \| )?)+)(?: if .*?)? =>? /gm)].flatMap(([, arm]) => arm.match(/\[[^\]]*\]/g));
  return slices.flatMap((slice) => {
    const parts = slice.slice(1, -1).split(',').map((part) => part.trim()).filter(Boolean);
    const choices = parts.map((part) => (part.endsWith('..') ? ['(/.*)?'] : part.startsWith('"') ? part.split('|').map((word) => `/${word.trim().slice(1, -1)}`) : ['/\\{\\}']));
    const endings = choices.reduce((known, more) => known.flatMap((path) => more.map((next) => path + next)), ['']);
    // The Worker takes `/api/webids` for a part of its admin routes.
    return endings.map((ending) => new RegExp(`^${ending.startsWith('/webids') ? '/api' : prefix}${ending || (prefix ? '' : '/')}$`));
  });
}
