//! What is declared by blocks that could not be read, so that nothing is said of what only follows from that.

use std::collections::BTreeSet;

/// Every root at once, where not even the type of a block could be read.
const ANY: &str = "";

/// The names that broken blocks declare, by the root of a reference to them.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    names: BTreeSet<(String, String)>,
    /// The roots of what is missing without a name.
    nameless: BTreeSet<String>,
    /// Whether a `wgform` block is among them.
    pub(crate) settings: bool,
    /// The variables whose value cannot be read; none for one whose name cannot be read either.
    values: BTreeSet<Option<String>>,
}

impl Broken {
    /// Notes a block by its type and its labels, as far as they can be read.
    pub(crate) fn block(&mut self, ident: &str, labels: &[&str]) {
        match (ident, labels) {
            ("wgform" | "state" | "encryption", _) => self.settings = true,
            (
                "check" | "validation" | "lifecycle" | "precondition" | "postcondition" | "assert"
                | "moved" | "removed" | "import" | "hold" | "known_drift",
                _,
            ) => {}
            ("output", [name, ..]) => self.name("output", name),
            ("output", []) => self.nameless("output"),
            ("module", [label, ..]) => self.name("module", label),
            ("module", []) => self.nameless("module"),
            ("locals", _) => self.nameless("local"),
            ("variable", [name, ..]) => self.name("var", name),
            ("variable", []) => self.nameless("var"),
            ("backend", [_, id, ..]) => self.name("backend", id),
            ("interface" | "peer" | "preshared_key", [label, ..]) => self.name(ident, label),
            ("data", [_, name]) => self.name("data", name),
            ("backend" | "interface" | "peer" | "preshared_key" | "data", _) => {
                self.nameless(ident);
            }
            // A slip in the type, or a type of another tool: its labels are names of something.
            (_, labels) => labels.iter().for_each(|label| self.name(ANY, label)),
        }
    }

    /// Notes a name.
    pub(crate) fn name(&mut self, root: &str, name: &str) {
        self.names.insert((root.to_owned(), name.to_owned()));
    }

    /// Notes that there is something whose name cannot be read.
    pub(crate) fn nameless(&mut self, root: &str) {
        self.nameless.insert(root.to_owned());
    }

    /// Notes that anything may be missing.
    pub(crate) fn anything(&mut self) {
        self.nameless(ANY);
        self.settings = true;
    }

    /// Notes a value of a variable that cannot be read.
    pub(crate) fn value(&mut self, name: Option<&str>) {
        self.values.insert(name.map(str::to_owned));
    }

    /// Returns whether a variable has a value that cannot be read.
    pub(crate) fn has_value(&self, name: &str) -> bool {
        self.values.contains(&None) || self.values.contains(&Some(name.to_owned()))
    }

    /// Returns whether a reference that finds nothing may mean something broken.
    pub(crate) fn may_declare(&self, root: &str, name: &str) -> bool {
        let has = |root: &str| self.names.contains(&(root.to_owned(), name.to_owned()));
        self.nameless.contains(ANY) || self.nameless.contains(root) || has(root) || has(ANY)
    }

    /// Returns whether something of a root is missing, whatever its name.
    pub(crate) fn lacks(&self, root: &str) -> bool {
        let has_name = self.names.iter().any(|(of, _)| of == root);
        self.nameless.contains(ANY) || self.nameless.contains(root) || has_name
    }
}
