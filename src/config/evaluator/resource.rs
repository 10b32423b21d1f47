//! One resource: its attributes decoded and checked, and what others get when they refer to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::block::{Expr, Node, ResourceBlock};
use crate::config::decode::{Decoded, decode, default_of, linux_name, value_of};
use crate::config::evaluator::run::Run;
use crate::config::evaluator::settings::unknown;
use crate::config::evaluator::{pfsense, routeros};
use crate::config::expression::{Evaluated, Failures, poisoned};
use crate::config::parse::{is_reference, or};
use crate::config::reference::name_of;
use crate::config::value::{Data, Value};
use crate::config::{Desired, Trigger, Wanted, secrets};
use crate::diagnostic::rule::{MTU_BELOW_1280, OWN_PUBLIC_KEY};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{
    Address, Attribute, BackendId, BackendKind, Field, Form, Kind, Presence, Support, declaration,
};
use crate::value::PrivateKey;

impl Run<'_> {
    /// Evaluates a resource, and says of what is wrong with it in which instance that is.
    pub(super) fn resource(&self, address: &Address) -> Evaluated<Desired> {
        let Some(run) = self.at_resource(address) else { return poisoned() };
        run.desired(address)
            .map_err(|problems| problems.into_iter().map(|it| run.in_module(it)).collect())
    }

    /// Evaluates the resource in the place of which this is.
    fn desired(&self, address: &Address) -> Evaluated<Desired> {
        let Some(block) = self.evaluator.config.block_of(address) else { return poisoned() };
        let mut desired = self.empty(address, block);
        let mut failures = Failures::default();
        for attribute in declaration::attributes(address.kind) {
            failures.take(self.take(attribute, block, &mut desired));
        }
        desired.backend = failures.take(self.backend_of(address)).flatten();
        if let Some(expr) = &block.prevent_destroy {
            let flag = failures.take(self.flag(expr, "`prevent_destroy`"));
            desired.prevent_destroy = flag.unwrap_or_default();
        }
        let kind = desired.backend.as_ref().map(|id| self.kind_of(id));
        if let Some(kind) = kind {
            self.check(kind, &desired, block, &mut failures);
        }
        if let Some(backend) = &desired.backend {
            let problems = failures.take(self.in_namespace(backend, &desired));
            problems.into_iter().flatten().for_each(|it| failures.add(it));
        }
        desired.depends_on = self.used_by(address, block);
        self.check_adopted(block).into_iter().for_each(|it| failures.add(it));
        desired.reads.clone_from(&self.call.reads.borrow());
        failures.or(desired)
    }

    /// Returns everything that a resource uses something of, and what `depends_on` names for it and for its modules.
    fn used_by(&self, address: &Address, block: &ResourceBlock) -> Arc<BTreeSet<Address>> {
        *self.call.this.borrow_mut() = Some(address.clone());
        // What is wrong with a condition is said where it is looked at.
        block.lifecycle.conditions().for_each(|it| drop(self.evaluate(&it.condition)));
        self.call.this.take();
        let mut used = self.take_touched();
        let triggers = block.lifecycle.triggers.iter();
        used.extend(triggers.flat_map(|it| self.meant(&Node::Resource(it.block(), None))));
        used.extend(block.depends_on.iter().flat_map(|(node, _)| self.meant(node)));
        let own = Address::root(address.kind, address.label.clone());
        used.extend(self.keys_of(&Node::Resource(own, None)));
        let mut outer = self.caller();
        while let Some(run) = outer {
            let steps = address.module();
            let step = steps.get(run.place.instance.steps.len());
            let block = step.and_then(|step| run.blocks().modules.get(step.label.as_str()));
            let named = block.into_iter().flat_map(|it| &it.depends_on);
            used.extend(named.flat_map(|(node, _)| run.meant(node)));
            used.extend(
                step.into_iter()
                    .flat_map(|step| run.keys_of(&Node::Module(step.label.as_str().into(), None))),
            );
            outer = run.caller();
        }
        used.remove(address);
        let mut shared = self.evaluator.shared.borrow_mut();
        if let Some(known) = shared.get(&used) {
            return known.clone();
        }
        let used = Arc::new(used);
        shared.insert(used.clone());
        used
    }

    /// Returns the resources that the keys of a block of this module are made of.
    fn keys_of(&self, block: &Node) -> Vec<Address> {
        // What is wrong with them is said where all are found.
        drop(self.keys(block));
        let at = (self.place.instance.id, block.clone());
        let instances = self.evaluator.instances.borrow();
        instances.used.get(&at).into_iter().flatten().cloned().collect()
    }

    /// Checks that there is what `adopt_from` names.
    fn check_adopted(&self, block: &ResourceBlock) -> Option<Diagnostic> {
        let (named, span) = block.adopt_from.as_ref()?;
        let peer = self.place.absolute(named, named.key().cloned());
        let owner = Node::Resource(Address::root(named.kind, named.label.clone()), None);
        let keys = self.keys(&owner).ok()?;
        if keys.has(named.key()) {
            return None;
        }
        let problem = Diagnostic::error("reference to an instance that is not there")
            .label(span, format!("there is no `{peer}`"));
        Some(match keys.list().into_iter().flatten().next() {
            Some(key) => {
                problem.help(format!("Name an instance, such as `{named}{key}`.", named = owner))
            }
            None => problem.help("Name a peer that is there."),
        })
    }

    /// Evaluates one attribute into its place.
    fn take(
        &self,
        attribute: &'static Attribute,
        block: &ResourceBlock,
        desired: &mut Desired,
    ) -> Evaluated<()> {
        let name = attribute.name;
        let Some(expr) = block.attributes.get(name) else {
            if block.meant.contains(name) {
                return poisoned();
            }
            desired.fields.extend(default_of(attribute).map(|it| (name, Wanted::Known(it))));
            return Ok(());
        };
        let value = self.evaluate(expr)?;
        let is_sensitive = value.is_sensitive_anywhere();
        if name == "public_key" {
            desired.far = value.origin().cloned();
        }
        match decode(attribute, &value, expr)? {
            Decoded::Unset => match attribute.presence {
                Presence::Required => return Err(vec![null(attribute, expr)]),
                Presence::RequiredNullable => desired.is_pending = true,
                _ => {
                    desired
                        .fields
                        .extend(default_of(attribute).map(|it| (name, Wanted::Known(it))));
                    return Ok(());
                }
            },
            Decoded::Unknown if is_reference(&attribute.form) => {
                return Err(vec![unknown(&expr.span(), &format!("`{name}`"))]);
            }
            Decoded::Unknown => {
                desired.fields.insert(name, Wanted::Unknown);
            }
            Decoded::Field(field) => {
                desired.fields.insert(name, Wanted::Known(field));
            }
            Decoded::Resource(address) => {
                self.touch(&address);
                desired.references.insert(name, address);
            }
            Decoded::Backend => {}
        }
        desired.spans.insert(name, expr.span());
        if is_sensitive && !attribute.form.is_secret() {
            desired.sensitive.insert(name);
        }
        Ok(())
    }

    /// Returns where a resource lives. A peer lives where its interface does.
    fn backend_of(&self, address: &Address) -> Evaluated<Option<BackendId>> {
        let attribute = match address.kind {
            Kind::Interface => "backend",
            Kind::Peer => "interface",
            Kind::PresharedKey => return Ok(None),
        };
        if !self.evaluator.config.has_block(address) {
            return poisoned();
        }
        match self.attribute_node(address, attribute)?.data {
            Data::Backend(id) => Ok(Some(id)),
            Data::Resource(interface) if interface.kind == Kind::Interface => {
                self.backend_of(&interface)
            }
            // Said where the attribute is decoded.
            _ => Ok(None),
        }
    }

    /// Returns what an attribute of a resource is, for those that refer to it.
    pub(super) fn attribute_of(&self, address: &Address, name: &'static str) -> Evaluated {
        let declared = declaration::attribute(address.kind, name);
        let block = self.evaluator.config.block_of(address);
        let (Some(attribute), Some(block)) = (declared, block) else { return poisoned() };
        if name == "adopt_from" {
            let named = block.adopt_from.as_ref();
            let absolute = |it: &Address| self.place.absolute(it, it.key().cloned());
            return Ok(named.map_or(Value::NULL, |(address, _)| absolute(address).into()));
        }
        if let Some(value) = self.kept(address, name, block) {
            return Ok(value);
        }
        if let Some(expr) = block.attributes.get(name) {
            let value = self.evaluate(expr)?;
            let is_sensitive = value.is_sensitive_anywhere();
            match decode(attribute, &value, expr)? {
                Decoded::Unset => {}
                Decoded::Unknown => return Ok(Value::UNKNOWN.marked(is_sensitive)),
                // Its order is the user's.
                Decoded::Field(Field::Addresses(_) | Field::Prefixes(_)) => return Ok(value),
                Decoded::Field(field) => return Ok(value_of(&field).marked(is_sensitive)),
                Decoded::Resource(_) | Decoded::Backend => return Ok(value),
            }
        }
        let is_required =
            matches!(attribute.presence, Presence::Required | Presence::RequiredNullable);
        if block.meant.contains(name) || (is_required && !block.attributes.contains_key(name)) {
            // Parsing says that it is missing, or has a wrong name.
            return poisoned();
        }
        self.unset_attribute(address, attribute, block)
    }

    /// Returns the value of an attribute whose changes are ignored, once it is known that its object stays.
    fn kept(&self, address: &Address, name: &'static str, block: &ResourceBlock) -> Option<Value> {
        if !block.lifecycle.ignored.contains(name) {
            return None;
        }
        self.call.consulted.set(true);
        let kept = self.computed?.kept(address, name)?;
        Some(kept.map_or(Value::NULL, |field| value_of(&field)))
    }

    fn unset_attribute(
        &self,
        address: &Address,
        attribute: &'static Attribute,
        block: &ResourceBlock,
    ) -> Evaluated {
        let name = attribute.name;
        if let Some(field) = default_of(attribute) {
            return Ok(value_of(&field));
        }
        if attribute.form == Form::Backend {
            return match self.default_backend()? {
                Some(id) => Ok(id.into()),
                None => Err(vec![no_backend(&block.span)]),
            };
        }
        if (address.kind, name) == (Kind::Interface, "public_key")
            && self.kept(address, "private_key", block).is_none()
            && let Some(value) = self.derived_public_key(block)?
        {
            return Ok(value);
        }
        if !matches!(attribute.presence, Presence::Computed | Presence::OptionalComputed) {
            return Ok(Value::NULL);
        }
        self.call.consulted.set(true);
        let computed = self.computed.and_then(|it| it.computed(address, name));
        Ok(match computed {
            Some(field) => value_of(&field),
            // A firewall has names of its own, of which the plan takes a free one.
            None if name == "name" && self.is_named_by_plan(address)? => Value::UNKNOWN,
            // It may have another one, which it keeps when it moves; keys are the same whatever is known.
            None if name == "name" && self.call.is_for_keys.get() => Value::UNKNOWN,
            None if name == "name" => Value::text(address.default_name()),
            None if self.computed.is_some_and(|it| it.is_null(address, name)) => Value::NULL,
            None => Value::UNKNOWN,
        })
    }

    fn is_named_by_plan(&self, address: &Address) -> Evaluated<bool> {
        let backend = match address.kind {
            Kind::Interface => self.backend_of(address)?,
            Kind::Peer | Kind::PresharedKey => None,
        };
        Ok(backend.is_some_and(|id| self.kind_of(&id) == BackendKind::PfSense))
    }

    /// Returns the public key of a private key that is written. It is no secret.
    fn derived_public_key(&self, block: &ResourceBlock) -> Evaluated<Option<Value>> {
        let Some(expr) = block.attributes.get("private_key") else { return Ok(None) };
        let value = self.evaluate(expr)?;
        if value.is_unknown() {
            return Ok(Some(Value::UNKNOWN));
        }
        let key = value.to_text().and_then(|text| text.parse::<PrivateKey>().ok());
        Ok(key.map(|key| Value::text(key.public().to_string())))
    }

    /// Checks what no attribute can tell alone.
    fn check(
        &self,
        kind: BackendKind,
        desired: &Desired,
        block: &ResourceBlock,
        failures: &mut Failures,
    ) {
        for attribute in declaration::attributes(desired.address.kind) {
            let (Some(field), Some(span)) =
                (desired.fields.get(attribute.name), desired.spans.get(attribute.name))
            else {
                continue;
            };
            unsupported(attribute, kind, field, span).into_iter().for_each(|it| failures.add(it));
        }
        if desired.address.kind == Kind::Interface {
            let found = small_mtu(desired).into_iter().chain(commands_at_boot(desired));
            found.for_each(|it| failures.add(it));
        }
        match (kind, desired.address.kind) {
            (BackendKind::RouterOs, _) => {
                routeros::misfits(desired).into_iter().for_each(|it| failures.add(it));
            }
            (BackendKind::PfSense, _) => {
                pfsense::misfits(desired).into_iter().for_each(|it| failures.add(it));
            }
            (BackendKind::Local | BackendKind::Linux, Kind::Interface) => {
                self.wrong_name(desired, block).into_iter().for_each(|it| failures.add(it));
                gateway(desired).into_iter().for_each(|it| failures.add(it));
            }
            (BackendKind::Local | BackendKind::Linux, _) => {}
        }
        own_key(desired, block).into_iter().for_each(|it| failures.add(it));
    }

    fn empty(&self, address: &Address, block: &ResourceBlock) -> Desired {
        let mut references = BTreeMap::new();
        let mut spans = BTreeMap::new();
        if let Some((peer, span)) = &block.adopt_from {
            let peer = self.place.absolute(peer, peer.key().cloned());
            references.insert("adopt_from", Arc::new(peer));
            spans.insert("adopt_from", span.clone());
        }
        let absolute = |it: &Trigger| {
            let key = it.address.key().cloned();
            Trigger { address: self.place.absolute(&it.block(), key), ..it.clone() }
        };
        Desired {
            address: address.clone(),
            backend: None,
            fields: BTreeMap::new(),
            references,
            depends_on: Arc::default(),
            far: None,
            is_pending: false,
            prevent_destroy: false,
            ignored: block.lifecycle.ignored.clone(),
            held: BTreeSet::new(),
            triggers: block.lifecycle.triggers.iter().map(absolute).collect(),
            reads: BTreeSet::new(),
            span: block.span.clone(),
            spans,
            sensitive: BTreeSet::new(),
        }
    }

    /// Checks what a network namespace does not have: a resolver, which knows the links of its own namespace only and would
    /// take another link for the one that is meant; and something that makes it at boot.
    fn in_namespace(&self, backend: &BackendId, desired: &Desired) -> Evaluated<Vec<Diagnostic>> {
        let Some(netns) = self.namespace_of(backend)? else { return Ok(Vec::new()) };
        let servers = ["dns", "dns_search"].iter().find_map(|name| desired.spans.get(name));
        let servers = servers.map(|span| {
            Diagnostic::error("name servers in a network namespace")
                .label(span, format!("backend `{backend}` is in the network namespace `{netns}`, where no resolver runs"))
                .help(format!("Write them into `/etc/netns/{netns}/resolv.conf`, which `ip netns exec` uses."))
        });
        let persist = persist(desired).map(|(_, span)| {
            Diagnostic::error("persistence in a network namespace")
                .label(span, format!("nothing makes the network namespace `{netns}` at boot"))
                .help("Set `persist = \"none\"`, and let `wgform apply` run after whatever makes the namespace.")
        });
        Ok(servers.into_iter().chain(persist).collect())
    }

    /// Checks the name of a Linux interface, also the one that its label makes.
    fn wrong_name(&self, desired: &Desired, block: &ResourceBlock) -> Option<Diagnostic> {
        let address = &desired.address;
        let wrong = Diagnostic::error("interface name that Linux does not take");
        match (desired.fields.get("name"), desired.spans.get("name")) {
            (Some(Wanted::Known(Field::Text(name))), Some(span)) => {
                let is_hidden =
                    desired.sensitive.contains("name") || !secrets::keys(name).is_empty();
                let shown = if is_hidden { "this name".to_owned() } else { format!("`{name}`") };
                let text = format!("{shown} {}", linux_name(name).err()?);
                Some(
                    wrong.label(span, text).help(
                        "Write a name of 1 to 15 bytes, without white space, `/`, `:` and `%`.",
                    ),
                )
            }
            (Some(_), _) => None,
            (None, _) => {
                self.call.consulted.set(true);
                let fixed = self.computed.and_then(|it| it.computed(address, "name"));
                let name = address.default_name();
                match (fixed, linux_name(&name)) {
                    (None, Err(why)) => Some(
                        wrong
                            .label(
                                &block.span,
                                format!("the name comes from the label, and `{name}` {why}"),
                            )
                            .help("Add a line such as `name = \"wg0\"`."),
                    ),
                    _ => None,
                }
            }
        }
    }
}

/// Returns what brings an interface back at boot, and where that is written; nothing for `"none"`.
fn persist(desired: &Desired) -> Option<(&str, &Span)> {
    match (desired.fields.get("persist")?, desired.spans.get("persist")?) {
        (Wanted::Known(Field::Text(word)), span) if word != "none" => Some((word, span)),
        _ => None,
    }
}

fn commands_at_boot(desired: &Desired) -> Vec<Diagnostic> {
    if persist(desired).is_none_or(|(word, _)| word != "networkd") {
        return Vec::new();
    }
    let problem = |at: &&'static str| {
        let span = desired.spans.get(*at)?;
        let Wanted::Known(Field::Commands(all)) = desired.fields.get(*at)? else { return None };
        let text = format!("systemd-networkd brings `{}` back without `{at}`", desired.address);
        let help =
            "Set `persist = \"wg-quick\"`, which runs them, or let a systemd unit do what they do.";
        let problem = Diagnostic::error("commands that networkd cannot run at boot");
        (!all.is_empty()).then(|| problem.label(span, text).help(help))
    };
    ["pre_up", "post_up", "pre_down", "post_down"].iter().filter_map(problem).collect()
}

fn null(attribute: &Attribute, expr: &Expr) -> Diagnostic {
    Diagnostic::error("missing argument")
        .label(
            &expr.span(),
            format!("`{}` is null, and has to be {}", attribute.name, attribute.form.noun()),
        )
        .help("Write a value, or refer to one that is not null.")
}

fn no_backend(span: &Span) -> Diagnostic {
    Diagnostic::error("interface without a backend")
        .label(span, "several backends are declared, and this names none")
        .help("Add `backend = backend.NAME`, or set `default_backend` in the `wgform` block.")
}

/// An attribute that a backend does not have passes when it equals its default.
fn unsupported(
    attribute: &Attribute,
    kind: BackendKind,
    wanted: &Wanted,
    span: &Span,
) -> Option<Diagnostic> {
    let is_default = wanted.known().is_some_and(|it| default_of(attribute).as_ref() == Some(it));
    (attribute.support(kind) == Support::No && !is_default).then(|| {
        let has = |kind: &BackendKind| attribute.support(*kind) != Support::No;
        let kinds = BackendKind::ALL.into_iter().filter(has);
        let kinds: Vec<_> = kinds.map(|kind| format!("`{}`", kind.as_str())).collect();
        Diagnostic::error("attribute that the backend does not have")
            .label(
                span,
                format!("a backend of kind `{}` has no `{}`", kind.as_str(), attribute.name),
            )
            .help(format!("Leave it out: it is for backends of kind {}.", or(&kinds)))
    })
}

/// Returns what no backend of that kind takes of a resource, as far as that can be said without the rest of the
/// configuration.
pub(crate) fn misfits(kind: BackendKind, desired: &Desired) -> Vec<Diagnostic> {
    let own = match kind {
        BackendKind::RouterOs => routeros::misfits(desired),
        BackendKind::PfSense => pfsense::misfits(desired),
        BackendKind::Local | BackendKind::Linux => Vec::new(),
    };
    small_mtu(desired).into_iter().chain(own).collect()
}

/// The kernel knows by a peer's allowed IPs which far end a packet goes to.
fn gateway(desired: &Desired) -> Option<Diagnostic> {
    let Some(Field::Routes(routes)) = desired.fields.get("routes").and_then(Wanted::known) else {
        return None;
    };
    (routes.gateway.is_some() || routes.check_gateway.is_some()).then(|| {
        let span = desired.spans.get("routes").unwrap_or(&desired.span);
        Diagnostic::error("gateway on a Linux host")
            .label(span, "the routes lead to the interface, and its peers have the networks")
            .help("Leave `gateway` and `check_gateway` out: they are for backends of kind `routeros`.")
    })
}

/// A peer that takes the key of the interface it is on: also while that key is not known, which no plan could tell.
fn own_key(desired: &Desired, block: &ResourceBlock) -> Option<Diagnostic> {
    let (on, key) = (desired.references.get("interface")?, block.attributes.get("public_key")?);
    let name = name_of(&key.expression)?;
    let of = (name.root, name.name?, name.attribute?.0);
    let is_here = on.key().is_none() && on.module() == desired.address.module();
    (is_here && of == (on.kind.as_str(), &*on.label, "public_key"))
        .then(|| own_public_key(&key.span(), on))
}

/// Says that a peer would be the interface that it is on.
pub fn own_public_key(at: &Span, on: &Address) -> Diagnostic {
    Diagnostic::error("peer with the interface's own public key")
        .rule(&OWN_PUBLIC_KEY)
        .label(at, format!("this is the key of `{on}` itself"))
        .help("Use the public key of the far end. An interface cannot be its own peer.")
}

/// IPv6 needs packets of at least 1280 bytes.
fn small_mtu(desired: &Desired) -> Option<Diagnostic> {
    let Some(Wanted::Known(Field::Number(mtu))) = desired.fields.get("mtu") else { return None };
    let Some(Wanted::Known(Field::Addresses(addresses))) = desired.fields.get("addresses") else {
        return None;
    };
    let is_v6 = addresses.iter().any(|it| matches!(it.address(), IpAddr::V6(_)));
    if *mtu >= 1280 || !is_v6 {
        return None;
    }
    let mut diagnostic = Diagnostic::error("interface MTU too small for IPv6")
        .rule(&MTU_BELOW_1280)
        .label(desired.spans.get("mtu")?, "with an IPv6 address this has to be at least 1280")
        .help("Set `mtu = 1280` or more, or remove the IPv6 addresses.");
    if let Some(span) = desired.spans.get("addresses") {
        diagnostic = diagnostic.label(span, "an IPv6 address is here");
    }
    Some(diagnostic)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::config::Wanted;
    use crate::config::evaluator::resource::unsupported;
    use crate::diagnostic::{SourceText, Span};
    use crate::resource::{BackendKind, Field, Kind, Support, declaration};

    #[test]
    fn an_attribute_that_the_backend_lacks_passes_with_its_default_only() {
        let fwmark = declaration::attribute(Kind::Interface, "fwmark").unwrap();
        let lacking = crate::resource::Attribute { local: Support::No, ..*fwmark };
        let source = SourceText { name: String::new(), text: String::new(), secrets: Vec::new() };
        let span = Span { source: Arc::new(source), range: 0..0 };
        let error = |attribute, wanted| unsupported(attribute, BackendKind::Local, wanted, &span);
        let (zero, one) = (Wanted::Known(Field::Number(0)), Wanted::Known(Field::Number(1)));
        assert!(error(&lacking, &zero).is_none());
        assert!(error(&lacking, &one).is_some());
        assert!(error(&lacking, &Wanted::Unknown).is_some());
        assert!(error(fwmark, &one).is_none());
    }
}
