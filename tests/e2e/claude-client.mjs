// A client of the Messages API that believes nothing: it checks every event of a stream and every field of an answer
// against api-conformance A25 to A40, and puts the message together as the official SDKs do.
import assert from 'node:assert/strict';
import { Sse } from './client.mjs';

export const MESSAGES = '/anthropic/v1/messages';
const TOOL_ID = /^[a-zA-Z0-9_-]{1,64}$/;
const STOP_REASONS = ['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'pause_turn', 'refusal', 'model_context_window_exceeded'];
const ERROR_TYPES = {
  400: 'invalid_request_error', 401: 'authentication_error', 402: 'billing_error', 403: 'permission_error', 404: 'not_found_error',
  405: 'invalid_request_error', 409: 'conflict_error', 413: 'request_too_large', 429: 'rate_limit_error',
  500: 'api_error', 502: 'api_error', 503: 'api_error', 504: 'timeout_error', 529: 'overloaded_error',
};

export const hello = [{ role: 'user', content: 'hello' }];
export const thinking = { type: 'enabled', budget_tokens: 1024 };

/** A body of the API: what is not given is a plain question. */
export const bodyOf = (body) => ({ max_tokens: 4096, messages: hello, ...body });

/** An answer, whole, and checked. */
export async function create(weir, body, options = {}) {
  const answer = await weir.call('POST', options.path ?? MESSAGES, { ...options, body: bodyOf(body) });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  checkHeaders(answer.headers);
  checkMessage(answer.json);
  return { message: answer.json, headers: answer.headers };
}

/** The response of a stream as it begins, its headers checked. */
export async function open(weir, body, options = {}) {
  const response = await weir.fetch('POST', options.path ?? MESSAGES, { ...options, body: bodyOf({ stream: true, ...body }) });
  if (response.status !== 200) assert.fail(`${response.status} ${await response.text()}`);
  assert.match(response.headers.get('content-type'), /^text\/event-stream; ?charset=utf-8$/i);
  assert.match(response.headers.get('cache-control'), /no-cache/);
  assert.equal(response.headers.get('content-length'), null);
  checkHeaders(response.headers);
  return response;
}

/** A stream, read to its good end. */
export async function stream(weir, body, options = {}) {
  const response = await open(weir, body, options);
  const read = await readClaude(response);
  assert.equal(read.error, null, JSON.stringify(read.error));
  assert.ok(read.isComplete, `the stream ended without message_stop: ${JSON.stringify(read.types)}`);
  checkMessage(read.message);
  return Object.assign(read, { headers: response.headers });
}

/** The same request both ways: each `{ message }`, and they must say the same. */
export async function bothWays(weir, body, prepare = () => {}, options = {}) {
  prepare();
  const whole = await create(weir, body, options);
  prepare();
  const streamed = await stream(weir, body, options);
  assert.deepEqual(withoutIdentifiers(streamed.message), withoutIdentifiers(whole.message));
  return { whole: whole.message, streamed: streamed.message, stream: streamed, headers: whole.headers };
}

function withoutIdentifiers({ id: _, ...message }) {
  const plain = ({ id: _, signature: __, ...block }) => block;
  return { ...message, content: message.content.map(plain) };
}

/** An error answer: status, type, a string, and the request's id in the body and both headers. */
export function checkError(answer, status, message, type = ERROR_TYPES[status]) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  assert.deepEqual(Object.keys(answer.json).sort(), ['error', 'request_id', 'type']);
  assert.equal(answer.json.type, 'error');
  assert.deepEqual(Object.keys(answer.json.error).filter((key) => key !== 'details').sort(), ['message', 'type']);
  assert.equal(answer.json.error.type, type, answer.text);
  if (message) assert.match(answer.json.error.message, message);
  else assert.ok(answer.json.error.message.length > 0);
  for (const header of ['request-id', 'x-request-id']) assert.equal(answer.headers.get(header), answer.json.request_id, header);
  assert.equal(answer.headers.get('access-control-allow-origin'), '*');
}

function checkHeaders(headers) {
  assert.ok(headers.get('x-request-id'));
  assert.equal(headers.get('request-id'), headers.get('x-request-id'));
  assert.match(headers.get('x-weir-attempts'), /^[1-9]\d*$/);
  assert.match(headers.get('x-weir-queue-ms'), /^\d+$/);
  assert.ok(headers.get('x-weir-model'));
}

export function checkMessage(message) {
  assert.deepEqual(Object.keys(message).sort(), ['content', 'id', 'model', 'role', 'stop_reason', 'stop_sequence', 'type', 'usage']);
  assert.match(message.id, /^msg_[a-zA-Z0-9]{20,}$/);
  assert.deepEqual([message.type, message.role], ['message', 'assistant']);
  assert.ok(STOP_REASONS.includes(message.stop_reason), message.stop_reason);
  assert.equal(message.stop_sequence === null, message.stop_reason !== 'stop_sequence');
  assert.ok(message.content.length > 0, 'no content makes Claude Code ask again (A25)');
  for (const block of message.content) {
    assert.deepEqual(Object.keys(block).filter((key) => key !== 'citations').sort(), FIELDS[block.type]);
    if (block.type === 'text') assert.equal(block.citations ?? null, null);
    if (block.type === 'thinking') assert.ok(block.signature.length > 0);
    if (block.type === 'tool_use') {
      assert.match(block.id, TOOL_ID);
      assert.ok(isObject(block.input), JSON.stringify(block));
    }
  }
  const order = message.content.map(({ type }) => Object.keys(FIELDS).indexOf(type));
  assert.deepEqual(order, [...order].sort(), 'thinking, text, tool_use');
  checkUsage(message.usage);
}

const FIELDS = { thinking: ['signature', 'thinking', 'type'], text: ['text', 'type'], tool_use: ['id', 'input', 'name', 'type'] };

function checkUsage(usage) {
  for (const field of ['input_tokens', 'output_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens']) {
    assert.ok(Number.isInteger(usage[field]) && usage[field] >= 0, `usage.${field}: ${JSON.stringify(usage)}`);
  }
  assert.ok(usage.input_tokens + usage.cache_read_input_tokens > 0, JSON.stringify(usage));
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

export async function readClaude(response) {
  const read = new Reading();
  const sse = new Sse(response);
  for (let event = await sse.data(); event !== null; event = await sse.data()) read.take(event);
  return read;
}

/** A stream so far. `take` fails at the first event that has no place where it stands. */
export class Reading {
  /** The message, `null` before `message_start`. */
  message = null;
  /** The usage that `message_start` told. */
  startUsage = null;
  error = null;
  isComplete = false;
  wasCut = false;
  pings = 0;
  types = [];
  #open = null;
  #json = '';
  #lastDelta = null;
  #wasEnded = false;

  take(event) {
    assert.ok(!this.isComplete && this.error === null, `after the end: ${JSON.stringify(event)}`);
    if ('cut' in event) {
      this.wasCut = true;
      return;
    }
    assert.deepEqual(Object.keys(event).sort(), ['data', 'event'], JSON.stringify(event));
    const data = JSON.parse(event.data);
    assert.equal(event.event, data.type);
    const take = this.#events[data.type];
    assert.ok(take, `an unknown event: ${event.data}`);
    this.types.push(data.type);
    take.call(this, data);
  }

  get isOpen() {
    return this.#open !== null;
  }

  #events = {
    ping(data) {
      assert.deepEqual(data, { type: 'ping' });
      this.pings += 1;
    },

    message_start({ message, ...rest }) {
      assert.equal(this.message, null, 'one message_start');
      assert.deepEqual(Object.keys(rest), ['type']);
      assert.deepEqual([message.content, message.stop_reason, message.stop_sequence], [[], null, null]);
      checkUsage(message.usage);
      checkMessage({ ...message, stop_reason: 'end_turn', content: [{ type: 'text', text: '' }] });
      this.startUsage = { ...message.usage };
      this.message = message;
    },

    content_block_start({ index, content_block: block, ...rest }) {
      assert.deepEqual(Object.keys(rest), ['type']);
      assert.equal(this.#open, null, 'one block open at a time');
      assert.ok(!this.#wasEnded, 'a block after message_delta');
      assert.equal(index, this.message.content.length, 'indexes without gaps');
      const { id, name, ...plain } = block;
      if (block.type === 'tool_use') assert.ok(TOOL_ID.test(id) && typeof name === 'string', JSON.stringify(block));
      const empty = { text: { text: '' }, thinking: { thinking: '', signature: '' }, tool_use: { input: {} } };
      assert.deepEqual(plain, { type: block.type, ...empty[block.type] });
      this.message.content.push(block);
      this.#open = block;
      this.#json = '';
      this.#lastDelta = null;
    },

    content_block_delta({ index, delta, ...rest }) {
      assert.deepEqual(Object.keys(rest), ['type']);
      assert.ok(this.#open, 'a delta outside of a block');
      assert.equal(index, this.message.content.length - 1);
      assert.ok(DELTAS[delta.type], `an unknown delta: ${JSON.stringify(delta)}`);
      const [block, field] = DELTAS[delta.type];
      assert.deepEqual([this.#open.type, Object.keys(delta).sort()], [block, [field, 'type'].sort()]);
      assert.equal(typeof delta[field], 'string');
      assert.notEqual(this.#lastDelta, 'signature_delta', 'nothing after the signature');
      if (delta.type === 'input_json_delta') this.#json += delta.partial_json;
      else if (delta.type === 'signature_delta') this.#open.signature = delta.signature;
      else this.#open[field] += delta[field];
      this.#lastDelta = delta.type;
    },

    content_block_stop({ index, ...rest }) {
      assert.deepEqual(Object.keys(rest), ['type']);
      assert.ok(this.#open, 'a stop outside of a block');
      assert.equal(index, this.message.content.length - 1);
      if (this.#open.type === 'thinking') assert.equal(this.#lastDelta, 'signature_delta', 'a signature just before the stop');
      if (this.#open.type === 'tool_use') {
        assert.notEqual(this.#json, '', 'the input is {} where there is none');
        this.#open.input = JSON.parse(this.#json);
      }
      this.#open = null;
    },

    message_delta({ delta, usage, ...rest }) {
      assert.deepEqual(Object.keys(rest), ['type']);
      assert.equal(this.#open, null, 'a block without its stop');
      assert.ok(!this.#wasEnded, 'one message_delta');
      assert.deepEqual(Object.keys(delta).sort(), ['stop_reason', 'stop_sequence']);
      checkUsage(usage);
      Object.assign(this.message, delta, { usage: { ...this.message.usage, ...usage } });
      this.#wasEnded = true;
    },

    message_stop(data) {
      assert.deepEqual(data, { type: 'message_stop' });
      assert.ok(this.#wasEnded, 'message_stop before message_delta');
      this.isComplete = true;
    },

    error({ error, request_id: id, ...rest }) {
      assert.deepEqual(Object.keys(rest), ['type']);
      assert.deepEqual(Object.keys(error).filter((key) => key !== 'details').sort(), ['message', 'type']);
      assert.ok(Object.values(ERROR_TYPES).includes(error.type), error.type);
      assert.ok(error.message.length > 0);
      assert.ok(id?.length > 0, 'request_id in the event');
      this.error = { ...error, request_id: id };
    },
  };
}

const DELTAS = {
  text_delta: ['text', 'text'],
  thinking_delta: ['thinking', 'thinking'],
  signature_delta: ['thinking', 'signature'],
  input_json_delta: ['tool_use', 'partial_json'],
};
