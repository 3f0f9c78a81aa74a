//! What the identity that ships must be allowed. Pure.

use super::config::{Access, Config};
use crate::destination::Permissions;

/// Creating is enough to ship; with this a blob whose name is taken is compared.
pub(super) const READ: &str =
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read (for a SAS: sp=r)";

/// Of the identity's role, or of what is to be signed.
pub(super) fn permissions(config: &Config) -> Permissions {
    let container = config.address.container();
    match &config.access {
        Access::SharedKey(_) => Permissions::Other(format!(
            "nothing: a key of the account {} may do everything there; a SAS with sp=c, or a managed identity, may do less",
            config.account
        )),
        Access::Sas(_) => Permissions::Other(format!(
            "to create blobs in {container}, and nothing else: az storage container generate-sas --account-name {} \
             --name {container} --permissions {} --expiry END --https-only --as-user --auth-mode login",
            config.account,
            letters(config),
        )),
    }
}

/// The permissions of a SAS: to create, to tag, to set how long a blob is kept.
fn letters(config: &Config) -> String {
    let letters = [
        ('c', true),
        ('t', config.tagged),
        ('i', config.immutability.is_some()),
    ];
    letters
        .into_iter()
        .filter_map(|(letter, needed)| needed.then_some(letter))
        .collect()
}
