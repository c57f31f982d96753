// Frameworks over the gateway: Vercel's AI SDK with four providers, LangChain with both chat models, in both languages.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatAnthropic } from '@langchain/anthropic';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { Output, generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { startDeepSeek } from '../simulators/deepseek.mjs';
import { speakDeepSeek, speakOpenAi } from '../simulators/model.mjs';
import { startSimulator } from '../simulators/openai.mjs';
import { python } from './client.mjs';
import { CLIENT_KEY, pools, secretOf, start } from './harness.mjs';

let sim, chat, weir;
const upstreams = { 'native tools': 'native', 'emulated tools': 'deepseek-reasoner' };
const broken = ['chat', 'responses', 'compatible', 'anthropic'];

before(async () => {
  [sim, chat] = await Promise.all([startSimulator({ profile: 'deepseek' }), startDeepSeek()]);
  chat.addAccount('one@example.com');
  const config = pools(sim, { native: { upstream: { reasoning: 'thinking' } }, ...Object.fromEntries(broken.map((name) => [`broken-${name}`, {}])) });
  config.upstreams.push({ id: 'deepseek-web', base_url: chat.url });
  config.accounts.push({ id: 'one', email: 'one@example.com', password: 'password-of-one@example.com', limits: { min_gap_ms: 0 } });
  weir = await start({ config: { ...config, settings: { max_attempts: 1 } } });
});
beforeEach(() => {
  sim.reset();
  chat.reset();
  speakOpenAi(sim, 'native', model);
  speakDeepSeek(chat, model);
});
after(async () => {
  await weir?.stop();
  await Promise.all([sim?.close(), chat?.close()]);
});

/** Calls its tools for the cities that it is asked about, and uses the results. */
function model({ said, results, offers, wantsJson }) {
  const [, list = 'Paris'] = /weather in ([\w, -]+)/.exec(said) ?? [];
  const cities = list.split(', ');
  if (wantsJson) return { text: JSON.stringify({ city: cities[0] }) };
  // Structured output by a forced tool, as some clients ask for it.
  const forced = ['city_report', 'json', 'CityReport'].find(offers);
  if (forced) return { calls: [[forced, { city: cities[0] }]] };
  if (results.length > 0) return { reasoning: 'It is known.', text: `In short: ${results.join(', ')}` };
  if (offers('get_weather')) return { reasoning: 'I should look.', text: 'Let me see.', calls: cities.map((city) => ['get_weather', { city }]) };
  return { reasoning: 'Hm.', text: `No tools for ${list}, schön 好.` };
}

const ask = (city) => `What is the weather in ${city}?`;

// ------------------------------------------------------------------------------------------ Vercel's AI SDK

const apiKey = CLIENT_KEY;
const providers = {
  '@ai-sdk/openai chat': { of: (name) => createOpenAI({ baseURL: `${weir.url}/v1`, apiKey }).chat(name), thinks: false },
  '@ai-sdk/openai responses': { of: (name) => createOpenAI({ baseURL: `${weir.url}/v1`, apiKey }).responses(name), thinks: true },
  '@ai-sdk/openai-compatible': {
    of: (name) => createOpenAICompatible({ name: 'weir', baseURL: `${weir.url}/v1`, apiKey, includeUsage: true, supportsStructuredOutputs: true })(name),
    thinks: true,
  },
  '@ai-sdk/anthropic': {
    of: (name) => createAnthropic({ baseURL: `${weir.url}/v1`, apiKey })(name),
    options: { providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 2_000 } } } },
    thinks: true,
  },
};
const get_weather = tool({ description: 'The weather.', inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `Snow in ${city}` });

/** A run to its end, as a stream: its parts, none of which may be an error or unknown. */
async function stream(options) {
  const parts = [];
  const run = streamText({ ...options, maxRetries: 0, onError: () => {} });
  for await (const part of run.fullStream) parts.push(part);
  const bad = parts.filter(({ type }) => ['error', 'raw', 'abort'].includes(type));
  assert.deepEqual(bad.map(({ error }) => String(error)), []);
  const [text, reasoningText, usage, totalUsage, finishReason, steps] = await Promise.all([run.text, run.reasoningText, run.usage, run.totalUsage, run.finishReason, run.steps]);
  return { parts, text, reasoningText, usage, totalUsage, finishReason, steps };
}
const whole = (options) => generateText({ ...options, maxRetries: 0 });

for (const [provider, { of, options, thinks }] of Object.entries(providers)) {
  for (const [kind, name] of Object.entries(upstreams)) {
    for (const [how, run] of Object.entries({ whole, stream })) {
      test(`${provider}, ${kind}, ${how}: text, thoughts and usage`, async () => {
        const got = await run({ model: of(name), prompt: ask('Oslo'), ...options });
        assert.deepEqual([got.text, got.finishReason], ['No tools for Oslo, schön 好.', 'stop']);
        assert.equal(got.reasoningText ?? '', thinks ? 'Hm.' : '');
        assert.ok(got.usage.inputTokens > 0 && got.usage.outputTokens > 0, JSON.stringify(got.usage));
      });

      test(`${provider}, ${kind}, ${how}: a loop of parallel tools`, async () => {
        const got = await run({ model: of(name), prompt: ask('Oslo, Rome'), tools: { get_weather }, stopWhen: stepCountIs(3), ...options });
        assert.deepEqual(got.steps.map(({ finishReason }) => finishReason), ['tool-calls', 'stop']);
        assert.deepEqual(got.steps[0].toolCalls.map(({ input }) => input), [{ city: 'Oslo' }, { city: 'Rome' }]);
        assert.equal(got.text, 'In short: Snow in Oslo, Snow in Rome');
        assert.ok(got.totalUsage.inputTokens > got.usage.inputTokens);
      });
    }

    test(`${provider}, ${kind}: an object by its schema`, async () => {
      const output = Output.object({ schema: z.object({ city: z.string() }), name: 'city' });
      assert.deepEqual((await whole({ model: of(name), prompt: ask('Cork'), output })).output, { city: 'Cork' });
      const run = streamText({ model: of(name), prompt: ask('Cork'), output, maxRetries: 0, onError: () => {} });
      assert.deepEqual(await run.output, { city: 'Cork' });
    });
  }

  test(`${provider}: an image reaches an upstream that takes them`, async () => {
    const image = Buffer.from('iVBORw0KGgo=', 'base64');
    const messages = [{ role: 'user', content: [{ type: 'text', text: ask('Oslo') }, { type: 'image', image, mediaType: 'image/png' }] }];
    await whole({ model: of('native'), messages });
    const sent = sim.last.body.messages.at(-1).content.find(({ type }) => type === 'image_url');
    assert.equal(sent.image_url.url, 'data:image/png;base64,iVBORw0KGgo=');
    await assert.rejects(whole({ model: of('deepseek-reasoner'), messages }), ({ statusCode }) => statusCode === 400);
  });
}

for (const [at, provider] of Object.keys(providers).entries()) {
  test(`${provider}: a stream that breaks is an error, never a good end (T9)`, async () => {
    const name = `broken-${broken[at]}`;
    sim.next(secretOf(`${name}-1`), { is: 'cut', after: 4, reasoning: [] });
    const run = streamText({ model: providers[provider].of(name), prompt: 'hello', maxRetries: 0, onError: () => {} });
    const types = [];
    let finish;
    for await (const part of run.fullStream) {
      types.push(part.type);
      if (part.type === 'finish') finish = part.finishReason;
    }
    assert.ok(types.includes('text-delta'), types.join(' '));
    assert.ok(types.includes('error') || finish === 'error', types.join(' '));
    assert.notEqual(finish, 'stop');
  });
}

// ------------------------------------------------------------------------------------------------ LangChain

const langchain = {
  'ChatOpenAI': (model) => new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration: { baseURL: `${weir.url}/v1` } }),
  'ChatOpenAI with Responses': (model) => new ChatOpenAI({ model, apiKey, maxRetries: 0, useResponsesApi: true, configuration: { baseURL: `${weir.url}/v1` } }),
  'ChatAnthropic': (model) => new ChatAnthropic({ model, apiKey, maxRetries: 0, anthropicApiUrl: weir.url }),
  'ChatAnthropic below /anthropic': (model) => new ChatAnthropic({ model, apiKey, maxRetries: 0, anthropicApiUrl: `${weir.url}/anthropic` }),
};
const weather = { name: 'get_weather', description: 'The weather.', schema: z.object({ city: z.string() }) };

/** The message that a stream's pieces add up to. */
async function gathered(runnable, input) {
  let message;
  for await (const piece of await runnable.stream(input)) message = message === undefined ? piece : message.concat(piece);
  return message;
}
const ways = { invoke: (runnable, input) => runnable.invoke(input), stream: gathered };

for (const [name, of] of Object.entries(langchain)) {
  for (const [kind, upstream] of Object.entries(upstreams)) {
    for (const [how, run] of Object.entries(ways)) {
      test(`LangChain ${name}, ${kind}, ${how}: text and usage`, async () => {
        const message = await run(of(upstream), ask('Oslo'));
        assert.equal(message.text, 'No tools for Oslo, schön 好.');
        const { input_tokens: input, output_tokens: output, total_tokens: total } = message.usage_metadata;
        assert.ok(input > 0 && output > 0 && total === input + output, JSON.stringify(message.usage_metadata));
      });

      test(`LangChain ${name}, ${kind}, ${how}: a loop of parallel tools`, async () => {
        const runnable = of(upstream).bindTools([weather]);
        const messages = [new HumanMessage(ask('Oslo, Rome'))];
        const first = await run(runnable, messages);
        assert.deepEqual(first.tool_calls.map((call) => [call.name, call.args]), [['get_weather', { city: 'Oslo' }], ['get_weather', { city: 'Rome' }]]);
        messages.push(first, ...first.tool_calls.map(({ id, args }) => new ToolMessage({ tool_call_id: id, content: `Snow in ${args.city}` })));
        assert.equal((await run(runnable, messages)).text, 'In short: Snow in Oslo, Snow in Rome');
      });
    }

    for (const method of name.startsWith('ChatOpenAI') ? ['functionCalling', 'jsonSchema', 'jsonMode'] : ['functionCalling']) {
      test(`LangChain ${name}, ${kind}: structured output by ${method}`, async () => {
        const runnable = of(upstream).withStructuredOutput(z.object({ city: z.string() }), { name: 'city_report', method });
        assert.deepEqual(await runnable.invoke(ask('Cork')), { city: 'Cork' });
      });
    }
  }
}

test('LangChain for Python, both chat models', { skip: !process.env.WEIR_PYTHON && 'no Python environment' }, async () => {
  for (const [kind, model] of Object.entries(upstreams)) {
    const got = await python('chains.py', { base_url: weir.url, api_key: CLIENT_KEY, model, question: ask('Oslo, Rome') });
    assert.deepEqual(Object.keys(got), ['openai', 'responses', 'anthropic']);
    for (const [name, runs] of Object.entries(got)) {
      const about = `${name}, ${kind}`;
      for (const how of ['invoke', 'stream']) {
        assert.equal(runs[how].text, 'No tools for Oslo, Rome, schön 好.', `${about}, ${how}`);
        assert.ok(runs[how].usage.input_tokens > 0 && runs[how].usage.output_tokens > 0, `${about}, ${how}: ${JSON.stringify(runs[how].usage)}`);
      }
      for (const how of ['loop', 'stream_loop']) {
        assert.deepEqual(runs[how].calls, [['get_weather', { city: 'Oslo' }], ['get_weather', { city: 'Rome' }]], `${about}, ${how}`);
        assert.equal(runs[how].text, 'In short: Snow in Oslo, Snow in Rome', `${about}, ${how}`);
      }
      assert.deepEqual(runs.structured, { city: 'Oslo' }, about);
    }
  }
});
