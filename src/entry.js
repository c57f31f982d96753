// The Worker's entry. worker-build's own classes do not extend DurableObject, and only a class that does takes
// RPC calls (three times the calls per second of `stub.fetch`). So each Durable Object is a thin JavaScript class here
// that hands every call to its Rust class.
import { DurableObject } from 'cloudflare:workers';
import Handler, * as wasm from '../build/index.js';
import { asksForPage, page } from './page.js';

// Each wake of a Rust future asks for a microtask. The platform's own costs microseconds, a settled promise's a tenth.
const settled = Promise.resolve();
globalThis.queueMicrotask = (task) => void settled.then(task);

export default class extends Handler {
  fetch(request) {
    return asksForPage(request, this.env) ? page(request, this.env) : super.fetch(request);
  }
}

/** A Durable Object class that forwards the named methods to the Rust class of the given name. */
function forward(rustClass, methods) {
  class Forwarding extends DurableObject {
    constructor(ctx, env) {
      super(ctx, env);
      this.inner = new wasm[rustClass](ctx, env);
    }
  }
  for (const method of methods) {
    Forwarding.prototype[method] = function (...args) {
      return this.inner[method](...args);
    };
  }
  return Forwarding;
}

export class Ledger extends forward('LedgerObject', [
  'fetch',
  'alarm',
  'admit',
  'settle',
  'renew',
  'cancel',
  'reset',
  'tested',
  'status',
  'key_status',
  'explain',
  'configure',
]) {}

export class Registry extends forward('RegistryObject', [
  'fetch',
  'alarm',
  'snapshot',
  'ledger_view',
  'document',
  'lookup_key',
  'account',
  'apply',
  'restore',
  'backups',
  'export',
  'vercel',
  'login_attempt',
]) {}

export class Session extends forward('SessionObject', ['fetch', 'alarm', 'prepare', 'work', 'finish']) {}

export class Memory extends forward('MemoryObject', ['fetch', 'alarm', 'keep', 'recall', 'forget']) {}

export class Stats extends forward('StatsObject', ['fetch', 'record', 'stats', 'logs', 'note', 'audit', 'used', 'plan']) {}
