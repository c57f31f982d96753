/** The variable that holds a ds2api's `config.json`. */
const VARIABLE = 'DS2API_CONFIG_JSON';

/** A failure that the caller is told: a field of its request, or what Vercel said. */
class Refused extends Error {
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}

/** One call of Vercel's API. Redirects are not followed: the token stays with its host. */
async function call({ base, vercel_token, team_id, deadline_ms }, method, path, body) {
  const url = base.replace(/\/+$/, '') + path + (team_id ? `?teamId=${encodeURIComponent(team_id)}` : '');
  let response, text;
  try {
    response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${vercel_token}`, 'content-type': 'application/json', 'user-agent': 'weir' },
      body: body && JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(deadline_ms),
    });
    text = await response.text();
  } catch {
    throw new Refused('Vercel did not answer.');
  }
  const answer = parse(text) ?? {};
  if (response.ok) return answer;
  const said = String(answer.error?.message ?? '').replaceAll(vercel_token, '***').slice(0, 300);
  throw new Refused(`Vercel answered ${response.status}. ${said}`.trim());
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A variable's value: a JSON object, or one in Base64. */
function decoded(value) {
  try {
    return parse(new TextDecoder().decode(Uint8Array.from(atob(value), (char) => char.charCodeAt(0))));
  } catch {
    return parse(value);
  }
}

const encoded = (text) => btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));

async function bring(request) {
  const { keys, accounts, aliases, project_id } = request;
  const project = `/projects/${encodeURIComponent(project_id).replaceAll('.', '%2E')}`;
  const { envs = [] } = await call(request, 'GET', `/v9${project}/env`);
  const id = envs.find(({ key }) => key === VARIABLE)?.id;
  // A variable of the type `sensitive` cannot be read.
  const present = id && (await call(request, 'GET', `/v1${project}/env/${id}`).catch(() => undefined));
  const config = decoded(present?.value ?? '') ?? {};
  if (!(keys ?? config.keys)) {
    const why = 'Weir has its own only as hashes, and the deployment names none that can be read.';
    throw new Refused(`\`keys\` is needed: the keys that the deployment shall accept. ${why}`, 'keys');
  }
  const next = { ...config, keys: keys ?? config.keys, accounts, model_aliases: { ...config.model_aliases, ...aliases } };
  const value = encoded(JSON.stringify(next));
  if (id) await call(request, 'PATCH', `/v9${project}/env/${id}`, { value });
  else await call(request, 'POST', `/v10${project}/env`, { key: VARIABLE, value, type: 'encrypted', target: ['production', 'preview'] });
  return { deployment_url: await deploy(request, project).catch(() => null) };
}

/** Deploys what the project is linked to: the new deployment's URL, or null where that is for the operator to do. */
async function deploy(request, project) {
  const { link } = await call(request, 'GET', `/v9${project}`);
  if (link?.type !== 'github') return null;
  const name = request.project_id;
  const gitSource = { type: 'github', repoId: link.repoId, ref: link.productionBranch ?? 'main' };
  const { url } = await call(request, 'POST', '/v13/deployments', { name, project: name, target: 'production', gitSource });
  return url ?? '';
}

/** Brings accounts to a ds2api, whose other fields stay, and deploys it. A JSON text in, one out: a failure is data. */
export async function sync(request) {
  try {
    return JSON.stringify(await bring(JSON.parse(request)));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return JSON.stringify({ message: error.message, field: error.field ?? null });
  }
}
