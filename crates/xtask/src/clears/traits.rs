//! What the project of one history is like, drawn once in its beginning, and its files.

use rand::Rng as _;
use rand::rngs::StdRng;
use testkit::{Project, Store};

/// The image that the engines have without any registry.
const BASE: &str = "unstale-base";

/// What a project is like. The same numbers give the same on every engine, but for what an engine cannot do.
pub struct Traits {
    /// Images hold a cache.
    pub inline: bool,
    /// Builds import from the project's image.
    pub imports: bool,
    /// A step has a cache mount.
    pub mount: bool,
    /// Builds export a cache to a name of its own, and import from it. The classic store's builder cannot.
    pub registry_cache: bool,
    /// unstale shares a cache with other machines.
    pub shared: bool,
    /// There is a builder of buildx's beside the engine.
    pub second_builder: bool,
    /// The registry does not answer while it is cleared.
    pub registry_down: bool,
    /// What is in registries is cleared, too.
    pub remote: bool,
}

/// The names under which a project is in a registry.
pub struct Names {
    /// The image.
    pub image: String,
    /// The cache that builds export.
    pub cache: String,
    /// What `unstale.toml` calls shared.
    pub shared: String,
}

impl Names {
    pub fn new(host: &str, project: &str) -> Names {
        Names {
            image: format!("{host}/{project}:latest"),
            cache: format!("{host}/{project}-cache:latest"),
            shared: format!("{host}/{project}-shared"),
        }
    }
}

impl Traits {
    pub fn draw(random: &mut StdRng, store: Store) -> Traits {
        let mut often = |probability| random.random_bool(probability);
        Traits {
            inline: often(0.5),
            imports: often(0.5),
            mount: often(0.3),
            registry_cache: often(0.4) && store == Store::Containerd,
            shared: often(0.25),
            second_builder: often(0.15),
            registry_down: often(0.2),
            remote: often(0.35),
        }
    }

    /// Builds ask the registry for a cache.
    pub fn asks_registry(&self) -> bool {
        self.imports || self.registry_cache || self.shared
    }

    pub fn words(&self) -> Vec<&'static str> {
        let words = [
            (self.inline, "inline cache"),
            (self.imports, "cache_from"),
            (self.mount, "cache mount"),
            (self.registry_cache, "registry cache, mode=max"),
            (self.shared, "[cache] shared"),
            (self.second_builder, "second builder"),
            (self.registry_down, "registry down during the clear"),
            (self.remote, "clear --remote"),
        ];
        words
            .into_iter()
            .filter_map(|(holds, word)| holds.then_some(word))
            .collect()
    }

    /// Writes the files. `base` is a base image in a registry, for a builder that knows no engine's images.
    pub fn write(&self, project: &Project, names: &Names, base: &str) {
        let name = project.name();
        let base = if self.second_builder { base } else { BASE };
        let mount = match self.mount {
            true => format!("RUN --mount=type=cache,target=/kept echo {name} >> /kept/log\n"),
            false => String::new(),
        };
        let dockerfile =
            format!("FROM {base}\nRUN echo {name} > /name\n{mount}COPY code /code\nRUN cat /code\n");
        project.write("Slowly", format!("{dockerfile}RUN echo {name}; sleep 2\n"));
        project.write("Dockerfile", dockerfile);
        project.write("code", "one");
        if self.shared {
            project.write(
                "unstale.toml",
                format!("[cache]\nshared = \"{}\"\n", names.shared),
            );
        }
        self.write_compose(project, names, true);
    }

    /// Writes the Compose file, with the caches that builds export or without.
    pub fn write_compose(&self, project: &Project, names: &Names, exports: bool) {
        let Names { image, cache, .. } = names;
        let args = if self.inline {
            ", args: {BUILDKIT_INLINE_CACHE: 1}"
        } else {
            ""
        };
        let mut from = Vec::new();
        from.extend(self.imports.then(|| format!("\"{image}\"")));
        from.extend(
            self.registry_cache
                .then(|| format!("\"type=registry,ref={cache}\"")),
        );
        let to = match self.registry_cache && exports {
            true => format!(", cache_to: [\"type=registry,ref={cache},mode=max\"]"),
            false => String::new(),
        };
        let build = format!("{{context: .{args}, cache_from: [{}]{to}}}", from.join(", "));
        let service = format!("{{image: \"{image}\", build: {build}, command: sleep 1000, init: true}}");
        let text = format!("name: {}\nservices: {{app: {service}}}\n", project.name());
        project.write("compose.yaml", text);
    }
}
