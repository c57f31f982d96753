//! Sends a call to an OpenAI-format service.
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, ReadableStream};

/// How Weir names itself; the platform sends no `User-Agent` of its own.
const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

#[wasm_bindgen(module = "/src/upstream/openai/fetch.js")]
extern "C" {
    /// What an upstream answered.
    pub type Reply;

    /// The HTTP status.
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Reply) -> u16;

    /// The body, where it is a 200 and not the stream that was asked for.
    #[wasm_bindgen(method, getter)]
    pub fn whole(this: &Reply) -> Option<Uint8Array>;

    /// The body otherwise; `None` where there is none.
    #[wasm_bindgen(method, getter)]
    pub fn stream(this: &Reply) -> Option<ReadableStream>;

    /// A header.
    #[wasm_bindgen(method)]
    pub fn header(this: &Reply, name: &str) -> Option<String>;

    #[wasm_bindgen(catch, js_name = post)]
    async fn post_js(
        url: &str,
        credential: &str,
        stream: bool,
        user_agent: &str,
        body: Uint8Array,
        signal: &AbortSignal,
    ) -> Result<JsValue, JsValue>;
}

/// Posts `body` to `url` with `credential` as its bearer token. Answers once the headers of a stream are there, or all of
/// a plain answer.
///
/// # Errors
/// When the connection fails, or when `signal` aborts.
pub async fn post(
    url: &str,
    credential: &str,
    body: &[u8],
    stream: bool,
    signal: &AbortSignal,
) -> Result<Reply, JsValue> {
    let reply = post_js(url, credential, stream, USER_AGENT, Uint8Array::from(body), signal).await?;
    Ok(reply.unchecked_into())
}
