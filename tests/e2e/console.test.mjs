// Volcengine console ids, end to end: the built Worker against a simulated console that sends all that may be sent.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { Gate } from '../simulators/openai.mjs';
import { AUTHORIZATION, PATH, startConsole } from '../simulators/volcengine-console.mjs';
import { readStream } from './client.mjs';
import { CLIENT_KEY, eventually, start } from './harness.mjs';

let sim;
before(async () => {
  sim = await startConsole();
});
beforeEach(() => sim.reset());
after(() => sim?.close());

const webId = (name) => `71234567890123-${name}`;

/** A Worker with the ids `a`, `b`, …; the first is preferred. */
async function worker(context, { ids = 1, settings = {}, console: own = {}, account = {}, ...rest } = {}) {
  const names = [...'abcdefgh'].slice(0, ids);
  const config = {
    keys: [CLIENT_KEY],
    upstreams: [{ id: 'console', kind: 'volcengine-console', base_url: sim.url }],
    accounts: names.map((name, index) => ({ id: name, upstream: 'console', web_id: webId(name), authorization: AUTHORIZATION, priority: -index, ...account })),
    settings: { deadlines: { stall_ms: 1_500 }, ...settings, volcengine_console: own },
  };
  const weir = await start({ config, ...rest });
  context.after(() => weir.stop());
  return weir;
}

const say = (content) => [{ role: 'user', content }];
const v3 = (more) => ({ model: 'deepseek-v3-1', messages: say('ping'), ...more });
const r1 = (more) => ({ model: 'deepseek-r1', messages: say('ping'), ...more });
const content = (answer) => answer.json.choices?.[0].message.content;

test('answers, whole and as a stream, with thoughts and usage', async (context) => {
  const weir = await worker(context);
  const whole = await weir.chat(r1());
  assert.equal(whole.status, 200, whole.text);
  const { message, finish_reason } = whole.json.choices[0];
  assert.deepEqual([message.content, message.reasoning_content, finish_reason], ['You said: ping', 'You want an echo.', 'stop']);
  assert.deepEqual([whole.json.model, whole.headers.get('x-weir-model')], ['deepseek-r1', 'deepseek-r1-1']);
  assert.equal(whole.json.usage.prompt_tokens, 11);

  const streamed = await readStream(await weir.openChat(v3({ stream_options: { include_usage: true } })));
  assert.deepEqual([streamed.text, streamed.finish, streamed.done, streamed.errors], ['You said: ping', 'stop', true, []]);
  assert.ok(streamed.chunks.every((chunk) => chunk.choices.every(({ delta }) => !('reasoning_content' in delta))));
  assert.equal(streamed.chunks.at(-1).usage.prompt_tokens, 11);

  const [{ path, headers, body }] = sim.requests;
  assert.equal(path, PATH);
  assert.deepEqual([headers['x-web-id'], headers.authorization], [webId('a'), AUTHORIZATION]);
  assert.equal(headers.origin, 'https://exp.volcengine.com');
  assert.match(headers['user-agent'], /^weir\//);
  assert.deepEqual(body, { model: 'deepseek-r1-1', messages: say('ping'), stream: true });
  const models = (await weir.call('GET', '/v1/models')).json.data.map(({ id }) => id);
  assert.ok(models.includes('deepseek-v3-1') && models.includes('deepseek-r1'), String(models));
});

test('reads every variant in which an answer may come', async (context) => {
  const weir = await worker(context);
  const variants = [
    { wrapped: true }, { pascal: true }, { crlf: true }, { tight: true }, { no_done: true }, { noise: true }, { no_usage: true }, { message: true },
    { gzip: true }, { json: true }, { json: true, wrapped: true, pascal: true }, { type: 'application/json' }, { type: 'text/plain', crlf: true },
    { piece: 1, wrapped: true, pascal: true, crlf: true, tight: true, no_done: true, noise: true, message: true },
  ];
  sim.limit = Infinity;
  for (const variant of variants) {
    sim.variant = variant;
    const about = JSON.stringify(variant);
    const asked = r1({ messages: say('你好 "quoted"\nline') });
    const whole = await weir.chat(asked);
    assert.equal(whole.status, 200, `${about}: ${whole.text}`);
    assert.deepEqual([content(whole), whole.json.choices[0].message.reasoning_content], ['You said: 你好 "quoted"\nline', 'You want an echo.'], about);
    assert.equal(whole.json.usage.prompt_tokens > 0, true, about);
    const streamed = await readStream(await weir.openChat(asked));
    assert.deepEqual([streamed.text, streamed.finish, streamed.done], ['You said: 你好 "quoted"\nline', 'stop', true], about);
  }
});

test('the body and the headers are what the operator says', async (context) => {
  const weir = await worker(context, { console: { body: 'pascal', headers: { 'user-agent': 'Mozilla/5.0 (X11)', 'x-extra': '1' } } });
  assert.equal(content(await weir.chat(v3({ temperature: 0.5, max_tokens: 9 }))), 'You said: ping');
  const [first] = sim.requests;
  assert.deepEqual(first.body, { Model: 'deepseek-v3-1', Messages: [{ Role: 'user', Content: 'ping' }], Stream: true, Temperature: 0.5, MaxTokens: 9 });
  assert.deepEqual([first.headers['user-agent'], first.headers['x-extra'], first.headers.origin], ['Mozilla/5.0 (X11)', '1', undefined]);

  const body = { ModelName: '{model}', Messages: '{messages}', Stream: true, Scene: { Kind: 'experience' } };
  await weir.manage('POST', '/admin/config', { settings: { volcengine_console: { body, message: { Role: '{role}', Content: '{content}' } } } });
  assert.equal(content(await weir.chat(v3())), 'You said: ping');
  assert.deepEqual(sim.requests.at(-1).body, { ModelName: 'deepseek-v3-1', Messages: [{ Role: 'user', Content: 'ping' }], Stream: true, Scene: { Kind: 'experience' } });

  for (const [wrong, field] of [[{ body: 'camel' }, 'body'], [{ headers: { cookie: 'digest=1' } }, 'headers'], [{ rest: 1 }, 'rest']]) {
    const refused = await weir.admin('POST', '/admin/config', { settings: { volcengine_console: wrong } });
    assert.equal(refused.status, 400, refused.text);
    assert.match(refused.json.error.param, new RegExp(`^settings\\.volcengine_console(\\.${field})?$`));
  }
});

test('an id that is used up gives way to the next one, however it is told', async (context) => {
  for (const exhausted of ['status', 'envelope', 'event', 'middle']) {
    sim.reset();
    Object.assign(sim, { limit: 1, exhausted });
    const weir = await worker(context, { ids: 2 });
    assert.equal((await weir.chat(v3())).headers.get('x-weir-attempts'), '1');
    const second = await weir.chat(v3());
    assert.deepEqual([second.status, content(second), second.headers.get('x-weir-attempts')], [200, 'You said: ping', '2'], `${exhausted}: ${second.text}`);
    const rests = await weir.account('a');
    assert.deepEqual([rests.state, rests.usage.uses], ['parked', 2], exhausted);
    assert.match(rests.reason, /QuotaExceeded/);
    const hours = (rests.until - Date.now()) / 3_600_000;
    assert.ok(hours > 23.9 && hours <= 24, `${exhausted}: rests ${hours} h`);
    assert.equal((await weir.chat(v3())).status, 502, 'the second id is used up too');
    assert.equal((await weir.chat(v3())).status, 503);
    assert.deepEqual([sim.uses(webId('a')), sim.uses(webId('b'))], [2, 2], 'an id that rests is left alone');
  }
});

test('a stream that is told in its middle that its id is used up ends with an error, and the next call has another id', async (context) => {
  Object.assign(sim, { limit: 0, exhausted: 'middle' });
  const weir = await worker(context, { ids: 2 });
  const broken = await readStream(await weir.openChat(v3()));
  assert.deepEqual([broken.text, broken.finish, broken.lastIsError], ['You said: ping', null, true]);
  assert.match(broken.errors[0].message, /QuotaExceeded/);
  await eventually(async () => assert.equal((await weir.account('a')).state, 'parked'));
  sim.limit = 20;
  assert.equal(content(await weir.chat(v3())), 'You said: ping');
  assert.equal(sim.requests.at(-1).headers['x-web-id'], webId('b'));
});

test('the operator\'s own signs of a used-up id count', async (context) => {
  const weir = await worker(context, { ids: 2, console: { exhausted_on: ['*试用次数*'], rest_s: 0 } });
  sim.next({ is: 'error', code: 'SomethingNew', message: '您的试用次数已用完' });
  const answer = await weir.chat(v3());
  assert.deepEqual([answer.status, answer.headers.get('x-weir-attempts')], [200, '2'], answer.text);
  const { state, until } = await weir.account('a');
  assert.deepEqual([state, until], ['parked', null]);
  await weir.manage('POST', '/admin/accounts/a/reset');
  assert.equal((await weir.account('a')).state, 'ready');
});

test('what an error means for the id and for the caller', async (context) => {
  const weir = await worker(context, { ids: 2 });
  const cases = [
    [{ is: 'error', status: 429, code: 'RateLimitExceeded.EndpointRPMExceeded' }, 'cooling'],
    [{ is: 'http', status: 429, headers: { 'retry-after': '9' } }, 'cooling'],
    [{ is: 'error', code: 'FlowLimitExceeded' }, 'cooling'],
    [{ is: 'http', status: 403, body: '<html>' }, 'parked'],
    [{ is: 'error', status: 401, code: 'NotLogin' }, 'disabled'],
    [{ is: 'error', code: 'SomethingNew', headers: { 'x-real-status': '429' } }, 'cooling'],
    [{ is: 'error', code: 'InternalServiceError' }, 'ready'],
    [{ is: 'http', status: 404, body: '404 page not found' }, 'ready'],
    [{ is: 'http', status: 200, body: '<html>maintenance</html>' }, 'ready'],
    [{ is: 'http', status: 200, body: JSON.stringify({ ResponseMetadata: {}, Result: null }) }, 'ready'],
    [{ is: 'error', code: 'InternalError', message: JSON.stringify({ error: { code: 'QuotaExceeded', message: 'inner' } }) }, 'parked'],
  ];
  for (const [behaviour, state] of cases) {
    await weir.manage('POST', '/admin/accounts/a/reset');
    sim.next(behaviour);
    const answer = await weir.chat(v3());
    const about = `${JSON.stringify(behaviour)}: ${answer.text}`;
    assert.deepEqual([answer.status, content(answer), answer.headers.get('x-weir-attempts')], [200, 'You said: ping', '2'], about);
    assert.equal((await weir.account('a')).state, state, about);
  }
  await weir.manage('POST', '/admin/accounts/a/reset');
  const before = sim.requests.length;
  for (const [behaviour, status, code] of [
    [{ is: 'error', code: 'ReqTextExistRisk', message: 'The text is risky.' }, 400, 'ReqTextExistRisk'],
    [{ is: 'error', status: 404, code: 'InvalidEndpointOrModel.NotFound' }, 404, 'InvalidEndpointOrModel.NotFound'],
  ]) {
    sim.next(behaviour);
    const answer = await weir.chat(v3());
    assert.deepEqual([answer.status, answer.json.error.code, answer.headers.get('x-weir-attempts')], [status, code, '1'], answer.text);
  }
  assert.equal(sim.requests.length, before + 2, 'a caller\'s mistake is not tried again');
  assert.equal((await weir.account('a')).state, 'ready');
});

test('a stream that does not reach its end is never passed off as whole', async (context) => {
  const weir = await worker(context, { ids: 4 });
  for (const behaviour of [{ is: 'cut', after: 2 }, { is: 'ended', after: 2 }, { is: 'stall', after: 2 }, { is: 'garbage', after: 2 }]) {
    sim.next(behaviour);
    const streamed = await readStream(await weir.openChat(v3({ messages: say('a longer text than that') })));
    assert.ok(streamed.text.startsWith('You said: '), JSON.stringify(streamed));
    assert.deepEqual([streamed.finish, streamed.done, streamed.lastIsError], [null, false, true], JSON.stringify(behaviour));
    if (behaviour.is === 'stall') continue; // a plain answer has a deadline for all of it
    sim.next(behaviour);
    const whole = await weir.chat(v3({ messages: say('a longer text than that') }));
    assert.deepEqual([whole.status, content(whole)], [200, 'You said: a longer text than that'], JSON.stringify(behaviour));
  }
});

test('a caller who leaves ends the call, and is no fault of the id', async (context) => {
  const weir = await worker(context);
  const gate = new Gate();
  sim.next({ is: 'ok', gate });
  gate.open(2);
  const leaving = new AbortController();
  const response = await weir.openChat(v3({ messages: say('a longer text than that') }), { signal: leaving.signal });
  await response.body.getReader().read();
  leaving.abort();
  await sim.until(() => sim.requests[0].left);
  await eventually(async () => assert.equal((await weir.account('a')).in_flight, 0));
  assert.deepEqual([(await weir.account('a')).state, (await weir.account('a')).error_count], ['ready', 0]);
});

test('what the console lacks is added: tools, JSON, stop sequences; pictures are refused', async (context) => {
  const weir = await worker(context);
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
  sim.script = (text, { messages }) => {
    if (messages.some(({ content }) => content.includes('<tool_result'))) return { reasoning: [], text: ['Snow.'] };
    assert.match(messages[0].content, /get_weather/);
    return { reasoning: [], text: ['<tool_calls>\n<invoke name="get_weather">\n', '<parameter name="city"><![CDATA[Oslo]]></parameter>\n</invoke>\n</tool_calls>'] };
  };
  const client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });
  const messages = say('Weather in Oslo?');
  const called = await client.chat.completions.create({ model: 'deepseek-v3-1', messages, tools });
  const [call] = called.choices[0].message.tool_calls;
  assert.deepEqual([called.choices[0].finish_reason, call.function.name, JSON.parse(call.function.arguments)], ['tool_calls', 'get_weather', { city: 'Oslo' }]);
  messages.push(called.choices[0].message, { role: 'tool', tool_call_id: call.id, content: 'snow' });
  assert.equal((await client.chat.completions.create({ model: 'deepseek-v3-1', messages, tools })).choices[0].message.content, 'Snow.');

  sim.script = () => ({ reasoning: [], text: ['one END', ' two'] });
  const stopped = await weir.chat(v3({ stop: ['END'] }));
  assert.deepEqual([content(stopped), stopped.json.choices[0].finish_reason], ['one ', 'stop']);
  sim.script = () => ({ reasoning: [], text: ['Sure: ```json\n{"a"', ':1}\n```'] });
  assert.deepEqual(JSON.parse(content(await weir.chat(v3({ response_format: { type: 'json_object' } })))), { a: 1 });
  const picture = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.example/y.png' } }] }];
  const refused = await weir.chat(v3({ messages: picture }));
  assert.equal(refused.status, 400, refused.text);
  assert.match(refused.json.error.param, /^messages\[0\]\.content\[0\]/);
});

test('speaks Claude\'s Messages and OpenAI\'s Responses too', async (context) => {
  const weir = await worker(context);
  const claude = new Anthropic({ baseURL: weir.url, apiKey: CLIENT_KEY, maxRetries: 0 });
  const message = await claude.messages.create({ model: 'deepseek-v3-1', max_tokens: 100, messages: say('ping') });
  assert.deepEqual([message.content.find(({ type }) => type === 'text').text, message.stop_reason], ['You said: ping', 'end_turn']);
  const openai = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: CLIENT_KEY, maxRetries: 0 });
  assert.equal((await openai.responses.create({ model: 'deepseek-v3-1', input: 'ping' })).output_text, 'You said: ping');
});

test('ids without an authorization of their own share the Worker\'s', async (context) => {
  const account = { authorization: undefined };
  const shared = await worker(context, { account, bindings: { VOLCENGINE_AUTHORIZATION: AUTHORIZATION } });
  shared.secret(AUTHORIZATION, 'the shared authorization');
  assert.equal(content(await shared.chat(v3())), 'You said: ping');

  const stale = await worker(context, { account, bindings: { VOLCENGINE_AUTHORIZATION: 'an-authorization-that-ended' } });
  stale.secret('an-authorization-that-ended', 'the shared authorization');
  assert.equal((await stale.chat(v3())).status, 502);
  const { state, error_count } = await stale.account('a');
  assert.deepEqual([state, error_count], ['ready', 1], 'a new authorization is enough: nothing is switched off');

  const none = await worker(context, { account });
  assert.equal((await none.chat(v3())).status, 502);
  assert.match((await none.account('a')).reason, /VOLCENGINE_AUTHORIZATION is not set/);
});

test('the console takes no caller\'s own key', async (context) => {
  const weir = await worker(context);
  const refused = await weir.admin('POST', '/admin/upstreams', { id: 'open', kind: 'volcengine-console', direct: true });
  assert.deepEqual([refused.status, refused.json.error.param], [400, 'direct'], refused.text);
});
