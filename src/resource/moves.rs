//! What was renamed: which address every old address has become.
//!
//! A statement names a resource, one instance of it, a module, or one instance of that. The order of statements makes no
//! difference: what one leads to, another one may lead further. Of several that fit, the one that says most counts, so that a
//! resource can be moved out of a module that moves too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::resource::address::{Part, part};
use crate::resource::{Address, InstanceKey, Kind, ModuleStep};
use crate::value::InvalidValue;

/// What can be given another address: a resource or a module, with all its instances or one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Movable {
    /// The modules on the way; the last one is what is moved when there is no resource.
    pub module: Vec<ModuleStep>,
    /// The resource.
    pub resource: Option<ResourceStep>,
}

/// The last step of an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceStep {
    /// What it is.
    pub kind: Kind,
    /// The label of its block.
    pub label: Arc<str>,
    /// Its instance, when the block is repeated.
    pub key: Option<InstanceKey>,
}

impl Movable {
    /// Returns the instance that is named, if one is.
    pub fn key(&self) -> Option<&InstanceKey> {
        match &self.resource {
            Some(resource) => resource.key.as_ref(),
            None => self.module.last().and_then(|step| step.key.as_ref()),
        }
    }

    /// Returns the kind of a resource.
    pub fn kind(&self) -> Option<Kind> {
        self.resource.as_ref().map(|it| it.kind)
    }

    /// Returns an address that it stands for: its own, or that of something in the module.
    fn example(&self, scope: &[String]) -> Address {
        let outer = scope.iter().map(|label| ModuleStep { label: label.clone(), key: None });
        let module = outer.chain(self.module.iter().cloned()).collect();
        match self.resource.clone() {
            Some(ResourceStep { kind, label, key }) => Address::new(module, kind, label, key),
            // No block can have that label.
            None => Address::new(module, Kind::Interface, "*", None),
        }
    }
}

impl From<&Address> for Movable {
    fn from(address: &Address) -> Self {
        let (kind, label, key) = (address.kind, address.label.clone(), address.key().cloned());
        let resource = Some(ResourceStep { kind, label, key });
        Self { module: address.module().to_vec(), resource }
    }
}

impl fmt::Display for Movable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = self.module.iter().map(|ModuleStep { label, key }| {
            format!("module.{label}{}", key.as_ref().map(ToString::to_string).unwrap_or_default())
        });
        let resource = self.resource.iter().map(|ResourceStep { kind, label, key }| {
            format!("{kind}.{label}{}", key.as_ref().map(ToString::to_string).unwrap_or_default())
        });
        f.pad(&module.chain(resource).collect::<Vec<_>>().join("."))
    }
}

impl FromStr for Movable {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = |why: String| {
            InvalidValue::new(format!(
                "`{text}` is not the address of a resource or a module: {why}"
            ))
            .hint("write it as `interface.hub`, `peer.laptop` or `module.site`")
        };
        let mut module = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (word, label, key, after): Part<'_> = part(text).map_err(&wrong)?;
            if word == "module" {
                module.push(ModuleStep { label: label.to_owned(), key });
                rest = after;
                continue;
            }
            if let Some(after) = after {
                return Err(wrong(format!("`{after}` is too much")));
            }
            let kind = Kind::from_block(word)
                .ok_or_else(|| wrong(format!("there is no kind `{word}`")))?;
            let resource = Some(ResourceStep { kind, label: label.into(), key });
            return Ok(Self { module, resource });
        }
        Ok(Self { module, resource: None })
    }
}

/// One statement: what `from` was is `to` from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The labels of the modules in which it is said, for each of their instances; none in the root.
    pub scope: Vec<String>,
    /// The old address.
    pub from: Movable,
    /// The new one, of the same kind.
    pub to: Movable,
}

impl Move {
    /// Returns whether it is about one instance. One that is not repeated is an instance too, where the other side names
    /// one.
    fn is_of_one(&self) -> bool {
        self.from.key().is_some() || self.to.key().is_some()
    }

    /// Returns what an address has become, of which so many modules are outside of the statement's.
    fn carry_out(&self, address: &Address, depth: usize) -> Address {
        let (outer, inner) = address.module().split_at(depth);
        let mut module = [outer, &self.to.module].concat();
        match &self.to.resource {
            Some(ResourceStep { kind, label, key }) => {
                let key = if self.is_of_one() { key.clone() } else { address.key().cloned() };
                Address::new(module, *kind, label.clone(), key)
            }
            None => {
                let (moved, rest) = inner.split_at(self.from.module.len());
                if let Some(last) = module.last_mut().filter(|_| !self.is_of_one()) {
                    last.key = moved.last().and_then(|step| step.key.clone());
                }
                module.extend_from_slice(rest);
                Address::new(module, address.kind, address.label.clone(), address.key().cloned())
            }
        }
    }
}

/// Statements, ready to be asked.
#[derive(Debug, Default)]
pub struct Moves {
    moves: Vec<Move>,
    /// By the modules in which they are said; then by what they move, and whether that is one instance.
    by_scope: BTreeMap<Vec<String>, HashMap<(Movable, bool), usize>>,
}

/// Where statements lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The new address.
    pub address: Address,
    /// The statements that led there, in their order.
    pub by: Vec<usize>,
}

/// Statements that lead back to where they began, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle(pub Vec<usize>);

impl Moves {
    /// Takes statements. Of two that move the same, the first one counts; see [`twice`](Self::twice).
    pub fn new(moves: Vec<Move>) -> Self {
        let mut by_scope: BTreeMap<Vec<String>, HashMap<_, usize>> = BTreeMap::new();
        for (index, it) in moves.iter().enumerate() {
            let key = (it.from.clone(), it.is_of_one());
            by_scope.entry(it.scope.clone()).or_default().entry(key).or_insert(index);
        }
        Self { moves, by_scope }
    }

    /// Returns the statements.
    pub fn all(&self) -> &[Move] {
        &self.moves
    }

    /// Returns the statement that an address is moved by first.
    pub fn first(&self, address: &Address) -> Option<usize> {
        self.step(address).map(|(index, _)| index)
    }

    /// Follows all statements from an old address; none when nothing moves it.
    ///
    /// # Errors
    /// When they lead in a circle.
    pub fn follow(&self, address: &Address) -> Result<Option<Moved>, Circle> {
        let mut moved: Option<Moved> = None;
        let mut seen = BTreeSet::new();
        while let Some((index, depth)) = self.step(moved.as_ref().map_or(address, |it| &it.address))
        {
            let now =
                moved.get_or_insert_with(|| Moved { address: address.clone(), by: Vec::new() });
            if !seen.insert(index) {
                let begin = now.by.iter().position(|it| *it == index).unwrap_or_default();
                return Err(Circle(now.by.split_off(begin)));
            }
            now.by.push(index);
            now.address = self.moves[index].carry_out(&now.address, depth);
        }
        // What comes back to where it was did not move.
        Ok(moved.filter(|it| it.address != *address))
    }

    /// Returns the circles in which statements lead, each once.
    pub fn circles(&self) -> Vec<Circle> {
        let mut known = BTreeSet::new();
        let mut circles = Vec::new();
        for it in &self.moves {
            let Err(Circle(by)) = self.follow(&it.from.example(&it.scope)) else { continue };
            if !by.iter().any(|index| known.contains(index)) {
                known.extend(by.iter().copied());
                circles.push(Circle(by));
            }
        }
        circles
    }

    /// Returns the statements that move the same thing as an earlier one, or to the same place, each with that one.
    pub fn twice(&self, side: impl Fn(&Move) -> &Movable) -> Vec<(usize, usize)> {
        let mut first: HashMap<(&[String], &Movable, bool), usize> = HashMap::new();
        let mut twice = Vec::new();
        for (index, it) in self.moves.iter().enumerate() {
            match first.entry((&it.scope, side(it), it.is_of_one())) {
                std::collections::hash_map::Entry::Occupied(entry) => {
                    twice.push((*entry.get(), index))
                }
                std::collections::hash_map::Entry::Vacant(entry) => _ = entry.insert(index),
            }
        }
        twice
    }

    /// Finds the statement that says most of an address, and how many modules of the address are outside of it.
    fn step(&self, address: &Address) -> Option<(usize, usize)> {
        if self.moves.is_empty() {
            return None;
        }
        let mut best: Option<((usize, bool), usize, usize)> = None;
        let mut scope: Vec<String> = Vec::new();
        for depth in 0..=address.module().len() {
            if let Some(moves) = self.by_scope.get(&scope)
                && let Some((rank, index)) = most_specific(moves, address, depth)
                && best.is_none_or(|(other, ..)| rank > other)
            {
                best = Some((rank, index, depth));
            }
            scope.extend(address.module().get(depth).map(|step| step.label.clone()));
        }
        best.map(|(_, index, depth)| (index, depth))
    }
}

/// Finds the statement of one scope that says most of an address, and how much that is.
fn most_specific(
    moves: &HashMap<(Movable, bool), usize>,
    address: &Address,
    depth: usize,
) -> Option<((usize, bool), usize)> {
    let inner = &address.module()[depth..];
    let resource = |key: Option<InstanceKey>| {
        let step = ResourceStep { kind: address.kind, label: address.label.clone(), key };
        Movable { module: inner.to_vec(), resource: Some(step) }
    };
    let find = |movable: Movable, is_of_one: bool| moves.get(&(movable, is_of_one)).copied();
    if let Some(index) = find(resource(address.key().cloned()), true) {
        return Some(((usize::MAX, true), index));
    }
    if let Some(index) = find(resource(None), false) {
        return Some(((usize::MAX, false), index));
    }
    (1..=inner.len()).rev().find_map(|length| {
        let module = inner[..length].to_vec();
        let mut whole = module.clone();
        whole[length - 1].key = None;
        let one = find(Movable { module, resource: None }, true).map(|index| (true, index));
        let all =
            || find(Movable { module: whole, resource: None }, false).map(|index| (false, index));
        one.or_else(all).map(|(is_of_one, index)| ((depth + length, is_of_one), index))
    })
}

#[cfg(test)]
mod tests {
    use crate::resource::moves::{Circle, Movable, Move, Moves};

    fn moves(pairs: &[(&str, &str)]) -> Moves {
        Moves::new(pairs.iter().map(|(from, to)| said_in(&[], from, to)).collect())
    }

    fn said_in(scope: &[&str], from: &str, to: &str) -> Move {
        let scope = scope.iter().map(|it| (*it).to_owned()).collect();
        Move { scope, from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    fn follow(moves: &Moves, address: &str) -> String {
        match moves.follow(&address.parse().unwrap()) {
            Ok(Some(moved)) => moved.address.to_string(),
            Ok(None) => "stays".to_owned(),
            Err(Circle(by)) => format!("circle {by:?}"),
        }
    }

    #[test]
    fn a_statement_moves_what_it_names() {
        for (from, to, address, expected) in [
            ("peer.a", "peer.b", "peer.a", "peer.b"),
            ("peer.a", "peer.b", "peer.c", "stays"),
            ("peer.a", "peer.b", "interface.a", "stays"),
            ("peer.a", "peer.b", "peer.a[\"x\"]", "peer.b[\"x\"]"),
            ("peer.a", "peer.b[\"x\"]", "peer.a", "peer.b[\"x\"]"),
            ("peer.a", "peer.b[\"x\"]", "peer.a[\"y\"]", "stays"),
            ("peer.a", "peer.a[\"x\"]", "peer.a", "peer.a[\"x\"]"),
            ("peer.a[\"x\"]", "peer.a", "peer.a[\"x\"]", "peer.a"),
            ("peer.a[\"x\"]", "peer.a[\"y\"]", "peer.a[\"x\"]", "peer.a[\"y\"]"),
            ("peer.a[0]", "peer.a[\"y\"]", "peer.a[0]", "peer.a[\"y\"]"),
            ("module.a", "module.b", "module.a.peer.x", "module.b.peer.x"),
            ("module.a", "module.b", "module.a[\"k\"].peer.x[1]", "module.b[\"k\"].peer.x[1]"),
            ("module.a", "module.a[\"k\"]", "module.a.peer.x", "module.a[\"k\"].peer.x"),
            (
                "module.a[\"k\"]",
                "module.a[\"l\"]",
                "module.a[\"k\"].peer.x",
                "module.a[\"l\"].peer.x",
            ),
            ("module.a[\"k\"]", "module.a[\"l\"]", "module.a[\"m\"].peer.x", "stays"),
            ("module.a.module.c", "module.d", "module.a.module.c.peer.x", "module.d.peer.x"),
            ("module.a.module.c", "module.d", "module.a.peer.x", "stays"),
            ("module.a.peer.x", "peer.y", "module.a.peer.x", "peer.y"),
            ("peer.y", "module.a.peer.x", "peer.y", "module.a.peer.x"),
        ] {
            assert_eq!(follow(&moves(&[(from, to)]), address), expected, "{from} -> {to}");
        }
    }

    #[test]
    fn statements_lead_on_in_any_order() {
        for pairs in [
            [("peer.a", "peer.b"), ("peer.b", "peer.c"), ("peer.c", "module.m.peer.c")],
            [("peer.c", "module.m.peer.c"), ("peer.b", "peer.c"), ("peer.a", "peer.b")],
        ] {
            for old in ["peer.a", "peer.b", "peer.c"] {
                assert_eq!(follow(&moves(&pairs), old), "module.m.peer.c");
            }
        }
    }

    #[test]
    fn what_says_most_counts() {
        let moves = moves(&[
            ("module.a", "module.b"),
            ("module.a.peer.x", "peer.x"),
            ("peer.r", "peer.s"),
            ("peer.r[\"k\"]", "peer.t"),
            ("module.b.peer.z", "module.b.peer.w"),
        ]);
        for (old, new) in [
            ("module.a.peer.x", "peer.x"),
            ("module.a.peer.y", "module.b.peer.y"),
            ("module.a.peer.z", "module.b.peer.w"),
            ("peer.r[\"k\"]", "peer.t"),
            ("peer.r[\"l\"]", "peer.s[\"l\"]"),
        ] {
            assert_eq!(follow(&moves, old), new);
        }
    }

    #[test]
    fn a_statement_in_a_module_holds_for_each_of_its_instances() {
        let moves = Moves::new(vec![
            said_in(&["site"], "peer.a", "peer.b"),
            said_in(&[], "module.site", "module.place"),
        ]);
        assert_eq!(follow(&moves, "module.site[\"x\"].peer.a"), "module.place[\"x\"].peer.b");
        assert_eq!(follow(&moves, "peer.a"), "stays");
        assert_eq!(follow(&moves, "module.other.peer.a"), "stays");
    }

    #[test]
    fn circles_are_found_once_each() {
        let moves = moves(&[
            ("peer.a", "peer.b"),
            ("peer.b", "peer.c"),
            ("peer.c", "peer.b"),
            ("module.m", "module.m.module.m"),
            ("interface.a", "interface.b"),
        ]);
        assert_eq!(moves.circles(), [Circle(vec![1, 2]), Circle(vec![3])]);
        assert_eq!(follow(&moves, "peer.a"), "circle [1, 2]");
    }

    #[test]
    fn what_is_moved_twice_is_found() {
        let moves = moves(&[("peer.a", "peer.b"), ("peer.a", "peer.c"), ("peer.d", "peer.b")]);
        assert_eq!(moves.twice(|it| &it.from), [(0, 1)]);
        assert_eq!(moves.twice(|it| &it.to), [(0, 2)]);
    }

    #[test]
    fn movables_read_back_as_they_print() {
        for text in
            ["peer.a", "module.a", "module.a[\"x y\"].module.b[3]", "module.a.interface.b[\"c\"]"]
        {
            assert_eq!(text.parse::<Movable>().unwrap().to_string(), text);
        }
        let error = "modul.a".parse::<Movable>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`modul.a` is not the address of a resource or a module: there is no kind `modul`"
        );
    }
}
