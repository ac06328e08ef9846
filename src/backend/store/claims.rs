//! Which instance polls a kitchen. A claim is taken over by who has watched its beat stand still, as with a kitchen's lease; two pollers
//! at once would do no harm, as exchanges are serialised by the kitchen's row.

use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::protocol::Id;

use super::{Error, Store, id, int, number, text};

/// A claim as the database has it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The kitchen.
    pub kitchen: Id,
    /// Who polls it.
    pub instance: String,
    /// Raised by it as long as it lives.
    pub beat: u64,
}

fn claim_of(row: &AnyRow) -> Result<Claim, Error> {
    let kitchen = id(&text(row, "kitchen")?)?;
    Ok(Claim { kitchen, instance: text(row, "instance")?, beat: number(row, "beat")? })
}

impl Store {
    /// All claims.
    pub async fn claims(&self) -> Result<Vec<Claim>, Error> {
        sqlx::query("SELECT * FROM claims").fetch_all(&self.read).await?.iter().map(claim_of).collect()
    }
}

/// Claims a kitchen that nobody had, or whose claim still has the beat that was watched. False if another instance was first.
pub async fn claim(
    connection: &mut AnyConnection,
    kitchen: &Id,
    instance: &str,
    seen_beat: Option<u64>,
) -> Result<bool, Error> {
    let done = match seen_beat {
        None => {
            let sql =
                "INSERT INTO claims (kitchen, instance, beat) VALUES ($1, $2, 1) ON CONFLICT (kitchen) DO NOTHING";
            sqlx::query(sql).bind(kitchen.as_str()).bind(instance).execute(connection).await?
        }
        Some(beat) => {
            let sql = "UPDATE claims SET instance = $1, beat = beat + 1 WHERE kitchen = $2 AND beat = $3";
            sqlx::query(sql).bind(instance).bind(kitchen.as_str()).bind(int(beat)).execute(connection).await?
        }
    };
    Ok(done.rows_affected() == 1)
}

/// Raises the beats of all claims of an instance.
pub async fn raise_claims(connection: &mut AnyConnection, instance: &str) -> Result<(), Error> {
    sqlx::query("UPDATE claims SET beat = beat + 1 WHERE instance = $1").bind(instance).execute(connection).await?;
    Ok(())
}
