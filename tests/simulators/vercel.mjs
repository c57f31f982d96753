// Vercel's REST API, as far as a project's variables and deployments go, over a real loopback socket.
//
//   const vercel = await startVercel();
//   vercel.project.variables                // [{ id, key, value, type, target }]
//   vercel.calls                            // 'METHOD /path' of every request
//   vercel.fail = { path: /deployments/, status: 500, message: 'no' }
import { once } from 'node:events';
import { createServer } from 'node:http';

export async function startVercel() {
  const simulator = new VercelSimulator();
  simulator.server.listen(0, '127.0.0.1');
  await once(simulator.server, 'listening');
  return simulator;
}

export class VercelSimulator {
  token = 'vercel-token-of-the-simulator-41c9';
  project = { id: 'prj_ds2api', team: 'team_1', variables: [], link: { type: 'github', repoId: 77, productionBranch: 'prod' } };
  deployments = [];
  calls = [];
  fail = null;

  constructor() {
    this.server = createServer(async (request, response) => {
      let text = '';
      for await (const part of request.setEncoding('utf8')) text += part;
      const [status, body] = this.#answer(request, text && JSON.parse(text));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** The `config.json` that the deployment goes by. */
  get config() {
    const variable = this.project.variables.find(({ key }) => key === 'DS2API_CONFIG_JSON');
    return variable && JSON.parse(Buffer.from(variable.value, 'base64').toString());
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  #answer(request, body) {
    const { pathname, searchParams } = new URL(request.url, this.url);
    const call = `${request.method} ${pathname}`;
    this.calls.push(call);
    const refuse = (status, code, message) => [status, { error: { code, message } }];
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      return refuse(403, 'forbidden', `Not authorized: ${request.headers.authorization}`);
    }
    if (this.fail?.path.test(pathname)) return refuse(this.fail.status, 'failed', this.fail.message);
    if ((searchParams.get('teamId') ?? this.project.team) !== this.project.team) return refuse(404, 'not_found', 'No such team.');
    const { id, variables, link } = this.project;
    const [, one] = pathname.match(new RegExp(`^/v\\d+/projects/${id}/env/(\\w+)$`)) ?? [];
    const variable = variables.find((known) => known.id === one);
    switch (call) {
      case `GET /v9/projects/${id}/env`:
        return [200, { envs: variables.map((known) => ({ ...known, value: 'encrypted text' })) }];
      case `GET /v1/projects/${id}/env/${one}`:
        return variable ? [200, variable.type === 'sensitive' ? { ...variable, value: '' } : variable] : refuse(404, 'not_found', 'No such variable.');
      case `PATCH /v9/projects/${id}/env/${one}`:
        return variable ? [200, Object.assign(variable, body)] : refuse(404, 'not_found', 'No such variable.');
      case `POST /v10/projects/${id}/env`:
        variables.push({ id: `env${variables.length + 1}`, ...body });
        return [201, { created: variables.at(-1) }];
      case `GET /v9/projects/${id}`:
        return [200, { id, link }];
      case 'POST /v13/deployments':
        this.deployments.push(body);
        return [200, { url: `ds2api-${this.deployments.length}.vercel.app` }];
      default:
        return refuse(404, 'not_found', `There is no ${call}.`);
    }
  }
}
