//! What a build is asked to do, beside the Dockerfile: platforms, arguments, contexts.

use std::collections::{BTreeMap, BTreeSet};

use platform_db::Platform;

use crate::llb::pb;

/// The settings of one build. Everything the lowering needs to know comes from here and from the image
/// configurations; it reads nothing else.
#[derive(Debug, Clone)]
pub struct BuildConfig {
    /// Platform of the machine that runs build steps: `$BUILDPLATFORM`.
    pub build_platform: Platform,
    /// Platforms of the result, in order. None: the build platform, and the image keeps its base's platform.
    pub target_platforms: Vec<Platform>,
    /// Whether the result is an index even for one platform, which also puts platforms in front of step names.
    pub multi_platform: bool,
    /// `--target`: the stage to build; the last one when absent.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--build-context`: by name, or by `name::platform`.
    pub contexts: BTreeMap<String, NamedContext>,
    /// The main context.
    pub context: MainContext,
    /// Text of the `.dockerignore` that counts, when there is one.
    pub dockerignore: Option<String>,
    /// `--no-cache`.
    pub no_cache: NoCache,
    /// `--pull`.
    pub resolve_mode: ResolveMode,
    /// Times in seconds since 1970, as far as there are any, of the sources that [`epoch_sources`](super::epoch_sources)
    /// asks for.
    pub source_times: Vec<(pb::SourceOp, Option<i64>)>,
    /// Host name inside RUN.
    pub hostname: String,
    /// `--add-host`: name and address.
    pub add_hosts: Vec<(String, std::net::IpAddr)>,
    /// `--shm-size` in bytes, zero for the default.
    pub shm_size: i64,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--network` of every RUN without its own.
    pub network: NetworkMode,
    /// `--cgroup-parent`.
    pub cgroup_parent: String,
    /// `--memory` and its like.
    pub resources: Option<pb::LinuxResources>,
    /// `BUILDKIT_CACHE_MOUNT_NS`: in front of the ids of cache mounts.
    pub cache_namespace: String,
    /// Value of `local.session` in local sources. Only for comparing with graphs of BuildKit, which puts a random one
    /// there; none in a build.
    pub local_session: Option<String>,
}

impl BuildConfig {
    /// A build with nothing set, on a machine of this platform.
    #[must_use]
    pub fn new(build_platform: Platform) -> Self {
        Self {
            build_platform,
            target_platforms: Vec::new(),
            multi_platform: false,
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            contexts: BTreeMap::new(),
            context: MainContext::Local,
            dockerignore: None,
            no_cache: NoCache::Nothing,
            resolve_mode: ResolveMode::Default,
            source_times: Vec::new(),
            hostname: String::new(),
            add_hosts: Vec::new(),
            shm_size: 0,
            ulimits: Vec::new(),
            network: NetworkMode::Sandbox,
            cgroup_parent: String::new(),
            resources: None,
            cache_namespace: String::new(),
            local_session: None,
        }
    }

    /// The platforms to lower for, and whether nobody has named them.
    pub(super) fn platforms(&self) -> (&[Platform], bool) {
        match self.target_platforms.as_slice() {
            [] => (std::slice::from_ref(&self.build_platform), true),
            named => (named, false),
        }
    }
}

/// Where the main context comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MainContext {
    /// A directory on this machine: source `local://context`.
    Local,
    /// A git repository, as a URL with fragment or query.
    Git(String),
    /// An archive or a single file at a URL, already known to be an archive or not.
    Http {
        /// The URL.
        url: String,
        /// Whether it is unpacked.
        archive: bool,
    },
}

/// A context with a name: takes the place of a stage, an image, or the source of `COPY --from`.
#[derive(Debug, Clone, PartialEq)]
pub enum NamedContext {
    /// A directory on this machine; `name` is what the source operation calls it.
    Local {
        /// Name in the operation: `local://NAME`.
        name: String,
        /// Text of its `.dockerignore`.
        dockerignore: Option<String>,
    },
    /// An image of an OCI layout directory; the caller maps `store` to the directory.
    OciLayout {
        /// Name in the operation's attribute `oci.store`.
        store: String,
        /// Tag or digest in the layout's index, when the user gave one.
        reference: Option<String>,
    },
    /// An image under another name; `scratch` for nothing.
    DockerImage(String),
    /// A git repository.
    Git(String),
    /// A file at a URL.
    Http(String),
    /// The result of another definition, for instance another stage or a bake target.
    Definition {
        /// The graph. An empty one is scratch.
        definition: pb::Definition,
        /// Its image configuration.
        image: Option<Vec<u8>>,
    },
}

/// `--no-cache`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NoCache {
    /// Use every result.
    #[default]
    Nothing,
    /// Use none.
    Everything,
    /// Use none of these stages, by lower-case name.
    Stages(BTreeSet<String>),
}

/// `--pull` and its opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResolveMode {
    /// The engine decides.
    #[default]
    Default,
    /// Always ask the registry.
    Pull,
    /// Prefer what is here.
    Local,
}

/// Network of RUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NetworkMode {
    /// The engine's own.
    #[default]
    Sandbox,
    /// The host's.
    Host,
    /// None.
    None,
}

/// `--ulimit NAME=SOFT:HARD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// Name, as `nofile`.
    pub name: String,
    /// Soft limit.
    pub soft: i64,
    /// Hard limit.
    pub hard: i64,
}
