//! Accounts as text: a CSV table (RFC 4180) whose header names the fields, or `user:password`, one a line.
use serde_json::{Map, Value, json};

use super::{Found, Part};
use crate::chat::ChatError;

/// A header has one of these, at least.
const IDENTITY: [&str; 5] = ["email", "mobile", "token", "api_key", "web_id"];
const TEXTS: [&str; 4] = ["id", "upstream", "password", "authorization"];
const LIMITS: [&str; 6] = ["concurrency", "rpm", "rpd", "tpm", "min_gap_ms", "max_uses"];
const NUMBERS: [&str; 2] = ["weight", "priority"];
/// Between a user and a password, with blanks around it or blanks alone; the first in a line counts, for a password may
/// hold any of them.
const BETWEEN: [&str; 3] = ["----", "|", ":"];

/// The accounts in a text; `None` where no line looks like one.
pub(super) fn read(text: &str) -> Option<Found> {
    let header = text.lines().next()?;
    for separator in [',', ';', '\t'] {
        let names: Vec<String> = header.split(separator).map(name).collect();
        if names.iter().any(|name| IDENTITY.contains(&name.as_str())) {
            return Some(table(text, separator));
        }
    }
    let mut found = Found::new("lines");
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let from = format!("line {}", index + 1);
        let item = credential(line)
            .ok_or_else(|| wrong(&from, "an e-mail address or a mobile number, then `:` and its password"));
        found.push(from, Part::Accounts, item);
    }
    found.lines.iter().any(|line| line.item.is_ok()).then_some(found)
}

fn credential(line: &str) -> Option<Value> {
    let blank = line.find(char::is_whitespace);
    let end = BETWEEN.iter().filter_map(|between| line.find(between)).chain(blank).min()?;
    let (user, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let password = BETWEEN.iter().find_map(|between| rest.strip_prefix(between)).unwrap_or(rest).trim();
    let field = user_field(user)?;
    (!password.is_empty()).then(|| json!({"upstream": "deepseek-web", field: user, "password": password}))
}

fn user_field(user: &str) -> Option<&'static str> {
    let digits = user.trim_start_matches('+');
    match user.contains('@') {
        true => Some("email"),
        false if digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Some("mobile"),
        false => None,
    }
}

fn table(text: &str, separator: char) -> Found {
    let mut found = Found::new("csv");
    let Rows { rows, unclosed } = rows(text, separator);
    let mut rows = rows.into_iter();
    let header: Vec<String> = rows.next().into_iter().flat_map(|(_, cells)| cells).map(|cell| name(&cell)).collect();
    let known = |column: &str| [&IDENTITY[..], &TEXTS, &LIMITS, &NUMBERS, &["enabled"]].concat().contains(&column);
    found.ignored = header.iter().filter(|column| !known(column)).cloned().collect();
    for (line, cells) in rows {
        let from = format!("line {line}");
        let item = match cells.len() > header.len() {
            true => Err(ChatError::field(
                from.as_str(),
                format!("`{from}` has {} cells, and the header {}.", cells.len(), header.len()),
            )),
            false => row(&from, header.iter().zip(&cells).filter(|(column, _)| known(column))),
        };
        found.push(from, Part::Accounts, item);
    }
    if let Some(line) = unclosed {
        let from = format!("line {line}");
        let item = Err(wrong(&from, "a row whose quotes are closed: nothing from here on is read"));
        found.push(from, Part::Accounts, item);
    }
    found
}

fn row<'a>(from: &str, cells: impl Iterator<Item = (&'a String, &'a String)>) -> Result<Value, ChatError> {
    let (mut item, mut limits) = (Map::new(), Map::new());
    for (column, cell) in cells {
        let (column, cell) = (column.as_str(), cell.trim());
        let number = || {
            let number = cell.parse::<i64>().map(Value::from);
            number.map_err(|_| wrong(&format!("{from}.{column}"), "a whole number"))
        };
        match column {
            _ if cell.is_empty() => {}
            _ if LIMITS.contains(&column) => drop(limits.insert(column.to_owned(), number()?)),
            _ if NUMBERS.contains(&column) => drop(item.insert(column.to_owned(), number()?)),
            "enabled" => {
                let flag = match cell.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "1" => true,
                    "false" | "no" | "0" => false,
                    _ => return Err(wrong(&format!("{from}.{column}"), "true or false")),
                };
                item.insert(column.to_owned(), flag.into());
            }
            _ => drop(item.insert(column.to_owned(), cell.into())),
        }
    }
    let upstream = match ["web_id", "token", "api_key"].into_iter().find(|name| item.contains_key(*name)) {
        _ if item.contains_key("upstream") => None,
        Some("web_id") => Some("volcengine-console"),
        Some("api_key") => None,
        _ => Some("deepseek-web"),
    };
    item.extend(upstream.map(|upstream| ("upstream".to_owned(), upstream.into())));
    if !limits.is_empty() {
        item.insert("limits".to_owned(), limits.into());
    }
    Ok(Value::Object(item))
}

/// A column's name as the document has it.
fn name(cell: &str) -> String {
    let name = cell.trim().trim_matches('"').trim().to_ascii_lowercase().replace(['-', ' '], "_");
    let known = match name.as_str() {
        "e_mail" | "mail" => "email",
        "phone" => "mobile",
        "pass" => "password",
        "apikey" => "api_key",
        "webid" | "x_web_id" => "web_id",
        name => name,
    };
    known.to_owned()
}

/// The rows of a table that are not empty, each with the line on which it begins.
struct Rows {
    rows: Vec<(usize, Vec<String>)>,
    /// Where the last row begins, if one of its quotes has no end: it is left out.
    unclosed: Option<usize>,
}

fn rows(text: &str, separator: char) -> Rows {
    let mut rows = Vec::new();
    let (mut line, mut begun) = (1, 1);
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().chain(['\n']).peekable();
    while let Some(char) = chars.next() {
        line += usize::from(char == '\n');
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                let row = std::mem::take(&mut cells);
                if row.iter().any(|cell| !cell.trim().is_empty()) {
                    rows.push((begun, row));
                }
                begun = line;
            }
            char if char == separator && !quoted => cells.push(std::mem::take(&mut cell)),
            char => cell.push(char),
        }
    }
    Rows { rows, unclosed: quoted.then_some(begun) }
}

fn wrong(path: &str, needed: &str) -> ChatError {
    ChatError::field(path, format!("`{path}` must be {needed}."))
}
