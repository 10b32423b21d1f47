//! How a resource is called, in files and on the command line: `module.site["berlin"].peer.hub["laptop"]`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::resource::pattern::{for_shell, in_shell};
use crate::value::InvalidValue;

/// The kinds of resource that wgform manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A WireGuard interface.
    Interface,
    /// A peer on an interface.
    Peer,
    /// A secret that two peers share.
    PresharedKey,
}

impl Kind {
    /// Every kind, in the order in which reference pages list them.
    pub const ALL: [Self; 3] = [Self::Interface, Self::Peer, Self::PresharedKey];

    /// Returns the block type that declares it, which is also the first word of its address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Peer => "peer",
            Self::PresharedKey => "preshared_key",
        }
    }

    /// Finds the kind that a block type declares.
    pub fn from_block(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The key of one instance of a repeated block. Numbers sort before names, and as numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// Made by `count`.
    Index(u32),
    /// Made by `for_each`.
    Name(String),
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Name(name) => write!(f, "[{}]", quoted(name)),
        }
    }
}

/// One module on the way to a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The label of the `module` block.
    pub label: String,
    /// Its instance, when the block is repeated.
    pub key: Option<InstanceKey>,
}

/// The address of one resource instance, unique in a configuration and in a state. A copy shares the texts: a plan has
/// a dozen of each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// What it is.
    pub kind: Kind,
    /// The label of its block.
    pub label: Arc<str>,
    /// None in the root module, when the block is not repeated.
    place: Option<Arc<Place>>,
}

/// Where a block stands that others of the same label stand beside.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Place {
    module: Vec<ModuleStep>,
    key: Option<InstanceKey>,
}

impl Address {
    /// Makes the address of one instance of a block.
    pub fn new(
        module: Vec<ModuleStep>,
        kind: Kind,
        label: impl Into<Arc<str>>,
        key: Option<InstanceKey>,
    ) -> Self {
        let is_root = module.is_empty() && key.is_none();
        let place = (!is_root).then(|| Arc::new(Place { module, key }));
        Self { kind, label: label.into(), place }
    }

    /// Makes the address of a block in the root module that is not repeated.
    pub fn root(kind: Kind, label: impl Into<Arc<str>>) -> Self {
        Self { kind, label: label.into(), place: None }
    }

    /// Returns the modules it is in, outermost first; none in the root.
    pub fn module(&self) -> &[ModuleStep] {
        self.place.as_ref().map_or(&[], |place| &place.module)
    }

    /// Returns its instance, when the block is repeated.
    pub fn key(&self) -> Option<&InstanceKey> {
        self.place.as_ref().and_then(|place| place.key.as_ref())
    }

    /// Returns it as one word of a command line, for somebody to copy: keys have quotes that a shell would take away.
    pub fn in_shell(&self) -> String {
        in_shell(&self.to_string())
    }

    /// Returns the name that its object gets when the configuration gives none: module keys, label and key, joined
    /// by `-`.
    pub fn default_name(&self) -> String {
        let key = |key: &InstanceKey| match key {
            InstanceKey::Index(index) => index.to_string(),
            InstanceKey::Name(name) => name.clone(),
        };
        let modules = self.module().iter().filter_map(|step| step.key.as_ref().map(key));
        let own = [self.label.to_string()].into_iter().chain(self.key().map(key));
        modules.chain(own).collect::<Vec<_>>().join("-")
    }
}

/// Returns the address of a module, such as `module.site["berlin"].module.m`; nothing for the root.
pub fn path(module: &[ModuleStep]) -> String {
    let step = |ModuleStep { label, key }: &ModuleStep| {
        let key = key.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("module.{label}{key}")
    };
    module.iter().map(step).collect::<Vec<_>>().join(".")
}

/// By module, then kind, label and instance.
impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_module = self.module().cmp(other.module());
        let by_kind = by_module.then_with(|| self.kind.cmp(&other.kind));
        let by_label = by_kind.then_with(|| self.label.cmp(&other.label));
        by_label.then_with(|| self.key().cmp(&other.key()))
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = path(self.module());
        if !text.is_empty() {
            text.push('.');
        }
        text += self.kind.as_str();
        text.push('.');
        text += &self.label;
        text += &self.key().map(ToString::to_string).unwrap_or_default();
        f.pad(&text)
    }
}

impl FromStr for Address {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let quoted = || Some(for_shell(&requoted(text).filter(|it| it.parse::<Self>().is_ok())?));
        let wrong = |why: String| {
            let hint = quoted()
                .unwrap_or_else(|| "write it as `interface.hub` or `peer.laptop`".to_owned());
            InvalidValue::new(format!("`{text}` is not the address of a resource: {why}"))
                .hint(hint)
        };
        let mut rest = text;
        let mut module = Vec::new();
        loop {
            let (word, label, key, after) = part(rest).map_err(&wrong)?;
            match (word, after) {
                ("module", Some(after)) => {
                    module.push(ModuleStep { label: label.to_owned(), key });
                    rest = after;
                }
                ("module", None) => return Err(wrong("it ends after a module".to_owned())),
                (_, Some(after)) => return Err(wrong(format!("`{after}` is too much"))),
                (word, None) => {
                    let kind = Kind::from_block(word)
                        .ok_or_else(|| wrong(format!("there is no kind `{word}`")))?;
                    return Ok(Self::new(module, kind, label, key));
                }
            }
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A word, a label, an instance, and what follows.
pub(super) type Part<'a> = (&'a str, &'a str, Option<InstanceKey>, Option<&'a str>);

/// Takes `word.label` and an index off the front, and returns what follows the next dot.
pub(super) fn part(text: &str) -> Result<Part<'_>, String> {
    let (word, rest) = text.split_once('.').ok_or_else(|| "it has no dot".to_owned())?;
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (label, rest) = rest.split_at(end);
    let is_label = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if label.is_empty() || !label.chars().all(is_label) {
        return Err(format!("`{label}` is not a label"));
    }
    let (key, rest) = match rest.strip_prefix('[') {
        None => (None, rest),
        Some(rest) => {
            let (key, rest) = instance_key(rest)?;
            (Some(key), rest)
        }
    };
    match rest.strip_prefix('.') {
        Some(after) => Ok((word, label, key, Some(after))),
        None if rest.is_empty() => Ok((word, label, key, None)),
        None => Err(format!("`{rest}` is too much")),
    }
}

/// Reads `"name"]` or `3]`, and returns what follows.
pub(crate) fn instance_key(text: &str) -> Result<(InstanceKey, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (digits, rest) = text.split_once(']').ok_or("the `[` is not closed")?;
        let index = digits.parse().map_err(|_| format!("`{digits}` is not an index"))?;
        return Ok((InstanceKey::Index(index), rest));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = quoted[at + 1..].strip_prefix(']').ok_or("the `[` is not closed")?;
                return Ok((InstanceKey::Name(name), rest));
            }
            '\\' => name.push(chars.next().ok_or("the key is not closed")?.1),
            c => name.push(c),
        }
    }
    Err("the key is not closed".to_owned())
}

/// Gives each key its quotes that has none and is no number, as a shell leaves it; nothing where each has its own.
pub(crate) fn requoted(text: &str) -> Option<String> {
    let mut quoted_text = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let (key, after) = after.split_once(']')?;
        let has_own = key.starts_with('"') || key == "*" || key.parse::<u32>().is_ok();
        let key = if has_own { key.to_owned() } else { quoted(key) };
        quoted_text += &format!("{before}[{key}]");
        rest = after;
    }
    quoted_text += rest;
    (quoted_text != text).then_some(quoted_text)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The address of a resource, such as `peer.laptop`.",
            "type": "string",
            "pattern": r"(^|\.)(interface|peer|preshared_key)\.[^.\[]+(\[.*\])?$",
        })
    }
}

/// The name of a `backend` block, with its instance when the block is repeated: `hq`, `branch["berlin"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(transparent)]
pub struct BackendId(Arc<str>);

impl BackendId {
    /// The backend that is there without being declared: this host.
    pub const LOCAL: &str = "local";

    /// Takes the label of a block.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// Takes the label of a block, and the key of one instance of it.
    pub fn instance(label: &str, key: Option<&InstanceKey>) -> Self {
        match key {
            Some(key) => Self(format!("{label}{key}").into()),
            None => Self(label.into()),
        }
    }

    /// Returns the label of its block.
    pub fn label(&self) -> &str {
        self.0.split_once('[').map_or(&self.0, |it| it.0)
    }

    /// Returns which instance of its block it is, when the block is repeated.
    pub fn key(&self) -> Option<InstanceKey> {
        instance_key(self.0.split_once('[')?.1).ok().map(|it| it.0)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for BackendId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BackendId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::resource::Address;

    #[test]
    fn addresses_read_back_as_they_print() {
        for text in [
            "interface.hub",
            "peer.rw[\"alice phone\"]",
            "peer.rw[\"a.b]\\\"c\\\\\"]",
            "preshared_key.x[3]",
            "module.site[\"berlin\"].module.m.peer.hub",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, why) in [
            ("hub", "it has no dot"),
            ("tunnel.hub", "there is no kind `tunnel`"),
            ("peer.", "`` is not a label"),
            ("peer.a.b", "`b` is too much"),
            ("peer.a[\"x", "the key is not closed"),
            ("peer.a[\"x\"", "the `[` is not closed"),
            ("peer.a[x]", "`x` is not an index"),
            ("module.a", "it ends after a module"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is not the address of a resource: {why}"));
        }
    }

    #[test]
    fn default_names_hold_the_keys_of_modules() {
        let address: Address = "module.site[\"berlin\"].peer.hub[2]".parse().unwrap();
        assert_eq!(address.default_name(), "berlin-hub-2");
    }
}
