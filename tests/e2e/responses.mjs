// Reads streams of the Responses API, and holds every event of them to its grammar (R10–R16).
import assert from 'node:assert/strict';
import { Sse } from './client.mjs';

/** The streamed answer to a body of POST /v1/responses: every event, the items they made, and the last object. */
export async function streamed(weir, body, { onEvent, ...options } = {}) {
  const response = await weir.fetch('POST', '/v1/responses', { ...options, body: { ...body, stream: true } });
  assert.equal(response.status, 200, response.status === 200 ? '' : await response.text());
  assert.match(response.headers.get('content-type'), /^text\/event-stream; ?charset=utf-8$/i);
  return { ...(await readEvents(response, onEvent)), headers: response.headers };
}

/** The answer to a body without a stream. */
export async function whole(weir, body, options) {
  const answer = await weir.call('POST', '/v1/responses', { ...options, body });
  assert.equal(answer.status, 200, answer.text);
  assert.match(answer.headers.get('content-type'), /^application\/json/);
  return { response: answer.json, headers: answer.headers };
}

export async function readEvents(response, onEvent = () => {}) {
  const events = [];
  const sse = new Sse(response);
  for (let event = await sse.next(); event !== null; event = await sse.next()) {
    assert.ok(!('cut' in event), `the stream breaks off: ${event.cut}`);
    if ('comment' in event) continue;
    assert.deepEqual(Object.keys(event).sort(), ['data', 'event'], 'no id: and no retry: lines');
    const value = JSON.parse(event.data); // not [DONE]
    assert.equal(value.type, event.event);
    events.push(value);
    onEvent(value);
  }
  return { events, types: events.map(({ type }) => type), ...follow(events) };
}

/** What a strict reader makes of the events. */
function follow(events) {
  const reader = new Reader();
  for (const [at, event] of events.entries()) {
    assert.equal(event.sequence_number, at, `${event.type}: its number`);
    reader.take(event, at);
  }
  const end = events.at(-1);
  assert.match(end.type, /^response\.(completed|incomplete|failed)$/, 'nothing comes after the end, and an end comes');
  return { response: end.response, items: reader.items };
}

class Reader {
  items = [];
  #id;
  #item = null;
  #seen = null;
  #ended = false;

  take(event, at) {
    assert.ok(!this.#ended, `${event.type} after the end`);
    if (at === 0) assert.equal(event.type, 'response.created');
    if (at === 1) assert.equal(event.type, 'response.in_progress');
    const [, kind] = /^response\.(created|in_progress|completed|incomplete|failed)$/.exec(event.type) ?? [];
    if (kind) return this.#lifecycle(kind, event);
    if (event.type === 'keepalive') return;
    assert.equal(event.output_index, this.items.length, `${event.type}: one item after the other`);
    if (event.type === 'response.output_item.added') return this.#open(event);
    assert.ok(this.#item, `${event.type} without an item`);
    if (event.type === 'response.output_item.done') return this.#close(event);
    assert.equal(event.item_id, this.#item.id, event.type);
    const step = steps[this.#item.type][event.type];
    assert.ok(step, `${event.type} in an item of type ${this.#item.type}`);
    step(this.#seen, event);
  }

  #lifecycle(kind, { response }) {
    this.#id ??= response.id;
    assert.equal(response.id, this.#id);
    assert.match(response.id, /^resp_[\w-]{20,}$/);
    assert.equal(response.object, 'response');
    assert.ok(Number.isInteger(response.created_at));
    assert.equal(response.status, kind === 'created' ? 'in_progress' : kind);
    if (kind === 'created' || kind === 'in_progress') return assert.deepEqual([response.output, response.error], [[], null]);
    this.#ended = true;
    if (kind === 'failed') {
      assert.equal(typeof response.error.code, 'string');
      return assert.equal(typeof response.error.message, 'string');
    }
    assert.equal(this.#item, null, 'the last item is done');
    assert.equal(response.error, null);
    assert.deepEqual(response.output, this.items, 'the end repeats all items');
  }

  #open({ item }) {
    assert.equal(this.#item, null, 'one item at a time');
    assert.match(item.id, prefixes[item.type] ?? /never/, item.type);
    assert.ok(this.items.every(({ id }) => id !== item.id), 'ids differ');
    if (item.type !== 'reasoning') assert.equal(item.status, 'in_progress');
    if (item.type === 'message') assert.deepEqual([item.role, item.content], ['assistant', []]);
    if (item.type === 'reasoning') assert.deepEqual(item.summary, []);
    if (item.type === 'function_call') assert.equal(item.arguments, '');
    if (item.type === 'custom_tool_call') assert.equal(item.input, '');
    this.#item = item;
    this.#seen = { parts: [], open: null, text: null };
  }

  #close({ item }) {
    const seen = this.#seen;
    assert.equal(seen.open, null, 'the last part is done');
    for (const field of ['id', 'type', 'call_id', 'name', 'namespace']) assert.deepEqual(item[field], this.#item[field], field);
    if (item.type === 'message') assert.deepEqual(item.content, seen.parts);
    if (item.type === 'reasoning') assert.deepEqual(item.summary, seen.parts);
    if (item.type === 'function_call') assert.equal(item.arguments, seen.text);
    if (item.type === 'custom_tool_call') assert.equal(item.input, seen.text);
    checkItem(item);
    this.items.push(item);
    this.#item = null;
  }
}

const prefixes = { message: /^msg_[\w-]{20,}$/, reasoning: /^rs_[\w-]{20,}$/, function_call: /^fc_[\w-]{20,}$/, custom_tool_call: /^[a-z]+_[\w-]{20,}$/ };

const openPart = (index, type) => (seen, event) => {
  assert.equal(seen.open, null);
  assert.equal(event[index], seen.parts.length);
  assert.deepEqual([event.part.type, event.part.text], [type, '']);
  seen.open = { text: '', done: false };
};
const addText = (index) => (seen, event) => {
  assert.equal(event[index], seen.parts.length);
  assert.ok(seen.open && !seen.open.done, 'a delta needs an open part');
  assert.ok(event.delta.length > 0);
  seen.open.text += event.delta;
};
const endText = (index) => (seen, event) => {
  assert.equal(event[index], seen.parts.length);
  assert.equal(event.text, seen.open.text);
  seen.open.done = true;
};
const closePart = (index) => (seen, event) => {
  assert.equal(event[index], seen.parts.length);
  assert.ok(seen.open.done, 'the text is done before its part');
  assert.equal(event.part.text, seen.open.text);
  seen.parts.push(event.part);
  seen.open = null;
};
const pieces = (kind, field) => ({
  [`response.${kind}.delta`](seen, event) {
    seen.open ??= { text: '' };
    seen.open.text += event.delta;
  },
  [`response.${kind}.done`](seen, event) {
    assert.equal(event[field], seen.open?.text ?? '');
    seen.text = event[field];
    seen.open = null;
  },
});
const withLogprobs = (step) => (seen, event) => {
  assert.deepEqual(event.logprobs, []);
  step(seen, event);
};

/** What may happen within an item, by its type. */
const steps = {
  message: {
    'response.content_part.added': openPart('content_index', 'output_text'),
    'response.output_text.delta': withLogprobs(addText('content_index')),
    'response.output_text.done': withLogprobs(endText('content_index')),
    'response.content_part.done': closePart('content_index'),
  },
  reasoning: {
    'response.reasoning_summary_part.added': openPart('summary_index', 'summary_text'),
    'response.reasoning_summary_text.delta': addText('summary_index'),
    'response.reasoning_summary_text.done': endText('summary_index'),
    'response.reasoning_summary_part.done': closePart('summary_index'),
  },
  function_call: pieces('function_call_arguments', 'arguments'),
  custom_tool_call: pieces('custom_tool_call_input', 'input'),
};

/** An item that is done (R15, R16, R20). */
export function checkItem(item) {
  assert.match(item.id, prefixes[item.type] ?? /never/, item.type);
  if (item.type !== 'reasoning') assert.match(item.status, /^(completed|incomplete)$/);
  if (item.type === 'message') {
    assert.equal(item.role, 'assistant');
    for (const part of item.content) {
      assert.deepEqual(part, { type: 'output_text', text: part.text, annotations: part.annotations, logprobs: [] });
      assert.ok(Array.isArray(part.annotations));
    }
  }
  if (item.type === 'reasoning') for (const part of item.summary) assert.deepEqual(part, { type: 'summary_text', text: part.text });
  if (item.type === 'function_call') {
    assert.match(item.call_id, /^[a-zA-Z0-9_-]{1,64}$/);
    assert.equal(typeof JSON.parse(item.arguments), 'object');
  }
  if (item.type === 'custom_tool_call') assert.match(item.call_id, /^[a-zA-Z0-9_-]{1,64}$/);
}

/** The text of all messages of a response. */
export const textOf = ({ output }) => output.filter(({ type }) => type === 'message').flatMap(({ content }) => content).map(({ text }) => text).join('');
/** The text of all its thoughts. */
export const thoughtsOf = ({ output }) => output.filter(({ type }) => type === 'reasoning').flatMap(({ summary }) => summary).map(({ text }) => text).join('');
/** Its calls: namespace if there is one, name, and what they are given. */
export const callsOf = ({ output }) =>
  output.filter(({ type }) => type.endsWith('_call')).map(({ namespace, name, input, arguments: json }) => [...(namespace ? [namespace] : []), name, input ?? JSON.parse(json)]);

/** A content as parts. Texts in a row are one, line after line: chat has no paragraphs of its own. */
export function parts(content) {
  const all = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
  return all.reduce((joined, part) => {
    const last = joined.at(-1);
    if (part.type !== 'text' || last?.type !== 'text') return [...joined, part];
    return [...joined.slice(0, -1), { type: 'text', text: `${last.text}\n${part.text}` }];
  }, []).filter(({ text }) => text !== '');
}
