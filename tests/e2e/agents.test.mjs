// Coding agents, unmodified, do a task of several turns through the gateway: they read a file, edit it and report.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { ensureAgent } from '../../scripts/agents.mjs';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { speakDeepSeek, speakOpenAi } from '../simulators/model.mjs';
import { Gate, startSimulator } from '../simulators/openai.mjs';
import { TASK, Workplace, watch } from './agents.mjs';
import { create } from './claude-client.mjs';
import { CLIENT_KEY, eventually, pools, secretOf, start } from './harness.mjs';

const [claude, codex, opencode, qwen, aider] = await Promise.all(['claude', 'codex', 'opencode', 'qwen', 'aider'].map(ensureAgent));
const unlessRuns = ({ reason }) => ({ skip: reason ?? false });
const [skipClaude, skipCodex] = [claude, codex].map(unlessRuns);
const account = 'one@example.com';
const kinds = {};

before(async () => {
  // The service that insists on thoughts in a tool turn (C4).
  const [sim, chat] = await Promise.all([startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount(account);
  const settings = { max_attempts: 1, deadlines: { stall_ms: 60_000 } };
  const aliases = { 'house/coder': 'deepseek-reasoner' };
  const pool = { upstream: { reasoning: 'thinking' } };
  const native = await start({ config: pools(sim, { 'deepseek-chat': pool, 'deepseek-reasoner': pool }, { settings, aliases }) });
  const emulated = await start({
    config: {
      keys: [CLIENT_KEY], upstreams: [{ id: 'deepseek-web', base_url: chat.url }], settings, aliases,
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
    'a name of the operator\'s own (A52)': { args: ['--model', 'house/coder'], served: 'deepseek-reasoner' },
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

  test(`Claude Code, ${kind}: /context counts by the gateway (A45)`, skipClaude, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    const { url, passed } = await watch(context, upstream.weir.url);
    const { code, events, stdout, stderr } = await place.claude(claude.path, { base: url, ask: '/context', format: ['stream-json', '--verbose'], args: ['--model', 'claude-sonnet-4-5'] }).ended;
    assert.equal(code, 0, stdout + stderr);
    const counts = passed.filter(({ path }) => path.startsWith('/v1/messages/count_tokens'));
    assert.ok(counts.length > 10, JSON.stringify(passed));
    assert.deepEqual([...new Set(counts.map(({ status }) => status))], [200]);
    const { context_usage: usage } = events.find(({ context_usage: usage }) => usage);
    const tokens = Object.fromEntries(usage.categories.map(({ name, tokens }) => [name, tokens]));
    assert.ok(tokens['System prompt'] > 1_000 && tokens['System tools'] > 1_000, JSON.stringify(tokens));
    assert.ok(usage.total_tokens > 5_000 && usage.total_tokens < usage.raw_max_tokens);
    assert.equal(upstream.asked().length, 0, 'no upstream is asked');
  });

  test(`Claude Code, ${kind}: /compact puts a summary in place of the conversation`, skipClaude, async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    const run = (more, args = []) => place.claude(claude.path, { base: upstream.weir.url, args: ['--model', 'claude-sonnet-4-5', ...args], ...more }).ended;
    upstream.speak(claudeModel(place.file));
    reported(await run(), place);
    const prompts = [];
    upstream.speak(({ offers, all }) => {
      prompts.push(all);
      return { text: /Do NOT call any tools/.test(all) ? '<analysis>Short.</analysis><summary>It was forty-one.</summary>' : 'Forty-one.' };
    });
    const { code, events, stdout, stderr } = await run({ ask: '/compact', format: ['stream-json', '--verbose'] }, ['--continue']);
    assert.equal(code, 0, stdout + stderr);
    assert.ok(events.some(({ compact_result: result }) => result === 'success'), stdout);
    const { result } = await run({ ask: 'What was the number?' }, ['--continue']);
    assert.equal(result.result, 'Forty-one.');
    const [compacting, after] = [prompts[0], prompts.at(-1)];
    assert.deepEqual([compacting, after].map((prompt) => prompt.includes(TASK)), [true, false]);
    assert.ok(after.includes('It was forty-one.') && after.includes('What was the number?'));
    await settled(upstream);
  });

  test(`Claude Code, ${kind}: its permission classifier gets a verdict that begins with <block> (A51)`, async () => {
    const upstream = kinds[kind];
    upstream.speak(() => ({ reasoning: 'It only reads.', text: '<block>no</block>\n\nIt only reads a file.' }));
    const system = [{ type: 'text', text: 'You are a permission classifier.' }];
    const shape = { model: 'claude-sonnet-4-5', stop_sequences: ['</block>'], thinking: { type: 'disabled' }, system, stream: false };
    const verdict = ['<block>no', 'stop_sequence', '</block>'];
    for (const [body, wanted] of [
      [{ ...shape, max_tokens: 64 }, verdict],
      [{ ...shape, max_tokens: 8_192 }, verdict],
      [{ model: 'claude-haiku-4-5', max_tokens: 512, temperature: 0, system }, ['<block>no</block>\n\nIt only reads a file.', 'end_turn', null]],
    ]) {
      const { message } = await create(upstream.weir, { messages: [{ role: 'user', content: 'Read notes.txt' }], ...body }, { path: '/v1/messages?beta=true' });
      assert.deepEqual([message.content.map(({ text }) => text).join(''), message.stop_reason, message.stop_sequence], wanted);
      assert.ok(message.content.every(({ type }) => type === 'text'));
    }
    const thinks = upstream.asked().map(({ body }) => body.thinking_enabled ?? body.thinking?.type !== 'disabled');
    assert.deepEqual(thinks, [false, false, false], 'nor does the model');
    await settled(upstream);
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

/** Reads the file and edits it with the tools of these names, and reports. */
const editorModel = ({ read, edit, fields: [path, before, after] }, file, seen) => ({ offers, results, all }) => {
  if (!offers(edit)) return { text: 'Notes' };
  (seen.prompts ??= []).push(all);
  if (results.length === 0) return { reasoning: 'I must look first.', calls: [[read, { [path]: file }]] };
  const number = /answer is (\d+)/.exec(results[0])?.[1];
  if (results.length === 1) return { reasoning: 'Now the edit.', calls: [[edit, { [path]: file, [before]: `is ${number}`, [after]: `is ${Number(number) + 1}` }]] };
  return { reasoning: 'Done.', text: REPORT };
};
const editors = {
  opencode: {
    name: 'opencode', agent: opencode, tools: { read: 'read', edit: 'edit', fields: ['filePath', 'oldString', 'newString'] },
    said({ events, stdout }) {
      assert.deepEqual(events.filter(({ type }) => type === 'tool_use').map(({ part: { tool, state } }) => [tool, state.status]), [['read', 'completed'], ['edit', 'completed']], stdout);
      assert.ok(events.findLast(({ type }) => type === 'step_finish').part.tokens.input > 500, 'its context meter');
      return events.findLast(({ type }) => type === 'text').part.text;
    },
  },
  qwen: { name: 'Qwen Code', agent: qwen, tools: { read: 'read_file', edit: 'edit', fields: ['file_path', 'old_string', 'new_string'] }, said: ({ stdout }) => stdout.trim() },
};

for (const kind of ['native tools', 'emulated tools']) {
  for (const [command, { name, agent, tools, said }] of Object.entries(editors)) {
    test(`${name}, ${kind}: reads, edits and reports`, unlessRuns(agent), async (context) => {
      const [upstream, place, seen] = [kinds[kind], new Workplace(context), {}];
      upstream.speak(editorModel(tools, place.file, seen));
      const run = await place[command](agent.path, { base: upstream.weir.url, model: 'deepseek-reasoner' }).ended;
      assert.equal(run.code, 0, run.stdout + run.stderr);
      assert.equal(said(run), REPORT);
      assert.equal(place.notes, 'The answer is 42.\n');
      assert.equal(seen.prompts.length, 3);
      assert.ok(seen.prompts[0].includes(TASK));
      await settled(upstream);
    });
  }

  test(`aider, ${kind}: edits what the model's text says, and shows its thoughts (C17)`, unlessRuns(aider), async (context) => {
    const [upstream, place] = [kinds[kind], new Workplace(context)];
    upstream.speak(({ all }) => {
      const number = /answer is (\d+)/.exec(all)?.[1];
      const edit = `<<<<<<< SEARCH\nThe answer is ${number}.\n=======\nThe answer is ${Number(number) + 1}.\n>>>>>>> REPLACE`;
      return { reasoning: 'The sum is off by one.', text: `${REPORT}\n\nnotes.txt\n\`\`\`\n${edit}\n\`\`\`\n` };
    });
    const { code, stdout, stderr } = await place.aider(aider.path, { base: upstream.weir.url, model: 'deepseek-reasoner' }).ended;
    assert.equal(code, 0, stdout + stderr);
    assert.equal(place.notes, 'The answer is 42.\n', stdout);
    assert.match(stdout, /The sum is off by one\.[^]*Corrected 41: the answer is 42 — schön 好\./);
    assert.equal(upstream.asked().length, 1);
    await settled(upstream);
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
