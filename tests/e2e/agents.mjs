// Coding agents without a terminal, each in a home and a project of its own, with nothing but the gateway to talk to.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CLIENT_KEY } from './harness.mjs';

const NOTES = 'The answer is 41.\n';
/** What an agent is asked to do in its project. */
export const TASK = 'The number in notes.txt should be 42. Correct it, and say so.';

/** A home and a project with the file of the task. */
export class Workplace {
  constructor(context) {
    this.root = mkdtempSync(join(tmpdir(), 'weir-agent-'));
    [this.home, this.project] = [join(this.root, 'home'), join(this.root, 'project')];
    for (const directory of [this.home, this.project]) mkdirSync(directory);
    this.file = join(this.project, 'notes.txt');
    writeFileSync(this.file, NOTES);
    context.after(() => rmSync(this.root, { recursive: true, force: true }));
  }

  get notes() {
    return readFileSync(this.file, 'utf8');
  }

  /** Runs Claude Code; `result` is its last line, as JSON. */
  claude(path, { base, ask = TASK, format = ['json'], args = [], env = {} }) {
    return this.#start(path, ['-p', ask, '--output-format', ...format, '--allowedTools', 'Read', 'Edit', ...args], {
      CLAUDE_CONFIG_DIR: join(this.home, '.claude'),
      ANTHROPIC_BASE_URL: base,
      ANTHROPIC_AUTH_TOKEN: CLIENT_KEY,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
      ...env,
    });
  }

  /** Runs Codex; `events` are its lines. Without `provider` the gateway is an entry of its own in the configuration. */
  codex(path, { base, model, provider = 'weir' }) {
    const config = `
      model = "${model}"
      check_for_update_on_startup = false
      ${provider === 'weir' ? 'model_provider = "weir"' : `openai_base_url = "${base}/v1"`}
      [analytics]
      enabled = false
      ${provider === 'weir' ? `[model_providers.weir]\nname = "Weir"\nbase_url = "${base}/v1"\nenv_key = "WEIR_KEY"\nwire_api = "responses"\nrequest_max_retries = 1\nstream_max_retries = 1` : ''}
    `;
    mkdirSync(join(this.home, '.codex'));
    writeFileSync(join(this.home, '.codex', 'config.toml'), config);
    return this.#start(path, ['exec', '--json', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', TASK], {
      CODEX_HOME: join(this.home, '.codex'),
      WEIR_KEY: CLIENT_KEY,
      CODEX_API_KEY: CLIENT_KEY,
    });
  }

  /** Runs opencode; `events` are its lines. */
  opencode(path, { base, model }) {
    const weir = { npm: '@ai-sdk/openai-compatible', name: 'Weir', options: { baseURL: `${base}/v1`, apiKey: CLIENT_KEY }, models: { [model]: {} } };
    const config = { provider: { weir }, permission: 'allow', autoupdate: false, share: 'disabled' };
    return this.#start(path, ['run', '--format', 'json', '--model', `weir/${model}`, TASK], {
      OPENCODE_CONFIG_CONTENT: JSON.stringify(config),
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    });
  }

  /** Runs Qwen Code. */
  qwen(path, { base, model }) {
    return this.#start(path, ['--auth-type', 'openai', '--yolo', '-p', TASK], {
      OPENAI_BASE_URL: `${base}/v1`,
      OPENAI_API_KEY: CLIENT_KEY,
      OPENAI_MODEL: model,
      QWEN_TELEMETRY_ENABLED: 'false',
    });
  }

  /** Runs aider, which has no tools: it reads its files itself, and edits from what the model writes. */
  aider(path, { base, model }) {
    const quiet = ['--no-git', '--no-check-update', '--no-show-model-warnings', '--no-show-release-notes', '--no-gitignore', '--no-pretty', '--analytics-disable'];
    return this.#start(path, ['--model', `openai/${model}`, '--edit-format', 'diff', '--yes-always', ...quiet, '--message', TASK, 'notes.txt'], {
      OPENAI_API_BASE: `${base}/v1`,
      OPENAI_API_KEY: CLIENT_KEY,
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
    });
  }

  /** The agent at work: `ended` resolves with its code, its output and the lines of it that are JSON; `says` waits for a part of that. */
  #start(path, args, env) {
    const kept = Object.fromEntries(['PATH', 'LANG', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
    const child = spawn(path, args, { cwd: this.project, stdio: ['ignore', 'pipe', 'pipe'], env: { ...kept, HOME: this.home, ...env } });
    const [out, err] = [[], []];
    child.stdout.on('data', (piece) => out.push(piece));
    child.stderr.on('data', (piece) => err.push(piece));
    const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
    const ended = new Promise((done, failed) => {
      child.on('error', failed);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        const [stdout, stderr] = [out, err].map((pieces) => Buffer.concat(pieces).toString());
        const events = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
        done({ code, signal, stdout, stderr, events, result: events.at(-1) });
      });
    });
    const says = (pattern) =>
      new Promise((done, failed) => {
        const heard = () => Buffer.concat(out).toString();
        child.stdout.on('data', () => pattern.test(heard()) && done());
        child.once('close', () => failed(new Error(`it ended without saying ${pattern}: ${heard()}${Buffer.concat(err)}`)));
      });
    return { child, ended, says };
  }
}

/** A door before the gateway: `passed` lists what went through it, and with what status it came back. */
export async function watch(context, base) {
  const passed = [];
  const server = createServer(async (request, response) => {
    const { host: _, connection: __, ...headers } = request.headers;
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const answer = await fetch(base + request.url, { method: request.method, headers, ...(pieces.length > 0 && { body: Buffer.concat(pieces) }) });
    passed.push({ path: request.url, status: answer.status });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    if (answer.body === null) response.end();
    else await pipeline(Readable.fromWeb(answer.body), response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, passed };
}
