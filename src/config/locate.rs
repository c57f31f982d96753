//! Where in a document an error of its types is: serde says what is wrong, and not where.
use serde_json::{Map, Value};

/// The JSON path of what makes `error_of` answer `message` for `document`; empty for the document itself.
///
/// Only looked for once a document is refused: its parts are tried without each other.
pub(super) fn path(document: &Value, message: &str, error_of: &dyn Fn(&Value) -> Option<String>) -> String {
    let is_it = |part: &Value| error_of(part).as_deref() == Some(message);
    let Some(fields) = document.as_object() else { return String::new() };
    let found = fields.iter().find(|(name, value)| is_it(&object(name, (*value).clone())));
    let Some((name, value)) = found else { return String::new() };
    let Value::Array(items) = value else {
        return format!("{name}{}", below(value, &|value| is_it(&object(name, value))));
    };
    let list = |item: Value| object(name, Value::Array(vec![item]));
    match items.iter().enumerate().find(|(_, item)| is_it(&list((*item).clone()))) {
        Some((index, item)) => format!("{name}[{index}]{}", below(item, &|item| is_it(&list(item)))),
        None => name.clone(),
    }
}

/// The rest of the path: the field without which the error is another one, or none.
fn below(value: &Value, is_it: &dyn Fn(Value) -> bool) -> String {
    let Some(fields) = value.as_object() else { return String::new() };
    for (name, inner) in fields {
        let mut others = fields.clone();
        others.remove(name);
        if !is_it(Value::Object(others)) {
            let with = |inner: Value| {
                let mut all = fields.clone();
                all.insert(name.clone(), inner);
                is_it(Value::Object(all))
            };
            return format!(".{name}{}", below(inner, &with));
        }
    }
    String::new()
}

fn object(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}
