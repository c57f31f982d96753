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

/// The patch algorithm of protocols §8.2, word for word, over a whole JSON document.
struct Tree {
    root: Value,
    path: String,
    operation: String,
}

impl Tree {
    fn new() -> Self {
        Tree { root: Value::Object(serde_json::Map::new()), path: String::new(), operation: "SET".to_owned() }
    }

    fn patch(&mut self, frame: &Value) {
        let text = |key: &str| frame.get(key).and_then(Value::as_str).map(str::to_owned);
        self.path = text("p").unwrap_or(std::mem::take(&mut self.path));
        self.operation = text("o").unwrap_or(std::mem::take(&mut self.operation));
        let value = &frame["v"];
        if self.operation != "BATCH" {
            return self.apply(&self.path.clone(), &self.operation.clone(), value);
        }
        let mut list = Tree { root: self.root.take(), path: self.path.clone(), ..Tree::new() };
        for item in value.as_array().into_iter().flatten() {
            let mut item = item.clone();
            if let Some(path) = item.get("p").and_then(Value::as_str) {
                item["p"] = Value::from(format!("{}/{path}", self.path));
            }
            list.patch(&item);
        }
        self.root = list.root;
    }

    fn apply(&mut self, path: &str, operation: &str, value: &Value) {
        let mut place = &mut self.root;
        for step in path.split('/').filter(|step| !step.is_empty()) {
            let next = match place {
                Value::Array(list) => {
                    let index: i64 = step.parse().unwrap_or(i64::MAX);
                    let index = if index < 0 { index + list.len() as i64 } else { index };
                    usize::try_from(index).ok().and_then(|index| list.get_mut(index))
                }
                Value::Object(map) => Some(map.entry(step).or_insert(Value::Null)),
                _ => None,
            };
            let Some(next) = next else { return };
            place = next;
        }
        match (operation, place, value) {
            ("SET", Value::Object(root), Value::Object(keys)) if path.is_empty() => root.extend(keys.clone()),
            ("SET", place, _) if !path.is_empty() => *place = value.clone(),
            ("APPEND", Value::String(text), Value::String(more)) => text.push_str(more),
            ("APPEND", Value::Array(list), Value::Array(more)) => list.extend(more.clone()),
            ("APPEND", Value::Array(list), item) => list.push(item.clone()),
            _ => {}
        }
    }

    /// The texts of the fragments.
    fn texts(&self) -> Vec<&str> {
        let fragments = self.root.pointer("/response/fragments").and_then(Value::as_array);
        fragments.into_iter().flatten().map(|one| one["content"].as_str().unwrap_or_default()).collect()
    }
}

/// A patch of fragments, with the sticky parts left out or not; `#` stands for a new id.
fn sensible() -> impl Strategy<Value = String> {
    let fragment = r##"{"id":#,"type":"THINK","content":"t"}"##;
    let content = (-3i32..3, any::<bool>(), any::<bool>(), any::<bool>(), "[ab]{0,2}").prop_map(
        |(index, set, path, operation, text)| {
            let path = if path { format!(r#""p":"response/fragments/{index}/content","#) } else { String::new() };
            let named = if set { r#""o":"SET","# } else { r#""o":"APPEND","# };
            format!(r#"{{{path}{}"v":"{text}"}}"#, if operation || !path.is_empty() { named } else { "" })
        },
    );
    let operation = prop_oneof![Just("SET"), Just("APPEND")];
    let list = (operation, any::<bool>()).prop_map(move |(operation, one)| {
        let value = if one && operation == "APPEND" { fragment.to_owned() } else { format!("[{fragment},{fragment}]") };
        format!(r#"{{"p":"response/fragments","o":"{operation}","v":{value}}}"#)
    });
    let batch = prop::collection::vec(
        prop_oneof![
            Just(r##"{"p":"fragments","o":"APPEND","v":[{"id":#,"type":"RESPONSE","content":"r"}]}"##),
            Just(r#"{"p":"fragments/-1/content","v":"ab"},{"v":"d"}"#),
            Just(r#"{"p":"fragments/0/content","o":"APPEND","v":"c"},{"v":"d"}"#),
            Just(r#"{"p":"has_pending_fragment","o":"SET","v":false}"#),
            Just(
                r#"{"p":"fragments/-1","o":"BATCH","v":[{"p":"content","o":"APPEND","v":"e"},{"v":"f"}]},{"o":"SET","p":"x","v":1}"#
            ),
        ],
        0..4,
    )
    .prop_map(|items| format!(r#"{{"p":"response","o":"BATCH","v":[{}]}}"#, items.join(",")));
    prop_oneof![6 => content, 1 => list, 2 => batch]
}

proptest! {
    #[test]
    fn the_message_is_what_the_patches_say(frames in prop::collection::vec(sensible(), 0..20)) {
        let mut id = 10;
        let mut tree = Tree::new();
        let mut decoder = Decoder::new(CitationStyle::Links);
        let snapshot = format!(r#"{{"v":{{"response":{{"fragments":[{}]}}}}}}"#, response("a"));
        for frame in std::iter::once(snapshot).chain(frames) {
            let mut json = String::new();
            for piece in frame.split_inclusive('#') {
                id += 1;
                json.push_str(&piece.replace('#', &id.to_string()));
            }
            let value: Value = serde_json::from_str(&json).unwrap();
            let path = value["p"].as_str().unwrap_or(&tree.path);
            if value["v"].is_string() && !path.ends_with("content") {
                // A text in place of something else: not what the algorithm is about.
                continue;
            }
            tree.patch(&value);
            decoder.feed(&sse(&[&json]));
            prop_assert_eq!(decoder.state(), &State::Running);
            prop_assert_eq!(decoder.message.texts(), tree.texts(), "after {}", json);
        }
    }

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
