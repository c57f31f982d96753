// Weir's own routes as an OpenAPI 3.1 description, room by room. The build writes it to public/openapi.json.
import * as admin from './admin.mjs';
import * as anthropic from './anthropic.mjs';
import * as document from './document.mjs';
import * as gateway from './gateway.mjs';
import * as moving from './moving.mjs';
import * as observing from './observing.mjs';
import * as openai from './openai.mjs';
import { failureResponses, headers } from './words.mjs';

const rooms = [gateway, openai, anthropic, document, admin, moving, observing];
const all = (part) => Object.assign({}, ...rooms.map((room) => room[part]));

const description = `One OpenAI- and Claude-compatible API over a pool of upstream accounts.

Every answer carries \`x-request-id\`. Errors come in OpenAI's form, on Anthropic's routes in Anthropic's. Fields that a
request's schema does not name are refused where it says so, and pass or are ignored elsewhere. All values are made up.`;

const tags = {
  Gateway: 'What Weir says of itself, and to the holder of a key.',
  OpenAI: "OpenAI's API.",
  Anthropic: "Anthropic's API, each route also below `/anthropic`.",
  Session: "The operator's session.",
  Configuration: 'The configuration document and its lists.',
  Accounts: 'What is done with accounts.',
  'Moving in and out': 'Imports, exports, backups, and a ds2api on Vercel.',
  'Web ids': "volcengine_deepseek2api's management of ids, on accounts of kind `volcengine-console`.",
  Observing: 'What the pool does and did.',
};

/** The description of this version of Weir. */
export const describe = (version) => ({
  openapi: '3.1.0',
  info: { title: 'Weir', version, description, license: { name: 'MIT', identifier: 'MIT' } },
  servers: [{ url: '/' }],
  tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
  security: [{ clientKey: [] }, { clientKeyHeader: [] }],
  paths: all('paths'),
  components: {
    securitySchemes: {
      clientKey: { type: 'http', scheme: 'bearer', description: 'A client key.' },
      clientKeyHeader: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'A client key, as the Anthropic SDKs send it.' },
      adminSession: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The token of `POST /admin/login`.' },
    },
    headers,
    responses: failureResponses(),
    schemas: all('schemas'),
  },
});
