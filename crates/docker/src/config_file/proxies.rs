//! Proxy settings of config.json, which the Docker CLI and Compose pass to every build as build arguments.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::ConfigFile;

/// The proxies for one engine. URLs may hold passwords, so [`fmt::Debug`] shows none.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Proxies {
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    ftp_proxy: Option<String>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies(…)")
    }
}

impl ConfigFile {
    /// The build arguments that buildx and Compose make of the proxies for the engine at `engine_host` (an address as
    /// in `DOCKER_HOST`). In upper case only: BuildKit gives them to steps in both cases, and keeps them out of cache
    /// keys. They never replace an argument that the user gave. Source: docker/buildx `storeutil.GetProxyConfig`.
    pub fn proxy_build_args(&self, engine_host: &str) -> BTreeMap<String, String> {
        let Some(proxies) = self
            .proxies
            .get(engine_host)
            .or_else(|| self.proxies.get("default"))
        else {
            return BTreeMap::new();
        };
        [
            ("HTTP_PROXY", &proxies.http_proxy),
            ("HTTPS_PROXY", &proxies.https_proxy),
            ("NO_PROXY", &proxies.no_proxy),
            ("FTP_PROXY", &proxies.ftp_proxy),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone().filter(|value| !value.is_empty())?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_own_settings_win_over_the_default() {
        let config = ConfigFile::parse(
            br#"{"proxies": {
                "default": {"httpProxy": "http://d:1", "noProxy": "localhost", "ftpProxy": ""},
                "tcp://far:2375": {"httpsProxy": "http://f:2"}
            }}"#,
        )
        .unwrap();
        let pairs = |host| {
            let args = config.proxy_build_args(host);
            args.into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            pairs("unix:///var/run/docker.sock"),
            ["HTTP_PROXY=http://d:1", "NO_PROXY=localhost"]
        );
        assert_eq!(pairs("tcp://far:2375"), ["HTTPS_PROXY=http://f:2"]);
    }

    #[test]
    fn no_settings_no_arguments() {
        assert!(ConfigFile::default().proxy_build_args("unix:///s").is_empty());
    }
}
