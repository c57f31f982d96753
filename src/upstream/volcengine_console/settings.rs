//! What an operator may set about Volcengine's console.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `settings.volcengine_console` of the document. None of it is documented by the service, so all of it can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VolcengineConsole {
    /// Headers beside `content-type`, `x-web-id` and `authorization`. Default: `accept`, `accept-language`, and the
    /// `origin` and `referer` of the page that makes the call.
    pub headers: BTreeMap<String, String>,
    /// The body's form: `openai`, `pascal`, or an object in which `{model}`, `{messages}`, `{temperature}`, `{top_p}`,
    /// `{max_tokens}` stand for what is asked; a field whose value the caller did not give is left out. Default `openai`.
    pub body: Value,
    /// The form of one message where `body` is an object; `{role}` and `{content}` stand for what is said. Default
    /// `{"role": "{role}", "content": "{content}"}`.
    pub message: Value,
    /// Signs that an id is used up: patterns of an error's code, message or HTTP status, with `*`. The id rests for
    /// `rest_s`. Default `QuotaExceeded*`, `AccessDenied`, `403`.
    pub exhausted_on: Vec<String>,
    /// Signs that an id came too fast: it rests as after any 429. Default `*RateLimit*`, `FlowLimitExceeded`, `429`.
    pub limited_on: Vec<String>,
    /// How long an id rests that is used up, in seconds; 0 is until its count is reset. Default 86400.
    pub rest_s: u64,
    /// The uses of an id that names no `limits.max_uses`, until its count is reset; none is unlimited. Default none.
    pub max_uses: Option<u64>,
}

/// Whether a text can be an id: it goes into a header.
pub fn is_web_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Default for VolcengineConsole {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let mut headers = BTreeMap::new();
        for (name, value) in [
            ("accept", "application/json, text/plain, */*"),
            ("accept-language", "zh-CN,zh;q=0.9"),
            ("origin", "https://exp.volcengine.com"),
            ("referer", "https://exp.volcengine.com/"),
        ] {
            headers.insert(name.to_owned(), value.to_owned());
        }
        VolcengineConsole {
            headers,
            body: "openai".into(),
            message: Value::Null,
            exhausted_on: texts(&["QuotaExceeded*", "AccessDenied", "403"]),
            limited_on: texts(&["*RateLimit*", "FlowLimitExceeded", "429"]),
            rest_s: 86_400,
            max_uses: None,
        }
    }
}

impl VolcengineConsole {
    /// The field that is wrong, and how, if any.
    pub fn mistake(&self) -> Option<(&'static str, String)> {
        for (name, value) in &self.headers {
            let is_token =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            let is_text = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            let lower = name.to_ascii_lowercase();
            if !is_token || !is_text {
                return Some(("headers", format!("`{name}` is no header of plain ASCII")));
            }
            if matches!(
                lower.as_str(),
                "authorization" | "x-web-id" | "cookie" | "content-type" | "content-length" | "host"
            ) {
                return Some((
                    "headers",
                    format!("`{name}` is not set here; credentials belong to an account, sealed"),
                ));
            }
        }
        match &self.body {
            Value::String(name) if super::body::is_known(name) => {}
            Value::Object(_) if self.body.to_string().contains("\"{messages}\"") => {}
            _ => return Some(("body", "`openai`, `pascal`, or an object that has \"{messages}\" in it".to_owned())),
        }
        let has_content = self.message.is_object() && self.message.to_string().contains("\"{content}\"");
        if !self.message.is_null() && !has_content {
            return Some(("message", "an object that has \"{content}\" in it".to_owned()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistake(settings: Value) -> Option<&'static str> {
        let settings: VolcengineConsole = serde_json::from_value(settings).unwrap();
        settings.mistake().map(|(field, _)| field)
    }

    #[test]
    fn says_which_field_is_wrong() {
        for (settings, wrong) in [
            (json!({}), None),
            (json!({"body": "pascal", "headers": {"user-agent": "Mozilla/5.0"}}), None),
            (json!({"body": {"M": "{messages}"}, "message": {"c": "{content}"}}), None),
            (json!({"headers": {"Authorization": "x"}}), Some("headers")),
            (json!({"headers": {"cookie": "digest=x"}}), Some("headers")),
            (json!({"headers": {"a b": "x"}}), Some("headers")),
            (json!({"headers": {"a": "x\ny"}}), Some("headers")),
            (json!({"body": "camel"}), Some("body")),
            (json!({"body": {"model": "{model}"}}), Some("body")),
            (json!({"body": 1}), Some("body")),
            (json!({"message": {"role": "{role}"}}), Some("message")),
        ] {
            assert_eq!(mistake(settings.clone()), wrong, "{settings}");
        }
    }
}
