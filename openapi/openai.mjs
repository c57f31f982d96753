// OpenAI's routes. What is Weir's own is described; the rest of a body is OpenAI's, and passes through or is translated.
import { also, answered, body, callFails, count, encoded, events, fails, flag, inPath, json, list, nullable, number, object, oneOf, only, open, present, query, ref, text } from './words.mjs';

const docs = (page, description) => ({ url: `https://platform.openai.com/docs/api-reference/${page}`, description });
const messages = (content) => [{ role: 'user', content }];

const streaming = {
  'stream?': nullable(flag('Whether the answer comes as events.')),
  'stream_options?': nullable(open({ 'include_usage?': nullable(flag('Whether the tokens come in a last chunk.')) })),
};

const bounds = { 'max_tokens?': nullable(count()), 'max_completion_tokens?': nullable(count()), 'n?': nullable(count(undefined, { minimum: 1 })) };

const call = (operationId, summary, { request, examples, answer, streamed, page, description, failing = callFails }) => ({
  post: {
    tags: ['OpenAI'],
    operationId,
    summary,
    description,
    externalDocs: docs(page, "OpenAI's reference"),
    requestBody: body(request, examples),
    responses: { 200: answered(answer, streamed), ...fails(failing) },
  },
});

const chat = call('createChatCompletion', 'Chat Completions', {
  description:
    'Every field passes through to a service in OpenAI\'s format. Where the model is of another kind (a web chat, a console), Weir also reads ' +
    '`tools`, `tool_choice`, `response_format`, `stop`, `reasoning_effort`, `thinking`, `web_search_options`, `temperature` and `top_p`, and refuses by name what it cannot do.',
  page: 'chat/create',
  request: ref('ChatCompletionRequest'),
  examples: {
    plain: { model: 'gpt-4o', messages: messages('Hello') },
    streamed: { model: 'gpt-4', messages: messages('Hello'), stream: true, stream_options: { include_usage: true } },
  },
  answer: ref('ChatCompletion'),
  streamed: events(
    'A chunk each, `: keep-alive` in a silence, `[DONE]` at a good end. A stream that breaks ends with an error and no `[DONE]`.',
    undefined,
    { anyOf: [only('[DONE]'), encoded(ref('ChatCompletionChunk')), encoded(ref('Error'))] },
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1732100000,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
  ),
});

const routed = 'Passed through to a service in OpenAI\'s format that lists the model.';

const completions = call('createCompletion', 'Completions', {
  description: routed,
  page: 'completions/create',
  request: open({ model: ref('ModelName'), 'prompt?': {}, ...streaming, ...bounds }),
  examples: { plain: { model: 'gpt-4o', prompt: 'Once upon a time', max_tokens: 16 } },
  answer: open({ choices: list(open({})) }),
  streamed: events('A chunk each, `[DONE]` at a good end.', undefined, { anyOf: [only('[DONE]'), encoded(open({ choices: list(open({})) })), encoded(ref('Error'))] }),
});

const embeddings = call('createEmbedding', 'Embeddings', {
  description: routed,
  page: 'embeddings/create',
  request: open({ model: ref('ModelName'), input: present('A text, texts, or tokens.') }),
  examples: { plain: { model: 'text-embedding-3-small', input: 'Hello' } },
  answer: open({ data: list(open({}), undefined, { minItems: 1 }) }),
});

const moderations = call('createModeration', 'Moderations', {
  description: routed,
  page: 'moderations/create',
  request: open({ 'model?': nullable({ type: 'string', minLength: 1, default: 'omni-moderation-latest' }), input: present('A text, texts, or parts.') }),
  examples: { plain: { input: 'Hello' } },
  answer: open({ results: list(open({}), undefined, { minItems: 1 }) }),
});

const responses = call('createResponse', 'Responses', {
  description:
    'As far as Codex and the SDKs need. `conversation`, `prompt` and `background` are refused by name. A response is kept for `settings.memory.responses_s` unless `store` is false. ' +
    '`GET` on this path answers 405, and 426 where a WebSocket is wanted.',
  page: 'responses/create',
  request: ref('ResponseRequest'),
  examples: {
    plain: { model: 'gpt-4o', input: 'Hello' },
    streamed: { model: 'gpt-4o', input: [{ type: 'message', role: 'user', content: 'Hello' }], stream: true, store: false },
  },
  answer: ref('Response'),
  streamed: events(
    "OpenAI's events, from `response.created` to `response.completed` or `response.incomplete`; `response.failed` ends a stream that breaks.",
    text(undefined, { pattern: '^(response\\.|keepalive$)' }),
    encoded(open({ type: text() })),
    'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{}}\n\n',
  ),
});

const response = {
  parameters: [inPath('id', "A kept response's id.", 'resp_0123456789abcdef0123456789abcdef')],
  get: {
    tags: ['OpenAI'],
    operationId: 'getResponse',
    summary: 'A kept response',
    parameters: [query('stream', only(false), 'Refused where true: a kept response is given as a whole.')],
    responses: { 200: json('The response.', ref('Response')), ...fails([400, 401, 404, 429, 503]) },
  },
  delete: {
    tags: ['OpenAI'],
    operationId: 'deleteResponse',
    summary: 'Forgets a response',
    responses: {
      200: json('Forgotten.', object({ id: text(), object: only('response'), deleted: only(true) })),
      ...fails([401, 404, 429, 503]),
    },
  },
};

const models = {
  get: {
    tags: ['OpenAI'],
    operationId: 'listModels',
    summary: 'The models that the key may name',
    description: 'Of all upstreams and aliases. One body for the SDKs of both families; with the header `anthropic-version`, in pages as `/anthropic/v1/models`.',
    externalDocs: docs('models/list', "OpenAI's reference"),
    responses: { 200: json('The models.', ref('ModelList')), ...fails([401, 429, 503]) },
  },
};

const model = {
  parameters: [inPath('id', "A model's name; may hold slashes.", 'gpt-4o')],
  get: {
    tags: ['OpenAI'],
    operationId: 'getModel',
    summary: 'One model',
    responses: { 200: json('The model.', ref('Model')), ...fails([401, 404, 429, 503]) },
  },
};

export const schemas = {
  ModelName: text('A name of `GET /v1/models`.', { minLength: 1 }),
  Model: object({
    id: text(),
    object: only('model'),
    created: count('Unix seconds; a made-up date.'),
    owned_by: text('The id of its upstream.'),
    type: only('model'),
    display_name: text(),
    created_at: text(undefined, { format: 'date-time' }),
  }),
  ModelList: object({ object: only('list'), data: list(ref('Model')), has_more: flag(), first_id: nullable(text()), last_id: nullable(text()) }),
  ChatCompletionRequest: open({
    model: ref('ModelName'),
    messages: list(open({ role: text() }), undefined, { minItems: 1 }),
    ...streaming,
    ...bounds,
  }),
  ChatCompletion: open({
    id: text(),
    object: only('chat.completion'),
    created: count('Unix seconds.'),
    model: text(),
    choices: list(open({ index: count(), message: open({ role: only('assistant'), 'content?': nullable(text()) }), finish_reason: text() }), undefined, { minItems: 1 }),
    'usage?': open({ prompt_tokens: count(), completion_tokens: count(), total_tokens: count() }),
  }),
  ChatCompletionChunk: open({
    id: text(),
    object: only('chat.completion.chunk'),
    created: count('Unix seconds.'),
    model: text(),
    choices: list(open({ index: count(), delta: open({}), 'finish_reason?': nullable(text()) })),
    'usage?': nullable(open({ prompt_tokens: count(), completion_tokens: count(), total_tokens: count() })),
  }),
  ResponseRequest: open({
    model: ref('ModelName'),
    input: { anyOf: [text(), list(open({}), undefined, { minItems: 1 })] },
    'instructions?': nullable(text()),
    'stream?': nullable(flag()),
    'store?': nullable(flag('Whether the response is kept. True where absent.')),
    'previous_response_id?': nullable(text('A kept response that this one continues.')),
    'max_output_tokens?': nullable(count()),
    'temperature?': nullable(number()),
    'top_p?': nullable(number()),
    'parallel_tool_calls?': nullable(flag()),
    'tools?': nullable(list(open({ type: text() }))),
    'reasoning?': nullable(open({ 'effort?': nullable(text()) })),
    'text?': nullable(open({ 'format?': nullable(open({ 'type?': nullable(text()) })) })),
    'background?': { enum: [false, null] },
    'conversation?': { type: 'null' },
    'prompt?': { type: 'null' },
  }),
  Response: open({
    id: text(undefined, { pattern: '^resp_' }),
    object: only('response'),
    created_at: count('Unix seconds.'),
    status: oneOf(['completed', 'incomplete']),
    model: text(),
    output: list(open({ type: oneOf(['message', 'reasoning', 'function_call', 'custom_tool_call']), id: text() })),
    usage: open({ input_tokens: count(), output_tokens: count(), total_tokens: count() }),
    error: { type: 'null' },
    incomplete_details: nullable(open({ reason: oneOf(['max_output_tokens', 'content_filter']) })),
    store: flag(),
  }),
};

export const paths = {
  '/v1/chat/completions': chat,
  ...also(chat, ['/chat/completions', 'createChatCompletionWithoutVersion']),
  '/v1/completions': completions,
  '/v1/embeddings': embeddings,
  '/v1/moderations': moderations,
  '/v1/responses': responses,
  '/v1/responses/{id}': response,
  '/v1/models': models,
  '/v1/models/{id}': model,
};
