//! `-auto-approve`, whole or for some of what a plan does.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::error::{Error, Kind};
use crate::plan::{Plan, deeds, listed};
use crate::render::count;
use crate::resource::Deed;
use crate::value::InvalidValue;

/// What is done without a question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Approval {
    /// Nothing.
    #[default]
    Asked,
    /// Everything.
    All,
    /// Only this; a plan with anything else is refused.
    Only(BTreeSet<Deed>),
}

impl Approval {
    /// As `-auto-approve` alone is read.
    pub(crate) const ALL: &str = "true";

    /// Returns whether a yes is asked for.
    pub(crate) fn is_asked(&self) -> bool {
        *self == Self::Asked
    }

    /// Refuses a plan that does something else than what is approved.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), Error> {
        let Self::Only(approved) = self else { return Ok(()) };
        let deeds = deeds(plan);
        let others: Vec<_> = deeds.iter().filter(|(deed, _)| !approved.contains(deed)).collect();
        if others.is_empty() {
            return Ok(());
        }
        let told = |(deed, names): &(&Deed, &Vec<String>)| {
            format!("{deed} {} ({})", count(names.len(), "resource"), listed(names))
        };
        let told: Vec<String> = others.iter().map(told).collect();
        let message = format!(
            "the plan would {}, and `-auto-approve={}` does not approve that",
            told.join(" and "),
            words(approved.iter())
        );
        let all = approved.iter().chain(others.iter().map(|(deed, _)| *deed));
        let all: BTreeSet<&Deed> = all.collect();
        Err(Error::new(Kind::Refused, message)
            .hint(format!("to approve all of it, say `-auto-approve={}`", words(all.into_iter())))
            .hint("or leave `-auto-approve` out, to be asked"))
    }
}

fn words<'a>(deeds: impl Iterator<Item = &'a Deed>) -> String {
    deeds.map(|it| it.as_str()).collect::<Vec<_>>().join(",")
}

impl FromStr for Approval {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text {
            Self::ALL => Ok(Self::All),
            "false" => Ok(Self::Asked),
            "" => Err(InvalidValue::new("there is nothing behind the `=`")
                .hint("write `-auto-approve` alone, or what is approved, such as `create,update`")),
            text => text
                .split(',')
                .map(|it| it.trim().parse())
                .collect::<Result<_, _>>()
                .map(Self::Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::command::approval::Approval;
    use crate::resource::Deed;

    #[test]
    fn an_approval_is_whole_or_lists_what_is_approved() {
        assert_eq!("true".parse::<Approval>().unwrap(), Approval::All);
        assert_eq!("false".parse::<Approval>().unwrap(), Approval::Asked);
        let some = Approval::Only([Deed::Create, Deed::Destroy].into());
        assert_eq!("create,delete".parse::<Approval>().unwrap(), some);
        for text in ["", "yes", "create,", "create;update"] {
            assert!(text.parse::<Approval>().is_err(), "{text}");
        }
    }
}
