//! MikroTik routers with RouterOS v7, over their REST service.

pub mod client;
pub mod wire;
pub mod menus;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz {
    pub(crate) use crate::backend::routeros::client::fuzz as body;
    pub(crate) use crate::backend::routeros::wire::fuzz as values;
}
