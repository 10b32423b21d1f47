//! The objects of a menu: texts by name, and ids that are never given twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// One object. A reference is kept as the id of what it refers to.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Row(pub(super) BTreeMap<String, Vec<u8>>);

/// Objects by id.
#[derive(Default)]
pub(super) struct Table {
    /// The id of the next one.
    pub(super) next: u64,
    pub(super) rows: BTreeMap<u64, Row>,
}

impl Row {
    pub(super) fn new<const N: usize>(fields: [(&str, &str); N]) -> Self {
        fields.into_iter().fold(Self::default(), |row, (name, value)| row.with(name, value))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(super) fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.0.insert(name.to_owned(), value.as_ref().to_vec());
    }

    /// Sets what was not set.
    pub(super) fn fill(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_insert_with(|| value.as_bytes().to_vec());
    }

    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Returns a value, empty when there is none.
    pub(super) fn text(&self, name: &str) -> Cow<'_, str> {
        self.get(name).map_or(Cow::Borrowed(""), String::from_utf8_lossy)
    }

    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value.as_bytes())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.is(name, "true")
    }
}

impl Table {
    /// Adds an object at the end.
    pub(super) fn add(&mut self, row: Row) -> u64 {
        let id = self.next;
        self.next += 1;
        self.rows.insert(id, row);
        id
    }
}
