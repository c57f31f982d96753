// Random answers through each dialect, over both kinds of upstream: what the official SDK's accumulator makes of the stream,
// however that is cut, is what the model said, and what a caller without a stream gets.
//
//   WEIR_SEED=1234 node --test tests/e2e/accumulate.test.mjs     the same answers again
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { blockOf } from '../simulators/model.mjs';
import { behaviours } from '../simulators/openai-behaviours.mjs';
import { planChat } from '../simulators/openai-plan.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { Dice, TOOLS, answerOf, cut, cuttingFetch } from './answers.mjs';
import { CLIENT_KEY, pools, start } from './harness.mjs';

const seed = process.env.WEIR_SEED ?? String(Date.now() % 1_000_000);
const ANSWERS = 60;
const AT_ONCE = 6;
/** Tokens that a caller allows of an answer that must be cut, and text that is longer. */
const LIMIT = 20;
const MORE = ' and on'.repeat(2 * LIMIT);
const FILTERED = 'Let’s talk about something else.';
const names = Array.from({ length: AT_ONCE }, (_, at) => `accumulate-${at}@example.com`);
let sim, chat, weir;
/** What the upstreams say, by the number in the question. */
const scripts = new Map();
let asked = 0;

before(async () => {
  [sim, chat] = await Promise.all([startSimulator({ profile: 'deepseek' }), startDeepSeek({ difficulty: 2 })]);
  for (const name of names) chat.addAccount(name);
  const config = pools(sim, { native: { upstream: { reasoning: 'thinking' } } });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push(...names.map((email) => ({ id: email, email, password: `password-of-${email}`, limits: { min_gap_ms: 0 } })));
  weir = await start({ config: { ...config, settings: { max_attempts: 1 } } });
  const scriptOf = (text) => scripts.get(/Answer number ([^.]+)\./.exec(text)[1]);
  sim.onModel('native', (call) => speakNatively(call, scriptOf(JSON.stringify(call.body.messages))));
  chat.script = (prompt) => scriptOf(prompt).web;
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), chat?.close()]);
});

// ------------------------------------------------------------------------------------------ upstreams

function speakNatively(call, script) {
  const thinks = call.body.thinking?.type !== 'disabled';
  const tools = script.calls.map(({ name, json }, at) => ({ id: `call_${script.number}_${at}_of_accumulate`, type: 'function', function: { name, arguments: json.join('') } }));
  const options = {
    ...script.wire,
    reasoning: thinks ? script.thoughts : [],
    text: script.text,
    tools,
    finish: script.finish,
    cutArguments: (_, index) => script.calls[index].json,
  };
  script.usage = script.wire.usageOn === 'none' ? null : dialects['Chat Completions'].usage(call.profile.usage(planChat(call, options)));
  return behaviours.ok(call, options);
}

/** How a service sends an answer. */
function wireOf(dice, { thoughts, text, calls }) {
  const chunks = thoughts.length + text.length + calls.flatMap(({ json }) => json).length;
  // A short answer comes byte by byte, a long one in not many more pieces.
  const [longest, sizes] = [dice.pick([1, 3, 40]) * Math.ceil((chunks + 1) / 2), new Dice(dice.roll())];
  return {
    usageOn: dice.pick(['extra', 'extra', 'finish', 'none']),
    promptTokens: dice.between(1, 5_000),
    eol: dice.pick(['\n', '\r\n']),
    space: dice.chance(0.8),
    done: dice.chance(0.8),
    ...(dice.chance(0.5) && { slice: () => sizes.between(1, longest) }),
  };
}

/** The same answer as the web chat gives it, whose calls are text. */
function webOf(dice, { thoughts, text, calls, finish }) {
  const block = calls.length > 0 ? blockOf(calls.map(({ name, input }) => [name, input])) : '';
  const is = finish === 'content_filter' ? 'filter' : dice.pick(['ok', 'ok', 'unknown', 'incomplete']);
  // The chat knows no limit, so that the gateway ends the answer before its calls.
  const rest = (finish === 'length' ? MORE : '') + (text.join('') !== '' && block !== '' ? '\n\n' : '') + block;
  return {
    thinking: thoughts,
    text: [...text, ...cut(dice, rest)],
    behaviour: { is, piece: dice.pick([undefined, undefined, 5, 64]), crlf: dice.chance(0.3) },
  };
}

const upstreams = {
  'native calls': {
    model: () => 'native',
    answer: (dice, { isFast, isClaude }) => answerOf(dice, { silent: true, bare: !isFast }),
    says: ({ thoughts, text, calls, finish }, { isFast }) => ({
      thoughts: thoughts.join(''), text: text.join(''), calls: calls.map(({ name, input }) => [name, input]),
      // Some services say `stop` after calls, which is passed on in their own format and mended in others.
      finish: finish === 'stop' && calls.length > 0 && !isFast ? 'tool_calls' : finish,
    }),
  },
  'emulated calls': {
    emulates: true,
    model: (dice, { thoughts }) => (thoughts.length > 0 ? 'deepseek-reasoner' : dice.pick(['deepseek-chat', 'deepseek-reasoner'])),
    answer(dice) {
      const answer = answerOf(dice, { silent: false, bare: false });
      return answer.finish === 'content_filter' && answer.calls.length > 0 ? { ...answer, finish: 'tool_calls' } : answer;
    },
    says: ({ thoughts, text, calls, finish }) => ({
      thoughts: thoughts.join(''),
      // Blank space before calls is nobody's; and the chat says something else in place of what it withdraws.
      text: [calls.length > 0 && finish !== 'length' ? text.join('').replace(/\p{White_Space}+$/u, '') : text.join(''), ...(finish === 'content_filter' ? [FILTERED] : [])].filter((part) => part !== '').join('\n\n') + (finish === 'length' ? MORE : ''),
      calls: finish === 'length' ? [] : calls.map(({ name, input }) => [name, input]),
      finish: finish === 'stop' && calls.length > 0 ? 'tool_calls' : finish,
    }),
  },
};

// ------------------------------------------------------------------------------------------- dialects

const question = ({ number }) => [{ role: 'user', content: `Answer number ${number}.` }];
const parameters = { type: 'object', properties: {} };

/**
 * Of each dialect: `streamed` and `whole` ask for an answer, `read` tells what it says, and `fields` what else must be the
 * same in both.
 */
const dialects = {
  'Chat Completions': {
    isFast: true,
    limit: 'max_completion_tokens',
    body: (script) => ({ messages: question(script), tools: TOOLS.map((name) => ({ type: 'function', function: { name, parameters } })) }),
    client: (fetch) => new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0, fetch }),
    whole: (client, body) => client.chat.completions.create(body),
    async streamed(client, body) {
      const stream = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
      // Of fields that the SDK does not know it keeps the last piece.
      let thoughts;
      stream.on('chunk', ({ choices }) => {
        const piece = choices[0]?.delta.reasoning_content;
        if (piece != null) thoughts = (thoughts ?? '') + piece;
      });
      const final = await stream.finalChatCompletion();
      const { message } = final.choices[0];
      if (thoughts !== undefined) message.reasoning_content = thoughts;
      return final;
    },
    read({ choices: [{ message, finish_reason }], usage }) {
      return {
        thoughts: message.reasoning_content ?? '',
        text: message.content ?? '',
        calls: (message.tool_calls ?? []).map(({ function: { name, arguments: json } }) => [name, JSON.parse(json)]),
        finish: finish_reason,
        usage: this.usage(usage),
      };
    },
    usage: (usage) => (usage == null ? null : {
      prompt: usage.prompt_tokens, completion: usage.completion_tokens, total: usage.total_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens ?? 0, reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
    }),
    fields: ({ object, model, choices, usage }) => ({
      object, model, usage: usage ?? null,
      choices: choices.map(({ index, logprobs, message: { role, refusal, tool_calls: calls } }) => ({
        index, logprobs, role, refusal: refusal ?? null, calls: calls?.map(({ type, function: { name, arguments: json } }) => ({ type, name, json })),
      })),
    }),
  },

  'Responses': {
    body: (script) => ({ input: question(script), store: false, tools: TOOLS.map((name) => ({ type: 'function', name, parameters, strict: false })) }),
    limit: 'max_output_tokens',
    client: (fetch) => new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0, fetch }),
    whole: (client, body) => client.responses.create(body),
    async streamed(client, body) {
      const stream = client.responses.stream(body);
      const deltas = {};
      let last;
      stream.on('event', (event) => {
        if (event.type.endsWith('.delta')) deltas[event.output_index] = (deltas[event.output_index] ?? '') + event.delta;
        if (event.response) last = event.response;
      });
      const final = await stream.finalResponse();
      // The accumulator takes an item's last word for it: so the deltas are counted here.
      for (const [at, item] of final.output.entries()) assert.equal(deltas[at] ?? '', item.arguments ?? (item.summary ?? item.content).map(({ text }) => text).join(''), 'the deltas');
      // It knows of a good end only, and leaves the status of an answer that was cut as it was.
      return { ...final, status: last.status, usage: last.usage, incomplete_details: last.incomplete_details };
    },
    read({ output, status, incomplete_details: cut, usage }) {
      const texts = (type, field) => output.filter((item) => item.type === type).flatMap((item) => item[field]).map(({ text }) => text).join('');
      const calls = output.filter(({ type }) => type === 'function_call').map(({ name, arguments: json }) => [name, JSON.parse(json)]);
      return {
        thoughts: texts('reasoning', 'summary'),
        text: texts('message', 'content'),
        calls,
        // That the model waits for its tools is said by its calls.
        finish: { completed: calls.length > 0 ? 'tool_calls' : 'stop', incomplete: { max_output_tokens: 'length', content_filter: 'content_filter' }[cut?.reason] }[status],
        usage: {
          prompt: usage.input_tokens, completion: usage.output_tokens, total: usage.total_tokens,
          cached: usage.input_tokens_details.cached_tokens, reasoning: usage.output_tokens_details.reasoning_tokens,
        },
      };
    },
    fields: ({ output, object, model, error, usage, ...rest }) => ({
      object, model, error, usage, order: output.map(({ type }) => type), status: output.map(({ status }) => status),
      content: output.map(({ content }) => content?.map(({ parsed: _, ...part }) => part)), json: output.map((item) => item.arguments), limits: rest.max_output_tokens,
    }),
  },

  'Anthropic Messages': {
    isClaude: true,
    limit: 'max_tokens',
    body: (script) => ({
      messages: question(script), max_tokens: 8_192, thinking: { type: script.asksForThoughts ? 'adaptive' : 'disabled' },
      tools: TOOLS.map((name) => ({ name, input_schema: parameters })),
    }),
    client: (fetch) => new Anthropic({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/anthropic`, maxRetries: 0, fetch }),
    whole: (client, body) => client.messages.create(body),
    streamed: (client, body) => client.messages.stream(body).finalMessage(),
    read({ content, stop_reason: reason, usage }) {
      const texts = (type, field) => content.filter((block) => block.type === type).map((block) => block[field]).join('');
      return {
        thoughts: texts('thinking', 'thinking'),
        text: texts('text', 'text'),
        calls: content.filter(({ type }) => type === 'tool_use').map(({ name, input }) => [name, input]),
        finish: { end_turn: 'stop', max_tokens: 'length', tool_use: 'tool_calls', refusal: 'content_filter' }[reason],
        // It does not tell how much of its output were thoughts.
        usage: { prompt: usage.input_tokens + usage.cache_read_input_tokens, completion: usage.output_tokens, cached: usage.cache_read_input_tokens },
      };
    },
    fields: ({ type, role, model, content, stop_sequence: sequence, usage }) => ({
      type, role, model, sequence, usage, blocks: content.map(({ id: _, ...block }) => ({ ...block })),
    }),
  },
};

// ---------------------------------------------------------------------------------------------- tests

async function check(dialect, upstream, dice) {
  const script = { ...upstream.answer(dice, dialect), asksForThoughts: dice.chance(0.7) };
  try {
    const limit = upstream.emulates && script.finish === 'length' ? { [dialect.limit]: LIMIT } : {};
    const { heard, body } = await bothWays(dialect, upstream, script, dice, limit);
    const { usage, ...said } = heard;
    // The blank line before a block of calls is nobody's.
    if (upstream.emulates && said.calls.length > 0) said.text = said.text.replace(/\n\n$/, '');
    const wanted = upstream.says(script, dialect);
    if (body.thinking?.type === 'disabled') wanted.thoughts = '';
    if (limit[dialect.limit]) {
      assert.ok(said.text !== '' && wanted.text.startsWith(said.text) && said.text.length < wanted.text.length, `cut: ${said.text}`);
      wanted.text = said.text;
    }
    assert.deepEqual(said, wanted, 'as the model said it');
    checkUsage(usage, script, { ...upstream, ...dialect });
  } catch (error) {
    error.message = `WEIR_SEED=${seed}: ${error.message}\n${JSON.stringify(script).slice(0, 3_000)}`;
    throw error;
  }
}

/** The answer that a script gives, streamed and whole, which must be the same. */
async function bothWays(dialect, upstream, script, dice, more = {}) {
  const number = String((asked += 1));
  scripts.set(number, Object.assign(script, { number, wire: wireOf(dice, script), web: webOf(dice, script) }));
  const body = { model: upstream.model(dice, script), ...dialect.body(script), ...more };
  const whole = await dialect.whole(dialect.client(), body);
  const streamed = await dialect.streamed(dialect.client(cuttingFetch(dice)), body);
  scripts.delete(number);
  const [heard, read] = [streamed, whole].map((answer) => dialect.read(answer));
  assert.deepEqual(heard, read, 'streamed as whole');
  assert.deepEqual(dialect.fields(streamed), dialect.fields(whole), 'streamed as whole, in all else');
  return { heard, body };
}

/** What the service counted is passed on as it is; where it counts nothing, the gateway does, but for its own format. */
function checkUsage(usage, script, { emulates, isFast }) {
  if (!emulates && (script.usage || isFast)) {
    const told = script.usage && Object.fromEntries(Object.keys(usage).map((field) => [field, script.usage[field]]));
    return assert.deepEqual(usage, told, 'usage');
  }
  const { prompt, completion, total = prompt + completion, reasoning = 0, cached } = usage;
  assert.ok(prompt > 0 && total === prompt + completion && completion >= reasoning && cached === 0, JSON.stringify(usage));
}

for (const [kind, upstream] of Object.entries(upstreams)) {
  for (const [name, dialect] of Object.entries(dialects)) {
    test(`${name}, ${kind}: ${ANSWERS} random answers are put together as they were given`, async (context) => {
      context.diagnostic(`WEIR_SEED=${seed}`);
      let next = 0;
      const work = async () => {
        while (next < ANSWERS) await check(dialect, upstream, new Dice(`${seed}/${kind}/${name}/${(next += 1)}`));
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    });
  }
}

// What the random answers leave out where it fails today.
const silence = { thoughts: [], text: [], calls: [], finish: 'stop', asksForThoughts: true };
const call = { name: 'Read', input: {}, json: ['{}'] };

for (const [name, dialect] of Object.entries(dialects)) {
  // The fast path passes a service's own words on as they are.
  test(`${name}: a call for which a service sends no arguments has {} (C16)`, { skip: dialect.isFast && 'the service\'s own words' }, async () => {
    const script = { ...silence, calls: [{ ...call, json: [] }], finish: 'tool_calls' };
    const { heard } = await bothWays(dialect, upstreams['native calls'], script, new Dice(seed));
    assert.deepEqual(heard.calls, [['Read', {}]]);
  });

  for (const [kind, upstream] of Object.entries(upstreams)) {
    test(`${name}, ${kind}: an answer of thoughts alone`, async () => {
      const { heard } = await bothWays(dialect, upstream, { ...silence, thoughts: ['Hm', 'm.'] }, new Dice(seed));
      assert.deepEqual([heard.thoughts, heard.text, heard.finish], ['Hmm.', '', 'stop']);
    });
  }

  test(`${name}, emulated calls: what is withdrawn after its calls`, async () => {
    const { heard } = await bothWays(dialect, upstreams['emulated calls'], { ...silence, text: ['So:'], calls: [call], finish: 'content_filter' }, new Dice(seed));
    assert.equal(heard.finish, 'content_filter');
  });

  test(`${name}, emulated calls: blank lines before the calls are no text (C16)`, async () => {
    const { heard } = await bothWays(dialect, upstreams['emulated calls'], { ...silence, text: ['\n'], calls: [call], finish: 'stop' }, new Dice(seed));
    assert.deepEqual([heard.text, heard.calls, heard.finish], ['', [['Read', {}]], 'tool_calls']);
  });
}

test('Anthropic Messages, native calls: arguments that the limit cuts are an error both ways, or a message (A53)', async () => {
  const dialect = dialects['Anthropic Messages'];
  scripts.set('cut', { ...silence, number: 'cut', text: ['I read.'], calls: [{ ...call, json: ['{"path": "no', 'tes'] }], finish: 'length', wire: {} });
  const body = { model: 'native', ...dialect.body({ number: 'cut' }) };
  const told = (answer) => answer.then(({ stop_reason: reason }) => reason, ({ name }) => name);
  const streamed = await told(dialect.streamed(dialect.client(cuttingFetch(new Dice(seed))), body));
  assert.equal(streamed, await told(dialect.whole(dialect.client(), body)));
});
