//! `brigade ctl food-safety`: the record of every pizza that ended as a CSV file, and the check of such a file.
//!
//! The check needs no kitchen: an inspector makes it with the file alone. `--live` also asks the kitchen whether it still says the same.

mod chain;

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::orders::segment;
use super::{Failure, Out, Session, items, text};
use chain::Checked;

/// Records per request.
const PAGE: usize = 500;

/// What is done with the record.
#[derive(Clone, Debug, Subcommand)]
pub enum FoodSafety {
    /// Writes the record of every pizza that ended as CSV.
    Export {
        /// Only what was recorded on this day or later (2026-07-28), or at this time in UTC (2026-07-28T12:34:56Z).
        #[arg(long)]
        from: Option<String>,
        /// Only what was recorded before this day or time.
        #[arg(long)]
        to: Option<String>,
        /// Where to; standard output if it is missing.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Checks that no record of an exported file was changed, removed or added. Needs no kitchen.
    Verify {
        /// The file.
        file: PathBuf,
        /// Ask the kitchen, too, whether it has the same records, and more.
        #[arg(long)]
        live: bool,
    },
}

pub async fn run(session: &Session, what: FoodSafety, out: Out<'_>) -> Result<(), Failure> {
    match what {
        FoodSafety::Export { from, to, out: None } => export(session, from, to, out).await.map(drop),
        FoodSafety::Export { from, to, out: Some(path) } => {
            let records = export_to(session, from, to, &path).await?;
            let said = json!({ "records": records, "file": path.to_string_lossy() });
            session.print(out, &said, |_| format!("{records} records are in {}\n", path.display()))
        }
        FoodSafety::Verify { file, live } => verify(session, &file, live, out).await,
    }
}

/// Under its name there is a whole file or none: half an export must not be taken for all of it.
async fn export_to(session: &Session, from: Option<String>, to: Option<String>, path: &Path) -> Result<usize, Failure> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let file = |why| Failure::File { path: path.to_owned(), why };
    let mut written = BufWriter::new(File::create(&part).map_err(file)?);
    let records = export(session, from, to, &mut written).await?;
    written.into_inner().map_err(|e| file(e.into_error()))?.sync_all().map_err(file)?;
    fs::rename(&part, path).map_err(file)?;
    Ok(records)
}

/// Page by page, so that it goes on at another replica when one dies.
async fn export(session: &Session, from: Option<String>, to: Option<String>, out: Out<'_>) -> Result<usize, Failure> {
    let named =
        |name: &str, value: Option<String>| value.map(|v| format!("&{name}={}", segment(&v))).unwrap_or_default();
    let span = named("from", from) + &named("to", to);
    let (mut cursor, mut records) = ("0".to_owned(), 0);
    loop {
        let page = session.client.get(&format!("/v1/food-safety?limit={PAGE}&cursor={cursor}{span}")).await?;
        if records == 0 {
            write!(out, "{}\r\n", text(&page, "/header"))?;
        }
        for item in items(&page) {
            write!(out, "{}\r\n", text(item, "/line"))?;
        }
        records += items(&page).len();
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return Ok(records),
        }
    }
}

async fn verify(session: &Session, path: &Path, live: bool, out: Out<'_>) -> Result<(), Failure> {
    let broken = |why: String| Failure::Chain { file: path.to_owned(), why };
    let unread = |why| Failure::File { path: path.to_owned(), why };
    let file = BufReader::new(File::open(path).map_err(unread)?);
    let checked = chain::check(file).map_err(unread)?.map_err(broken)?;
    let mut said = json!({
        "records": checked.records, "first": checked.first, "last": checked.last, "hash": checked.hash,
    });
    if live {
        said["behind"] = compare(session, &checked).await?.map_err(broken)?.into();
    }
    session.print(out, &said, |said| sentence(&checked, said["behind"].as_u64()))
}

/// How many records the kitchen has behind those of the file; or where it disagrees with them.
async fn compare(session: &Session, checked: &Checked) -> Result<Result<u64, String>, Failure> {
    let cursor = checked.last.saturating_sub(1);
    let page = session.client.get(&format!("/v1/food-safety?limit=1&cursor={cursor}")).await?;
    let records = page["chain"]["records"].as_u64().unwrap_or(0);
    let same = items(&page).first().is_some_and(|item| is(item, "seq", checked.last) && item["hash"] == *checked.hash);
    let Some(behind) = records.checked_sub(checked.last) else {
        return Ok(Err(format!("the kitchen has {records} records, the file goes on to {}", checked.last)));
    };
    if checked.records > 0 && !same {
        return Ok(Err(format!("the kitchen has another record {}, or none", checked.last)));
    }
    let ends_alike = behind > 0 || page["chain"]["head"] == *checked.hash;
    Ok(if ends_alike { Ok(behind) } else { Err("the kitchen's chain ends in another hash".to_owned()) })
}

fn is(item: &Value, name: &str, number: u64) -> bool {
    item[name].as_str().is_some_and(|text| text == number.to_string())
}

fn sentence(checked: &Checked, behind: Option<u64>) -> String {
    if checked.records == 0 {
        return "The file has no records.\n".to_owned();
    }
    let Checked { records, first, last, hash } = checked;
    let begins =
        if *first == 1 { "It begins with the kitchen's first record" } else { "What came before is not in it" };
    let live = match behind {
        None => String::new(),
        Some(0) => "The kitchen has the same, and no more.\n".to_owned(),
        Some(more) => format!("The kitchen has the same, and {more} more.\n"),
    };
    format!(
        "{records} records, {first} to {last}: the chain is whole.\n{begins}; the last one's hash is {hash}.\n{live}"
    )
}
