//! A call's body, by a template: the service's own field names are not known (protocols: A.7, A.8).
use serde_json::{Map, Value};

use super::settings::VolcengineConsole;
use crate::chat::{ChatRequest, Role};
use crate::json;

/// The forms that Weir knows: a name, a body, a message.
const FORMS: [[&str; 3]; 2] = [
    [
        "openai",
        r#"{"model": "{model}", "messages": "{messages}", "stream": true, "temperature": "{temperature}",
            "top_p": "{top_p}", "max_tokens": "{max_tokens}"}"#,
        r#"{"role": "{role}", "content": "{content}"}"#,
    ],
    [
        "pascal",
        r#"{"Model": "{model}", "Messages": "{messages}", "Stream": true, "Temperature": "{temperature}",
            "TopP": "{top_p}", "MaxTokens": "{max_tokens}"}"#,
        r#"{"Role": "{role}", "Content": "{content}"}"#,
    ],
];

/// The form of this name.
fn form(name: &str) -> Option<[Value; 2]> {
    let [_, body, message] = FORMS.iter().find(|[known, ..]| *known == name)?;
    Some([body, message].map(|text| json::parse(text).unwrap_or_default()))
}

/// Whether `name` is a form that Weir knows.
pub fn is_known(name: &str) -> bool {
    form(name).is_some()
}

/// The body of a call for `model` that says `texts`.
pub fn build(settings: &VolcengineConsole, model: &str, texts: &[(Role, String)], request: &ChatRequest) -> Value {
    let [mut body, mut message] = form(settings.body.as_str().unwrap_or("openai")).unwrap_or_default();
    if settings.body.is_object() {
        body.clone_from(&settings.body);
    }
    if settings.body.is_object() && settings.message.is_object() {
        message.clone_from(&settings.message);
    }
    let messages: Vec<Value> = texts
        .iter()
        .filter_map(|(role, text)| {
            fill(&message, &[("{role}", name(*role).into()), ("{content}", text.as_str().into())])
        })
        .collect();
    let known = [
        ("{model}", model.into()),
        ("{messages}", messages.into()),
        ("{temperature}", request.temperature.into()),
        ("{top_p}", request.top_p.into()),
        ("{max_tokens}", request.max_tokens.into()),
    ];
    fill(&body, &known).unwrap_or_default()
}

/// A service without tools takes a tool's result from the user.
fn name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Assistant => "assistant",
        Role::User | Role::Tool => "user",
    }
}

/// The template with its known texts replaced; `None` for one that stands for nothing.
fn fill(template: &Value, known: &[(&str, Value)]) -> Option<Value> {
    match template {
        Value::String(text) => match known.iter().find(|(name, _)| name == text) {
            Some((_, Value::Null)) => None,
            Some((_, value)) => Some(value.clone()),
            None => Some(template.clone()),
        },
        Value::Object(fields) => {
            let filled = fields.iter().filter_map(|(name, field)| Some((name.clone(), fill(field, known)?)));
            Some(filled.collect::<Map<_, _>>().into())
        }
        Value::Array(items) => Some(items.iter().filter_map(|item| fill(item, known)).collect()),
        plain => Some(plain.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn built(body: Value, message: Value) -> Value {
        let settings = VolcengineConsole { body, message, ..VolcengineConsole::default() };
        let texts = [(Role::System, "Be brief.".to_owned()), (Role::Tool, "{model}".to_owned())];
        let request = ChatRequest { temperature: Some(0.5), ..ChatRequest::default() };
        build(&settings, "m", &texts, &request)
    }

    #[test]
    fn known_forms_leave_out_what_was_not_asked() {
        assert_eq!(
            built("openai".into(), Value::Null),
            json!({
                "model": "m", "stream": true, "temperature": 0.5,
                "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{model}"}],
            })
        );
        assert_eq!(
            built("pascal".into(), Value::Null),
            json!({
                "Model": "m", "Stream": true, "Temperature": 0.5,
                "Messages": [{"Role": "system", "Content": "Be brief."}, {"Role": "user", "Content": "{model}"}],
            })
        );
    }

    #[test]
    fn a_template_names_its_own_fields() {
        let body =
            json!({"ModelName": "{model}", "Extra": {"a": [1, "b"], "Max": "{max_tokens}"}, "List": "{messages}"});
        assert_eq!(
            built(body.clone(), json!({"Who": "{role}", "What": [{"Text": "{content}"}], "Type": "text"})),
            json!({
                "ModelName": "m", "Extra": {"a": [1, "b"]},
                "List": [
                    {"Who": "system", "What": [{"Text": "Be brief."}], "Type": "text"},
                    {"Who": "user", "What": [{"Text": "{model}"}], "Type": "text"},
                ],
            })
        );
        assert_eq!(built(body, Value::Null)["List"][0], json!({"role": "system", "content": "Be brief."}));
    }
}
