//! The decoder of DeepSeek's web chat: no input panics, and any split gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::chat::ChatEvent;
use weir::upstream::deepseek_web::decode::{Decoder, State};
use weir::upstream::deepseek_web::settings::CitationStyle;

/// Two rounds of the same stream, in pieces of `length`.
fn run(stream: &[u8], length: usize) -> (String, String, State) {
    let mut decoder = Decoder::new(CitationStyle::Links);
    let (mut text, mut thoughts) = (String::new(), String::new());
    for _ in 0..2 {
        let mut events: Vec<ChatEvent> = stream.chunks(length).flat_map(|chunk| decoder.feed(chunk)).collect();
        events.extend(decoder.end());
        for event in events {
            match event {
                ChatEvent::Text(more) => text.push_str(&more),
                ChatEvent::Reasoning(more) => thoughts.push_str(&more),
                _ => {}
            }
        }
        decoder.next_round();
    }
    (text, thoughts, decoder.state().clone())
}

fuzz_target!(|input: &[u8]| {
    // The last byte: so that a captured stream is a seed as it is.
    if let Some((length, stream)) = input.split_last() {
        let length = usize::from(*length).max(1);
        assert_eq!(run(stream, length), run(stream, stream.len().max(1)));
    }
});
