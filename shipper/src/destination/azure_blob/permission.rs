//! What the identity that ships must be allowed. Pure.

use super::config::{Access, Config};
use crate::destination::{AzureRole, Permissions};

/// Creating is enough to ship; with this a blob whose name is taken is compared.
pub(super) const READ: &str =
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read (for a SAS: sp=r)";

/// Enough to create a blob, and not to write over one.
pub(super) const CREATE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action";
const TAG: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/write";
/// What the service asks for beside, to set how long a blob is kept.
const WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";

/// Of the identity's role, or of what is to be signed.
pub(super) fn permissions(config: &Config) -> Permissions {
    let container = config.address.container();
    match &config.access {
        Access::Entra(_) => {
            let data_actions = [
                (CREATE, true),
                (TAG, config.tagged),
                (WRITE, config.immutability.is_some()),
            ];
            let data_actions = data_actions.into_iter().filter(|(_, needed)| *needed);
            Permissions::Azure(AzureRole {
                data_actions: data_actions.map(|(action, _)| action).collect(),
                predefined: None,
                scope: format!(
                    "/subscriptions/SUBSCRIPTION/resourceGroups/RESOURCE_GROUP/providers/Microsoft.Storage/storageAccounts/{}\
                     /blobServices/default/containers/{container}",
                    config.account
                ),
                purpose: "to create blobs",
            })
        }
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
