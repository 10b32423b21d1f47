//! What a command line takes for an address: `peer.laptop`, and with one text many: `peer.rw["alice-*"]`,
//! `module.site[*].**`, `backend.lyon`.
//!
//! An address is the simplest pattern. Where it has no key, it means all instances of its block, as in Terraform; so
//! does a module, of which everything is meant. `docs/addresses.md` says it for users.
//!
//! Nothing is looked up here: which addresses there are is for whoever matches.

use std::fmt;
use std::str::FromStr;

use crate::resource::address::{instance_key, requoted};
use crate::resource::{Address, BackendId, InstanceKey, Kind, ModuleStep};
use crate::value::InvalidValue;

/// Which resources are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As it was written.
    text: String,
    /// The modules on the way.
    path: Vec<Step>,
    end: End,
}

/// One part of the way through modules.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// One module.
    Module(Block),
    /// Any number of modules.
    Any,
}

/// What is meant at the end of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// Everything from there on.
    All,
    /// Resources of that module.
    Resource(Vec<Kind>, Block),
    /// Everything that lives on a backend.
    Backend(Block),
}

/// The label of a block, and which instances of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    label: Glob,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// None is written: the block, and all its instances.
    Unsaid,
    /// `[*]`: all its instances.
    Every,
    Index(u32),
    Name(Glob),
}

/// The texts between the stars. Of a text without one, there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glob(Vec<String>);

impl Pattern {
    /// Returns whether a resource is meant, which is wanted or was made on these backends.
    pub fn matches<'a>(
        &self,
        address: &Address,
        backends: impl IntoIterator<Item = &'a BackendId>,
    ) -> bool {
        match &self.end {
            End::All => leads_to(&self.path, address.module(), false),
            End::Resource(kinds, block) => {
                kinds.contains(&address.kind)
                    && block.matches(&address.label, address.key())
                    && leads_to(&self.path, address.module(), true)
            }
            End::Backend(block) => backends.into_iter().any(|id| block.is_backend(id)),
        }
    }

    /// Returns whether it asks where a resource lives.
    pub fn is_of_backend(&self) -> bool {
        matches!(self.end, End::Backend(_))
    }

    /// Returns whether a backend is meant.
    pub fn matches_backend(&self, id: &BackendId) -> bool {
        matches!(&self.end, End::Backend(block) if block.is_backend(id))
    }

    /// Returns whether it is an address: nothing in it stands for something else.
    pub fn is_address(&self) -> bool {
        let is_literal = |block: &Block| {
            block.label.is_literal()
                && match &block.key {
                    Key::Unsaid | Key::Index(_) => true,
                    Key::Every => false,
                    Key::Name(glob) => glob.is_literal(),
                }
        };
        let is_step = |step: &Step| matches!(step, Step::Module(block) if is_literal(block));
        let End::Resource(_, block) = &self.end else { return false };
        is_literal(block) && self.path.iter().all(is_step) && self.text.parse::<Address>().is_ok()
    }

    /// Returns what comes before anything that stands for something else: what a slip of the pen is looked for in.
    pub fn stem(&self) -> &str {
        let Some((head, _)) = self.text.split_once('*') else { return &self.text };
        let is_open = head.rfind('[') > head.rfind(']');
        let end = if is_open { head.rfind('[') } else { head.rfind('.') };
        &head[..end.unwrap_or(0)]
    }
}

/// Returns whether a way leads to a module; or also into it, where not the whole of it has to be gone.
fn leads_to(path: &[Step], module: &[ModuleStep], is_whole: bool) -> bool {
    match (path, module) {
        ([], rest) => rest.is_empty() || !is_whole,
        ([Step::Any, path @ ..], rest) => {
            (0..=rest.len()).any(|taken| leads_to(path, &rest[taken..], is_whole))
        }
        ([Step::Module(block), path @ ..], [step, rest @ ..]) => {
            block.matches(&step.label, step.key.as_ref()) && leads_to(path, rest, is_whole)
        }
        ([Step::Module(_), ..], []) => false,
    }
}

impl Block {
    fn matches(&self, label: &str, key: Option<&InstanceKey>) -> bool {
        let is_instance = match (&self.key, key) {
            (Key::Unsaid, _) | (Key::Every, Some(_)) => true,
            (Key::Index(wanted), Some(InstanceKey::Index(index))) => wanted == index,
            (Key::Name(glob), Some(InstanceKey::Name(name))) => glob.matches(name),
            (Key::Every | Key::Index(_) | Key::Name(_), _) => false,
        };
        is_instance && self.label.matches(label)
    }

    fn is_backend(&self, id: &BackendId) -> bool {
        match id.as_str().split_once('[') {
            None => self.matches(id.as_str(), None),
            Some((label, key)) => match instance_key(key) {
                Ok((key, "")) => self.matches(label, Some(&key)),
                _ => false,
            },
        }
    }
}

impl Glob {
    fn of_stars(text: &str) -> Self {
        Self(text.split('*').map(str::to_owned).collect())
    }

    fn is_literal(&self) -> bool {
        self.0.len() == 1
    }

    /// Takes the first place for each text between two stars, which leaves the most for those after it.
    fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = &*self.0 else { return text == self.0[0] };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in between {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

/// The pattern of an address. A star in a key of it is no more than a star.
impl From<&Address> for Pattern {
    fn from(address: &Address) -> Self {
        let literal = |text: &str| Glob(vec![text.to_owned()]);
        let block = |label: &str, key: Option<&InstanceKey>| {
            let key = match key {
                None => Key::Unsaid,
                Some(InstanceKey::Index(index)) => Key::Index(*index),
                Some(InstanceKey::Name(name)) => Key::Name(literal(name)),
            };
            Block { label: literal(label), key }
        };
        let steps = address.module().iter();
        Self {
            text: address.to_string(),
            path: steps.map(|it| Step::Module(block(&it.label, it.key.as_ref()))).collect(),
            end: End::Resource(vec![address.kind], block(&address.label, address.key())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        parsed(text).map_err(|why| {
            let error =
                InvalidValue::new(format!("`{text}` is not the address of a resource: {why}"));
            match requoted(text).filter(|it| parsed(it).is_ok()) {
                Some(quoted) => error.hint(for_shell(&quoted)),
                None => error.hint(
                    "write it as `peer.laptop`, or, for many, as `peer.*`, `'peer.rw[\"alice-*\"]'`, `module.site` or \
                     `backend.hq`",
                ),
            }
        })
    }
}

/// Says how an address is written that a shell took the quotes from.
pub(crate) fn for_shell(quoted: &str) -> String {
    format!(
        "a shell takes quotes away that have none around them; write it as `{}`",
        in_shell(quoted)
    )
}

/// Writes a text as one word of a command line, in the quotes that a shell asks for.
pub fn in_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/=+:,@".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Returns the pattern of all instances of the block that a resource comes from.
pub fn block(address: &Address) -> String {
    Address::new(address.module().to_vec(), address.kind, address.label.clone(), None).to_string()
}

/// Returns the patterns of the modules that a resource is in: of each, the instance and the block.
pub fn modules(address: &Address) -> Vec<String> {
    let (mut path, mut modules) = (String::new(), Vec::new());
    for ModuleStep { label, key } in address.module() {
        let key = key.as_ref().map(ToString::to_string).unwrap_or_default();
        let block = format!("{path}module.{label}");
        path = format!("{block}{key}.");
        modules.extend([format!("{block}{key}"), block]);
    }
    modules
}

fn parsed(text: &str) -> Result<Pattern, String> {
    let mut path = Vec::new();
    let mut rest = text;
    let end = loop {
        if rest == "**" {
            break End::All;
        }
        if let Some(after) = rest.strip_prefix("**.") {
            path.push(Step::Any);
            rest = after;
            continue;
        }
        let (word, block, after) = part(rest)?;
        match (word, after) {
            ("module", None) => {
                path.push(Step::Module(block));
                break End::All;
            }
            ("module", Some(after)) => {
                path.push(Step::Module(block));
                rest = after;
            }
            (_, Some(after)) => return Err(format!("`{after}` is too much")),
            ("backend", None) if path.is_empty() => break End::Backend(block),
            (word, None) => break End::Resource(kinds(word)?, block),
        }
    };
    Ok(Pattern { text: text.to_owned(), path, end })
}

fn kinds(word: &str) -> Result<Vec<Kind>, String> {
    let glob = Glob::of_stars(word);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|it| glob.matches(it.as_str())).collect();
    if kinds.is_empty() { Err(format!("there is no kind `{word}`")) } else { Ok(kinds) }
}

/// Takes `word.label` and a key off the front, and returns what follows the next dot.
fn part(text: &str) -> Result<(&str, Block, Option<&str>), String> {
    let (word, rest) = text.split_once('.').ok_or_else(|| "it has no dot".to_owned())?;
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (label, rest) = rest.split_at(end);
    let is_label = |c: char| c.is_alphanumeric() || "_-*".contains(c);
    if label.is_empty() || label.contains("**") || !label.chars().all(is_label) {
        return Err(format!("`{label}` is not a label"));
    }
    let (key, rest) = match rest.strip_prefix('[') {
        None => (Key::Unsaid, rest),
        Some(rest) => key(rest)?,
    };
    let block = Block { label: Glob::of_stars(label), key };
    match rest.strip_prefix('.') {
        Some(after) => Ok((word, block, Some(after))),
        None if rest.is_empty() => Ok((word, block, None)),
        None => Err(format!("`{rest}` is too much")),
    }
}

/// Reads `*]`, `3]` or `"name"]`, in which a star stands for any text and `\*` for itself, and returns what follows.
fn key(text: &str) -> Result<(Key, &str), String> {
    if let Some(rest) = text.strip_prefix("*]") {
        return Ok((Key::Every, rest));
    }
    let (key, rest) = instance_key(text)?;
    let written = &text[..text.len() - rest.len()];
    let key = match (key, written.contains('*')) {
        (InstanceKey::Index(index), _) => Key::Index(index),
        (InstanceKey::Name(name), false) => Key::Name(Glob(vec![name])),
        (InstanceKey::Name(_), true) => {
            Key::Name(escaped(&written[1..written.len() - "\"]".len()]))
        }
    };
    Ok((key, rest))
}

/// Takes the text between the quotes of a key apart at its stars.
fn escaped(written: &str) -> Glob {
    let mut parts = vec![String::new()];
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            '*' => parts.push(String::new()),
            '\\' => parts[last].extend(chars.next()),
            c => parts[last].push(c),
        }
    }
    Glob(parts)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::resource::pattern::{block, in_shell, modules};
    use crate::resource::{Address, BackendId, InstanceKey, Kind, ModuleStep, Pattern};

    /// What there is, in these tests.
    const ALL: [&str; 9] = [
        "interface.hub",
        "peer.laptop",
        "peer.rw[\"alice-laptop\"]",
        "peer.rw[\"alice-phone\"]",
        "peer.rw[\"bob\"]",
        "preshared_key.x[3]",
        "module.site[\"berlin\"].peer.hub",
        "module.site[\"lyon\"].module.office[0].peer.hub",
        "module.spare.interface.hub",
    ];

    /// Returns the numbers of those that are meant.
    fn meant(pattern: &str) -> Vec<usize> {
        let pattern: Pattern = pattern.parse().unwrap();
        let all = ALL.iter().enumerate();
        let meant = all.filter(|(_, text)| pattern.matches(&text.parse().unwrap(), []));
        meant.map(|(number, _)| number).collect()
    }

    #[test]
    fn an_address_means_itself_and_without_a_key_all_instances() {
        for (number, text) in ALL.iter().enumerate() {
            assert_eq!(meant(text), [number], "{text}");
        }
        assert_eq!(meant("peer.rw"), [2, 3, 4]);
        assert!(meant("peer.r").is_empty());
        assert!(meant("preshared_key.x[1]").is_empty());
        assert!(meant("preshared_key.x[\"3\"]").is_empty());
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, numbers) in [
            ("peer.rw[\"alice-*\"]", &[2, 3][..]),
            ("peer.rw[\"*\"]", &[2, 3, 4]),
            ("peer.rw[\"*i*e*\"]", &[2, 3]),
            ("peer.rw[\"alice-laptop*\"]", &[2]),
            ("peer.rw[\"bob*bob\"]", &[]),
            ("peer.rw[*]", &[2, 3, 4]),
            ("preshared_key.x[*]", &[5]),
            ("preshared_key.x[\"*\"]", &[]),
            ("peer.laptop[*]", &[]),
            ("peer.l*", &[1]),
            ("peer.*", &[1, 2, 3, 4]),
            ("*.hub", &[0]),
            ("p*.*", &[1, 2, 3, 4, 5]),
            ("module.*.peer.hub", &[6]),
            ("module.s*.*.hub", &[6, 8]),
        ] {
            assert_eq!(meant(pattern), numbers, "{pattern}");
        }
    }

    #[test]
    fn a_module_means_all_that_is_in_it() {
        for pattern in ["module.site", "module.site.**", "module.site[*].**", "module.site[*]"] {
            assert_eq!(meant(pattern), [6, 7], "{pattern}");
        }
        for (pattern, numbers) in [
            ("module.site[\"lyon\"]", &[7][..]),
            ("module.site[\"l*\"].**", &[7]),
            ("module.site.module.office", &[7]),
            ("module.site.peer.*", &[6]),
            ("module.site.**.peer.*", &[6, 7]),
            ("module.spare[*]", &[]),
            ("module.*", &[6, 7, 8]),
            ("**.peer.hub", &[6, 7]),
            ("**.interface.hub", &[0, 8]),
            ("**.module.office", &[7]),
            ("**", &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ] {
            assert_eq!(meant(pattern), numbers, "{pattern}");
        }
    }

    #[test]
    fn a_backend_means_what_lives_there() {
        let hub = Address::root(Kind::Interface, "hub");
        let on = |pattern: &str, backend: &str| {
            let pattern: Pattern = pattern.parse().unwrap();
            pattern.matches(&hub, [&BackendId::new("other"), &BackendId::new(backend)])
        };
        assert!(on("backend.lyon", "lyon"));
        assert!(!on("backend.lyon", "berlin"));
        assert!(on("backend.b*", "berlin"));
        assert!(on("backend.branch", "branch[\"berlin\"]"));
        assert!(on("backend.branch[\"b*\"]", "branch[\"berlin\"]"));
        assert!(!on("backend.branch[\"lyon\"]", "branch[\"berlin\"]"));
        assert!(on("backend.branch[2]", "branch[2]"));
        assert!(!on("backend.branch[*]", "branch"));
        assert!(!"backend.lyon".parse::<Pattern>().unwrap().matches(&hub, []));
    }

    #[test]
    fn a_star_of_a_key_is_written_with_a_backslash() {
        let matches = |pattern: &str, key: &str| {
            let key = InstanceKey::Name(key.to_owned());
            let address = Address::new(Vec::new(), Kind::Peer, "rw", Some(key));
            pattern.parse::<Pattern>().unwrap().matches(&address, [])
        };
        assert!(matches(r#"peer.rw["a\*"]"#, "a*"));
        assert!(!matches(r#"peer.rw["a\*"]"#, "ab"));
        assert!(matches(r#"peer.rw["\**"]"#, "*ab"));
        assert!(!matches(r#"peer.rw["\**"]"#, "ab"));
        assert!(matches(r#"peer.rw["*\\"]"#, r"ab\"));
        assert!(matches(r#"peer.rw["*\"]."]"#, "a\"]."));
    }

    #[test]
    fn only_what_stands_for_itself_is_an_address() {
        let is_address = |text: &str| text.parse::<Pattern>().unwrap().is_address();
        assert!(ALL.into_iter().all(is_address));
        assert!(is_address("peer.rw") && is_address(r#"peer.rw["a\*"]"#));
        for text in ["peer.*", "peer.rw[*]", "peer.rw[\"a*\"]", "module.site", "**", "backend.hq"] {
            assert!(!is_address(text), "{text}");
        }
    }

    #[test]
    fn a_stem_ends_before_the_first_star() {
        for (text, stem) in [
            ("peer.rw[\"alice-*\"]", "peer.rw"),
            ("peer.laptop", "peer.laptop"),
            ("module.site[*].**", "module.site"),
            ("module.site[\"x\"].peer.a*", "module.site[\"x\"].peer"),
            ("**", ""),
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap().stem(), stem);
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, why) in [
            ("hub", "it has no dot"),
            ("*", "it has no dot"),
            ("tunnel.hub", "there is no kind `tunnel`"),
            ("t*.hub", "there is no kind `t*`"),
            ("peer.", "`` is not a label"),
            ("peer.**", "`**` is not a label"),
            ("peer.a.b", "`b` is too much"),
            ("peer.a.**", "`**` is too much"),
            ("backend.a.peer.b", "`peer.b` is too much"),
            ("module.a.backend.b", "there is no kind `backend`"),
            ("peer.a[\"x", "the key is not closed"),
            ("peer.a[\"x*", "the key is not closed"),
            ("peer.a[\"x\"", "the `[` is not closed"),
            ("peer.a[*", "the `[` is not closed"),
            ("peer.a[x*]", "`x*` is not an index"),
            ("module.a[*]b", "`b` is too much"),
        ] {
            let error = text.parse::<Pattern>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is not the address of a resource: {why}"));
        }
    }

    #[test]
    fn what_a_shell_left_of_an_address_is_given_back_its_quotes() {
        for (left, written) in [
            ("peer.rw[alice]", r#"'peer.rw["alice"]'"#),
            ("peer.rw[alice phone]", r#"'peer.rw["alice phone"]'"#),
            ("peer.rw[alice-*]", r#"'peer.rw["alice-*"]'"#),
            ("peer.rw[it's]", r#"'peer.rw["it'\''s"]'"#),
            ("module.site[berlin].peer.x[1]", r#"'module.site["berlin"].peer.x[1]'"#),
            ("backend.branch[berlin]", r#"'backend.branch["berlin"]'"#),
        ] {
            let error = left.parse::<Pattern>().unwrap_err();
            let hint = error.get_hint().unwrap();
            assert!(hint.ends_with(&format!("write it as `{written}`")), "{hint}");
        }
        // What is wrong besides is not to be typed again.
        let hint = "tunnel.rw[alice]".parse::<Pattern>().unwrap_err();
        assert!(!hint.get_hint().unwrap().contains("tunnel"));
        assert_eq!(in_shell("peer.laptop"), "peer.laptop");
        assert_eq!(in_shell("peer.*"), "'peer.*'");
    }

    fn key() -> impl Strategy<Value = Option<InstanceKey>> {
        let name = "[a-z*\\\\\"\\[\\]. ]{0,6}".prop_map(InstanceKey::Name);
        prop::option::of(prop_oneof![any::<u32>().prop_map(InstanceKey::Index), name])
    }

    fn address() -> impl Strategy<Value = Address> {
        let step = ("[a-z_-]{1,4}", key()).prop_map(|(label, key)| ModuleStep { label, key });
        let module = prop::collection::vec(step, 0..3);
        let kind = prop::sample::select(Kind::ALL.to_vec());
        let all = (module, kind, "[a-z_-]{1,4}", key());
        all.prop_map(|(module, kind, label, key)| Address::new(module, kind, Arc::from(label), key))
    }

    proptest! {
        #[test]
        fn every_address_is_meant_by_itself_by_its_block_by_its_modules_and_by_everything(
            it in address(),
            other in address(),
        ) {
            let pattern = |text: &str| text.parse::<Pattern>().unwrap();
            prop_assert!(pattern(&it.to_string()).matches(&it, []));
            prop_assert!(pattern("**").matches(&it, []));
            let of_kind = format!("**.{}.*", it.kind);
            prop_assert!(pattern(&of_kind).matches(&it, []));
            prop_assert!(pattern(&block(&it)).matches(&it, []));
            for module in modules(&it) {
                prop_assert!(pattern(&module).matches(&it, []));
                let within = format!("{module}.**");
                prop_assert!(pattern(&within).matches(&it, []));
            }
            // A text without a star and with a key means one resource.
            let text = it.to_string();
            let says_all = it.key().is_some() && it.module().iter().all(|step| step.key.is_some());
            if says_all && !text.contains('*') && it != other {
                prop_assert!(!pattern(&text).matches(&other, []));
            }
        }
    }
}
