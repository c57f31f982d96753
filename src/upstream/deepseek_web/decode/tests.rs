//! Streams as captured (tests/fixtures/deepseek-sse, with what each must give) and as they might be, in all pieces.
use serde_json::Value;

use super::*;
use crate::chat::Citation;

mod random;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/deepseek-sse/");

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{FIXTURES}{name}")).unwrap()
}

fn expected() -> serde_json::Map<String, Value> {
    serde_json::from_slice(&fixture("expected.json")).unwrap()
}

/// All that came of one answer, adjacent texts merged.
#[derive(Debug, PartialEq)]
struct Got {
    events: Vec<ChatEvent>,
    state: State,
    id: Option<i64>,
    usage: Option<u64>,
}

impl Got {
    fn text(&self) -> String {
        self.all(|event| if let ChatEvent::Text(text) = event { Some(text.as_str()) } else { None }).concat()
    }

    fn thoughts(&self) -> String {
        self.all(|event| if let ChatEvent::Reasoning(text) = event { Some(text.as_str()) } else { None }).concat()
    }

    fn cited(&self) -> Vec<&str> {
        self.all(|event| if let ChatEvent::Citation(page) = event { Some(page.url.as_str()) } else { None })
    }

    fn all(&self, take: fn(&ChatEvent) -> Option<&str>) -> Vec<&str> {
        self.events.iter().filter_map(take).collect()
    }

    fn finish(&self) -> Option<FinishReason> {
        let ends: Vec<_> = self.events.iter().filter(|event| matches!(event, ChatEvent::Finish(_))).collect();
        match (self.events.last(), ends.len()) {
            (Some(ChatEvent::Finish(reason)), 1) => Some(reason.clone()),
            (_, 0) => None,
            _ => panic!("one finish, at the end: {:?}", self.events),
        }
    }
}

fn merge(events: &mut Vec<ChatEvent>, more: Vec<ChatEvent>) {
    for event in more {
        match (events.last_mut(), event) {
            (Some(ChatEvent::Text(before)), ChatEvent::Text(text)) => before.push_str(&text),
            (Some(ChatEvent::Reasoning(before)), ChatEvent::Reasoning(text)) => before.push_str(&text),
            (_, event) => events.push(event),
        }
    }
}

/// Reads rounds in pieces of these lengths, over and over.
fn run(style: CitationStyle, rounds: &[&[u8]], lengths: &[usize]) -> Got {
    let mut decoder = Decoder::new(style);
    let mut events = Vec::new();
    let mut lengths = lengths.iter().copied().cycle();
    for (round, mut rest) in rounds.iter().copied().enumerate() {
        if round > 0 {
            decoder.next_round();
        }
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(lengths.next().unwrap().clamp(1, rest.len()));
            merge(&mut events, decoder.feed(chunk));
            rest = tail;
        }
        merge(&mut events, decoder.end());
    }
    Got { events, state: decoder.state().clone(), id: decoder.message_id(), usage: decoder.usage_total() }
}

fn whole(stream: &[u8]) -> Got {
    run(CitationStyle::Links, &[stream], &[usize::MAX])
}

fn sse(frames: &[&str]) -> Vec<u8> {
    frames.iter().flat_map(|frame| format!("data: {frame}\n\n").into_bytes()).collect()
}

/// A snapshot with these fragments, then these frames, then the status `FINISHED`.
fn answer(fragments: &str, frames: &[&str]) -> Vec<u8> {
    let snapshot = format!(r#"{{"v":{{"response":{{"message_id":2,"status":"WIP","fragments":[{fragments}]}}}}}}"#);
    let mut all = vec![snapshot.as_str()];
    all.extend(frames);
    all.push(r#"{"p":"response/status","o":"SET","v":"FINISHED"}"#);
    sse(&all)
}

fn response(content: &str) -> String {
    format!(r#"{{"id":2,"type":"RESPONSE","content":"{content}"}}"#)
}

/// The markers of `expected.json` as links.
fn linked(name: &str, answer: &str) -> String {
    let pages: &[(&str, &str)] = match name {
        "search.sse" => {
            &[("[citation:1]", "[1](https://example.org/1)"), ("[citation:2]", "[2](https://example.org/2)")]
        }
        "thinking-search.sse" => {
            &[("[reference:0]", "[0](https://example.org/2)"), ("[reference:1]", "[1](https://example.org/3)")]
        }
        "legacy-v2-flat.sse" => &[("[citation:1]", "[1](https://example.org/1)")],
        _ => &[],
    };
    pages.iter().fold(answer.to_owned(), |text, (marker, link)| text.replace(marker, link))
}

fn check(name: &str, want: &Value, got: &Got) {
    let text = |field: &str| want[field].as_str().unwrap_or_default();
    let withdrawn = want.get("withdrawn").map(|text| format!("{}\n\n", text.as_str().unwrap())).unwrap_or_default();
    assert_eq!(got.text(), withdrawn + &linked(name, text("answer")), "{name}");
    assert_eq!(got.thoughts(), text("reasoning"), "{name}");
    assert_eq!(got.usage, want["usage"].as_u64(), "{name}");
    assert_eq!(got.id, Some(2), "{name}");
    let (state, finish) = match text("status") {
        "FINISHED" | "stop" => (State::Complete, Some(FinishReason::Stop)),
        "CONTENT_FILTER" => (State::Complete, Some(FinishReason::ContentFilter)),
        "INCOMPLETE" => (State::Incomplete { message_id: 2 }, None),
        _ => {
            let State::Broken(Trouble::Hint { reason, content }) = &got.state else {
                panic!("{name}: {:?}", got.state)
            };
            assert_eq!(reason, text("error"), "{name}");
            assert!(!content.is_empty(), "{name}");
            (got.state.clone(), None)
        }
    };
    assert_eq!((&got.state, got.finish()), (&state, finish), "{name}");
}

/// Every fixture with the rounds before it.
fn cases() -> Vec<(String, Vec<Vec<u8>>, Value)> {
    let rounds = |name: &str| match name {
        "incomplete-2-continue.sse" => vec![fixture("incomplete-1.sse"), fixture(name)],
        _ => vec![fixture(name)],
    };
    expected().into_iter().map(|(name, want)| (name.clone(), rounds(&name), want)).collect()
}

#[test]
fn every_captured_stream_gives_what_it_must_in_pieces_of_every_length() {
    assert_eq!(cases().len(), 15);
    for (name, rounds, want) in cases() {
        let rounds: Vec<&[u8]> = rounds.iter().map(Vec::as_slice).collect();
        let got = run(CitationStyle::Links, &rounds, &[usize::MAX]);
        check(&name, &want, &got);
        for length in 1..=rounds[0].len() {
            assert_eq!(run(CitationStyle::Links, &rounds, &[length]), got, "{name} in pieces of {length}");
            assert_eq!(run(CitationStyle::Links, &rounds, &[length, usize::MAX]), got, "{name} split at {length}");
        }
        let crlf: Vec<Vec<u8>> =
            rounds.iter().map(|round| String::from_utf8_lossy(round).replace('\n', "\r\n").into_bytes()).collect();
        let crlf: Vec<&[u8]> = crlf.iter().map(Vec::as_slice).collect();
        assert_eq!(run(CitationStyle::Links, &crlf, &[7]), got, "{name} with CRLF");
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_is_never_taken_for_a_whole_one() {
    for (name, rounds, want) in cases() {
        let last = rounds.last().unwrap();
        let all = whole(last);
        for length in 0..last.len() {
            let got = whole(&last[..length]);
            match got.state {
                State::Broken(Trouble::Cut) => assert_eq!(got.finish(), None, "{name} to {length}"),
                // What follows the status is not waited for.
                _ => assert_eq!((&got.state, got.text()), (&all.state, all.text()), "{name} to {length}"),
            }
            assert!(all.text().starts_with(&got.text()) && all.thoughts().starts_with(&got.thoughts()), "{name}");
        }
        assert!(want.is_object());
    }
}

#[test]
fn citations_are_links_or_nothing_and_each_page_is_named_once() {
    let got = whole(&fixture("search.sse"));
    assert_eq!(got.text(), "Sunny[2](https://example.org/2)[1](https://example.org/1).");
    assert_eq!(got.cited(), ["https://example.org/2", "https://example.org/1"]);
    assert_eq!(
        got.events[1],
        ChatEvent::Citation(Citation { url: "https://example.org/2".to_owned(), title: "Page 2".to_owned() })
    );
    let got = run(CitationStyle::Dropped, &[&fixture("search.sse")], &[1]);
    assert_eq!(got.text(), "Sunny.");
    assert_eq!(got.cited().len(), 2);
    let got = run(CitationStyle::Dropped, &[&fixture("thinking-search.sse")], &[3]);
    assert_eq!((got.text().as_str(), got.cited()), ("Sunny.", vec!["https://example.org/2", "https://example.org/3"]));
}

#[test]
fn what_looks_like_a_marker_is_held_back_only_while_it_may_be_one() {
    let page = r#"{"id":1,"type":"SEARCH","results":[{"url":"https://a.b/x (1)","title":"A","cite_index":3}]}"#;
    let fragments = format!("{page},{}", response(""));
    for (frames, text) in [
        (&["[", "x] [c"][..], "[x] [c"),
        (&["a[citation:3][cit", "ation:3]"], "a[3](https://a.b/x%20%281%29)[3](https://a.b/x%20%281%29)"),
        (&["[citation:99] [citation:12345] [citation:] [citation:x]"], " [citation:12345] [citation:] [citation:x]"),
        (&["[[citation:3]", "[", "["], "[[3](https://a.b/x%20%281%29)[["),
        (&["[reference:7]."], "."),
    ] {
        let frames: Vec<String> = frames
            .iter()
            .map(|text| format!(r#"{{"p":"response/fragments/-1/content","o":"APPEND","v":"{text}"}}"#))
            .collect();
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        assert_eq!(whole(&answer(&fragments, &frames)).text(), text);
    }
    // Without a search the model means the words.
    assert_eq!(whole(&answer(&response("see [citation:1]"), &[])).text(), "see [citation:1]");
    let mut decoder = Decoder::new(CitationStyle::Links);
    let stream = answer(&response("a ["), &[]);
    let at = stream.iter().position(|byte| *byte == b'\n').unwrap();
    assert_eq!(decoder.feed(&stream[..=at]), [ChatEvent::Text("a ".to_owned())]);
    assert_eq!(
        decoder.feed(&sse(&[r#"{"p":"response/fragments/0/content","o":"APPEND","v":"x"}"#])),
        [ChatEvent::Text("[x".to_owned())]
    );
}

#[test]
fn an_address_that_is_no_web_page_is_not_linked() {
    let page = r#"{"id":1,"type":"SEARCH","results":[{"url":"javascript:alert(1)","title":"A","cite_index":1}]}"#;
    let got = whole(&answer(&format!("{page},{}", response("a[citation:1]b")), &[]));
    assert_eq!(got.text(), "ab");
}

#[test]
fn patches_find_their_place() {
    let two = r#"{"id":2,"type":"THINK","content":"t"},{"id":3,"type":"RESPONSE","content":"a"}"#;
    for (frames, thoughts, text) in [
        // Text belongs to the fragment that the path names, not to the last one.
        (&[r#"{"p":"response/fragments/0/content","o":"APPEND","v":"u"}"#, r#"{"v":"v"}"#][..], "tuv", "a"),
        (&[r#"{"p":"response/fragments/-2/content","o":"APPEND","v":"u"}"#], "tu", "a"),
        (&[r#"{"p":"response/fragments/-3/content","o":"APPEND","v":"u"}"#, r#"{"p":"x/y","v":"z"}"#], "t", "a"),
        (&[r#"{"p":"response/fragments/2/content","o":"APPEND","v":"u"}"#, r#"{"o":"ODD","v":"z"}"#], "t", "a"),
        // The first SET is sticky until an operation is named.
        (
            &[r#"{"p":"response/fragments/-1/content","v":"ab"}"#, r#"{"o":"APPEND","v":"c"}"#, r#"{"v":"d"}"#],
            "t",
            "abcd",
        ),
        // A text that is set again is not given again.
        (
            &[r#"{"p":"response/fragments/1/content","o":"SET","v":"abc"}"#, r#"{"v":"ab"}"#, r#"{"v":"abcd"}"#],
            "t",
            "abcd",
        ),
        // A single object may be appended, and a list has a sticky of its own.
        (&[r#"{"p":"response/fragments","o":"APPEND","v":{"id":4,"type":"RESPONSE","content":"b"}}"#], "t", "ab"),
        (
            &[
                r#"{"p":"response","o":"BATCH","v":[{"p":"fragments/-1/content","o":"APPEND","v":"b"},{"v":"c"},{"p":"x"}]}"#,
                r#"{"v":[{"p":"fragments/-1/content","v":"abcd"}]}"#,
                r#"{"v":"e"}"#,
            ],
            "t",
            "abcde",
        ),
        (
            &[r#"{"o":"BATCH","v":[{"p":"response","o":"BATCH","v":[{"p":"fragments/0/content","v":"tt"}]}]}"#],
            "tt",
            "a",
        ),
        (&[r#"{"p":"response/fragments/-1","o":"SET","v":{"id":3,"type":"RESPONSE","content":"abc"}}"#], "t", "abc"),
        (
            &[r#"{"p":"response/fragments/0/type","v":"RESPONSE"}"#, r#"{"p":"response/fragments/0/content","v":"x"}"#],
            "t",
            "ax",
        ),
        // Other fragments are not text.
        (
            &[r#"{"p":"response/fragments","o":"APPEND","v":[{"id":4,"type":"TIP","content":"tip"}]}"#, r#"{"v":3}"#],
            "t",
            "a",
        ),
        // Names and fields that nobody knows.
        (&[r#"{"p":"response/new/thing","v":{"a":[1]}}"#, r#"[1]"#, r#""x""#, r#"{"v":null,"w":1}"#], "t", "a"),
    ] {
        let got = whole(&answer(two, frames));
        assert_eq!((got.thoughts().as_str(), got.text().as_str()), (thoughts, text), "{frames:?}");
        assert_eq!(got.finish(), Some(FinishReason::Stop), "{frames:?}");
    }
}

#[test]
fn a_text_that_was_changed_goes_on_from_the_change() {
    let set = r#"{"p":"response/fragments/-1/content","o":"SET","v":"日月x"}"#;
    assert_eq!(whole(&answer(&response("日本"), &[set])).text(), "日本月x");
}

#[test]
fn a_round_that_repeats_the_answer_token_by_token_adds_only_what_is_new() {
    let first = String::from_utf8(fixture("incomplete-1.sse")).unwrap();
    let second = String::from_utf8(fixture("incomplete-2-continue.sse")).unwrap();
    let replay = r#""fragments":[]"#;
    let tokens = [
        r#"{"p":"response/fragments","o":"APPEND","v":[{"id":2,"type":"THINK","content":""}]}"#,
        r#"{"p":"response/fragments/-1/content","v":"Long"}"#,
        r#"{"v":" thou"}"#,
        r#"{"v":"ghts"}"#,
        r#"{"v":" about trees"}"#,
    ];
    let snapshot = r#""fragments":[{"id":2,"type":"THINK","content":"Long thoughts about","elapsed_secs":null,"references":[],"stage_id":1}]"#;
    assert!(second.contains(snapshot));
    let tokens: String = tokens.iter().map(|token| format!("data: {token}\n\n")).collect();
    let second = second
        .replace(snapshot, replay)
        .replace("data: {\"p\":\"response/fragments/-1/content\",\"o\":\"APPEND\",\"v\":\" trees\"}\n\n", &tokens);
    for length in [1, 5, usize::MAX] {
        let got = run(CitationStyle::Links, &[first.as_bytes(), second.as_bytes()], &[length]);
        assert_eq!((got.thoughts().as_str(), got.text().as_str()), ("Long thoughts about trees.", "42!"));
        assert_eq!(got.finish(), Some(FinishReason::Stop));
    }
}

#[test]
fn a_marker_may_be_split_between_rounds() {
    let page = r#"{"id":1,"type":"SEARCH","results":[{"url":"https://a.b","title":"A","cite_index":1}]}"#;
    let first = sse(&[
        &format!(r#"{{"v":{{"response":{{"message_id":2,"fragments":[{page},{}]}}}}}}"#, response("a[cita")),
        r#"{"p":"response/status","v":"INCOMPLETE"}"#,
    ]);
    let second = answer(
        &format!("{page},{}", response("a[cita")),
        &[r#"{"p":"response/fragments/-1/content","o":"APPEND","v":"tion:1]"}"#],
    );
    assert_eq!(run(CitationStyle::Links, &[&first, &second], &[9]).text(), "a[1](https://a.b)");
    let mut decoder = Decoder::new(CitationStyle::Links);
    assert_eq!(decoder.feed(&first), [ChatEvent::Text("a".to_owned())]);
    assert_eq!(decoder.end(), []);
    assert_eq!(decoder.state(), &State::Incomplete { message_id: 2 });
    assert_eq!(decoder.give_up(), [ChatEvent::Text("[cita".to_owned()), ChatEvent::Finish(FinishReason::Length)]);
    assert_eq!((decoder.give_up(), decoder.state()), (vec![], &State::Complete));
    decoder.next_round();
    assert_eq!((decoder.feed(&second), decoder.end()), (vec![], vec![]));
}

#[test]
fn ends_of_every_kind() {
    let end = |status: &str| whole(&sse(&[r#"{"v":{"response":{"message_id":7,"fragments":[]}}}"#, status]));
    let status = |status: &str| end(&format!(r#"{{"p":"response/status","v":"{status}"}}"#));
    assert_eq!(status("CONTEXT_LENGTH_EXCEEDED").finish(), Some(FinishReason::Length));
    assert_eq!(status("CONTENT_FILTER").finish(), Some(FinishReason::ContentFilter));
    assert_eq!(status("INCOMPLETE").state, State::Incomplete { message_id: 7 });
    assert_eq!(status("WIP").state, State::Broken(Trouble::Cut));
    assert!(matches!(status("TIMEOUT").state, State::Broken(Trouble::Hint { reason, .. }) if reason == "TIMEOUT"));
    assert_eq!(end(r#"{"p":"response/quasi_status","v":"FINISHED"}"#).state, State::Broken(Trouble::Cut));
    assert_eq!(end(r#"{"p":"response/auto_continue","v":true}"#).state, State::Incomplete { message_id: 7 });
    assert_eq!(end("[DONE]").state, State::Broken(Trouble::Cut));
    // A status in a snapshot counts only once nothing follows.
    let done = r#"{"v":{"response":{"message_id":2,"status":"FINISHED","fragments":[{"id":1,"type":"ANSWER","content":"a"}]}}}"#;
    let got = whole(&sse(&[done, r#"{"p":"response/fragments/-1/content","o":"APPEND","v":"b"}"#, "[DONE]"]));
    assert_eq!((got.text().as_str(), got.finish()), ("ab", Some(FinishReason::Stop)));
    // The text in place of a withdrawn answer may follow the status.
    let template = r#"{"p":"response/fragments","v":[{"id":2,"type":"TEMPLATE_RESPONSE","content":"Sorry"}]}"#;
    let got = end_after(&[r#"{"p":"response/status","v":"CONTENT_FILTER"}"#, template]);
    assert_eq!((got.text().as_str(), got.finish()), ("Sorry", Some(FinishReason::ContentFilter)));
}

fn end_after(frames: &[&str]) -> Got {
    let mut all = vec![r#"{"v":{"response":{"message_id":2,"status":"WIP","fragments":[]}}}"#];
    all.extend(frames);
    whole(&sse(&all))
}

#[test]
fn older_forms_of_refusals() {
    for frame in [
        r#"{"code":"content_filter"}"#,
        r#"{"error":"content_filter"}"#,
        r#"{"error":{"code":"content_filter","message":""}}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#,
    ] {
        let got = end_after(&[frame]);
        assert_eq!((got.finish(), got.text().as_str()), (Some(FinishReason::ContentFilter), ""), "{frame}");
    }
    let hint = b"event: hint\ndata: {\"type\":\"error\",\"content\":\"No.\",\"finish_reason\":\"content_filter\"}\n\n";
    let got = whole(hint);
    assert_eq!((got.text().as_str(), got.finish()), ("No.", Some(FinishReason::ContentFilter)));
    for (frame, want, words) in [
        (r#"{"error":{"type":"busy","message":"later"}}"#, "busy", "later"),
        (r#"{"error":"odd"}"#, "odd", ""),
        (r#"{"choices":[{"delta":null,"finish_reason":"backend_busy"}]}"#, "backend_busy", ""),
    ] {
        let trouble = Trouble::Hint { reason: want.to_owned(), content: words.to_owned() };
        assert_eq!(end_after(&[frame]).state, State::Broken(trouble), "{frame}");
    }
    let got = end_after(&[r#"{"code":40003,"msg":"Authorization Failed (invalid token)","data":null}"#]);
    assert!(matches!(got.state, State::Broken(Trouble::Json { code: 40003, .. })));
    // A hint that is no error, and events that nobody knows.
    let quiet = b"event: hint\ndata: {\"type\":\"info\"}\n\nevent: toast\ndata: oops\n\nid: 1\nretry: 5\n\n";
    let mut stream = quiet.to_vec();
    stream.extend(answer(&response("a"), &[]));
    assert_eq!((whole(&stream).text().as_str(), whole(&stream).finish()), ("a", Some(FinishReason::Stop)));
}

#[test]
fn chunks_of_the_first_format() {
    let pages = r#"{"choices":[{"delta":{"type":"search_result","content":null,"search_results":[{"url":"https://a.b","cite_index":2}]}}]}"#;
    let text = r#"{"choices":[{"delta":{"content":"a[citation:2]","type":"text"}}],"message_id":4}"#;
    let got = whole(&sse(&[pages, text, r#"{"choices":[{"delta":{"content":"a"}}]}"#, "[DONE]"]));
    assert_eq!((got.text().as_str(), got.id), ("a[2](https://a.b)a", Some(4)));
    assert_eq!((got.finish(), got.cited()), (Some(FinishReason::Stop), vec!["https://a.b"]));
    assert_eq!(whole(&sse(&[text])).state, State::Broken(Trouble::Cut));
    assert_eq!(
        whole(&sse(&[r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#])).finish(),
        Some(FinishReason::Length)
    );
}

#[test]
fn an_envelope_instead_of_a_stream() {
    let json = |code, biz_code, message: &str, muted_until| {
        State::Broken(Trouble::Json { code, biz_code, message: message.to_owned(), muted_until })
    };
    for (body, state) in [
        (r#"{"code":40301,"msg":"INVALID_POW_RESPONSE","data":null}"#, json(40301, 0, "INVALID_POW_RESPONSE", None)),
        (
            r#" {"code":0,"msg":"","data":{"biz_code":5,"biz_msg":"user is muted","biz_data":{"is_muted":1,"mute_until":1790352000.0}}}"#,
            json(0, 5, "user is muted", Some(1_790_352_000.0)),
        ),
        (r#"{"detail":[{"loc":"body.x"}]}"#, json(0, 0, r#"[{"loc":"body.x"}]"#, None)),
        (r#"{"code":0,"msg":null,"data":{"biz_code":1,"biz_msg":null,"biz_data":[]}}"#, json(0, 1, "", None)),
        (r#"{"code":0,"#, State::Broken(Trouble::Garbage)),
    ] {
        for length in [1, 3, usize::MAX] {
            let got = run(CitationStyle::Links, &[body.as_bytes()], &[length]);
            assert_eq!((&got.state, got.events.len()), (&state, 0), "{body}");
        }
    }
    // In a round that should continue.
    let got = run(CitationStyle::Links, &[&fixture("incomplete-1.sse"), br#"{"code":40003,"msg":"x"}"#], &[8]);
    assert_eq!(got.state, json(40003, 0, "x", None));
    assert_eq!(got.thoughts(), "Long thoughts about");
}

#[test]
fn garbage_is_called_so() {
    for body in ["<html>\n<p>hi</p></html>\n", "data: {\"v\":\n\n", "data: oops\n\n", "data: {\"v\":\"\\ud800\"}\n\n"] {
        let mut stream = if body.starts_with("data") { sse(&[r#"{"p":"response/content","v":"a"}"#]) } else { vec![] };
        stream.extend_from_slice(body.as_bytes());
        assert_eq!(whole(&stream).state, State::Broken(Trouble::Garbage), "{body}");
    }
    assert_eq!(whole(b"").state, State::Broken(Trouble::Cut));
    assert_eq!(whole(b"\xEF\xBB\xBF: \n\n").state, State::Broken(Trouble::Cut));
    assert_eq!(whole(b"data: \xff\xfe\n").state, State::Broken(Trouble::Garbage));
}

#[test]
fn nothing_grows_without_measure() {
    // Long lines pass, endless ones do not.
    let long = "x".repeat(300_000);
    assert_eq!(run(CitationStyle::Links, &[&answer(&response(&long), &[])], &[4096]).text(), long);
    let mut decoder = Decoder::new(CitationStyle::Links);
    assert_eq!(decoder.feed(b"data: \""), []);
    for _ in 0..9 {
        decoder.feed(&vec![b'x'; 1024 * 1024]);
    }
    assert_eq!((decoder.state(), decoder.carry.len()), (&State::Broken(Trouble::Garbage), 0));
    // Depth: as deep as anybody likes where it is skipped, bounded where it means something.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let skipped = format!(r#"{{"p":"response/x","v":{deep},"extra":{deep}}}"#);
    assert_eq!(whole(&answer(&response("a"), &[&skipped])).text(), "a");
    let batches = format!("{}1{}", r#"[{"o":"BATCH","v":"#.repeat(9), "}]".repeat(9));
    assert_eq!(end_after(&[&format!(r#"{{"o":"BATCH","v":{batches}}}"#)]).state, State::Broken(Trouble::Garbage));
    // Fragments.
    let many: Vec<String> = (0..600).map(|id| format!(r#"{{"id":{id},"type":"TIP"}}"#)).collect();
    assert_eq!(whole(&answer(&many.join(","), &[])).state, State::Broken(Trouble::Garbage));
    // Pages.
    let page = r#"{"url":"https://a.b"}"#;
    let pages = format!(r#"{{"id":1,"type":"SEARCH","results":[{}]}}"#, vec![page; 3000].join(","));
    let mut decoder = Decoder::new(CitationStyle::Links);
    decoder.feed(&answer(&pages, &[]));
    assert_eq!(decoder.message.fragments[0].pages.len(), 2048);
    // Text.
    let piece = format!(r#"{{"p":"response/fragments/-1/content","o":"APPEND","v":"{}"}}"#, "y".repeat(1024 * 1024));
    assert_eq!(whole(&answer(&response(""), &vec![piece.as_str(); 17])).state, State::Broken(Trouble::Garbage));
}
