//! Rows of kitchens: who they are, how they were when they last said so, and the beat that each exchange raises.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::backend::new_order::Place;
use crate::defect;
use crate::protocol::Id;
use crate::protocol::exchange::Report;

use super::{Error, Store, flag, id, int, json, number, text, to_json};

/// Stands for "no place is known".
const NOWHERE_E6: i64 = 200_000_000;

/// Who a kitchen is, as the operator registered it.
#[derive(Clone, PartialEq)]
pub struct Registration {
    /// Its id.
    pub id: Id,
    /// Its name for people.
    pub name: String,
    /// Where it is.
    pub place: Option<Place>,
    /// Who opens the connection.
    pub mode: Mode,
    /// `http://host:port` of its replicas, for poll.
    pub urls: Vec<String>,
    /// What the backend shows the kitchen, for poll; empty for none.
    pub api_token: String,
}

/// Without the token.
impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registration({} {:?} {:?} {:?} {:?})", self.id, self.name, self.place, self.mode, self.urls)
    }
}

/// Who opens the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The kitchen does.
    #[default]
    Pull,
    /// The backend does.
    Poll,
}

impl Mode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Poll => "poll",
        }
    }
}

/// A kitchen as the database has it.
#[derive(Clone, Debug)]
pub struct KitchenRow {
    /// Who it is.
    pub registration: Registration,
    /// Raised by every exchange.
    pub beat: u64,
    /// The longest lease that was ever granted, in milliseconds.
    pub lease_ms: u64,
    /// Grows when what stands below, or the registration, changes.
    pub stamp: u64,
    /// Names the numbering of its outcomes.
    pub series: String,
    /// Outcomes up to here are kept.
    pub cursor: u64,
    /// Log lines up to here are kept.
    pub logs_cursor: u64,
    /// How it is; none before it first said so.
    pub report: Option<Report>,
    /// The recipes of its last report that had any.
    pub menu: Vec<Id>,
    /// The backend's wall time of the last contact, in milliseconds since 1970; 0 before the first.
    pub contact_wall: u64,
    /// The configuration's version that it follows.
    pub configuration: u64,
    /// Why it refused a part of that.
    pub configuration_refused: String,
}

/// What is looked at every second.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Which kitchen.
    pub id: Id,
    /// Raised by every exchange.
    pub beat: u64,
    /// The longest lease that was ever granted, in milliseconds.
    pub lease_ms: u64,
    /// Tells whether the rest has changed.
    pub stamp: u64,
    /// The backend's wall time of the last contact.
    pub contact_wall: u64,
    /// It is off the list; its lease still has to end before its orders can go elsewhere.
    pub is_retired: bool,
}

/// A place in millionths of a degree.
pub fn place_e6(place: Option<Place>) -> (i64, i64) {
    place.map_or((NOWHERE_E6, NOWHERE_E6), |p| ((p.lat * 1e6).round() as i64, (p.lon * 1e6).round() as i64))
}

/// The place of millionths of a degree.
pub fn place_of(lat_e6: i64, lon_e6: i64) -> Option<Place> {
    (lat_e6 != NOWHERE_E6).then(|| Place { lat: lat_e6 as f64 / 1e6, lon: lon_e6 as f64 / 1e6 })
}

fn kitchen_of(row: &AnyRow) -> Result<KitchenRow, Error> {
    let report = text(row, "report")?;
    let e6 = |column| sqlx::Row::try_get::<i64, _>(row, column);
    let registration = Registration {
        id: id(&text(row, "id")?)?,
        name: text(row, "name")?,
        place: place_of(e6("lat_e6")?, e6("lon_e6")?),
        mode: if text(row, "mode")? == Mode::Poll.as_str() { Mode::Poll } else { Mode::Pull },
        urls: json(&text(row, "urls")?, "a kitchen's urls")?,
        api_token: text(row, "api_token")?,
    };
    Ok(KitchenRow {
        registration,
        beat: number(row, "beat")?,
        lease_ms: number(row, "lease_ms")?,
        stamp: number(row, "stamp")?,
        series: text(row, "series")?,
        cursor: number(row, "cursor")?,
        logs_cursor: number(row, "logs_cursor")?,
        report: if report.is_empty() { None } else { Some(json(&report, "a kitchen's report")?) },
        menu: json(&text(row, "menu")?, "a kitchen's menu")?,
        contact_wall: number(row, "contact_wall")?,
        configuration: number(row, "configuration")?,
        configuration_refused: text(row, "configuration_refused")?,
    })
}

impl Store {
    /// Every kitchen that is not retired.
    pub async fn kitchens(&self) -> Result<Vec<KitchenRow>, Error> {
        let rows = sqlx::query("SELECT * FROM kitchens WHERE retired = 0 ORDER BY id").fetch_all(&self.read).await?;
        rows.iter().map(kitchen_of).collect()
    }

    /// One kitchen that is not retired.
    pub async fn kitchen(&self, kitchen: &Id) -> Result<Option<KitchenRow>, Error> {
        let sql = "SELECT * FROM kitchens WHERE id = $1 AND retired = 0";
        let row = sqlx::query(sql).bind(kitchen.as_str()).fetch_optional(&self.read).await?;
        row.as_ref().map(kitchen_of).transpose()
    }

    /// The beats of every kitchen that ever was.
    pub async fn beats(&self) -> Result<Vec<Beat>, Error> {
        let sql = "SELECT id, beat, lease_ms, stamp, contact_wall, retired FROM kitchens";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        let one = |row: &AnyRow| {
            Ok(Beat {
                id: id(&text(row, "id")?)?,
                beat: number(row, "beat")?,
                lease_ms: number(row, "lease_ms")?,
                stamp: number(row, "stamp")?,
                contact_wall: number(row, "contact_wall")?,
                is_retired: flag(row, "retired")?,
            })
        };
        rows.iter().map(one).collect()
    }
}

/// Adds a kitchen, or changes who it is. What it reported, and what it holds, stays; the numbering of its outcomes is taken anew, which is
/// the way out after either side was restored from a backup. True if it is new.
pub async fn put_kitchen(connection: &mut AnyConnection, new: &Registration) -> Result<bool, Error> {
    let known = sqlx::query("SELECT retired FROM kitchens WHERE id = $1").bind(new.id.as_str());
    let known = known.fetch_optional(&mut *connection).await?;
    let is_new = known.map(|row| flag(&row, "retired")).transpose()?.unwrap_or(true);
    let sql = "INSERT INTO kitchens (id, name, lat_e6, lon_e6, mode, urls, api_token, retired, beat, lease_ms, stamp, series, cursor, \
               logs_cursor, report, menu, contact_wall, configuration, configuration_refused) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 1, '', 0, 0, '', '[]', 0, 0, '') ON CONFLICT (id) DO UPDATE SET \
               name = $2, lat_e6 = $3, lon_e6 = $4, mode = $5, urls = $6, api_token = $7, retired = 0, series = '', \
               stamp = kitchens.stamp + 1";
    let (lat_e6, lon_e6) = place_e6(new.place);
    let query = sqlx::query(sql).bind(new.id.as_str()).bind(&new.name).bind(lat_e6).bind(lon_e6);
    let query = query.bind(new.mode.as_str()).bind(to_json(&new.urls)).bind(&new.api_token);
    query.execute(connection).await?;
    Ok(is_new)
}

/// Takes a kitchen off the list. Its orders stay with it until its lease is over.
pub async fn retire_kitchen(connection: &mut AnyConnection, kitchen: &Id) -> Result<bool, Error> {
    let sql = "UPDATE kitchens SET retired = 1, stamp = stamp + 1 WHERE id = $1 AND retired = 0";
    Ok(sqlx::query(sql).bind(kitchen.as_str()).execute(connection).await?.rows_affected() == 1)
}

/// Raises the beat, which takes the row's lock until the transaction ends, and returns the row. The first thing that an exchange does:
/// whoever wants to move this kitchen's orders must find the beat as it was.
pub async fn raise_beat(
    connection: &mut AnyConnection,
    kitchen: &Id,
    lease_ms: u64,
    wall: u64,
) -> Result<Option<KitchenRow>, Error> {
    // The longest lease stands: an answer that granted it may be on its way still.
    let sql = "UPDATE kitchens SET beat = beat + 1, lease_ms = CASE WHEN lease_ms < $1 THEN $1 ELSE lease_ms END, contact_wall = $2 \
               WHERE id = $3 AND retired = 0";
    let query = sqlx::query(sql).bind(int(lease_ms)).bind(int(wall)).bind(kitchen.as_str());
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query("SELECT * FROM kitchens WHERE id = $1").bind(kitchen.as_str()).fetch_one(connection).await?;
    kitchen_of(&row).map(Some)
}

/// Takes the row's lock if the kitchen's beat is still the one that was watched. False: it has made contact since.
pub async fn hold_still(connection: &mut AnyConnection, kitchen: &Id, beat: u64) -> Result<bool, Error> {
    let sql = "UPDATE kitchens SET beat = beat WHERE id = $1 AND beat = $2";
    let done = sqlx::query(sql).bind(kitchen.as_str()).bind(int(beat)).execute(connection).await?;
    Ok(done.rows_affected() == 1 || defect::is("moved-without-lock"))
}

/// Writes what an exchange brought: cursors, report, configuration. The row is locked by `raise_beat`.
pub async fn save_kitchen(connection: &mut AnyConnection, row: &KitchenRow) -> Result<(), Error> {
    let sql = "UPDATE kitchens SET stamp = $1, series = $2, cursor = $3, logs_cursor = $4, report = $5, menu = $6, \
               configuration = $7, configuration_refused = $8 WHERE id = $9";
    let report = row.report.as_ref().map(to_json).unwrap_or_default();
    let query =
        sqlx::query(sql).bind(int(row.stamp)).bind(&row.series).bind(int(row.cursor)).bind(int(row.logs_cursor));
    let query = query.bind(report).bind(to_json(&row.menu)).bind(int(row.configuration));
    let query = query.bind(&row.configuration_refused).bind(row.registration.id.as_str());
    query.execute(connection).await?;
    Ok(())
}
