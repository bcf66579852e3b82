//! The list of packages that the corpus is made of.
//!
//! Must not: get anything.

/// The committed list.
const LIST: &str = include_str!("packages.txt");

/// A program that gets packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// The crates that this workspace is locked to
    Cargo,
    /// npm packages
    Npm,
    /// Wheels from the Python index
    Pip,
    /// Sources of Debian packages
    Apt,
}

impl Client {
    /// All clients.
    pub const ALL: [Client; 4] = [Client::Cargo, Client::Npm, Client::Pip, Client::Apt];

    /// The client's name, as in the list.
    pub fn name(self) -> &'static str {
        match self {
            Client::Cargo => "cargo",
            Client::Npm => "npm",
            Client::Pip => "pip",
            Client::Apt => "apt",
        }
    }
}

/// A package of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What gets it.
    pub client: Client,
    /// Its name there.
    pub name: String,
    /// Which one; none for Debian's.
    pub version: Option<String>,
}

/// The packages of the committed list.
///
/// # Errors
/// When a line is not understood.
pub fn listed() -> Result<Vec<Package>, String> {
    let lines = LIST
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(package).collect()
}

fn package(line: &str) -> Result<Package, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (client, version) = match words[..] {
        ["apt", _] => (Client::Apt, None),
        ["npm", _, version] => (Client::Npm, Some(version.to_owned())),
        ["pip", _, version] => (Client::Pip, Some(version.to_owned())),
        _ => return Err(format!("not a package: {line}")),
    };
    let name = words[1].to_owned();
    Ok(Package {
        client,
        name,
        version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_understood_sorted_and_without_doubles() {
        let listed = listed().expect("a list");
        let keys: Vec<_> = listed
            .iter()
            .map(|package| (package.client.name(), package.name.clone()))
            .collect();
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
        assert!(
            listed
                .iter()
                .all(|package| package.version.is_none() == (package.client == Client::Apt))
        );
    }

    #[test]
    fn a_version_may_not_be_missing_where_there_are_several() {
        assert!(package("npm left-pad").is_err());
        assert!(package("apt bats 1.0").is_err());
        assert!(package("gem rake 13").is_err());
    }
}
