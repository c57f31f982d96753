// The words that the description is written in: schemas, answers and failures, each in one line where it is used.
//
// Fields of an object are required unless their name ends with `?`. A request's object says whether it takes other fields:
// `takes` refuses them, `open` lets them pass. An answer's object has all the fields that there are.

export const ref = (name) => ({ $ref: `#/components/schemas/${name}` });

// ------------------------------------------------------------------------------------------------ schemas

const typed = (type) => (description, rest) => ({ type, ...(description && { description }), ...rest });

export const text = typed('string');
export const flag = typed('boolean');
export const number = typed('number');
/** An integer that is not negative. */
export const count = (description, rest) => typed('integer')(description, { minimum: 0, ...rest });
/** One of 32 bits. */
export const count32 = (description, rest) => count(description, { maximum: 4_294_967_295, ...rest });
export const only = (value, description) => ({ const: value, ...(description && { description }) });
export const oneOf = (values, description, rest) => ({ type: 'string', enum: values, ...(description && { description }), ...rest });
export const list = (items, description, rest) => ({ type: 'array', items, ...(description && { description }), ...rest });
export const map = (values, description, rest) => ({ type: 'object', additionalProperties: values, ...(description && { description }), ...rest });
/** Anything but null. */
export const present = (description) => ({ type: ['string', 'number', 'boolean', 'object', 'array'], ...(description && { description }) });

/** Or null. */
export function nullable(schema) {
  if (schema.$ref) return { anyOf: [schema, { type: 'null' }] };
  return { ...schema, type: [...new Set([schema.type, 'null'].flat())], ...(schema.enum && { enum: [...schema.enum, null] }) };
}

export function object(fields, rest) {
  const named = Object.entries(fields).map(([name, schema]) => [name.replace(/\?$/, ''), schema]);
  const required = Object.keys(fields).filter((name) => !name.endsWith('?'));
  return { type: 'object', properties: Object.fromEntries(named), ...(required.length > 0 && { required }), ...rest };
}

export const takes = (fields, rest) => object(fields, { additionalProperties: false, ...rest });
export const open = (fields, rest) => object(fields, { additionalProperties: true, ...rest });

/** The same fields, none of them required, null where one is to be removed: a JSON merge patch (RFC 7396). `needed` must stay. */
export function patch(fields, needed) {
  const changed = Object.entries(fields).map(([name, schema]) => [`${name.replace(/\?$/, '')}?`, name.replace(/\?$/, '') === needed ? schema : nullable(schema)]);
  return takes(Object.fromEntries(changed));
}

// ------------------------------------------------------------------------------------------------ requests

const content = (type, schema, rest) => ({ [type]: { schema, ...rest } });

/** Examples by their names. */
export const valued = (examples) => Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));

/** A JSON body, with examples. */
export const body = (schema, examples, rest) => ({
  required: true,
  content: content('application/json', schema, examples && { examples: valued(examples) }),
  ...rest,
});

/** A whole number of a query. */
export const whole = (rest) => count(undefined, { maximum: Number.MAX_SAFE_INTEGER, ...rest });
export const query = (name, schema, description, rest) => ({ name, in: 'query', description, schema, ...rest });
export const inPath = (name, description, example, schema = { type: 'string' }) => ({ name, in: 'path', required: true, description, schema, example });

// ------------------------------------------------------------------------------------------------ answers

const header = (name) => ({ $ref: `#/components/headers/${name}` });
const every = { 'x-request-id': header('RequestId') };
const pooled = { 'x-weir-attempts': header('Attempts'), 'x-weir-queue-ms': header('QueueMs'), 'x-weir-model': header('Model') };
const waits = { 'retry-after': header('RetryAfter'), 'retry-after-ms': header('RetryAfterMs'), 'x-should-retry': header('ShouldRetry') };

/** What an answer's headers are. */
export const headers = {
  RequestId: { description: 'The id of this request, in the log and in every error; `request-id` has it too.', required: true, schema: text(undefined, { pattern: '^req_[0-9a-f]{32}$' }), example: 'req_0123456789abcdef0123456789abcdef' },
  Attempts: { description: 'Accounts that were tried.', schema: count(), example: 1 },
  QueueMs: { description: 'Milliseconds in the queue.', schema: count(), example: 0 },
  Model: { description: "The model that was asked last, by its upstream's name, percent-encoded.", schema: text(), example: 'deepseek-v4-pro' },
  RetryAfter: { description: 'Seconds until a new try makes sense. Absent where nobody knows, or where nobody should sit it out.', schema: count(undefined, { minimum: 1 }), example: 12 },
  RetryAfterMs: { description: 'The same in milliseconds.', schema: count(undefined, { minimum: 1 }), example: 11_400 },
  ShouldRetry: { description: '`false` where the wait is longer than a minute, or unknown: the SDKs then raise at once.', schema: only('false') },
};

export const json = (description, schema, rest) => ({ description, headers: every, content: content('application/json', schema, rest) });

/** Server-sent events: OpenAPI 3.1 has no word for them, so the schema is that of each, by its fields. */
export const events = (description, names, data, example) => content('text/event-stream', object({ [names ? 'event' : 'event?']: names ?? text(), data }, { description }), { example });
/** A text that is JSON. */
export const encoded = (schema) => ({ type: 'string', contentMediaType: 'application/json', contentSchema: schema });

/** An answer of a call on an account: JSON, or events where the request says `"stream": true`. */
export const answered = (schema, streamed) => ({
  description: streamed ? 'The answer: JSON, or server-sent events where `stream` is true.' : 'The answer.',
  headers: { ...every, ...pooled },
  content: { ...content('application/json', schema), ...streamed },
});

const failures = {
  400: ['InvalidRequest', 'Bad JSON, or a wrong field, which the error names.'],
  401: ['InvalidKey', 'No key or session, or one that is unknown, disabled or expired.'],
  403: ['ModelNotAllowed', 'The key may not use the model.'],
  404: ['NotFound', 'No upstream has the model, or there is no such thing.'],
  409: ['Conflict', 'Another thing stands in the way.'],
  413: ['RequestTooLarge', 'The body is larger than `settings.max_body_bytes`; of a login, than 16 KiB.'],
  429: ['RateLimited', 'A limit, the full queue, or a wait beyond `settings.queue.max_wait_ms`.', waits],
  502: ['UpstreamFailed', 'Every try failed.'],
  503: ['Unavailable', 'No account can serve, or Weir lacks a secret.', waits],
  504: ['UpstreamTimeout', 'No first event, or silence, past its deadline.'],
  '4XX': ['Refused', "The upstream's own refusal of this request, passed on with its status. It is never retried."],
};

/** The failures of a route, as references. `dialect` is '' for OpenAI's form, 'Anthropic' for the other. */
export const fails = (statuses, dialect = '') => Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${dialect}${failures[status][0]}` }]));

/** All failures, in both forms. */
export function failureResponses() {
  const all = {};
  for (const [dialect, schema] of [['', 'Error'], ['Anthropic', 'AnthropicError']]) {
    for (const [name, description, more] of Object.values(failures)) {
      all[dialect + name] = { description, headers: { ...every, ...more }, content: content('application/json', ref(schema)) };
    }
  }
  return all;
}

// ------------------------------------------------------------------------------------------------ routes

/** The failures that any call of a model can have. */
export const callFails = [400, 401, 403, 404, 413, 429, 502, 503, 504, '4XX'];
/** A route of the operator. */
export const admin = (tag, operationId, summary, { responses, failing = [], ...rest }) => ({
  tags: [tag],
  operationId,
  summary,
  security: [{ adminSession: [] }],
  ...rest,
  responses: { ...responses, ...fails([...new Set([...failing, ...(rest.requestBody ? [400, 413] : []), 401, 503])].sort()) },
});

/** The same operation under other paths. */
export const also = (operation, ...paths) =>
  Object.fromEntries(
    paths.map(([path, operationId]) => {
      const same = Object.entries(operation).map(([method, described]) => [method, { ...described, operationId, summary: `${described.summary} (another path)` }]);
      return [path, Object.fromEntries(same)];
    }),
  );
