//! Who is calling, and what that caller may use.
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::chat::{ChatError, Endpoint, ErrorKind};
use crate::config::source::{self, Presented};
use crate::config::{Hot, KeyView, Kind, Upstream, route};
use crate::ledger::client::Route;
use crate::ledger::shard;
use crate::upstream::openai::encode;
use worker::Env;

/// A caller with a client key, or with a credential of its own for an upstream that takes those.
pub(super) struct Caller {
    hot: Rc<Hot>,
    identity: Identity,
}

enum Identity {
    /// A client key: its keyed hash, and what the configuration says of it.
    Key(String, KeyView),
    /// What was presented is no client key.
    Direct(String),
}

/// Who is not served.
pub(super) struct Unidentified {
    pub(super) error: ChatError,
    /// The key, where it is one that was disabled or has expired.
    pub(super) key: Option<KeyView>,
}

impl From<ChatError> for Unidentified {
    fn from(error: ChatError) -> Self {
        Unidentified { error, key: None }
    }
}

/// One place that serves a model.
pub(super) struct Candidate {
    pub(super) kind: Kind,
    pub(super) base_url: String,
    /// The upstream's name for the model.
    pub(super) model: String,
    pub(super) timeout_ms: u64,
    /// What it takes of a translated call.
    pub(super) limits: encode::Limits,
    /// Whether a translated call may hold pictures and documents.
    pub(super) takes_media: bool,
}

/// How a call is served.
pub(super) enum Plan {
    /// On an account of the pool.
    Pooled,
    /// With the caller's own credential.
    Direct(Candidate, String),
}

impl Caller {
    /// Finds out who presents `keys`.
    ///
    /// # Errors
    /// `InvalidKey` without a key, with one that is disabled, deleted or has expired, and with an unknown one where no
    /// upstream takes direct credentials; `RateLimited` where one does and too many came to look up each.
    pub(super) async fn identify(env: &Env, keys: &[String]) -> Result<Caller, Unidentified> {
        let hot = source::current(env).await?;
        let missing = "No API key: send `Authorization: Bearer <key>` or `x-api-key: <key>`.";
        let mut refusal = Unidentified::from(invalid_key(missing));
        // A key of this gateway is no upstream's credential, whatever became of it.
        let mut is_credential = hot.takes_credentials();
        for key in keys {
            let presented = source::find_key(env, &hot, key).await?;
            is_credential &= matches!(presented, Presented::Stranger);
            match presented {
                Presented::Key(hash, view) => match usable(&view) {
                    Ok(()) => return Ok(Caller { hot, identity: Identity::Key(hash, view) }),
                    Err(error) => refusal = Unidentified { error, key: Some(view) },
                },
                _ if refusal.key.is_some() => {}
                Presented::Unsure if hot.takes_credentials() => refusal = too_many_unknown().into(),
                _ => refusal = invalid_key("Unknown API key.").into(),
            }
        }
        match keys.first() {
            Some(key) if is_credential => Ok(Caller { hot, identity: Identity::Direct(key.clone()) }),
            _ => Err(refusal),
        }
    }

    /// The operator, who may use every upstream.
    pub(super) fn operator(hot: Rc<Hot>) -> Caller {
        Caller { hot, identity: Identity::Direct(String::new()) }
    }

    /// A model that `upstream` names.
    pub(super) fn any_model(&self, upstream: &str) -> Option<String> {
        let upstream = self.upstream(upstream)?;
        let mut named = upstream.models.iter().filter(|name| !name.contains('*'));
        let named = upstream.default_model.as_ref().or_else(|| named.next());
        named.or_else(|| upstream.model_mapping.keys().next()).cloned()
    }

    /// Where `upstream` serves `model`, whether it lists it or not.
    pub(super) fn candidate_for(&self, upstream: &str, model: &str) -> Option<Candidate> {
        let known = self.upstream(upstream)?.model_mapping.get(model);
        self.candidate_of(upstream, known.map_or(model, String::as_str).to_owned())
    }

    /// The configuration that this call goes by.
    pub(super) fn hot(&self) -> &Rc<Hot> {
        &self.hot
    }

    /// The key's id; empty for a direct caller.
    pub(super) fn key_id(&self) -> &str {
        self.key().map_or("", |view| &view.id)
    }

    /// What the configuration says of the key; `None` for a direct caller.
    pub(super) fn key(&self) -> Option<&KeyView> {
        match &self.identity {
            Identity::Key(_, view) => Some(view),
            Identity::Direct(_) => None,
        }
    }

    /// Makes sure that the caller has a client key.
    ///
    /// # Errors
    /// `InvalidKey` for a direct caller.
    pub(super) fn require_key(&self) -> Result<(), ChatError> {
        self.key().map(drop).ok_or_else(|| invalid_key("Unknown API key."))
    }

    /// Whose memory is this caller's: a keyed hash of what was presented.
    ///
    /// # Errors
    /// `NotConfigured` without `MASTER_KEY`.
    pub(super) fn owner(&self, env: &Env) -> Result<String, ChatError> {
        match &self.identity {
            Identity::Key(hash, _) => Ok(hash.clone()),
            Identity::Direct(credential) => Ok(source::vault(env)?.hash_key(credential)),
        }
    }

    /// Goes by a newer configuration from here on.
    ///
    /// # Errors
    /// `InvalidKey` when it does not know the key any more.
    pub(super) fn reload(&mut self, hot: Rc<Hot>) -> Result<(), ChatError> {
        if let Identity::Key(hash, view) = &mut self.identity {
            let current = hot.keys.get(hash.as_str()).ok_or_else(|| invalid_key("Unknown API key."))?;
            usable(current)?;
            *view = current.clone();
        }
        self.hot = hot;
        Ok(())
    }

    /// The models that this caller may name, with their owners.
    pub(super) fn models(&self) -> Vec<(String, String)> {
        let allowed = self.allowed();
        route::models(&self.hot, allowed)
            .into_iter()
            .filter(|(_, owner)| match &self.identity {
                Identity::Key(..) => true,
                Identity::Direct(_) => self.upstream(owner).is_some_and(|upstream| upstream.direct),
            })
            .collect()
    }

    /// How a call for `model` is served; whether the pool serves it is found out by [`Caller::upstreams`].
    ///
    /// # Errors
    /// `ModelNotFound`, and `InvalidKey` for a direct caller whom no upstream takes.
    pub(super) fn plan(&self, model: &str, endpoint: Endpoint) -> Result<Plan, ChatError> {
        let Identity::Direct(credential) = &self.identity else { return Ok(Plan::Pooled) };
        let mut candidates = self.candidates(model, endpoint).into_iter();
        let direct = candidates.find(|(id, _)| self.upstream(id).is_some_and(|upstream| upstream.direct));
        let (id, name) = direct.ok_or_else(|| invalid_key("Unknown API key."))?;
        let candidate = self.candidate_of(&id, name).ok_or_else(|| not_found(model))?;
        Ok(Plan::Direct(candidate, credential.clone()))
    }

    /// The ids of the upstreams that serve `model`: where the call `shows` something, of those that look at it, if any does.
    ///
    /// # Errors
    /// `ModelNotAllowed`, `ModelNotFound`.
    pub(super) fn upstreams(&self, model: &str, endpoint: Endpoint, shows: bool) -> Result<Vec<String>, ChatError> {
        self.permit(model)?;
        let mut ids: Vec<String> = self.candidates(model, endpoint).into_iter().map(|(id, _)| id).collect();
        let looks = |id: &String| self.upstream(id).is_some_and(takes_media);
        if shows && ids.iter().any(looks) {
            ids.retain(looks);
        }
        if ids.is_empty() { Err(not_found(model)) } else { Ok(ids) }
    }

    /// Where `upstream` serves `model`.
    pub(super) fn candidate(&self, upstream: &str, model: &str, endpoint: Endpoint) -> Option<Candidate> {
        let (id, name) = self.candidates(model, endpoint).into_iter().find(|(id, _)| id == upstream)?;
        self.candidate_of(&id, name)
    }

    fn candidate_of(&self, id: &str, model: String) -> Option<Candidate> {
        let upstream = self.upstream(id)?;
        Some(Candidate {
            kind: upstream.kind,
            base_url: upstream.base_url.clone(),
            model,
            timeout_ms: upstream.timeout_s.saturating_mul(1000),
            limits: upstream.limits(),
            takes_media: takes_media(upstream),
        })
    }

    /// Where the ledger may serve a request for these upstreams; `name` says in which order, where it is split.
    pub(super) fn ledger_route(&self, upstreams: &[String], name: &str) -> Route {
        let count = self.hot.settings.ledger_shards;
        if count <= 1 {
            return Route { shards: vec![0], home: None };
        }
        let home = match &self.identity {
            Identity::Key(_, view) if view.limited => Some(shard::of(&view.id, count)),
            _ => None,
        };
        let owners: BTreeSet<u32> =
            upstreams.iter().filter_map(|id| self.hot.shards.get(id)).flatten().copied().collect();
        let owners: Vec<u32> = if owners.is_empty() { vec![0] } else { owners.into_iter().collect() };
        Route { shards: shard::order(&owners, home, name), home }
    }

    fn candidates(&self, model: &str, endpoint: Endpoint) -> Vec<(String, String)> {
        route::candidates(&self.hot, model, endpoint)
    }

    fn upstream(&self, id: &str) -> Option<&Upstream> {
        self.hot.upstreams.iter().find(|upstream| upstream.id == id)
    }

    fn allowed(&self) -> Option<&[String]> {
        match &self.identity {
            Identity::Key(_, view) => view.models.as_deref(),
            Identity::Direct(_) => None,
        }
    }

    fn permit(&self, model: &str) -> Result<(), ChatError> {
        if route::is_allowed(&self.hot, self.allowed(), model) {
            return Ok(());
        }
        let message = format!("This key may not use the model `{model}`.");
        Err(ChatError { param: Some("model".to_owned()), ..ChatError::new(ErrorKind::ModelNotAllowed, message) })
    }
}

fn takes_media(upstream: &Upstream) -> bool {
    upstream.kind == Kind::Openai && upstream.images
}

/// The answer for a model that nobody serves.
pub(super) fn not_found(model: &str) -> ChatError {
    let message = format!("The model `{model}` does not exist here. See GET /v1/models.");
    ChatError { param: Some("model".to_owned()), ..ChatError::new(ErrorKind::ModelNotFound, message) }
}

fn usable(view: &KeyView) -> Result<(), ChatError> {
    if !view.enabled {
        return Err(invalid_key("This API key is disabled."));
    }
    let now = worker::Date::now().as_millis();
    if view.expires_at_ms.is_some_and(|end| end <= now) {
        return Err(invalid_key("This API key has expired."));
    }
    Ok(())
}

fn too_many_unknown() -> ChatError {
    let message = "Too many unknown API keys came at once to look each up. Please try again.";
    ChatError::new(ErrorKind::RateLimited, message).retry_after(1_000)
}

fn invalid_key(message: &str) -> ChatError {
    ChatError::new(ErrorKind::InvalidKey, message)
}
