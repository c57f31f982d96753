//! Model name → the upstreams that could serve it, and their names for it.
use super::document::Upstream;
use super::views::Hot;
use crate::chat::Endpoint;
use crate::pattern;

/// The longest chain of aliases that is followed; validation refuses loops.
const ALIASES_MAX: usize = 8;
/// What Claude's names stand for where neither an upstream nor an alias says: by the first pattern that fits, the first
/// model that is served, be it DeepSeek's own or Ark's (api-conformance A51, protocols: seed-behaviours 2.4, B2.2).
const CLAUDE: [(&str, &[&str]); 4] =
    [("claude-*opus*", STRONG), ("claude-*slow*", STRONG), ("claude-*reasoner*", STRONG), ("claude-*", QUICK)];
const STRONG: &[&str] = &["deepseek-reasoner", "deepseek-v4-pro", "deepseek-r1-250528"];
const QUICK: &[&str] = &["deepseek-chat", "deepseek-flash", "deepseek-v3-2-251201"];
/// The Claude names that are listed: clients offer no others to choose from.
const CLAUDE_LISTED: [&str; 5] = [
    "claude-sonnet-4-20250514",
    "claude-sonnet-4-20250514-fast",
    "claude-sonnet-4-20250514-slow",
    "claude-opus-4-20250514",
    "claude-haiku-4-5",
];

/// The upstreams that serve `model`, as `(upstream id, the upstream's name for the model)`.
///
/// An upstream that names the model, or maps it, comes before one that takes any name with its `default_model`.
pub fn candidates(hot: &Hot, model: &str, endpoint: Endpoint) -> Vec<(String, String)> {
    let model = stands_for(hot, model, endpoint);
    let serving = || hot.upstreams.iter().filter(|upstream| upstream.enabled && upstream.kind.serves(endpoint));
    let named: Vec<_> = serving().filter_map(|upstream| Some((upstream.id.clone(), named(upstream, model)?))).collect();
    if !named.is_empty() {
        return named;
    }
    let by_default = |upstream: &Upstream| {
        let name = upstream.default_model.as_deref()?;
        Some((upstream.id.clone(), upstream.model_mapping.get(name).map_or(name, String::as_str).to_owned()))
    };
    serving().filter_map(by_default).collect()
}

fn named(upstream: &Upstream, model: &str) -> Option<String> {
    if let Some(mapped) = upstream.model_mapping.get(model) {
        return Some(mapped.clone());
    }
    matches_any(&upstream.models, model).then(|| model.to_owned())
}

/// Whether a key with these `allowed` models may use `model`: by the name asked for, or by the one it stands for.
pub fn is_allowed(hot: &Hot, allowed: Option<&[String]>, model: &str) -> bool {
    allowed.is_none_or(|allowed| {
        matches_any(allowed, model) || matches_any(allowed, stands_for(hot, model, Endpoint::Chat))
    })
}

/// Every model that can be named and that `allowed` permits, with the upstream that has it first. Wildcards name none.
pub fn models(hot: &Hot, allowed: Option<&[String]>) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let serves = |upstream: &&Upstream| upstream.enabled && upstream.kind.serves(Endpoint::Chat);
    let direct = hot.upstreams.iter().filter(serves).flat_map(|upstream| {
        let names = upstream.models.iter().filter(|name| !name.contains('*')).chain(upstream.model_mapping.keys());
        names.map(|name| (name.clone(), upstream.id.clone()))
    });
    let aliased = hot.aliases.keys().filter(|alias| !alias.contains('*')).filter_map(|alias| {
        let (upstream, _) = candidates(hot, alias, Endpoint::Chat).into_iter().next()?;
        Some((alias.clone(), upstream))
    });
    let claude = CLAUDE_LISTED.iter().filter_map(|name| {
        let target = stands_for(hot, name, Endpoint::Chat);
        let (upstream, _) = candidates(hot, target, Endpoint::Chat).into_iter().next().filter(|_| target != *name)?;
        Some(((*name).to_owned(), upstream))
    });
    for (name, owner) in direct.chain(aliased).chain(claude) {
        if is_allowed(hot, allowed, &name) && !found.iter().any(|(known, _)| *known == name) {
            found.push((name, owner));
        }
    }
    found
}

/// The name that `model` stands for: by the aliases, and for Claude's names by [`CLAUDE`].
fn stands_for<'a>(hot: &'a Hot, model: &'a str, endpoint: Endpoint) -> &'a str {
    let mut name = model;
    for _ in 0..ALIASES_MAX {
        match alias(hot, name) {
            Some(target) => name = target,
            None => break,
        }
    }
    let serves = |name: &str| {
        let mut serving = hot.upstreams.iter().filter(|upstream| upstream.enabled && upstream.kind.serves(endpoint));
        serving.any(|upstream| named(upstream, name).is_some())
    };
    let targets = CLAUDE.iter().find(|(pattern, _)| pattern::fits(pattern, name)).map(|(_, targets)| targets);
    match targets.and_then(|targets| targets.iter().find(|target| serves(target))) {
        Some(target) if !serves(name) => target,
        _ => name,
    }
}

/// The alias of exactly this name, or the most particular one with `*` that fits.
fn alias<'a>(hot: &'a Hot, name: &str) -> Option<&'a str> {
    let fitting = || hot.aliases.iter().filter(|(alias, _)| alias.contains('*') && pattern::fits(alias, name));
    let target = hot.aliases.get(name).or_else(|| fitting().max_by_key(|(alias, _)| alias.len()).map(|(_, to)| to));
    target.map(String::as_str).filter(|target| *target != name)
}

fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern == name || (pattern.contains('*') && pattern::fits(pattern, name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::presets;

    fn upstream(id: &str, models: &[&str], mapping: &[(&str, &str)], default_model: Option<&str>) -> Upstream {
        Upstream {
            id: id.into(),
            models: models.iter().map(|&model| model.into()).collect(),
            model_mapping: mapping.iter().map(|&(from, to)| (from.into(), to.into())).collect(),
            default_model: default_model.map(Into::into),
            ..presets::upstream("deepseek").unwrap()
        }
    }

    fn hot() -> Hot {
        let aliases = [("gpt-4o", "chat"), ("gpt", "gpt-4o"), ("nowhere", "else")];
        Hot {
            upstreams: vec![
                upstream("a", &["m", "vendor/*"], &[], None),
                upstream("b", &[], &[("chat", "ep-1"), ("m", "ep-2")], None),
                upstream("c", &[], &[("r1", "ep-3")], Some("r1")),
                Upstream { enabled: false, ..upstream("off", &["*"], &[], None) },
            ],
            aliases: aliases.iter().map(|&(from, to)| (from.into(), to.into())).collect(),
            ..Hot::default()
        }
    }

    #[test]
    fn finds_who_serves_a_model_and_how_it_is_called_there() {
        let of = |model: &str| -> Vec<String> {
            candidates(&hot(), model, Endpoint::Chat).into_iter().map(|(id, name)| format!("{id}:{name}")).collect()
        };
        assert_eq!(of("m"), ["a:m", "b:ep-2"]);
        assert_eq!(of("vendor/x"), ["a:vendor/x"]);
        assert_eq!(of("gpt"), ["b:ep-1"]);
        assert_eq!(of("r1"), ["c:ep-3"]);
        assert_eq!(of("unheard-of"), ["c:ep-3"], "default_model, by its mapping");
    }

    #[test]
    fn a_key_may_use_a_model_by_either_name() {
        let allowed = |patterns: &[&str], model: &str| {
            let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
            is_allowed(&hot(), Some(&patterns), model)
        };
        assert!(is_allowed(&hot(), None, "anything"));
        assert!(allowed(&["gpt*"], "gpt-4o"));
        assert!(allowed(&["chat"], "gpt-4o"));
        assert!(!allowed(&["gpt*"], "chat"));
        assert!(!allowed(&[], "m"));
    }

    #[test]
    fn claude_names_stand_for_others_where_nobody_says_more() {
        let route =
            |hot: &Hot, model: &str| candidates(hot, model, Endpoint::Chat).into_iter().next().map(|(_, name)| name);
        assert_eq!(route(&hot(), "claude-sonnet-5").as_deref(), Some("ep-3"), "default_model");
        let deepseek = upstream("d", &["deepseek-chat", "deepseek-reasoner"], &[], None);
        let mut hot = Hot { upstreams: vec![deepseek], ..Hot::default() };
        let cases = [
            ("claude-sonnet-5", "deepseek-chat"),
            ("claude-haiku-4-5", "deepseek-chat"),
            ("claude-opus-4-1", "deepseek-reasoner"),
            ("claude-sonnet-4-20250514-slow", "deepseek-reasoner"),
        ];
        for (model, target) in cases {
            assert_eq!(route(&hot, model).as_deref(), Some(target), "{model}");
        }
        assert_eq!(route(&hot, "claudette"), None);
        assert!(is_allowed(&hot, Some(&["deepseek-*".into()]), "claude-opus-4-1"));
        assert_eq!(models(&hot, None).len(), 2 + CLAUDE_LISTED.len());
        hot.aliases = [("claude-*", "deepseek-reasoner"), ("claude-haiku*", "deepseek-chat")]
            .map(|(alias, target)| (alias.to_owned(), target.to_owned()))
            .into();
        assert_eq!(route(&hot, "claude-sonnet-5").as_deref(), Some("deepseek-reasoner"));
        assert_eq!(route(&hot, "claude-haiku-4-5").as_deref(), Some("deepseek-chat"));
    }

    #[test]
    fn claude_names_work_over_each_built_in_upstream() {
        for (id, quick, strong) in [
            ("deepseek-web", "deepseek-chat", "deepseek-reasoner"),
            ("deepseek", "deepseek-flash", "deepseek-v4-pro"),
            ("ark", "deepseek-v3-2-251201", "deepseek-r1-250528"),
        ] {
            let hot = Hot { upstreams: vec![presets::upstream(id).unwrap()], ..Hot::default() };
            for (model, target) in
                [("claude-sonnet-4-5", quick), ("claude-haiku-4-5", quick), ("claude-opus-4-1", strong)]
            {
                let served = candidates(&hot, model, Endpoint::Chat);
                assert_eq!(served, [(id.to_owned(), target.to_owned())], "{model}");
            }
        }
    }

    #[test]
    fn lists_names_but_no_wildcards() {
        let names = |allowed: Option<&[String]>| -> Vec<String> {
            models(&hot(), allowed).into_iter().map(|(name, owner)| format!("{name}@{owner}")).collect()
        };
        assert_eq!(names(None), ["m@a", "chat@b", "r1@c", "gpt@b", "gpt-4o@b", "nowhere@c"]);
        assert_eq!(names(Some(&["m".into()])), ["m@a"]);
    }
}
