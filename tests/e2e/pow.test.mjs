// The proof of work as Wasm: what runs in production, whole searches, against answers of the official solver.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { powSolver } from '../../scripts/pow.mjs';
import { root } from '../../scripts/run.mjs';

const vectors = JSON.parse(readFileSync(join(root, 'tests', 'vectors', 'deepseek-pow.json'), 'utf8'));
let solver;
before(async () => {
  solver = await powSolver();
});

test('every challenge gets the answer of the official solver', () => {
  for (const { answer, ...challenge } of vectors) assert.equal(solver.solve(challenge), answer, challenge.challenge);
});

test('a search in pieces gives the same answers, and time to others', () => {
  for (const { answer, ...challenge } of vectors.slice(0, 5)) {
    let pauses = 0;
    assert.equal(solver.solve(challenge, 1_000, () => (pauses += 1)), answer);
    const expected = answer / 1_000;
    assert.ok(Math.abs(pauses - expected) <= 0.15 * expected + 1, `${pauses} pauses before ${answer}`);
  }
});

test('the hash is the one of the service', () => {
  assert.equal(solver.hash(''), 'e594808bc5b7151ac160c6d39a02e0a8e261ed588578403099e3561dc40c26b3');
  for (const { challenge, salt, expire_at, answer } of vectors.filter(({ answer }) => answer !== null)) {
    assert.equal(solver.hash(`${salt}_${expire_at}_${answer}`), challenge);
  }
});
