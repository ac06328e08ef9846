//! The menu: built in, the reference set, or a file.

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::kitchen::Recipe;
use crate::kitchen::recipe::built_in_menu;
use crate::simulate::arrivals::reference_menu;

/// So many pizzas has the reference set.
const REFERENCE: usize = 150;

/// Where recipes come from.
pub enum Menu {
    /// What a new kitchen starts with.
    BuiltIn,
    /// Drawn from the seed of each run.
    Reference,
    /// As given.
    Given(Vec<Recipe>),
}

/// A file with recipes. It may be the configuration of a controller: whatever else stands there is left alone.
#[derive(Deserialize)]
struct File {
    menu: Section,
}

#[derive(Deserialize)]
struct Section {
    recipes: Vec<Recipe>,
}

impl Menu {
    /// By its word, or from the file of this name.
    pub fn read(name: &str) -> Result<Self> {
        match name {
            "built-in" => Ok(Self::BuiltIn),
            "reference" => Ok(Self::Reference),
            path => {
                let help = "--menu is built-in, reference, or a file";
                let text = std::fs::read_to_string(path).with_context(|| format!("the menu {path} ({help})"))?;
                Self::parse(&text).with_context(|| format!("the menu {path}"))
            }
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File =
            toml::from_str(text).context("recipes stand there as [[menu.recipes]], see docs/CONFIGURATION.md")?;
        Self::given(file.menu.recipes)
    }

    /// These recipes, if a kitchen can cook by them.
    pub fn given(recipes: Vec<Recipe>) -> Result<Self> {
        if recipes.is_empty() {
            bail!("it has no recipes");
        }
        for (n, recipe) in recipes.iter().enumerate() {
            recipe.check()?;
            if recipes[..n].iter().any(|r| r.id == recipe.id) {
                bail!("{} stands there twice", recipe.id);
            }
        }
        Ok(Self::Given(recipes))
    }

    /// The recipes of a run. `wanted`: the reference set has a recipe for each pizza.
    pub fn recipes(&self, wanted: Option<usize>, seed: u64) -> Vec<Recipe> {
        match self {
            Self::BuiltIn => built_in_menu(),
            Self::Reference => reference_menu(wanted.unwrap_or(REFERENCE), seed),
            Self::Given(recipes) => recipes.clone(),
        }
    }

    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn => "built-in menu".to_owned(),
            Self::Reference => "reference menu".to_owned(),
            Self::Given(recipes) if recipes.len() == 1 => "menu of one recipe".to_owned(),
            Self::Given(recipes) => format!("menu of {} recipes", recipes.len()),
        }
    }
}
