// Server-sent events out of a response, as they come.

export interface ServerEvent {
  event: string;
  data: string;
}

export async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ?? '';
    const frames = rest.split(/\r?\n\r?\n/);
    rest = done ? '' : (frames.pop() ?? '');
    for (const frame of frames) {
      const event = eventOf(frame);
      if (event) yield event;
    }
    if (done) return;
  }
}

function eventOf(frame: string): ServerEvent | null {
  const [event, data]: [string[], string[]] = [[], []];
  for (const line of frame.split(/\r?\n/)) {
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
    if (line.startsWith('event:')) event.push(line.slice(6).trim());
  }
  return data.length === 0 ? null : { event: event[0] ?? '', data: data.join('\n') };
}
