//! What the archive lets go: the oldest orders and food-safety records, when there are more than the site keeps. Since rules 2.
//!
//! By count and not by age: a count bounds the disk, needs no clock, and no clock that jumped can empty the archive. A few go with each entry, so
//! that a site that keeps less from now on does not stop the kitchen.

use super::food_safety;
use super::order::{archive_key, archive_number_key, number_of};
use super::rows::Row;
use super::{Archive, Kitchen, OrderId, Rules};

/// So many of each go with one entry.
const AT_ONCE: usize = 4;

impl Kitchen {
    /// Lets go of what is too much.
    pub(super) fn let_go(&mut self, archive: &dyn Archive) {
        if self.rules() < Rules::RETENTION {
            return;
        }
        for _ in 0..AT_ONCE {
            self.let_go_of_an_order(archive);
            self.let_go_of_a_record();
        }
    }

    fn let_go_of_an_order(&mut self, archive: &dyn Archive) {
        let max = self.settings().archive_orders_max;
        let kept = self.meta.ended.iter().sum::<u64>() - self.meta.orders_let_go;
        if max == 0 || kept <= u64::from(max) {
            return;
        }
        // What this very entry archives is not there yet, and is never the oldest.
        let Some((key, id)) = archive.next(&archive_number_key(self.meta.orders_let_go_upto)) else { return };
        let Some(number) = number_of(&key) else { return };
        self.meta.orders_let_go += 1;
        self.meta.orders_let_go_upto = number;
        self.scratch.archive.push(Row { key, value: None });
        let id = std::str::from_utf8(&id).ok().and_then(|id| id.parse::<OrderId>().ok());
        self.scratch.archive.extend(id.map(|id| Row { key: archive_key(&id), value: None }));
    }

    fn let_go_of_a_record(&mut self) {
        let max = self.settings().food_safety_records_max;
        let chain = &mut self.meta.food;
        if max == 0 || chain.records - chain.let_go <= u64::from(max) {
            return;
        }
        chain.let_go += 1;
        let key = food_safety::archive_key(chain.let_go);
        self.scratch.archive.push(Row { key, value: None });
    }
}
