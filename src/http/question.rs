//! What a service is asked: the caller's own words, or those in common form; with the account's credential.
use memchr::memmem;
use worker::Env;

use super::caller::Candidate;
use super::remember::Memory;
use crate::chat::{Body, ChatError, ChatRequest, Envelope};
use crate::config::{Kind, Secrets, Settings, source};
use crate::dialect::openai;
use crate::stream::splice::Edit;
use crate::upstream::deepseek_web;
use crate::upstream::deepseek_web::call::Owner;
use crate::upstream::deepseek_web::session::Credential;
use crate::upstream::openai::call::{self, Ask};
use crate::upstream::openai::encode::Reasoning;
use crate::upstream::openai::thoughts;
use crate::upstream::service::Service;
use crate::upstream::volcengine_console;

/// With what an account is used.
pub(super) enum Login<'a> {
    Pooled {
        account: &'a str,
        secrets: &'a Secrets,
        sealed: &'a str,
    },
    /// The caller's own credential.
    Direct(&'a str),
}

/// One caller's request, before it is known which service answers it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) env: &'a Env,
    pub(super) settings: &'a Settings,
    pub(super) envelope: &'a Envelope,
    /// Where the thoughts are that the caller's client dropped.
    pub(super) memory: Option<&'a Memory>,
}

impl<'a> Question<'a> {
    /// The call in common words, for a service that does not speak the caller's.
    pub(super) async fn chat(self, candidate: &Candidate) -> Result<Option<ChatRequest>, ChatError> {
        let chat = match (candidate.kind, &self.envelope.body) {
            (Kind::Openai, Body::Openai(_)) => return Ok(None),
            (_, Body::Openai(raw)) => openai::chat::decode(&raw.bytes)?,
            (_, Body::Chat { chat, .. }) => (**chat).clone(),
        };
        let mut chat = if candidate.takes_media { chat } else { chat.without_media()? };
        if candidate.kind == Kind::Openai
            && let Some(memory) = self.thoughts()
        {
            let calls = chat.silent_callers().filter_map(|message| Some(message.tool_calls.first()?.id.clone()));
            let thoughts = memory.thoughts(calls.collect()).await;
            let wants_any = candidate.limits.reasoning == Reasoning::Thinking;
            for message in chat.silent_callers() {
                let known = message.tool_calls.first().and_then(|call| thoughts.get(&call.id).cloned());
                message.reasoning = known.or(wants_any.then(String::new));
            }
        }
        Ok(Some(chat))
    }

    /// The thoughts that a body lacks which goes to its service as it is.
    pub(super) async fn edits(self, candidate: &Candidate) -> Vec<Edit> {
        let Body::Openai(raw) = &self.envelope.body else { return Vec::new() };
        let Some(memory) = self.thoughts().filter(|_| candidate.limits.reasoning == Reasoning::Thinking) else {
            return Vec::new();
        };
        let silent = thoughts::silent(raw);
        let known = memory.thoughts(silent.iter().map(|silent| silent.call.clone()).collect()).await;
        thoughts::edits(&silent, &known)
    }

    /// Whether the thoughts behind the answer's tool calls are remembered. An answer that goes to its caller as it is is
    /// read for them only where the service is known to want them back.
    pub(super) fn remembers(self, candidate: &Candidate) -> bool {
        let uses_tools = match &self.envelope.body {
            Body::Openai(raw) => {
                candidate.limits.reasoning == Reasoning::Thinking && memmem::find(&raw.bytes, b"\"tools\"").is_some()
            }
            Body::Chat { chat, .. } => !chat.tools.is_empty(),
        };
        candidate.kind == Kind::Openai && uses_tools && self.thoughts().is_some()
    }

    /// The candidate's service, with what it takes to ask it; `None` where the account lacks a credential.
    pub(super) fn service(
        self,
        candidate: &'a Candidate,
        login: Login<'a>,
        chat: Option<&'a ChatRequest>,
        edits: Vec<Edit>,
    ) -> Option<Service<'a>> {
        let (envelope, settings) = (self.envelope, self.settings);
        let (base_url, model) = (candidate.base_url.as_str(), candidate.model.as_str());
        let ask = match (candidate.kind, &envelope.body, chat) {
            (Kind::Openai, Body::Openai(raw), _) => Ask::Same(raw, edits),
            (Kind::Openai, Body::Chat { prompt_tokens, .. }, Some(chat)) => Ask::Chat(chat, *prompt_tokens),
            (_, _, None) => return None,
            (Kind::VolcengineConsole, _, Some(request)) => {
                let Login::Pooled { secrets, .. } = login else { return None };
                return Some(Service::VolcengineConsole(Box::new(volcengine_console::call::Call {
                    url: base_url,
                    model,
                    settings: &settings.volcengine_console,
                    secrets,
                    shared_authorization: source::variable(self.env, "VOLCENGINE_AUTHORIZATION"),
                    request,
                    whole: !envelope.stream,
                })));
            }
            (_, _, Some(chat)) => {
                let (account, credential) = match login {
                    Login::Pooled { account, sealed, .. } => {
                        (account.to_owned(), Credential::Sealed(sealed.to_owned()))
                    }
                    Login::Direct(token) => (direct_name(self.env, token)?, Credential::Token(token.to_owned())),
                };
                let settings = &settings.deepseek_web;
                let owner = Owner { account: &account, credential, base_url, settings };
                let call = deepseek_web::call::Call::new(self.env, owner, model, chat, !envelope.stream);
                return Some(Service::DeepseekWeb(Box::new(call)));
            }
        };
        let credential = match login {
            Login::Pooled { secrets, .. } => secrets.api_key()?,
            Login::Direct(credential) => credential,
        };
        let (limits, max_answer_bytes) = (candidate.limits, settings.max_answer_bytes);
        Some(Service::Openai(call::Call { envelope, ask, base_url, model, limits, credential, max_answer_bytes }))
    }

    /// The memory, where it is to be asked for thoughts.
    fn thoughts(self) -> Option<&'a Memory> {
        self.memory.filter(|memory| memory.settings.reasoning)
    }
}

/// The name of a direct caller's `Session`: the same for the same token, and nothing can be read from it.
fn direct_name(env: &Env, token: &str) -> Option<String> {
    Some(format!("direct-{}", source::vault(env).ok()?.hash_key(token)))
}
