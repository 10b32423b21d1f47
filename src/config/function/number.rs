//! Functions on numbers.

use std::cmp::Ordering;

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::{Data, Number, Value};

/// As many elements as `range` makes at most, which is Terraform's limit.
const MAX_RANGE: usize = 1024;

pub(super) fn abs(call: &Call) -> Answer {
    match call.number(0)? {
        Number::Integer(number) => made(Some(Number::Integer(number.saturating_abs()))),
        Number::Float(number) => made(Number::from_f64(number.abs())),
    }
}

pub(super) fn ceil(call: &Call) -> Answer {
    rounded(call.number(0)?, f64::ceil)
}

pub(super) fn floor(call: &Call) -> Answer {
    rounded(call.number(0)?, f64::floor)
}

fn rounded(number: Number, round: fn(f64) -> f64) -> Answer {
    match number {
        Number::Integer(_) => made(Some(number)),
        Number::Float(number) => made(Number::from_f64(round(number))),
    }
}

pub(super) fn signum(call: &Call) -> Answer {
    let sign = call.number(0)?.order(&Number::Integer(0));
    Ok(Value::integer(sign as i8))
}

pub(super) fn log(call: &Call) -> Answer {
    let (number, base) = (call.number(0)?.to_f64(), call.number(1)?.to_f64());
    made(Number::from_f64(number.ln() / base.ln()))
}

pub(super) fn pow(call: &Call) -> Answer {
    let (base, power) = (call.number(0)?, call.number(1)?);
    let exact = match (base.to_wide(), power.to_integer()) {
        (Some(base), Some(power)) => {
            u32::try_from(power).ok().and_then(|power| base.checked_pow(power))
        }
        _ => None,
    };
    let rounded = || Number::from_f64(base.to_f64().powf(power.to_f64()));
    made(exact.map(Number::Integer).or_else(rounded))
}

fn made(number: Option<Number>) -> Answer {
    number.map(Value::from).ok_or_else(|| Failure::whole("the result is no finite number"))
}

pub(super) fn max(call: &Call) -> Answer {
    extreme(call, Ordering::Greater)
}

pub(super) fn min(call: &Call) -> Answer {
    extreme(call, Ordering::Less)
}

fn extreme(call: &Call, wanted: Ordering) -> Answer {
    let mut best = call.number(0)?;
    for i in 1..call.arguments.len() {
        let number = call.number(i)?;
        if number.order(&best) == wanted {
            best = number;
        }
    }
    Ok(best.into())
}

/// The sum of a list: exact while it is an integer.
pub(super) fn sum(call: &Call) -> Answer {
    let items = call.items(0)?;
    if items.is_empty() {
        return Err(Failure::at(0, "an empty list has no sum")
            .hint("Add a zero to it, as in `sum(concat([0], list))`."));
    }
    let (mut exact, mut rounded) = (Some(0_i128), 0.0);
    for item in items {
        let Some(number) = item.to_number() else {
            let message = format!("every element has to be a number, and one is {}", item.shown());
            return Err(Failure::at(0, message));
        };
        exact = exact.zip(number.to_wide()).and_then(|(a, b)| a.checked_add(b));
        rounded += number.to_f64();
    }
    made(exact.map(Number::Integer).or_else(|| Number::from_f64(rounded)))
}

/// A whole number in a base from 2 to 62, with `0-9a-zA-Z` as digits; up to base 36, case does not matter.
pub(super) fn parseint(call: &Call) -> Answer {
    let Data::Text(text) = &call.arguments[0].data else {
        return Err(Failure::wanted(0, "a string", &call.arguments[0]));
    };
    let base = i128::from(call.integer(1)?);
    if !(2..=62).contains(&base) {
        return Err(Failure::at(1, "a base is a whole number from 2 to 62"));
    }
    let wrong = || Failure::at(0, format!("{:?} is no whole number in base {base}", &**text));
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return Err(wrong());
    }
    let mut number = 0_i128;
    for c in digits.chars() {
        let digit = digit(c, base).ok_or_else(wrong)?;
        let longer = number.checked_mul(base).and_then(|number| number.checked_add(digit));
        number = longer.ok_or_else(|| Failure::at(0, "this number is beyond 128 bits"))?;
    }
    Ok(Value::integer(if is_negative { -number } else { number }))
}

fn digit(c: char, base: i128) -> Option<i128> {
    let digit = match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        'a'..='z' => u32::from(c) - u32::from('a') + 10,
        'A'..='Z' if base <= 36 => u32::from(c) - u32::from('A') + 10,
        'A'..='Z' => u32::from(c) - u32::from('A') + 36,
        _ => return None,
    };
    Some(i128::from(digit)).filter(|digit| *digit < base)
}

pub(super) fn range(call: &Call) -> Answer {
    let numbers = (0..call.arguments.len()).map(|i| call.number(i)).collect::<Answer<Vec<_>>>()?;
    let (start, limit) = match numbers.as_slice() {
        [limit] => (0.0, limit.to_f64()),
        [start, limit, ..] => (start.to_f64(), limit.to_f64()),
        [] => return Err(Failure::whole("`range` takes a limit")),
    };
    let step = match numbers.get(2) {
        Some(step) => step.to_f64(),
        None if limit < start => -1.0,
        None => 1.0,
    };
    if step == 0.0 || (limit - start) * step < 0.0 {
        let message = format!("a step of {step} never gets from {start} to {limit}");
        return Err(Failure::at(numbers.len() - 1, message));
    }
    let mut made = Vec::new();
    let mut at = start;
    while (step > 0.0 && at < limit) || (step < 0.0 && at > limit) {
        if made.len() == MAX_RANGE {
            return Err(Failure::whole(format!("this makes more than {MAX_RANGE} values")));
        }
        made.push(Number::from_f64(at).map_or(Value::NULL, Value::from));
        at += step;
    }
    Ok(Value::list(made))
}
