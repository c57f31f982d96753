//! The built-in upstreams: an account may name one without an entry for it.
use std::collections::BTreeMap;

use super::document::{Kind, Upstream};
use crate::upstream::deepseek_web::models;

/// The longest a plain answer may take where nothing else is said, as official SDKs have it.
pub(super) const TIMEOUT_S: u64 = 600;

/// The built-in upstream of a kind that has one service alone.
pub(super) fn of_kind(kind: Kind) -> Option<Upstream> {
    match kind {
        Kind::Openai => None,
        Kind::DeepseekWeb => upstream("deepseek-web"),
        Kind::VolcengineConsole => upstream("volcengine-console"),
    }
}

/// The built-in upstream of this id.
pub(super) fn upstream(id: &str) -> Option<Upstream> {
    let (kind, base_url, models, timeout_s): (_, _, &[&str], _) = match id {
        "deepseek-web" => (Kind::DeepseekWeb, "https://chat.deepseek.com", &models::NAMES, TIMEOUT_S),
        "deepseek" => (
            Kind::Openai,
            "https://api.deepseek.com",
            &["deepseek-flash", "deepseek-v4-pro", "deepseek-v4-flash"],
            TIMEOUT_S,
        ),
        // Thinking models want half an hour (protocols B1.6).
        "ark" => (
            Kind::Openai,
            "https://ark.cn-beijing.volces.com/api/v3",
            &[
                "deepseek-v3-2-251201",
                "deepseek-v3-1-terminus",
                "deepseek-v3-1-250821",
                "deepseek-v3-250324",
                "deepseek-r1-250528",
                "doubao-*",
                "ep-*",
            ],
            1_800,
        ),
        "volcengine-console" => (
            Kind::VolcengineConsole,
            "https://ml-platform-api.console.volcengine.com/ark/bff/api/cn-beijing/2024-01-29/Chat",
            &["deepseek-v3-1"],
            TIMEOUT_S,
        ),
        _ => return None,
    };
    let mut model_mapping = BTreeMap::new();
    if kind == Kind::VolcengineConsole {
        // The name by which volcengine_deepseek2api has it (protocols: A.1).
        model_mapping.insert("deepseek-r1".to_owned(), "deepseek-r1-1".to_owned());
    }
    Some(Upstream {
        id: id.to_owned(),
        kind,
        base_url: base_url.to_owned(),
        direct: false,
        models: models.iter().map(|&model| model.to_owned()).collect(),
        model_mapping,
        default_model: None,
        timeout_s,
        reasoning: None,
        max_tokens: None,
        images: true,
        enabled: true,
    })
}
