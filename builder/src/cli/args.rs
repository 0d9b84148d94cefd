//! The arguments, as clap reads them. Names and meanings are those of `docker buildx build`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Builds multi-platform images without a daemon, without root and without emulation.
#[derive(Debug, Parser)]
#[command(name = "xx-build", version, after_help = EXAMPLES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  xx-build build --platform linux/amd64,linux/arm64 -o type=oci,dest=image.tar .
  xx-build build --build-context debian=oci-layout://base -o out .
  xx-build build --print=plan --platform linux/amd64,linux/arm64 .
  xx-build build --print=llb,format=pb . | xx-build solve --local context=. -o out -";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Build a Dockerfile
    Build(Box<Build>),
    /// Solve a build graph (LLB) that another program made
    Solve(Box<Solve>),
    /// Show what the store holds
    Du(DiskUsage),
    /// Make room in the store
    Prune(Prune),
    /// Look into the stages of a build
    Debug {
        #[command(subcommand)]
        what: Debug,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Debug {
    /// Print the syntax tree of a Dockerfile as BuildKit's parser dumps it
    Ast {
        /// The Dockerfile, or the folder that holds it; `-` is standard input
        #[arg(default_value = "Dockerfile")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
#[command(after_help = BUILD_EXAMPLES)]
pub(super) struct Build {
    /// The build context: a directory, `-` (an archive or a Dockerfile on standard input), a git repository
    /// (`https://host/path.git#branch:folder`), or the URL of an archive or Dockerfile
    #[arg(default_value = ".")]
    pub(super) context: PathBuf,
    /// Dockerfile: a path, a URL, or `-` for standard input [default: CONTEXT/Dockerfile]
    #[arg(short, long)]
    pub(super) file: Option<PathBuf>,
    /// Platforms of the result, such as `linux/amd64,linux/arm/v7` [default: this machine's]
    #[arg(long, value_delimiter = ',')]
    pub(super) platform: Vec<String>,
    /// Stage to build [default: the last one]
    #[arg(long)]
    pub(super) target: Option<String>,
    /// Value of an ARG; without `=`, taken from the environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(super) build_arg: Vec<String>,
    /// Further context or base image: `NAME=DIR`, `NAME=oci-layout://DIR[:TAG]`
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) build_context: Vec<String>,
    /// Label of the image
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) label: Vec<String>,
    /// Name and address for /etc/hosts of every RUN
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub(super) add_host: Vec<String>,
    /// Resource limit of every RUN, such as `nofile=1024:4096`
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub(super) ulimit: Vec<String>,
    /// Size of /dev/shm in every RUN, such as `64m`
    #[arg(long, value_name = "SIZE")]
    pub(super) shm_size: Option<String>,
    /// Network of every RUN that names none: `default`, `host`, `none`
    #[arg(long, default_value = "default", value_name = "MODE")]
    pub(super) network: String,
    /// Control group above those of the steps, for engines that have one
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(super) cgroup_parent: String,
    /// Ask for base images anew, whatever an engine has of them
    #[arg(long)]
    pub(super) pull: bool,
    /// Run every step, whatever the cache holds
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Stages for which the cache is not used
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    pub(super) no_cache_filter: Vec<String>,
    /// Say something about the Dockerfile instead of building it: `check`, `outline`, `targets`, in words or with `,format=json`;
    /// `ignorestatus=true` makes findings no error
    #[arg(long, default_value = "build", value_name = "METHOD")]
    pub(super) call: String,
    /// Short for `--call=check`
    #[arg(long)]
    pub(super) check: bool,
    /// Print a stage of the build instead of building: `llb` (the graph, `,format=json` or `,format=pb`), `plan` (what
    /// runs where, `,format=text` or `,format=json`)
    #[arg(long, value_name = "WHAT")]
    pub(super) print: Option<String>,
    /// Attestations, which do not exist here: only `false` is taken
    #[arg(long, value_name = "false", hide = true)]
    pub(super) provenance: Option<String>,
    /// As `--provenance`
    #[arg(long, value_name = "false", hide = true)]
    pub(super) sbom: Option<String>,
    /// As `--provenance`; `type=...,disabled=true` is taken
    #[arg(long, value_name = "ATTESTATION", hide = true)]
    pub(super) attest: Vec<String>,
    /// Taken and without effect, as for `docker buildx build`
    #[arg(long, hide = true)]
    pub(super) compress: bool,
    /// As `--compress`
    #[arg(long, hide = true)]
    pub(super) rm: bool,
    /// As `--compress`
    #[arg(long, hide = true)]
    pub(super) force_rm: bool,
    #[command(flatten)]
    pub(super) run: Run,
}

/// What `build` and `solve` have in common: everything behind the graph.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Secret for `RUN --mount=type=secret`: `id=ID[,src=FILE|env=VARIABLE]`
    #[arg(long)]
    pub(super) secret: Vec<String>,
    /// Agent for `RUN --mount=type=ssh`: `default`, `ID=SOCKET[,raw=true]`, or `ID=KEYFILE[,KEYFILE]`
    #[arg(long, value_name = "ID[=SOCKET|KEYFILE]")]
    pub(super) ssh: Vec<String>,
    /// What steps may ask for: `security.insecure`, `network.host`; `buildx.local.delete` lets `mode=delete` remove files
    /// in or above the current directory, or elsewhere
    #[arg(long, value_name = "ENTITLEMENT", value_delimiter = ',')]
    pub(super) allow: Vec<String>,
    /// Run steps through this OCI runtime, such as `runc`, instead of the built-in sandbox
    #[arg(long, value_name = "NAME|PATH")]
    pub(super) oci_runtime: Option<String>,
    /// Memory of each step, such as `2g`
    #[arg(short, long, value_name = "SIZE")]
    pub(super) memory: Option<String>,
    /// Memory and swap of each step together; -1 is unlimited swap
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub(super) memory_swap: Option<String>,
    /// Share of the processors against other work; 1024 is usual
    #[arg(short, long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) cpu_shares: u64,
    /// Microseconds of processor time for each step in each period
    #[arg(long, value_name = "US", default_value_t = 0, hide_default_value = true)]
    pub(super) cpu_quota: u64,
    /// That period in microseconds [default: 100000]
    #[arg(long, value_name = "US", default_value_t = 0, hide_default_value = true)]
    pub(super) cpu_period: u64,
    /// Processors that steps run on, such as `0-3`
    #[arg(long, value_name = "LIST")]
    pub(super) cpuset_cpus: Option<String>,
    /// Memory nodes that steps use
    #[arg(long, value_name = "LIST")]
    pub(super) cpuset_mems: Option<String>,
    /// Where the result goes: `DIR`, `-` (a tar of the files), `type=local,dest=DIR` (`mode=delete`: what the result
    /// does not have is removed there; `platform-split=false`: no folder for each platform), `type=tar,dest=FILE`,
    /// `type=oci,dest=FILE` (`tar=false`: a directory), `type=docker,dest=FILE` (for `docker load`),
    /// `type=image` (made and left in the store), `type=cacheonly`; images also take `compression=gzip|zstd|uncompressed`, `compression-level=N`,
    /// `force-compression=true`, `rewrite-timestamp=true`, `oci-mediatypes=false`
    #[arg(short, long)]
    pub(super) output: Vec<String>,
    /// Name of the image, such as `example/app:1.0`
    #[arg(short, long)]
    pub(super) tag: Vec<String>,
    /// Annotation of the image: `KEY=VALUE`, `index:KEY=VALUE`, `manifest[linux/arm64]:KEY=VALUE`
    #[arg(long, value_name = "[LEVEL:]KEY=VALUE")]
    pub(super) annotation: Vec<String>,
    /// What programs for another platform are, when the image runs them: an `error`, or something to `warn` of; with `off`
    /// none is looked for
    #[arg(
        long,
        value_enum,
        default_value = "error",
        hide_possible_values = true,
        value_name = "error|warn|off"
    )]
    pub(super) verify: Verify,
    /// Programs of another platform are meant to be at these paths of the image, such as `/opt/*/bin/*`; in a Dockerfile
    /// `# verify=allow=GLOB`
    #[arg(long, value_name = "GLOB")]
    pub(super) allow_foreign: Vec<String>,
    /// Write the digest of the image (of its configuration, when it is for one platform) to a file
    #[arg(long, value_name = "FILE")]
    pub(super) iidfile: Option<PathBuf>,
    /// Write names and digests of the image to a JSON file
    #[arg(long, value_name = "FILE")]
    pub(super) metadata_file: Option<PathBuf>,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) progress: Progress,
    /// Show nothing but errors, and the digest of the image at the end (of an image for one platform: of its configuration)
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Where results and caches are kept [default: $XX_BUILD_STORE or the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
}

impl Run {
    /// Whether only errors are shown.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet || matches!(self.progress, Progress::Quiet | Progress::None)
    }
}

#[derive(Debug, Args)]
#[command(after_help = SOLVE_EXAMPLES)]
pub(super) struct Solve {
    /// The graph: a `pb.Definition` as BuildKit's Go client writes it (`llb.WriteTo`); `-` is standard input
    #[arg(default_value = "-")]
    pub(super) file: PathBuf,
    /// Directory for the source `local://NAME`
    #[arg(long, value_name = "NAME=DIR")]
    pub(super) local: Vec<String>,
    /// OCI layout for sources whose `oci.store` is NAME
    #[arg(long, value_name = "NAME=DIR")]
    pub(super) oci_layout: Vec<String>,
    /// OCI layout in the place of the image REFERENCE
    #[arg(long, value_name = "REFERENCE=DIR[:TAG]")]
    pub(super) image: Vec<String>,
    /// Platform of the result [default: that of the last program or image in the graph]
    #[arg(long)]
    pub(super) platform: Option<String>,
    /// Image configuration (JSON): a graph has none
    #[arg(long, value_name = "FILE")]
    pub(super) image_config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) run: Run,
}

const SOLVE_EXAMPLES: &str = "\
Examples:
  go run ./graph | xx-build solve --local context=. -o type=oci,dest=image.tar -
  go run ./graph | xx-build solve --image docker.io/library/debian:13=debian -o out
  xx-build build --print=llb,format=pb . >graph.pb
  xx-build solve --local context=. -o out graph.pb";

#[derive(Debug, Args)]
pub(super) struct DiskUsage {
    /// Only records with `type=regular|exec.cachemount|source.git.checkout|internal`, `id=`, `description~=PATTERN`,
    /// `inuse`, `shared`, `private`, `mutable`, `immutable`
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Vec<String>,
    /// Show everything that is known of a record
    #[arg(long)]
    pub(super) verbose: bool,
    /// A table, or a line of JSON for each record, with its size in bytes
    #[arg(long, value_enum, default_value_t = Format::Table, conflicts_with = "verbose")]
    pub(super) format: Format,
    /// Where the store lies [default: $XX_BUILD_STORE or the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a reader
    Table,
    /// For a program
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
pub(super) struct Prune {
    /// Base images, and what the store needs for itself, too
    #[arg(short, long)]
    pub(super) all: bool,
    /// Only these records; as for `du`, and `until=24h` for what was not used for so long
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Vec<String>,
    /// Remove the least recently used records until the store takes no more than this, such as `10GB`, `60%`
    #[arg(long, visible_alias = "max-used-space", value_name = "SPACE")]
    pub(super) keep_storage: Option<String>,
    /// Always keep so much
    #[arg(long, value_name = "SPACE")]
    pub(super) reserved_space: Option<String>,
    /// Remove records until so much of the disk is free
    #[arg(long, value_name = "SPACE")]
    pub(super) min_free_space: Option<String>,
    /// Keep what was used within this time, such as `48h`
    #[arg(long, value_name = "DURATION")]
    pub(super) keep_duration: Option<String>,
    /// Do not ask before anything is removed
    #[arg(short, long)]
    pub(super) force: bool,
    /// Where the store lies [default: $XX_BUILD_STORE or the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  xx-build prune                                    all that steps made, and unused cache mounts
  xx-build prune --keep-storage 20GB
  xx-build prune --filter type=exec.cachemount --filter until=72h
  xx-build prune --all --min-free-space 20%";

const BUILD_EXAMPLES: &str = "\
Examples:
  xx-build build --platform linux/amd64,linux/arm64,linux/arm/v7 -o type=oci,dest=app.tar -t app:1.0 .
  xx-build build --build-context debian=oci-layout://debian --target test .
  xx-build build -t app:1.0 -o type=docker,dest=- . | docker load
  xx-build build -q -t app:1.0 .                        (prints the digest, for scripts)
  xx-build build --call=check .
  xx-build build --platform linux/arm64 -o out .        (files of the result, in the folder `out`)";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Verify {
    /// Programs for another platform that the image runs fail the build
    Error,
    /// They are spoken of
    Warn,
    /// Nothing is looked at
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Progress {
    /// Plain text
    Auto,
    /// Every step and what it prints
    Plain,
    /// Nothing but errors
    Quiet,
    /// The same
    None,
}
