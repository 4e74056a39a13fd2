//! Who was contacted under which household's key: a fold of the partition's log, found again in its
//! customers. It knows the partition's own customers alone.

use crate::partitioning::CustomerId;
use crate::state::{Customer, Name};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Households(HashMap<Name, Vec<CustomerId>>);

impl Households {
    /// A customer was contacted under a key.
    pub(super) fn note(&mut self, key: Name, id: &CustomerId) {
        let members = self.0.entry(key).or_default();
        if !members.contains(id) {
            members.push(id.clone());
        }
    }

    /// Finds again under which keys a customer was contacted.
    pub(super) fn adopt(&mut self, id: &CustomerId, customer: &Customer) {
        let contacts = customer.contacts.all().iter();
        for key in contacts.filter_map(|contact| contact.household) {
            self.note(key, id);
        }
    }

    /// The others who were contacted under a key.
    pub(super) fn others<'a>(
        &'a self,
        key: Name,
        own: &'a CustomerId,
    ) -> impl Iterator<Item = &'a CustomerId> {
        let members = self.0.get(&key).map_or(&[][..], Vec::as_slice);
        members.iter().filter(move |id| *id != own)
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
