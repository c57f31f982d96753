// One made-up model behind both simulated upstreams, so that a test says once what it thinks, says and calls.
//
//   const model = (view) => view.results.length > 0 ? { text: 'Snow.' } : { reasoning: 'I look.', calls: [['get_weather', { city: 'Oslo' }]] };
//   speakOpenAi(sim, 'native', model);   // natively
//   speakDeepSeek(chat, model);          // as the gateway's prompt asks for it
//
// A view is what a model sees: `said`, the user's last words; `results`, those of all tools, in the order of their calls;
// `offers(name)`, whether there is such a tool; `wantsJson`; `all`, everything as one text.
import { behaviours } from './openai-behaviours.mjs';

const pieces = (text) => (text === undefined ? [] : text.match(/[^]{1,9}/gu) ?? []);

let made = 0;

/** The model `name` of a simulated OpenAI-format service. */
export function speakOpenAi(simulator, name, model) {
  simulator.onModel(name, (call) => {
    const { reasoning, text, calls = [], ...options } = model(viewOfMessages(call.body));
    const thinks = call.body.thinking?.type !== 'disabled' && call.body.reasoning_effort !== 'none';
    const tools = calls.map(([tool, given]) => ({
      id: `call_${(made += 1)}_${Date.now().toString(36)}`,
      type: 'function',
      function: { name: tool, arguments: JSON.stringify(given) },
    }));
    return behaviours.ok(call, { ...options, reasoning: thinks ? pieces(reasoning) : [], text: pieces(text), tools });
  });
}

function viewOfMessages(body) {
  const textOf = ({ content }) => (typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join(''));
  const of = (role) => body.messages.filter((message) => message.role === role).map(textOf);
  const results = new Map(body.messages.filter(({ role }) => role === 'tool').map((message) => [message.tool_call_id, textOf(message)]));
  const calls = body.messages.flatMap((message) => message.tool_calls ?? []);
  return {
    said: of('user').at(-1) ?? '',
    results: calls.filter(({ id }) => results.has(id)).map(({ id }) => results.get(id)),
    offers: (name) => (body.tools ?? []).some((tool) => tool.function?.name === name) && body.tool_choice !== 'none',
    wantsJson: ['json_object', 'json_schema'].includes(body.response_format?.type),
    all: JSON.stringify(body),
  };
}

/** The model of all accounts of a simulated DeepSeek chat. */
export function speakDeepSeek(simulator, model) {
  simulator.script = (prompt) => {
    const { reasoning, text, calls = [] } = model(viewOfPrompt(prompt));
    return { thinking: pieces(reasoning), text: pieces((text ?? '') + (calls.length > 0 ? `\n\n${blockOf(calls)}` : '')) };
  };
}

/** Calls as the gateway's prompt asks for them. */
export function blockOf(calls) {
  const invokes = calls.map(([tool, given]) => `<invoke name="${tool}">\n${parameters(given)}</invoke>\n`).join('');
  return `<tool_calls>\n${invokes}</tool_calls>`;
}

const parameters = (given) =>
  Object.entries(given)
    .map(([name, value]) => `<parameter name="${name}">${typeof value === 'string' ? cdata(value) : JSON.stringify(value)}</parameter>\n`)
    .join('');

/** A section cannot hold its own end, and is split there. */
const cdata = (text) => `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;

function viewOfPrompt(prompt) {
  const turns = prompt.split('<｜User｜>').map((turn) => turn.split('<｜Assistant｜>')[0]);
  const isResult = /<tool_result id="([^"]*)">\n([^]*?)\n<\/tool_result>/g;
  const results = [...prompt.matchAll(isResult)].map(([, id, text]) => ({ id, text }));
  // Calls that show no id can only be matched by their order.
  const calls = [...prompt.matchAll(/<invoke [^>]*\bid="([^"]*)"/g)].map(([, id]) => id);
  if (calls.length > 0) results.sort((a, b) => calls.indexOf(a.id) - calls.indexOf(b.id));
  const said = turns.slice(1).map((turn) => turn.replace(isResult, '').trim()).filter((turn) => turn !== '');
  return {
    said: said.at(-1) ?? '',
    results: results.map(({ text }) => text),
    offers: (name) => new RegExp(`^- ${name}(: |$)`, 'm').test(prompt),
    wantsJson: /JSON schema|one JSON object/.test(prompt),
    all: prompt,
  };
}
