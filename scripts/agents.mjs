// The coding agents that the tests drive, installed and kept per user: each is larger than all else here together.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, output, run, say, withLock } from './run.mjs';

/** The longest that an installation may take: a run of the tests is not worth more. */
const PATIENCE_MS = 120_000;
const agents = {
  claude: { name: '@anthropic-ai/claude-code', version: '2.1.329' },
  codex: { name: '@openai/codex', version: '0.169.0' },
  opencode: { name: 'opencode-ai', version: '1.18.33' },
  qwen: { name: '@qwen-code/qwen-code', version: '0.24.4' },
  aider: { name: 'aider-chat', version: '0.86.2', isPython: true },
};

/** `{ path }` of an agent's command, or `{ reason }` why there is none. */
export async function ensureAgent(command) {
  const { name, version, isPython } = agents[command];
  const directory = join(cacheDir, `${command}-${version}`);
  const path = join(directory, ...(isPython ? ['bin'] : ['node_modules', '.bin']), command);
  const complete = join(directory, 'weir-complete'); // written last
  try {
    await withLock(join(cacheDir, `${command}.lock`), async () => {
      if (existsSync(complete)) return;
      say(`installing ${name} ${version} for the tests`);
      rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory, { recursive: true });
      await (isPython ? fromPyPi : fromNpm)(directory, name, version);
      writeFileSync(complete, '');
    });
  } catch (error) {
    return { reason: `${name} ${version} did not install: ${error.message}` };
  }
  if (!output(path, ['--version'])?.includes(version)) return { reason: `${name} ${version} does not run on this system` };
  return { path };
}

async function fromNpm(directory, name, version) {
  writeFileSync(join(directory, 'package.json'), '{"private":true}');
  const options = ['--no-fund', '--no-audit', '--loglevel=error', '--fetch-retries=1'];
  await run('npm', ['install', ...options, `${name}@${version}`], { cwd: directory, quiet: true, timeout: PATIENCE_MS });
}

async function fromPyPi(directory, name, version) {
  await run('python3', ['-m', 'venv', directory], { quiet: true });
  const python = join(directory, 'bin', 'python');
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `${name}==${version}`], { quiet: true, timeout: PATIENCE_MS });
}
