// What the pool does and did.
import { figures } from './gateway.mjs';
import { admin, body, count, flag, json, list, nullable, number, object, oneOf, only, open, query, ref, text, whole } from './words.mjs';

const tag = 'Observing';
const at = (description) => nullable(count(`${description} Unix milliseconds.`));

const queue = {
  get: admin(tag, 'queueStatus', 'What the pool is doing', {
    description: "In ds2api's shape, and more.",
    responses: {
      200: json(
        'The pool.',
        object({
          total_accounts: count(),
          healthy_accounts: count('Those that can take a call now.'),
          queue_size: count('Callers that wait.'),
          accounts: list(ref('AccountStatus')),
          keys: list(object({ id: text(), in_flight: count(), limits: ref('Limits'), usage: ref('Usage') })),
        }),
      ),
    },
  }),
};

const obstacle = nullable(text('Why an account cannot serve: `off`, `cooling`, `parked`, `needs_login`, `disabled`, `trial`, `busy`, `tried`, or `limit_` and the name of a limit.'));
const considered = object({ id: text(), upstream: text(), eligible: flag(), code: obstacle, passed_over: nullable(text('The same in plain words.')), until_ms: at('When that ends.') });

const explain = {
  post: admin(tag, 'explain', 'Who would serve a chat, and why others would not', {
    description: 'Nothing is sent, and nothing changes. `key` is the id of a client key whose limits shall count.',
    requestBody: body(open({ model: ref('ModelName'), messages: list(open({ role: text() }), undefined, { minItems: 1 }), 'key?': {} }), { plain: { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello' }], key: 'laptop' } }),
    failing: [404],
    responses: {
      200: json(
        'The explanation.',
        object({
          model: text(),
          allowed: flag('Whether the key may use the model.'),
          tokens: count('The estimate that is reserved.'),
          route: list(object({ upstream: text(), model: text('Its name there.') })),
          explanation: object({ serves: nullable(text('The account that would serve now.')), wait_ms: nullable(count('The least wait.')), obstacle: nullable(text()), considered: list(considered) }),
        }),
      ),
    },
  }),
};

const named = (extra = {}) => list(object({ name: text(), ...figures, ...extra }));

const stats = {
  get: admin(tag, 'stats', 'Figures of the calls', {
    parameters: [query('window', oneOf(['24h', '7d', '30d'], undefined, { default: '24h' }), 'How far back. Days are those of UTC.')],
    failing: [400],
    responses: {
      200: json(
        'The figures.',
        object({
          window: text(),
          enabled: flag('Whether calls are recorded.'),
          from: count('Unix milliseconds.'),
          until: count('Unix milliseconds.'),
          step_ms: count('Between two points of the series.'),
          ...figures,
          strangers: count('Requests that were refused without a good key; not among the others.'),
          lost: count('Records that could not be stored.'),
          models: named(),
          accounts: named(),
          keys: named({ 'display_name?': text() }),
          series: list(object({ time: count('Unix milliseconds.'), ...figures })),
        }),
      ),
    },
  }),
};

const paging = [
  query('limit', whole({ default: 100 }), 'Entries of a page; the bounds are 1 and 1,000.'),
  query('before', whole(), "Those before this `seq`: a page's `next`."),
];

const page = (name, entry) => json('A page, newest first.', object({ [name]: list(entry), next: nullable(count('For the next page; null at the end.')) }));

const logs = {
  get: admin(tag, 'logs', 'The latest calls, each with its receipt, and requests without a good key', {
    parameters: [
      ...paging,
      query('key', text(), "A key's id."),
      query('account', text(), "An account's id."),
      query('status', text(), '`ok`, `error`, a status such as `429`, or `4xx`.'),
    ],
    failing: [400],
    responses: { 200: page('logs', ref('LogEntry')) },
  }),
};

const audit = {
  get: admin(tag, 'audit', 'The latest admin writes, exports with secrets, and logins that were refused', {
    parameters: paging,
    failing: [400],
    responses: {
      200: page(
        'audit',
        object({
          seq: count(),
          time: count('Unix milliseconds.'),
          address: text(),
          session: nullable(text('A name of the session, from which its token cannot be read.')),
          method: text(),
          path: text(),
          fields: list(text(), 'The names of the fields that were sent, and no value.'),
          id: nullable({ type: 'string' }),
          version: nullable(count("The document's version after it.")),
          outcome: oneOf(['ok', 'wrong_password', 'throttled']),
          'unnoted?': count('Refused logins before this one that were not written down.'),
        }),
      ),
    },
  }),
};

const share = number(undefined, { minimum: 0 });

const plan = {
  get: admin(tag, 'plan', "What of Cloudflare's allowances was used, as Weir measured it", {
    responses: {
      200: json(
        'The meters.',
        object({
          meters: list(
            object({
              name: oneOf(['requests', 'durable_object_requests', 'kv_reads', 'kv_writes', 'rows_written', 'rows_read']),
              today: count(),
              month: count(),
              free: object({ per_day: count(), share }),
              paid: object({ per_month: count(), share }),
            }),
          ),
          resets_at: count('Unix milliseconds.'),
          note: text(),
        }),
      ),
    },
  }),
};

const outcome = oneOf(['success', 'caller_error', 'cancelled', 'unused', 'rate_limited', 'failure', 'invalid_credential', 'needs_login', 'parked', '']);

export const schemas = {
  AccountStatus: object({
    id: text(),
    upstream: text(),
    email: text('Or what else it is known by.'),
    enabled: flag(),
    available: flag('Whether it can take a call now.'),
    state: oneOf(['ready', 'busy', 'limited', 'cooling', 'trial', 'parked', 'needs_login', 'disabled', 'off']),
    status: text('The same as `state`.'),
    code: obstacle,
    reason: nullable(text('Why, in plain words.')),
    until: at('When that ends.'),
    until_ms: at('The same as `until`.'),
    in_flight: count(),
    limits: ref('Limits'),
    usage: ref('Usage'),
    last_used: at('When it was last used.'),
    last_used_ms: at('The same as `last_used`.'),
    error_count: count('Failures in a row.'),
  }),
  LogEntry: object({
    seq: count(),
    id: text("The request's id."),
    time: count('When it ended, in Unix milliseconds.'),
    key: text("The key's id; empty for a caller with a credential of its own."),
    key_name: text(),
    'stranger?': only(true, 'It was refused without a good key, and is not among the figures.'),
    'address?': nullable(text("Where a stranger's request came from.")),
    dialect: oneOf(['openai', 'responses', 'anthropic']),
    endpoint: text(),
    stream: flag(),
    model: text(),
    served_model: text(),
    account: nullable(text()),
    upstream: nullable(text()),
    attempts: count(),
    wait_ms: count('In the queue.'),
    ttft_ms: nullable(count("Until a stream's first event.")),
    total_ms: count(),
    status: count('499 where the caller left.'),
    'tokens?': ref('Tokens'),
    'error?': object({ code: nullable(text()), message: text() }),
    receipt: object({
      candidates: list(object({ account: text(), code: obstacle, reason: nullable(text('The same in plain words.')), until_ms: at('When that ends.') }), 'Accounts that could serve it, those passed over first.'),
      more_candidates: count('Those that are not named.'),
      tries: list(object({ account: text(), upstream: text(), wait_ms: count(), ms: count(), outcome, cause: nullable(text()) })),
    }),
    'request?': text('The beginning of its body, where `settings.log_bodies` is on.'),
    'answer?': text("The beginning of the answer's."),
  }),
};

export const paths = {
  '/admin/queue/status': queue,
  '/admin/explain': explain,
  '/admin/stats': stats,
  '/admin/logs': logs,
  '/admin/audit': audit,
  '/admin/plan': plan,
};
