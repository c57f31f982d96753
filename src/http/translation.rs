//! An answer in the caller's format, made of a service's events.
use crate::chat::{ChatEvent, Usage};
use crate::dialect::openai::answer::{Completion, Encoder, Head};
use crate::upstream::decode::Decode;
use crate::upstream::passage::{Fed, Passage, Phase};

/// Writes what a decoder reads.
pub(super) struct Translation {
    decode: Box<dyn Decode>,
    head: Head,
    format: Format,
    started: bool,
    usage: Option<Usage>,
}

enum Format {
    Stream(Encoder),
    Whole(Completion),
}

impl Translation {
    /// `usage_asked` is `None` for a plain answer, which is written as a whole once it is complete.
    pub(super) fn new(decode: Box<dyn Decode>, head: Head, usage_asked: Option<bool>) -> Translation {
        let format = match usage_asked {
            Some(asked) => Format::Stream(Encoder::new(&head, asked)),
            None => Format::Whole(Completion::default()),
        };
        Translation { decode, head, format, started: false, usage: None }
    }

    fn write(&mut self, events: Vec<ChatEvent>) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            if let ChatEvent::Usage(usage) = event {
                self.usage = Some(usage);
            }
            let is_end = matches!(event, ChatEvent::Finish(_));
            match &mut self.format {
                Format::Stream(encoder) => encoder.push(event, &mut out),
                Format::Whole(completion) => {
                    completion.push(event);
                    if is_end {
                        out.extend_from_slice(completion.body(&self.head).to_string().as_bytes());
                    }
                }
            }
        }
        self.started |= !out.is_empty();
        out
    }
}

impl Passage for Translation {
    fn feed(&mut self, read: &[u8]) -> Fed {
        let events = self.decode.feed(read);
        Fed { lead: self.write(events), rest: 0..0 }
    }

    fn end(&mut self) -> Vec<u8> {
        let events = self.decode.end();
        self.write(events)
    }

    fn phase(&self) -> Phase {
        self.decode.phase()
    }

    fn resume(&mut self) {
        self.decode.resume();
    }

    fn started(&self) -> bool {
        self.started
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn between_events(&self) -> bool {
        true
    }
}
