// Histories: what the official SDKs were answered and send back, as the next question's past, reaches the upstream as the
// model said it, its thoughts included where tools were called (C4).
//
//   WEIR_SEED=1234 node --test tests/e2e/history.test.mjs     the same answers again
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startSimulator } from '../simulators/openai.mjs';
import { Dice, TOOLS, answerOf } from './answers.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

const seed = process.env.WEIR_SEED ?? String(Date.now() % 1_000_000);
const ANSWERS = 25;
let sim, weir, claude, openai;

before(async () => {
  sim = await startSimulator({ profile: 'deepseek' });
  weir = await start({ config: pools(sim, { m: { upstream: { reasoning: 'thinking' } } }) });
  claude = new Anthropic({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/anthropic`, maxRetries: 0 });
  openai = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

const say = (plan) => sim.next(secretOf('m-1'), { is: 'ok', ...plan });
const parameters = { type: 'object' };
const user = { role: 'user', content: 'Go on.' };
const then = { role: 'user', content: 'And?' };
const named = (make) => TOOLS.map((name) => make(name));

/** Of each dialect: `ways` to ask, and the `turn` that an answer and its tools' results become in the next question. */
const dialects = {
  'Messages': () => {
    const body = { model: 'm', max_tokens: 9_999, thinking: { type: 'enabled', budget_tokens: 1024 }, tools: named((name) => ({ name, input_schema: parameters })) };
    return {
      ways: {
        whole: (messages) => claude.messages.create({ ...body, messages }),
        streamed: (messages) => claude.messages.stream({ ...body, messages }).finalMessage(),
      },
      turn: ({ content }, ids) => [
        { role: 'assistant', content },
        { role: 'user', content: [...ids.map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'x' })), { type: 'text', text: then.content }] },
      ],
    };
  },
  'Responses': () => {
    const body = { model: 'm', store: false, reasoning: { effort: 'high' }, tools: named((name) => ({ type: 'function', name, parameters, strict: false })) };
    return {
      ways: {
        whole: (input) => openai.responses.create({ ...body, input }),
        streamed: (input) => openai.responses.stream({ ...body, input }).finalResponse(),
      },
      turn: ({ output }, ids) => [
        ...output.map(({ parsed_arguments: _, ...item }) => item),
        ...ids.map((id) => ({ type: 'function_call_output', call_id: id, output: 'x' })),
        then,
      ],
    };
  },
  'Chat Completions': () => {
    const body = { model: 'm', tools: named((name) => ({ type: 'function', function: { name, parameters } })) };
    return {
      ways: {
        whole: (messages) => openai.chat.completions.create({ ...body, messages }),
        streamed: (messages) => openai.chat.completions.stream({ ...body, messages }).finalChatCompletion(),
      },
      // Most clients drop the thoughts: Weir remembers them.
      turn({ choices: [{ message: { content, tool_calls: calls } }] }, ids) {
        const plain = calls?.map(({ id, type, function: { name, arguments: json } }) => ({ id, type, function: { name, arguments: json } }));
        return [{ role: 'assistant', content, ...(plain?.length && { tool_calls: plain }) }, ...ids.map((id) => ({ role: 'tool', tool_call_id: id, content: 'x' })), then];
      },
    };
  },
};

/** An answer without an early end, which leaves nothing to go on from. */
function script(dice, number) {
  const { thoughts, text, calls } = answerOf(dice, { silent: false, bare: false });
  const tools = calls.map(({ name, json }, at) => ({ id: `call_${number}_${at}`, type: 'function', function: { name, arguments: json.join('') } }));
  return {
    plan: { reasoning: thoughts, text, tools, cutArguments: (_, at) => calls[at].json },
    ids: tools.map(({ id }) => id),
    // Thoughts are wanted back where tools were called, and nowhere else.
    said: { thoughts: calls.length > 0 ? thoughts.join('') : '', text: text.join(''), calls: calls.map(({ name, input }) => [name, input]) },
  };
}

/** What the upstream was told of the answer before. */
function told({ messages: [, assistant, ...rest] }) {
  const calls = (assistant.tool_calls ?? []).map(({ function: { name, arguments: json } }) => [name, JSON.parse(json)]);
  return {
    said: { thoughts: assistant.reasoning_content ?? '', text: assistant.content ?? '', calls },
    ids: rest.map((message) => message.tool_call_id).filter(Boolean),
  };
}

for (const [name, dialect] of Object.entries(dialects)) {
  test(`${name}: ${ANSWERS} answers come back as they were given`, async () => {
    const { ways, turn } = dialect();
    for (const [way, ask] of Object.entries(ways)) {
      for (let at = 1; at <= ANSWERS; at += 1) {
        const { plan, ids, said } = script(new Dice(`${seed}/${name}/${way}/${at}`), `${name.at(0)}${way.at(0)}${at}`);
        say(plan);
        const answer = await ask([user]);
        say({ text: ['Good.'] });
        await ask([user, ...turn(answer, ids)]);
        assert.deepEqual(told(sim.last.body), { said, ids }, `WEIR_SEED=${seed}, ${way}, answer ${at}`);
      }
    }
  });
}
