//! What can go wrong for a user, and what to type instead.
//!
//! Each error has a message (its `Display`), a [`detail`](Error::detail) with the offending value
//! and a [`hint`](Error::hint); `src/pg/error.rs` gives each its SQLSTATE.

use crate::graph::StoreError;
use crate::identifier::{InvalidPattern, Malformed};
use thiserror::Error as ThisError;

/// The longest piece of a user's value that a message repeats, in characters.
const SHOWN: usize = 200;

/// An error that a user can cause or must know of.
#[derive(Debug, ThisError)]
pub enum Error {
    /// A value cannot be an identifier of its type.
    #[error("invalid {type_name}: {cause}")]
    Malformed { type_name: String, value: String, cause: Malformed },
    /// An identifier is written without its type.
    #[error("identifier without a type")]
    NoType { identifier: String },
    /// An identifier type is not configured.
    #[error("unknown identifier type \"{name}\"")]
    UnknownType { name: String, known: Vec<String> },
    /// An identifier type may not be used here.
    #[error("identifiers of type \"{name}\" cannot be given")]
    RecordType { name: String },
    /// A mapping is not JSON of the right shape.
    #[error("invalid mapping")]
    Mapping { cause: String },
    /// A mapping names a column that the source does not have.
    #[error("column \"{column}\" of relation \"{relation}\" does not exist")]
    UnknownColumn { path: String, column: String, relation: String, known: Vec<String> },
    /// A column's type cannot hold what the mapping says it does.
    #[error("column \"{column}\" is of type {found}, which cannot be used for \"{path}\"")]
    ColumnType { path: String, column: String, found: String, wanted: &'static str },
    /// A mapping says nothing about anybody.
    #[error("mapping names neither a key nor an identifier")]
    EmptyMapping,
    /// A region is not an ISO 3166 code of a country with phone numbers.
    #[error("unknown region \"{0}\"")]
    UnknownRegion(String),
    /// A relation is of a kind that has no rows of its own.
    #[error("\"{relation}\" is not a table, view or foreign table")]
    RelationKind { relation: String },
    /// A relation belongs to the extension or to the system.
    #[error("\"{relation}\" cannot be a source")]
    OwnRelation { relation: String },
    /// A relation no longer exists, or never did.
    #[error("source {0} does not exist")]
    RelationGone(String),
    /// A relation is attached already.
    #[error("\"{relation}\" is attached already")]
    Attached { relation: String },
    /// A relation is not attached.
    #[error("\"{relation}\" is not attached")]
    NotAttached { relation: String },
    /// The trigger function was called for a table that is not attached.
    #[error("\"{relation}\" is not attached, and has a trigger that calls observe()")]
    NotWatched { relation: String },
    /// The trigger function was called by something else than a trigger.
    #[error("observe() can only be called by a trigger")]
    NotATrigger,
    /// A trigger that calls observe() does not give it what it needs.
    #[error("a trigger of \"{relation}\" that calls observe() must be declared with {wanted}")]
    TriggerShape { relation: String, wanted: &'static str },
    /// A relation cannot have the triggers that a mode needs.
    #[error("\"{relation}\" can only be a source of mode manual")]
    NoTriggers { relation: String },
    /// A relation has a trigger beside which the source's own would count each row again.
    #[error("trigger \"{trigger}\" of \"{relation}\" calls observe() already")]
    OwnTrigger { relation: String, trigger: String },
    /// What stands in the queue cannot be read.
    #[error("queued rows of \"{relation}\" cannot be read: {cause}")]
    QueuedRow { relation: String, cause: String },
    /// Another session is reading the same source.
    #[error("\"{relation}\" is being backfilled already")]
    Busy { relation: String },
    /// A mode does not exist or does not suit the source.
    #[error("mode \"{mode}\" cannot be used for \"{relation}\"")]
    Mode { mode: String, relation: String, why: &'static str },
    /// The caller lacks a right.
    #[error("permission denied for {relation}")]
    Denied { relation: String, right: &'static str },
    /// A required argument is null.
    #[error("{argument} must not be null")]
    Null { argument: &'static str, example: &'static str },
    /// An argument is JSON of the wrong shape.
    #[error("invalid {argument}")]
    Shape { argument: &'static str, cause: String, example: &'static str },
    /// A sighting names more identifiers than anybody has.
    #[error("too many identifiers in one sighting")]
    TooMany { found: usize, most: usize },
    /// Texts are too long to be compared.
    #[error("text is too long to be compared")]
    TooLong { length: usize, most: usize },
    /// None of the identifiers can be used.
    #[error("no usable identifier")]
    NoIdentifier { left_out: Vec<String> },
    /// A time is infinite, before 1900 or in the future.
    #[error("{argument} is out of range")]
    Time { argument: &'static str, value: String },
    /// A row of the configuration cannot be used.
    #[error("invalid configuration of {table}")]
    Configuration { table: &'static str, cause: String, hint: &'static str },
    /// The block list has a pattern that is no regular expression.
    #[error("{0}")]
    Pattern(#[from] InvalidPattern),
    /// The graph does not fit into the memory that it may take.
    #[error("out of memory for the identity graph")]
    Memory { limit_mb: i32, needed_mb: usize },
    /// Another transaction has changed what this one would build on, and does not see.
    #[error("could not serialize access due to concurrent changes of the identity graph")]
    Serialization,
    /// What ended the consumption of the queue, and came not from what was queued; with its
    /// SQLSTATE as PostgreSQL packs it into a number.
    #[error("{message}")]
    Consumption { sqlstate: i32, message: String },
    /// A pair is one identifier.
    #[error("both identifiers are the same")]
    SameIdentifier { identifier: String },
    /// An identifier never joins anything.
    #[error("\"{identifier}\" never belongs to anybody")]
    Unlinkable { identifier: String, why: &'static str },
    /// What an operator says would have ended already.
    #[error("until must be in the future")]
    Ended,
    /// A review does not exist.
    #[error("review {review} does not exist")]
    NoReview { review: i64 },
    /// A review was decided before.
    #[error("review {review} is {state} already")]
    Reviewed { review: i64, state: String },
    /// A change does not exist.
    #[error("change {number} does not exist")]
    NoChange { number: i64 },
    /// A change has nothing that could be taken back.
    #[error("change {number} cannot be undone")]
    CannotUndo { number: i64, why: String },
    /// A later change builds on the one that should be undone.
    #[error("change {number} cannot be undone before change {later}")]
    BuiltOn { number: i64, later: i64 },
    /// A model cannot be called so.
    #[error("invalid name of a model")]
    ModelName { length: usize, most: usize },
    /// The specification of a model cannot be used.
    #[error("invalid options")]
    Options { cause: String },
    /// The parameters of a model cannot be used.
    #[error("invalid model")]
    Model { cause: String },
    /// A model does not exist.
    #[error("unknown model \"{name}\"")]
    UnknownModel { name: String, known: Vec<String> },
    /// A model was not applied since it was learned.
    #[error("model \"{model}\" has not been applied")]
    NotMatched { model: String },
    /// Fewer than no rows were asked for.
    #[error("limit_to must not be negative")]
    Limit { limit: i32 },
    /// A field is not compared, or is no trait of any source.
    #[error("unknown field \"{field}\"")]
    UnknownField { field: String, known: Vec<String> },
    /// A record is given with more values of a field than can be compared.
    #[error("too many values of \"{field}\"")]
    TooManyValues { field: String, found: usize, most: usize },
    /// No source has a key and a trait with at least two values.
    #[error("there is nothing to match")]
    NothingToMatch,
    /// More fields than can be compared.
    #[error("too many fields to compare")]
    TooManyFields { found: usize, most: usize },
    /// A source has no key, so that its rows are no records.
    #[error("source \"{relation}\" has no key")]
    NoKey { relation: String },
    /// Records or pairs do not fit into the memory that matching may take.
    #[error("out of memory for matching")]
    MatchMemory { limit_mb: i32, needed_mb: usize },
    /// The system gives no threads.
    #[error("could not make {count} threads")]
    Threads { count: usize, cause: String },
    /// A table does not say who is who.
    #[error("\"{relation}\" does not say who is who")]
    TruthShape { relation: String, columns: Vec<String> },
    /// A table that says who is who names records that are not known.
    #[error("\"{relation}\" names {}", if *known > 0 { "unknown records" } else { "no known record" })]
    TruthUnknown {
        relation: String,
        known: usize,
        unknown: usize,
        first_unknown: Option<String>,
        /// A record that is known.
        example: Option<String>,
    },
    /// Stored rows do not fit together.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// What was found.
    pub fn detail(&self) -> String {
        match self {
            Error::Malformed { value, .. } => format!("The value is \"{}\".", shown(value)),
            Error::NoType { identifier } => format!("The identifier is \"{}\".", shown(identifier)),
            Error::UnknownType { known, .. } => format!("Known types are {}.", known.join(", ")),
            Error::RecordType { .. } => "A record is made from the key of a source's rows.".into(),
            Error::Mapping { cause } => format!("{}.", capitalised(cause)),
            Error::UnknownColumn { path, known, .. } => {
                format!("The mapping names it under \"{path}\". The columns are {}.", known.join(", "))
            }
            Error::ColumnType { wanted, .. } => format!("It takes {wanted}."),
            Error::EmptyMapping => "Rows without key and identifiers are nobody's.".into(),
            Error::UnknownRegion(_) => "A region is an ISO 3166 code of two letters.".into(),
            Error::RelationKind { .. } => {
                "Sources are tables, partitioned tables, views, materialized views and foreign tables."
                    .into()
            }
            Error::OwnRelation { .. } => {
                "It belongs to identity_resolve, to the system, or is temporary.".into()
            }
            Error::RelationGone(_) => "It has been dropped, or never was.".into(),
            Error::Attached { .. } => "A relation is one source.".into(),
            Error::NotWatched { .. } => "Its rows have no mapping.".into(),
            Error::NotATrigger => "It takes the rows that a statement changed.".into(),
            Error::TriggerShape { .. } => "It needs the rows that a statement changed.".into(),
            Error::NoTriggers { .. } => {
                "Views and foreign tables have no triggers that see changed rows.".into()
            }
            Error::OwnTrigger { .. } => "Each row would count twice.".into(),
            Error::QueuedRow { .. } => {
                "The mapping has changed since they were queued, or they are damaged.".into()
            }
            Error::NotAttached { relation } => format!("No source is called \"{relation}\"."),
            Error::Busy { .. } => "Another session reads it.".into(),
            Error::Mode { why, .. } => (*why).to_owned(),
            Error::Denied { right, .. } => format!("The current role has no {right} on it."),
            Error::Null { argument, .. } => format!("The argument {argument} is null."),
            Error::Shape { cause, .. } => format!("{}.", capitalised(cause)),
            Error::TooLong { length, most } => {
                format!("It has {length} characters; {most} are allowed.")
            }
            Error::TooManyValues { found, most, .. } | Error::TooMany { found, most } => {
                format!("There are {found}; {most} are allowed.")
            }
            Error::NoIdentifier { left_out } if left_out.is_empty() => "There is none.".into(),
            Error::NoIdentifier { left_out } => format!("Left out: {}.", left_out.join("; ")),
            Error::Time { value, .. } => format!("The value is {value}."),
            Error::Configuration { cause, .. } => format!("{}.", capitalised(cause)),
            Error::Pattern(cause) => match cause {
                InvalidPattern::Syntax { pattern, reason } => {
                    let reason = reason.lines().last().unwrap_or_default();
                    format!(
                        "The pattern is \"{}\": {}.",
                        shown(pattern),
                        reason.trim_start_matches("error: ")
                    )
                }
                InvalidPattern::TooLarge { pattern } => {
                    format!("The pattern is \"{}\".", shown(pattern))
                }
                InvalidPattern::TooMany => {
                    "All patterns of one type together take too much memory.".into()
                }
            },
            Error::Consumption { .. } => "Nothing was taken from the queue.".into(),
            Error::Serialization => {
                "Another transaction has committed a change that this one's snapshot does not show."
                    .into()
            }
            Error::SameIdentifier { identifier } => format!("Both are {}.", shown(identifier)),
            Error::Unlinkable { why, .. } => (*why).to_owned(),
            Error::Ended => "What is said would have ended already.".into(),
            Error::NoReview { .. } => "No review has this number.".into(),
            Error::Reviewed { .. } => "A review is decided once.".into(),
            Error::NoChange { .. } => "No operation has this number.".into(),
            Error::CannotUndo { why, .. } => why.clone(),
            Error::BuiltOn { later, .. } => format!("Change {later} builds on it."),
            Error::ModelName { length: 0, .. } => "It is empty.".into(),
            Error::ModelName { length, most } => {
                format!("It has {length} characters; {most} are allowed.")
            }
            Error::Options { cause } | Error::Model { cause } => format!("{}.", capitalised(cause)),
            Error::UnknownModel { known, .. } if known.is_empty() => "There is no model yet.".into(),
            Error::UnknownModel { known, .. } => format!("There are: {}.", known.join(", ")),
            Error::NotMatched { .. } => {
                "Records are found by what match() keeps, and it keeps nothing of this version.".into()
            }
            Error::Limit { limit } => format!("It is {limit}."),
            Error::UnknownField { known, .. } => format!("There are: {}.", known.join(", ")),
            Error::NothingToMatch => {
                "No source has both a key and a trait with different values.".into()
            }
            Error::TooManyFields { found, most } => format!("There are {found}, and may be {most}."),
            Error::NoKey { .. } => "Its rows are events, not records of somebody.".into(),
            Error::MatchMemory { limit_mb, needed_mb } => {
                format!("It may take {limit_mb} MB, and needs {needed_mb} MB or more.")
            }
            Error::Threads { cause, .. } => format!("{cause}."),
            Error::TruthShape { columns, .. } => format!("Its columns are: {}.", columns.join(", ")),
            Error::TruthUnknown { first_unknown: None, .. } => "It has no rows.".into(),
            Error::TruthUnknown { known, unknown, first_unknown: Some(first), .. } => format!(
                "{unknown} of {} rows are left out; the first names \"{}\".",
                known + unknown,
                shown(first)
            ),
            Error::Memory { limit_mb, needed_mb } => {
                format!("It took {needed_mb} MB when it was stopped, and may take {limit_mb} MB.")
            }
            Error::Store(_) => {
                "The tables of identity_resolve were changed by hand, or are damaged.".into()
            }
        }
    }

    /// What to type.
    pub fn hint(&self) -> String {
        match self {
            Error::Malformed { cause, .. } => cause.hint().to_owned(),
            Error::NoType { identifier } if identifier.is_empty() => {
                "Write type:value, such as email:ann@example.com.".into()
            }
            Error::NoType { identifier } => {
                format!("Write type:value, such as email:{}.", shown(identifier))
            }
            Error::UnknownType { name, known } => match closest(name, known) {
                Some(close) => format!("Did you mean \"{close}\"?"),
                None => "INSERT INTO identity_resolve.identifier_type (name, role, normalizer) VALUES (…);".into(),
            },
            Error::RecordType { .. } => "Name a person's, contact or device identifier.".into(),
            Error::Mapping { .. } => {
                "Write it like {\"key\": \"customer_id\", \"identifiers\": {\"email\": \"email_column\"}, \"seen_at\": \"updated_at\"}.".into()
            }
            Error::UnknownColumn { column, known, .. } => match closest(column, known) {
                Some(close) => format!("Did you mean \"{close}\"?"),
                None => "Name a column, or write {\"value\": …} for a constant.".into(),
            },
            Error::ColumnType { column, .. } => {
                format!("Attach a view that casts \"{column}\".")
            }
            Error::EmptyMapping => {
                "Add \"identifiers\": {\"email\": \"email_column\"}, or \"key\": \"id_column\".".into()
            }
            Error::UnknownRegion(_) => "Write a code such as FR, BE or US.".into(),
            Error::RelationKind { .. } | Error::OwnRelation { .. } => {
                "Attach a table of your own: SELECT identity_resolve.add_source('schema.table', …);".into()
            }
            Error::RelationGone(name) => {
                format!("If it was attached, SELECT identity_resolve.drop_source({name}::oid::regclass); forgets what it told.")
            }
            Error::Attached { relation } => {
                format!("To change its mapping, SELECT identity_resolve.drop_source('{relation}'); first.")
            }
            Error::NotAttached { relation } => {
                format!("SELECT identity_resolve.add_source('{relation}', …);")
            }
            Error::Busy { .. } => "SELECT * FROM identity_resolve.progress;".into(),
            Error::Mode { .. } => "Use 'trigger', 'queue', or 'manual' with CALL identity_resolve.backfill().".into(),
            Error::Denied { relation, right } => {
                format!("GRANT {right} ON {relation} TO \"…\";")
            }
            Error::Null { example, .. } | Error::Shape { example, .. } if example.ends_with(';') => {
                (*example).to_owned()
            }
            Error::Null { example, .. } | Error::Shape { example, .. } => format!("Write {example}."),
            Error::TooLong { most, .. } => format!("Compare left(…, {most})."),
            Error::TooMany { .. } => "Call identify() for each thing that happened.".into(),
            Error::NoIdentifier { .. } => {
                "Give at least one well-formed identifier, such as '{\"email\": \"ann@example.com\"}'.".into()
            }
            Error::Time { argument: "as_of", .. } => "Give a time since 1900, such as now().".into(),
            Error::Time { .. } => "Give a time between 1900 and tomorrow.".into(),
            Error::Configuration { hint, .. } => (*hint).to_owned(),
            Error::Pattern(_) => {
                "Write a regular expression for the whole canonical value, such as test.*@example\\.com.".into()
            }
            Error::ModelName { .. } => "SELECT identity_resolve.train('customers');".into(),
            Error::Options { .. } => {
                "SELECT identity_resolve.train(options => '{\"blocking\": [[\"email\"], [\"last_name\", \"birth_date\"]], \"match_threshold\": 0.9, \"review_threshold\": 0.5}');".into()
            }
            Error::Model { .. } => "Take parameters from a model that train() has made.".into(),
            Error::UnknownModel { name, .. } => format!("SELECT identity_resolve.train('{name}');"),
            Error::NotMatched { model } => format!("CALL identity_resolve.match('{model}');"),
            Error::TooManyValues { .. } => "Leave some out.".into(),
            Error::Limit { .. } => "Give the number of profiles to show, as 10.".into(),
            Error::UnknownField { .. } => "Name one of these.".into(),
            Error::NothingToMatch => {
                "SELECT identity_resolve.add_source('schema.table', '{\"key\": \"id\", \"traits\": {\"last_name\": \"surname\"}}');".into()
            }
            Error::TooManyFields { .. } => {
                "Leave some out: SELECT identity_resolve.train(options => '{\"fields\": {\"note\": null}}');".into()
            }
            Error::NoKey { .. } => "Attach it with \"key\" in its mapping, or name other sources.".into(),
            Error::MatchMemory { needed_mb, .. } => {
                format!("SET identity_resolve.match_memory = '{}MB';", 2 * needed_mb)
            }
            Error::Threads { .. } => "SET identity_resolve.threads = 1;".into(),
            Error::TruthShape { .. } => {
                "It needs columns a and b (pairs of records of one person), or record and person.".into()
            }
            Error::TruthUnknown { example: Some(example), .. } => {
                format!("Write records as identifiers, such as {example}; of one source, keys will do.")
            }
            Error::TruthUnknown { .. } => "The model's sources have no records yet.".into(),
            Error::Memory { needed_mb, .. } => {
                format!("SET identity_resolve.graph_memory = '{}MB';", 2 * needed_mb)
            }
            Error::Consumption { .. } => "CALL identity_resolve.drain_queue(); again.".into(),
            Error::SameIdentifier { .. } => "Name two different identifiers.".into(),
            Error::Unlinkable { .. } => "Name a person's, contact or device identifier, or a record.".into(),
            Error::Ended => "Give a time to come, or leave it out: it then holds until you say otherwise.".into(),
            Error::NoReview { .. } => "SELECT * FROM identity_resolve.reviews;".into(),
            Error::Reviewed { .. } => "SELECT identity_resolve.undo(…); with the change that decided it, see history.".into(),
            Error::NoChange { .. } => "SELECT * FROM identity_resolve.history ORDER BY change DESC;".into(),
            Error::CannotUndo { .. } => {
                "Say what is right: SELECT identity_resolve.link('type:value', 'type:value'); or unlink(…).".into()
            }
            Error::BuiltOn { later, .. } => format!("SELECT identity_resolve.undo({later});"),
            Error::Serialization => "Run the transaction again.".into(),
            Error::NotWatched { relation } => {
                format!("SELECT identity_resolve.add_source('{relation}', '{{…}}'); or drop the trigger.")
            }
            Error::NotATrigger => "CREATE TRIGGER … EXECUTE FUNCTION identity_resolve.observe();".into(),
            Error::TriggerShape { relation, .. } => format!(
                "Let set_mode('{relation}', 'trigger') make the triggers, or see the guide for DBAs."
            ),
            Error::NoTriggers { .. } => "Use mode => 'manual', and CALL identity_resolve.backfill().".into(),
            Error::OwnTrigger { relation, trigger } => {
                format!("DROP TRIGGER \"{trigger}\" ON {relation}; or leave the source in mode manual.")
            }
            Error::QueuedRow { relation, .. } => format!("CALL identity_resolve.backfill('{relation}');"),
            Error::Store(_) => "Restore the extension's tables from a backup, or drop the extension and backfill again.".into(),
        }
    }
}

/// The start of a user's value, fit for a message.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// The name among `known` that somebody who typed `name` probably meant.
fn closest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let name = name.to_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|&(similarity, _)| similarity > 0.8)
        .max_by(|x, y| x.0.total_cmp(&y.0))
        .map(|(_, candidate)| candidate)
}
