//! The decoder under streams that nobody wrote.
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A frame as it might come, sensible or not.
fn frame() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        Just("response"),
        Just("response/fragments"),
        Just("response/fragments/-1/content"),
        Just("response/fragments/0/content"),
        Just("response/fragments/1/results"),
        Just("response/fragments/-1/references"),
        Just("response/content"),
        Just("response/search_results/0/cite_index"),
        Just("fragments"),
        Just("content"),
        Just(""),
    ];
    let operation = prop_oneof![Just("SET"), Just("APPEND"), Just("BATCH")];
    let value = prop_oneof![
        4 => "[a日\\[\\]:0-3]{0,6}|\\[citation:[0-3]\\]|\\[reference:0\\]".prop_map(|text| Value::from(text).to_string()),
        1 => Just("null".to_owned()),
        1 => Just("1".to_owned()),
        2 => Just(r#"[{"id":5,"type":"RESPONSE","content":"[cit"},{"id":6,"type":"THINK","content":"hm"}]"#.to_owned()),
        1 => Just(r#"{"id":7,"type":"SEARCH","results":[{"url":"https://a.b","cite_index":1}]}"#.to_owned()),
        1 => Just(r#"[{"p":"content","o":"APPEND","v":"x"},{"p":"fragments/-1/content","v":"ab"}]"#.to_owned()),
        1 => Just(r#"{"response":{"message_id":1,"content":"","fragments":[{"id":5,"type":"RESPONSE","content":"a"}]}}"#.to_owned()),
    ];
    (proptest::option::of(path), proptest::option::of(operation), value).prop_map(|(path, operation, value)| {
        let path = path.map(|path| format!(r#""p":"{path}","#)).unwrap_or_default();
        let operation = operation.map(|operation| format!(r#""o":"{operation}","#)).unwrap_or_default();
        format!("{{{path}{operation}\"v\":{value}}}")
    })
}

proptest! {
    #[test]
    fn captured_streams_in_random_pieces(lengths in prop::collection::vec(1usize..200, 1..20)) {
        for (name, rounds, want) in cases() {
            let rounds: Vec<&[u8]> = rounds.iter().map(Vec::as_slice).collect();
            check(&name, &want, &run(CitationStyle::Links, &rounds, &lengths));
        }
    }

    #[test]
    fn any_split_gives_the_same(
        frames in prop::collection::vec(frame(), 0..12),
        lengths in prop::collection::vec(1usize..40, 1..8),
    ) {
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        let stream = answer(&response("a"), &frames);
        let got = whole(&stream);
        prop_assert_eq!(&run(CitationStyle::Links, &[&stream], &lengths), &got);
        prop_assert_eq!(got.finish(), Some(FinishReason::Stop));
    }

    #[test]
    fn a_round_that_repeats_all_adds_nothing(
        texts in prop::collection::vec("[a日\\[\\]:0-3]{0,6}|\\[citation:[0-3]\\]", 1..12),
        until in any::<prop::sample::Index>(),
        in_snapshot in any::<bool>(),
        length in 1usize..100,
    ) {
        let page = r#"{"id":1,"type":"SEARCH","results":[{"url":"https://a.b","cite_index":1}]}"#;
        let append = |texts: &[String]| -> Vec<String> {
            let frame = |text| format!(r#"{{"p":"response/fragments/-1/content","o":"APPEND","v":"{text}"}}"#);
            texts.iter().map(frame).collect()
        };
        let round = |content: &str, texts: &[String], status: &str| {
            let fragments = format!("{page},{}", response(content));
            let mut frames = vec![format!(r#"{{"v":{{"response":{{"message_id":2,"fragments":[{fragments}]}}}}}}"#)];
            frames.extend(append(texts));
            frames.push(format!(r#"{{"p":"response/status","o":"SET","v":"{status}"}}"#));
            sse(&frames.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let (before, after) = texts.split_at(until.index(texts.len()));
        let once = whole(&round("", &texts, "FINISHED"));
        let first = round("", before, "INCOMPLETE");
        let second = if in_snapshot { round(&before.concat(), after, "FINISHED") } else { round("", &texts, "FINISHED") };
        prop_assert_eq!(run(CitationStyle::Links, &[&first, &second], &[length]), once);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), length in 1usize..50) {
        let got = run(CitationStyle::Links, &[&bytes], &[length]);
        prop_assert_eq!(&got, &whole(&bytes));
        let framed = [b"data: ", bytes.as_slice(), b"\n\n"].concat();
        run(CitationStyle::Dropped, &[&framed, &bytes], &[length]);
    }

    #[test]
    fn mutated_streams_do_no_harm(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..40), 1..6),
        length in 1usize..100,
    ) {
        let cases = cases();
        let (_, rounds, _) = which.get(&cases);
        let mut rounds = rounds.clone();
        let stream = rounds.last_mut().unwrap();
        for (at, byte, cut) in changes {
            let at = at.index(stream.len());
            match byte % 4 {
                0 => stream[at] = byte,
                1 => stream.insert(at, byte),
                2 => drop(stream.drain(at..(at + cut).min(stream.len()))),
                _ => {
                    let again = stream[at..(at + cut).min(stream.len())].to_vec();
                    stream.splice(at..at, again);
                }
            }
            if stream.is_empty() {
                stream.push(b'\n');
            }
        }
        let rounds: Vec<&[u8]> = rounds.iter().map(Vec::as_slice).collect();
        let got = run(CitationStyle::Links, &rounds, &[usize::MAX]);
        prop_assert_eq!(run(CitationStyle::Links, &rounds, &[length]), got);
    }
}
