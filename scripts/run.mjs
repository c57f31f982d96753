// Small helpers that every script here needs: running commands, locks, plain failures.
// Only Node's own modules: these scripts run before `npm ci` has.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** What outlives a clone: built tools and the Python environment of the tests. */
export const cacheDir = process.env.WEIR_CACHE
  ? resolve(process.env.WEIR_CACHE)
  : join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'weir');

/** A failure the user can mend: printed without a stack trace. */
export class Failure extends Error {}

export const say = (text) => console.error(`weir: ${text}`);

/** Runs a command; fails with a Failure when it does not exit with 0, in `timeout` ms. `quiet` shows its output only then. */
export function run(command, args, { env = {}, cwd = root, quiet = false, timeout } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      cwd,
      timeout,
      env: { ...process.env, ...env },
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    });
    const tail = [];
    for (const stream of quiet ? [child.stdout, child.stderr] : []) {
      stream.on('data', (chunk) => tail.push(chunk));
    }
    child.on('error', (error) => failed(new Failure(`cannot run ${command}: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return done();
      const output = Buffer.concat(tail).toString().trimEnd();
      failed(new Failure(`${command} ${args.join(' ')} ended with ${signal ?? `exit code ${code}`}${output && `\n${output}`}`));
    });
  });
}

/** The trimmed standard output of a command, or null when it cannot be run or fails. */
export function output(command, args, { env = {}, cwd = root } = {}) {
  const { status, stdout } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : null;
}

/** Whether a command runs and succeeds; its output is dropped. */
export const succeeds = (command, args, options) => output(command, args, options) !== null;

/** Runs `work` while no other process runs work under the same lock directory. */
export async function withLock(directory, work) {
  const owner = join(directory, 'pid');
  mkdirSync(dirname(directory), { recursive: true });
  for (let waited = 0; ; waited += 1) {
    try {
      mkdirSync(directory);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (ownerIsGone(owner, waited)) {
      rmSync(directory, { recursive: true, force: true });
      continue;
    }
    if (waited === 5) say(`waiting for another process to release ${directory}`);
    await sleep(200);
  }
  writeFileSync(owner, String(process.pid));
  try {
    return await work();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function ownerIsGone(owner, waited) {
  let pid;
  try {
    pid = Number(readFileSync(owner, 'utf8'));
  } catch {
    return waited > 10; // made, but its pid never written: its owner died in between
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** "4.2 s", "3 min 05 s". */
export function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const rest = String(Math.round(seconds) % 60).padStart(2, '0');
  return `${Math.floor(Math.round(seconds) / 60)} min ${rest} s`;
}

/** The entry of a script: prints failures plainly and sets the exit code. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(error instanceof Failure ? `\nweir: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Whether this module is the script that node was asked to run. */
export const isMain = (url) => process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(url);

/** The port given as `--name 123` or `--name=123`, else the default. */
export function portOption(name, otherwise) {
  const args = process.argv.slice(2);
  const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (at < 0) return otherwise;
  const text = args[at].includes('=') ? args[at].slice(name.length + 3) : args[at + 1];
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65535) throw new Failure(`--${name} needs a port number, not "${text}"`);
  return value;
}
