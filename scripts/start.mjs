// Runs Weir on this machine: installs what is missing, builds, starts a demo upstream and the Worker.
//
//   npm start -- [--port 8787] [--demo-port 8788] [--release]
//
// Editing anything in src/ rebuilds and reloads. What is stored survives restarts, in .wrangler/state.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from './build.mjs';
import { deepseekAccount, deepseekPort, defaultPort, model, startDemoUpstream } from './demo-upstream.mjs';
import { ensurePackages, npmCommand } from './packages.mjs';
import { Failure, main, portOption, root, say } from './run.mjs';

const varsFile = join(root, '.dev.vars');
const demoKey = 'sk-weir-demo';

await main(async () => {
  const port = portOption('port', 8787);
  const release = process.argv.includes('--release');
  await refuseBusyPort(port);
  const demoPort = prepareVars();
  await ensurePackages();
  await build({ dev: !release });
  const demo = demoPort && (await startDemoUpstream(demoPort));
  try {
    await serve(port, release, () => printWelcome(port, demoPort));
  } finally {
    demo?.close();
  }
});

function refuseBusyPort(port) {
  return new Promise((free, failed) => {
    const probe = createServer();
    probe.once('error', (error) => {
      const busy = error.code === 'EADDRINUSE';
      failed(busy ? new Failure(`port ${port} is in use; choose another: npm start -- --port ${port + 10}`) : error);
    });
    probe.listen(port, '127.0.0.1', () => probe.close(free));
  });
}

/** Makes .dev.vars where there is none. Returns the port of the demo upstream that it configures, if it does. */
function prepareVars() {
  if (!existsSync(varsFile)) {
    const secret = () => randomBytes(32).toString('base64url');
    const text = readFileSync(join(root, '.dev.vars.example'), 'utf8')
      .replace(/^MASTER_KEY=.*$/m, `MASTER_KEY="${secret()}"`)
      .replace(/^ADMIN_KEY=.*$/m, `ADMIN_KEY="${secret()}"`)
      .replace(/^# CONFIG_JSON=.*$/m, `CONFIG_JSON='${JSON.stringify(demoConfig(portOption('demo-port', defaultPort)))}'`);
    writeFileSync(varsFile, text, { mode: 0o600 });
    say('made .dev.vars with new random secrets');
  }
  const configured = Number(readFileSync(varsFile, 'utf8').match(/^CONFIG_JSON=.*"id":"demo".*"http:\/\/127\.0\.0\.1:(\d+)\/v1"/m)?.[1]);
  if (!configured) return undefined;
  const wanted = portOption('demo-port', configured);
  if (wanted !== configured) {
    throw new Failure(
      `the stored configuration has the demo upstream on port ${configured}. ` +
        'To move it, delete .dev.vars and .wrangler/state (this forgets all local data), or edit it in the admin API.',
    );
  }
  return configured;
}

function demoConfig(port) {
  const account = (number) => ({
    id: `demo-${number}`,
    upstream: 'demo',
    api_key: `demo-key-${number}`,
    limits: { concurrency: 2, rpm: 60 },
  });
  return {
    keys: [{ name: 'demo', key: demoKey }],
    upstreams: [
      { id: 'demo', kind: 'openai', base_url: `http://127.0.0.1:${port}/v1`, models: [model] },
      { id: 'deepseek-web', base_url: `http://127.0.0.1:${deepseekPort(port)}` },
    ],
    accounts: [account(1), account(2), { ...deepseekAccount, upstream: 'deepseek-web', limits: { concurrency: 1, min_gap_ms: 0 } }],
  };
}

/** Runs `wrangler dev` until it ends or we are told to; calls `ready` once the Worker answers. */
async function serve(port, release, ready) {
  const wrangler = spawn(npmCommand('wrangler'), ['dev', '--ip', '127.0.0.1', '--port', String(port), '--show-interactive-dev-session=false'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      WEIR_PROFILE: release ? 'release' : 'dev', // for the [build] command
      WRANGLER_SEND_METRICS: 'false',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false', // Weir reads no request.cf: no need to fetch a sample of it
    },
  });
  let stopping = false;
  const ended = new Promise((done, failed) => {
    wrangler.on('error', failed);
    wrangler.on('exit', (code, signal) => {
      if (stopping) return done();
      failed(new Failure(`wrangler dev ended by itself (${signal ?? `exit code ${code}`}); its last lines say why`));
    });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      wrangler.kill(signal);
      setTimeout(() => wrangler.kill('SIGKILL'), 5000).unref();
    });
  }
  await Promise.race([ended, untilHealthy(port)]);
  if (!stopping) ready();
  await ended;
}

async function untilHealthy(port) {
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2000) });
      if (response.ok) return;
    } catch {
      // not listening yet
    }
    await sleep(100);
  }
}

function printWelcome(port, demoPort) {
  const url = `http://127.0.0.1:${port}`;
  console.log(`\nWeir is ready at ${url}\n\nOpen that in a browser for its page: the password is ADMIN_KEY in .dev.vars.\n`);
  if (demoPort) {
    const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Hello' }] });
    console.log(
      `Try it, with the client key ${demoKey} and the demo upstream:\n\n` +
        `  curl -N ${url}/v1/chat/completions \\\n` +
        `    -H 'Authorization: Bearer ${demoKey}' -H 'Content-Type: application/json' \\\n` +
        `    -d '${body}'\n\n` +
        'or a simulated DeepSeek account that thinks: the same with the model deepseek-reasoner.\n\n' +
        'Claude Code works on that account too; it knows one task:\n\n' +
        `  ANTHROPIC_BASE_URL=${url} ANTHROPIC_AUTH_TOKEN=${demoKey} \\\n` +
        `    claude -p 'Replace "this" by "that" in some/file.txt' --allowedTools Read Edit\n`,
    );
  }
  console.log('Ctrl-C ends everything.\n');
}
