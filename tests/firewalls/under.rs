//! A backend whose tunnels `tun_wgN` are called `wgN`, so that scenarios have one name for them; on a firewall that is in use,
//! those with a number that nobody else takes, and all others are nobody's.

use wgform::actual::{Examination, Picture};
use wgform::backend::{
    Act, Answer, BackendError, Batch, Interest, Landed, Operation, Outcome, Read, Stop, Write,
};
use wgform::resource::{BackendId, Field, Fields, Setting};

/// How the tests call and number what they make on a firewall.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// What stands before the number of `wgN`.
    pub prefix: &'static str,
    /// What is added to a port.
    pub port: u32,
}

/// On a firewall that the tests have for themselves.
pub const ALONE: Names = Names { prefix: "tun_wg", port: 0 };

/// On one that is in use: names and ports that nobody else takes.
pub const IN_USE: Names = Names { prefix: "tun_wg770", port: 7_700 };

/// A backend with other names.
pub struct Under {
    pub inner: Box<dyn Write>,
    pub names: Names,
}

impl Read for Under {
    fn id(&self) -> &BackendId {
        self.inner.id()
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move { Ok(self.names.raised(self.inner.read(interest).await?)) })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        self.inner.examine()
    }
}

impl Write for Under {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        let names = self.names;
        let lowered =
            move |Operation { after, act }: Operation| Operation { after, act: names.lowered(act) };
        let operations = batch.operations.into_iter().map(lowered).collect();
        Box::pin(async move {
            let mut landed = |index, outcome| {
                landed(
                    index,
                    match outcome {
                        Outcome::Done(mut fields) => {
                            names.raise_port(&mut fields);
                            Outcome::Done(fields)
                        }
                        other => other,
                    },
                );
            };
            self.inner.write(Batch { operations }, stop, &mut landed).await;
        })
    }
}

/// Returns an act with the names of a firewall that the tests have for themselves.
pub fn lowered(act: Act) -> Act {
    ALONE.lowered(act)
}

impl Names {
    fn raise_port(self, fields: &mut Fields) {
        if let Some(Field::Number(port)) = fields.get_mut("listen_port") {
            *port -= self.port;
        }
    }

    fn lower_port(self, fields: &mut Fields) {
        if let Some(Field::Number(port)) = fields.get_mut("listen_port") {
            *port += self.port;
        }
    }

    fn raised(self, mut picture: Picture) -> Picture {
        let all = std::mem::take(&mut picture.interfaces);
        for (name, mut interface) in all {
            match name.strip_prefix(self.prefix) {
                Some(number) => {
                    self.raise_port(&mut interface.fields);
                    picture.interfaces.insert(format!("wg{number}"), interface);
                }
                None => drop(picture.other_links.insert(name)),
            }
        }
        picture
    }

    fn lowered(self, mut act: Act) -> Act {
        let under = |name: &str| match name.strip_prefix("wg") {
            Some(number) => format!("{}{number}", self.prefix),
            None => format!("tun_{name}"),
        };
        match &mut act {
            Act::CreateInterface { name, fields, .. } => {
                *name = under(name);
                self.lower_port(fields);
            }
            Act::DeleteInterface { name, .. } => *name = under(name),
            Act::UpdateInterface { name, rename, settings, wanted, .. } => {
                *name = under(name);
                *rename = rename.take().map(|name| under(&name));
                if let Some(Setting::To(Field::Number(port))) = settings.get_mut("listen_port") {
                    *port += self.port;
                }
                self.lower_port(wanted);
            }
            Act::SetRoutes { interface, .. }
            | Act::CreatePeer { interface, .. }
            | Act::UpdatePeer { interface, .. }
            | Act::DeletePeer { interface, .. } => *interface = under(interface),
            Act::Persist(persist) => persist.name = under(&persist.name),
            Act::Apply { .. } => {}
        }
        act
    }
}
