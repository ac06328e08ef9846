//! Orders that will come: all at once, at a rate with peaks, or from a file.

use crate::kitchen::recipe::Gates;
use crate::kitchen::{Millis, Recipe, RecipeId};

use super::chance::Chance;
use super::plan::{Arrival, BadPlan};

/// So many orders of one pizza each, all at the start; what they are goes round the menu.
pub fn at_once(menu: &[Recipe], pizzas: usize, promise_ms: Option<Millis>) -> Vec<Arrival> {
    let order = |n: usize| Arrival { at: 0, items: vec![menu[n % menu.len()].id.clone()], promise_ms, priority: 0 };
    (0..pizzas).map(order).collect()
}

/// So many recipes as the reference set has them (docs/SCHEDULING.md): each span drawn anew, a window of 25 s, no cameras. Every pizza of
/// the set has a recipe of its own, so that nothing can be learned from the one before.
pub fn reference_menu(pizzas: usize, seed: u64) -> Vec<Recipe> {
    let mut chance = Chance::new(seed.wrapping_mul(7_919).wrapping_add(13));
    let mut recipe = |n: usize| Recipe {
        id: format!("p{n}").parse().expect("a letter and a number are an id"),
        version: 0,
        title: format!("Pizza {n} of the reference set"),
        prep_ms: chance.between(45_000, 90_000),
        transfer_ms: 8_000,
        bake_ms: chance.between(150_000, 270_000),
        window_ms: 25_000,
        stale_ms: 900_000,
        finish_ms: chance.between(30_000, 60_000),
        oven_program: "reference".to_owned(),
        gates: Gates::default(),
    };
    (0..pizzas).map(&mut recipe).collect()
}

/// Orders at a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Pizzas in an hour, away from the peak.
    pub pizzas_per_hour: f64,
    /// For how long orders come.
    pub span_ms: Millis,
    /// In the middle third, so many times as many.
    pub peak: f64,
    /// An order has one pizza up to so many.
    pub items_max: u64,
}

/// Orders that know nothing of each other (a Poisson process), with a peak in the middle third.
pub fn at_rate(menu: &[Recipe], rate: Rate, seed: u64) -> Vec<Arrival> {
    let mut chance = Chance::new(seed ^ 0x5EED_0F0D_DE55);
    let items_mean = (1 + rate.items_max) as f64 / 2.0;
    let orders_per_ms = rate.pizzas_per_hour / items_mean / 3_600_000.0;
    let most = orders_per_ms * rate.peak.max(1.0);
    let mut arrivals = Vec::new();
    let mut at = 0;
    loop {
        at += chance.span((1.0 / most).round() as Millis).max(1);
        if at >= rate.span_ms {
            return arrivals;
        }
        let in_peak = (rate.span_ms / 3..2 * rate.span_ms / 3).contains(&at);
        let now = orders_per_ms * if in_peak { rate.peak } else { 1.0 };
        if chance.unit() < now / most {
            let count = chance.between(1, rate.items_max);
            let items = (0..count).map(|_| menu[chance.between(0, menu.len() as u64 - 1) as usize].id.clone());
            arrivals.push(Arrival { at, items: items.collect(), promise_ms: None, priority: 0 });
        }
    }
}

/// Orders from text: one a line, `seconds recipe[,recipe…] [promise_seconds] [priority]`; `#` begins a comment.
pub fn from_text(text: &str, menu: &[Recipe]) -> Result<Vec<Arrival>, BadPlan> {
    let mut arrivals = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            let arrival = from_line(line, menu).map_err(|why| BadPlan(format!("line {}: {why}", number + 1)))?;
            arrivals.push(arrival);
        }
    }
    arrivals.sort_by_key(|a: &Arrival| a.at);
    Ok(arrivals)
}

fn from_line(line: &str, menu: &[Recipe]) -> Result<Arrival, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [at, items, rest @ ..] = words.as_slice() else {
        return Err("use: seconds recipe[,recipe] [promise_seconds] [priority]".to_owned());
    };
    let seconds = |text: &str| {
        let seconds = text.parse::<f64>().ok().filter(|s| (0.0..=1e7).contains(s));
        seconds.map(|s| (s * 1_000.0) as Millis).ok_or_else(|| format!("{text:?} is no number of seconds"))
    };
    let recipe = |name: &str| -> Result<RecipeId, String> {
        let known = menu.iter().find(|r| r.id.as_str() == name).map(|r| r.id.clone());
        known.ok_or_else(|| format!("{name:?} is not on the menu"))
    };
    Ok(Arrival {
        at: seconds(at)?,
        items: items.split(',').map(recipe).collect::<Result<_, _>>()?,
        promise_ms: rest.first().map(|text| seconds(text)).transpose()?,
        priority: match rest.get(1) {
            Some(text) => text.parse().map_err(|_| format!("{text:?} is no priority: use -128 to 127"))?,
            None => 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kitchen::recipe::built_in_menu;

    #[test]
    fn a_file_of_orders_is_read_and_its_mistakes_are_named() {
        let menu = built_in_menu();
        let text = "# evening\n90 funghi,diavola 1200 5\n0 margherita  # first\n";
        let arrivals = from_text(text, &menu).unwrap();
        assert_eq!(arrivals.iter().map(|a| a.at).collect::<Vec<_>>(), [0, 90_000]);
        assert_eq!((arrivals[1].promise_ms, arrivals[1].priority), (Some(1_200_000), 5));
        let wrong = from_text("0 margherita\n5 hawaii", &menu).unwrap_err();
        assert_eq!(wrong.to_string(), "line 2: \"hawaii\" is not on the menu");
    }

    #[test]
    fn orders_come_at_the_rate_that_was_asked_for_with_the_peak_in_the_middle() {
        let menu = built_in_menu();
        let rate = Rate { pizzas_per_hour: 60.0, span_ms: 30 * 3_600_000, peak: 2.0, items_max: 3 };
        let arrivals = at_rate(&menu, rate, 3);
        let pizzas = |from: u64, to: u64| {
            arrivals.iter().filter(|a| (from..to).contains(&(a.at / 3_600_000))).map(|a| a.items.len()).sum::<usize>()
        };
        assert!((540..660).contains(&pizzas(0, 10)), "{}", pizzas(0, 10));
        assert!((1_100..1_300).contains(&pizzas(10, 20)), "{}", pizzas(10, 20));
    }
}
