// Starts a Worker in workerd on a direct socket (wrangler's proxy would cost more than what is measured).
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { root } from '../scripts/run.mjs';

const MEMORY = '/dev/shm';

/** Where the Durable Objects store: in memory where there is such a place. Workerd stops for each `fsync`, milliseconds on
 *  a disk, so that nothing but the disk would be measured; Cloudflare stores otherwise. */
export const storage = process.env.WEIR_BENCH_STORAGE ?? (existsSync(MEMORY) ? MEMORY : tmpdir());

/** The file `entry` with the built Worker's modules beside it. `pid` is workerd's, null where it cannot be told. */
export async function startWorker(entry, { bindings = {}, objects = true } = {}) {
  const persist = mkdtempSync(join(storage, 'weir-bench-'));
  const settings = wranglerSettings();
  const others = processes();
  const mf = new Miniflare({
    cf: false,
    log: new Log(LogLevel.ERROR),
    defaultPersistRoot: persist,
    workers: [
      {
        name: 'bench',
        modulesRoot: root,
        modules: [{ type: 'ESModule', path: join(root, entry) }, ...(objects ? builtModules(entry) : [])],
        compatibilityDate: settings.date,
        compatibilityFlags: settings.flags,
        bindings,
        ...(objects && {
          kvNamespaces: ['CONFIG'],
          durableObjects: {
            LEDGER: { className: 'Ledger', useSQLite: true },
            REGISTRY: { className: 'Registry', useSQLite: true },
            SESSION: { className: 'Session', useSQLite: true },
            MEMORY: { className: 'Memory', useSQLite: true },
            STATS: { className: 'Stats', useSQLite: true },
          },
        }),
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
    ],
  });
  await mf.ready;
  const url = String(await mf.unsafeGetDirectURL('bench')).replace(/\/$/, '');
  const pid = processes().find((process) => !others.includes(process)) ?? null;
  const stop = async () => {
    await mf.dispose();
    rmSync(persist, { recursive: true, force: true });
  };
  return { url, pid, stop };
}

function builtModules(entry) {
  const built = readdirSync(join(root, 'build'), { recursive: true }).map(String).sort();
  const path = (name) => join(root, 'build', name);
  return [
    ...['src/entry.js', 'src/page.js'].filter((name) => name !== entry).map((name) => ({ type: 'ESModule', path: join(root, name) })),
    ...built.filter((name) => /\.m?js$/.test(name)).map((name) => ({ type: 'ESModule', path: path(name) })),
    ...built.filter((name) => name.endsWith('.wasm')).map((name) => ({ type: 'CompiledWasm', path: path(name) })),
  ];
}

function wranglerSettings() {
  const text = readFileSync(join(root, 'wrangler.toml'), 'utf8');
  const date = text.match(/^compatibility_date\s*=\s*"([^"]+)"/m)?.[1];
  const flags = text.match(/^compatibility_flags\s*=\s*\[([^\]]*)\]/m)?.[1].match(/[\w-]+/g) ?? [];
  return { date, flags };
}

/** The workerd processes that this process has started. */
function processes() {
  const found = [];
  let names;
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return found;
  }
  for (const name of names) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent === process.pid && stat.includes('(workerd)')) found.push(Number(name));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}
