//! When a token was last used, kept to the hour: noted off the request's path, at most one entry for each token and hour.
//!
//! The leader proposes it. A follower that is asked lets the leader see the token, by one small request in the caller's name: it can vouch
//! for nothing itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::clock::wall_ms;
use crate::kitchen::access::hour_of;
use crate::kitchen::{Command, Reply, TokenId};

use super::super::Api;
use super::Caller;

/// The hours that were told already, by this replica, or are about to be. Of at most as many tokens as a kitchen keeps.
#[derive(Default)]
pub struct Told(Mutex<BTreeMap<TokenId, u64>>);

impl Told {
    /// True for who asks first: it is his to tell.
    fn begin(&self, token: &TokenId, hour: u64) -> bool {
        self.told().insert(token.clone(), hour) != Some(hour)
    }

    /// It was not told: the next use tries again.
    fn undo(&self, token: &TokenId) {
        self.told().remove(token);
    }

    fn forget(&self, is_gone: impl Fn(&TokenId) -> bool) {
        self.told().retain(|token, _| !is_gone(token));
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<TokenId, u64>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

impl Api {
    /// Sees to it that this hour is noted. Returns at once.
    pub(super) fn note_use(&self, caller: &Caller, headers: &HeaderMap) {
        let Caller::Holder { token, used_hour, .. } = caller else { return };
        let hour = hour_of(wall_ms());
        if *used_hour >= Some(hour) || !self.0.told.begin(token, hour) {
            return;
        }
        let (api, token, shown) = (self.clone(), token.clone(), headers.get(AUTHORIZATION).cloned());
        tokio::spawn(async move {
            api.0.told.forget(|token| api.node().with_kitchen(|kitchen| kitchen.token(token).is_none()));
            if !api.tell(&token, hour, shown).await {
                api.0.told.undo(&token);
            }
        });
    }

    async fn tell(&self, token: &TokenId, hour: u64, shown: Option<HeaderValue>) -> bool {
        if self.node().is_leading() {
            // Nobody asked for it: it leaves no record.
            let noted = self.node().propose(Command::NoteTokenUse { token: token.clone(), hour }, None).await;
            return noted.is_ok_and(|noted| !matches!(noted.reply, Reply::Refused(_)));
        }
        let Some((leader, shown)) = self.node().leader().zip(shown) else { return false };
        let request = self.0.client.get(super::super::forward::url_at(self, &leader, "/v1/access"));
        request.header(AUTHORIZATION, shown).send().await.is_ok_and(|answer| answer.status().is_success())
    }
}
