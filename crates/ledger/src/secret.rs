//! What counts as a secret, and how secrets are kept out of the ledger.
//!
//! An argument is secret **by its name** ([`looks_secret`]) or **by its value** ([`looks_like_credential`]). The rules
//! prefer to hide too much: a hash still tells whether two builds had the same value, and that is what the ledger
//! needs. They are rules about looks: a password in an argument called `COLOUR` is not recognised.
//!
//! Texts (commands, instructions, errors, addresses) are scrubbed: values of secret arguments, if they are long enough
//! to be told from ordinary words, user parts of URLs, and `NAME=value` words with a secret name become [`SCRUBBED`].
//! Compare steps by digest, not by text.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use crate::ArgValue;

/// Bytes of a ledger's salt.
pub(crate) const SALT_LENGTH: usize = 32;

/// What stands in a recorded text in the place of a secret.
pub const SCRUBBED: &str = "[secret]";

/// Shorter values are not searched for in texts: `1` or `yes` stands everywhere.
const SHORTEST_SEARCHED: usize = 6;

/// Words that make a name secret. A plural `S` changes nothing.
const WORDS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "KEY",
    "APIKEY",
    "CREDENTIAL",
    "CRED",
    "AUTH",
    "OAUTH",
    "AUTHORIZATION",
    "PRIVATE",
    "PAT",
    "JWT",
    "BEARER",
    "COOKIE",
    "DSN",
];

/// Words that make a name secret also as the end of a longer word, as in `GITHUBTOKEN`.
const ENDINGS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "APIKEY",
    "CREDENTIAL",
];

/// How well-known services' tokens begin.
const TOKEN_PREFIXES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "npm_",
    "pypi-",
    "sk_live_",
    "AKIA",
    "ASIA",
    "dckr_pat_",
    "eyJ",
];

/// Whether an argument of this name holds a secret.
///
/// The name is cut into words at every character that is no ASCII letter, and where `camelCase` begins a new word;
/// the case of letters does not matter. It is secret if one of the words is TOKEN, SECRET, PASSWORD, PASSWD,
/// PASSPHRASE, PASS, KEY, APIKEY, CREDENTIAL, CRED, AUTH, OAUTH, AUTHORIZATION, PRIVATE, PAT, JWT, BEARER, COOKIE or
/// DSN, also with a plural S, or ends in one of the long ones of these (`GITHUBTOKEN`). `PWD` counts beside another
/// word (`DB_PWD`), alone it is the working directory.
///
/// ```
/// use unstale_ledger::secret::looks_secret;
/// assert!(looks_secret("NPM_TOKEN") && looks_secret("awsSecretKey") && looks_secret("API-KEYS"));
/// assert!(!looks_secret("GIT_COMMIT_HASH") && !looks_secret("MONKEY") && !looks_secret("AUTHOR"));
/// ```
pub fn looks_secret(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| {
        let singular = word.strip_suffix('S').unwrap_or(word);
        [word.as_str(), singular]
            .iter()
            .any(|word| WORDS.contains(word) || ENDINGS.iter().any(|e| word.ends_with(e)))
            || (word == "PWD" && words.len() > 1)
    })
}

/// The name's words in upper case.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (i, &letter) in letters.iter().enumerate() {
        let previous = i.checked_sub(1).and_then(|i| letters.get(i));
        let starts_word = letter.is_ascii_uppercase()
            && previous.is_some_and(|p| {
                p.is_ascii_lowercase()
                    || (p.is_ascii_uppercase() && letters.get(i + 1).is_some_and(char::is_ascii_lowercase))
            });
        if starts_word || !letter.is_ascii_alphabetic() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_ascii_alphabetic(), words.last_mut()) {
            word.push(letter.to_ascii_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value is a credential by its own looks: a URL with a user part (`https://user:pass@host`), a PEM private
/// key, or a token with the prefix of a well-known service.
pub fn looks_like_credential(value: &str) -> bool {
    user_part(value).is_some()
        || (value.contains("-----BEGIN ") && value.contains("PRIVATE KEY"))
        || TOKEN_PREFIXES.iter().any(|prefix| {
            value.trim_start().strip_prefix(prefix).is_some_and(|rest| {
                rest.len() >= 12
                    && rest
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"_-.+/=".contains(&b))
            })
        })
}

/// The byte range of the first URL's user part, without the `@`.
fn user_part(text: &str) -> Option<std::ops::Range<usize>> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find("://") {
        let start = from + at + 3;
        let authority = text.get(start..)?;
        let end = authority
            .find(|c: char| "/?# \t\r\n\"'".contains(c))
            .unwrap_or(authority.len());
        // A name alone (`ssh://git@host`) is no secret; over HTTP it may be a token.
        if let Some(user) = authority.get(..end)?.rfind('@') {
            let before = text.get(..start)?;
            let secret = authority.get(..user)?;
            let http = before.ends_with("http://") || before.ends_with("https://");
            if secret != SCRUBBED && !secret.is_empty() && (http || secret.contains(':')) {
                return Some(start..start + user);
            }
        }
        from = start;
    }
    None
}

/// Holds the salt, and the secrets that this process has seen, in memory only.
pub(crate) struct Keeper {
    salt: [u8; SALT_LENGTH],
    seen: RwLock<Vec<String>>,
}

/// Says nothing of what it holds.
impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Keeper {
    pub(crate) fn new(salt: [u8; SALT_LENGTH]) -> Self {
        Self {
            salt,
            seen: RwLock::default(),
        }
    }

    pub(crate) fn salted(&self, value: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update((value.len() as u64).to_le_bytes());
        hash.update(value);
        hex::encode(hash.finalize())
    }

    /// Takes a secret whose value, or the password in it if it is a URL, is to be scrubbed from texts.
    pub(crate) fn remember(&self, value: &str) {
        if let Some(user) = user_part(value).and_then(|range| value.get(range)) {
            self.remember_word(user.split_once(':').map_or(user, |(_, password)| password));
        }
        self.remember_word(value.trim());
    }

    fn remember_word(&self, value: &str) {
        if value.len() < SHORTEST_SEARCHED {
            return;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if !seen.iter().any(|known| known == value) {
            seen.push(value.to_owned());
            // A secret that holds another one is replaced whole.
            seen.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// What may be kept of the value of an argument whose name is no secret.
    pub(crate) fn judge(&self, value: &str) -> ArgValue {
        if self.scrub(value) == value {
            ArgValue::Plain(value.to_owned())
        } else {
            ArgValue::Salted(self.salted(value))
        }
    }

    /// The text without secrets: values that were [remembered](Self::remember), user parts of URLs, and values in
    /// words of the form `NAME=value` whose name [looks secret](looks_secret).
    pub(crate) fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = self.hide(text);
        while let Some(range) = user_part(&text) {
            text.to_mut().replace_range(range, SCRUBBED);
        }
        scrub_assignments(text)
    }

    /// The text without the values that were [remembered](Self::remember).
    fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.seen.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), SCRUBBED));
            }
        }
        text
    }
}

/// Takes the secrets of a build out of what is shown of it: BuildKit writes the values of build arguments into the
/// names of steps, and programs print what they get.
#[derive(Clone, Debug)]
pub struct Mask(Arc<Keeper>);

impl Mask {
    /// Hides the values of those build arguments that [`Ledger::arg`](crate::Ledger::arg) does not record as they are.
    pub fn new<'a>(args: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let keeper = Keeper::new([0; SALT_LENGTH]);
        for (name, value) in args {
            if looks_secret(name) || looks_like_credential(value) {
                keeper.remember(value);
            }
        }
        Self(Arc::new(keeper))
    }

    /// The text with [`SCRUBBED`] in the place of each hidden value.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.hide(text)
    }

    /// The same for output, which need not be text.
    pub fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        // Output that is no text stays as it is, unless there is something to hide in it.
        let hidden = match self.0.hide(&String::from_utf8_lossy(&bytes)) {
            Cow::Owned(hidden) => Some(hidden.into_bytes()),
            Cow::Borrowed(_) => None,
        };
        hidden.unwrap_or(bytes)
    }
}

/// Replaces the values of `NAME=value` words with secret names. As in a shell, a word goes on over quoted and escaped
/// white space.
fn scrub_assignments(mut text: Cow<'_, str>) -> Cow<'_, str> {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('=')) {
        let equals = from + at;
        from = equals + 1;
        let Some((before, after)) = text.split_at_checked(equals) else {
            break;
        };
        let name = before
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))
            .next();
        let length = word_length(after.get(1..).unwrap_or_default());
        if length > 0 && name.is_some_and(looks_secret) {
            text.to_mut().replace_range(from..from + length, SCRUBBED);
            from += SCRUBBED.len();
        }
    }
    text
}

/// Bytes of the shell word that the text begins with. A quote that is never closed takes all the rest.
fn word_length(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some('"') | None, '\\') => escaped = true,
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, _) if letter.is_whitespace() => return at,
            (None, _) => {}
        }
    }
    text.len()
}
