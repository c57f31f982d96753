//! Tools, and the names by which a model of flat names knows them (api-conformance R5–R7).
use serde_json::{Value, json};

use super::Name;
use crate::chat::{ChatError, Tool};
use crate::dialect::fields::Field;

/// Between a namespace and a name.
const BETWEEN: &str = "__";

/// What a model is offered.
#[derive(Debug, Default)]
pub(super) struct Offered {
    pub(super) tools: Vec<Tool>,
    pub(super) names: Vec<(String, Name)>,
    pub(super) searches: bool,
}

impl Offered {
    /// Adds a list of tools. Kinds that only OpenAI's servers can run are left out: Codex lists them always (R5).
    pub(super) fn add(&mut self, list: &Field) -> Result<(), ChatError> {
        list.items()?.iter().try_for_each(|tool| self.add_one(tool, None))
    }

    fn add_one(&mut self, tool: &Field, namespace: Option<&str>) -> Result<(), ChatError> {
        match tool.at("type").needed_text()?.as_str() {
            "function" => {
                let parameters = tool.at("parameters");
                let parameters = if parameters.is_there() { parameters.value.clone() } else { json!({}) };
                self.offer(tool, namespace, false, tool.at("description").text()?, parameters)
            }
            "custom" => {
                let format = tool.at("format");
                let described = [tool.at("description").text()?, format.at("definition").text()?];
                let description = described.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
                let parameters = json!({
                    "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
                });
                self.offer(tool, namespace, true, Some(description), parameters)
            }
            "namespace" => {
                let name = tool.at("name").needed_name()?;
                tool.at("tools").items()?.iter().try_for_each(|inner| self.add_one(inner, Some(&name)))
            }
            kind => {
                self.searches |= kind.starts_with("web_search");
                Ok(())
            }
        }
    }

    fn offer(
        &mut self,
        tool: &Field,
        namespace: Option<&str>,
        is_custom: bool,
        description: Option<String>,
        parameters: Value,
    ) -> Result<(), ChatError> {
        let name = tool.at("name").needed_name()?;
        let flat = flat_name(namespace, &name);
        // The items of a conversation offer the same tools over and over; services take each name once.
        self.names.retain(|(known, _)| *known != flat);
        let tool = Tool { name: flat.clone(), description, parameters, strict: tool.at("strict").flag()? };
        match self.tools.iter_mut().find(|known| known.name == flat) {
            Some(known) => *known = tool,
            None => self.tools.push(tool),
        }
        if namespace.is_some() || is_custom {
            let known = Name { namespace: namespace.map(str::to_owned), name, is_custom };
            self.names.push((flat, known));
        }
        Ok(())
    }
}

/// The name by which the model knows a tool.
pub(super) fn flat_name(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}{BETWEEN}{name}"),
        None => name.to_owned(),
    }
}

/// A `tool_choice` with the model's names.
pub(super) fn flat(choice: &Value) -> Value {
    let mut choice = choice.clone();
    let rename = |value: &mut Value| {
        let namespace = value.get("namespace").and_then(Value::as_str);
        let flat = value.get("name").and_then(Value::as_str).map(|name| flat_name(namespace, name));
        if let (Some(fields), Some(flat)) = (value.as_object_mut(), flat) {
            fields.insert("name".to_owned(), flat.into());
        }
    };
    rename(&mut choice);
    choice.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten().for_each(rename);
    choice
}

/// Whether a `tool_choice` of this type means a tool of OpenAI's servers.
pub(super) fn is_hosted(kind: &Value) -> bool {
    !matches!(kind.as_str(), Some("function" | "custom" | "allowed_tools"))
}
