// Builds the description of Weir's routes: openapi/ into public/openapi.json, which Cloudflare serves as a static asset.
//
//   node scripts/build-openapi.mjs
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from '../openapi/index.mjs';
import { isMain, main, root } from './run.mjs';

const output = join(root, 'public', 'openapi.json');

/** Writes the description, unless it is there as it should be. */
export function buildDescription() {
  const [, version] = /^version = "(.+)"$/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'));
  const text = JSON.stringify(describe(version));
  if (existsSync(output) && readFileSync(output, 'utf8') === text) return;
  mkdirSync(join(root, 'public'), { recursive: true });
  writeFileSync(`${output}.new`, text);
  renameSync(`${output}.new`, output);
}

if (isMain(import.meta.url)) await main(buildDescription);
