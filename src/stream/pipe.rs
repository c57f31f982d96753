//! The platform's streams: an upstream's body, a caller's body through a `TransformStream`, and who is still there.
//!
//! Only a task that `wait_until` owns may hold these: nothing here does I/O when dropped (a `Drop` that JavaScript runs
//! late would reset the isolate).
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{AbortController, AbortSignal, ReadableStream};

#[wasm_bindgen(module = "/src/stream/pipe.js")]
extern "C" {
    /// An upstream's body.
    pub type Source;

    /// Takes a body over. Fails where the body is locked.
    #[wasm_bindgen(constructor, catch)]
    pub fn new(body: &ReadableStream) -> Result<Source, JsValue>;

    #[wasm_bindgen(method, catch, js_name = read)]
    async fn read_js(this: &Source) -> Result<JsValue, JsValue>;

    /// Reads on to the end by itself where that comes at once, and tells the upstream otherwise that no more is wanted.
    #[wasm_bindgen(method)]
    pub fn finish(this: &Source);

    /// Reads on and forgets, so much and for so long at most: a caller who is still sending when the connection closes sees
    /// a reset, and never the answer.
    #[wasm_bindgen(method)]
    pub async fn drain(this: &Source, most_bytes: f64, most_ms: f64);

    /// Tells the upstream that no more is wanted.
    #[wasm_bindgen(method)]
    pub fn cancel(this: &Source);

    /// A caller's body.
    pub type Sink;

    /// A new one, empty; its writes fail once the caller is gone, or has taken nothing of one for `patience_ms`.
    #[wasm_bindgen(constructor)]
    pub fn new(departure: &Departure, patience_ms: f64) -> Sink;

    /// The side that goes into the response.
    #[wasm_bindgen(method, getter)]
    pub fn readable(this: &Sink) -> ReadableStream;

    #[wasm_bindgen(method, catch, js_name = write)]
    async fn write_js(this: &Sink, bytes: Uint8Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = close)]
    async fn close_js(this: &Sink) -> Result<JsValue, JsValue>;

    /// Knows when the caller leaves.
    #[derive(Clone)]
    pub type Departure;

    /// Follows the signal of a request (`enable_request_signal`).
    #[wasm_bindgen(constructor)]
    pub fn new(request_signal: &AbortSignal) -> Departure;

    /// Whether the caller is gone.
    #[wasm_bindgen(method, getter, js_name = gone)]
    pub fn is_gone(this: &Departure) -> bool;

    #[wasm_bindgen(method, js_name = wait)]
    fn wait_js(this: &Departure) -> js_sys::Promise;

    /// Marks the caller as gone: a write that failed is noticed before the signal.
    #[wasm_bindgen(method)]
    pub fn leave(this: &Departure);

    /// A controller that aborts by itself when the caller leaves.
    #[wasm_bindgen(method)]
    pub fn controller(this: &Departure) -> AbortController;

    #[wasm_bindgen(catch, js_name = pump)]
    async fn pump_js(
        source: &Source,
        sink: &Sink,
        lead: Uint8Array,
        feed: &JsValue,
        watch: &JsValue,
        tick_ms: f64,
    ) -> Result<JsValue, JsValue>;
}

/// The caller is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left;

/// The upstream's body failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl Source {
    /// The next bytes; `None` at the end.
    pub async fn read(&self) -> Result<Option<Vec<u8>>, Broken> {
        let value = self.read_js().await.map_err(|_| Broken)?;
        Ok(value.dyn_into::<Uint8Array>().ok().map(|bytes| bytes.to_vec()))
    }
}

impl Sink {
    /// Writes, and waits until the caller's side took it.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), Left> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.write_js(Uint8Array::from(bytes)).await.map(|_| ()).map_err(|_| Left)
    }

    /// Ends the body cleanly.
    pub async fn close(&self) -> Result<(), Left> {
        self.close_js().await.map(|_| ()).map_err(|_| Left)
    }
}

impl Departure {
    /// Waits until the caller leaves.
    pub async fn wait(&self) {
        // The promise never rejects.
        let _ = wasm_bindgen_futures::JsFuture::from(self.wait_js()).await;
    }
}

/// What to do with the bytes just read.
pub enum Feed {
    /// Write them as they are.
    Same,
    /// Write `0`, then this part of them.
    Changed(Vec<u8>, std::ops::Range<usize>),
    /// Read no more.
    Stop,
}

/// What to do after a while without a byte.
pub enum Watch {
    /// Wait on.
    Wait,
    /// Write this, to keep the connection and to see whether the caller is there.
    Write(Vec<u8>),
    /// Give the upstream up.
    Stalled,
}

/// Why a pump ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The upstream's clean end.
    Ended,
    /// The upstream failed.
    Broken,
    /// The caller is gone.
    Left,
    /// `feed` said so.
    Stopped,
    /// `watch` said so.
    Stalled,
}

/// Moves `lead` and then `source` into `sink`. `feed` sees every read, `watch` every `tick_ms` how long the source has been silent.
pub async fn pump(
    source: &Source,
    sink: &Sink,
    lead: &[u8],
    mut feed: impl FnMut(&[u8]) -> Feed + 'static,
    mut watch: impl FnMut(u64) -> Watch + 'static,
    tick_ms: u64,
) -> End {
    let mut buffer = Vec::new();
    let feed = Closure::<dyn FnMut(Uint8Array) -> JsValue>::own_assert_unwind_safe(move |chunk: Uint8Array| {
        let length = chunk.length() as usize;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let bytes = buffer.get_mut(..length).unwrap_or_default();
        chunk.copy_to(bytes);
        match feed(bytes) {
            Feed::Same => JsValue::UNDEFINED,
            Feed::Stop => JsValue::NULL,
            Feed::Changed(lead, rest) => {
                let (start, end) = (u32::try_from(rest.start), u32::try_from(rest.end));
                let rest = chunk.subarray(start.unwrap_or(u32::MAX), end.unwrap_or(u32::MAX));
                js_sys::Array::of2(&Uint8Array::from(lead.as_slice()), &rest).into()
            }
        }
    });
    let watch = Closure::<dyn FnMut(f64) -> JsValue>::own_assert_unwind_safe(move |idle_ms: f64| {
        // A cast from float saturates.
        match watch(idle_ms as u64) {
            Watch::Wait => JsValue::UNDEFINED,
            Watch::Write(bytes) => Uint8Array::from(bytes.as_slice()).into(),
            Watch::Stalled => JsValue::NULL,
        }
    });
    let end = pump_js(source, sink, Uint8Array::from(lead), feed.as_ref(), watch.as_ref(), tick_ms as f64).await;
    match end.ok().and_then(|end| end.as_string()).as_deref() {
        Some("ended") => End::Ended,
        Some("left") => End::Left,
        Some("stopped") => End::Stopped,
        Some("stalled") => End::Stalled,
        _ => End::Broken,
    }
}
