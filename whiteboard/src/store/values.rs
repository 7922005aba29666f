//! Single values that the server keeps beside the boards, by key.

use super::{StoreError, Writer};

impl Writer {
    /// Keeps a value (see [`super::Reader::meta_value`]) in the place of an older one.
    pub async fn set_meta_value(&self, key: &'static str, value: String) -> Result<(), StoreError> {
        self.transact(move |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
                .execute((key, value))
                .map(|_| ())
        })
        .await
    }
}
