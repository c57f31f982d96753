// Ways in which the simulated service answers. Each is a function of the call and its options.
//
// A behaviour is given as a name (`'cut'`), a status (`429`), a function, or an object: `{ is: 'cut', after: 3 }`,
// `{ status: 429, retryAfter: 2 }`. Options of a good answer work with every streaming behaviour: `text`, `reasoning`,
// `finish`, `usageOn`, `cutArguments`, `done: false`, `eol`, `space`, `slice`, and `gate`, which holds back every event until it is opened.
import { chunksOf, planChat, textCompletion, textPlan } from './openai-plan.mjs';

export const behaviours = {
  ok: (call, options) => (call.body.stream ? stream(call, options) : plain(call, options)),

  /** A status with the service's own body; see `Call.error` for what can be overridden. */
  status(call, { status, retryAfter, headers, echoKey, message, text, contentType, ...rest }) {
    const all = { ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }), ...headers };
    if (text !== undefined) return call.send(status, text, { 'content-type': contentType ?? 'text/plain', ...all });
    const said = message ?? call.profile.errors[status]?.[2] ?? 'Error';
    return call.error(status, {
      ...rest,
      message: echoKey ? `${said} (key: ${call.record.key})` : said,
      headers: all,
      ...(echoKey && { extra: { debug: { authorization: `Bearer ${call.record.key}` } } }),
    });
  },

  // Ark: one code, three meanings, told apart by the message alone.
  quota_trial: (call) =>
    call.error(429, {
      code: 'QuotaExceeded',
      message: `Your account 2100000001 has exhausted its free trial quota for the [${call.body.model}] model. Please activate the model service.`,
    }),
  quota_queue: (call) =>
    call.error(429, { code: 'QuotaExceeded', message: 'The task queue is full. Please try again later.' }),
  quota_plan: (call, { resetsAt = '2027-01-01 00:00:00 +0800 CST', window = '5-hour' }) =>
    call.error(429, { code: 'QuotaExceeded', message: `You have exceeded the ${window} usage quota. It will reset at ${resetsAt}.` }),
  overloaded: (call) =>
    call.error(429, { code: 'ServerOverloaded', message: 'The service is currently unable to process additional requests. Please try again later.' }),
  safe_mode: (call) =>
    call.error(429, { code: 'SetLimitExceeded', message: 'Your account has reached the set inference limit for this model, and the model service has been paused.' }),
  no_balance: (call) => call.error(402),
  insufficient_quota: (call) =>
    call.error(429, {
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      message: 'You exceeded your current quota, please check your plan and billing details.',
    }),

  /** The connection closes before a word of an answer. */
  hang_up: (call, options) => call.cut(options),
  /** Takes the request and never answers. */
  silent: (call) => call.forever(),
  /** Nothing, headers included, until the gate opens. */
  async slow(call, { gate, ...options }) {
    await call.orGone(gate.wait());
    return behaviours.ok(call, options);
  },
  /** Headers at once, the answer when the gate opens; meanwhile one keep-alive for each opening of `beats`. */
  async queued(call, { gate, beats, ...options }) {
    if (call.body.stream) call.streamHead();
    else call.head(200, { 'content-type': 'application/json' });
    let waiting = true;
    const started = gate.wait().then(() => { waiting = false; });
    while (waiting) {
      await call.orGone(beats ? Promise.race([started, beats.wait()]) : started);
      if (!waiting) break;
      if (call.body.stream) await call.comment();
      else await call.write('\n');
    }
    return behaviours.ok(call, options);
  },

  /** The stream stops after some events and the connection stays open. */
  async stall(call, options) {
    await some(call, options);
    return call.forever();
  },
  /** The whole stream, whose body then stays open. */
  async stays_open(call, options) {
    await whole(call, options);
    return call.forever();
  },
  /** The connection breaks after some events. */
  async cut(call, options) {
    if (call.body.stream) await some(call, options);
    else await half(call, options);
    call.cut(options);
  },
  /** The body ends, as if it were whole, after some events: no finish reason, no marker. */
  async truncate(call, options) {
    if (!call.body.stream) return call.send(200, wholeJson(call, options).slice(0, -20), { 'content-type': 'application/json' });
    await some(call, options);
    call.end();
  },
  /** An event that is not JSON, among good ones. */
  async garbage(call, options) {
    if (!call.body.stream) return call.send(200, '{"id": "chatcmpl-', { 'content-type': 'application/json' });
    const after = options.after ?? 2;
    await stream(call, {
      ...options,
      beforeEvent: (at) => (at === after ? call.data('{"id":"chatcmpl-broken","choices":[{"index":0,"del') : undefined),
    });
  },
  /** 200 and nothing. */
  empty(call) {
    call.head(200, { 'content-type': call.body.stream ? 'text/event-stream' : 'application/json' });
    call.end();
  },
  /** A stream's end marker and no stream before it; plain, 200 and nothing. */
  async only_done(call, options) {
    if (!call.body.stream) return behaviours.empty(call);
    call.framing(options);
    call.streamHead();
    await call.data('[DONE]');
    call.end();
  },
  /** 200, JSON, and an error in it. */
  json_error(call, { status = 500, ...rest }) {
    const [type, code, message] = call.profile.errors[status];
    call.json(200, call.profile.error({ type, code, message, requestId: call.requestId, ...rest }));
  },
  /** A stream whose first event, or the one after some good ones, is an error. */
  async event_error(call, { after = 0, status = 500, message, type, code, ...options }) {
    if (after > 0) await some(call, { ...options, after });
    const [usualType, usualCode, usualMessage] = call.profile.errors[status];
    const error = { type: type ?? usualType, code: code ?? usualCode, message: message ?? usualMessage, requestId: call.requestId };
    await call.data(JSON.stringify(call.profile.error(error)));
    call.end();
  },
  redirect: (call, { location, status = 302 }) => call.send(status, '', { location }),
  /** A page for people, as a proxy in front of a service sends it. */
  html: (call, { status = 502 }) =>
    call.send(status, '<html><head><title>Bad gateway</title></head><body><h1>502</h1>cloudfront</body></html>', { 'content-type': 'text/html' }),
  /** An answer of `bytes` bytes of text in pieces of `piece`. */
  huge(call, { bytes = 2_000_000, piece = 20_000, ...options }) {
    const text = Array.from({ length: Math.ceil(bytes / piece) }, (_, at) => `${String(at).padStart(8, '0')}${'é'.repeat((piece - 8) / 2)}`);
    return behaviours.ok(call, { ...options, text });
  },
  /** One event of more than `bytes` bytes. */
  long_event: (call, { bytes = 150_000, ...options }) => behaviours.ok(call, { ...options, text: ['前'.repeat(Math.ceil(bytes / 3)), ' end'] }),
  /** A stream in answer to a plain request, and the reverse. */
  wrong_kind: (call, options) => (call.body.stream ? plain(call, options) : stream(call, options)),
};

function wholeJson(call, options) {
  const { usage, ...rest } = call.profile.completion(planChat(call, options));
  return JSON.stringify({ ...rest, ...(options.usageOn !== 'none' && { usage }) });
}

async function plain(call, options) {
  const bytes = Buffer.from(call.record.path === '/completions' ? JSON.stringify(wholeText(call)) : wholeJson(call, options));
  if (!call.response.headersSent) call.head(200, { 'content-type': 'application/json', 'content-length': bytes.length });
  call.end(bytes);
}

/** Half of a JSON answer whose whole length was promised. */
async function half(call, options) {
  const bytes = Buffer.from(wholeJson(call, options));
  call.head(200, { 'content-type': 'application/json', 'content-length': bytes.length });
  await call.write(bytes.subarray(0, bytes.length / 2));
}

function wholeText(call) {
  const { pieces, usage } = textPlan(call);
  return textCompletion(call, { text: pieces.join(''), finish: 'stop', usage });
}

function eventsOf(call, options) {
  if (call.record.path !== '/completions') return chunksOf(call.profile, planChat(call, options), options);
  const { pieces, usage } = textPlan(call);
  const asked = call.body.stream_options?.include_usage === true;
  return [
    ...pieces.map((text) => textCompletion(call, { text, finish: null, usage: asked ? null : undefined })),
    textCompletion(call, { text: '', finish: 'stop', usage: asked ? null : undefined }),
    ...(asked ? [textCompletion(call, { text: null, usage })] : []),
  ];
}

async function stream(call, options) {
  await whole(call, options);
  call.end();
}

/** All events of a good stream, and its marker. */
async function whole(call, options) {
  call.framing(options);
  for (const [at, event] of eventsOf(call, options).entries()) {
    if (options.gate) await call.orGone(options.gate.wait());
    await options.beforeEvent?.(at);
    await call.data(JSON.stringify(event));
    call.record.events += 1;
  }
  if (options.gate) await call.orGone(options.gate.wait());
  if (options.done !== false) await call.data('[DONE]');
}

/** The first `after` events of a good stream. */
async function some(call, { after = 2, ...options }) {
  call.framing(options);
  call.streamHead();
  const events = eventsOf(call, options).slice(0, after);
  for (const event of events) {
    if (options.gate) await call.orGone(options.gate.wait());
    await call.data(JSON.stringify(event));
    call.record.events += 1;
  }
}
