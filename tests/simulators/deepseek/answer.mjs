// The frames of one answer (protocols: §8), as the patches of a message.

const fragment = (id, type, content, rest) => ({ id, type, content, ...rest, references: [], stage_id: 1 });

/** Writes patches, and leaves out of each what the one before already said. */
class Patches {
  #path = '';
  #operation = 'SET';

  constructor(write) {
    this.write = write;
  }

  frame(patch) {
    return this.write(`data: ${JSON.stringify(patch)}\n\n`);
  }

  event(name, data) {
    return this.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  patch(path, operation, value) {
    const said = { ...(path !== this.#path && { p: path }), ...(operation !== this.#operation && { o: operation }), v: value };
    [this.#path, this.#operation] = [path, operation];
    return this.frame(said);
  }
}

/**
 * Streams `answer`, `{ thinking?: [piece], text?: [piece], pages?: [{ url, title }] }`, of a message.
 * `status` is how it ends; `filtered` is a template that takes the answer's place. `snapshot` is what an earlier stream
 * of the same message held. Calls `written` when the model is done. Resolves with the fragments.
 */
export async function stream(write, { ids, request, answer, written, status = 'FINISHED', usage, filtered, snapshot = [], isFirst = true, unknown = false }) {
  const out = new Patches(write);
  const thinking = request.thinking_enabled ? (answer.thinking ?? []) : [];
  const pages = request.search_enabled ? (answer.pages ?? []) : [];
  await out.event('ready', { request_message_id: ids.request, response_message_id: ids.response, model_type: request.model_type ?? 'default' });
  await out.event('update_session', { updated_at: Date.now() / 1000 });
  if (unknown) await out.event('auto_tts_capability', { status: 'ready' });
  const fragments = snapshot.map((known) => ({ ...known }));
  await out.frame({
    v: {
      response: {
        message_id: ids.response, parent_id: ids.request, model: '', role: 'ASSISTANT', thinking_enabled: request.thinking_enabled,
        ban_edit: false, ban_regenerate: false, status: 'WIP', incomplete_message: null, accumulated_token_usage: 0, feedback: null,
        inserted_at: Date.now() / 1000, search_enabled: request.search_enabled, fragments, conversation_mode: 'DEFAULT',
        has_pending_fragment: false, auto_continue: false,
      },
    },
  });
  if (unknown) await out.frame({ p: 'response/some_new_field', o: 'SET', v: { deep: [1] } });

  /** Adds pieces to a fragment of a type, which is begun where the last one has another type. */
  const say = async (type, pieces, rest) => {
    for (const piece of pieces) {
      const last = fragments.at(-1);
      if (last?.type === type) {
        last.content += piece;
        await out.patch('response/fragments/-1/content', 'APPEND', piece);
      } else {
        const begun = fragment((last?.id ?? 1) + 1, type, piece, rest);
        fragments.push(begun);
        await out.patch('response/fragments', 'APPEND', [begun]);
      }
    }
  };
  await say('THINK', thinking, { elapsed_secs: null });
  if (thinking.length > 0) await out.patch('response/fragments/-1/elapsed_secs', 'SET', 1.25);
  if (pages.length > 0) {
    const results = pages.map(({ url, title }, at) => ({ url, title, snippet: 's', cite_index: at + 1, site_name: 'e', query_indexes: [0] }));
    const search = { id: (fragments.at(-1)?.id ?? 1) + 1, type: 'SEARCH', status: 'WIP', content: null, queries: [{ query: 'q' }], results: [] };
    fragments.push(search);
    await out.patch('response/fragments', 'APPEND', [search]);
    for (let found = 1; found <= results.length; found += 1) await out.patch('response/fragments/-1/results', 'SET', results.slice(0, found));
    await out.patch('response/fragments/-1/status', 'SET', 'FINISHED');
  }
  await say('RESPONSE', answer.text ?? []);
  if (filtered) {
    const template = [{ id: 38, type: 'TEMPLATE_RESPONSE', content: filtered }];
    await out.patch('response', 'BATCH', [{ p: 'accumulated_token_usage', v: usage(fragments) }, { p: 'quasi_status', v: 'FINISHED' }]);
    await out.patch('response', 'BATCH', [
      { p: 'ban_regenerate', v: true }, { p: 'status', v: 'CONTENT_FILTER' }, { p: 'fragments', v: template }, { p: 'quasi_status', v: 'CONTENT_FILTER' },
    ]);
  } else {
    if (status === 'FINISHED') await out.patch('response/fragments', 'APPEND', [{ id: 99, type: 'TIP', content: 'This response is AI-generated, for reference only.', style: 'WARNING', hide_on_wip: true }]);
    await out.patch('response', 'BATCH', [{ p: 'accumulated_token_usage', v: usage(fragments) }, { p: 'quasi_status', v: status }]);
    await out.patch('response/status', 'SET', status);
  }
  written();
  await out.event('update_session', { updated_at: Date.now() / 1000 });
  if (isFirst && !filtered) await out.event('title', { content: 'A title' });
  await out.event('close', { click_behavior: 'none', auto_resume: false });
  return fragments;
}

/** An error instead of an answer (protocols: §8.5 F). */
export async function hint(write, ids, reason) {
  const out = new Patches(write);
  await out.event('ready', { request_message_id: ids.request, response_message_id: ids.response, model_type: 'default' });
  await out.event('hint', { type: 'error', content: hints[reason] ?? 'Something is wrong.', clear_response: true, finish_reason: reason });
  await out.event('close', { click_behavior: 'retry', auto_resume: false });
}

const hints = {
  rate_limit_reached: 'Messages too frequent. Try again later.',
  parallel_chat_limit: 'Please wait: a message is being generated.',
  input_exceeds_limit: 'Content is too long. Please shorten it and try again.',
  expert_busy_use_default: 'Server is busy. Try again later, or use Instant Mode.',
  generation_timeout: 'Server busy, please try again later.',
  content_filter: 'Content cannot be processed.',
};
