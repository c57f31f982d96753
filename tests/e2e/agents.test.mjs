// Claude Code and Codex CLI, unmodified, do a task of several turns through the gateway: they read a file, edit it and report.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { ensureAgent } from '../../scripts/agents.mjs';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { speakDeepSeek, speakOpenAi } from '../simulators/model.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { TASK, Workplace } from './agents.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

const claude = await ensureAgent('claude');
const codex = await ensureAgent('codex');
const skipClaude = { skip: claude.reason ?? false };
const skipCodex = { skip: codex.reason ?? false };
const account = 'one@example.com';
const kinds = {};

before(async () => {
  // The service that insists on thoughts in a tool turn (C4).
  const [sim, chat] = await Promise.all([startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount(account);
  const settings = { max_attempts: 1, deadlines: { stall_ms: 60_000 } };
  const pool = { upstream: { reasoning: 'thinking' } };
  const native = await start({ config: pools(sim, { 'deepseek-chat': pool, 'deepseek-reasoner': pool }, { settings }) });
  const emulated = await start({
    config: {
      keys: [CLIENT_KEY], upstreams: [{ id: 'deepseek-web', base_url: chat.url }], settings,
      accounts: [{ id: 'one', email: account, password: `password-of-${account}`, limits: { min_gap_ms: 0 } }],
    },
  });
  kinds['native tools'] = {
    weir: native,
    speak: (model) => ['deepseek-chat', 'deepseek-reasoner'].forEach((name) => speakOpenAi(sim, name, model)),
    next: (behaviour) => sim.next('*', behaviour),
    asked: () => sim.requests.filter(({ path }) => path === '/chat/completions'),
    idle: () => sim.until(() => sim.open === 0),
    accounts: ['deepseek-chat-1', 'deepseek-reasoner-1'],
  };
  kinds['emulated tools'] = {
    weir: emulated,
    speak: (model) => speakDeepSeek(chat, model),
    next: (behaviour) => chat.next(behaviour),
    asked: () => chat.requests.filter(({ path }) => path.endsWith('/chat/completion')),
    idle: () => chat.until(() => chat.account(account).running === 0),
    accounts: ['one'],
  };
  kinds.sims = [sim, chat];
});
beforeEach(() => kinds.sims.forEach((sim) => sim.reset()));
after(async () => {
  await Promise.all(['native tools', 'emulated tools'].map((kind) => kinds[kind]?.weir.stop()));
  await Promise.all((kinds.sims ?? []).map((sim) => sim.close()));
});

/** Does the task with the tools of Claude Code; what it writes follows from what it read. */
const claudeModel = (file, seen = {}) => ({ offers, results, wantsJson, all }) => {
  if (!offers('Edit')) return { text: wantsJson ? '{"title": "Notes"}' : 'Notes' };
  (seen.prompts ??= []).push(all);
  if (results.length === 0) return { reasoning: 'I must look first.', text: 'I read the file.', calls: [['Read', { file_path: file }]] };
  const number = /answer is (\d+)/.exec(results[0])?.[1];
  if (results.length === 1) return { reasoning: 'Now the edit.', calls: [['Edit', { file_path: file, old_string: `is ${number}`, new_string: `is ${Number(number) + 1}` }]] };
  seen.edited = results[1];
  return { reasoning: 'Done.', text: `Corrected ${number}: the answer is 42 — schön 好.` };
};

/** The same with the shell of Codex. */
const codexModel = (seen = {}) => ({ results, all }) => {
  (seen.prompts ??= []).push(all);
  if (results.length === 0) return { reasoning: 'I must look first.', text: 'I read the file.', calls: [['exec_command', { cmd: 'cat notes.txt' }]] };
  const number = /answer is (\d+)/.exec(results[0])?.[1];
  if (results.length === 1) return { calls: [['exec_command', { cmd: `sed -i.bak s/${number}/${Number(number) + 1}/ notes.txt` }]] };
  return { reasoning: 'Done.', text: `Corrected ${number}: the answer is 42 — schön 好.` };
};

const REPORT = 'Corrected 41: the answer is 42 — schön 好.';

async function settled({ weir, idle, accounts }) {
  await idle();
  await eventually(async () => {
    for (const id of accounts) assert.equal((await weir.account(id)).in_flight, 0, id);
  });
}

function reported({ code, stdout, stderr, result }, place) {
  assert.equal(code, 0, stdout + stderr);
  assert.deepEqual([result.subtype, result.is_error, result.result], ['success', false, REPORT], stdout + stderr);
  assert.equal(place.notes, 'The answer is 42.\n');
  assert.ok(result.usage.input_tokens > 500, `its context meter shows ${result.usage.input_tokens}`);
  assert.ok(result.usage.output_tokens > 0);
}

for (const kind of ['native tools', 'emulated tools']) {
  for (const [what, { suffix = '', args, served }] of Object.entries({
    'a Sonnet name': { args: ['--model', 'claude-sonnet-4-5'], served: 'deepseek-chat' },
    'an Opus name, below /anthropic': { suffix: '/anthropic', args: ['--model', 'claude-opus-4-5'], served: 'deepseek-reasoner' },
    'a model\'s own name': { args: ['--model', 'deepseek-reasoner'], served: 'deepseek-reasoner' },
  })) {
    test(`Claude Code, ${kind}: reads, edits and reports, with ${what}`, skipClaude, async (context) => {
      const [upstream, place] = [kinds[kind], new Workplace(context)];
      const seen = {};
      upstream.speak(claudeModel(place.file, seen));
      const run = await place.claude(claude.path, { base: upstream.weir.url + suffix, args }).ended;
      reported(run, place);
      assert.equal(run.result.num_turns, 3);
      if (kind === 'native tools') assert.equal(upstream.asked().at(-1).body.model, served);
      assert.ok(seen.prompts[0].includes(TASK));
      assert.ok(!seen.prompts.some((prompt) => prompt.includes('x-anthropic-billing-header')), 'A11');
      await settled(upstream);
    });
  }

  test(`Claude Code, ${kind}: parallel calls keep their results, in whatever order those come (A15)`, skipClaude, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    upstream.speak(({ offers, results }) => {
      if (!offers('Read')) return { text: 'Notes' };
      if (results.length === 0) return { calls: [['Read', { file_path: place.file }], ['Read', { file_path: `${place.file}.none` }]] };
      return { text: results.join('\n---\n') };
    });
    const { result, stdout } = await place.claude(claude.path, { base: upstream.weir.url, args: ['--model', 'claude-sonnet-4-5'] }).ended;
    const [first, second, ...more] = result.result.split('\n---\n');
    assert.deepEqual([/answer is 41/.test(first), /not exist/.test(second), more], [true, true, []], stdout);
  });

  test(`Claude Code, ${kind}: a broken stream is noticed, and the turn is asked again`, skipClaude, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    upstream.speak(claudeModel(place.file));
    upstream.next(kind === 'native tools' ? { is: 'truncate', after: 4, reasoning: [], text: ['Half ', 'an ', 'answer'] } : { is: 'ok', end_at: 8 });
    const args = ['--model', 'claude-sonnet-4-5'];
    reported(await place.claude(claude.path, { base: upstream.weir.url, args }).ended, place);
    assert.ok(upstream.asked().length >= 4, 'three turns, one of them twice');
    await settled(upstream);
  });

  test(`Claude Code, ${kind}: interrupted within an answer, it leaves no account in flight`, skipClaude, async (context) => {
    const [upstream, place, gate] = [kinds[kind], new Workplace(context), new Gate()];
    upstream.speak(() => ({ text: 'words '.repeat(200) }));
    upstream.next({ is: 'ok', gate, text: Array(200).fill('word ') });
    gate.open(12);
    const format = ['stream-json', '--verbose', '--include-partial-messages'];
    const { child, ended, says } = place.claude(claude.path, { base: upstream.weir.url, format, args: ['--model', 'claude-sonnet-4-5'] });
    await says(/text_delta/);
    child.kill('SIGINT');
    const { result } = await ended;
    assert.notEqual(result?.subtype, 'success');
    gate.open(1); // a service learns that its reader is gone when it writes
    await settled(upstream);
    upstream.speak(claudeModel(place.file));
    reported(await place.claude(claude.path, { base: upstream.weir.url, args: ['--model', 'claude-sonnet-4-5'] }).ended, place);
  });

  test(`Claude Code, ${kind}: a wrong key is an error that it shows`, skipClaude, async (context) => {
    const place = new Workplace(context);
    const { result, stdout } = await place.claude(claude.path, { base: kinds[kind].weir.url, env: { ANTHROPIC_AUTH_TOKEN: 'sk-nobody', CLAUDE_CODE_MAX_RETRIES: '0' } }).ended;
    assert.equal(result?.is_error, true, stdout);
    assert.match(result.result, /401|authenticat/i);
  });

  for (const model of ['deepseek-chat', 'deepseek-reasoner']) {
    test(`Codex, ${kind}: reads, edits and reports, with ${model}`, skipCodex, async (context) => {
      const [upstream, place] = [kinds[kind], new Workplace(context)];
      const seen = {};
      upstream.speak(codexModel(seen));
      const { code, events, stdout, stderr } = await place.codex(codex.path, { base: upstream.weir.url, model }).ended;
      assert.equal(code, 0, stdout + stderr);
      const items = events.filter(({ type }) => type === 'item.completed').map(({ item }) => item);
      assert.deepEqual(items.filter(({ type }) => type === 'command_execution').map(({ exit_code }) => exit_code), [0, 0], stdout);
      assert.equal(items.findLast(({ type }) => type === 'agent_message').text, REPORT);
      assert.equal(place.notes, 'The answer is 42.\n');
      const { type, usage } = events.at(-1);
      assert.equal(type, 'turn.completed');
      assert.ok(usage.input_tokens > 500 && usage.output_tokens > 0, JSON.stringify(usage));
      assert.equal(upstream.asked().length, 3);
      assert.ok(seen.prompts[0].includes(TASK));
      await settled(upstream);
    });
  }

  test(`Codex, ${kind}: parallel and namespaced calls (R7)`, skipCodex, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    const id = '00000000-0000-7000-8000-000000000000';
    upstream.speak(({ results }) => {
      if (results.length === 0) return { calls: [['exec_command', { cmd: 'cat notes.txt' }], ['multi_agent_v1__close_agent', { target: id }]] };
      return { text: results.join('\n') };
    });
    const { events, stdout } = await place.codex(codex.path, { base: upstream.weir.url, model: 'deepseek-chat' }).ended;
    const said = events.findLast(({ item }) => item?.type === 'agent_message')?.item.text;
    assert.ok(said, stdout);
    assert.match(said, /The answer is 41\./);
    assert.ok(!/unsupported call/.test(said), said);
    assert.ok(said.includes(id), `the tool itself answers: ${said}`);
  });

  test(`Codex, ${kind}: its built-in provider leaves WebSockets at once (R3)`, skipCodex, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    upstream.speak(codexModel());
    const { code, events, stdout, stderr } = await place.codex(codex.path, { base: upstream.weir.url, model: 'deepseek-chat', provider: 'openai' }).ended;
    assert.equal(code, 0, stdout + stderr);
    assert.ok(!/Reconnecting/.test(stdout), stdout);
    assert.equal(events.findLast(({ item }) => item?.type === 'agent_message').item.text, REPORT);
    assert.equal(place.notes, 'The answer is 42.\n');
  });

  test(`Codex, ${kind}: a broken stream is asked again`, skipCodex, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    upstream.speak(codexModel());
    upstream.next(kind === 'native tools' ? { is: 'cut', after: 4, reasoning: [], text: ['Half ', 'an ', 'answer'] } : { is: 'ok', end_at: 8 });
    const { code, events, stdout, stderr } = await place.codex(codex.path, { base: upstream.weir.url, model: 'deepseek-chat' }).ended;
    assert.equal(code, 0, stdout + stderr);
    assert.equal(events.findLast(({ item }) => item?.type === 'agent_message').item.text, REPORT);
    assert.ok(!events.some(({ item }) => item?.text === 'Half an answer'));
    assert.equal(upstream.asked().length, 4);
  });
}

test('Codex stops at once at a limit that lasts until tomorrow (B2)', skipCodex, async (context) => {
  const sim = await startSimulator();
  const weir = await start({ config: pools(sim, { daily: { limits: { rpd: 0 } } }) });
  context.after(async () => {
    await weir.stop();
    await sim.close();
  });
  const place = new Workplace(context);
  const { code, events, stdout } = await place.codex(codex.path, { base: weir.url, model: 'daily' }).ended;
  assert.notEqual(code, 0);
  assert.equal(events.at(-1).type, 'turn.failed', stdout);
  assert.match(events.at(-1).error.message, /429|limit/i);
});
