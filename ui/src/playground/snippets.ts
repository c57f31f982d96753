// A request as a program makes it. The key is read from the environment: it is in no snippet.
import { type Ask, bodyOf, paths } from './dialects';

export type SnippetKind = 'curl' | 'python' | 'js';

export function snippet(kind: SnippetKind, ask: Ask, origin: string): string {
  return { curl, python, js }[kind](ask, origin);
}

function curl(ask: Ask, origin: string): string {
  const body = JSON.stringify(bodyOf(ask), null, 2).replaceAll("'", "'\\''");
  const flag = ask.stream ? ' -N' : '';
  const version = ask.dialect === 'claude' ? " \\\n  -H 'anthropic-version: 2023-06-01'" : '';
  return `curl${flag} ${origin}${paths[ask.dialect]} \\\n  -H "Authorization: Bearer $WEIR_KEY" \\\n  -H 'Content-Type: application/json'${version} \\\n  -d '${body}'`;
}

function python(ask: Ask, origin: string): string {
  const fields = Object.entries(bodyOf(ask)).filter(([name]) => name !== 'stream');
  const args = [...fields.map(([name, value]) => `    ${name}=${pythonOf(value, 1)},`), ...(ask.stream ? ['    stream=True,'] : [])].join('\n');
  if (ask.dialect === 'claude') {
    const read = ask.stream ? 'for event in message:\n    print(event)' : 'print(message.content)';
    return `import os\nfrom anthropic import Anthropic\n\nclient = Anthropic(base_url="${origin}", api_key=os.environ["WEIR_KEY"])\nmessage = client.messages.create(\n${args}\n)\n${read}`;
  }
  const call = ask.dialect === 'openai' ? 'chat.completions' : 'responses';
  const whole = ask.dialect === 'openai' ? 'print(answer.choices[0].message.content)' : 'print(answer.output_text)';
  const read = ask.stream ? 'for event in answer:\n    print(event)' : whole;
  return `import os\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="${origin}/v1", api_key=os.environ["WEIR_KEY"])\nanswer = client.${call}.create(\n${args}\n)\n${read}`;
}

function js(ask: Ask, origin: string): string {
  const body = JSON.stringify(bodyOf(ask), null, 2).replace(/^(\s*)"(\w+)":/gm, '$1$2:');
  if (ask.dialect === 'claude') {
    const read = ask.stream ? 'for await (const event of message) console.log(event);' : 'console.log(message.content);';
    return `import Anthropic from '@anthropic-ai/sdk';\n\nconst client = new Anthropic({ baseURL: '${origin}', apiKey: process.env.WEIR_KEY });\nconst message = await client.messages.create(${body});\n${read}`;
  }
  const call = ask.dialect === 'openai' ? 'chat.completions' : 'responses';
  const whole = ask.dialect === 'openai' ? 'console.log(answer.choices[0].message.content);' : 'console.log(answer.output_text);';
  const read = ask.stream ? 'for await (const event of answer) console.log(event);' : whole;
  return `import OpenAI from 'openai';\n\nconst client = new OpenAI({ baseURL: '${origin}/v1', apiKey: process.env.WEIR_KEY });\nconst answer = await client.${call}.create(${body});\n${read}`;
}

/** A value as Python writes it. */
function pythonOf(value: unknown, depth: number): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null) return 'None';
  if (typeof value !== 'object') return JSON.stringify(value);
  const [outer, inner] = ['    '.repeat(depth), '    '.repeat(depth + 1)];
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[\n${value.map((each) => `${inner}${pythonOf(each, depth + 1)},`).join('\n')}\n${outer}]`;
  const entries = Object.entries(value as object).map(([name, each]) => `${JSON.stringify(name)}: ${pythonOf(each, depth + 1)}`);
  return `{${entries.join(', ')}}`;
}
