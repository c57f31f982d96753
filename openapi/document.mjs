// The configuration document: what its parts may be, and how they are shown.
import { count, count32, flag, list, map, nullable, object, oneOf, open, patch, ref, takes, text } from './words.mjs';

const secret = (description) => nullable(text(`${description} Reads \`***\`; sent back so, it keeps what is stored.`));
const name = (description) => text(description, { minLength: 1, maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$' });
const limit = (description) => nullable({ type: 'integer', minimum: -1, description });
const models = (description) => list(text(), description);
const mapping = map(text(), "The caller's name for a model → the upstream's.");
const expires = text('When it ends, RFC 3339.', { format: 'date-time' });
const kinds = oneOf(['openai', 'deepseek-web', 'volcengine-console'], 'Its protocol.');
const reasoning = oneOf(['thinking', 'effort'], 'How it is told to think in a translated call: by a `thinking` object, or by `reasoning_effort` alone. By its address where absent.');
const pause = (description, byDefault) => count(description, { minimum: 1, maximum: 604_800_000, default: byDefault });
const seconds = (description) => count(description, { minimum: 1 });

const keyFields = {
  'id?': nullable(name('Unique; made from the key where absent.')),
  'name?': nullable(text('For people.')),
  'key?': text('What clients present. Made by Weir where a new key has none. Reads `***`; sent back so, it stays.', { pattern: '\\S' }),
  'sealed?': nullable(text('In the place of `key`: from an export of a Weir with the same `MASTER_KEY`.')),
  'models?': nullable(models('The models it may use, `*` as a wildcard; all where absent.')),
  'limits?': ref('Limits'),
  'expires_at?': nullable(expires),
  'enabled?': flag('Whether it works.', { default: true }),
};

const upstreamFields = {
  id: name('Unique. `ark`, `deepseek`, `deepseek-web` and `volcengine-console` are built in: what is absent is as built in.'),
  'kind?': nullable(kinds),
  'base_url?': nullable(text('Where it is, without credentials, query or fragment. `/v1` is added where it has no version.', { format: 'uri' })),
  'direct?': flag('An unknown key is used as its own credential: opens the gateway to whoever has one. No key that this Weir has, had or could have made is.', { default: false }),
  'models?': nullable(models('The models it serves, `*` as a wildcard.')),
  'model_mapping?': mapping,
  'default_model?': nullable(text('Serves every name that nobody else does.')),
  'timeout_s?': nullable(seconds('The longest a plain answer may take. 600, Ark 1800.')),
  'reasoning?': nullable(reasoning),
  'max_tokens?': nullable(seconds('The most answer tokens that it takes: larger bounds of translated calls are lowered.')),
  'images?': flag('Whether it takes pictures and documents in translated calls.', { default: true }),
  'enabled?': flag('Whether it is used.', { default: true }),
};

const accountFields = {
  'id?': nullable(name('Unique; made from the rest where absent.')),
  'upstream?': nullable(text('The id of its upstream; `deepseek-web` where it has an `email` or a `mobile` and names none.')),
  'email?': nullable(text()),
  'mobile?': nullable(text()),
  'web_id?': nullable(text('A console id: ASCII without spaces.')),
  'password?': secret('Of the web account.'),
  'token?': secret("The web app's `userToken`."),
  'api_key?': secret("The service's key."),
  'authorization?': secret("Of the console's calls."),
  'limits?': ref('Limits'),
  'weight?': count32('Its share of the calls in flight.', { minimum: 1, default: 1 }),
  'priority?': { type: 'integer', format: 'int32', default: 0, description: 'Higher is served first.' },
  'enabled?': flag('Whether it is used.', { default: true }),
};

const parts = (key, upstream, account) => ({ keys: list(key), upstreams: list(upstream), accounts: list(account), aliases: ref('Aliases'), settings: ref('Settings') });
const optional = (fields) => Object.fromEntries(Object.entries(fields).map(([field, schema]) => [`${field}?`, schema]));

const shownKey = {
  id: text(),
  name: text(),
  key: text('`***`'),
  'models?': models(),
  limits: ref('Limits'),
  'expires_at?': expires,
  enabled: flag(),
};

const shownAccount = {
  id: text(),
  upstream: text(),
  'email?': text(),
  'mobile?': text(),
  'web_id?': text(),
  'password?': text('`***`'),
  'token?': text('`***`'),
  'api_key?': text('`***`'),
  'authorization?': text('`***`'),
  limits: ref('Limits'),
  weight: count(undefined, { minimum: 1 }),
  priority: { type: 'integer' },
  enabled: flag(),
};

const { key: _, ...exportedKey } = shownKey;

export const schemas = {
  Limits: takes(
    {
      'concurrency?': limit('Calls in flight at once.'),
      'rpm?': limit('Calls in any 60 seconds.'),
      'rpd?': limit('Calls in a calendar day of `settings.timezone`.'),
      'tpm?': limit('Tokens used and reserved in any 60 seconds.'),
      'min_gap_ms?': limit('Milliseconds between two calls.'),
      'max_uses?': limit('Calls until the count is reset by hand.'),
    },
    { description: 'Absent or -1 is unlimited, 0 blocks. Unlimited ones are not shown.' },
  ),
  NewKey: takes(keyFields),
  KeyPatch: patch(keyFields, 'key'),
  Key: object(shownKey),
  NewUpstream: takes(upstreamFields),
  UpstreamPatch: patch(upstreamFields, 'id'),
  Upstream: object({
    id: text(),
    kind: kinds,
    base_url: text(),
    direct: flag(),
    models: models(),
    model_mapping: mapping,
    'default_model?': text(),
    timeout_s: seconds(),
    'reasoning?': reasoning,
    'max_tokens?': seconds(),
    images: flag(),
    enabled: flag(),
  }),
  NewAccount: takes(accountFields, { description: 'What it needs depends on its upstream: an `api_key`; an `email` or `mobile` with a `password`, or a `token`; a `web_id`.' }),
  AccountPatch: patch(accountFields),
  Account: object(shownAccount),
  Aliases: map(name(), "Model names that clients may use for others; `*` stands for anything, and the longest name that fits counts.", { propertyNames: name() }),
  NewKeyOrText: { anyOf: [ref('NewKey'), text('The key alone.', { pattern: '\\S' })] },
  NewDocument: takes(optional(parts(ref('NewKeyOrText'), ref('NewUpstream'), ref('NewAccount')))),
  Document: object(parts(ref('Key'), ref('Upstream'), ref('Account'))),
  Export: object(parts(object({ ...exportedKey, 'key?': text('`***`, without the secrets'), 'sealed?': text('The hash of the key, sealed, with the secrets') }), ref('Upstream'), ref('Account')), {
    description: 'The document. With `secrets=true` its account secrets are in the open, and its keys sealed.',
  }),
  Settings: takes({
    'timezone?': text('The IANA time zone whose days `rpd` counts.', { default: 'UTC' }),
    'queue?': takes({
      'max_waiting?': count('Callers that may wait at once.', { default: 100 }),
      'max_wait_ms?': count('The longest that a caller waits.', { default: 30_000 }),
    }),
    'max_attempts?': count32('Accounts that one call may try.', { minimum: 1, default: 3 }),
    'max_body_bytes?': count('The largest request body; an operator may always send 4 MiB.', { minimum: 1, default: 33_554_432 }),
    'max_answer_bytes?': count('The longest plain answer of an upstream, and the longest text of one that is translated; a longer one is an error.', { minimum: 1, default: 16_777_216 }),
    'deadlines?': takes({
      'connect_ms?': count("Until a stream's response headers.", { minimum: 1, default: 60_000 }),
      'first_token_ms?': count("Until a stream's first event.", { minimum: 1, default: 600_000 }),
      'stall_ms?': count('Between two reads of a stream; a caller who takes nothing of it for as long counts as gone.', { minimum: 1, default: 120_000 }),
    }),
    'cooling?': takes({
      'failures?': count32('Failures in a row after which an account cools.', { minimum: 1, default: 3 }),
      'min_ms?': pause('The first cool-down after failures; doubles each time.', 10_000),
      'max_ms?': pause('The longest cool-down after failures, at least `min_ms`.', 600_000),
      'backoff_min_ms?': pause('The first pause after a 429 without `Retry-After`; doubles each time.', 1_000),
      'backoff_max_ms?': pause('The longest such pause, at least `backoff_min_ms`.', 60_000),
      'retry_after_max_ms?': pause('The longest `Retry-After` that is believed.', 86_400_000),
    }),
    'hold_headers_ms?': count("How long a stream's headers wait for its first event.", { default: 10_000 }),
    'ping_ms?': count('The longest silence before a keep-alive.', { minimum: 1, default: 15_000 }),
    'sticky_s?': count('How long a conversation prefers its account; 0 is never.', { default: 1_800 }),
    'ledger_shards?': count('Durable Objects that admission is split into.', { minimum: 1, maximum: 16, default: 1 }),
    'cors_origin?': text('The origin whose pages may call.', { default: '*' }),
    'log_bodies?': flag('Whether the log keeps the beginning of bodies.', { default: false }),
    'backups?': count32('Earlier versions of the document that are kept.', { default: 50 }),
    'vercel_url?': text('Where the sync with Vercel goes.', { format: 'uri', default: 'https://api.vercel.com' }),
    'memory?': takes({
      'reasoning?': flag('Whether the thoughts of tool calls are put back where a client did not send them.', { default: true }),
      'reasoning_s?': count('How long thoughts are kept.', { default: 21_600 }),
      'responses_s?': count('How long a stored response can be asked for and continued.', { default: 86_400 }),
      'max_bytes?': count('The most that is kept for one key.', { default: 8_388_608 }),
    }),
    'stats?': takes({
      'enabled?': flag('Whether calls are recorded.', { default: true }),
      'log_max?': count('The newest calls that the log keeps.', { minimum: 1, maximum: 10_000, default: 1_000 }),
      'log_days?': count('How long the log keeps a call.', { default: 7 }),
      'hours?': count('How many hours have figures of their own.', { minimum: 1, default: 192 }),
      'days?': count('How many days have figures of their own.', { minimum: 1, default: 92 }),
      'names_max?': count('Models, accounts and keys told apart in one hour.', { maximum: 200, default: 200 }),
      'candidates_max?': count('Accounts that a receipt names of those that were considered.', { default: 8 }),
      'batch_ms?': count('How long a record waits for others.', { maximum: 20_000, default: 1_000 }),
      'batch_max?': count('Records that are stored without waiting for more.', { default: 50 }),
      'audit_max?': count('Admin writes that are kept.', { default: 500 }),
      'refused_max?': count('Requests without a good key, and refused logins, that each log keeps beside its other entries.', { default: 100 }),
      'body_bytes?': count('Of a body, where `log_bodies` is on.', { maximum: 131_072, default: 8_192 }),
    }),
    'deepseek_web?': takes({
      'client_version?': text(undefined, { default: '2.5.1' }),
      'platform?': text(undefined, { default: 'android' }),
      'locale?': text(undefined, { default: 'zh_CN' }),
      'user_agent?': text(undefined, { default: 'DeepSeek/2.5.1 Android/35' }),
      'device_id?': text('Sent at login.', { default: 'weir' }),
      'prompt?': oneOf(['native', 'full', 'plain'], 'The marks between the turns of a conversation.', { default: 'native' }),
      'citations?': oneOf(['links', 'dropped'], 'What becomes of references to pages.', { default: 'links' }),
      'delete_sessions?': flag('Whether a conversation is deleted after its answer.', { default: true }),
      'context_tokens?': count('What a caller with too long a conversation is told as the longest.', { default: 131_072 }),
      'continue_max?': count32("How often an answer at the chat's length bound is continued.", { default: 4 }),
      'warm_s?': count('How long a prepared conversation waits; 0 prepares none.', { default: 120 }),
    }),
    'volcengine_console?': takes({
      'headers?': map(text(undefined, { pattern: '^[ -~]*$' }), 'All headers beside those of the credentials.', { propertyNames: { pattern: '^[A-Za-z0-9_-]+$' } }),
      'body?': { anyOf: [{ enum: ['openai', 'pascal'] }, open({})], description: "The body's form; in an object `\"{messages}\"` and the like stand for what is asked.", default: 'openai' },
      'message?': { anyOf: [open({}), { type: 'null' }], description: "One message's form, where `body` is an object." },
      'exhausted_on?': list(text(), "Signs that an id is used up: an error's code, message or status, with `*`."),
      'limited_on?': list(text(), 'Signs that an id came too fast.'),
      'rest_s?': count('How long a used-up id rests; 0 is until it is reset.', { default: 86_400 }),
      'max_uses?': nullable(count('Uses of an id without a bound of its own.')),
    }),
  }),
};

/** A document of a small pool: the description's examples speak of its keys, accounts and models. */
export const exampleDocument = {
  keys: [{ id: 'laptop', name: 'laptop', key: 'sk-a-made-up-key', limits: { rpm: 60, concurrency: 4 }, expires_at: '2037-01-01T00:00:00Z' }],
  upstreams: [
    { id: 'any', kind: 'openai', base_url: 'https://api.example.com/v1', models: ['gpt-4o', 'text-embedding-3-small', 'omni-moderation-latest'] },
    { id: 'spare', kind: 'openai', base_url: 'https://spare.example.com/v1', models: ['o3-*'] },
    { id: 'console', kind: 'volcengine-console', base_url: 'https://console.example.com/Chat' },
  ],
  accounts: [
    { id: 'any-1', upstream: 'any', api_key: 'a-made-up-credential', limits: { rpm: 600, rpd: -1 }, weight: 2 },
    { id: 'any-2', upstream: 'any', api_key: 'another-made-up-credential', priority: -1 },
    { id: 'web-1', upstream: 'console', web_id: 'web_1732100000000_abc123', authorization: 'a-made-up-authorization' },
  ],
  aliases: { 'gpt-4': 'gpt-4o', 'claude-*': 'gpt-4o' },
  settings: { timezone: 'Asia/Shanghai', queue: { max_waiting: 50 } },
};
