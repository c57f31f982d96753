// The operator's routes: the session, the document and its lists, and what is done with accounts.
import { exampleDocument } from './document.mjs';
import { admin, body, count, encoded, events, fails, flag, inPath, json, list, nullable, object, oneOf, only, query, ref, text } from './words.mjs';

const login = {
  post: {
    tags: ['Session'],
    operationId: 'login',
    summary: 'Begins a session of 24 hours',
    description: 'Five wrong passwords a minute from one address (of IPv6: one /64) are throttled. Without `ADMIN_KEY` every operator\'s route answers 503 and says how to set it.',
    security: [],
    requestBody: body({ type: 'object', properties: { key: text('The password: the Worker secret `ADMIN_KEY`.') }, required: ['key'] }, { password: { key: 'a-made-up-password' } }),
    responses: {
      200: json('The session.', object({ success: only(true), token: text('For `Authorization: Bearer`.'), expires_in: only(86_400, 'Seconds.') })),
      ...fails([400, 401, 413, 429, 503]),
    },
  },
};

const changed = (more = {}) => object({ success: only(true), ...more, version: count("The document's version.") });

const config = {
  get: admin('Configuration', 'getConfig', 'The document, with masked secrets', { responses: { 200: json('The document.', ref('Document')) } }),
  post: admin('Configuration', 'changeConfig', 'Merges a document by top-level field, or replaces all', {
    description: 'What is wrong is named by its JSON path, and nothing is stored.',
    parameters: [query('replace', flag(), 'Whether what is absent is removed.')],
    requestBody: body(ref('NewDocument'), { merged: { aliases: { 'gpt-4': 'gpt-4o', o3: 'o3-mini' } }, whole: exampleDocument }),
    responses: { 200: json('Stored.', changed()) },
  }),
};

/** `GET/POST /admin/{list}` and `GET/PATCH/DELETE /admin/{list}/{id}`. */
function listPaths(name, { schema, takes = `New${schema}`, id, add, change, note, inUse }) {
  const one = name.slice(0, -1);
  const found = { failing: [404] };
  return {
    [`/admin/${name}`]: {
      get: admin('Configuration', `list${schema}s`, `All ${name}`, { responses: { 200: json(`The ${name}.`, object({ [name]: list(ref(schema)) })) } }),
      post: admin('Configuration', `add${schema}`, `Adds one of the ${name}`, {
        description: note,
        requestBody: body(ref(takes), add),
        responses: { 201: json('Added.', changed({ [one]: ref(schema) })) },
      }),
    },
    [`/admin/${name}/{id}`]: {
      parameters: [inPath('id', `The ${one}'s id.`, id)],
      get: admin('Configuration', `get${schema}`, `One of the ${name}`, { ...found, responses: { 200: json(`The ${one}.`, object({ [one]: ref(schema) })) } }),
      patch: admin('Configuration', `change${schema}`, `Changes fields of one of the ${name}`, {
        ...found,
        description: 'A JSON merge patch: null removes a field.',
        requestBody: body(ref(`${schema}Patch`), change),
        responses: { 200: json('Changed.', changed({ [one]: ref(schema) })) },
      }),
      delete: admin('Configuration', `delete${schema}`, `Removes one of the ${name}`, { failing: inUse ? [404, 409] : [404], responses: { 200: json('Removed.', changed()) } }),
    },
  };
}

const keys = listPaths('keys', {
  schema: 'Key',
  takes: 'NewKeyOrText',
  id: 'laptop',
  add: { made: { name: 'phone', limits: { rpm: 20 } }, own: { id: 'tablet', key: 'sk-another-made-up-key', models: ['gpt-*'], expires_at: '2037-01-01T00:00:00Z' } },
  change: { limits: { limits: { rpm: 30, concurrency: null } }, off: { enabled: false } },
  note: 'The answer has the whole key, this once.',
});

const accounts = listPaths('accounts', {
  schema: 'Account',
  id: 'any-1',
  add: { key: { upstream: 'any', api_key: 'a-third-made-up-credential' }, web: { email: 'me@example.com', password: 'a-made-up-password' } },
  change: { limits: { limits: { rpm: 60 }, weight: 3 }, secret: { api_key: '***' } },
});

const upstreams = listPaths('upstreams', {
  schema: 'Upstream',
  id: 'spare',
  add: { service: { id: 'other', kind: 'openai', base_url: 'https://other.example.com', models: ['*'] }, builtIn: { id: 'deepseek', default_model: 'deepseek-v4-pro' } },
  change: { models: { models: ['o3-*', 'o4-*'] } },
  inUse: true,
});

const ofAccount = (operationId, summary, rest) => ({ post: admin('Accounts', operationId, summary, rest) });

const test = ofAccount('testAccount', 'Makes one short call on an account', {
  description: 'Past its limits and its place in the pool; it costs what a short call costs.',
  requestBody: body(
    {
      type: 'object',
      properties: { id: nullable(text()), email: nullable(text('In the place of `id`.')), model: nullable(text("One of the upstream's own where absent.")) },
      anyOf: ['id', 'email'].map((name) => ({ properties: { [name]: { type: 'string' } }, required: [name] })),
    },
    { plain: { id: 'any-1' }, model: { id: 'any-2', model: 'gpt-4o' } },
  ),
  failing: [404],
  responses: { 200: json('What came of it.', ref('AccountTest')) },
});

const counts = { total: count(), success: count(), failed: count(), cost: text() };
const tested = json('The results.', object({ ...counts, results: list(ref('AccountTest')) }));

const testAll = ofAccount('testAccounts', 'Makes one short call on each account, four at a time', {
  parameters: [query('stream', flag(), 'Whether each result comes as an event.')],
  requestBody: body({ type: 'object', properties: { ids: nullable(list(text(), 'All where absent.')), model: nullable(text()) } }, { some: { ids: ['any-1', 'any-2'] } }, { required: false }),
  responses: {
    200: {
      ...tested,
      content: {
        ...tested.content,
        ...events(
          'A result each, then `done` with the counts.',
          oneOf(['message', 'done']),
          { anyOf: [encoded(ref('AccountTest')), encoded(object(counts))] },
          'data: {"id":"any-1","success":true}\n\nevent: done\ndata: {"total":1,"success":1,"failed":0}\n\n',
        ),
      },
    },
  },
});

const reset = {
  parameters: [inPath('id', "The account's id.", 'any-1')],
  ...ofAccount('resetAccount', 'Counts the uses of an account from 0, and takes it for well', {
    failing: [404],
    responses: { 200: json('Done.', object({ success: only(true), id: text() })) },
  }),
};

const batch = ofAccount('addAccounts', 'Adds many accounts', {
  description: 'Good lines are kept when others fail.',
  requestBody: body(
    { anyOf: [{ type: 'object', properties: { accounts: list({}) }, required: ['accounts'] }, list({})], description: 'Accounts, as `NewAccount`; each is read alone.' },
    { two: { accounts: [{ upstream: 'any', api_key: 'a-fourth-made-up-credential' }, { upstream: 'nowhere', api_key: 'x' }] } },
  ),
  responses: { 200: json('A result for each.', ref('ImportReport')) },
});

const upstreamModels = {
  parameters: [inPath('id', "The upstream's id.", 'any')],
  get: admin('Accounts', 'listModelsOfUpstream', 'What a service itself lists, asked with the credential of one of its accounts', {
    failing: [400, 404, 502],
    responses: { 200: json('Its models.', object({ models: list(text()) })) },
  }),
};

export const schemas = {
  AccountTest: object({
    id: text(),
    'email?': nullable(text()),
    success: flag(),
    message: text('The beginning of the answer, or what went wrong.'),
    'latency_ms?': count(),
    'model?': text(),
    'tokens?': nullable(ref('Tokens')),
    'cost?': text(),
  }),
};

export const paths = {
  '/admin/login': login,
  '/admin/config': config,
  ...keys,
  ...accounts,
  ...upstreams,
  '/admin/accounts/batch': batch,
  '/admin/accounts/test': test,
  '/admin/accounts/test-all': testAll,
  '/admin/accounts/{id}/reset': reset,
  '/admin/upstreams/{id}/models': upstreamModels,
};
