//! Every kind of file by table: what it is recognised as, and what each line becomes.
use serde_json::json;

use super::*;
use crate::config::document::Document;
use crate::config::read::Reader;
use crate::config::read::tests::{read as document, vault};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/import/", $name))
    };
}

fn import(stored: &Document, text: &str) -> (Document, Value) {
    let reader = Reader { vault: &vault(), stored, is_timezone: &|zone| zone != "Mars/Olympus" };
    plan(&reader, read(text).unwrap()).unwrap()
}

/// `from list status id`, a line for each result; of a failure the path instead of the id.
fn told(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let results = report["results"].as_array().unwrap().iter();
    results
        .map(|result| {
            let last = if result["status"] == "failed" { &result["error"]["param"] } else { &result["id"] };
            [&result["from"], &result["list"], &result["status"], last].map(text).join(" ")
        })
        .collect()
}

fn opened(document: &Document, id: &str, name: &str) -> String {
    let account = document.accounts.iter().find(|account| account.id == id).unwrap();
    vault().open(id, &account.sealed).unwrap().get(name).unwrap_or("-").to_owned()
}

#[test]
fn a_config_json_of_ds2api() {
    let text = fixture!("ds2api-config.json");
    let (document, report) = import(&Document::default(), text);
    assert_eq!(report["format"], "ds2api");
    assert_eq!(
        told(&report),
        [
            "accounts[0] accounts added example1@example.com",
            "accounts[1] accounts added example2@example.com",
            "accounts[2] accounts added 12345678901",
            &format!("keys[0] keys added {}", document.keys[0].id),
            &format!("keys[1] keys added {}", document.keys[1].id),
            "model_aliases.gpt-4o aliases added gpt-4o",
            "model_aliases.o3 aliases added o3",
        ]
    );
    assert_eq!(report["counts"], json!({"added": 7, "changed": 0, "duplicate": 0, "failed": 0}));
    assert_eq!((&report["imported_accounts"], &report["imported_keys"]), (&json!(3), &json!(2)));
    assert_eq!(report["ignored"], json!(["proxies", "responses", "admin", "runtime", "accounts[].proxy_id"]));
    assert_eq!(report["notes"].as_array().unwrap().len(), 1);
    assert_eq!(opened(&document, "12345678901", "password"), "your-password-3");
    assert_eq!(document.keys[0].hash, vault().hash_key("your-api-key-1"));
    assert_eq!(document.accounts[0].limits.concurrency, Some(1));
    for secret in ["your-password", "your-api-key"] {
        assert!(!report.to_string().contains(secret), "{secret}");
    }

    let (again, report) = import(&document, text);
    assert_eq!(again, document);
    assert_eq!(report["counts"], json!({"added": 0, "changed": 0, "duplicate": 7, "failed": 0}));
}

#[test]
fn the_same_in_the_forms_that_ds2api_exports() {
    let text = fixture!("ds2api-config.json");
    let packed = STANDARD.encode(text);
    for text in [json!({"json": text, "base64": packed}).to_string(), packed.clone(), format!("base64:{packed}")] {
        let found = read(&text).unwrap();
        assert_eq!((found.format, found.lines.len()), ("ds2api", 7));
    }
    let wrapped = packed.as_bytes().chunks(76).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\r\n");
    assert_eq!(read(&wrapped).unwrap().lines.len(), 7, "as the program `base64` prints it");
    let keys = read(r#"{"api_keys": [{"key": "k", "name": "n", "remark": "r"}]}"#).unwrap();
    assert_eq!(keys.lines[0].item.as_ref().unwrap(), &json!({"key": "k", "name": "n"}));
    assert_eq!(keys.ignored, ["api_keys[].remark"]);
    let list = read(r#"[{"email": "a@b.c", "password": "p"}]"#).unwrap();
    assert_eq!((list.format, list.lines.len()), ("ds2api", 1));
}

#[test]
fn a_config_json_of_deepseek2api() {
    let (document, report) = import(&Document::default(), fixture!("deepseek2api-config.json"));
    assert_eq!(
        told(&report),
        [
            "accounts[0] accounts added one@example.com",
            "accounts[1] accounts added 13800000000",
            "accounts[2] accounts failed accounts[2].password",
            &format!("keys[0] keys added {}", document.keys[0].id),
            "claude_model_mapping.slow aliases added claude-*opus*",
            "claude_model_mapping.slow aliases added claude-*slow*",
            "claude_model_mapping.slow aliases added claude-*reasoner*",
        ]
    );
    assert_eq!(opened(&document, "one@example.com", "token"), "a-token-of-one");
    let failed = &report["results"][2]["error"]["message"];
    assert_eq!(failed, "`accounts[2].password`: an account of `deepseek-web` needs it.");
    assert_eq!(report["success"], false);
}

#[test]
fn an_apis_json_of_api_together() {
    let text = fixture!("api-together-apis.json");
    let (document, report) = import(&Document::default(), text);
    assert_eq!(
        told(&report),
        [
            "apis[0] upstreams added api.openai.com",
            "apis[0] accounts added api1",
            "apis[1] upstreams added your-backup-api.com",
            "apis[1] accounts added api2",
            "apis[2] accounts added api3",
            "apis[3] upstreams added api.openai.com-2",
            "apis[3] accounts added api4",
            "apis[4] accounts failed apis[4].apiKey",
            &format!("server.apiKey keys added {}", document.keys[0].id),
        ]
    );
    let limits: Vec<_> = document.accounts.iter().map(|account| (account.limits.rpm, account.limits.rpd)).collect();
    assert_eq!(limits, [(Some(60), Some(1000)), (None, Some(500)), (Some(0), None), (None, None)]);
    assert!(!document.accounts[1].enabled);
    assert_eq!(document.accounts[2].upstream, "api.openai.com");
    assert_eq!(document.upstreams[0].model_mapping["gpt-3.5"], "gpt-3.5-turbo");
    assert_eq!(opened(&document, "api4", "api_key"), "sk-your-third-key");
    assert_eq!(report["ignored"], json!(["server.port"]));

    let (again, report) = import(&document, text);
    assert_eq!(again, document);
    assert_eq!(report["counts"], json!({"added": 0, "changed": 0, "duplicate": 8, "failed": 1}));
}

#[test]
fn an_id_that_something_else_has_gives_way() {
    let stored = json!({
        "upstreams": [{"id": "api.openai.com", "kind": "openai", "base_url": "https://api.openai.com"}],
        "accounts": [{"id": "api1", "upstream": "ark", "api_key": "k"}],
    });
    let (document, report) = import(&self::document(stored).unwrap(), fixture!("api-together-apis.json"));
    let told = told(&report);
    assert_eq!(told[0], "apis[0] upstreams added api.openai.com-2");
    assert_eq!(told[1], "apis[0] accounts added api1-2");
    assert_eq!(told[5], "apis[3] upstreams added api.openai.com-2-2");
    let account = document.accounts.iter().find(|account| account.id == "api1-2").unwrap();
    assert_eq!(account.upstream, "api.openai.com-2");
}

#[test]
fn what_was_edited_since_is_not_added_again() {
    let (mut document, _) = import(&Document::default(), fixture!("api-together-apis.json"));
    document.upstreams[0].timeout_s = 99;
    document.upstreams[1].base_url.push('/');
    let (same, report) = import(&document, fixture!("api-together-apis.json"));
    assert_eq!((&report["counts"]["added"], same), (&json!(0), document.clone()), "{report}");

    document.upstreams[0].models.push("one-more".to_owned());
    let (_, report) = import(&document, fixture!("api-together-apis.json"));
    assert_eq!(told(&report)[1], "apis[0] accounts duplicate api1", "its key is known at this address");
}

#[test]
fn endpoints_with_one_key_and_other_models_are_all_taken_over_once() {
    let api =
        |id: &str, model: &str| json!({"id": id, "baseUrl": "https://a.example", "apiKey": "k", "models": [model]});
    let text = json!({"apis": [api("a", "m1"), api("b", "m2")]}).to_string();
    let (document, report) = import(&Document::default(), &text);
    assert_eq!(report["counts"]["added"], 4, "{report}");
    let (same, report) = import(&document, &text);
    assert_eq!((&report["counts"]["duplicate"], same), (&json!(4), document));
}

#[test]
fn an_endpoint_is_on_and_named_as_javascript_has_it() {
    let api = |id: Value, enabled: Value| {
        let key = format!("k-{id}");
        json!({"id": id, "baseUrl": "https://a.example", "apiKey": key, "models": ["m"], "enabled": enabled})
    };
    let text = json!({"apis": [api(json!(1), json!(1)), api(json!("b"), json!(0)), api(json!("c"), json!("yes"))]});
    let (document, report) = import(&Document::default(), &text.to_string());
    assert_eq!(report["success"], true, "{report}");
    let told: Vec<_> = document.accounts.iter().map(|account| (account.id.as_str(), account.enabled)).collect();
    assert_eq!(told, [("1", true), ("b", false), ("c", true)]);
}

#[test]
fn a_mobile_number_is_the_same_however_it_is_spaced() {
    let stored = document(json!({"accounts": [{"id": "m", "mobile": "+86 139 0000 0000", "password": "p"}]})).unwrap();
    let (_, report) = import(&stored, "13900000000:p\n13900000001:p");
    let statuses: Vec<_> = report["results"].as_array().unwrap().iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["duplicate", "added"]);
}

#[test]
fn upstreams_of_one_file_are_told_apart_by_what_only_one_states() {
    let text = json!({"upstreams": [
        {"id": "a", "kind": "openai", "base_url": "https://a.example", "models": ["m"]},
        {"id": "b", "kind": "openai", "base_url": "https://a.example"},
    ]});
    let (document, _) = import(&Document::default(), &text.to_string());
    assert_eq!(document.upstreams.len(), 2);
    let (same, report) = import(&document, &text.to_string());
    assert_eq!((told(&report)[1].as_str(), same), ("upstreams[1] upstreams duplicate b", document));
}

#[test]
fn webids_in_every_likely_shape() {
    let (document, report) = import(&Document::default(), fixture!("webids.json"));
    // An id that every key holder may see is no web id.
    let ids: Vec<&str> = document.accounts.iter().map(|account| account.id.as_str()).collect();
    assert!(ids.iter().all(|id| id.starts_with("web-")));
    assert_eq!(
        told(&report),
        [
            format!("webIds[0] accounts added {}", ids[0]),
            format!("webIds[1] accounts added {}", ids[1]),
            "webIds[2] accounts failed webIds[2].id".to_owned(),
            "maxUsage settings changed settings".to_owned(),
        ]
    );
    let web_ids: Vec<_> = document.accounts.iter().map(|account| account.web_id.as_deref().unwrap()).collect();
    assert_eq!(web_ids, ["7400000000000000001", "7400000000000000002"]);
    let limits: Vec<_> = document.accounts.iter().map(|account| account.limits.max_uses).collect();
    // The file's own stays a setting, so that it can be changed for all ids at once.
    assert_eq!((limits, document.settings.volcengine_console.max_uses), (vec![None, Some(5)], Some(20)));
    assert_eq!(report["ignored"], json!(["[].usageCount", "[].status"]));
    for text in [
        r#"["74001", "74002"]"#,
        r#"{"ids": ["74001", "74002"]}"#,
        r#"[{"webId": "74001"}, {"webId": "74002", "authorization": "z"}]"#,
        r#"{"74001": {"count": 1}, "74002": {"count": 0}}"#,
        r#"{"74001": 3, "74002": 0, "maxUsage": 9}"#,
    ] {
        let (document, report) = import(&Document::default(), text);
        let ids: Vec<_> = document.accounts.iter().map(|account| account.web_id.as_deref().unwrap()).collect();
        assert_eq!(
            (report["format"].as_str(), ids.as_slice()),
            (Some("webids"), ["74001", "74002"].as_slice()),
            "{text}"
        );
    }
}

#[test]
fn a_setting_is_taken_over_where_the_stored_one_is_the_default() {
    let stored = document(json!({"settings": {"timezone": "Asia/Shanghai"}})).unwrap();
    let (document, report) = import(&stored, r#"{"ids": ["74001"], "maxUsage": 9}"#);
    assert_eq!(told(&report)[1], "maxUsage settings changed settings");
    let mut expected = stored.settings;
    expected.volcengine_console.max_uses = Some(9);
    assert_eq!(document.settings, expected);
    let (same, report) = import(&document, r#"{"ids": ["74001"], "maxUsage": 20}"#);
    assert_eq!((told(&report)[1].as_str(), same), ("maxUsage settings duplicate settings", document));
}

#[test]
fn an_id_that_is_a_name_keeps_what_is_said_of_it() {
    let text = r#"{"maxUsage": 9, "74001": {"used": 1, "maxUsage": 5, "authorization": "z"}, "74002": {}}"#;
    let (document, report) = import(&Document::default(), text);
    let limits: Vec<_> = document.accounts.iter().map(|account| account.limits.max_uses).collect();
    assert_eq!((limits, document.settings.volcengine_console.max_uses), (vec![Some(5), None], Some(9)));
    assert_eq!(opened(&document, &document.accounts[0].id, "authorization"), "z");
    assert_eq!(report["ignored"], json!(["*.used"]));
}

#[test]
fn one_account_alone_is_no_map_of_models() {
    let (document, report) = import(&Document::default(), r#"{"email": "a@b.c", "password": "the-secret"}"#);
    assert_eq!(told(&report), ["accounts[0] accounts added a@b.c"]);
    assert!(document.upstreams.is_empty() && opened(&document, "a@b.c", "password") == "the-secret");
    for text in [r#"{"x-web-id": "74001", "authorization": "z"}"#, r#"{"api_key": "k"}"#] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn the_model_map_of_openai_volcano_proxy() {
    let (document, report) = import(&Document::default(), fixture!("volcano-main.py"));
    assert_eq!(
        told(&report),
        ["line 7 model_mapping added ark", "line 8 model_mapping added ark", "line 8 model_mapping added ark",]
    );
    let ark = &document.upstreams[0];
    assert_eq!(ark.default_model.as_deref(), Some("deepseek-r1"));
    assert_eq!(ark.model_mapping["deepseek-v3"], "ep-20250218170310-pvmdb");
    assert!(ark.models.contains(&"ep-*".to_owned()), "its models stay");

    let (again, report) = import(&document, fixture!("model-map.json"));
    assert_eq!(again, document);
    assert_eq!(told(&report)[0], "deepseek-r1 model_mapping duplicate ark");
    let go = "var m = map[string]string{\n\t\"deepseek-r1\": \"ep-1\",\n}";
    for text in [go, "{'deepseek-r1': 'ep-1'}"] {
        let (document, _) = import(&Document::default(), text);
        assert_eq!(document.upstreams[0].model_mapping["deepseek-r1"], "ep-1", "{text}");
    }
}

#[test]
fn comments_in_the_map_say_nothing_and_its_default_is_found_among_other_calls() {
    let code = "MODEL_MAPPING = {\n    'r1': 'ep-1',  # the author's\n    # 'old': 'ep-0',\n    'v3': 'ep-3',\n}\n\
                auth = request.headers.get('Authorization')\n\
                model = MODEL_MAPPING.get(data.get('model'), 'ep-3')\n";
    let go = "var m = map[string]string{\n\t\"r1\": \"ep-1\", // it's the author's\n\t\"v3\": \"ep-3\",\n}";
    for (text, default) in [(code, Some("v3")), (go, None)] {
        let (document, _) = import(&Document::default(), text);
        let ark = &document.upstreams[0];
        let mapped: Vec<_> = ark.model_mapping.iter().map(|(name, target)| (name.as_str(), target.as_str())).collect();
        assert_eq!(mapped, [("r1", "ep-1"), ("v3", "ep-3")], "{text}");
        assert_eq!(ark.default_model.as_deref(), default, "{text}");
    }
}

#[test]
fn one_account_a_line() {
    let (document, report) = import(&Document::default(), fixture!("accounts.txt"));
    assert_eq!(
        told(&report),
        [
            "line 2 accounts added one@example.com",
            "line 3 accounts added two@example.com",
            "line 4 accounts added +8613800000000",
            "line 6 accounts failed line 6",
            "line 7 accounts duplicate ONE@example.com",
        ]
    );
    assert_eq!(opened(&document, "one@example.com", "password"), "pass:with:colons");
    let (_, report) = import(&document, "13800000000:password-3");
    assert_eq!(told(&report), ["line 1 accounts duplicate 13800000000"]);
    let elsewhere = json!({
        "upstreams": [{"id": "mine", "kind": "deepseek-web", "base_url": "https://chat.deepseek.com"}],
        "accounts": [{"id": "a", "upstream": "mine", "email": "one@example.com", "password": "p"}],
    });
    let (_, report) = import(&self::document(elsewhere).unwrap(), "one@example.com:p");
    assert_eq!(told(&report), ["line 1 accounts duplicate one@example.com"]);
}

#[test]
fn a_password_may_hold_what_stands_between() {
    for (line, password) in [
        ("a@b.c:pa|ss", "pa|ss"),
        ("a@b.c:pa----ss", "pa----ss"),
        ("a@b.c:pa\tss word", "pa\tss word"),
        ("a@b.c::pass", ":pass"),
        ("a@b.c----pa:ss", "pa:ss"),
        ("a@b.c|pa:ss", "pa:ss"),
        ("a@b.c\tpa:ss", "pa:ss"),
        ("a@b.c pa:ss", "pa:ss"),
        ("a@b.c | pa|ss", "pa|ss"),
        ("13800000000 : p", "p"),
    ] {
        let (document, report) = import(&Document::default(), line);
        let id = if line.starts_with('a') { "a@b.c" } else { "13800000000" };
        assert_eq!(told(&report), [format!("line 1 accounts added {id}")], "{line}");
        assert_eq!(opened(&document, id, "password"), password, "{line}");
    }
}

#[test]
fn a_table() {
    let (document, report) = import(&Document::default(), fixture!("accounts.csv"));
    assert_eq!(
        told(&report),
        [
            "line 2 accounts added one@example.com",
            "line 3 accounts added ark-main",
            "line 4 accounts failed line 4.rpm",
        ]
    );
    assert_eq!(report["ignored"], json!(["remark"]));
    assert_eq!(opened(&document, "one@example.com", "password"), "a, \"quoted\" password");
    assert_eq!(document.accounts[1].limits.rpm, Some(60));
    let (document, report) = import(&Document::default(), "email;password\r\na@b.c;\"two\r\nlines\"\r\nb@b.c;p;q\r\n");
    assert_eq!(told(&report), ["line 2 accounts added a@b.c", "line 4 accounts failed line 4"]);
    assert_eq!(document.accounts.len(), 1);
}

#[test]
fn a_row_with_more_cells_than_the_header_says_so() {
    let (_, report) = import(&Document::default(), "email,password\na@b.c,p,rest\nb@b.c,p");
    assert_eq!(report["results"][0]["error"]["message"], "`line 2` has 3 cells, and the header 2.");
    assert_eq!(report["results"][1]["status"], "added");
}

#[test]
fn a_quote_without_an_end_takes_no_other_row_for_a_password() {
    let (document, report) = import(&Document::default(), "email,password\na@b.c,p\nb@b.c,\"p\nc@b.c,p\n");
    assert_eq!(told(&report), ["line 2 accounts added a@b.c", "line 3 accounts failed line 3"]);
    assert_eq!(document.accounts.len(), 1);
    let (_, report) = import(&Document::default(), "\"email,password\na@b.c,p\n");
    assert_eq!(told(&report), ["line 1 accounts failed line 1"]);
}

#[test]
fn a_document_of_weir() {
    let text = fixture!("weir-export.json");
    let (document, report) = import(&Document::default(), text);
    assert_eq!(
        told(&report),
        [
            "upstreams[0] upstreams added any",
            "accounts[0] accounts added a1",
            "accounts[1] accounts failed accounts[1].api_key",
            "accounts[2] accounts failed accounts[2].upstream",
            &format!("keys[0] keys added {}", document.keys[0].id),
            &format!("keys[1] keys added {}", document.keys[1].id),
            "aliases.gpt-4 aliases added gpt-4",
            "settings settings changed settings",
        ]
    );
    assert_eq!(document.settings.timezone, "Asia/Shanghai");
    let (again, report) = import(&document, text);
    assert_eq!(again, document);
    assert_eq!(report["counts"]["duplicate"], 6);
}

#[test]
fn an_export_with_secrets_is_the_whole_document_again() {
    let stored = document(crate::config::read::tests::example()).unwrap();
    let exported = stored.exported(&vault()).unwrap();
    let (copy, report) = import(&Document::default(), &exported.to_string());
    assert_eq!(report["success"], true, "{report}");
    assert_eq!(copy.masked(), stored.masked());
    assert_eq!(copy.keys, stored.keys);
    assert_eq!(opened(&copy, "a1", "password"), "p");
    let other = crate::config::Vault::new("another master key of enough length").unwrap();
    let reader = Reader { vault: &other, stored: &Document::default(), is_timezone: &|_| true };
    assert_eq!(reader.read(exported).unwrap_err().param.as_deref(), Some("keys[0].sealed"));
}

#[test]
fn an_export_without_secrets_is_all_duplicates_where_it_came_from() {
    let stored = document(crate::config::read::tests::example()).unwrap();
    let (same, report) = import(&stored, &stored.masked().to_string());
    assert_eq!((&report["success"], &report["counts"]["added"]), (&json!(true), &json!(0)), "{report}");
    assert_eq!(same, stored);
    let (_, report) = import(&Document::default(), &stored.masked().to_string());
    assert_eq!(report["success"], false, "elsewhere there is no secret to keep");
}

#[test]
fn what_is_none_of_them_is_refused() {
    for text in ["", "hello", "{}", "[]", "[1, 2]", r#"{"a": [1]}"#, "42", "just some\nlines of text"] {
        let error = read(text).unwrap_err();
        assert!(error.message.starts_with("This is no file that Weir knows"), "{text}: {}", error.message);
    }
    let error = read("{\n  \"keys\": [\"a\",]\n}").unwrap_err();
    assert!(error.message.contains("line 2 column"), "{}", error.message);
    let error = read(r#"{"keys": "k"}"#).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("keys"));
}

#[test]
fn a_batch_keeps_the_good_lines_and_the_ids_that_it_names() {
    let stored = document(json!({"accounts": [{"id": "taken", "upstream": "ark", "api_key": "k"}]})).unwrap();
    let accounts = json!([
        {"upstream": "ark", "api_key": "new"},
        {"id": "taken", "upstream": "ark", "api_key": "other"},
        {"id": "else", "upstream": "ark", "api_key": "k"},
        {"upstream": "ark", "api_key": "newer", "limits": {"rpm": "x"}},
        "nonsense",
    ]);
    let reader = Reader { vault: &vault(), stored: &stored, is_timezone: &|_| true };
    let (document, report) = plan(&reader, batch(accounts.as_array().unwrap().clone())).unwrap();
    assert_eq!(
        told(&report),
        [
            "accounts[0] accounts added ark-1",
            "accounts[1] accounts failed accounts[1].id",
            "accounts[2] accounts duplicate else",
            "accounts[3] accounts failed accounts[3].limits.rpm",
            "accounts[4] accounts failed accounts[4]",
        ]
    );
    assert_eq!((document.accounts.len(), document.accounts[0].clone()), (2, stored.accounts[0].clone()));
}

proptest::proptest! {
    /// Whatever a file holds, it is read or refused, and every failed line says where it is.
    #[test]
    fn no_file_is_too_strange(
        file in proptest::sample::select(vec![
            fixture!("ds2api-config.json"), fixture!("deepseek2api-config.json"), fixture!("api-together-apis.json"),
            fixture!("webids.json"), fixture!("model-map.json"), fixture!("volcano-main.py"), fixture!("accounts.txt"),
            fixture!("accounts.csv"), fixture!("weir-export.json"),
        ]),
        cuts in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0_usize..4, "[{}\\[\\]:,'\"\\n|;a-z0-9é]{0,4}"), 0..6),
    ) {
        let mut chars: Vec<char> = file.chars().collect();
        for (at, length, inserted) in cuts {
            let at = at.index(chars.len() + 1);
            let end = (at + length).min(chars.len());
            chars.splice(at..end, inserted.chars());
        }
        let text: String = chars.into_iter().collect();
        let reader = Reader { vault: &vault(), stored: &Document::default(), is_timezone: &|_| true };
        let Ok(found) = read(&text) else { return Ok(()) };
        let lines = found.lines.len();
        let (document, report) = plan(&reader, found).unwrap();
        let results = report["results"].as_array().unwrap();
        proptest::prop_assert_eq!(results.len(), lines);
        for result in results.iter().filter(|result| result["status"] == "failed") {
            let from = result["from"].as_str().unwrap();
            let param = result["error"]["param"].as_str().unwrap_or(from);
            proptest::prop_assert!(param.starts_with(from) || from.starts_with(param), "{} is not of {}", param, from);
        }
        let again = Reader { stored: &document, ..reader };
        proptest::prop_assert_eq!(again.read(document.masked()).unwrap(), document.clone());
    }
}
