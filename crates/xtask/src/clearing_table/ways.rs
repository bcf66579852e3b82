//! The ways of clearing that are tried.

/// Where the project's cache is, beside the builder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// Nowhere.
    None,
    /// In the image, for nobody.
    Inline,
    /// In the image, and builds import it.
    Imported,
    /// The same, and the image was pushed.
    Pushed,
}

impl Cache {
    pub fn words(self) -> &'static str {
        match self {
            Cache::None => "",
            Cache::Inline => "`BUILDKIT_INLINE_CACHE=1`",
            Cache::Imported => "`cache_from` the image",
            Cache::Pushed => "`cache_from` the pushed image",
        }
    }
}

/// The build whose steps are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Compose's.
    Docker,
    /// Compose's, which asks the registry for the base image.
    DockerPull,
    /// Ours.
    Unstale,
}

impl Next {
    pub fn words(self) -> &'static str {
        match self {
            Next::Docker => "`docker compose build`",
            Next::DockerPull => "`docker compose build --pull`",
            Next::Unstale => "`unstale build`",
        }
    }
}

/// A line of the table.
pub struct Way {
    /// What is done, one after the other.
    pub commands: &'static [&'static str],
    /// What the project's image holds.
    pub cache: Cache,
    /// What is done after it.
    pub next: Next,
}

impl Way {
    /// What is done, in Markdown.
    pub fn words(&self) -> String {
        let words = self.commands.iter().map(|&command| match command {
            EDIT => command.to_owned(),
            _ => format!("`{command}`"),
        });
        match self.commands {
            [] => "nothing".to_owned(),
            _ => words.collect::<Vec<_>>().join(", "),
        }
    }
}

const fn way(commands: &'static [&'static str], cache: Cache, next: Next) -> Way {
    Way {
        commands,
        cache,
        next,
    }
}

/// What stands for an edit that keeps the file's size and time.
pub const EDIT: &str = "an edit that keeps a file's size and time";

const REMOVE: &str = "docker compose down --rmi all";
const PRUNE: &str = "docker builder prune -f";
/// Empties the builder's cache.
pub const PRUNE_ALL: &str = "docker builder prune -af";
const CLEAR_ALL: &str = "unstale clear --target all --yes";

/// The lines, in their order.
pub const WAYS: &[Way] = &[
    way(&[], Cache::None, Next::Docker),
    way(&[PRUNE], Cache::None, Next::Docker),
    way(&[PRUNE], Cache::Inline, Next::Docker),
    way(
        &["docker builder prune -f --filter until=24h"],
        Cache::None,
        Next::Docker,
    ),
    way(&[PRUNE_ALL], Cache::None, Next::Docker),
    way(&[REMOVE], Cache::None, Next::Docker),
    way(&[REMOVE, PRUNE], Cache::None, Next::Docker),
    way(&["docker image prune -af"], Cache::None, Next::Docker),
    way(&["docker system prune -f"], Cache::None, Next::Docker),
    way(&["docker system prune -af"], Cache::None, Next::Docker),
    way(&[], Cache::None, Next::DockerPull),
    way(&["docker compose build --no-cache"], Cache::None, Next::Docker),
    way(&[PRUNE_ALL], Cache::Imported, Next::Docker),
    way(&[REMOVE, PRUNE_ALL], Cache::Imported, Next::Docker),
    way(&[REMOVE, PRUNE_ALL], Cache::Pushed, Next::Docker),
    way(&["unstale clear --yes"], Cache::None, Next::Docker),
    way(&[CLEAR_ALL], Cache::Imported, Next::Docker),
    way(&[CLEAR_ALL], Cache::Pushed, Next::Docker),
    way(&[CLEAR_ALL], Cache::Pushed, Next::Unstale),
    way(
        &["unstale clear --target all --remote --yes"],
        Cache::Pushed,
        Next::Docker,
    ),
    way(&[EDIT], Cache::None, Next::Docker),
    way(&[EDIT], Cache::None, Next::Unstale),
];
