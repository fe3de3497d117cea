//! What applications call.

use super::{Answer, required};
use crate::error::Error;
use crate::pg::identify as identifying;
use crate::source::seen_at;
use pgrx::prelude::*;

const IDENTIFIERS: &str = "'{\"email\": \"ann@example.com\", \"cookie\": \"c1\"}'";

const TRAITS: &str = "'{\"first_name\": \"Ann\"}'";

#[pg_extern(sql = "")]
fn identify(
    identifiers: Option<pgrx::JsonB>,
    seen_at: Option<TimestampWithTimeZone>,
    channel: Option<&str>,
    device_type: Option<&str>,
    traits: Option<pgrx::JsonB>,
) -> Answer<Option<pgrx::Uuid>> {
    let identifiers = required(identifiers, "identifiers", IDENTIFIERS)?;
    let seen_at = required(seen_at, "seen_at", "a time, or leave it out for now()")?;
    let traits = match traits.map(|traits| traits.0) {
        None => serde_json::Map::new(),
        Some(serde_json::Value::Object(traits)) => traits,
        Some(_) => {
            let cause = "it is not an object".to_owned();
            return Err(Error::Shape { argument: "traits", cause, example: TRAITS }.into());
        }
    };
    let day = seen_at::of_timestamp(seen_at.into_inner(), seen_at::today())
        .map_err(|bad| Error::Time { argument: "seen_at", value: bad.to_string() })?;
    let profile = identifying::identify(&identifiers.0, day, channel, device_type, &traits)?;
    Ok(profile.map(|id| pgrx::Uuid::from_bytes(*id.as_bytes())))
}
