// Moving in and out: files of other gateways, exports, backups, the sync with Vercel, and volcengine_deepseek2api's web ids.
import { admin, body, count, flag, inPath, json, list, nullable, object, oneOf, only, open, query, ref, text, valued, whole } from './words.mjs';

const tag = 'Moving in and out';

const importing = {
  post: admin(tag, 'import', "Takes over another gateway's file", {
    description: 'As it is, whatever its type: what it is shows in its content. A `config.json` of ds2api or deepseek2api, an `apis.json` of api-together, a `webids.json`, a map of model names, lines of `user:password`, a CSV table with a header, or an export of Weir.',
    parameters: [query('dry_run', text(), 'A preview, where it is there and not `false`.')],
    requestBody: {
      required: true,
      content: {
        'text/plain': { schema: text(), examples: valued({ lines: 'me@example.com:a-made-up-password\nyou@example.com:another', ds2api: '{"keys":["sk-moved"],"accounts":[{"email":"he@example.com","password":"p"}]}' }) },
      },
    },
    responses: { 200: json('A result for each line.', ref('ImportReport')) },
  }),
};

const exporting = {
  get: admin(tag, 'export', 'The document', {
    parameters: [query('secrets', flag(), 'Whether account secrets are in the open. Client keys come sealed then.')],
    failing: [400],
    responses: { 200: json('The document.', ref('Export')) },
  }),
};

const version = inPath('version', 'A version that is kept.', 1, whole());

const backups = {
  get: admin(tag, 'listBackups', 'The versions of the document that are kept', {
    responses: {
      200: json(
        'The newest first.',
        object({ version: count('The present one.'), backups: list(object({ version: count(), at: count('Unix milliseconds.'), actor: text('From where.'), change: text('By what it was made.') })) }),
      ),
    },
  }),
};

const backup = {
  parameters: [version],
  get: admin(tag, 'getBackup', 'A version, and what differs from now', {
    parameters: [query('against', whole(), 'Another version to compare with.')],
    failing: [400, 404],
    responses: {
      200: json(
        'The version.',
        object({
          version: count(),
          against: count(),
          document: ref('Document'),
          changes: list(object({ path: list(text()), 'from?': {}, 'to?': {} }), 'Without `from` where something is new, without `to` where it is gone.'),
        }),
      ),
    },
  }),
};

const restore = {
  parameters: [version],
  post: admin(tag, 'restoreBackup', 'Brings a version back', {
    failing: [400, 404],
    responses: { 200: json('Restored.', object({ success: only(true), version: count('The new version.') })) },
  }),
};

const sync = {
  post: admin(tag, 'syncWithVercel', 'Brings accounts and aliases to a ds2api on Vercel, and deploys it', {
    description: 'To `settings.vercel_url`. The credentials are kept, sealed, after the first success; then the body may be absent.',
    requestBody: body(
      {
        type: 'object',
        properties: {
          vercel_token: nullable(text()),
          project_id: nullable(text()),
          team_id: nullable(text()),
          keys: nullable(list(text(), 'The keys that the deployment shall accept.')),
          save_credentials: { description: 'False keeps none.' },
        },
      },
      { first: { vercel_token: 'a-made-up-token', project_id: 'prj_ds2api', keys: ['sk-of-the-deployment'] } },
      { required: false },
    ),
    failing: [400, 502],
    responses: {
      200: json(
        'It is there.',
        object({
          success: only(true),
          deployment_url: nullable(text('Null where the deployment is for you to make.')),
          manual_deploy_required: flag(),
          saved_credentials: list(oneOf(['vercel_token', 'project_id', 'team_id'])),
          message: text(),
        }),
      ),
    },
  }),
};

const synced = (operationId, summary) => ({
  get: admin(tag, operationId, summary, {
    responses: {
      200: json(
        'The state.',
        object({
          has_token: flag(),
          project_id: nullable(text()),
          team_id: nullable(text()),
          has_synced_before: flag(),
          last_sync_time: nullable(count('Unix seconds.')),
          synced: flag('Whether nothing has changed since.'),
        }),
      ),
    },
  }),
});

// ------------------------------------------------------------------------------------------------ web ids

const webId = text('ASCII without spaces.', { pattern: '^[!-~]+$' });
const example = { id: 'web_1732100000000_abc123' };
const naming = (extra) => ({ type: 'object', properties: { id: webId, ...extra }, required: ['id'] });
const fresh = { authorization: nullable(text("Of the console's calls.")), upstream: nullable(text('An upstream of kind `volcengine-console`.')) };
const done = (fields) => object({ success: only(true), ...fields });
const ids = (operationId, summary, rest) => admin('Web ids', operationId, summary, rest);

const webids = {
  get: ids('listWebIds', 'All ids', {
    responses: {
      200: json(
        'The ids.',
        done({
          data: list(
            object({
              id: text(),
              account: text("Its account's id."),
              usageCount: count(),
              maxUsage: nullable(count()),
              status: oneOf(['active', 'exhausted', 'resting', 'disabled']),
              reason: nullable(text()),
              until: nullable(count('Unix milliseconds.')),
              lastUsed: nullable(count('Unix milliseconds.')),
            }),
          ),
        }),
      ),
    },
  }),
  post: ids('addWebId', 'Adds an id', {
    requestBody: body(naming(fresh), { plain: { id: 'web_1732100000001_def456' } }),
    failing: [409],
    responses: { 200: json('Added.', done({ id: text() })) },
  }),
  delete: ids('deleteWebId', 'Removes an id', { requestBody: body(naming(), { plain: example }), failing: [404], responses: { 200: json('Removed.', done({ id: text() })) } }),
};

const post = (operationId, summary, rest) => ({ post: ids(operationId, summary, rest) });

const webidPaths = {
  '/api/webids': webids,
  '/api/webids/batch': post('addWebIds', 'Adds many ids', {
    requestBody: body({ type: 'object', properties: { ids: list(text(), undefined, { minItems: 1 }), ...fresh }, required: ['ids'] }, { two: { ids: ['web_2', 'web_3'] } }),
    responses: { 200: json('A result for each.', done({ added: count(), skipped: count(), results: list(object({ id: text(), success: flag(), message: text() })) })) },
  }),
  '/api/webids/reset': post('resetWebId', 'Counts the uses of an id from 0', {
    requestBody: body(naming(), { plain: example }),
    failing: [404],
    responses: { 200: json('Done.', done({ id: text() })) },
  }),
  '/api/webids/config': post('configureWebIds', 'Bounds the uses of ids that have no bound of their own', {
    requestBody: body(
      { type: 'object', properties: { maxUsage: { anyOf: [{ const: -1 }, count(undefined, { minimum: 1 })], description: '-1: no bound.' } }, required: ['maxUsage'] },
      { twenty: { maxUsage: 20 }, none: { maxUsage: -1 } },
    ),
    responses: { 200: json('Stored.', done({ maxUsage: nullable(count()) })) },
  }),
  '/api/webids/save': post('saveWebIds', 'Nothing: every change is stored as it is made', { responses: { 200: json('Stored already.', done({ message: text() })) } }),
  '/api/webids/stats': {
    get: ids('webIdStats', 'How many ids there are, and in which state', {
      responses: {
        200: json('The counts.', done({ data: object({ total: count(), maxUsage: nullable(count()), active: count(), exhausted: count(), resting: count(), disabled: count(), totalUsage: count() }) })),
      },
    }),
  },
};

const outcome = oneOf(['added', 'changed', 'duplicate', 'failed']);

export const schemas = {
  ImportReport: object({
    success: flag('Whether no line failed.'),
    format: text('What the file is.'),
    counts: object({ added: count(), changed: count(), duplicate: count(), failed: count() }),
    results: list(
      object({
        from: text('Where it stands in the file.'),
        list: oneOf(['upstreams', 'accounts', 'keys', 'aliases', 'model_mapping', 'settings']),
        status: outcome,
        'id?': text(),
        'item?': open({}, { description: 'What was added, masked.' }),
        'error?': object({ message: text(), param: nullable(text()) }),
      }),
    ),
    ignored: list(text(), 'Fields that Weir has no use for.'),
    notes: list(text()),
    imported_accounts: count(),
    imported_keys: count(),
    dry_run: flag(),
    version: count("The document's version."),
    backup: nullable(count('The version that undoes it.')),
  }),
};

export const paths = {
  '/admin/import': importing,
  '/admin/export': exporting,
  '/admin/backups': backups,
  '/admin/backups/{version}': backup,
  '/admin/backups/{version}/restore': restore,
  '/admin/vercel/sync': sync,
  '/admin/vercel/config': synced('getVercelConfig', 'What is kept for the sync'),
  '/admin/vercel/status': synced('getVercelStatus', 'What is kept for the sync (another path)'),
  ...webidPaths,
};
