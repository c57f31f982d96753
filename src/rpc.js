/**
 * Calls `method` of the object `name` behind `binding`: one text in, a promise of one text out.
 *
 * A Durable Object whose isolate dies never answers, so after `deadline_ms` the promise fails.
 */
export function call(env, binding, name, method, argument, deadline_ms) {
  return new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error('no answer within its deadline')), deadline_ms);
    const settle = (end) => (value) => {
      clearTimeout(timer);
      end(value);
    };
    env[binding].getByName(name)[method](argument).then(settle(done), settle(failed));
  });
}
