//! Weir: one OpenAI- and Claude-compatible API over a pool of upstream accounts, on Cloudflare Workers.
//!
//! ```text
//! client ──▶ http       request id, CORS, who is calling
//!        ──▶ dialect    bytes of one API ─▶ chat
//!        ──▶ config     model name ─▶ the upstreams that could serve it
//!        ──▶ ledger     one hop to a Durable Object: a lease on an account, a wait, or a refusal
//!        ──▶ upstream   chat ─▶ a call to the service
//!        ◀── dialect    its answer, through a transform stream: the same bytes, or events in the caller's API
//!        ──▶ memory     what the key's next call may need of it
//!        ──▶ ledger     settle, whatever the end
//!        ──▶ stats      what the call came to
//! ```
//!
//! Only the files named for the platform touch the `worker` crate (`http`, `rpc`, `*_object`, `storage`, `store`, `source`,
//! `client`, `fetch`, `pipe`); everything else is pure and tested natively.
pub mod admin;
pub mod chat;
pub mod config;
pub mod dialect;
pub mod http;
pub mod json;
pub mod ledger;
pub mod memory;
pub mod moment;
pub mod pattern;
pub mod rpc;
pub mod stats;
pub mod storage;
pub mod stream;
pub mod tokens;
pub mod tools;
pub mod upstream;

use web_sys::{Request, Response};
use worker::{Context, Env, Result, event};

/// Answers one HTTP request.
#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    http::handle(request, env, context).await
}
