// Anthropic's routes, each also below `/anthropic`. What Weir reads of a body is described; what it does not know is ignored.
import { also, answered, body, callFails, count, encoded, events, fails, flag, inPath, json, list, nullable, number, object, oneOf, only, open, query, ref, text } from './words.mjs';

const docs = (page) => ({ url: `https://docs.claude.com/en/api/${page}`, description: "Anthropic's reference" });
const hello = { model: 'claude-sonnet-4-5', max_tokens: 64, messages: [{ role: 'user', content: 'Hello' }] };

const messages = {
  post: {
    tags: ['Anthropic'],
    operationId: 'createMessage',
    summary: 'Messages',
    description: 'Claude\'s Messages over every upstream. `thread` and `compaction` are refused by name.',
    externalDocs: docs('messages'),
    requestBody: body(ref('MessageRequest'), { plain: hello, streamed: { ...hello, stream: true } }),
    responses: {
      200: answered(
        ref('Message'),
        events(
          "Anthropic's events, from `message_start` to `message_stop`, and `ping` in a silence. A stream that breaks ends with `error`.",
          oneOf(['message_start', 'content_block_start', 'content_block_delta', 'content_block_stop', 'message_delta', 'message_stop', 'ping', 'error']),
          encoded(open({ type: text() })),
          'event: message_start\ndata: {"type":"message_start","message":{}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
        ),
      ),
      ...fails(callFails, 'Anthropic'),
    },
  },
};

const countTokens = {
  post: {
    tags: ['Anthropic'],
    operationId: 'countTokens',
    summary: "Counts a request's tokens",
    description: "Weir's own count. Takes no account and never waits.",
    externalDocs: docs('messages-count-tokens'),
    requestBody: body(ref('CountRequest'), { plain: hello }),
    responses: {
      200: json('The count.', object({ input_tokens: count(undefined, { minimum: 1 }) })),
      ...fails([400, 401, 413, 429, 503], 'Anthropic'),
    },
  },
};

const models = {
  get: {
    tags: ['Anthropic'],
    operationId: 'listModelsInPages',
    summary: 'The models that the key may name, in pages',
    externalDocs: docs('models-list'),
    parameters: [
      query('limit', { type: 'integer', minimum: 1, maximum: 1_000, default: 20 }, 'Entries of a page. What is no number counts as absent, what is out of bounds as the bound.'),
      query('after_id', text(), 'The page after this one.'),
      query('before_id', text(), 'The page before this one.'),
    ],
    responses: { 200: json('A page.', ref('ModelList')), ...fails([401, 429, 503], 'Anthropic') },
  },
};

const model = {
  parameters: [inPath('id', "A model's name; may hold slashes.", 'gpt-4o')],
  get: {
    tags: ['Anthropic'],
    operationId: 'getModelForAnthropic',
    summary: 'One model',
    responses: { 200: json('The model.', ref('Model')), ...fails([401, 404, 429, 503], 'Anthropic') },
  },
};

const content = { type: ['string', 'array'] };

/** What is counted of a request. */
const counted = {
  model: ref('ModelName'),
  messages: list(open({ role: oneOf(['user', 'assistant', 'system']), content }), undefined, { minItems: 1 }),
  'max_tokens?': nullable(count()),
  'system?': { ...nullable(content), description: 'A text, or text blocks.' },
  'stop_sequences?': nullable(list(text())),
  'temperature?': nullable(number()),
  'top_p?': nullable(number()),
  'thinking?': nullable(open({ 'type?': nullable(text()) })),
  'tools?': nullable(list(open({}))),
  'tool_choice?': nullable(open({})),
  'output_config?': nullable(open({ 'effort?': nullable(text()), 'format?': nullable(open({})) })),
  'thread?': { type: 'null' },
  'compaction?': { type: 'null' },
};

export const schemas = {
  MessageRequest: open({ ...counted, 'stream?': nullable(flag()) }),
  CountRequest: open(counted),
  Message: object({
    id: text(undefined, { pattern: '^msg_' }),
    type: only('message'),
    role: only('assistant'),
    model: text(),
    content: list(open({ type: oneOf(['text', 'thinking', 'tool_use']) }), undefined, { minItems: 1 }),
    stop_reason: oneOf(['end_turn', 'stop_sequence', 'max_tokens', 'tool_use', 'refusal']),
    stop_sequence: nullable(text()),
    usage: object({ input_tokens: count(), cache_creation_input_tokens: only(0), cache_read_input_tokens: count(), output_tokens: count() }),
  }),
};

export const paths = {
  '/v1/messages': messages,
  ...also(messages, ['/anthropic/v1/messages', 'createMessageBelowAnthropic']),
  '/v1/messages/count_tokens': countTokens,
  ...also(countTokens, ['/anthropic/v1/messages/count_tokens', 'countTokensBelowAnthropic']),
  '/anthropic/v1/models': models,
  '/anthropic/v1/models/{id}': model,
};
