// What the simulated model says to a request, and how that becomes JSON or a stream of chunks.
import { hex } from './openai-profiles.mjs';

const words = (text) => text.match(/\s*\S+/gu) ?? [];

function lastUserText(messages) {
  const content = messages.filter((message) => message?.role === 'user').at(-1)?.content ?? 'nothing';
  if (typeof content === 'string') return content;
  return content.map((part) => part.text ?? `[${part.type}]`).join(' ');
}

function promptTokens(messages) {
  return messages.reduce((sum, message) => sum + 3 + words(String(message?.content ?? '')).length, 0);
}

const thinks = (profileName, body) =>
  profileName === 'deepseek' ? body.thinking?.type !== 'disabled' : profileName === 'ark' && body.thinking?.type === 'enabled';

function toolCalls(profile, body, seed) {
  const tools = (body.tools ?? []).filter((tool) => tool.type === 'function');
  if (tools.length === 0 || body.tool_choice === 'none' || body.messages.at(-1)?.role === 'tool') return [];
  const named = body.tool_choice?.function?.name;
  const wanted = named ? tools.filter((tool) => tool.function.name === named) : tools;
  return wanted.slice(0, body.parallel_tool_calls === false ? 1 : 2).map((tool, index) => ({
    id: profile.ids.tool(`${seed}/${index}`),
    type: 'function',
    function: {
      name: tool.function.name,
      arguments: JSON.stringify(
        Object.fromEntries(Object.keys(tool.function.parameters?.properties ?? {}).map((name) => [name, `größe ${name} 🌡`])),
      ),
    },
  }));
}

/** The whole answer. `options` override what the model says: `text`, `reasoning`, `tools`, `finish`, `promptTokens`. */
export function planChat(call, options = {}) {
  const { profile, body, seed } = call;
  const count = body.n ?? 1;
  const reasoning = options.reasoning ?? (thinks(call.simulator.profileName, body) ? words('Let me think 想一想 about it.') : []);
  const tools = options.tools ?? toolCalls(profile, body, seed);
  const text = tools.length > 0 ? [options.text ?? []].flat() : [options.text ?? words(`You said: ${lastUserText(body.messages)} — schön, 好的 👍🏽`)].flat();
  const finish = options.finish ?? (tools.length > 0 ? 'tool_calls' : 'stop');
  const choices = Array.from({ length: count }, (_, index) => ({
    index,
    text: index === 0 ? text : [`[${index}]`, ...text],
    reasoning,
    tools,
    finish,
  }));
  return {
    id: profile.ids.chat(seed),
    model: profile.echoes(body.model),
    choices,
    text,
    reasoning,
    tools,
    promptTokens: options.promptTokens ?? promptTokens(body.messages),
    includeUsage: body.stream_options?.include_usage === true,
    chunkUsage: body.stream_options?.chunk_include_usage === true,
    obfuscate: body.stream_options?.include_obfuscation !== false,
  };
}

const sevens = (text) => text.match(/.{1,7}/gsu) ?? [];

/**
 * The chunks of a stream, as objects, up to but without `[DONE]`. `usageOn` is `extra`, `finish` or `none`; `cutArguments`
 * makes pieces of a call's arguments.
 */
export function chunksOf(profile, plan, { usageOn = 'extra', cutArguments = sevens } = {}) {
  const chunks = [];
  const usage = profile.usage(plan);
  const emit = (choice, delta, finish) =>
    chunks.push(profile.chunk(plan, [profile.choice(choice.index, delta, finish)], plan.chunkUsage ? partial(usage, chunks.length + 1) : undefined));

  for (const choice of plan.choices) {
    const opening = choice.tools.length > 0 ? profile.toolOpening(plan) : profile.opening(plan);
    if (opening) emit(choice, opening);
  }
  // Choices arrive interleaved, as a service that samples them side by side sends them.
  rounds(plan.choices, 'reasoning', (choice, piece) => emit(choice, profile.delta({ reasoning_content: piece })));
  rounds(plan.choices, 'text', (choice, piece) => emit(choice, profile.delta({ content: piece })));
  for (const choice of plan.choices) for (const [index, tool] of choice.tools.entries()) {
    emit(choice, profile.delta({ tool_calls: [{ index, id: tool.id, type: 'function', function: { name: tool.function.name, arguments: '' } }] }));
    for (const piece of cutArguments(tool.function.arguments, index)) {
      emit(choice, profile.delta({ tool_calls: [{ index, function: { arguments: piece } }] }));
    }
  }
  for (const choice of plan.choices) {
    const last = choice === plan.choices.at(-1);
    chunks.push(
      profile.chunk(plan, [profile.choice(choice.index, profile.closing(), choice.finish)], plan.includeUsage && usageOn === 'finish' && last ? usage : undefined),
    );
  }
  if (plan.includeUsage && usageOn === 'extra') chunks.push(profile.chunk(plan, [], usage));
  return chunks;
}

function rounds(choices, field, emit) {
  const longest = Math.max(...choices.map((choice) => choice[field].length));
  for (let at = 0; at < longest; at += 1) {
    for (const choice of choices) if (at < choice[field].length) emit(choice, choice[field][at]);
  }
}

/** Usage so far, as Ark reports it with `chunk_include_usage`: cumulative. */
const partial = (usage, completed) => ({
  ...usage,
  completion_tokens: Math.min(completed, usage.completion_tokens),
  total_tokens: usage.prompt_tokens + Math.min(completed, usage.completion_tokens),
});

// ------------------------------------------------------------------------------ the small operations

const vector = (seed, dimensions) =>
  Array.from({ length: dimensions }, (_, at) => Math.fround((parseInt(hex(`${seed}:${at}`, 6), 16) - 0x800000) / 0x800000));

export function embeddings(call) {
  const { input, model, encoding_format: format, dimensions = 8 } = call.body;
  const isTokens = Array.isArray(input) && typeof input[0] === 'number';
  const inputs = Array.isArray(input) && !isTokens ? input : [input];
  const data = inputs.map((one, index) => {
    const values = vector(JSON.stringify(one), dimensions);
    const embedding = format === 'base64' ? Buffer.from(Float32Array.from(values).buffer).toString('base64') : values;
    return { object: 'embedding', index, embedding };
  });
  const tokens = inputs.reduce((sum, one) => sum + (Array.isArray(one) ? one.length : words(String(one)).length), 0);
  return { object: 'list', data, model: call.profile.echoes(model), usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

export function textCompletion(call, { text, finish, usage }) {
  return {
    id: call.profile.ids.text(call.seed),
    object: 'text_completion',
    created: 1_763_683_200,
    model: call.profile.echoes(call.body.model),
    choices: text === null ? [] : [{ text, index: 0, logprobs: null, finish_reason: finish }],
    ...(usage !== undefined && { usage }),
  };
}

export function textPlan(call) {
  const prompt = [call.body.prompt].flat().join(' ');
  const pieces = words(` and then ${prompt} went on, 好`);
  const usage = { prompt_tokens: words(prompt).length, completion_tokens: pieces.length, total_tokens: words(prompt).length + pieces.length };
  return { pieces, usage };
}

export function moderation(call) {
  const categories = ['harassment', 'hate', 'illicit', 'self-harm', 'sexual', 'violence'];
  return {
    id: `modr-${hex(call.seed, 24)}`,
    model: call.profile.echoes(call.body.model ?? 'omni-moderation-latest'),
    results: [call.body.input].flat().map((input) => {
      const flagged = String(input).includes('kill');
      return {
        flagged,
        categories: Object.fromEntries(categories.map((name) => [name, flagged && name === 'violence'])),
        category_scores: Object.fromEntries(categories.map((name) => [name, flagged && name === 'violence' ? 0.97 : 0.0001])),
        category_applied_input_types: Object.fromEntries(categories.map((name) => [name, ['text']])),
      };
    }),
  };
}
