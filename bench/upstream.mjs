// An OpenAI-format upstream in its own process. The last message says what the answer is:
//
//   {}                    a plain answer
//   { events, every_ms }  a stream of so many events, one each `every_ms` milliseconds (0: all at once)
//   { bulk_mb }           a stream of so many megabytes in pieces of 64 KiB, as fast as the reader takes them
//
// Prints its address.
import { createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';

const PIECE = 64 * 1024;

const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
  response.on('error', () => {});
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const { model, messages } = JSON.parse(Buffer.concat(pieces));
  const bench = JSON.parse(messages.at(-1).content);
  if ('bulk_mb' in bench) return bulk(response, model, bench.bulk_mb * 1024 * 1024);
  if ('events' in bench) return stream(response, model, bench);
  plain(response, model);
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.on('disconnect', () => process.exit());

function plain(response, model) {
  const message = { role: 'assistant', content: 'An answer of a usual length, as a small model may give it. '.repeat(4) };
  const body = JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1_800_000_000,
    model,
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 50, total_tokens: 60 },
  });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
}

function stream(response, model, { events, every_ms }) {
  begin(response);
  const text = event(model, { content: 'word ' });
  let sent = 0;
  const send = () => {
    if (response.destroyed) return;
    response.write(text);
    sent += 1;
    if (sent === events) response.end(end(model));
    else if (every_ms > 0) setTimeout(send, Math.max(0, began + sent * every_ms - performance.now()));
    else setImmediate(send);
  };
  const began = performance.now();
  send();
}

async function bulk(response, model, bytes) {
  begin(response);
  const text = event(model, { content: 'word ' });
  const piece = Buffer.from(text.repeat(Math.floor(PIECE / text.length)));
  const pieces = function* () {
    for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
    yield end(model);
  };
  await pipeline(pieces, response).catch(() => {}); // the reader may leave
}

function begin(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.socket.setNoDelay(true);
}

const end = (model) => `${event(model, {}, 'stop')}data: [DONE]\n\n`;

/** About 110 bytes. */
function event(model, delta, finish_reason = null) {
  return `data: ${JSON.stringify({ id: 'c-1', model, choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
}
