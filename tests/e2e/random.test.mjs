// Random answers, cut into random pieces of bytes: the official SDKs put together what the model said, streamed or not,
// and what they send back reaches the upstream as it was (issue 4, item 6).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startSimulator } from '../simulators/openai.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

const RUNS = 25;
let sim, weir;

before(async () => {
  sim = await startSimulator({ profile: 'deepseek' });
  weir = await start({ config: pools(sim, { m: { upstream: { reasoning: 'thinking' } } }) });
});
after(async () => {
  await weir?.stop();
  await sim?.close();
});

/** Numbers that are the same in every run of a seed. */
function dice(seed) {
  let state = seed;
  const below = (bound) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * bound);
  };
  return { below, of: (list) => list[below(list.length)] };
}

const SCRAPS = ['a', 'word ', '你好', '👍🏽', '\n', '\r\n', '"', '\\', '\\n', '\u2028', '\u0001', 'data: ', 'event: x\n\n', '{"a":', '</x>', ' ', 'e\u0301', '\u{1F600}', '[DONE]', 'é'];
const pieces = ({ below, of }, most) => Array.from({ length: 1 + below(most) }, () => Array.from({ length: 1 + below(4) }, () => of(SCRAPS)).join(''));

function value(random, depth = 3) {
  const kind = random.below(depth > 0 ? 7 : 5);
  if (kind < 2) return pieces(random, 3).join('');
  if (kind === 2) return random.below(2 ** 30) - 2 ** 29;
  if (kind === 3) return random.of([true, false, null]);
  if (kind === 4) return random.below(1000) / 8;
  if (kind === 5) return Array.from({ length: random.below(4) }, () => value(random, depth - 1));
  return object(random, depth - 1);
}

const object = (random, depth) => Object.fromEntries(Array.from({ length: random.below(4) }, (_, at) => [`${random.of(SCRAPS)}${at}`, value(random, depth)]));

/** What the model thinks, says and calls. */
function answer(seed) {
  const random = dice(seed);
  const reasoning = random.below(3) > 0 ? pieces(random, 6) : [];
  const calls = Array.from({ length: random.below(4) }, (_, index) => ({ id: `call_0${index}_seed${seed}x`, name: random.of(['f', 'g']), input: object(random, 3) }));
  const text = calls.length === 0 || random.below(2) > 0 ? pieces(random, 8) : [];
  const tools = calls.map(({ id, name, input }) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(input) } }));
  const said = { reasoning: reasoning.join(''), text: text.join(''), calls };
  const plan = { is: 'ok', reasoning, text, tools, slice: 1 + random.below(60), eol: random.of(['\n', '\r\n']), usageOn: random.of(['extra', 'finish']), done: random.below(4) > 0 };
  return { said, plan };
}

const schema = { type: 'object' };
const say = (plan) => sim.next(secretOf('m-1'), plan);

/** What the upstream was told of an answer. */
function told({ messages: [, assistant, ...rest] }) {
  const calls = (assistant.tool_calls ?? []).map(({ id, function: { name, arguments: input } }) => ({ id, name, input: JSON.parse(input) }));
  return { said: { reasoning: assistant.reasoning_content ?? '', text: assistant.content ?? '', calls }, results: rest.map((message) => message.tool_call_id).filter(Boolean) };
}

async function goesBack({ said }, send, what) {
  say({ is: 'ok', text: ['Good.'] });
  await send();
  const { said: back, results } = told(sim.last.body);
  // Thoughts are wanted back where tools were called, and nowhere else (C4).
  assert.deepEqual(back, { ...said, reasoning: said.calls.length > 0 ? said.reasoning : '' }, what);
  assert.deepEqual(results, said.calls.map(({ id }) => id), what);
}

test('Messages', async () => {
  const client = new Anthropic({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/anthropic`, maxRetries: 0 });
  const tools = ['f', 'g'].map((name) => ({ name, input_schema: schema }));
  const body = { model: 'm', max_tokens: 9_999, thinking: { type: 'enabled', budget_tokens: 1024 }, tools };
  const user = { role: 'user', content: 'Go on.' };
  const ways = {
    whole: (messages) => client.messages.create({ ...body, messages }),
    streamed: (messages) => client.messages.stream({ ...body, messages }).finalMessage(),
  };
  for (let seed = 1; seed <= RUNS; seed += 1) {
    for (const [way, ask] of Object.entries(ways)) {
      const made = answer(seed);
      say(made.plan);
      const { content, stop_reason } = await ask([user]);
      const of = (type) => content.filter((block) => block.type === type);
      const read = {
        reasoning: of('thinking').map(({ thinking }) => thinking).join(''),
        text: of('text').map(({ text }) => text).join(''),
        calls: of('tool_use').map(({ id, name, input }) => ({ id, name, input })),
      };
      assert.deepEqual(read, made.said, `${way}, seed ${seed}`);
      assert.equal(stop_reason, made.said.calls.length > 0 ? 'tool_use' : 'end_turn');
      const results = made.said.calls.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'x' }));
      const next = { role: 'user', content: [...results, { type: 'text', text: 'And?' }] };
      await goesBack(made, () => ask([user, { role: 'assistant', content }, next]), `${way}, seed ${seed}: what went back`);
    }
  }
});

test('Responses', async () => {
  const client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
  const tools = ['f', 'g'].map((name) => ({ type: 'function', name, parameters: schema, strict: false }));
  const body = { model: 'm', tools, store: false, reasoning: { effort: 'high' } };
  const user = { role: 'user', content: 'Go on.' };
  const ways = {
    whole: (input) => client.responses.create({ ...body, input }),
    streamed: (input) => client.responses.stream({ ...body, input }).finalResponse(),
  };
  for (let seed = 1; seed <= RUNS; seed += 1) {
    for (const [way, ask] of Object.entries(ways)) {
      const made = answer(seed);
      say(made.plan);
      const { output, status } = await ask([user]);
      const of = (type) => output.filter((item) => item.type === type);
      const read = {
        reasoning: of('reasoning').flatMap(({ summary }) => summary).map(({ text }) => text).join(''),
        text: of('message').flatMap(({ content }) => content).map(({ text }) => text).join(''),
        calls: of('function_call').map(({ call_id: id, name, arguments: input }) => ({ id, name, input: JSON.parse(input) })),
      };
      assert.deepEqual(read, made.said, `${way}, seed ${seed}`);
      assert.equal(status, 'completed');
      const items = output.map(({ parsed_arguments: _, ...item }) => item);
      const results = made.said.calls.map(({ id }) => ({ type: 'function_call_output', call_id: id, output: 'x' }));
      await goesBack(made, () => ask([user, ...items, ...results, { role: 'user', content: 'And?' }]), `${way}, seed ${seed}: what went back`);
    }
  }
});

test('Chat Completions', async () => {
  const client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${weir.url}/v1`, maxRetries: 0 });
  const tools = ['f', 'g'].map((name) => ({ type: 'function', function: { name, parameters: schema } }));
  const ways = {
    whole: (messages) => client.chat.completions.create({ model: 'm', tools, messages }),
    streamed: (messages) => client.chat.completions.stream({ model: 'm', tools, messages }).finalChatCompletion(),
  };
  const user = { role: 'user', content: 'Go on.' };
  for (let seed = 1; seed <= RUNS; seed += 1) {
    for (const [way, ask] of Object.entries(ways)) {
      const made = answer(seed);
      say(made.plan);
      const { message } = (await ask([user])).choices[0];
      const calls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: input } }) => ({ id, name, input: JSON.parse(input) }));
      assert.deepEqual({ text: message.content ?? '', calls }, { text: made.said.text, calls: made.said.calls }, `${way}, seed ${seed}`);
      // Most clients drop the thoughts: they are remembered.
      const plain = (made.plan.tools.length > 0 && { tool_calls: made.plan.tools }) || {};
      const results = calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'x' }));
      await goesBack(made, () => ask([user, { role: 'assistant', content: message.content, ...plain }, ...results]), `${way}, seed ${seed}: what went back`);
    }
  }
});
