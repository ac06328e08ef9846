//! `GET /v1/food-safety`: the record of every pizza that ended, as JSON pages or as one CSV file.
//!
//! It shows lines as the kitchen wrote them and changes none: whoever has them checks the chain without us (docs/FOOD-SAFETY.md).

mod reader;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::kitchen::food_safety::{COLUMNS, Chain, text};

use super::Api;
use super::answer::INDEX_HEADER;
use super::extract::{Consistency, Query};
use super::moment::{Moment, moment};
use super::problems::{Kind, Problem};
use reader::{Reader, Record};

/// The largest page.
const PAGE_MAX: usize = 500;

/// `?from=2026-07-01&to=2026-08-01&limit=50&cursor=…&format=csv`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FoodQuery {
    /// Only what was recorded at this moment or later: a day or a time in UTC.
    #[serde(default)]
    #[param(value_type = Option<Moment>, inline)]
    from: Option<String>,
    /// Only what was recorded before this moment.
    #[serde(default)]
    #[param(value_type = Option<Moment>, inline)]
    to: Option<String>,
    /// How many, from 1 on. JSON: 50 if missing, and 500 at most: go on while there is a `next`. CSV: all if missing.
    #[serde(default)]
    #[param(minimum = 1)]
    limit: Option<usize>,
    /// Only what is behind this record: a page's `next`.
    #[serde(default)]
    cursor: Option<u64>,
    /// json or csv; otherwise the header accept decides.
    #[serde(default)]
    #[param(inline)]
    format: Option<Format>,
    /// How fresh the answer must be.
    #[serde(default)]
    #[param(inline)]
    consistency: Consistency,
}

/// How the records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A page.
    Json,
    /// A file.
    Csv,
}

/// A page of records.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FoodPage {
    /// Each with its columns by name, empty ones left out, and `line`: the text that the chain holds.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, String>>)]
    items: Vec<Map<String, Value>>,
    /// The cursor of the next page; none on the last one.
    next: Option<String>,
    /// The columns, as the first line of a CSV file.
    header: String,
    /// Where the chain ends.
    chain: ChainView,
}

/// Where the chain ends.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChainView {
    /// How many records there are.
    records: u64,
    /// The last one's hash.
    head: String,
}

/// The numbers of the records that are asked for: above `after`, up to `last`.
#[derive(Clone, Copy, Debug)]
struct Range {
    after: u64,
    last: u64,
}

/// `GET /v1/food-safety`: the record of every pizza that ended; docs/FOOD-SAFETY.md explains its columns.
#[utoipa::path(get, path = "/v1/food-safety", operation_id = "list_food_safety_records", tag = "kitchen", params(FoodQuery),
    responses((status = 200, description = "A page, or a CSV file of all that is asked for.", content((FoodPage = "application/json"), (String = "text/csv"))),
        (status = 503, description = "storage")))]
pub async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    Query(query): Query<FoodQuery>,
) -> Result<Response, Problem> {
    let (from, to) = (moment("from", query.from.as_deref())?, moment("to", query.to.as_deref())?);
    let chain = api.read(query.consistency, |kitchen, _| kitchen.meta().food.clone()).await?;
    api.wait_until_written(chain.index).await?;
    let reader = Reader::new(&api);
    let range = reader.range(from, to, query.cursor, chain.body.records).await?;
    if query.limit == Some(0) {
        return Err(Problem::new(Kind::BadQuery, "limit is 1 or more"));
    }
    if query.format.unwrap_or_else(|| accepted(&headers)) == Format::Csv {
        let file = file(reader, range, query.limit.unwrap_or(usize::MAX));
        return Ok(([(INDEX_HEADER, HeaderValue::from(chain.index))], file).into_response());
    }
    let records = reader.page(range, query.limit.unwrap_or(50).min(PAGE_MAX)).await?;
    Ok(chain.map(|chain| page(&records, range, &chain)).into_response())
}

fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/csv") { Format::Csv } else { Format::Json }
}

fn page(records: &[Record], range: Range, chain: &Chain) -> FoodPage {
    let last = records.last().map(|record| record.number).filter(|last| *last < range.last);
    FoodPage {
        items: records.iter().map(item).collect(),
        next: last.map(|number| number.to_string()),
        header: text::csv(COLUMNS),
        chain: ChainView { records: chain.records, head: chain.head().to_owned() },
    }
}

fn item(record: &Record) -> Map<String, Value> {
    let fields = text::fields(&record.line).unwrap_or_default();
    let named = COLUMNS.iter().zip(fields).filter(|(_, field)| !field.is_empty());
    let named = named.map(|(name, field)| ((*name).to_owned(), Value::from(field)));
    named.chain([("line".to_owned(), Value::from(record.line.as_str()))]).collect()
}

/// A CSV file, read as it is sent: a year of records never lies in memory. What can't be read ends the connection, not the file.
fn file(reader: Reader, range: Range, limit: usize) -> Response {
    let lines = async_stream::stream! {
        yield Ok(format!("{}\r\n", text::csv(COLUMNS)));
        let (mut range, mut left) = (range, limit);
        while left > 0 {
            let records = match reader.page(range, left.min(PAGE_MAX)).await {
                Ok(records) => records,
                Err(problem) => {
                    yield Err(std::io::Error::other(format!("{problem:?}")));
                    return;
                }
            };
            let Some(last) = records.last().map(|record| record.number) else { return };
            (range.after, left) = (last, left - records.len());
            yield Ok(records.into_iter().map(|record| record.line + "\r\n").collect::<String>());
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"food-safety.csv\""),
    ];
    (headers, Body::from_stream(lines)).into_response()
}
