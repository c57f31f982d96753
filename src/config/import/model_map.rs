//! The model map of OpenAI-VolcanoProxy: a JSON object, or the program itself, which its users edit.
use serde_json::{Value, json};

use super::{Found, Part};
use crate::dialect::fields::Field;

const UPSTREAM: &str = "ark";
/// Fields of an account, whose values are no names of models: a mapping is not sealed.
const CREDENTIALS: [&str; 7] = ["password", "token", "api_key", "apiKey", "key", "authorization", "x-web-id"];
/// What stands before the map in the program's Python and Go.
const MARKS: [&str; 2] = ["MODEL_MAPPING", "map[string]string"];

/// A JSON object of texts; `None` for anything else.
pub(super) fn of_json(root: &Field) -> Option<Found> {
    let names = root.value.as_object()?;
    let holds_credentials = CREDENTIALS.iter().any(|name| names.contains_key(*name));
    if names.is_empty() || holds_credentials || !names.values().all(Value::is_string) {
        return None;
    }
    let pairs = names.iter().map(|(name, target)| (name.clone(), target.as_str().unwrap_or_default(), name.as_str()));
    Some(found(pairs))
}

/// The map inside a program; `None` where there is none.
pub(super) fn of_code(text: &str) -> Option<Found> {
    let mark = MARKS.iter().find_map(|mark| text.find(mark));
    let start = mark.or_else(|| (text.starts_with('{') && !text.contains('"')).then_some(0))?;
    let open = start + text.get(start..)?.find('{')? + 1;
    let length = text.get(open..)?.find('}')?;
    let body = text.get(open..open + length)?;
    let quoted = quoted(body);
    let first_line = text.get(..open)?.matches('\n').count() + 1;
    let pairs: Vec<_> = quoted
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [(line, name), (_, target)] => Some((format!("line {}", first_line + line), *target, *name)),
            _ => None,
        })
        .collect();
    if pairs.is_empty() || quoted.len() % 2 == 1 {
        return None;
    }
    // `MODEL_MAPPING.get(model, 'ep-…')`: what every other name stands for.
    let calls = text.get(open + length..)?.split(".get(").skip(1);
    let mut said = calls.filter_map(|call| call.lines().next()).flat_map(self::quoted);
    let default = said.find_map(|(_, said)| pairs.iter().find(|(_, target, _)| *target == said));
    let default = default.map(|(from, _, name)| (from.clone(), (*name).to_owned()));
    let mut found = found(pairs.into_iter());
    if let Some((from, name)) = default {
        let item = json!({"upstream": UPSTREAM, "default_model": name});
        found.push(from, Part::ModelMapping, Ok(item));
    }
    Some(found)
}

fn found<'a>(pairs: impl Iterator<Item = (String, &'a str, &'a str)>) -> Found {
    let mut found = Found::new("model-map");
    for (from, target, name) in pairs {
        let value = Value::from(target);
        let target = Field { value: &value, path: from.clone() }.needed_name();
        let item = target.map(|target| json!({"upstream": UPSTREAM, "name": name, "target": target}));
        found.push(from, Part::ModelMapping, item);
    }
    found.notes.push(
        "The map holds no key: add an account of the upstream `ark`, or set `direct` on it, so that callers bring \
         their own keys as they did before.",
    );
    found
}

/// The texts in quotes that are not in a comment, each with the lines before it.
fn quoted(code: &str) -> Vec<(usize, &str)> {
    let mut texts = Vec::new();
    let mut open: Option<(usize, char)> = None;
    let mut is_comment = false;
    for (at, char) in code.char_indices() {
        match open {
            _ if is_comment => is_comment = char != '\n',
            None if char == '#' => is_comment = true,
            None if code.get(at..).is_some_and(|rest| rest.starts_with("//")) => is_comment = true,
            Some((start, quote)) if char == quote => {
                let line = code.get(..start).map_or(0, |before| before.matches('\n').count());
                texts.extend(code.get(start + 1..at).map(|text| (line, text)));
                open = None;
            }
            None if matches!(char, '\'' | '"') => open = Some((at, char)),
            _ => {}
        }
    }
    texts
}
