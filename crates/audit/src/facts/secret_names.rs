//! Whether a variable holds a secret, by its name, and whether a value is one.

/// Ends of the names of variables that hold secrets.
const SECRETS: &[&str] = &[
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "CREDENTIALS",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "SECRET_KEY",
    "SECRET_KEY_BASE",
    "PRIVATE_KEY",
    "AUTH_KEY",
    "ENCRYPTION_KEY",
    "SIGNING_KEY",
    "DEPLOY_KEY",
    "SSH_KEY",
    "LICENSE_KEY",
    "MASTER_KEY",
];
/// Words of names that say something about a secret and hold none, or whose value is public by design: what bundlers put
/// into the code for browsers.
const NONE: &[&str] = &[
    "PUBLIC",
    "PUB",
    "ALLOW",
    "EMPTY",
    "RANDOM",
    "USE",
    "ENABLE",
    "DISABLE",
    "REQUIRE",
    "SKIP",
    "NO",
    "HAS",
    "VITE",
    "REACT",
    "NG",
    "GATSBY",
    "PUBLISHABLE",
    "SITE",
    "CLIENTSIDE",
    "MAPBOX",
    "NUM",
    "MAX",
    "MIN",
];
/// What stands in values that are no secrets.
const PLACEHOLDERS: &[&str] = &[
    "admin",
    "build",
    "change",
    "ci",
    "default",
    "demo",
    "dev",
    "dummy",
    "empty",
    "example",
    "fake",
    "foo",
    "bar",
    "guest",
    "ignored",
    "insecure",
    "local",
    "mock",
    "mysql",
    "none",
    "not",
    "null",
    "pass",
    "passw0rd",
    "password",
    "placeholder",
    "postgres",
    "replace",
    "root",
    "sample",
    "secret",
    "some",
    "temp",
    "test",
    "testing",
    "tmp",
    "todo",
    "token",
    "unset",
    "unused",
    "user",
    "welcome",
    "x",
    "xx",
    "xxx",
    "xxxx",
    "your",
];

/// Whether a variable holds a secret, by its name.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let is_end = |end: &&&str| {
        let before = name.strip_suffix(**end);
        before.is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    SECRETS.iter().find(is_end).is_some() && !name.split('_').any(|word| NONE.contains(&word))
}

/// What a value of such a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretValue {
    /// Nothing, or a stand-in: `changeme`, `dummy`.
    Placeholder,
    /// It comes from elsewhere: a variable, an expression.
    Reference,
    /// It is there.
    Literal,
}

/// What a value is.
pub fn secret_value(value: &str) -> SecretValue {
    let value = value.trim().trim_matches(['"', '\'']);
    if value.contains(['$', '`', '{', '%']) {
        return SecretValue::Reference;
    }
    let lower = value.to_ascii_lowercase();
    let is_short = value.len() < 6;
    let is_path = value.contains(['/', '<', ' ']) && !value.contains('=');
    let is_switch = matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off")
        || value.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let is_stand_in = words.any(|word| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        PLACEHOLDERS.contains(&word)
            || [
                "dummy",
                "placeholder",
                "changeme",
                "changethis",
                "password",
                "example",
                "insecure",
                "your",
                "secret",
                "test",
            ]
            .iter()
            .any(|part| word.contains(part))
    });
    // A password that is a word: the same for everybody.
    let is_word = value.bytes().all(|byte| byte.is_ascii_lowercase())
        || value.bytes().all(|byte| byte.is_ascii_uppercase());
    match is_short || is_path || is_switch || is_stand_in || is_word {
        true => SecretValue::Placeholder,
        false => SecretValue::Literal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_end_as_secrets_do() {
        for name in [
            "NPM_TOKEN",
            "npm_token",
            "TOKEN",
            "DB_PASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "SECRET_KEY_BASE",
            "github-token",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "TOKENIZER",
            "PASSWORD_FILE",
            "GPG_KEY",
            "NEXT_PUBLIC_API_KEY",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "TOKEN_URL",
            "ACCESS_KEY_ID",
            "MONKEY",
            "KEY",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values() {
        let of = |value| secret_value(value);
        for value in [
            "",
            "changeme",
            "dummy-key",
            "test1",
            "root",
            "true",
            "0123456789",
            "xxxxxxx-x",
            "/run/secrets/x",
            "<your key>",
            "password123",
            "application",
            "CAFEBABE",
        ] {
            assert_eq!(of(value), SecretValue::Placeholder, "{value}");
        }
        for value in ["$TOKEN", "${{ secrets.X }}", "{{ x }}"] {
            assert_eq!(of(value), SecretValue::Reference, "{value}");
        }
        for value in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "hunter22x",
            "\"s3cr7tvalue\"",
        ] {
            assert_eq!(of(value), SecretValue::Literal, "{value}");
        }
    }
}
