//! An order as its client states it: on the wire, and in the database.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::protocol::{Id, Millis};

/// The most pizzas in one order.
pub const ITEMS_MAX: usize = 100;
/// The longest promise: a day.
pub const PROMISE_MS_MAX: Millis = 86_400_000;

/// An order as its client states it; its id is in the path or in the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// One recipe for each pizza, 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    pub items: Vec<Id>,
    /// Higher goes first; 0 is usual.
    #[serde(default)]
    #[schema(minimum = -128, maximum = 127)]
    pub priority: i8,
    /// With the client within so many milliseconds: 1 s to 24 h.
    #[serde(default = "half_an_hour")]
    #[schema(value_type = u64, minimum = 1_000, maximum = 86_400_000)]
    pub promise_ms: Millis,
    /// Where the client is; counts for the choice of the kitchen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A place on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// North is positive.
    #[schema(minimum = -90, maximum = 90)]
    pub lat: f64,
    /// East is positive.
    #[schema(minimum = -180, maximum = 180)]
    pub lon: f64,
}

fn half_an_hour() -> Millis {
    1_800_000
}

impl NewOrder {
    /// What is out of range, if anything is.
    pub fn fault(&self) -> Option<String> {
        if self.items.is_empty() || self.items.len() > ITEMS_MAX {
            return Some(format!("items names {} recipes: use 1 to {ITEMS_MAX}", self.items.len()));
        }
        if !(1_000..=PROMISE_MS_MAX).contains(&self.promise_ms) {
            return Some(format!("promise_ms is {}: use 1000 to {PROMISE_MS_MAX}", self.promise_ms));
        }
        self.place.and_then(|place| place.fault())
    }
}

impl Place {
    /// What is out of range, if anything is.
    pub fn fault(&self) -> Option<String> {
        let fine = (-90.0..=90.0).contains(&self.lat) && (-180.0..=180.0).contains(&self.lon);
        (!fine).then(|| format!("place is {} {}: use lat -90 to 90 and lon -180 to 180", self.lat, self.lon))
    }

    /// How far another place is, in metres, as the crow flies.
    ///
    /// The haversine formula on a sphere of 6,371 km (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984); within half a
    /// percent of the truth.
    pub fn metres_to(&self, other: &Self) -> u64 {
        let (lat1, lat2) = (self.lat.to_radians(), other.lat.to_radians());
        let half_lat = (lat2 - lat1) / 2.0;
        let half_lon = (other.lon - self.lon).to_radians() / 2.0;
        let a = half_lat.sin().powi(2) + lat1.cos() * lat2.cos() * half_lon.sin().powi(2);
        (2.0 * 6_371_000.0 * a.sqrt().min(1.0).asin()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_right_within_half_a_percent() {
        let (berlin, munich) = (Place { lat: 52.5200, lon: 13.4050 }, Place { lat: 48.1351, lon: 11.5820 });
        let metres = berlin.metres_to(&munich);
        assert!((502_000..=507_000).contains(&metres), "{metres}");
        assert_eq!(berlin.metres_to(&berlin), 0);
    }
}
