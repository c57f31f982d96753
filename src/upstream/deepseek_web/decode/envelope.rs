//! The JSON body that comes instead of a stream (protocols: §1, §3, §8.5 G and H), mostly with HTTP 200.
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Trouble;
use super::json::{part, read};

/// `{"code":0,"msg":"","data":{"biz_code":5,"biz_msg":"user is muted","biz_data":{…}}}`, or `{"detail":…}`.
#[derive(Deserialize)]
struct Envelope<'a> {
    code: Option<i64>,
    msg: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Data<'a> {
    biz_code: Option<i64>,
    biz_msg: Option<String>,
    #[serde(borrow)]
    biz_data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Mute {
    mute_until: Option<f64>,
}

/// What such a body says.
pub(super) fn trouble(body: &[u8]) -> Trouble {
    let Ok(Some(envelope)) = read::<Envelope>(body) else { return Trouble::Garbage };
    let data: Data = envelope.data.and_then(|data| part(data).ok().flatten()).unwrap_or_default();
    let mute: Mute = data.biz_data.and_then(|mute| part(mute).ok().flatten()).unwrap_or_default();
    let said = [data.biz_msg, envelope.msg].into_iter().flatten().find(|said| !said.is_empty());
    Trouble::Json {
        code: envelope.code.unwrap_or_default(),
        biz_code: data.biz_code.unwrap_or_default(),
        message: said.or(envelope.detail.map(|detail| detail.get().to_owned())).unwrap_or_default(),
        muted_until: mute.mute_until.filter(|at| *at > 0.0),
    }
}
