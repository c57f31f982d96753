// One request of the Playground, from its sending to its end.
import { ApiError, open } from '../api';
import { trouble } from '../said';
import { type Ask, type Part, bodyOf, partOfAnswer, partOfEvent, paths } from './dialects';
import { eventsOf } from './sse';

export interface Answer {
  text: string;
  reasoning: string;
  events: string[];
  error?: string;
  isDone: boolean;
  model?: string;
  attempts?: string;
  queueMs?: string;
  requestId?: string;
  firstMs?: number;
  totalMs?: number;
  tokensIn?: number;
  tokensOut?: number;
}

export const nothingYet = (): Answer => ({ text: '', reasoning: '', events: [], isDone: false });

/** Tells what has arrived, again and again. A failure is a part of the answer. */
export async function send(ask: Ask, key: string, signal: AbortSignal, tell: (answer: Answer) => void): Promise<void> {
  const began = performance.now();
  let answer = nothingYet();
  const change = (fields: Partial<Answer>): void => {
    answer = { ...answer, ...fields };
    tell(answer);
  };
  const add = (part: Part): void => {
    const isFirst = answer.firstMs === undefined && Boolean(part.text || part.reasoning);
    change({
      text: answer.text + (part.text ?? ''),
      reasoning: answer.reasoning + (part.reasoning ?? ''),
      tokensIn: part.tokensIn ?? answer.tokensIn,
      tokensOut: part.tokensOut ?? answer.tokensOut,
      ...(part.error && { error: part.error }),
      ...(isFirst && { firstMs: performance.now() - began }),
    });
  };
  try {
    const response = await open('POST', paths[ask.dialect], { body: bodyOf(ask), key, signal });
    const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
    change({ model: header('x-weir-model'), attempts: header('x-weir-attempts'), queueMs: header('x-weir-queue-ms'), requestId: header('x-request-id') });
    if (ask.stream) {
      for await (const { event, data } of eventsOf(response)) {
        answer.events = [...answer.events, event ? `event: ${event}\ndata: ${data}` : `data: ${data}`];
        const part = partOfEvent(ask.dialect, data);
        if (part) add(part);
      }
    } else {
      const json = (await response.json()) as Record<string, unknown>;
      answer.events = [JSON.stringify(json, null, 2)];
      add(partOfAnswer(ask.dialect, json));
    }
  } catch (error) {
    if (!signal.aborted) change({ error: error instanceof ApiError ? trouble(error) : String(error) });
  }
  change({ isDone: true, totalMs: performance.now() - began });
}
