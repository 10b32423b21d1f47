//! `required_version`: constraints such as `">= 0.1, < 2"`.

/// Returns whether a version satisfies every constraint of a list.
///
/// # Errors
/// The constraint that cannot be read.
pub(crate) fn satisfies(version: &str, constraints: &str) -> Result<bool, String> {
    let (version, _) = parse(version).ok_or_else(|| version.to_owned())?;
    let mut all = true;
    for constraint in constraints.split(',') {
        let wrong = || constraint.trim().to_owned();
        let text = constraint.trim();
        let operator: &str =
            &text[..text.find(|c: char| !"<>=!~".contains(c)).unwrap_or(text.len())];
        let (wanted, parts) = parse(text[operator.len()..].trim()).ok_or_else(wrong)?;
        all &= match operator {
            "" | "=" => version == wanted,
            "!=" => version != wanted,
            ">" => version > wanted,
            ">=" => version >= wanted,
            "<" => version < wanted,
            "<=" => version <= wanted,
            "~>" => {
                // Only the last part that is written may grow.
                let fixed = parts.saturating_sub(1).max(1);
                version >= wanted && version[..fixed] == wanted[..fixed]
            }
            _ => return Err(wrong()),
        };
    }
    Ok(all)
}

/// Reads up to three numbers, and says how many are written. A pre-release suffix of our own version is dropped.
fn parse(text: &str) -> Option<([u64; 3], usize)> {
    let text = text.split(['-', '+']).next()?;
    let mut version = [0; 3];
    let mut n = 0;
    for part in text.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        *version.get_mut(n)? = is_number.then(|| part.parse().ok()).flatten()?;
        n += 1;
    }
    Some((version, n))
}

#[cfg(test)]
mod tests {
    use crate::config::version::satisfies;

    #[test]
    fn constraints_hold_as_in_terraform() {
        for (constraints, holds) in [
            (">= 0.1", Ok(true)),
            (">=0.1,<0.2", Ok(true)),
            ("0.1.5", Ok(true)),
            ("= 0.1", Ok(false)),
            ("!= 0.1.5", Ok(false)),
            ("~> 0.1", Ok(true)),
            ("~> 0.1.4", Ok(true)),
            ("~> 0.0", Ok(true)),
            ("~> 0.0.9", Ok(false)),
            ("~> 1", Ok(false)),
            ("> 1", Ok(false)),
            ("=> 1", Err("=> 1".to_owned())),
            ("1.x", Err("1.x".to_owned())),
            ("", Err(String::new())),
            ("é", Err("é".to_owned())),
        ] {
            assert_eq!(satisfies("0.1.5", constraints), holds, "{constraints}");
        }
    }
}
