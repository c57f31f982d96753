// A small OpenAI-format service and a small DeepSeek chat on loopback, so that `npm start` answers without anybody's account.
//
//   node scripts/demo-upstream.mjs [--port 8788]
import { createServer } from 'node:http';
import { isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDeepSeek } from '../tests/simulators/deepseek.mjs';
import { speakDeepSeek } from '../tests/simulators/model.mjs';
import { Failure, isMain, main, portOption, say } from './run.mjs';

export const model = 'demo-chat';
export const deepseekAccount = { id: 'demo-deepseek', email: 'demo@example.com', password: 'demo-password' };
export const defaultPort = 8788;
/** The DeepSeek chat listens on the next port. */
export const deepseekPort = (port) => port + 1;
const wordDelay = 40; // milliseconds: slow enough to see a stream flow

/** Starts it; resolves when it listens. */
export async function startDemoUpstream(port = defaultPort) {
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.destroy(error));
  });
  await new Promise((listening, failed) => {
    server.once('error', (error) => {
      failed(error.code === 'EADDRINUSE' ? new Failure(`port ${port}, for the demo upstream, is in use; choose another with --demo-port`) : error);
    });
    server.listen(port, '127.0.0.1', listening);
  });
  const chat = await startDemoChat(deepseekPort(port));
  return {
    close() {
      chat.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

async function startDemoChat(port) {
  const chat = await startDeepSeek({ port, frame_ms: wordDelay }).catch((error) => {
    throw error.code === 'EADDRINUSE' ? new Failure(`port ${port}, for the demo's DeepSeek chat, is in use; choose another with --demo-port`) : error;
  });
  chat.addAccount(deepseekAccount.email, { password: deepseekAccount.password });
  speakDeepSeek(chat, demoModel);
  return chat;
}

/** It echoes what it is told, but for one task, which shows an agent's tools at work: replace "…" by "…" in FILE. */
function demoModel({ said, all, results, offers }) {
  const [task, from, to, named] = [...all.matchAll(/replace "([^"]+)" (?:by|with) "([^"]+)" in ([^\s<"]*\w)/gi)].at(-1) ?? [];
  if (!task || !offers('Read') || !offers('Edit')) {
    return { reasoning: 'The user said something; an echo will do.', text: `You said: "${said}". This is a simulated DeepSeek account.` };
  }
  const folder = all.match(/working directory: (\/\S*)/i)?.[1] ?? '';
  const file = isAbsolute(named) ? named : join(folder, named);
  if (results.length === 0) return { reasoning: 'First I read it.', text: `I read ${file}.`, calls: [['Read', { file_path: file }]] };
  if (results.length === 1) return { reasoning: 'Now the edit.', calls: [['Edit', { file_path: file, old_string: from, new_string: to }]] };
  return { text: /error/i.test(results[1]) ? `The edit failed: ${results[1]}` : `Done: "${from}" is "${to}" now.` };
}

const words = (text) => text.match(/\s*\S+/g) ?? [];

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://demo');
  if (!/^Bearer demo-key-\d+$/.test(request.headers.authorization ?? '')) {
    return sendError(response, 401, 'invalid_api_key', 'the demo upstream knows the keys demo-key-1, demo-key-2, …');
  }
  const route = routes[`${request.method} ${pathname}`];
  if (!route) return sendError(response, 404, 'not_found', `no such route: ${request.method} ${pathname}`);
  let body = {};
  if (request.method === 'POST') {
    try {
      body = JSON.parse(await readText(request));
    } catch {
      return sendError(response, 400, 'invalid_json', 'the body is not JSON');
    }
  }
  return route(body, response);
}

const routes = {
  'GET /v1/models': (_, response) => send(response, { object: 'list', data: [{ id: model, object: 'model', created: 0, owned_by: 'demo' }] }),
  'POST /v1/chat/completions': (body, response) => (body.stream ? streamChat(body, response) : sendChat(body, response)),
  'POST /v1/embeddings': sendEmbeddings,
};

function sendChat(body, response) {
  const words = reply(body);
  send(response, {
    ...envelope('chat.completion'),
    choices: [{ index: 0, message: { role: 'assistant', content: words.join('') }, finish_reason: 'stop' }],
    usage: usage(body, words),
  });
}

async function streamChat(body, response) {
  const words = reply(body);
  const head = envelope('chat.completion.chunk');
  const write = (chunk) => response.write(`data: ${JSON.stringify({ ...head, ...chunk })}\n\n`);
  const delta = (content, finish_reason = null) => write({ choices: [{ index: 0, delta: content, finish_reason }] });
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  delta({ role: 'assistant', content: '' });
  for (const word of words) {
    await sleep(wordDelay);
    if (response.destroyed) return; // the caller has left
    delta({ content: word });
  }
  delta({}, 'stop');
  if (body.stream_options?.include_usage) write({ choices: [], usage: usage(body, words) });
  response.end('data: [DONE]\n\n');
}

function sendEmbeddings(body, response) {
  const inputs = [body.input ?? ''].flat();
  const data = inputs.map((_, index) => ({ object: 'embedding', index, embedding: [0.1, 0.2, 0.3, 0.4] }));
  const tokens = countWords(inputs.join(' '));
  send(response, { object: 'list', model: body.model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } });
}

let answered = 0;
function envelope(object) {
  answered += 1;
  return { id: `chatcmpl-demo-${answered}`, object, created: Math.floor(Date.now() / 1000), model };
}

function reply(body) {
  const said = textOf(body.messages?.at(-1));
  const text = `You said: "${said}". This is the demo upstream, answering word by word through Weir. Add an account of your own to talk to a real model.`;
  return words(text);
}

function textOf(message) {
  const content = message?.content ?? '';
  return typeof content === 'string' ? content : content.map((part) => part.text ?? '').join(' ');
}

function usage(body, words) {
  const prompt_tokens = (body.messages ?? []).reduce((sum, message) => sum + countWords(textOf(message)), 0);
  return { prompt_tokens, completion_tokens: words.length, total_tokens: prompt_tokens + words.length };
}

const countWords = (text) => text.match(/\S+/g)?.length ?? 0;

function send(response, value, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

const sendError = (response, status, code, message) =>
  send(response, { error: { message, type: 'invalid_request_error', code, param: null } }, status);

async function readText(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const port = portOption('port', defaultPort);
    await startDemoUpstream(port);
    say(`the demo upstream listens on http://127.0.0.1:${port}/v1`);
  });
}
