//! What a file adds to the document: each line is read alone, so that one that is wrong spoils no other. What is there
//! already stays as it is.
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Found, Line, Part, put};
use crate::chat::{ChatError, ErrorKind};
use crate::config::document::{Document, MASK, Upstream};
use crate::config::presets;
use crate::config::read::Reader;
use crate::config::seal::Vault;
use crate::config::settings::Settings;

/// The document with all good lines, and a report with a result for every line.
///
/// # Errors
/// Where the whole is not valid though every line alone is.
pub(in crate::config) fn plan(reader: &Reader, found: Found) -> Result<(Document, Value), ChatError> {
    let mut merge = Merge::new(reader, found.renames);
    let mut outcomes = Vec::with_capacity(found.lines.len());
    for Line { from, list, item } in found.lines {
        let outcome = item.and_then(|item| merge.add(list, item)).map_err(|error| relocate(error, list, &from));
        outcomes.push((from, list, outcome));
    }
    let document = if merge.is_changed { reader.read(merge.next)? } else { reader.stored.clone() };
    let masked = document.masked();
    let count = |wanted: &str, part: Option<Part>| {
        let fits = |outcome: &&(String, Part, Result<Outcome, ChatError>)| {
            outcome.2.as_ref().map_or("failed", |outcome| outcome.status) == wanted
                && part.is_none_or(|part| part == outcome.1)
        };
        outcomes.iter().filter(fits).count()
    };
    let counts = json!({
        "added": count("added", None), "changed": count("changed", None), "duplicate": count("duplicate", None),
        "failed": count("failed", None),
    });
    let (accounts, keys) = (count("added", Some(Part::Accounts)), count("added", Some(Part::Keys)));
    let success = count("failed", None) == 0;
    let results: Vec<Value> = outcomes.into_iter().map(|outcome| shown(&masked, outcome)).collect();
    let report = json!({
        "success": success, "format": found.format, "counts": counts, "results": results, "ignored": found.ignored,
        "notes": found.notes, "imported_accounts": accounts, "imported_keys": keys,
    });
    Ok((document, report))
}

/// What became of a line.
struct Outcome {
    status: &'static str,
    /// The item that it is about.
    id: String,
    /// Where that is, if it is new.
    at: Option<usize>,
}

impl Outcome {
    fn added(id: impl Into<String>) -> Outcome {
        Outcome { status: "added", id: id.into(), at: None }
    }

    fn changed(id: impl Into<String>) -> Outcome {
        Outcome { status: "changed", id: id.into(), at: None }
    }

    fn duplicate(id: impl Into<String>) -> Outcome {
        Outcome { status: "duplicate", id: id.into(), at: None }
    }
}

struct Merge<'a> {
    reader: &'a Reader<'a>,
    next: Value,
    upstreams: Vec<Upstream>,
    /// The ids that the file's upstreams got here, where those are others.
    renamed: Vec<(String, String)>,
    /// What tells accounts and keys apart: `list/field/value`.
    known: BTreeSet<String>,
    renames: bool,
    is_changed: bool,
}

impl<'a> Merge<'a> {
    fn new(reader: &'a Reader<'a>, renames: bool) -> Merge<'a> {
        let stored = reader.stored;
        let mut known = BTreeSet::new();
        for account in &stored.accounts {
            known.insert(format!("accounts/id/{}", account.id));
            // Secrets that cannot be opened are like no others.
            let secrets = reader.vault.open(&account.id, &account.sealed).unwrap_or_default();
            let shown = json!({
                "email": account.email, "mobile": account.mobile,
                "web_id": account.web_id, "api_key": secrets.get("api_key"), "token": secrets.get("token"),
            });
            known.extend(identities(&shown, &upstream_place(&stored.upstreams, &account.upstream), reader.vault));
        }
        for key in &stored.keys {
            known.extend([format!("keys/id/{}", key.id), format!("keys/hash/{}", key.hash)]);
        }
        let upstreams = stored.upstreams.clone();
        Merge { reader, next: stored.masked(), upstreams, renamed: Vec::new(), known, renames, is_changed: false }
    }

    fn add(&mut self, list: Part, item: Value) -> Result<Outcome, ChatError> {
        match list {
            Part::Upstreams => self.upstream(item),
            Part::Accounts => self.account(item),
            Part::Keys => self.key(item),
            Part::Aliases => self.alias(&item),
            Part::ModelMapping => self.mapping(&item),
            Part::Settings => self.settings(item),
        }
    }

    /// Reads an item as the only one of its list.
    fn alone(&self, list: Part, item: &Value) -> Result<Document, ChatError> {
        let upstreams: Vec<&Value> = match (list, text(item, "upstream")) {
            (Part::Accounts, Some(id)) => {
                self.items("upstreams").filter(|known| text(known, "id") == Some(id)).collect()
            }
            _ => Vec::new(),
        };
        let mut document = json!({"upstreams": upstreams});
        put(&mut document, list.field(), json!([item]));
        let empty = Document::default();
        let reader = Reader { vault: self.reader.vault, stored: &empty, is_timezone: self.reader.is_timezone };
        reader.read(document)
    }

    fn upstream(&mut self, item: Value) -> Result<Outcome, ChatError> {
        let Some(mut read) = self.alone(Part::Upstreams, &item)?.upstreams.pop() else { return Err(nothing()) };
        let named = read.id.clone();
        let same = self.same_upstream(&item, &read);
        if let Some(same) = same.cloned() {
            self.renamed.push((named, same.id.clone()));
            return Ok(Outcome::duplicate(same.id));
        }
        let free = super::free(&named, 2, |id| self.upstreams.iter().any(|known| known.id == id));
        self.renamed.push((named, free.clone()));
        read.id.clone_from(&free);
        self.upstreams.push(read);
        Ok(self.push("upstreams", free, item))
    }

    /// The upstream that a file's is: a stored one may have been given more since, and counts by the fields that the file
    /// states; two of one file are the same where all is.
    fn same_upstream(&self, item: &Value, read: &Upstream) -> Option<&Upstream> {
        let shown = json!(read);
        let stated =
            || item.as_object().into_iter().flatten().filter(|(name, value)| *name != "id" && !value.is_null());
        let (stored, new) = self.upstreams.split_at_checked(self.reader.stored.upstreams.len())?;
        let mut alike = stored.iter().filter(|known| {
            let known_shown = json!(known);
            (known.kind, place(known)) == (read.kind, place(read))
                && stated().all(|(name, _)| name == "base_url" || known_shown.get(name) == shown.get(name))
        });
        let first = alike.clone().next();
        let same = alike.find(|known| known.id == read.id).or(first);
        same.or_else(|| new.iter().find(|known| Upstream { id: read.id.clone(), ..(*known).clone() } == *read))
    }

    fn account(&mut self, mut item: Value) -> Result<Outcome, ChatError> {
        let renamed = self.renamed.iter().find(|(named, _)| text(&item, "upstream") == Some(named));
        if let Some((_, id)) = renamed {
            let id = id.clone();
            put(&mut item, "upstream", id.into());
        }
        if let Some(id) = self.masked_as_stored("accounts", &item) {
            return Ok(Outcome::duplicate(id));
        }
        let read = self.alone(Part::Accounts, &item)?;
        let Some(account) = read.accounts.first() else { return Err(nothing()) };
        if text(&item, "upstream").is_none() {
            put(&mut item, "upstream", account.upstream.clone().into());
        }
        // Endpoints of one file may offer other models with the same key.
        let identities = identities(&item, &account.upstream, self.reader.vault);
        let here = upstream_place(&self.upstreams, &account.upstream);
        let stored = self::identities(&item, &here, self.reader.vault);
        if stored.iter().chain(&identities).any(|identity| self.known.contains(identity)) {
            return Ok(Outcome::duplicate(account.id.clone()));
        }
        // One without a name gets a number of its upstream, as everywhere.
        let has_name = ["id", "email", "mobile", "web_id"].iter().any(|name| text(&item, name).is_some());
        if has_name && self.known.contains(&format!("accounts/id/{}", account.id)) && !self.renames {
            return Err(ChatError::field(
                "accounts[0].id",
                format!("`accounts[0].id`: the id `{}` is taken.", account.id),
            ));
        }
        let base = if has_name { account.id.clone() } else { account.upstream.clone() };
        let is_taken = |id: &str| self.known.contains(&format!("accounts/id/{id}")) || (!has_name && id == base);
        let id = super::free(&base, if has_name { 2 } else { 1 }, is_taken);
        self.known.insert(format!("accounts/id/{id}"));
        self.known.extend(identities);
        Ok(self.push("accounts", id, item))
    }

    fn key(&mut self, item: Value) -> Result<Outcome, ChatError> {
        if let Some(id) = self.masked_as_stored("keys", &item) {
            return Ok(Outcome::duplicate(id));
        }
        let read = self.alone(Part::Keys, &item)?;
        let Some(key) = read.keys.first() else { return Err(nothing()) };
        if !self.known.insert(format!("keys/hash/{}", key.hash)) {
            let known = self.reader.stored.keys.iter().find(|known| known.hash == key.hash);
            return Ok(Outcome::duplicate(known.unwrap_or(key).id.clone()));
        }
        let id = super::free(&key.id, 2, |id| self.known.contains(&format!("keys/id/{id}")));
        self.known.insert(format!("keys/id/{id}"));
        Ok(self.push("keys", id, item))
    }

    fn alias(&mut self, item: &Value) -> Result<Outcome, ChatError> {
        let (Some(name), Some(target)) = (text(item, "name"), item.get("target")) else { return Err(nothing()) };
        let mut aliases = self.next.get("aliases").cloned().unwrap_or_default();
        if aliases.get(name).is_some() {
            return Ok(Outcome::duplicate(name));
        }
        put(&mut aliases, name, target.clone());
        let empty = Document::default();
        let reader = Reader { vault: self.reader.vault, stored: &empty, is_timezone: self.reader.is_timezone };
        reader.read(json!({"aliases": aliases}))?;
        put(&mut self.next, "aliases", aliases);
        self.is_changed = true;
        Ok(Outcome::added(name))
    }

    /// A model of a built-in upstream gets another name; without an entry, it gets one with the models that it has.
    fn mapping(&mut self, item: &Value) -> Result<Outcome, ChatError> {
        let Some(id) = text(item, "upstream") else { return Err(nothing()) };
        let outcome = Outcome::added(id);
        let at = self.items("upstreams").position(|known| text(known, "id") == Some(id));
        let mut entry = match at.and_then(|at| self.items("upstreams").nth(at)) {
            Some(entry) => entry.clone(),
            None => json!({"id": id, "models": presets::upstream(id).map(|preset| preset.models)}),
        };
        match (text(item, "name"), item.get("target"), item.get("default_model")) {
            (Some(name), Some(target), _) => {
                let mut mapping = entry.get("model_mapping").cloned().unwrap_or_else(|| json!({}));
                if mapping.get(name).is_some() {
                    return Ok(Outcome::duplicate(id));
                }
                put(&mut mapping, name, target.clone());
                put(&mut entry, "model_mapping", mapping);
            }
            (_, _, Some(_)) if entry.get("default_model").is_some() => return Ok(Outcome::duplicate(id)),
            (_, _, Some(model)) => put(&mut entry, "default_model", model.clone()),
            _ => return Err(nothing()),
        }
        self.alone(Part::Upstreams, &entry)?;
        let entries = self.next.get_mut("upstreams").and_then(Value::as_array_mut);
        match (entries, at) {
            (Some(entries), None) => entries.push(entry),
            (Some(entries), Some(at)) => {
                if let Some(known) = entries.get_mut(at) {
                    *known = entry;
                }
            }
            (None, _) => return Err(nothing()),
        }
        self.is_changed = true;
        Ok(outcome)
    }

    /// A setting is taken where the stored one is the default.
    fn settings(&mut self, item: Value) -> Result<Outcome, ChatError> {
        let empty = Document::default();
        let reader = Reader { vault: self.reader.vault, stored: &empty, is_timezone: self.reader.is_timezone };
        let read = json!(reader.read(json!({"settings": item}))?.settings);
        let stored = self.next.get("settings").cloned().unwrap_or_default();
        let filled = fill(stored.clone(), &json!(Settings::default()), &read);
        if filled == stored {
            return Ok(Outcome::duplicate("settings"));
        }
        put(&mut self.next, "settings", filled);
        self.is_changed = true;
        Ok(Outcome::changed("settings"))
    }

    /// The id of an item whose secrets an export left out, where it is there still.
    fn masked_as_stored(&self, list: &str, item: &Value) -> Option<String> {
        let is_masked = item.as_object()?.values().any(|field| *field == MASK);
        let id = text(item, "id").filter(|_| is_masked)?;
        self.known.contains(&format!("{list}/id/{id}")).then(|| id.to_owned())
    }

    fn items(&self, list: &str) -> impl Iterator<Item = &Value> {
        self.next.get(list).and_then(Value::as_array).into_iter().flatten()
    }

    fn push(&mut self, list: &str, id: String, mut item: Value) -> Outcome {
        put(&mut item, "id", id.clone().into());
        self.is_changed = true;
        let items = self.next.get_mut(list).and_then(Value::as_array_mut);
        let at = items.map(|items| {
            items.push(item);
            items.len() - 1
        });
        Outcome { at, ..Outcome::added(id) }
    }
}

/// What no other account has. Secrets take part by their hash, and an API key belongs to one place: an address, or an
/// upstream.
fn identities(item: &Value, place: &str, vault: &Vault) -> Vec<String> {
    let of = |name: &str| text(item, name).map(str::trim).filter(|text| !text.is_empty());
    let known = [
        of("email").map(|email| format!("accounts/email/{}", email.to_ascii_lowercase())),
        of("mobile").map(|mobile| {
            let digits: String = mobile.chars().filter(|char| *char == '+' || char.is_ascii_digit()).collect();
            format!("accounts/mobile/{}", digits.trim_start_matches("+86"))
        }),
        of("web_id").map(|id| format!("accounts/web_id/{id}")),
        of("token").map(|token| format!("accounts/token/{}", vault.hash_key(token))),
        of("api_key").map(|key| format!("accounts/api_key/{place}/{}", vault.hash_key(key))),
    ];
    known.into_iter().flatten().collect()
}

/// What is stored, with what was read in place of each default.
fn fill(stored: Value, default: &Value, read: &Value) -> Value {
    match (stored, default, read) {
        (Value::Object(mut fields), Value::Object(defaults), Value::Object(new)) => {
            for (name, value) in new {
                let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                let filled = fill(of(&fields), &of(defaults), value);
                fields.insert(name.clone(), filled);
            }
            Value::Object(fields)
        }
        (stored, default, read) if stored == *default => read.clone(),
        (stored, ..) => stored,
    }
}

/// Where an upstream's API keys belong.
fn place(upstream: &Upstream) -> &str {
    upstream.base_url.trim_end_matches('/')
}

fn upstream_place(upstreams: &[Upstream], id: &str) -> String {
    let known = upstreams.iter().find(|known| known.id == id).cloned().or_else(|| presets::upstream(id));
    known.as_ref().map(place).unwrap_or(id).to_owned()
}

fn shown(masked: &Value, (from, list, outcome): (String, Part, Result<Outcome, ChatError>)) -> Value {
    let mut shown = json!({"from": from, "list": list.field()});
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            put(&mut shown, "status", "failed".into());
            put(&mut shown, "error", json!({"message": error.message, "param": error.param}));
            return shown;
        }
    };
    put(&mut shown, "status", outcome.status.into());
    put(&mut shown, "id", outcome.id.into());
    if let Some(item) = outcome.at.and_then(|at| masked.get(list.field())?.get(at)) {
        put(&mut shown, "item", item.clone());
    }
    shown
}

/// The line was read as the first of its list.
fn relocate(mut error: ChatError, list: Part, from: &str) -> ChatError {
    let path = format!("{}[0]", list.field());
    if let Some(rest) = error.param.as_deref().and_then(|param| param.strip_prefix(&path)) {
        error.message = error.message.replace(&path, from);
        error.param = Some(format!("{from}{rest}"));
    }
    error
}

fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name).and_then(Value::as_str)
}

fn nothing() -> ChatError {
    ChatError::new(ErrorKind::InvalidRequest, "There is nothing to take over.")
}
