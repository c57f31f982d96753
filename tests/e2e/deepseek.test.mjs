// DeepSeek web accounts, end to end: the built Worker against a simulated chat that checks what the real one checks.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { Gate } from '../simulators/openai.mjs';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { Raw, Sse } from './client.mjs';
import { CLIENT_KEY, eventually, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startDeepSeek();
});
beforeEach(() => sim.reset());
after(() => sim?.close());

let made = 0;

/** A Worker over fresh accounts of the simulated chat. */
async function worker(context, { accounts = 1, settings = {}, web = {}, account = {} } = {}) {
  const names = Array.from({ length: accounts }, () => `user-${(made += 1)}@example.com`);
  for (const name of names) sim.addAccount(name);
  const config = {
    keys: [CLIENT_KEY],
    upstreams: [{ id: 'deepseek-web', base_url: sim.url }],
    accounts: names.map((email) => ({ id: email, email, password: `password-of-${email}`, limits: { min_gap_ms: 0 }, ...account })),
    settings: { queue: { max_waiting: 200, max_wait_ms: 30_000 }, deadlines: { stall_ms: 1_500 }, ...settings, deepseek_web: web },
  };
  const weir = await start({ config });
  context.after(() => weir.stop());
  return { weir, names, account: sim.account(names[0]) };
}

const say = (content) => [{ role: 'user', content }];
const reasoner = (more) => ({ model: 'deepseek-reasoner', ...more });

/** The deltas of a stream, joined by field, and its end. */
async function read(response) {
  const sse = new Sse(response);
  const read = { content: '', reasoning_content: '', finish: null, usage: null, error: null, done: false };
  for (let event = await sse.data(); event !== null; event = await sse.data()) {
    const { data, cut } = event;
    if (cut !== undefined) return { ...read, cut };
    if (data === '[DONE]') {
      read.done = true;
      continue;
    }
    const chunk = JSON.parse(data);
    if (chunk.error) read.error = chunk.error;
    if (chunk.usage) read.usage = chunk.usage;
    const [choice] = chunk.choices ?? [];
    for (const field of ['content', 'reasoning_content']) read[field] += choice?.delta?.[field] ?? '';
    if (choice?.delta?.annotations) read.annotations = choice.delta.annotations;
    read.finish ??= choice?.finish_reason ?? null;
  }
  return read;
}

test('answers, whole and as a stream, with thoughts and usage', async (context) => {
  const { weir, account } = await worker(context);
  const whole = await weir.chat(reasoner({ messages: say('ping') }));
  assert.equal(whole.status, 200, whole.text);
  const { message, finish_reason } = whole.json.choices[0];
  assert.match(message.content, /^You said: .*ping/s);
  assert.equal(message.reasoning_content, 'You want an echo.');
  assert.equal(finish_reason, 'stop');
  assert.ok(whole.json.usage.completion_tokens_details.reasoning_tokens > 0);
  assert.ok(whole.json.usage.prompt_tokens > 0);

  const streamed = await read(await weir.openChat(reasoner({ messages: say('pong'), stream_options: { include_usage: true } })));
  assert.match(streamed.content, /^You said: .*pong/s);
  assert.deepEqual([streamed.reasoning_content, streamed.finish, streamed.done], ['You want an echo.', 'stop', true]);
  assert.ok(streamed.usage.total_tokens > 0);

  const silent = await weir.chat({ model: 'deepseek-chat' });
  assert.equal('reasoning_content' in silent.json.choices[0].message, false);
  assert.equal(account.logins, 1);
  const completion = sim.requests.find(({ path }) => path.endsWith('/chat/completion'));
  assert.equal(completion.headers['x-client-platform'], 'android');
  assert.equal(completion.body.parent_message_id, null);
});

test('50 callers on 5 accounts: one stream at a time on each, and nobody gets another\'s text', async (context) => {
  const { weir, names } = await worker(context, { accounts: 5 });
  const answers = await Promise.all(Array.from({ length: 50 }, async (_, at) => {
    const word = `secret-word-${at}-of-caller`;
    const body = reasoner({ messages: say(word) });
    const text = at % 2 ? (await read(await weir.openChat(body))).content : (await weir.chat(body)).json.choices?.[0].message.content;
    return [text, word];
  }));
  for (const [text, word] of answers) assert.ok(text?.endsWith(`${word}<｜Assistant｜>`), `${word}: ${text}`);
  for (const name of names) {
    assert.equal(sim.account(name).peak, 1, `streams at once on ${name}`);
    assert.equal(sim.account(name).logins, 1, `logins of ${name}`);
  }
});

test('a token that dies is renewed once, however many wait', async (context) => {
  const { weir, names, account } = await worker(context);
  assert.equal((await weir.chat(reasoner())).status, 200);
  sim.expire(names[0]);
  const answers = await Promise.all(Array.from({ length: 10 }, () => weir.chat(reasoner())));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(account.logins, 2);
});

test('an account whose every token is refused logs in once, not for ever', async (context) => {
  const { weir, names, account } = await worker(context, { accounts: 2, account: { priority: 0 } });
  await weir.manage('PATCH', `/admin/accounts/${names[0]}`, { priority: 1 });
  account.token_refused = true;
  const answer = await weir.chat(reasoner());
  assert.deepEqual([answer.status, answer.headers.get('x-weir-attempts')], [200, '2'], answer.text);
  assert.equal(account.logins, 1);
  assert.equal((await weir.account(names[0])).state, 'needs_login');
});

test('a pasted token needs no password, and asks for a login when it dies', async (context) => {
  const name = `token-${(made += 1)}@example.com`;
  sim.addAccount(name, { token: 'a-token-that-was-pasted-0001' });
  const { weir } = await worker(context, { accounts: 0 });
  await weir.manage('POST', '/admin/accounts', { id: 'pasted', upstream: 'deepseek-web', token: 'a-token-that-was-pasted-0001', limits: { min_gap_ms: 0 } });
  assert.equal((await weir.chat(reasoner())).status, 200);
  sim.expire(name);
  const answer = await weir.chat(reasoner());
  assert.equal(answer.status, 503, answer.text);
  assert.match(answer.json.error.message, /token is not valid/);
  assert.equal((await weir.account('pasted')).state, 'needs_login');
  assert.equal(sim.account(name).logins, 0);
});

const inAnHour = Math.floor(Date.now() / 1000) + 3_600;
for (const [what, trouble, state, reason] of [
  ['banned', { banned: true }, 'parked', /banned/],
  ['muted', { muted_until: inAnHour }, 'parked', /muted/],
  ['a wrong password', { password: 'another' }, 'disabled', /wrong e-mail, mobile or password/],
  ['a rejected device', { device_rejected: true }, 'needs_login', /device/],
  ['a captcha', { captcha: true }, 'needs_login', /captcha/],
]) {
  test(`an account in trouble is told apart, and another one answers: ${what}`, async (context) => {
    const { weir, names } = await worker(context, { accounts: 2, account: { priority: 0 } });
    await weir.manage('PATCH', `/admin/accounts/${names[0]}`, { priority: 1 });
    Object.assign(sim.account(names[0]), trouble);
    const answer = await weir.chat(reasoner());
    assert.deepEqual([answer.status, answer.headers.get('x-weir-attempts')], [200, '2'], answer.text);
    const account = await weir.account(names[0]);
    assert.equal(account.state, state);
    assert.match(account.reason, reason);
    if (trouble.muted_until) assert.equal(account.until, inAnHour * 1_000);
    await weir.manage('DELETE', `/admin/accounts/${names[1]}`);
    const refused = await weir.chat(reasoner());
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.json.error.message, reason);
  });
}

for (const [what, behaviour, state, reason] of [
  ['a rate limit in a hint', { is: 'hint', reason: 'rate_limit_reached' }, 'cooling', /rate limited/],
  ['its owner is chatting', { is: 'hint', reason: 'parallel_chat_limit' }, 'cooling', /rate limited/],
  ['a 429', { is: 'http', status: 429, headers: { 'retry-after': '60' } }, 'cooling', /rate limited/],
  ['a page of the firewall', { is: 'http', status: 405, body: '<html>', headers: { 'x-amzn-waf-action': 'captcha' } }, 'parked', /firewall/],
  ['a page of the firewall in a 200', { is: 'http', status: 200, body: '<html>' }, 'parked', /firewall/],
  ['an empty challenge of the firewall', { is: 'http', status: 202, headers: { 'x-amzn-waf-action': 'challenge' } }, 'parked', /firewall/],
]) {
  test(`an account that is stopped rests, and another one answers: ${what}`, async (context) => {
    const { weir } = await worker(context, { accounts: 2 });
    sim.next(behaviour);
    const answer = await weir.chat(reasoner());
    assert.deepEqual([answer.status, answer.headers.get('x-weir-attempts')], [200, '2'], answer.text);
    const { accounts } = await weir.status();
    const resting = accounts.find((account) => account.state === state);
    assert.ok(resting, JSON.stringify(accounts));
    assert.match(resting.reason, reason);
  });
}

test('an account that is muted while in use rests until then, and its caller is told', async (context) => {
  const { weir, names, account } = await worker(context);
  assert.equal((await weir.chat(reasoner())).status, 200);
  account.muted_until = inAnHour;
  const refused = await weir.chat(reasoner());
  assert.equal(refused.status, 503, refused.text);
  assert.match(refused.json.error.message, /muted/);
  const { state, until } = await weir.account(names[0]);
  assert.deepEqual([state, until], ['parked', inAnHour * 1_000]);
});

test('a caller\'s own fault is told, and not tried again', async (context) => {
  const { weir, account } = await worker(context);
  sim.next({ is: 'hint', reason: 'input_exceeds_limit' });
  const long = await weir.chat(reasoner());
  assert.deepEqual([long.status, sim.requests.filter(({ path }) => path.endsWith('/completion')).length], [400, 1], long.text);
  assert.equal(long.json.error.code, 'context_length_exceeded');
  const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x/y.png' } }] }];
  for (const [body, param] of [[{ messages: image }, 'messages[0].content[0]'], [{ n: 2 }, 'n'], [{ logprobs: true }, 'logprobs']]) {
    const answer = await weir.chat(reasoner(body));
    assert.deepEqual([answer.status, answer.json.error.param], [400, param]);
  }
  assert.equal((await weir.call('POST', '/v1/embeddings', { body: { model: 'deepseek-chat', input: 'x' } })).status, 404);
  assert.equal((await weir.chat(reasoner())).status, 200);
  assert.equal(account.peak, 1);
});

for (const [what, behaviour] of [['cut', { cut_at: 8 }], ['ended without a status', { end_at: 8 }], ['stalled', { stall_at: 8 }], ['garbled', { garbage_at: 8 }]]) {
  test(`a stream that was ${what} is never passed off as whole`, async (context) => {
    const { weir, account } = await worker(context);
    const gate = new Gate();
    gate.open(7);
    sim.next({ is: 'ok', gate, ...behaviour });
    const response = await weir.openChat(reasoner());
    gate.open(1_000); // the first bytes are through: no other account may try
    const streamed = await read(response);
    assert.ok(streamed.error, JSON.stringify(streamed));
    assert.deepEqual([streamed.finish, streamed.done], [null, false]);
    if (what === 'garbled' || what === 'stalled') await sim.until(() => account.stops === 1);
    await eventually(async () => assert.deepEqual((await weir.status()).accounts.map(({ in_flight }) => in_flight), [0]));
  });
}

for (const [what, behaviour] of [['in pieces that split characters', { piece: 3 }], ['with CRLF', { crlf: true }], ['with events that nobody knows', { is: 'unknown' }]]) {
  test(`a stream ${what} is read`, async (context) => {
    const { weir } = await worker(context);
    sim.script = () => ({ thinking: ['思考', '🤔'], text: ['你好', '，', '世界 👋'] });
    sim.next({ is: 'ok', ...behaviour });
    const streamed = await read(await weir.openChat(reasoner()));
    assert.deepEqual([streamed.reasoning_content, streamed.content, streamed.finish], ['思考🤔', '你好，世界 👋', 'stop']);
  });
}

test('an answer that reached the chat\'s bound is continued without repetition; one too many is cut for length', async (context) => {
  const { weir } = await worker(context, { web: { continue_max: 1 } });
  sim.script = () => ({ text: ['one ', 'two ', 'three ', 'four'] });
  for (const stream of [false, true]) {
    sim.next({ is: 'incomplete' });
    const body = reasoner({ stream });
    const { content, finish } = stream
      ? await read(await weir.openChat(body))
      : await weir.chat(body).then(({ json }) => ({ content: json.choices[0].message.content, finish: json.choices[0].finish_reason }));
    assert.deepEqual([content, finish], ['one two three four', 'stop']);
  }
  await weir.manage('POST', '/admin/config', { settings: { deepseek_web: { continue_max: 0 } } });
  sim.next({ is: 'incomplete' });
  const cut = await weir.chat(reasoner());
  assert.deepEqual([cut.json.choices[0].message.content, cut.json.choices[0].finish_reason], ['one two ', 'length']);
});

test('what the chat withdraws ends with content_filter', async (context) => {
  const { weir } = await worker(context);
  sim.next({ is: 'filter' });
  const streamed = await read(await weir.openChat(reasoner()));
  assert.equal(streamed.finish, 'content_filter');
  assert.match(streamed.content, /talk about something else/);
});

test('search: pages as links and annotations, or dropped', async (context) => {
  const { weir } = await worker(context);
  sim.script = () => ({ text: ['Sunny', '[cita', 'tion:1]', '.'], pages: [{ url: 'https://example.org/1', title: 'One' }] });
  const { message } = (await weir.chat({ model: 'deepseek-chat-search' })).json.choices[0];
  assert.equal(message.content, 'Sunny[1](https://example.org/1).');
  assert.equal(message.annotations[0].url_citation.url, 'https://example.org/1');
  const streamed = await read(await weir.openChat({ model: 'deepseek-chat', web_search_options: {} }));
  assert.equal(streamed.annotations[0].url_citation.title, 'One');
  await weir.manage('POST', '/admin/config', { settings: { deepseek_web: { citations: 'dropped' } } });
  assert.equal((await weir.chat({ model: 'deepseek-v3-search' })).json.choices[0].message.content, 'Sunny.');
});

test('what a text model lacks: stop sequences, a bound on the length, bare JSON', async (context) => {
  const { weir } = await worker(context, { accounts: 2 });
  sim.script = () => ({ text: ['one EN', 'D two', ' three'] });
  const stopped = await read(await weir.openChat({ model: 'deepseek-chat', stop: ['END'], stream_options: { include_usage: true } }));
  assert.deepEqual([stopped.content, stopped.finish], ['one ', 'stop']);
  assert.ok(stopped.usage.prompt_tokens > 0 && stopped.usage.completion_tokens > 0, JSON.stringify(stopped.usage));
  sim.script = () => ({ text: Array(200).fill('word ') });
  const bound = (await weir.chat({ model: 'deepseek-chat', max_tokens: 20 })).json;
  assert.equal(bound.choices[0].finish_reason, 'length');
  const { prompt_tokens, completion_tokens } = bound.usage;
  assert.ok(prompt_tokens > 0, JSON.stringify(bound.usage));
  assert.deepEqual([completion_tokens, bound.choices[0].message.content.trim().split(' ').length], [20, 20]);
  sim.script = () => ({ text: ['Sure:\n```json\n{"a"', ': [1, "}"]}', '\n```\nDone.'] });
  const json = (await weir.chat({ model: 'deepseek-chat', response_format: { type: 'json_object' } })).json;
  assert.deepEqual(JSON.parse(json.choices[0].message.content), { a: [1, '}'] });
  await eventually(() => assert.ok(sim.sessions.every(({ account }) => account.left === 0)));
});

test('a caller who leaves has the answer stopped, and the account is free for the next', async (context) => {
  const { weir, account } = await worker(context);
  const gate = new Gate();
  gate.open(6);
  sim.next({ is: 'ok', gate });
  const raw = new Raw(weir.url, { path: '/v1/chat/completions', headers: { authorization: `Bearer ${CLIENT_KEY}` }, body: reasoner({ stream: true, messages: say('x') }) });
  await raw.until(/reasoning_content/);
  raw.rst();
  gate.open(1_000);
  await sim.until(() => account.stops === 1);
  const next = await weir.chat(reasoner());
  assert.deepEqual([next.status, next.headers.get('x-weir-attempts')], [200, '1'], next.text);
});

test('a caller who leaves before the first word has the answer stopped too', async (context) => {
  const { weir, account } = await worker(context);
  const gate = new Gate();
  sim.next({ is: 'ok', gate });
  const raw = new Raw(weir.url, { path: '/v1/chat/completions', headers: { authorization: `Bearer ${CLIENT_KEY}` }, body: reasoner({ stream: true, messages: say('x') }) });
  await sim.until(() => account.running === 1);
  raw.rst();
  await sim.until(() => account.stops === 1);
  gate.open(1_000);
  const next = await weir.chat(reasoner());
  assert.deepEqual([next.status, next.headers.get('x-weir-attempts')], [200, '1'], next.text);
});

test('a caller who leaves while the account logs in does not hold it', async (context) => {
  const { weir, names } = await worker(context);
  sim.rtt_ms = 3_000;
  context.after(() => (sim.rtt_ms = 0));
  const raw = new Raw(weir.url, { path: '/v1/chat/completions', headers: { authorization: `Bearer ${CLIENT_KEY}` }, body: reasoner({ stream: true, messages: say('x') }) });
  await sim.until(() => sim.requests.some(({ path }) => path.endsWith('/login')));
  raw.rst();
  await eventually(async () => assert.equal((await weir.account(names[0])).in_flight, 0));
  assert.ok(!sim.requests.some(({ path }) => path.endsWith('/create')), 'the login has not ended yet');
});

test('a conversation that its owner deleted is replaced', async (context) => {
  const { weir, names, account } = await worker(context);
  assert.equal((await weir.chat(reasoner())).status, 200);
  await sim.until(() => account.sessions === 2);
  await eventually(() => assert.equal(sim.requests.filter(({ path }) => path.endsWith('/create_pow_challenge')).length, 2));
  sim.clear(names[0]);
  const next = await weir.chat(reasoner());
  assert.deepEqual([next.status, next.headers.get('x-weir-attempts')], [200, '1'], next.text);
});

test('conversations are deleted, and one stands ready while the account is in use', async (context) => {
  const { weir, account } = await worker(context);
  for (let call = 0; call < 3; call += 1) assert.equal((await weir.chat(reasoner())).status, 200);
  await eventually(() => assert.equal(account.deleted, 3), { within: 20_000 });
  assert.equal(account.sessions, 4, 'three used, one ready');
  const completions = sim.requests.map(({ path }) => path).filter((path) => path.endsWith('/completion'));
  assert.equal(completions.length, 3);
});

test('a conversation that nobody used in time is given up', async (context) => {
  const { weir, account } = await worker(context, { web: { warm_s: 1 } });
  assert.equal((await weir.chat(reasoner())).status, 200);
  await eventually(() => assert.deepEqual([account.sessions, account.deleted], [2, 2]), { within: 20_000 });
});

test('the next call waits for the end of the stream before, not only of its answer', async (context) => {
  const { weir, account } = await worker(context);
  // What follows an answer takes its time, and perhaps the account is busy until then.
  Object.assign(sim, { frame_ms: 20, busy_until_end: true });
  context.after(() => Object.assign(sim, { frame_ms: 0, busy_until_end: false }));
  const calls = Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? weir.chat(reasoner()) : weir.openChat(reasoner()).then(read)));
  const answers = await Promise.all(calls);
  assert.ok(answers.every((answer) => answer.done || answer.status === 200), JSON.stringify(answers));
  assert.equal(account.peak, 1);
  assert.equal(sim.requests.filter(({ path }) => path.endsWith('/completion')).length, calls.length, 'none was refused and tried again');
});

test('streams as they were captured, older formats too, token by token', async (context) => {
  const { weir } = await worker(context, { web: { citations: 'dropped' } });
  const folder = new URL('../fixtures/deepseek-sse/', import.meta.url);
  const expected = JSON.parse(readFileSync(new URL('expected.json', folder), 'utf8'));
  const whole = Object.entries(expected).filter(([name, { status }]) => ['FINISHED', 'stop'].includes(status) && !name.includes('continue'));
  assert.equal(whole.length, 7);
  for (const [name, { answer: marked, reasoning }] of whole) {
    const answer = marked.replace(/\[(citation|reference):\d+\]/g, '');
    sim.next({ is: 'replay', stream: readFileSync(new URL(name, folder), 'utf8'), piece: 7 });
    const got = await read(await weir.openChat(reasoner({ messages: say(name) })));
    assert.deepEqual([got.content, got.reasoning_content, got.finish, got.done], [answer, reasoning, 'stop', true], name);
  }
});

test('an account logs in with its mobile number', async (context) => {
  const account = sim.addAccount('13800138000', { password: 'password-of-a-mobile' });
  const { weir } = await worker(context, { accounts: 0 });
  await weir.manage('POST', '/admin/accounts', { id: 'mobile', upstream: 'deepseek-web', mobile: '+86 138-0013-8000', password: 'password-of-a-mobile' });
  assert.equal((await weir.chat(reasoner())).status, 200);
  assert.equal(account.logins, 1);
  assert.equal(sim.requests.find(({ path }) => path.endsWith('/login')).body.area_code, '+86');
});

test('the older shape of a conversation, and a proof of work that was refused', async (context) => {
  const { weir } = await worker(context, { web: { warm_s: 0 } });
  sim.old_session_shape = true;
  context.after(() => (sim.old_session_shape = false));
  sim.next({ is: 'json', code: 40301, msg: 'INVALID_POW_RESPONSE' });
  const answer = await weir.chat(reasoner());
  assert.deepEqual([answer.status, answer.headers.get('x-weir-attempts')], [200, '1'], answer.text);
});

test('a direct caller\'s own token is used as one', async (context) => {
  const name = `direct-${(made += 1)}@example.com`;
  sim.addAccount(name, { token: 'a-token-of-a-direct-caller-01' });
  const { weir } = await worker(context, { accounts: 0 });
  await weir.manage('POST', '/admin/config', { upstreams: [{ id: 'deepseek-web', base_url: sim.url, direct: true }] });
  const answer = await weir.chat(reasoner(), { key: 'a-token-of-a-direct-caller-01' });
  assert.equal(answer.status, 200, answer.text);
  const refused = await weir.chat(reasoner(), { key: 'a-token-that-nobody-knows-01' });
  assert.deepEqual([refused.status, refused.json.error.code], [401, 'invalid_api_key'], refused.text);
});
