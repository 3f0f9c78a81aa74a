//! What the destinations at Azure have in common: which cloud, and how an error is named. Pure.

use ::http::Response;
use serde_json::Value;

use super::aws::xml_text;
use super::config::ConfigError;

/// Azure's clouds, each with names of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// `public`
    #[default]
    Public,
    /// `usgov`
    UsGov,
    /// `china`
    China,
}

impl Cloud {
    /// From its name in a configuration.
    ///
    /// # Errors
    /// [`ConfigError`]: there is no such cloud.
    pub(super) fn from_name(name: Option<&str>) -> Result<Self, ConfigError> {
        match name {
            None | Some("public") => Ok(Self::Public),
            Some("usgov") => Ok(Self::UsGov),
            Some("china") => Ok(Self::China),
            Some(other) => {
                let problem = format!("`{other}` is no cloud of Azure; use `public`, `usgov` or `china`");
                Err(ConfigError::invalid("cloud", problem))
            }
        }
    }

    /// What the host of a storage account ends with.
    pub(super) fn blob_suffix(self) -> &'static str {
        match self {
            Self::Public => "blob.core.windows.net",
            Self::UsGov => "blob.core.usgovcloudapi.net",
            Self::China => "blob.core.chinacloudapi.cn",
        }
    }
}

/// What Azure's services call an error: in a header, or in a body of JSON or XML; empty when nothing is said.
pub(crate) fn error_code(response: &Response<Vec<u8>>) -> String {
    let header = response.headers().get("x-ms-error-code");
    let header = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let code = header
        .or_else(|| json_error(response.body(), "code"))
        .or_else(|| xml_text(response.body(), "Code"))
        .unwrap_or_default();
    code.chars().take(128).collect()
}

/// What the service says in words, without the lines that name the request; empty when it says nothing.
pub(super) fn error_message(response: &Response<Vec<u8>>) -> String {
    let message = json_error(response.body(), "message").or_else(|| xml_text(response.body(), "Message"));
    let message = message.unwrap_or_default();
    message.lines().next().unwrap_or_default().to_owned()
}

fn json_error(body: &[u8], key: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&body["error"][key]).or_else(|| text(&body[key]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_each_form() {
        for (header, body, code, message) in [
            (Some("BlobAlreadyExists"), "", "BlobAlreadyExists", ""),
            (
                None,
                "\u{feff}<?xml version=\"1.0\"?><Error><Code>A</Code><Message>b c\nRequestId:d</Message></Error>",
                "A",
                "b c",
            ),
            (None, r#"{"error":{"code":"A","message":"b"}}"#, "A", "b"),
            (None, r#"{"code":"A","message":"b"}"#, "A", "b"),
            (None, r#"{"error":7}"#, "", ""),
            (None, "", "", ""),
        ] {
            let mut response = Response::builder().status(400);
            if let Some(header) = header {
                response = response.header("x-ms-error-code", header);
            }
            let response = response.body(body.as_bytes().to_vec()).unwrap();
            assert_eq!(
                (error_code(&response), error_message(&response)),
                (code.to_owned(), message.to_owned())
            );
        }
    }
}
