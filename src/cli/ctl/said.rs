//! Who asks, and why: with every request, for the kitchen's audit log.

use clap::Args;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// For the record.
#[derive(Clone, Debug, Args)]
pub struct Said {
    /// Who says so, for the record; a token's name stands before it. [env: BRIGADE_ACTOR] [default: ctl]
    #[arg(long, value_name = "WHO", global = true)]
    actor: Option<String>,
    /// Why, for the record.
    #[arg(long, default_value = "", value_name = "WHY", hide_default_value = true, global = true)]
    pub reason: String,
}

impl Said {
    /// Who says so.
    pub fn actor(&self) -> String {
        let given = self.actor.clone().or_else(|| std::env::var("BRIGADE_ACTOR").ok());
        given.filter(|actor| !actor.trim().is_empty()).unwrap_or_else(|| "ctl".to_owned())
    }

    /// The headers that say it. What no header can hold is a space.
    pub fn headers(&self) -> HeaderMap {
        let named = [("brigade-actor", self.actor()), ("brigade-reason", self.reason.clone())];
        let said = named.into_iter().filter(|(_, text)| !text.trim().is_empty());
        said.filter_map(|(name, text)| Some((HeaderName::from_static(name), value(&text)?))).collect()
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    HeaderValue::from_bytes(text.trim().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umlauts_stay_and_lines_become_one() {
        let headers = Said { actor: Some(" jürgen".into()), reason: "oven\n3 rattles".into() }.headers();
        assert_eq!(headers["brigade-actor"].as_bytes(), "jürgen".as_bytes());
        assert_eq!(headers["brigade-reason"], "oven 3 rattles");
        let nothing = Said { actor: Some(" ".into()), reason: String::new() }.headers();
        assert_eq!((nothing.len(), &nothing["brigade-actor"]), (1, &HeaderValue::from_static("ctl")));
    }
}
