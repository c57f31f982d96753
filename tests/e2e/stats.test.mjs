// What is recorded of calls: the figures, the log with its receipts, the plan meter, the log of admin writes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startSimulator } from '../simulators/openai.mjs';
import { Raw, readStream } from './client.mjs';
import { ADMIN_KEY, CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

const SECOND_KEY = 'sk-weir-e2e-client-0002';
const HOUR = 3_600_000;

let sim, weir;
before(async () => {
  sim = await startSimulator();
  const cases = { plain: {}, streamed: {}, failing: { accounts: 2 }, refused: {}, busy: { limits: { concurrency: 1 } }, split: { accounts: 2 }, large: { accounts: 12 } };
  const keys = [{ id: 'laptop', name: 'My laptop', key: CLIENT_KEY }, { id: 'second', name: 'Second', key: SECOND_KEY }];
  weir = await start({ config: pools(sim, cases, { keys }) });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

/** The log's entry of the call with this answer. It is written after the answer. */
const entryOf = (response) =>
  eventually(async () => {
    const { logs } = await weir.manage('GET', '/admin/logs');
    const found = logs.find(({ id }) => id === response.headers.get('x-request-id'));
    assert.ok(found, `no entry of ${response.headers.get('x-request-id')}`);
    return found;
  });

test('a call leaves one entry, with its times, tokens and account', async () => {
  const answer = await weir.chat({ model: 'plain' });
  const entry = await entryOf(answer);
  assert.deepEqual(
    [entry.key, entry.key_name, entry.dialect, entry.endpoint, entry.stream, entry.model, entry.served_model],
    ['laptop', 'My laptop', 'openai', 'chat/completions', false, 'plain', 'plain'],
  );
  assert.deepEqual([entry.account, entry.upstream, entry.attempts, entry.status, entry.error], ['plain-1', 'plain', 1, 200, undefined]);
  assert.equal(entry.tokens.prompt, answer.json.usage.prompt_tokens);
  assert.equal(entry.tokens.completion, answer.json.usage.completion_tokens);
  assert.equal(entry.ttft_ms, null, 'a plain answer has no first event');
  assert.ok(entry.total_ms >= 0 && Math.abs(Date.now() - entry.time) < 60_000);
  assert.deepEqual(entry.receipt.tries.map(({ account, outcome, cause }) => [account, outcome, cause]), [['plain-1', 'success', null]]);
  assert.deepEqual([entry.request, entry.answer], [undefined, undefined], 'no body');
});

test('a stream has a time to its first event, in every dialect', async () => {
  const response = await weir.openChat({ model: 'streamed' });
  assert.ok((await readStream(response)).done);
  const entry = await entryOf(response);
  assert.ok(entry.ttft_ms >= 0 && entry.ttft_ms <= entry.total_ms, JSON.stringify(entry));
  const body = { model: 'streamed', max_tokens: 20, messages: [{ role: 'user', content: 'hello' }] };
  const claude = await entryOf(await weir.call('POST', '/v1/messages', { body }));
  assert.deepEqual([claude.dialect, claude.status], ['anthropic', 200]);
  const responses = await entryOf(await weir.call('POST', '/v1/responses', { body: { model: 'streamed', input: 'hello' } }));
  assert.deepEqual([responses.dialect, responses.status], ['responses', 200]);
});

test('the receipt tells every try and why it failed', async () => {
  sim.onKey(secretOf('failing-1'), { status: 503 });
  sim.onKey(secretOf('failing-2'), { status: 503 });
  const failed = await weir.chat({ model: 'failing' });
  assert.equal(failed.status, 502);
  const entry = await entryOf(failed);
  assert.deepEqual([entry.status, entry.error.code, entry.attempts], [502, 'upstream_error', 2]);
  assert.deepEqual(entry.receipt.tries.map(({ account }) => account).sort(), ['failing-1', 'failing-2']);
  assert.deepEqual(entry.receipt.candidates.map(({ account }) => account).sort(), ['failing-1', 'failing-2'], 'each once, however often one was chosen');
  for (const { outcome, cause } of entry.receipt.tries) {
    assert.equal(outcome, 'failure');
    assert.match(cause, /503/);
  }
});

test('the receipt tells who was passed over, and why', async () => {
  await weir.manage('PATCH', '/admin/accounts/refused-1', { enabled: false });
  const refused = await weir.chat({ model: 'refused' });
  assert.equal(refused.status, 503);
  const entry = await entryOf(refused);
  assert.deepEqual([entry.status, entry.error.code, entry.account, entry.attempts], [503, 'no_account', null, 0]);
  assert.deepEqual(entry.receipt.candidates.map(({ account, code, reason }) => [account, code, reason]), [['refused-1', 'off', 'switched off']]);

  await weir.manage('PATCH', '/admin/accounts/split-1', { enabled: false });
  const served = await entryOf(await weir.chat({ model: 'split' }));
  assert.equal(served.account, 'split-2');
  assert.deepEqual(served.receipt.candidates.map(({ account, code }) => [account, code]), [['split-1', 'off'], ['split-2', null]], 'who served was one of them');
  assert.equal(served.receipt.more_candidates, 0);
});

test('of a large pool the receipt names a few, those that were passed over first, and counts the rest', async () => {
  await weir.manage('PATCH', '/admin/accounts/large-7', { enabled: false });
  await weir.manage('POST', '/admin/config', { settings: { stats: { candidates_max: 3 } } });
  const entry = await entryOf(await weir.chat({ model: 'large' }));
  await weir.manage('POST', '/admin/config', { settings: {} });
  const [first, ...others] = entry.receipt.candidates;
  assert.deepEqual([first.account, first.code, others.length, entry.receipt.more_candidates], ['large-7', 'off', 2, 9]);
  assert.ok(others.every(({ code, reason }) => code === null && reason === null));
});

test('who waited and who left is told', async () => {
  sim.next(secretOf('busy-1'), { is: 'stall', after: 2 });
  const leaver = new Raw(weir.url, {
    path: '/v1/chat/completions',
    headers: { authorization: `Bearer ${CLIENT_KEY}` },
    body: { model: 'busy', stream: true, messages: [{ role: 'user', content: 'hi' }] },
  });
  await leaver.until(/data: [^]*data: /);
  const waiting = weir.chat({ model: 'busy' });
  await eventually(async () => assert.equal((await weir.status()).queue_size, 1));
  leaver.rst();
  const entry = await entryOf(await waiting);
  assert.deepEqual(entry.receipt.candidates.map(({ account, code, reason }) => [account, code, reason]), [['busy-1', 'busy', 'at its concurrency']]);
  assert.ok(entry.wait_ms > 0);
  const left = await entryOf({ headers: new Headers({ 'x-request-id': /^x-request-id: (.*)\r$/im.exec(leaver.received)[1] }) });
  assert.deepEqual([left.status, left.receipt.tries[0].outcome], [499, 'cancelled']);
  assert.ok(left.ttft_ms <= left.total_ms);
});

test('the log is searched and paged', async () => {
  const answers = [];
  for (let at = 0; at < 5; at += 1) answers.push(await weir.chat({ model: 'plain' }, { key: SECOND_KEY }));
  await entryOf(answers.at(-1));
  const ids = answers.map(({ headers }) => headers.get('x-request-id')).reverse();
  const seen = [];
  let path = '/admin/logs?limit=2&key=second';
  for (let page = 0; page < 4 && path; page += 1) {
    const { logs, next } = await weir.manage('GET', path);
    seen.push(...logs.map(({ id }) => id));
    path = next && `/admin/logs?limit=2&key=second&before=${next}`;
  }
  assert.deepEqual(seen, ids, 'newest first, none twice');
  const of = async (query) => (await weir.manage('GET', `/admin/logs?${query}`)).logs;
  assert.ok((await of('account=failing-1')).every(({ account }) => account === 'failing-1'));
  const errors = await of('status=error');
  assert.ok(errors.length > 0 && errors.every(({ status }) => status >= 400));
  assert.deepEqual([...new Set((await of('status=502')).map(({ status }) => status))], [502]);
  assert.ok((await of('status=5xx')).every(({ status }) => status >= 500));
  assert.equal((await weir.admin('GET', '/admin/logs?limit=many')).json.error.param, 'limit');
});

test('bodies are kept only where a setting says so, bounded', async () => {
  await weir.manage('POST', '/admin/config', { settings: { log_bodies: true, stats: { body_bytes: 60 } } });
  try {
    const answer = await weir.chat({ model: 'plain' });
    const entry = await entryOf(answer);
    assert.match(entry.request, /^\{"messages":\[\{"role":"user","content":"hello"/);
    assert.equal(entry.answer, answer.text.slice(0, 60));
    assert.ok(entry.request.length <= 60);
    const response = await weir.openChat({ model: 'streamed' });
    await readStream(response);
    assert.match((await entryOf(response)).answer, /^data: /);
  } finally {
    await weir.manage('POST', '/admin/config', { settings: {} });
  }
});

test('a key’s call that is refused before its task begins is recorded', async () => {
  const refused = (raw, path = '/v1/chat/completions', more = {}) => weir.call('POST', path, { raw, ...more });
  const { requests, keys } = await weir.manage('GET', '/admin/stats');
  const cases = [
    [await refused('"a secret thought, not JSON of an object"'), 'openai', 400],
    [await refused('{"model": "plain"'), 'openai', 400],
    [await refused('{"model": "plain"}', '/v1/messages'), 'anthropic', 400],
    [await refused('{"input": "x"}', '/v1/responses'), 'responses', 400],
    [await weir.chat({ model: `nobody-has-it-${'x'.repeat(10_000)}` }), 'openai', 404],
  ];
  for (const [answer, dialect, status] of cases) {
    assert.equal(answer.status, status, answer.text);
    const entry = await entryOf(answer);
    assert.deepEqual([entry.status, entry.dialect, entry.key, entry.stranger, entry.account], [status, dialect, 'laptop', undefined, null]);
    assert.ok(entry.error.message.length > 10 && JSON.stringify(entry).length < 2_000, JSON.stringify(entry));
    assert.ok(!JSON.stringify(entry).includes('secret thought'), 'no body');
  }
  const stats = await weir.manage('GET', '/admin/stats');
  assert.equal(stats.requests - requests, cases.length, 'they are calls that failed');
  const of = (list) => list.find(({ name }) => name === 'laptop').failed;
  assert.equal(of(stats.keys) - of(keys), cases.length);

  await weir.manage('POST', '/admin/config', { settings: { max_body_bytes: 100 } });
  const large = await weir.chat({ model: 'plain', messages: [{ role: 'user', content: 'x'.repeat(200) }] });
  await weir.manage('POST', '/admin/config', { settings: {} });
  const entry = await entryOf(large);
  assert.deepEqual([entry.status, entry.error.code, entry.endpoint], [413, 'request_too_large', 'chat/completions']);
});

test('who has no good key is told of, counted apart, and pushes nothing out', async () => {
  const own = await start({ config: pools(sim, { plain: {} }, { keys: [{ id: 'laptop', name: 'My laptop', key: CLIENT_KEY }, { id: 'old', name: 'Old one', key: SECOND_KEY, enabled: false }], settings: { stats: { refused_max: 60 } } }) });
  try {
    const meter = async () => (await own.manage('GET', '/admin/plan')).meters.find(({ name }) => name === 'durable_object_requests').today;
    const answer = await own.chat({ model: 'plain' });
    const headers = { 'cf-connecting-ip': '203.0.113.77' };
    const guess = 'sk-guessed-0123456789-abcdef';
    const ask = (key, path = '/v1/chat/completions') => own.call(path.includes('chat') ? 'POST' : 'GET', path, { key, headers, ...(path.includes('chat') && { body: { model: 'plain' } }) });
    const first = [await ask(guess), await ask(null), await ask(SECOND_KEY), await ask(guess, '/v1/models')];
    assert.deepEqual(first.map(({ status }) => status), [401, 401, 401, 401]);
    const logs = await eventually(async () => {
      const { logs } = await own.manage('GET', '/admin/logs');
      assert.equal(logs.length, 5);
      return logs;
    });
    assert.equal(logs.at(-1).id, answer.headers.get('x-request-id'), 'newest first');
    const told = first.map(({ headers }) => logs.find(({ id }) => id === headers.get('x-request-id')));
    for (const entry of told) assert.deepEqual([entry.status, entry.error.code, entry.stranger, entry.address, entry.model], [401, 'invalid_api_key', true, '203.0.113.77', '']);
    assert.deepEqual(told.map(({ endpoint }) => endpoint), ['chat/completions', 'chat/completions', 'chat/completions', 'models']);
    assert.deepEqual(told.map(({ key, key_name }) => [key, key_name]), [['', ''], ['', ''], ['old', 'Old one'], ['', '']]);
    assert.ok(!JSON.stringify(logs).includes(guess.slice(0, 6)), 'nothing of the key');
    assert.deepEqual((await own.manage('GET', '/admin/logs?status=401')).logs.length, 4);

    const before = await meter();
    await Promise.all(Array.from({ length: 300 }, () => ask(guess)));
    const stats = await own.manage('GET', '/admin/stats');
    assert.deepEqual([stats.requests, stats.failed, stats.success_rate, stats.strangers], [1, 0, 1, 304], 'no call failed');
    const asked = (await meter()) - before;
    assert.ok(asked < 40, `few requests for 300 refusals: ${asked}`);
    const later = await own.chat({ model: 'plain' });
    const all = await eventually(async () => {
      const { logs } = await own.manage('GET', '/admin/logs?limit=500');
      assert.equal(logs[0].id, later.headers.get('x-request-id'));
      return logs;
    });
    assert.ok(all.filter(({ stranger }) => stranger).length <= 20, 'ten in a minute');
    assert.equal(all.filter(({ stranger }) => !stranger).length, 2, 'the calls are all there');
    assert.equal(new Set(all.map(({ seq }) => seq)).size, all.length);
    const seen = [];
    for (let next = ''; next !== null; ) {
      const page = await own.manage('GET', `/admin/logs?limit=3${next && `&before=${next}`}`);
      seen.push(...page.logs.map(({ id }) => id));
      next = page.next;
    }
    assert.deepEqual(seen, all.map(({ id }) => id), 'paged as told at once');
  } finally {
    await own.stop();
  }
});

test('records that could not be stored are stored with the next ones', async () => {
  const faulty = await start({ config: pools(sim, { plain: {} }, { settings: { stats: { batch_ms: 1 } } }), entry: 'tests/e2e/faulty-entry.mjs' });
  try {
    const object = (await faulty.mf.getDurableObjectNamespace('STATS')).getByName('main');
    await object.fail(2);
    const ids = [];
    for (let call = 1; call <= 2; call += 1) {
      ids.push((await faulty.chat({ model: 'plain' })).headers.get('x-request-id'));
      await eventually(() => assert.equal(faulty.log.match(/durable object call record failed/g)?.length, call));
    }
    ids.push((await faulty.chat({ model: 'plain' })).headers.get('x-request-id'));
    await eventually(async () => {
      const { logs } = await faulty.manage('GET', '/admin/logs');
      assert.deepEqual(logs.map(({ id }) => id).reverse(), ids);
    });
    const { requests, lost } = await faulty.manage('GET', '/admin/stats');
    assert.deepEqual([requests, lost], [3, 0]);
  } finally {
    await faulty.stop();
  }
});

test('what is switched off is not recorded', async () => {
  await weir.manage('POST', '/admin/config', { settings: { stats: { enabled: false } } });
  const unseen = await weir.chat({ model: 'plain' });
  await weir.manage('POST', '/admin/config', { settings: {} });
  await entryOf(await weir.chat({ model: 'plain' }));
  const { logs } = await weir.manage('GET', '/admin/logs');
  assert.ok(!logs.some(({ id }) => id === unseen.headers.get('x-request-id')));
  for (const [stats, param] of [[{ log_max: 100_000 }, 'settings.stats.log_max'], [{ batch_ms: 60_000 }, 'settings.stats.batch_ms']]) {
    const answer = await weir.admin('POST', '/admin/config', { settings: { stats } });
    assert.deepEqual([answer.status, answer.json.error.param], [400, param]);
  }
});

test('many calls at once are stored with few requests, and none is lost', async () => {
  const meter = async (name) => (await weir.manage('GET', '/admin/plan')).meters.find((meter) => meter.name === name).today;
  await weir.manage('POST', '/admin/keys', { id: 'crowd', key: 'sk-weir-e2e-client-crowd' });
  const before = await meter('durable_object_requests');
  const answers = await Promise.all(Array.from({ length: 100 }, () => weir.chat({ model: 'plain' }, { key: 'sk-weir-e2e-client-crowd' })));
  assert.ok(answers.every(({ status }) => status === 200));
  await entryOf(answers[0]);
  const { keys } = await eventually(async () => {
    const stats = await weir.manage('GET', '/admin/stats');
    assert.equal(stats.keys.find(({ name }) => name === 'crowd')?.requests, 100);
    return stats;
  });
  assert.equal(keys.find(({ name }) => name === 'laptop').display_name, 'My laptop');
  const { logs } = await weir.manage('GET', '/admin/logs?limit=1000&key=crowd');
  assert.equal(new Set(logs.map(({ id }) => id)).size, 100);
  const asked = (await meter('durable_object_requests')) - before;
  assert.ok(asked >= 100 && asked < 200, `an admission each, and little more, since settlements travel with admissions: ${asked}`);
});

test('the plan meter counts what Weir does', async () => {
  const { meters, resets_at, note } = await weir.manage('GET', '/admin/plan');
  assert.deepEqual(meters.map(({ name }) => name), ['requests', 'durable_object_requests', 'kv_reads', 'kv_writes', 'rows_written', 'rows_read']);
  for (const { name, today, month, free, paid } of meters) {
    assert.ok(today > 0 && month >= today, name);
    assert.ok(free.share === today / free.per_day && paid.share === month / paid.per_month);
  }
  assert.ok(resets_at > Date.now() && resets_at <= Date.now() + 24 * HOUR);
  assert.match(note, /estimate/);
});

test('the plan meter measures: an edit of many items costs many rows and two writes to KV, a call a few rows', async () => {
  const meters = async () => Object.fromEntries((await weir.manage('GET', '/admin/plan')).meters.map(({ name, today }) => [name, today]));
  const cost = async (act) => {
    await meters(); // what was counted before is stored by this
    const before = await meters();
    await act();
    await meters();
    const after = await meters();
    return Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
  };
  const idle = await cost(() => {});
  const added = (count) => Array.from({ length: count }, (_, at) => ({ id: `measured-${count}-${at}`, upstream: 'plain', api_key: secretOf(`measured-${count}-${at}`), enabled: false }));
  const one = await cost(() => weir.manage('POST', '/admin/accounts/batch', { accounts: added(1) }));
  const many = await cost(() => weir.manage('POST', '/admin/accounts/batch', { accounts: added(40) }));
  assert.deepEqual([one.kv_writes, many.kv_writes, idle.kv_writes], [2, 2, 0]);
  const requests = many.durable_object_requests - one.durable_object_requests;
  assert.ok(Math.abs(requests) <= 2, `many items cost no more requests than one: ${requests}`);
  const rows = many.rows_written - one.rows_written;
  assert.ok(rows >= 39 && rows <= 39 * 3, `a row or two for each item: ${rows}`);

  const calls = await cost(async () => {
    for (let call = 0; call < 20; call += 1) await weir.chat({ model: 'plain' });
    await entryOf(await weir.chat({ model: 'plain' }));
  });
  const perCall = (calls.rows_written - idle.rows_written) / 21;
  assert.ok(perCall >= 2 && perCall < 6, `rows of a call: ${perCall}`);
  assert.ok(calls.rows_read > 0);
});

test('every admin write is written down: who, when and what, and no value', async () => {
  const token = await weir.login();
  const headers = { 'cf-connecting-ip': '203.0.113.9' };
  const write = (method, path, body) => weir.call(method, path, { key: token, body, headers });
  assert.equal((await write('POST', '/admin/accounts', { id: 'noted', upstream: 'plain', api_key: secretOf('noted') })).status, 201);
  assert.equal((await write('PATCH', '/admin/accounts/noted', { enabled: false })).status, 200);
  assert.equal((await write('DELETE', '/admin/accounts/noted')).status, 200);
  assert.equal((await write('PATCH', '/admin/accounts/nobody', { enabled: false })).status, 404);
  assert.equal((await write('POST', '/admin/explain', { model: 'plain', messages: [{ role: 'user', content: 'x' }] })).status, 200);
  const { audit, next } = await weir.manage('GET', '/admin/audit?limit=4');
  assert.deepEqual(
    audit.map(({ method, path, fields }) => [method, path, fields]),
    [
      ['DELETE', '/admin/accounts/noted', []],
      ['PATCH', '/admin/accounts/noted', ['enabled']],
      ['POST', '/admin/accounts', ['id', 'upstream', 'api_key']],
      ['POST', '/admin/login', ['key']],
    ],
  );
  assert.deepEqual(audit.slice(0, 3).map(({ address }) => address), Array(3).fill('203.0.113.9'));
  assert.equal(new Set(audit.slice(0, 3).map(({ session }) => session)).size, 1);
  assert.match(audit[0].session, /^[0-9a-f]{8}$/);
  assert.equal(audit[2].id, 'noted');
  assert.ok(audit[0].version > audit[1].version && Math.abs(audit[0].time - Date.now()) < 60_000);
  assert.ok(!JSON.stringify(audit).includes(secretOf('noted')));
  assert.equal(next, audit[3].seq);

  assert.equal((await write('POST', '/admin/config?dry_run=true', { aliases: {} })).status, 200);
  const [last] = (await weir.manage('GET', '/admin/audit?limit=1')).audit;
  assert.deepEqual([last.path, last.fields], ['/admin/config', ['aliases']], 'only an import has a preview');

  await weir.manage('POST', '/admin/config', { settings: { stats: { audit_max: 3 } } });
  await weir.manage('POST', '/admin/config', { settings: {} });
  const bounded = (await weir.manage('GET', '/admin/audit')).audit;
  assert.ok(bounded.length <= 4, `bounded: ${bounded.length}`);
});

test('every refused login is written down, and who floods pushes nothing out', async () => {
  const login = (address, key) => weir.call('POST', '/admin/login', { key: null, body: { key }, headers: { 'cf-connecting-ip': address } });
  const guess = 'not-the-password-4711';
  for (let at = 0; at < 5; at += 1) assert.equal((await login('198.51.100.20', guess)).status, 401);
  for (const key of [guess, ADMIN_KEY]) assert.equal((await login('198.51.100.20', key)).status, 429);
  const refused = await eventually(async () => {
    const { audit } = await weir.manage('GET', '/admin/audit');
    const of = audit.filter(({ address }) => address === '198.51.100.20');
    assert.equal(of.length, 6, JSON.stringify(of));
    return of;
  });
  assert.deepEqual(refused.map(({ outcome }) => outcome).sort(), ['throttled', ...Array(5).fill('wrong_password')]);
  assert.ok(refused.every(({ time, path, session }) => Math.abs(time - Date.now()) < 60_000 && path === '/admin/login' && session === null));

  const writes = async () => (await weir.manage('GET', '/admin/audit')).audit.filter(({ outcome }) => outcome === 'ok').map(({ seq }) => seq);
  await weir.manage('POST', '/admin/config', { settings: { stats: { refused_max: 5 } } });
  const before = await writes();
  const flood = await Promise.all(Array.from({ length: 30 }, (_, at) => login(`203.0.113.${100 + at}`, guess)));
  assert.ok(flood.every(({ status }) => status === 401));
  const { audit } = await eventually(async () => {
    const page = await weir.manage('GET', '/admin/audit');
    assert.equal(page.audit.filter(({ outcome }) => outcome !== 'ok').length, 5);
    assert.ok(page.audit.some(({ address }) => address.startsWith('203.0.113.1')));
    return page;
  });
  assert.deepEqual(await writes(), before, 'the writes are all there still');
  assert.ok(!JSON.stringify(audit).includes(guess));
  await weir.manage('POST', '/admin/config', { settings: {} });
});

test('what is older than the log keeps is neither told nor kept by newer calls', async () => {
  const aging = await start({ config: pools(sim, { plain: {} }) });
  try {
    const object = (await aging.mf.getDurableObjectNamespace('STATS')).getByName('main');
    const { settings } = await aging.manage('GET', '/admin/config');
    const at = (days) => ({ id: `req_${days}`, time: Date.now() - days * 24 * HOUR, key: 'k', model: 'm', account: 'a', status: 200, total_ms: 1, tokens: {} });
    const record = (log_days, entry) => object.record(`${JSON.stringify({ settings: { ...settings.stats, log_days } })}\n${lineOf(entry)}`);
    const told = async () => (await aging.manage('GET', '/admin/logs')).logs.map(({ id }) => id);
    await record(30, at(9));
    assert.deepEqual(await told(), [], 'nothing came since, and yet it is too old');
    await record(30, at(6));
    await record(7, at(0));
    assert.deepEqual(await told(), ['req_0', 'req_6']);
    await aging.manage('POST', '/admin/config', { settings: { stats: { log_days: 30 } } });
    assert.deepEqual(await told(), ['req_0', 'req_6'], 'the oldest is gone');
  } finally {
    await aging.stop();
  }
});

test('no session, no figures', async () => {
  for (const path of ['stats', 'logs', 'audit', 'plan']) {
    assert.equal((await weir.call('GET', `/admin/${path}`, { key: CLIENT_KEY })).status, 401);
    assert.equal((await weir.admin('POST', `/admin/${path}`, {})).status, 405);
  }
  assert.equal((await weir.admin('GET', '/admin/stats?window=1y')).json.error.param, 'window');
});

/** What the figures count of a call, and its entry in the log. */
function lineOf(record) {
  const { model, account, key, time, status, total_ms, ttft_ms, tokens } = record;
  const sample = [model, account, key, time, status, total_ms, tokens.prompt, tokens.completion, tokens.reasoning, tokens.cached, ttft_ms];
  return `${JSON.stringify(sample)}\t${JSON.stringify(record)}`;
}

test('30 days with 10,000 requests are told in well under a second, and rightly', async () => {
  const full = await start({ config: pools(sim, { plain: {} }) });
  try {
    const now = Date.now();
    const records = Array.from({ length: 10_000 }, (_, at) => ({
      id: `req_${at}`, time: Math.round(now - (1 - at / 9_999) * 29 * 24 * HOUR), key: `key-${at % 5}`, model: `model-${at % 7}`,
      account: `account-${at % 50}`, status: at % 10 === 0 ? 502 : 200, total_ms: 100 + (at % 1_000), ttft_ms: at % 100,
      tokens: { prompt: 10, completion: 20, reasoning: 5, cached: 1 }, receipt: { candidates: [], more_candidates: 0, tries: [] },
    }));
    const namespace = await full.mf.getDurableObjectNamespace('STATS');
    const object = namespace.getByName('main');
    const { settings } = await full.manage('GET', '/admin/config');
    for (let at = 0; at < records.length; at += 50) {
      const head = { settings: settings.stats, counts: [50, 100, 0, 0, 150] };
      const lines = [JSON.stringify(head), ...records.slice(at, at + 50).map(lineOf)];
      assert.match(await object.record(lines.join('\n')), /null$/); // before it stands what it used
    }
    for (const [window, days] of [['24h', 1], ['7d', 7], ['30d', 30]]) {
      const begun = performance.now();
      const stats = await full.manage('GET', `/admin/stats?window=${window}`);
      const took = performance.now() - begun;
      assert.ok(took < 500, `${window} took ${took} ms`);
      const expected = records.filter(({ time }) => time >= stats.from);
      assert.equal(stats.requests, expected.length, window);
      assert.equal(stats.failed, expected.filter(({ status }) => status === 502).length);
      assert.equal(stats.tokens.completion, 20 * expected.length);
      for (const list of ['models', 'accounts', 'keys', 'series']) {
        assert.equal(stats[list].reduce((sum, { requests }) => sum + requests, 0), expected.length, `${window} ${list}`);
      }
      const times = expected.filter(({ status }) => status === 200).map(({ total_ms }) => total_ms).sort((a, b) => a - b);
      for (const [name, share] of [['p50', 0.5], ['p95', 0.95]]) {
        const exact = times[Math.ceil(times.length * share) - 1];
        assert.ok(Math.abs(stats.latency_ms[name] - exact) <= exact / 8, `${window} ${name}: ${stats.latency_ms[name]} for ${exact}`);
      }
      assert.ok(stats.from > now - days * 24 * HOUR - HOUR && stats.series.every(({ time }) => time >= stats.from));
    }
    const begun = performance.now();
    const { logs } = await full.manage('GET', '/admin/logs?limit=100');
    assert.ok(performance.now() - begun < 500);
    assert.deepEqual(logs.map(({ id }) => id), records.slice(-100).reverse().map(({ id }) => id));
    const kept = [];
    for (let next = ''; next !== null; ) {
      const page = await full.manage('GET', `/admin/logs?limit=500${next && `&before=${next}`}`);
      kept.push(...page.logs);
      next = page.next;
    }
    assert.ok(kept.length >= 1_000 && kept.length <= 1_050, `the newest 1,000, to within a row: ${kept.length}`);
    const { meters } = await full.manage('GET', '/admin/plan');
    assert.ok(meters[0].month >= 10_000);
    await full.restart();
    assert.equal((await full.manage('GET', '/admin/stats?window=30d')).requests, 10_000, 'a restart loses none');
  } finally {
    await full.stop();
  }
});
