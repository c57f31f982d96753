// The three APIs as the Playground speaks them: what it sends, and what it reads out of events and answers.

export type Dialect = 'openai' | 'claude' | 'responses';
export type Effort = '' | 'low' | 'medium' | 'high';

export interface Said {
  role: 'user' | 'assistant';
  text: string;
}

export interface Ask {
  dialect: Dialect;
  model: string;
  system: string;
  turns: Said[];
  stream: boolean;
  effort: Effort;
  maxTokens: number;
}

/** What an event or an answer adds. */
export interface Part {
  text?: string;
  reasoning?: string;
  tokensIn?: number;
  tokensOut?: number;
  error?: string;
}

type Json = Record<string, any>; // eslint-disable-line -- other people's shapes

export const paths: Record<Dialect, string> = { openai: '/v1/chat/completions', claude: '/v1/messages', responses: '/v1/responses' };

const budgets: Record<Effort, number> = { '': 0, low: 1024, medium: 2048, high: 4096 };

export function bodyOf({ dialect, model, system, turns, stream, effort, maxTokens }: Ask): Json {
  const messages = turns.map(({ role, text }) => ({ role, content: text }));
  if (dialect === 'openai') {
    return {
      model,
      messages: system ? [{ role: 'system', content: system }, ...messages] : messages,
      ...(effort && { reasoning_effort: effort }),
      max_tokens: maxTokens,
      stream,
      ...(stream && { stream_options: { include_usage: true } }),
    };
  }
  if (dialect === 'claude') {
    // The budget is a part of the bound.
    const bound = maxTokens + budgets[effort];
    return { model, max_tokens: bound, ...(system && { system }), ...(effort && { thinking: { type: 'enabled', budget_tokens: budgets[effort] } }), messages, stream };
  }
  return { model, input: messages, ...(system && { instructions: system }), ...(effort && { reasoning: { effort, summary: 'auto' } }), max_output_tokens: maxTokens, store: false, stream };
}

/** What an event says; null where it is not JSON. */
export function partOfEvent(dialect: Dialect, data: string): Part | null {
  let json: Json;
  try {
    json = JSON.parse(data) as Json;
  } catch {
    return null;
  }
  if (json.error && dialect !== 'claude') return { error: messageOf(json.error) };
  return { openai: openaiEvent, claude: claudeEvent, responses: responsesEvent }[dialect](json);
}

function openaiEvent(json: Json): Part {
  const delta = json.choices?.[0]?.delta ?? {};
  return { text: delta.content ?? undefined, reasoning: delta.reasoning_content ?? delta.reasoning ?? undefined, tokensIn: json.usage?.prompt_tokens, tokensOut: json.usage?.completion_tokens };
}

function claudeEvent(json: Json): Part {
  if (json.type === 'error') return { error: messageOf(json.error) };
  if (json.type === 'message_start') return { tokensIn: json.message?.usage?.input_tokens };
  if (json.type === 'message_delta') return { tokensIn: json.usage?.input_tokens, tokensOut: json.usage?.output_tokens };
  if (json.type !== 'content_block_delta') return {};
  return { text: json.delta?.text, reasoning: json.delta?.thinking };
}

function responsesEvent(json: Json): Part {
  if (json.type === 'error') return { error: messageOf(json) };
  if (json.type === 'response.output_text.delta') return { text: json.delta };
  if (/^response\.reasoning_(summary_)?text\.delta$/.test(json.type)) return { reasoning: json.delta };
  if (json.type === 'response.failed') return { error: messageOf(json.response?.error) };
  if (json.type === 'response.completed' || json.type === 'response.incomplete') return { tokensIn: json.response?.usage?.input_tokens, tokensOut: json.response?.usage?.output_tokens };
  return {};
}

/** What a whole answer says. */
export function partOfAnswer(dialect: Dialect, json: Json): Part {
  const joined = (items: Json[] | undefined, type: string, field: string): string => (items ?? []).filter((item) => item.type === type).map((item) => String(item[field] ?? '')).join('');
  if (dialect === 'openai') {
    const message = json.choices?.[0]?.message ?? {};
    return { text: message.content ?? '', reasoning: message.reasoning_content ?? message.reasoning ?? undefined, tokensIn: json.usage?.prompt_tokens, tokensOut: json.usage?.completion_tokens };
  }
  if (dialect === 'claude') {
    return { text: joined(json.content, 'text', 'text'), reasoning: joined(json.content, 'thinking', 'thinking') || undefined, tokensIn: json.usage?.input_tokens, tokensOut: json.usage?.output_tokens };
  }
  const contents = (type: string): Json[] => (json.output ?? []).filter((item: Json) => item.type === type).flatMap((item: Json) => [...(item.content ?? []), ...(item.summary ?? [])]);
  return {
    text: joined(contents('message'), 'output_text', 'text'),
    reasoning: contents('reasoning').map((part) => String(part.text ?? '')).join('\n') || undefined,
    tokensIn: json.usage?.input_tokens,
    tokensOut: json.usage?.output_tokens,
  };
}

const messageOf = (error: Json | string | undefined): string => (typeof error === 'string' ? error : String(error?.message ?? 'unknown'));
