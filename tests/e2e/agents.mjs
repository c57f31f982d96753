// Claude Code and Codex CLI without a terminal, each in a home and a project of its own, with nothing but the gateway to talk to.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  claude(path, { base, format = ['json'], args = [], env = {} }) {
    return this.#start(path, ['-p', TASK, '--output-format', ...format, '--allowedTools', 'Read', 'Edit', ...args], {
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
