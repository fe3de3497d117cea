//! Errors as PostgreSQL reports them: SQLSTATE, DETAIL and HINT.

use crate::error::Error;
use pgrx::PgSqlErrorCode::{self, *};
use pgrx::pg_sys::panic::ErrorReport;

impl From<Error> for ErrorReport {
    fn from(error: Error) -> Self {
        ErrorReport::new(sqlstate(&error), error.to_string(), "identity_resolve")
            .set_detail(error.detail())
            .set_hint(error.hint())
    }
}

/// The SQLSTATE of an error.
pub fn sqlstate(error: &Error) -> PgSqlErrorCode {
    match error {
        Error::Malformed { .. } | Error::NoType { .. } => ERRCODE_INVALID_TEXT_REPRESENTATION,
        Error::UnknownType { .. } => ERRCODE_UNDEFINED_OBJECT,
        Error::UnknownColumn { .. } => ERRCODE_UNDEFINED_COLUMN,
        Error::ColumnType { .. } => ERRCODE_DATATYPE_MISMATCH,
        Error::RelationKind { .. } | Error::OwnRelation { .. } => ERRCODE_WRONG_OBJECT_TYPE,
        Error::RelationGone(_) => ERRCODE_UNDEFINED_TABLE,
        Error::Attached { .. } => ERRCODE_DUPLICATE_OBJECT,
        Error::NotAttached { .. } => ERRCODE_UNDEFINED_OBJECT,
        Error::NotWatched { .. } | Error::NotATrigger => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        Error::OwnTrigger { .. } => ERRCODE_DUPLICATE_OBJECT,
        Error::TriggerShape { .. } => ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        Error::QueuedRow { .. } => ERRCODE_DATA_CORRUPTED,
        Error::NoTriggers { .. } => ERRCODE_WRONG_OBJECT_TYPE,
        Error::Busy { .. } => ERRCODE_OBJECT_IN_USE,
        Error::Denied { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
        Error::Null { .. } => ERRCODE_NULL_VALUE_NOT_ALLOWED,
        Error::Time { .. } => ERRCODE_DATETIME_FIELD_OVERFLOW,
        Error::Pattern(_) => ERRCODE_INVALID_REGULAR_EXPRESSION,
        Error::TooMany { .. } | Error::TooLong { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Error::Memory { .. } | Error::MatchMemory { .. } => ERRCODE_OUT_OF_MEMORY,
        Error::Threads { .. } => ERRCODE_INSUFFICIENT_RESOURCES,
        Error::UnknownModel { .. } | Error::UnknownField { .. } | Error::TruthUnknown { .. } => {
            ERRCODE_UNDEFINED_OBJECT
        }
        Error::NothingToMatch | Error::NoKey { .. } | Error::NotMatched { .. } => {
            ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
        }
        Error::TooManyFields { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Error::TruthShape { .. } => ERRCODE_UNDEFINED_COLUMN,
        Error::Consumption { sqlstate, .. } => PgSqlErrorCode::from(*sqlstate),
        Error::Serialization => ERRCODE_T_R_SERIALIZATION_FAILURE,
        Error::NoReview { .. } | Error::NoChange { .. } => ERRCODE_UNDEFINED_OBJECT,
        Error::Reviewed { .. } | Error::CannotUndo { .. } | Error::BuiltOn { .. } => {
            ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
        }
        Error::ModelName { .. } => ERRCODE_INVALID_NAME,
        Error::Store(_) => ERRCODE_DATA_CORRUPTED,
        Error::RecordType { .. }
        | Error::Mapping { .. }
        | Error::EmptyMapping
        | Error::UnknownRegion(_)
        | Error::Mode { .. }
        | Error::Shape { .. }
        | Error::SameIdentifier { .. }
        | Error::Unlinkable { .. }
        | Error::Ended
        | Error::Limit { .. }
        | Error::TooManyValues { .. }
        | Error::NoIdentifier { .. }
        | Error::Options { .. }
        | Error::Model { .. }
        | Error::Configuration { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
    }
}
