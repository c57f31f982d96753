// Moving in and out: batches, the files of other gateways, exports, and the sync with Vercel.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { startVercel } from '../simulators/vercel.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startSimulator();
});
after(() => sim?.close());

const fixture = (name) => readFileSync(new URL(`../fixtures/import/${name}`, import.meta.url), 'utf8');

async function worker(context, options) {
  const weir = await start(options);
  context.after(() => weir.stop());
  return weir;
}

/** Imports a file; it must be answered with a report. */
async function importFile(weir, raw, query = '') {
  const answer = await weir.admin('POST', `/admin/import${query}`, undefined, { raw });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

test('a config.json of ds2api is previewed, imported, serves, and is undone', async (context) => {
  const deepseek = await startDeepSeek();
  context.after(() => deepseek.close());
  const weir = await worker(context, { config: { keys: [CLIENT_KEY], upstreams: [{ id: 'deepseek-web', base_url: deepseek.url }] } });
  const file = fixture('ds2api-config.json');
  const { keys, accounts } = JSON.parse(file);
  for (const { email, mobile, password } of accounts) {
    weir.secret(password, 'password');
    deepseek.addAccount(email ?? mobile, { password });
  }
  const empty = await weir.manage('GET', '/admin/config');

  const preview = await importFile(weir, file, '?dry_run=true');
  assert.deepEqual([preview.format, preview.dry_run, preview.backup], ['ds2api', true, null]);
  assert.deepEqual(preview.counts, { added: 7, changed: 0, duplicate: 0, failed: 0 });
  assert.deepEqual(await weir.manage('GET', '/admin/config'), empty, 'a preview stores nothing');
  assert.equal((await weir.chat({ model: 'deepseek-chat' }, { key: keys[0] })).status, 401);

  const report = await importFile(weir, file);
  assert.deepEqual(report.results, preview.results, 'the preview said what would be');
  assert.equal(report.version, preview.version + 1);
  for (const key of keys) {
    const answer = await weir.chat({ model: 'gpt-4o', messages: [{ role: 'user', content: 'ping' }] }, { key });
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.json.choices[0].message.content, /ping/);
  }
  const logins = accounts.map(({ email, mobile }) => deepseek.account(email ?? mobile).logins);
  assert.ok(logins.reduce((sum, count) => sum + count, 0) >= 1, 'the imported passwords were used');

  const again = await importFile(weir, file);
  assert.deepEqual([again.counts.duplicate, again.version, again.backup], [7, report.version, null]);

  await weir.manage('POST', `/admin/backups/${report.backup}/restore`);
  assert.deepEqual(await weir.manage('GET', '/admin/config'), empty);
  assert.equal((await weir.chat({ model: 'deepseek-chat' }, { key: keys[0] })).status, 401);
});

test('an apis.json of api-together serves with its models, limits and key', async (context) => {
  const weir = await worker(context, { config: { keys: [CLIENT_KEY] } });
  sim.addModels('real-name');
  sim.addKeys(secretOf('together-1'));
  const file = {
    server: { port: 3001, apiKey: 'sk-together-gateway-key' },
    apis: [
      {
        id: 'api1', name: 'One', baseUrl: `${sim.url}/`, apiKey: secretOf('together-1'), rpm: 2, rpd: -1, enabled: true,
        models: ['real-name'], modelMapping: { nick: 'real-name' },
      },
      { id: 'api2', name: 'Two', baseUrl: sim.url, enabled: true, rpm: 'many', apiKey: 'k' },
    ],
  };
  const report = await importFile(weir, JSON.stringify(file));
  assert.deepEqual([report.success, report.imported_accounts, report.imported_keys], [false, 1, 1]);
  const failed = report.results.filter(({ status }) => status === 'failed');
  assert.deepEqual(failed.map(({ from, error }) => [from, error.param]), [['apis[1]', 'apis[1].rpm']]);
  const key = 'sk-together-gateway-key';
  assert.equal((await weir.chat({ model: 'nick' }, { key })).status, 200);
  assert.equal(sim.last.body.model, 'real-name');
  assert.equal(sim.last.key, secretOf('together-1'));
  assert.deepEqual((await weir.account('api1')).limits, { rpm: 2 });
});

test('every other file is recognised by its content', async (context) => {
  const weir = await worker(context, { config: { keys: [CLIENT_KEY] } });
  for (const [name, format, counts] of [
    ['deepseek2api-config.json', 'ds2api', { added: 6, failed: 1 }],
    ['webids.json', 'webids', { added: 2, changed: 1, failed: 1 }],
    ['model-map.json', 'model-map', { added: 2 }],
    ['volcano-main.py', 'model-map', { added: 1, duplicate: 2 }],
    ['accounts.txt', 'lines', { added: 1, duplicate: 3, failed: 1 }],
    ['accounts.csv', 'csv', { added: 1, duplicate: 1, failed: 1 }],
    ['weir-export.json', 'weir', { added: 5, changed: 1, failed: 2 }],
  ]) {
    const preview = await importFile(weir, fixture(name), '?dry_run=true');
    const report = await importFile(weir, fixture(name));
    assert.equal(report.format, format, name);
    assert.deepEqual(report.counts, { added: 0, changed: 0, duplicate: 0, failed: 0, ...counts }, `${name}: ${JSON.stringify(report.results)}`);
    assert.deepEqual(report.results, preview.results, name);
    for (const { status, error } of report.results) if (status === 'failed') assert.ok(error.param && error.message.includes(error.param), name);
  }
  const { settings, upstreams } = await weir.manage('GET', '/admin/config');
  assert.equal(settings.timezone, 'Asia/Shanghai');
  assert.equal(upstreams.find(({ id }) => id === 'ark').default_model, 'deepseek-r1');
});

test('what is no such file is refused, by its line where it is broken', async (context) => {
  const weir = await worker(context, { config: { keys: [CLIENT_KEY] } });
  for (const [raw, said] of [
    ['hello', /no file that Weir knows/],
    ['{\n"keys": ["a"],,\n}', /line 2 column/],
    [Buffer.from([0x61, 0x0a, 0xff, 0xfe]), /not UTF-8: see line 2/],
  ]) {
    const answer = await weir.admin('POST', '/admin/import', undefined, { raw });
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.json.error.message, said);
  }
  assert.equal((await weir.admin('GET', '/admin/import')).status, 405);
  assert.equal((await weir.call('POST', '/admin/import', { raw: fixture('ds2api-config.json') })).status, 401, 'a client key is no session');
});

test('a batch keeps its good lines and names what is wrong with the others', async (context) => {
  const weir = await worker(context, { config: pools(sim, { batch: {} }) });
  const accounts = Array.from({ length: 500 }, (_, index) => ({ id: `b${index}`, upstream: 'batch', api_key: secretOf(`b${index}`) }));
  accounts[7].upstream = 'nobody';
  accounts[8].id = 'batch-1';
  accounts[9].api_key = accounts[6].api_key;
  accounts[10].limits = { rpm: -2 };
  const { json: report } = await weir.admin('POST', '/admin/accounts/batch', { accounts });
  assert.deepEqual(report.counts, { added: 496, changed: 0, duplicate: 1, failed: 3 });
  assert.deepEqual(
    [7, 8, 9, 10].map((index) => [report.results[index].status, report.results[index].error?.param]),
    [['failed', 'accounts[7].upstream'], ['failed', 'accounts[8].id'], ['duplicate', undefined], ['failed', 'accounts[10].limits.rpm']],
  );
  assert.equal(report.results[0].item.api_key, '***');
  const stored = (await weir.manage('GET', '/admin/accounts')).accounts.map(({ id }) => id);
  const kept = accounts.filter((_, index) => ![7, 8, 9, 10].includes(index)).map(({ id }) => id);
  assert.deepEqual(stored, ['batch-1', ...kept], 'in the order of the batch');
  await weir.restart();
  assert.deepEqual((await weir.manage('GET', '/admin/accounts')).accounts.map(({ id }) => id), stored, 'in the next life too');
  const refused = await weir.admin('POST', '/admin/accounts/batch', { accounts: 'x' });
  assert.deepEqual([refused.status, refused.json.error.param], [400, 'accounts']);
});

test('an export is masked; with secrets it is another Weir', async (context) => {
  const weir = await worker(context, { config: pools(sim, { out: { accounts: 2 } }, { aliases: { o: 'out' }, settings: { timezone: 'Asia/Shanghai' } }) });
  assert.deepEqual(await weir.manage('GET', '/admin/export?secrets=false'), await weir.manage('GET', '/admin/config'));

  // Not by `manage`, which refuses an answer with a secret.
  const open = await weir.fetch('GET', '/admin/export?secrets=true', { key: await weir.login() });
  assert.equal(open.status, 200);
  const { audit } = await weir.manage('GET', '/admin/audit');
  const exports = audit.filter(({ path }) => path === '/admin/export');
  assert.deepEqual(exports.map(({ method, outcome }) => [method, outcome]), [['GET', 'ok']], 'of the two, the one that tells secrets is written down');
  assert.match(exports[0].session, /^[0-9a-f]{8}$/);
  const document = await open.json();
  assert.equal(document.accounts[1].api_key, secretOf('out-2'));
  assert.ok(!JSON.stringify(document).includes(CLIENT_KEY));

  const other = await worker(context, {});
  const report = await importFile(other, JSON.stringify(document));
  assert.equal(report.success, true, JSON.stringify(report.results));
  assert.equal((await other.chat({ model: 'o' })).status, 200, 'with its client key');
  assert.deepEqual(await other.manage('GET', '/admin/config'), await weir.manage('GET', '/admin/config'));
});

test('the sync with Vercel brings accounts to a ds2api, and keeps its credentials sealed', async (context) => {
  const vercel = await startVercel();
  context.after(() => vercel.close());
  const config = {
    keys: [CLIENT_KEY],
    accounts: [
      { email: 'a@example.com', password: 'password-of-a-0001' },
      { email: 'b@example.com', password: 'password-of-b-0002', enabled: false },
      { id: 'ark-1', upstream: 'ark', api_key: secretOf('ark-1') },
    ],
    aliases: { 'gpt-4o': 'deepseek-chat', 'claude-*': 'deepseek-chat' },
    settings: { vercel_url: vercel.url },
  };
  const weir = await worker(context, { config });
  weir.secret(vercel.token, 'token of Vercel');
  const sync = (body) => weir.admin('POST', '/admin/vercel/sync', body);
  const state = () => weir.manage('GET', '/admin/vercel/config');
  assert.deepEqual([(await state()).has_token, (await state()).synced], [false, false]);
  const param = async (body) => (await sync(body)).json.error.param;
  assert.equal(await param({}), 'vercel_token');
  assert.equal(await param({ vercel_token: vercel.token }), 'project_id');
  const credentials = { vercel_token: vercel.token, project_id: vercel.project.id, team_id: vercel.project.team };
  assert.equal(await param(credentials), 'keys', 'nobody could call a deployment without keys');

  const wrong = await sync({ ...credentials, vercel_token: 'another-token-of-vercel-77aa', keys: [] });
  assert.equal(wrong.status, 502, wrong.text);
  assert.match(wrong.json.error.message, /Vercel answered 403. Not authorized/);
  assert.ok(!wrong.text.includes('another-token-of-vercel-77aa'));
  assert.equal((await state()).has_token, false, 'nothing is kept before the first success');

  vercel.fail = { path: /\/env$/, status: 500, message: 'Try later.' };
  const failed = await sync({ ...credentials, keys: [] });
  assert.match(failed.json.error.message, /Vercel answered 500. Try later/);
  const hostile = await sync({ ...credentials, project_id: '../v9/user?x=', keys: [] });
  assert.equal(hostile.status, 502);
  assert.match(vercel.calls.at(-1), /^GET \/v9\/projects\/%2E%2E%2Fv9%2Fuser%3Fx%3D\/env$/, 'an id stays one segment');
  assert.equal((await state()).has_token, false);
  vercel.fail = null;

  const first = await sync({ ...credentials, keys: ['sk-of-the-deployment'] });
  assert.equal(first.status, 200, first.text);
  assert.deepEqual([first.json.success, first.json.manual_deploy_required], [true, false]);
  assert.deepEqual(first.json.saved_credentials.toSorted(), Object.keys(credentials).toSorted());
  assert.equal(first.json.deployment_url, 'ds2api-1.vercel.app');
  assert.deepEqual(vercel.config, {
    keys: ['sk-of-the-deployment'],
    accounts: [{ email: 'a@example.com', password: 'password-of-a-0001' }],
    model_aliases: { 'gpt-4o': 'deepseek-chat' },
  });
  assert.deepEqual(vercel.deployments[0].gitSource, { type: 'github', repoId: 77, ref: 'prod' });
  const kept = await state();
  assert.deepEqual([kept.has_token, kept.project_id, kept.synced], [true, vercel.project.id, true]);

  vercel.fail = { path: /deployments/, status: 402, message: 'No more deployments.' };
  const undeployed = await sync({});
  assert.deepEqual([undeployed.status, undeployed.json.manual_deploy_required], [200, true]);
  vercel.fail = null;

  await weir.restart();
  await weir.manage('PATCH', '/admin/accounts/b@example.com', { enabled: true });
  assert.equal((await state()).synced, false);
  vercel.project.link = undefined;
  const second = await sync({ vercel_token: '__USE_PRECONFIG__' });
  assert.equal(second.status, 200, second.text);
  assert.equal(second.json.manual_deploy_required, true);
  assert.deepEqual([vercel.config.keys, vercel.config.accounts.length], [['sk-of-the-deployment'], 2], 'its keys are its own');
  assert.equal((await state()).synced, true);

  const elsewhere = await startVercel();
  context.after(() => elsewhere.close());
  await weir.manage('POST', '/admin/config', { settings: { vercel_url: elsewhere.url } });
  assert.equal(await param({}), 'vercel_token', 'a kept token does not go to another address');
  assert.deepEqual(elsewhere.calls, []);
});
