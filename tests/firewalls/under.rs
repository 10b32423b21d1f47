//! A backend whose tunnels `tun_wgN` are called `wgN`, so that scenarios have one name for them, and others of a firewall
//! that is in use are nobody's.

use wgform::actual::{Examination, Picture};
use wgform::backend::{
    Act, Answer, BackendError, Batch, Interest, Landed, Operation, Read, Stop, Write,
};
use wgform::resource::BackendId;

/// A backend with other names.
pub struct Under {
    pub inner: Box<dyn Write>,
}

impl Read for Under {
    fn id(&self) -> &BackendId {
        self.inner.id()
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move { Ok(raised(self.inner.read(interest).await?)) })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        self.inner.examine()
    }
}

impl Write for Under {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        let lowered = |Operation { after, act }: Operation| Operation { after, act: lowered(act) };
        let operations = batch.operations.into_iter().map(lowered).collect();
        self.inner.write(Batch { operations }, stop, landed)
    }
}

/// Returns what the firewall calls a tunnel.
pub fn under(name: &str) -> String {
    format!("tun_{name}")
}

fn raised(mut picture: Picture) -> Picture {
    let all = std::mem::take(&mut picture.interfaces);
    for (name, interface) in all {
        match name.strip_prefix("tun_") {
            Some(name) => drop(picture.interfaces.insert(name.to_owned(), interface)),
            None => drop(picture.other_links.insert(name)),
        }
    }
    picture
}

pub fn lowered(mut act: Act) -> Act {
    match &mut act {
        Act::CreateInterface { name, .. } | Act::DeleteInterface { name, .. } => {
            *name = under(name);
        }
        Act::UpdateInterface { name, rename, .. } => {
            *name = under(name);
            *rename = rename.take().map(|name| under(&name));
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
