//! Weir: one OpenAI- and Claude-compatible API over a pool of upstream accounts.
pub mod chat;
pub mod config;
pub mod dialect;
pub mod ledger;
pub mod rpc;
pub mod stream;
pub mod upstream;

use worker::{Context, Env, Request, Response, Result, event};

/// Answers one HTTP request.
#[event(fetch)]
async fn fetch(_request: Request, _env: Env, _context: Context) -> Result<Response> {
    Response::ok("weir")
}
