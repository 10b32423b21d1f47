//! One attribute's value, parsed, and maps of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::resource::Form;
use crate::value::{
    Cidr, Endpoint, FingerprintKey, InvalidValue, Keepalive, Prefix, PresharedKey, PrivateKey,
    PublicKey, Routes,
};

/// The value of one attribute. Equal values are equal whatever a user or a device wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Any text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// A port, an MTU, a firewall mark.
    Number(u32),
    /// A public key.
    PublicKey(PublicKey),
    /// A private key; compared and recorded by its public key.
    PrivateKey(PrivateKey),
    /// A pre-shared key, or the statement that there is none.
    PresharedKey(Option<PresharedKey>),
    /// Addresses with host bits.
    Addresses(BTreeSet<Cidr>),
    /// Masked networks.
    Prefixes(BTreeSet<Prefix>),
    /// A host and port.
    Endpoint(Endpoint),
    /// A persistent keepalive.
    Keepalive(Keepalive),
    /// An instant.
    Time(Timestamp),
    /// What routes there are.
    Routes(Box<Routes>),
    /// Name servers, in order.
    Servers(Vec<IpAddr>),
    /// Domain names, in order.
    Domains(Vec<String>),
    /// Names that the device knows.
    Names(BTreeSet<String>),
    /// Programs with their arguments, in order.
    Commands(Vec<Vec<String>>),
}

impl Field {
    /// Returns the form in which a state file remembers the value and compares it: canonical, and without secrets.
    /// A private key becomes its public key, a pre-shared key its fingerprint, or `"none"`.
    pub fn recorded(&self, key: &FingerprintKey) -> Json {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Bool(yes) => (*yes).into(),
            Self::Number(number) => (*number).into(),
            Self::PublicKey(public) => public.to_string().into(),
            Self::PrivateKey(private) => private.public().to_string().into(),
            Self::PresharedKey(None) => "none".into(),
            Self::PresharedKey(Some(preshared)) => {
                key.fingerprint(preshared.expose_bytes()).to_string().into()
            }
            Self::Addresses(set) => set.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
            Self::Prefixes(set) => set.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
            Self::Endpoint(endpoint) => endpoint.to_string().into(),
            Self::Keepalive(keepalive) => keepalive.to_string().into(),
            Self::Time(time) => time.to_string().into(),
            Self::Routes(routes) => routes.to_json(),
            Self::Servers(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
            Self::Domains(list) => list.clone().into(),
            Self::Names(set) => set.iter().cloned().collect::<Vec<_>>().into(),
            Self::Commands(list) => list.clone().into(),
        }
    }

    /// Reads what [`Field::recorded`] wrote. A secret cannot be read back: `None`.
    ///
    /// # Errors
    /// When the JSON is not a value of this form.
    pub fn from_recorded(form: &Form, json: &Json) -> Result<Option<Self>, InvalidValue> {
        let wrong = || InvalidValue::new(format!("`{json}` is not {}", form.noun()));
        let text = || json.as_str().ok_or_else(wrong);
        let texts = || -> Result<Vec<&str>, InvalidValue> {
            json.as_array()
                .ok_or_else(wrong)?
                .iter()
                .map(|it| it.as_str().ok_or_else(wrong))
                .collect()
        };
        let number = || json.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong);
        Ok(Some(match form {
            Form::Text | Form::Path | Form::Choice(_) | Form::Reference(_) | Form::Backend => {
                Self::Text(text()?.to_owned())
            }
            Form::Bool => Self::Bool(json.as_bool().ok_or_else(wrong)?),
            Form::Port | Form::Mtu | Form::Mark => Self::Number(number()?),
            Form::PublicKey => Self::PublicKey(text()?.parse()?),
            Form::PresharedKey if json == "none" => Self::PresharedKey(None),
            Form::PrivateKey | Form::PresharedKey => return Ok(None),
            Form::Addresses => {
                Self::Addresses(texts()?.into_iter().map(str::parse).collect::<Result<_, _>>()?)
            }
            Form::Prefixes => {
                Self::Prefixes(texts()?.into_iter().map(str::parse).collect::<Result<_, _>>()?)
            }
            Form::Endpoint => Self::Endpoint(text()?.parse()?),
            Form::Keepalive => Self::Keepalive(text()?.parse()?),
            Form::Routes => Self::Routes(Box::new(Routes::from_json(json).ok_or_else(wrong)?)),
            Form::Time => Self::Time(text()?.parse().map_err(|_| wrong())?),
            Form::Servers => {
                let servers = texts()?.into_iter().map(str::parse).collect::<Result<_, _>>();
                Self::Servers(servers.map_err(|_| wrong())?)
            }
            Form::Domains => Self::Domains(texts()?.into_iter().map(str::to_owned).collect()),
            Form::Names => Self::Names(texts()?.into_iter().map(str::to_owned).collect()),
            Form::Commands => {
                Self::Commands(serde_json::from_value(json.clone()).map_err(|_| wrong())?)
            }
        }))
    }
}

/// The attributes of one object, by name. An attribute that is unset is not in the map.
pub type Fields = BTreeMap<&'static str, Field>;

/// What to do with one attribute of an object that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Set it to this value.
    To(Field),
    /// Bring it back to what the device has when nothing is set.
    Clear,
    /// Add and remove these elements and leave the others, for a set that is owned element by element.
    Elements {
        /// To add, before anything is removed.
        add: BTreeSet<Cidr>,
        /// To remove.
        remove: BTreeSet<Cidr>,
    },
    /// The same for a set of names.
    Names {
        /// To add, before anything is removed.
        add: BTreeSet<String>,
        /// To remove.
        remove: BTreeSet<String>,
    },
}

/// The attributes of one object that a write changes, by name; the device keeps all others as they are.
pub type Settings = BTreeMap<&'static str, Setting>;
