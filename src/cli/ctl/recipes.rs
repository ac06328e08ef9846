//! `brigade ctl recipes` and `brigade ctl settings`: what the kitchen cooks, and how. Both are replaced whole: what `--json` shows is
//! what `put` takes.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::orders::segment;
use super::table::{pairs, table};
use super::{Failure, Out, Session, items, span, text};

/// What is done with the menu.
#[derive(Clone, Debug, Subcommand)]
pub enum Recipes {
    /// The menu.
    List,
    /// One recipe.
    Show {
        /// Its id.
        id: String,
    },
    /// Replaces a recipe, or adds it; pizzas that are begun are made as before.
    Put {
        /// Its id.
        id: String,
        /// The recipe in JSON, as `--json recipes show` prints it.
        file: PathBuf,
    },
}

/// What is done with the settings.
#[derive(Clone, Debug, Subcommand)]
pub enum Settings {
    /// All of them.
    Show,
    /// Replaces them.
    Put {
        /// The settings in JSON, as `--json settings show` prints them.
        file: PathBuf,
    },
}

pub async fn run(session: &Session, recipes: Recipes, out: Out<'_>) -> Result<(), Failure> {
    match recipes {
        Recipes::List => {
            let answer = session.client.get("/v1/recipes").await?;
            session.print(out, &answer, list)
        }
        Recipes::Show { id } => {
            let answer = session.client.get(&path(&id)).await?;
            session.print(out, &answer, one)
        }
        Recipes::Put { id, file } => {
            let mut recipe = read(&file)?;
            // What is shown has them; the one is in the path, the other is the kitchen's to count.
            recipe.as_object_mut().map(|members| (members.remove("id"), members.remove("version")));
            let answer = session.client.send(Method::PUT, &path(&id), recipe).await?;
            session.print(out, &answer, one)
        }
    }
}

pub async fn settings(session: &Session, settings: Settings, out: Out<'_>) -> Result<(), Failure> {
    let path = "/v1/kitchen/settings";
    let answer = match settings {
        Settings::Show => session.client.get(path).await?,
        Settings::Put { file } => session.client.send(Method::PUT, path, read(&file)?).await?,
    };
    session.print(out, &answer, one)
}

fn path(id: &str) -> String {
    format!("/v1/recipes/{}", segment(id))
}

fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::File { path: path.to_owned(), why })?;
    serde_json::from_str(&text).map_err(|why| Failure::File { path: path.to_owned(), why: why.into() })
}

fn list(answer: &Value) -> String {
    let row = |r: &Value| {
        let spans = ["/prep_ms", "/bake_ms", "/window_ms", "/finish_ms"].map(|name| span(r, name));
        let [prep, bake, window, finish] = spans;
        [text(r, "/id"), text(r, "/title"), prep, bake, window, finish, text(r, "/oven_program")]
    };
    table(["RECIPE", "TITLE", "PREP", "BAKE", "WINDOW", "FINISH", "PROGRAM"], items(answer).iter().map(row))
}

/// Every member by its name, as docs/CONFIGURATION.md explains them.
fn one(answer: &Value) -> String {
    let lines = answer.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), text(value, "")));
    pairs(&lines.collect::<Vec<_>>())
}
