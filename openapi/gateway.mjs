// What Weir says of itself, and to the holder of a key.
import { also, count, fails, flag, json, list, nullable, number, object, only, ref, text } from './words.mjs';

function times(description) {
  return object({ count: count(), mean: nullable(count()), p50: nullable(count()), p95: nullable(count()) }, { description });
}

/** The figures of some calls. */
export const figures = {
  requests: count(),
  succeeded: count(),
  failed: count(),
  cancelled: count('Their callers left.'),
  success_rate: nullable(number('Of those whose callers stayed.', { minimum: 0, maximum: 1 })),
  latency_ms: times('From the request to the last byte, of those that succeeded.'),
  ttft_ms: times("From the request to a stream's first event."),
  tokens: ref('Tokens'),
};

const health = {
  get: {
    tags: ['Gateway'],
    operationId: 'health',
    summary: 'Whether Weir is there',
    description: 'Names no account. `/` gives a browser, which asks for `text/html`, the page.',
    security: [],
    responses: { 200: json('It is.', object({ status: only('ok'), version: text(), timestamp: count('Unix seconds.') })) },
  },
};

const status = {
  get: {
    tags: ['Gateway'],
    operationId: 'status',
    summary: 'Every account: its limits and what is used',
    description: "In api-together's shape: by id, without secrets, models or addresses.",
    responses: {
      200: json(
        'The accounts.',
        object({
          service: only('weir'),
          timestamp: text(undefined, { format: 'date-time' }),
          waiting: count('Callers in the queue.'),
          apis: list(
            object({
              id: text(),
              name: text(),
              enabled: flag(),
              available: flag('Whether it can take a call now.'),
              temporarilyDisabled: flag(),
              errorCount: count('Failures in a row.'),
              limits: ref('Limits'),
              usage: ref('Usage'),
            }),
          ),
        }),
      ),
      ...fails([401, 429, 503]),
    },
  },
};

const me = {
  get: {
    tags: ['Gateway'],
    operationId: 'me',
    summary: 'What the key may do, and has done',
    responses: {
      200: json(
        'The key. Names no account and no other key.',
        object({
          object: only('key'),
          id: text(),
          name: text(),
          expires_at: nullable(text(undefined, { format: 'date-time' })),
          models: list(text()),
          limits: ref('Limits'),
          usage: ref('Usage'),
          left: object({ 'rpm?': count(), 'rpd?': count(), 'tpm?': count(), 'concurrency?': count(), 'max_uses?': count() }, { description: 'Of each limit that there is.' }),
          in_flight: count(),
          today: { ...nullable(object(figures)), description: 'Null where nothing is recorded.' },
          day_ends_at: text(undefined, { format: 'date-time' }),
          timezone: text(),
        }),
      ),
      ...fails([401, 404, 429, 503]),
    },
  },
};

export const schemas = {
  Usage: object({
    rpm: count('Calls of the last 60 seconds.'),
    rpd: count('Calls of the day.'),
    tpm: count('Tokens used in the last 60 seconds, and reserved.'),
    uses: count('Calls since the count was last reset.'),
  }),
  Tokens: object({ prompt: count(), completion: count('Reasoning included.'), reasoning: count(), cached: count('Of the prompt.') }),
  Error: object({
    error: object({
      message: text(),
      type: text('`invalid_request_error`, `authentication_error`, `permission_denied`, `rate_limit_error`, `upstream_error`, `upstream_timeout`, `service_unavailable`, or an upstream\'s own.'),
      param: nullable(text('The field that is wrong, as a JSON path.')),
      code: nullable(text('`invalid_api_key`, `model_not_found`, `queue_full`, `daily_limit`, `rate_limited`, `key_limit`, `no_account`, …')),
    }),
  }),
  AnthropicError: object({
    type: only('error'),
    error: object({ type: text('`invalid_request_error`, `authentication_error`, `not_found_error`, `rate_limit_error`, `api_error`, …'), message: text(), 'details?': object({ error_code: text(), unsupported: list(text()) }) }),
    request_id: text(),
  }),
};

export const paths = {
  '/health': health,
  ...also(health, ['/healthz', 'healthz'], ['/', 'root'], ['/api/hello', 'hello'], ['/anthropic', 'anthropicRoot'], ['/anthropic/api/hello', 'anthropicHello']),
  '/v1/status': status,
  '/v1/me': me,
};
