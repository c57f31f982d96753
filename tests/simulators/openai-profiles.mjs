// How three services that speak the OpenAI format differ on the wire: ids, field order, role repeats, usage, errors.
//
// Sources: shared/guides/api-conformance.md §3-4 and OpenAI's published reference for `openai`;
// shared/protocols/volcengine.md B1 for `ark`, B2 for `deepseek`. Never our own client.
import { createHash } from 'node:crypto';

/** Every answer says it was made at this second, so that two calls can be compared field by field. */
export const CREATED = 1_763_683_200;

const hex = (seed, length) => {
  let out = '';
  for (let n = 0; out.length < length; n += 1) out += createHash('sha256').update(`${seed}#${n}`).digest('hex');
  return out.slice(0, length);
};

const uuid = (seed) => hex(seed, 32).replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');

/** Small deterministic numbers that look like a count: what the messages hold, and what the answer holds. */
function count(plan) {
  const prompt = plan.promptTokens;
  const reasoning = plan.reasoning.length;
  const completion = plan.text.length + reasoning + plan.tools.length * 5;
  return { prompt, completion, reasoning, total: prompt + completion, cached: Math.min(2, prompt) };
}

// ------------------------------------------------------------------------------------------------ OpenAI

const openai = {
  mount: '/v1',
  echoes: (model) => `${model}-2026-08-06`,
  ids: {
    chat: (seed) => `chatcmpl-${hex(seed, 29)}`,
    text: (seed) => `cmpl-${hex(seed, 29)}`,
    request: (seed) => `req_${hex(seed, 32)}`,
    tool: (seed) => `call_${hex(seed, 24)}`,
  },
  headers: (requestId) => ({
    'x-request-id': requestId,
    'openai-version': '2020-10-01',
    'openai-organization': 'org-simulated',
    'openai-processing-ms': '12',
  }),
  usage(plan) {
    const { prompt, completion, reasoning, total, cached } = count(plan);
    return {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: total,
      prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: reasoning,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    };
  },
  completion(plan) {
    return {
      id: plan.id,
      object: 'chat.completion',
      created: CREATED,
      model: plan.model,
      choices: plan.choices.map((choice) => ({
        index: choice.index,
        message: {
          role: 'assistant',
          content: choice.tools.length > 0 && choice.text.length === 0 ? null : choice.text.join(''),
          ...(choice.tools.length > 0 && { tool_calls: choice.tools }),
          refusal: null,
          annotations: [],
        },
        logprobs: null,
        finish_reason: choice.finish,
      })),
      usage: this.usage(plan),
      service_tier: 'default',
      system_fingerprint: 'fp_51e1070cf2',
    };
  },
  chunk(plan, choices, usage) {
    return {
      id: plan.id,
      object: 'chat.completion.chunk',
      created: CREATED,
      model: plan.model,
      service_tier: 'default',
      system_fingerprint: 'fp_51e1070cf2',
      choices,
      ...(plan.includeUsage && { usage: usage ?? null }),
      ...(choices.length > 0 && plan.obfuscate && { obfuscation: hex(JSON.stringify(choices), 9) }),
    };
  },
  choice: (index, delta, finish = null) => ({ index, delta, logprobs: null, finish_reason: finish }),
  opening: () => ({ role: 'assistant', content: '', refusal: null }),
  toolOpening: () => ({ role: 'assistant', content: null, refusal: null }),
  delta: (fields) => fields,
  closing: () => ({}),
  /** [type, code, message] of a status. */
  errors: {
    400: ['invalid_request_error', null, 'We could not parse the JSON body of your request.'],
    401: ['invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.'],
    402: ['billing_error', 'billing_not_active', 'Your account is not active, please check your billing details.'],
    403: ['invalid_request_error', 'unsupported_country_region_territory', 'Country, region, or territory not supported'],
    404: ['invalid_request_error', 'model_not_found', 'The model does not exist or you do not have access to it.'],
    422: ['invalid_request_error', null, 'The request was well-formed but could not be followed.'],
    429: ['requests', 'rate_limit_exceeded', 'Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.'],
    500: ['server_error', null, 'The server had an error while processing your request. Sorry about that!'],
    503: ['server_error', null, 'The engine is currently overloaded, please try again later'],
  },
  error: ({ type, code, message, param }) => ({ error: { message, type, param: param ?? null, code } }),
  unknownModel: (model) => ({
    status: 404,
    message: `The model \`${model}\` does not exist or you do not have access to it.`,
  }),
  unknownPath: (method, path) => ({
    status: 404,
    json: { error: { message: `Invalid URL (${method} ${path})`, type: 'invalid_request_error', param: null, code: null } },
  }),
  wrongKey: (key) =>
    key === null
      ? { status: 401, code: null, message: "You didn't provide an API key." }
      : { status: 401, message: `Incorrect API key provided: ${key.slice(0, 3)}****${key.slice(-4)}.` },
  listedModel: (id) => ({ id, object: 'model', created: 1_715_367_049, owned_by: 'system' }),
};

// --------------------------------------------------------------------------------------------------- Ark

const ark = {
  mount: '/api/v3',
  // `model` is the real name and version, also when an `ep-…` was sent.
  echoes: (model) => (model.startsWith('ep-') ? 'deepseek-r1-250528' : model),
  ids: {
    chat: (seed) => `021${CREATED}123${hex(seed, 37)}`,
    text: (seed) => `021${CREATED}124${hex(seed, 37)}`,
    request: (seed) => `021${CREATED}125${hex(seed, 37)}`,
    tool: (seed) => `call_${hex(seed, 24)}`,
  },
  headers: (requestId) => ({ 'x-request-id': requestId }),
  usage(plan) {
    const { prompt, completion, reasoning, total } = count(plan);
    return {
      completion_tokens: completion,
      prompt_tokens: prompt,
      total_tokens: total,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: reasoning },
    };
  },
  completion(plan) {
    return {
      choices: plan.choices.map((choice) => ({
        finish_reason: choice.finish,
        index: choice.index,
        logprobs: null,
        message: {
          content: choice.text.join(''),
          role: 'assistant',
          ...(choice.reasoning.length > 0 && { reasoning_content: choice.reasoning.join('') }),
          ...(choice.tools.length > 0 && { tool_calls: choice.tools }),
        },
      })),
      created: CREATED,
      id: plan.id,
      model: plan.model,
      service_tier: 'default',
      object: 'chat.completion',
      usage: this.usage(plan),
    };
  },
  chunk(plan, choices, usage) {
    return {
      choices,
      created: CREATED,
      id: plan.id,
      model: plan.model,
      service_tier: 'default',
      object: 'chat.completion.chunk',
      usage: usage ?? null,
    };
  },
  // `finish_reason` is absent before the end; `role` and `content` are there on every delta.
  choice: (index, delta, finish) => ({ delta, index, ...(finish && { finish_reason: finish }) }),
  opening: () => null,
  toolOpening: () => null,
  delta: (fields) => ({ content: '', role: 'assistant', ...fields }),
  closing: () => ({ content: '', role: 'assistant' }),
  errors: {
    400: ['BadRequest', 'InvalidParameter', 'A parameter specified in the request is not valid.'],
    401: ['Unauthorized', 'AuthenticationError', 'The API key or AK/SK in the request is missing or invalid.'],
    403: ['Forbidden', 'AccountOverdueError', 'The request failed because your account has an overdue balance.'],
    404: ['NotFound', 'InvalidEndpointOrModel.NotFound', 'The model or endpoint does not exist or you do not have access to it.'],
    422: ['BadRequest', 'InvalidParameter', 'A parameter specified in the request is not valid.'],
    429: ['TooManyRequests', 'ModelAccountRpmRateLimitExceeded', 'The Requests Per Minute (RPM) limit of the model for your account has been exceeded.'],
    500: ['InternalServerError', 'InternalServiceError', 'The service encountered an unexpected internal error.'],
    503: ['InternalServerError', 'InternalServiceError', 'The service is temporarily unavailable.'],
  },
  error: ({ type, code, message, param, requestId }) => ({
    error: { code, message: `${message} Request id: ${requestId}`, param: param ?? '', type },
  }),
  unknownModel: (model) => ({
    status: 404,
    message: `The model or endpoint ${model} does not exist or you do not have access to it.`,
  }),
  // Outside its own paths (`/v1/…` among them) the service is a bare router.
  unknownPath: () => ({ status: 404, text: '404 page not found' }),
  wrongKey: () => ({ status: 401 }),
  listedModel: (id) => ({ id, object: 'model', created: 1_764_547_200, owned_by: 'volcengine', status: 'Active' }),
};

// ---------------------------------------------------------------------------------------------- DeepSeek

const deepseek = {
  mount: '', // `/v1` is accepted as well
  alsoMountedAt: '/v1',
  echoes: (model) => model,
  ids: {
    chat: uuid,
    text: uuid,
    request: (seed) => hex(seed, 32),
    tool: (seed) => `call_00_${hex(seed, 22)}`,
  },
  headers: (requestId) => ({ 'x-ds-trace-id': requestId }),
  usage(plan) {
    const { prompt, completion, reasoning, total, cached } = count(plan);
    return {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: total,
      prompt_tokens_details: { cached_tokens: cached },
      ...(reasoning > 0 && { completion_tokens_details: { reasoning_tokens: reasoning } }),
      prompt_cache_hit_tokens: cached,
      prompt_cache_miss_tokens: prompt - cached,
    };
  },
  completion(plan) {
    return {
      id: plan.id,
      object: 'chat.completion',
      created: CREATED,
      model: plan.model,
      choices: plan.choices.map((choice) => ({
        index: choice.index,
        message: {
          role: 'assistant',
          content: choice.text.join(''),
          ...(choice.reasoning.length > 0 && { reasoning_content: choice.reasoning.join('') }),
          ...(choice.tools.length > 0 && { tool_calls: choice.tools.map((tool, index) => ({ index, ...tool })) }),
        },
        logprobs: null,
        finish_reason: choice.finish,
      })),
      usage: this.usage(plan),
      system_fingerprint: 'fp_eaab8d114b_prod0820_fp8_kvcache',
    };
  },
  chunk(plan, choices, usage) {
    return {
      id: plan.id,
      object: 'chat.completion.chunk',
      created: CREATED,
      model: plan.model,
      system_fingerprint: 'fp_eaab8d114b_prod0820_fp8_kvcache',
      choices,
      ...(usage ? { usage } : plan.includeUsage && { usage: null }),
    };
  },
  choice: (index, delta, finish = null) => ({ index, delta, logprobs: null, finish_reason: finish }),
  opening: (plan) => ({ role: 'assistant', content: plan.reasoning.length > 0 ? null : '', ...(plan.reasoning.length > 0 && { reasoning_content: '' }) }),
  toolOpening: () => ({ role: 'assistant', content: '' }),
  // In thinking mode the other field is null beside the one that speaks.
  delta: (fields) => ('reasoning_content' in fields ? { content: null, ...fields } : fields),
  closing: () => ({ content: '' }),
  errors: {
    400: ['invalid_request_error', 'invalid_request_error', 'Failed to deserialize the JSON body into the target type.'],
    401: ['authentication_error', 'invalid_request_error', 'Authentication Fails (no such user)'],
    402: ['unknown_error', 'invalid_request_error', 'Insufficient Balance'],
    403: ['permission_error', 'invalid_request_error', 'Permission denied'],
    404: ['invalid_request_error', 'invalid_request_error', 'Not Found'],
    422: ['invalid_request_error', 'invalid_request_error', 'Invalid max_tokens value, the valid range of max_tokens is [1, 393216]'],
    429: ['rate_limit_error', 'rate_limit_error', 'Rate limit reached'],
    500: ['server_error', 'internal_error', 'Internal Server Error'],
    503: ['server_error', 'service_unavailable_error', 'Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.'],
  },
  error: ({ type, code, message, param }) => ({ error: { message, type, param: param ?? null, code } }),
  unknownModel: () => ({ status: 400, message: 'Model Not Exist' }),
  unknownPath: () => ({ status: 404, json: { error_msg: 'Not Found. Please check the configuration.' } }),
  wrongKey: (key) => ({ status: 401, message: `Authentication Fails, Your api key: ****${(key ?? '').slice(-4)} is invalid` }),
  listedModel: (id) => ({ id, object: 'model', owned_by: 'deepseek' }),
};

export const profiles = { openai, ark, deepseek };
export { hex };
