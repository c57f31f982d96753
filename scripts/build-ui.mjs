// Builds the page: ui/ (TypeScript, Preact) bundled into public/page/, which the Worker serves as static assets.
//
//   node scripts/build-ui.mjs [--force]
//
// The file names carry a hash of their content, so that browsers may keep them for ever. Nothing is built when public/ is up
// to date, unless --force. Fails where the page is larger than `sizeLimit`.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ensurePackages } from './packages.mjs';
import { Failure, duration, isMain, main, root, say, withLock } from './run.mjs';

const source = join(root, 'ui');
const output = join(root, 'public');
const stampFile = join(output, 'page', 'build.json');
/** Gzipped, all files together. */
const sizeLimit = 120_000;

/** Builds what is not up to date. */
export async function buildUi({ force = false } = {}) {
  if (!force && isFresh()) return;
  await ensurePackages();
  await withLock(join(root, 'target', 'weir-ui.lock'), async () => {
    if (!force && isFresh()) return; // another process has just built it
    const inputs = fingerprint();
    const started = Date.now();
    const files = await bundle();
    const sizes = files.map(([name, content]) => [name, gzipSync(content, { level: 9 }).length]);
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    if (total > sizeLimit) throw new Failure(`the page has ${total} bytes gzipped, more than ${sizeLimit}: ${sizes.map(([name, size]) => `${name} ${size}`).join(', ')}`);
    place([...files, ['build.json', JSON.stringify({ inputs, sizes: Object.fromEntries(sizes) })]]);
    say(`built the page in ${duration(Date.now() - started)}: ${(total / 1000).toFixed(1)} KB gzipped of at most ${sizeLimit / 1000}`);
  });
}

async function bundle() {
  const { build } = await import('esbuild'); // here: not before ensurePackages has run
  const { outputFiles } = await build({
    entryPoints: { app: join(source, 'src', 'main.tsx') },
    outdir: join(output, 'page'),
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none',
    entryNames: '[name]-[hash]',
    logLevel: 'warning',
  });
  const files = outputFiles.map(({ path, contents }) => [path.slice(path.lastIndexOf('/') + 1), Buffer.from(contents)]);
  const named = (ending) => files.find(([name]) => name.endsWith(ending))[0];
  const html = readFileSync(join(source, 'index.html'), 'utf8').replace('app.css', named('.css')).replace('app.js', named('.js'));
  return [...files, ['icon.svg', readFileSync(join(source, 'icon.svg'))], ['index.html', Buffer.from(html)]];
}

/** Puts the files where they are served from: whole or not at all, and no file of an older build beside them. */
function place(files) {
  const staged = join(output, 'page.new');
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(staged, { recursive: true });
  for (const [name, content] of files) writeFileSync(join(staged, name), content);
  rmSync(join(output, 'page'), { recursive: true, force: true });
  renameSync(staged, join(output, 'page'));
  writeFileSync(join(output, '_headers'), readFileSync(join(source, '_headers')));
  writeFileSync(join(output, '.assetsignore'), 'page/build.json\npage.new\nopenapi.json.new\n');
}

function isFresh() {
  return existsSync(stampFile) && JSON.parse(readFileSync(stampFile, 'utf8')).inputs === fingerprint();
}

function fingerprint() {
  const hash = createHash('sha256');
  const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
  for (const path of [...paths, join(root, 'package-lock.json'), join(root, 'scripts', 'build-ui.mjs')]) {
    const content = readFileSync(path);
    hash.update(`${path.slice(root.length)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

if (isMain(import.meta.url)) await main(() => buildUi({ force: process.argv.includes('--force') }));
