//! Moments in queries: a day, or a time in UTC.

use utoipa::ToSchema;

use crate::web::parse_rfc3339;

use super::problems::{Kind, Problem};

/// How a moment is asked for, for the description: a day or a time in UTC, from 1970 on. Leap days are taken too: no pattern
/// tells which years have one.
#[derive(ToSchema)]
#[schema(
    pattern = r"^(19[7-9]\d|[2-9]\d{3})-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))(T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?Z)?$",
    example = "2026-07-01"
)]
#[expect(dead_code, reason = "it is described, and read by `moment`")]
pub struct Moment(String);

/// A moment in milliseconds since 1970; `name` is the query's.
pub fn moment(name: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let detail = || format!("{name} is a day (2026-07-28) or a time in UTC (2026-07-28T12:34:56Z)");
    parse_rfc3339(text).map(Some).ok_or_else(|| Problem::new(Kind::BadQuery, detail()))
}
