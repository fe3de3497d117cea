//! The log of what changed who is who: only appended to.

use super::spi;
use crate::graph::Changes;
use crate::source::seen_at::day_text;

/// An operation, which has a number once it has changed something.
#[derive(Default)]
pub struct Operation {
    number: Option<i64>,
}

impl Operation {
    /// Writes down who has expired, and why.
    pub fn log_expired(&mut self, changes: &Changes) {
        let expired: Vec<_> = changes.expired().collect();
        if expired.is_empty() {
            return;
        }
        let number = *self.number.get_or_insert_with(|| {
            spi::returning(
                "INSERT INTO identity_resolve.change (operation, reason)
                 SELECT 'expire', 'as of ' || to_char(expired_as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                 FROM identity_resolve.setting RETURNING number",
            )
        });
        let identifiers: Vec<&str> = expired.iter().map(|e| e.identifier).collect();
        let profiles: Vec<Option<pgrx::Uuid>> = expired
            .iter()
            .map(|e| (!e.profile.is_nil()).then(|| pgrx::Uuid::from_bytes(*e.profile.as_bytes())))
            .collect();
        let reasons: Vec<String> = expired
            .iter()
            .map(|e| {
                let company = if e.with_person { " with a person or contact" } else { "" };
                format!("last seen{company} on {}", day_text(e.last_in_use))
            })
            .collect();
        spi::run(
            "INSERT INTO identity_resolve.change_member (change, identifier, profile, reason)
             SELECT $1, * FROM unnest($2::text[], $3::uuid[], $4::text[])",
            &[number.into(), identifiers.into(), profiles.into(), reasons.into()],
        );
    }
}
