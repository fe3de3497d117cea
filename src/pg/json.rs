//! Arguments of type jsonb.

use crate::error::Error;
use crate::json::in_words;
use pgrx::{AnyElement, direct_function_call, pg_sys};
use std::ffi::CStr;

/// An argument of type jsonb as text. (pgrx parses it before the function is called, and panics if
/// it is nested too deeply.)
pub fn text(argument: &AnyElement) -> String {
    // SAFETY: the function is declared with an argument of type jsonb, which is not null.
    let text = unsafe { direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(argument.datum())]) };
    text.map_or(String::new(), |text| text.to_string_lossy().into_owned())
}

/// An argument of type jsonb that must be an object. `example` shows one.
pub fn object(
    argument: &AnyElement,
    name: &'static str,
    example: &'static str,
) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
    serde_json::from_str(&text(argument)).map_err(|cause| Error::Shape {
        argument: name,
        cause: in_words(&cause),
        example,
    })
}
