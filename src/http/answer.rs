//! The answer to one call, while it is being made: not begun, a stream under way, or given.
//!
//! Before the first byte a failure is a real HTTP status, which clients retry properly (T10); after it, the dialect's
//! error event and nothing more (T9).
use futures::channel::oneshot;

use crate::chat::ChatError;
use crate::dialect::Reply;
use crate::stream::pipe::{Departure, Left, Sink};

/// What a pooled answer says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Receipt {
    /// Accounts tried.
    pub(super) attempts: u32,
    /// Milliseconds in the queue.
    pub(super) waited_ms: u64,
    /// The model that was asked last, as its upstream knows it.
    pub(super) model: String,
}

/// What the caller gets first.
pub(super) enum Head {
    /// A stream's readable side.
    Stream(web_sys::ReadableStream, Receipt),
    /// A whole JSON answer.
    Json(Vec<u8>, Receipt),
    /// A failure before the first byte.
    Failed(ChatError, Receipt),
}

/// One answer. Given once; what comes after a broken end is not sent.
pub(super) struct Answer {
    head: Option<oneshot::Sender<Head>>,
    sink: Option<Sink>,
    departure: Departure,
    stall_ms: u64,
}

impl Answer {
    /// An answer, and where its head arrives. A caller who takes nothing for `stall_ms` counts as gone.
    pub(super) fn new(departure: Departure, stall_ms: u64) -> (Answer, oneshot::Receiver<Head>) {
        let (sender, receiver) = oneshot::channel();
        (Answer { head: Some(sender), sink: None, departure, stall_ms }, receiver)
    }

    /// Whether a stream's headers are out.
    pub(super) fn is_streaming(&self) -> bool {
        self.sink.is_some()
    }

    /// The caller's body; the first call sends the headers.
    pub(super) fn stream(&mut self, receipt: Receipt) -> &Sink {
        let (head, departure, stall_ms) = (&mut self.head, &self.departure, self.stall_ms);
        self.sink.get_or_insert_with(|| {
            let sink = Sink::new(departure, stall_ms as f64);
            send(head, Head::Stream(sink.readable(), receipt));
            sink
        })
    }

    /// Gives the whole answer.
    pub(super) fn give(&mut self, body: Vec<u8>, receipt: Receipt) {
        send(&mut self.head, Head::Json(body, receipt));
    }

    /// Ends with a failure of which the caller has read nothing but the stream's beginning, if that.
    pub(super) async fn fail(&mut self, error: ChatError, receipt: Receipt, reply: &Reply) -> Result<(), Left> {
        if self.sink.is_none() {
            send(&mut self.head, Head::Failed(error, receipt));
            return Ok(());
        }
        self.end(&reply.failure(&error)).await
    }

    /// Ends a stream with these bytes.
    pub(super) async fn end(&mut self, last: &[u8]) -> Result<(), Left> {
        let Some(sink) = &self.sink else { return Ok(()) };
        sink.write(last).await?;
        sink.close().await
    }
}

fn send(head: &mut Option<oneshot::Sender<Head>>, what: Head) {
    // The handler waits for the head; if it is gone, so is the caller.
    let _ = head.take().map(|head| head.send(what));
}
