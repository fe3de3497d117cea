//! What applications call.

use super::{Answer, required};
use crate::error::Error;
use crate::pg::identify as identifying;
use crate::pg::{json, spi};
use crate::source::seen_at;
use pgrx::AnyElement;
use pgrx::prelude::*;

const TRAITS: &str = "'{\"first_name\": \"Ann\"}'";

#[pg_extern(sql = "")]
fn identify(
    identifiers: Option<AnyElement>,
    seen_at: Option<TimestampWithTimeZone>,
    channel: Option<&str>,
    device_type: Option<&str>,
    traits: Option<AnyElement>,
) -> Answer<Option<pgrx::Uuid>> {
    let identifiers = required(identifiers, "identifiers", identifying::EXAMPLE)?;
    let seen_at = required(seen_at, "seen_at", "a time, or leave it out for now()")?;
    let identifiers = json::object(&identifiers, "identifiers", identifying::EXAMPLE)?;
    let traits = match traits {
        None => serde_json::Map::new(),
        Some(traits) => json::object(&traits, "traits", TRAITS)?,
    };
    let seen_at = seen_at.into_inner();
    let day = seen_at::of_timestamp(seen_at, seen_at::today()).map_err(|bad| {
        let value = format!("{}: {bad}", seen_at::timestamp_text(seen_at));
        Error::Time { argument: "seen_at", value }
    })?;
    let profile = identifying::identify(&identifiers, day, channel, device_type, &traits)?;
    Ok(profile.map(spi::id))
}
