//! The main backend: takes orders from clients, knows every kitchen, and gives each order to the one that suits it best.
//!
//! A stateless program over a database. Three pure parts decide: `order::Standing::decide` (what an input does to an order),
//! `watch::Watch` (when a kitchen's lease is over) and `routing::choose_kitchen`; the simulation drives exactly these. Around them:
//! `placing` takes and moves orders, `exchange` speaks with kitchens, `keeper` does what nobody asks for, `poll` calls kitchens that
//! can't call, `api` is what clients and operators see, `store` is the database.
//!
//! It knows the contract with kitchens (`protocol::exchange`) and never their insides.

mod absorb;
pub mod api;
mod bells;
pub mod configuration;
mod directory;
mod exchange;
pub mod explain;
mod keeper;
pub mod new_order;
mod options;
pub mod order;
mod placing;
mod poll;
pub mod routing;
pub mod store;
pub mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::protocol::Id;

use bells::Bells;
use directory::{Directory, Now};
use exchange::Told;
use store::{Holder, Registration, Role, Store};

pub use exchange::{ExchangeError, Waiting};
pub use options::{Options, StartedPolicy};
pub use placing::{CancelError, PlaceError};
pub use store::Error;

/// A monotonic clock in milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How many clients may follow orders by a stream at once.
const STREAMS_MAX: usize = 10_000;

/// One instance. Clones share it.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

struct Inner {
    options: Options,
    store: Store,
    clock: Clock,
    directory: Mutex<Directory>,
    bells: Bells,
    /// What each kitchen was told last, so that it is not told the same again and again.
    told: Mutex<HashMap<Id, Told>>,
    /// Wakes the keeper before its time.
    keeper: Notify,
    streams: Arc<Semaphore>,
    /// Ends whatever waits.
    stop: CancellationToken,
}

impl Backend {
    /// Opens the database and reads the kitchens. Nothing runs yet: see `run` and `router`.
    pub async fn open(options: Options, stop: CancellationToken) -> Result<Self, Error> {
        Self::open_with(options, Arc::new(clock::boottime_ms), stop).await
    }

    /// As `open`, with another monotonic clock: for tests of leases.
    pub async fn open_with(options: Options, clock: Clock, stop: CancellationToken) -> Result<Self, Error> {
        let store = Store::open(&options).await?;
        let backend = Self(Arc::new(Inner {
            options,
            store,
            clock,
            directory: Mutex::default(),
            bells: Bells::default(),
            told: Mutex::default(),
            keeper: Notify::new(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stop,
        }));
        if let Some(token) = backend.0.options.operator_token.clone() {
            backend.keep_token(token, Holder { role: Role::Operator, name: "operator".to_owned() }).await?;
        }
        backend.refresh().await?;
        Ok(backend)
    }

    /// A fresh token for a client, an operator, or a registered kitchen. The only time that it is seen.
    pub async fn issue_token(&self, holder: Holder) -> Result<String, Error> {
        let token = store::new_token();
        self.keep_token(token.clone(), holder).await?;
        Ok(token)
    }

    async fn keep_token(&self, token: String, holder: Holder) -> Result<(), Error> {
        let wall = clock::wall_ms();
        self.store().write(move |c| Box::pin(async move { store::add_token(c, &token, &holder, wall).await })).await
    }

    /// A fresh token of a kitchen; its older ones are void.
    pub async fn renew_token(&self, kitchen: &Id) -> Result<String, Error> {
        let token = store::new_token();
        self.set_token(kitchen, token.clone()).await?;
        Ok(token)
    }

    /// This is the token of a kitchen from now on, and no other.
    pub async fn set_token(&self, kitchen: &Id, token: String) -> Result<(), Error> {
        let holder = Holder { role: Role::Kitchen, name: kitchen.to_string() };
        let wall = clock::wall_ms();
        self.store()
            .write(move |c| {
                Box::pin(async move {
                    store::remove_tokens(c, &holder).await?;
                    store::add_token(c, &token, &holder, wall).await
                })
            })
            .await
    }

    /// Adds a kitchen, or changes who it is. True if it is new.
    pub async fn register(&self, registration: Registration) -> Result<bool, Error> {
        let id = registration.id.clone();
        let is_new =
            self.store().write(move |c| Box::pin(async move { store::put_kitchen(c, &registration).await })).await?;
        if let Some(row) = self.store().kitchen(&id).await? {
            self.directory().put(row, self.now());
        }
        self.0.keeper.notify_one();
        Ok(is_new)
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    fn bells(&self) -> &Bells {
        &self.0.bells
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        // Advice, refreshed every second: whatever a panic left there does no harm.
        self.0.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now { ms: (self.0.clock)(), wall: clock::wall_ms() }
    }
}
