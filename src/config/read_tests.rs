//! The document by table: what is accepted, what it becomes, and which path an error names.
use serde_json::json;

use super::*;

pub(in crate::config) fn read(document: Value) -> Result<Document, ChatError> {
    read_over(&Document::default(), document)
}

pub(in crate::config) fn vault() -> Vault {
    Vault::new("0123456789abcdef0123456789abcdef").unwrap()
}

pub(in crate::config) fn read_over(stored: &Document, document: Value) -> Result<Document, ChatError> {
    Reader { vault: &vault(), stored, is_timezone: &|zone| zone != "Mars/Olympus" }.read(document)
}

pub(in crate::config) fn example() -> Value {
    json!({
        "keys": [
            {"name": "laptop", "key": "sk-1", "models": ["deepseek-*"], "limits": {"rpm": 60, "rpd": -1, "concurrency": 4},
             "expires_at": "2027-01-01T00:00:00Z", "enabled": true},
            "sk-2",
        ],
        "upstreams": [
            {"id": "deepseek", "kind": "deepseek-web", "base_url": "https://chat.deepseek.com", "direct": false},
            {"id": "ark", "model_mapping": {"deepseek-r1": "ep-1"}, "default_model": "deepseek-r1"},
        ],
        "accounts": [
            {"id": "a1", "upstream": "deepseek", "email": "me@example.com", "password": "p", "token": "",
             "limits": {"concurrency": 1, "rpm": 10, "rpd": 200, "min_gap_ms": 2000}},
            {"upstream": "ark", "api_key": "k", "weight": 2},
            {"email": "you@example.com", "password": "q"},
            {"upstream": "volcengine-console", "web_id": "w", "authorization": "z", "limits": {"max_uses": 20}},
        ],
        "aliases": {"gpt-4o": "deepseek-chat"},
        "settings": {"timezone": "Asia/Shanghai", "queue": {"max_waiting": 7}},
    })
}

#[test]
fn reads_the_contracts_example_with_its_shorthand_and_defaults() {
    let document = read(example()).unwrap();
    let [first, second] = document.keys.as_slice() else { panic!() };
    assert_eq!((first.name.as_str(), first.limits.rpd, first.limits.rpm), ("laptop", None, Some(60)));
    assert_eq!(second.hash, vault().hash_key("sk-2"));
    assert_eq!(document.upstreams[1].base_url, "https://ark.cn-beijing.volces.com/api/v3");
    assert_eq!((document.upstreams[1].timeout_s, document.upstreams[1].models.len()), (1800, 0));
    let web = format!("web-{}", &vault().hash_key("w")[..8]);
    let ids: Vec<_> =
        document.accounts.iter().map(|account| (account.id.as_str(), account.upstream.as_str())).collect();
    assert_eq!(
        ids,
        [
            ("a1", "deepseek"),
            ("ark-1", "ark"),
            ("you@example.com", "deepseek-web"),
            (web.as_str(), "volcengine-console")
        ]
    );
    assert_eq!(document.accounts[0].secrets, ["password"]);
    assert_eq!(document.accounts[2].limits.concurrency, Some(1));
    assert_eq!(document.accounts[2].limits.min_gap_ms, Some(WEB_MIN_GAP_MS));
    assert_eq!(vault().open("ark-1", &document.accounts[1].sealed).unwrap().api_key(), Some("k"));
    assert_eq!((document.settings.queue.max_waiting, document.settings.queue.max_wait_ms), (7, 30_000));
}

#[test]
fn a_masked_document_reads_back_as_the_same() {
    let document = read(example()).unwrap();
    let masked = document.masked();
    for secret in ["sk-1", "sk-2", "\"p\"", "\"k\"", "\"q\"", "\"z\""] {
        assert!(!masked.to_string().contains(secret), "{secret}");
    }
    assert_eq!(read_over(&document, masked).unwrap(), document);
}

#[test]
fn a_new_secret_beside_a_masked_one_keeps_both() {
    let stored = read(json!({"accounts": [{"email": "a@b", "password": "p", "token": "t"}]})).unwrap();
    let edited = json!({"accounts": [{"email": "a@b", "password": "***", "token": "new"}]});
    let document = read_over(&stored, edited).unwrap();
    let secrets = vault().open("a@b", &document.accounts[0].sealed).unwrap();
    assert_eq!((secrets.0["password"].as_str(), secrets.0["token"].as_str()), ("p", "new"));
}

#[test]
fn no_error_quotes_a_value_that_may_be_a_secret() {
    for (document, message) in [
        (json!({"accounts": ["the-secret"]}), "`accounts[0]`: invalid type: string, expected an object."),
        (
            json!({"accounts": [{"api_key": 31_415_926}]}),
            "`accounts[0].api_key`: invalid type: integer, expected a string.",
        ),
        (
            json!({"keys": [{"key": "k", "limits": "31415926, expected"}]}),
            "`keys[0].limits`: invalid type: string, expected an object.",
        ),
        (
            json!({"upstreams": [{"id": "u", "kind": "the-secret"}]}),
            "`upstreams[0].kind`: unknown variant, expected one of",
        ),
    ] {
        let error = read(document).unwrap_err().message;
        assert!(error.starts_with(message), "{error}");
        assert!(!error.contains("the-secret") && !error.contains("31415926"), "{error}");
    }
}

#[test]
fn every_error_names_its_path() {
    let account = |fields: Value| json!({"accounts": [{"id": "x", "upstream": "ark", "api_key": "k"}, fields]});
    let upstream = |fields: Value| json!({"upstreams": [fields]});
    let cases = [
        (json!({"extra": 1}), "extra"),
        (json!({"keys": [{"key": "a", "extra": 1}]}), "keys[0].extra"),
        (json!({"keys": ["a", {"name": "b"}]}), "keys[1].key"),
        (json!({"keys": ["a", ""]}), "keys[1].key"),
        (json!({"keys": ["a", "a"]}), "keys[1].key"),
        (json!({"keys": ["***"]}), "keys[0].key"),
        (json!({"keys": [{"id": "i", "key": "a"}, {"id": "i", "key": "b"}]}), "keys[1].id"),
        (json!({"keys": [{"key": "a", "expires_at": "tomorrow"}]}), "keys[0].expires_at"),
        (json!({"keys": [{"key": "a", "limits": {"rpm": -2}}]}), "keys[0].limits.rpm"),
        (json!({"keys": [{"key": "a", "limits": {"rps": 1}}]}), "keys[0].limits.rps"),
        (json!({"keys": {}}), "keys"),
        (json!({"keys": ["a", ["i", "n", "b"]]}), "keys[1]"),
        (json!({"keys": [{"key": "a", "limits": [4, 60]}]}), "keys[0].limits"),
        (json!({"settings": []}), "settings"),
        (json!({"settings": {"queue": [7, 9]}}), "settings.queue"),
        (account(json!({"id": "x", "upstream": "ark", "api_key": "k"})), "accounts[1].id"),
        (account(json!({"upstream": "nobody", "api_key": "k"})), "accounts[1].upstream"),
        (account(json!({"api_key": "k"})), "accounts[1].upstream"),
        (account(json!({"upstream": "ark"})), "accounts[1].api_key"),
        (account(json!({"upstream": "ark", "api_key": "***"})), "accounts[1].api_key"),
        (account(json!({"email": "a@b"})), "accounts[1].password"),
        (account(json!({"upstream": "deepseek-web"})), "accounts[1].email"),
        (
            account(json!({"email": "a@b", "password": "p", "limits": {"concurrency": 2}})),
            "accounts[1].limits.concurrency",
        ),
        (account(json!({"upstream": "volcengine-console"})), "accounts[1].web_id"),
        (account(json!({"upstream": "ark", "api_key": "k", "weight": 0})), "accounts[1].weight"),
        (account(json!({"upstream": "ark", "api_key": "k", "limits": {"rpm": "many"}})), "accounts[1].limits.rpm"),
        (upstream(json!({"id": "u", "kind": "openai"})), "upstreams[0].base_url"),
        (upstream(json!({"id": "u", "base_url": "https://x"})), "upstreams[0].kind"),
        (upstream(json!({"id": "u", "kind": "soap", "base_url": "https://x"})), "upstreams[0].kind"),
        (upstream(json!({"id": "u", "kind": "openai", "base_url": "ftp://x"})), "upstreams[0].base_url"),
        (upstream(json!({"id": "u", "kind": "openai", "base_url": "https://a:b@x"})), "upstreams[0].base_url"),
        (upstream(json!({"id": "u", "kind": "openai", "base_url": "https://x?key=1"})), "upstreams[0].base_url"),
        (upstream(json!({"id": "", "kind": "openai", "base_url": "https://x"})), "upstreams[0].id"),
        (json!({"aliases": {"a": "b", "b": "a"}}), "aliases.a"),
        (json!({"aliases": {"a": "a"}}), "aliases.a"),
        (json!({"aliases": {"a": 1}}), "aliases.a"),
        (json!({"settings": {"timezone": "Mars/Olympus"}}), "settings.timezone"),
        (json!({"settings": {"queue": {"max_waiting": -1}}}), "settings.queue.max_waiting"),
        (json!({"settings": {"max_attempts": 0}}), "settings.max_attempts"),
        (json!({"settings": {"cooling": {"failures": 0}}}), "settings.cooling.failures"),
        (json!({"settings": {"cooling": {"min_ms": 0}}}), "settings.cooling.min_ms"),
        (json!({"settings": {"cooling": {"min_ms": 9, "max_ms": 8}}}), "settings.cooling.max_ms"),
        (json!({"settings": {"cooling": {"backoff_max_ms": 999}}}), "settings.cooling.backoff_max_ms"),
        (json!({"settings": {"cooling": {"retry_after_max_ms": 604_800_001}}}), "settings.cooling.retry_after_max_ms"),
        (json!({"settings": {"cooling": {"hours": 1}}}), "settings.cooling.hours"),
        (json!({"settings": {"stats": {"body_bytes": 131_073}}}), "settings.stats.body_bytes"),
        (json!({"settings": {"stats": {"names_max": 201}}}), "settings.stats.names_max"),
    ];
    for (document, path) in cases {
        let error = read(document.clone()).expect_err(path);
        assert_eq!(error.param.as_deref(), Some(path), "{document}: {error}");
    }
    assert!(read(json!([])).is_err());
}
