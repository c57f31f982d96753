//! The answer to one call, while it is being made: not begun, a stream under way, or given.
//!
//! Before the first byte a failure is a real HTTP status, which clients retry properly (T10); after it, the dialect's
//! error event and nothing more (T9).
use futures::channel::oneshot;

use crate::chat::ChatError;
use crate::dialect::openai;
use crate::stream::pipe::{Departure, Left, Sink};

/// What a pooled answer says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Receipt {
    /// Accounts tried.
    pub(super) attempts: u32,
    /// Milliseconds in the queue.
    pub(super) waited_ms: u64,
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
}

impl Answer {
    /// An answer, and where its head arrives.
    pub(super) fn new(departure: Departure) -> (Answer, oneshot::Receiver<Head>) {
        let (sender, receiver) = oneshot::channel();
        (Answer { head: Some(sender), sink: None, departure }, receiver)
    }

    /// Whether a stream's headers are out.
    pub(super) fn is_streaming(&self) -> bool {
        self.sink.is_some()
    }

    /// The caller's body; the first call sends the headers.
    pub(super) fn stream(&mut self, receipt: Receipt) -> &Sink {
        let (head, departure) = (&mut self.head, &self.departure);
        self.sink.get_or_insert_with(|| {
            let sink = Sink::new(departure);
            send(head, Head::Stream(sink.readable(), receipt));
            sink
        })
    }

    /// Gives the whole answer.
    pub(super) fn give(&mut self, body: Vec<u8>, receipt: Receipt) {
        send(&mut self.head, Head::Json(body, receipt));
    }

    /// Ends with a failure. `between_events` is false where an event of the stream is still open.
    pub(super) async fn fail(&mut self, error: ChatError, receipt: Receipt, between_events: bool) -> Result<(), Left> {
        let Some(sink) = &self.sink else {
            send(&mut self.head, Head::Failed(error, receipt));
            return Ok(());
        };
        let open_event = if between_events { "" } else { "\n" };
        sink.write(format!("{open_event}{}", openai::error::event(&error)).as_bytes()).await?;
        sink.close().await
    }
}

fn send(head: &mut Option<oneshot::Sender<Head>>, what: Head) {
    // The handler waits for the head; if it is gone, so is the caller.
    let _ = head.take().map(|head| head.send(what));
}
