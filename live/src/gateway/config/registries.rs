//! Registries of `[serve]`: those that speak plain HTTP.

use toml::Spanned;

use super::{ServeConfigError, Source};
use crate::wire::name;

/// Names of registries as they stand in names of models, in small letters.
pub(super) fn check_insecure(
    source: &Source<'_>,
    written: &[Spanned<String>],
) -> Result<Vec<String>, ServeConfigError> {
    let check = |registry: &Spanned<String>| {
        let found = registry.get_ref();
        let in_a_name = format!("{found}/namespace/model");
        if name::normalise(&in_a_name).as_deref().and_then(name::registry) == Some(found.as_str()) {
            return Ok(found.to_ascii_lowercase());
        }
        let message = format!(
            "serve.insecure_registries: found {found:?}, expected a registry as it stands in a model's name: host or \
             host:port"
        );
        Err(source.wrong(registry.span().start, message))
    };
    written.iter().map(check).collect()
}
