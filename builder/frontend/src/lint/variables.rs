//! Rules about variables.

use super::Found;
use super::facts::Facts;
use crate::dockerfile::suggest;
use crate::oci::reference::Reference;

pub(super) fn default_in_from<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let Some(expanded) = facts.expand(&stage.base.text, &facts.defaults) else { continue };
        if Reference::parse(&expanded.text).is_err() {
            let message = format!("`{}` is no image name without build arguments", stage.base.text);
            let hint = "give the ARG before the first FROM a default".to_owned();
            found.at(&stage.from, message, Some(hint));
        }
    }
}

pub(super) fn undefined_in_from<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (_, stage) in facts.stages() {
        let texts = [Some(&stage.base), stage.platform.as_ref()];
        for word in texts.into_iter().flatten() {
            let Some(expanded) = facts.expand(&word.text, &facts.args) else { continue };
            for name in expanded.missing.iter().filter(|n| !facts.declared.contains(*n)) {
                let names = facts.args.keys().chain(&facts.declared).map(String::as_str);
                let hint = suggest::nearest(name, names).map_or_else(
                    || format!("declare `ARG {name}=default` before the first FROM"),
                    |near| format!("did you mean `${near}`?"),
                );
                found.at(&stage.from, format!("`${name}` in FROM is not declared"), Some(hint));
            }
        }
    }
}

pub(super) fn undefined<'f>(facts: &Facts<'f>, found: &mut Found<'f>) {
    for (instruction, seen) in facts.seen() {
        for (name, near) in &seen.unset {
            let hint = near.as_ref().map_or_else(
                || format!("declare `ARG {name}` or `ENV {name}=...` before it"),
                |near| format!("did you mean `${near}`?"),
            );
            found.at(instruction, format!("`${name}` is not set here"), Some(hint));
        }
    }
}
