//! A definition as JSON, in the schema of BuildKit's subrequest `frontend.convertllb`.
//!
//! `{"def": {digest: operation}, "metadata": {digest: ...}, "source": ...}`; operations in protobuf's JSON mapping:
//! 64-bit integers as strings, enums by name, defaults left out, bytes in base64. Reading it back is not done here:
//! the wire form is the one to exchange.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::pb;
use super::pb::file_action::Action;
use super::pb::op::Op as Kind;
use super::pb::user_opt::User;
use super::wire::{DecodeError, decode_op};
use crate::oci::digest::Digest;
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// Renders a definition, operations by digest.
///
/// # Errors
/// An element of `def` is not an operation.
pub fn definition(definition: &pb::Definition) -> Result<Value, DecodeError> {
    let mut def = BTreeMap::new();
    for bytes in &definition.def {
        def.insert(Digest::of(bytes).to_string(), op(&decode_op(bytes)?));
    }
    let meta: Map<String, Value> =
        definition.metadata.iter().map(|(k, v)| (k.clone(), metadata(v))).collect();
    Ok(json!({
        "def": Value::Object(def.into_iter().collect()),
        "metadata": meta,
        "source": definition.source.as_ref().map_or(Value::Null, source_map),
    }))
}

/// Builds an object and leaves out protobuf's defaults.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(mut self, key: &str, value: Value) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }
    fn text(self, key: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.put(key, value.into()) }
    }
    fn flag(self, key: &str, value: bool) -> Self {
        if value { self.put(key, true.into()) } else { self }
    }
    fn int64(self, key: &str, value: i64) -> Self {
        if value == 0 { self } else { self.put(key, value.to_string().into()) }
    }
    fn int32(self, key: &str, value: impl Into<i64>) -> Self {
        let value: i64 = value.into();
        if value == 0 { self } else { self.put(key, value.into()) }
    }
    fn name(self, key: &str, number: i32, name: Option<&'static str>) -> Self {
        if number == 0 { self } else { self.put(key, name.map_or_else(|| number.into(), Value::from)) }
    }
    fn list<T>(self, key: &str, items: &[T], each: impl Fn(&T) -> Value) -> Self {
        if items.is_empty() { self } else { self.put(key, items.iter().map(each).collect()) }
    }
    fn texts(self, key: &str, items: &[String]) -> Self {
        self.list(key, items, |s| s.as_str().into())
    }
    fn opt<T>(self, key: &str, item: Option<&T>, each: impl Fn(&T) -> Value) -> Self {
        match item {
            Some(item) => self.put(key, each(item)),
            None => self,
        }
    }
    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// Renders one operation.
#[must_use]
pub fn op(op: &pb::Op) -> Value {
    let out = Object::default().list("inputs", &op.inputs, |i| {
        Object::default().text("digest", &i.digest).int64("index", i.index).done()
    });
    let out = match &op.op {
        None => out,
        Some(Kind::Exec(x)) => out.put("exec", exec(x)),
        Some(Kind::Source(x)) => out.put("source", source(x)),
        Some(Kind::File(x)) => {
            out.put("file", Object::default().list("actions", &x.actions, file_action).done())
        }
        Some(Kind::Build(x)) => out.put("build", build(x)),
        Some(Kind::Merge(x)) => {
            let inputs = |i: &pb::MergeInput| Object::default().int64("input", i.input).done();
            out.put("merge", Object::default().list("inputs", &x.inputs, inputs).done())
        }
        Some(Kind::Diff(x)) => {
            let lower = |i: &pb::LowerDiffInput| Object::default().int64("input", i.input).done();
            let upper = |i: &pb::UpperDiffInput| Object::default().int64("input", i.input).done();
            let diff = Object::default().opt("lower", x.lower.as_ref(), lower);
            out.put("diff", diff.opt("upper", x.upper.as_ref(), upper).done())
        }
        Some(Kind::Passthrough(x)) => {
            let pass = Object::default().text("id", &x.id);
            out.put("passthrough", pass.list("outputs", &x.outputs, |o| o.to_string().into()).done())
        }
    };
    out.opt("platform", op.platform.as_ref(), platform)
        .opt("constraints", op.constraints.as_ref(), |c| Object::default().texts("filter", &c.filter).done())
        .done()
}

fn platform(p: &pb::Platform) -> Value {
    Object::default()
        .text("Architecture", &p.architecture)
        .text("OS", &p.os)
        .text("Variant", &p.variant)
        .text("OSVersion", &p.os_version)
        .texts("OSFeatures", &p.os_features)
        .done()
}

fn source(s: &pb::SourceOp) -> Value {
    let attrs: Map<String, Value> = s.attrs.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    let out = Object::default().text("identifier", &s.identifier);
    if attrs.is_empty() { out.done() } else { out.put("attrs", Value::Object(attrs)).done() }
}

fn build(b: &pb::BuildOp) -> Value {
    let attrs: Map<String, Value> = b.attrs.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    let inputs: Map<String, Value> =
        b.inputs.iter().map(|(k, v)| (k.clone(), Object::default().int64("input", v.input).done())).collect();
    let out = Object::default().int64("builder", b.builder);
    let out = if inputs.is_empty() { out } else { out.put("inputs", Value::Object(inputs)) };
    if attrs.is_empty() { out.done() } else { out.put("attrs", Value::Object(attrs)).done() }
}

fn exec(e: &pb::ExecOp) -> Value {
    let secret = |s: &pb::SecretEnv| {
        Object::default().text("ID", &s.id).text("name", &s.name).flag("optional", s.optional).done()
    };
    let device =
        |d: &pb::CdiDevice| Object::default().text("name", &d.name).flag("optional", d.optional).done();
    Object::default()
        .opt("meta", e.meta.as_ref(), meta)
        .list("mounts", &e.mounts, mount)
        .name("network", e.network, pb::NetMode::try_from(e.network).ok().map(|n| n.as_str_name()))
        .name("security", e.security, pb::SecurityMode::try_from(e.security).ok().map(|n| n.as_str_name()))
        .list("secretenv", &e.secretenv, secret)
        .list("cdiDevices", &e.cdi_devices, device)
        .done()
}

fn meta(m: &pb::Meta) -> Value {
    let proxy = |p: &pb::ProxyEnv| {
        Object::default()
            .text("httpProxy", &p.http_proxy)
            .text("httpsProxy", &p.https_proxy)
            .text("ftpProxy", &p.ftp_proxy)
            .text("noProxy", &p.no_proxy)
            .text("allProxy", &p.all_proxy)
            .done()
    };
    let host = |h: &pb::HostIp| Object::default().text("Host", &h.host).text("IP", &h.ip).done();
    let ulimit = |u: &pb::Ulimit| {
        Object::default().text("Name", &u.name).int64("Soft", u.soft).int64("Hard", u.hard).done()
    };
    Object::default()
        .texts("args", &m.args)
        .texts("env", &m.env)
        .text("cwd", &m.cwd)
        .text("user", &m.user)
        .opt("proxyEnv", m.proxy_env.as_ref(), proxy)
        .list("extraHosts", &m.extra_hosts, host)
        .text("hostname", &m.hostname)
        .list("ulimit", &m.ulimit, ulimit)
        .text("cgroupParent", &m.cgroup_parent)
        .flag("removeMountStubsRecursive", m.remove_mount_stubs_recursive)
        .list("validExitCodes", &m.valid_exit_codes, |c| (*c).into())
        .done()
}

fn mount(m: &pb::Mount) -> Value {
    let tmpfs = |t: &pb::TmpfsOpt| Object::default().int64("size", t.size).done();
    let cache = |c: &pb::CacheOpt| {
        let sharing = pb::CacheSharingOpt::try_from(c.sharing).ok().map(|n| n.as_str_name());
        Object::default().text("ID", &c.id).name("sharing", c.sharing, sharing).done()
    };
    let file = |id: &str, uid: u32, gid: u32, mode: u32, optional: bool| {
        let out = Object::default().text("ID", id).int32("uid", uid).int32("gid", gid);
        out.int32("mode", mode).flag("optional", optional).done()
    };
    let kind = pb::MountType::try_from(m.mount_type).ok().map(|n| n.as_str_name());
    let content = pb::MountContentCache::try_from(m.content_cache).ok().map(|n| n.as_str_name());
    Object::default()
        .int64("input", m.input)
        .text("selector", &m.selector)
        .text("dest", &m.dest)
        .int64("output", m.output)
        .flag("readonly", m.readonly)
        .name("mountType", m.mount_type, kind)
        .opt("TmpfsOpt", m.tmpfs_opt.as_ref(), tmpfs)
        .opt("cacheOpt", m.cache_opt.as_ref(), cache)
        .opt("secretOpt", m.secret_opt.as_ref(), |s| file(&s.id, s.uid, s.gid, s.mode, s.optional))
        .opt("SSHOpt", m.ssh_opt.as_ref(), |s| file(&s.id, s.uid, s.gid, s.mode, s.optional))
        .text("resultID", &m.result_id)
        .name("contentCache", m.content_cache, content)
        .done()
}

fn file_action(a: &pb::FileAction) -> Value {
    let out = Object::default()
        .int64("input", a.input)
        .int64("secondaryInput", a.secondary_input)
        .int64("output", a.output);
    match &a.action {
        None => out,
        Some(Action::Copy(x)) => out.put("copy", copy(x)),
        Some(Action::Mkfile(x)) => out.put(
            "mkfile",
            Object::default()
                .text("path", &x.path)
                .int32("mode", x.mode)
                .text("data", &BASE64_STANDARD.encode(&x.data))
                .opt("owner", x.owner.as_ref(), owner)
                .int64("timestamp", x.timestamp)
                .done(),
        ),
        Some(Action::Mkdir(x)) => out.put(
            "mkdir",
            Object::default()
                .text("path", &x.path)
                .int32("mode", x.mode)
                .flag("makeParents", x.make_parents)
                .opt("owner", x.owner.as_ref(), owner)
                .int64("timestamp", x.timestamp)
                .done(),
        ),
        Some(Action::Rm(x)) => out.put(
            "rm",
            Object::default()
                .text("path", &x.path)
                .flag("allowNotFound", x.allow_not_found)
                .flag("allowWildcard", x.allow_wildcard)
                .done(),
        ),
        Some(Action::Symlink(x)) => out.put(
            "symlink",
            Object::default()
                .text("oldpath", &x.oldpath)
                .text("newpath", &x.newpath)
                .opt("owner", x.owner.as_ref(), owner)
                .int64("timestamp", x.timestamp)
                .done(),
        ),
    }
    .done()
}

fn copy(c: &pb::FileActionCopy) -> Value {
    Object::default()
        .text("src", &c.src)
        .text("dest", &c.dest)
        .opt("owner", c.owner.as_ref(), owner)
        .int32("mode", c.mode)
        .flag("followSymlink", c.follow_symlink)
        .flag("dirCopyContents", c.dir_copy_contents)
        .flag("attemptUnpackDockerCompatibility", c.attempt_unpack_docker_compatibility)
        .flag("createDestPath", c.create_dest_path)
        .flag("allowWildcard", c.allow_wildcard)
        .flag("allowEmptyWildcard", c.allow_empty_wildcard)
        .int64("timestamp", c.timestamp)
        .texts("includePatterns", &c.include_patterns)
        .texts("excludePatterns", &c.exclude_patterns)
        .flag("alwaysReplaceExistingDestPaths", c.always_replace_existing_dest_paths)
        .text("modeStr", &c.mode_str)
        .texts("requiredPaths", &c.required_paths)
        .done()
}

fn owner(o: &pb::ChownOpt) -> Value {
    let user = |u: &pb::UserOpt| match &u.user {
        None => Value::Object(Map::new()),
        Some(User::ById(id)) => json!({ "byID": id }),
        Some(User::ByName(n)) => {
            json!({ "byName": Object::default().text("name", &n.name).int64("input", n.input).done() })
        }
    };
    Object::default().opt("user", o.user.as_ref(), user).opt("group", o.group.as_ref(), user).done()
}

/// Metadata, in the JSON of BuildKit's client rather than protobuf's.
fn metadata(m: &pb::OpMetadata) -> Value {
    let texts: Map<String, Value> =
        m.description.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    let caps: Map<String, Value> = m.caps.iter().map(|(k, v)| (k.clone(), (*v).into())).collect();
    let out = Object::default().flag("ignore_cache", m.ignore_cache);
    let out = if texts.is_empty() { out } else { out.put("description", Value::Object(texts)) };
    let out =
        out.opt("export_cache", m.export_cache.as_ref(), |e| Object::default().flag("Value", e.value).done());
    let out = if caps.is_empty() { out } else { out.put("caps", Value::Object(caps)) };
    out.opt("progress_group", m.progress_group.as_ref(), |g| {
        Object::default().text("id", &g.id).text("name", &g.name).flag("weak", g.weak).done()
    })
    .opt("linux_resources", m.linux_resources.as_ref(), |r| {
        let number = |out: Object, key, value: u64| {
            if value == 0 { out } else { out.put(key, value.to_string().into()) }
        };
        let out = Object::default().int64("memory", r.memory).int64("memorySwap", r.memory_swap);
        let out = number(number(out, "cpuShares", r.cpu_shares), "cpuPeriod", r.cpu_period);
        out.int64("cpuQuota", r.cpu_quota)
            .text("cpusetCpus", &r.cpuset_cpus)
            .text("cpusetMems", &r.cpuset_mems)
            .done()
    })
    .done()
}

fn source_map(s: &pb::Source) -> Value {
    let position =
        |p: &pb::Position| Object::default().int32("line", p.line).int32("character", p.character).done();
    let range = |r: &pb::Range| {
        Object::default().opt("start", r.start.as_ref(), position).opt("end", r.end.as_ref(), position).done()
    };
    let location = |l: &pb::Location| {
        Object::default().int32("sourceIndex", l.source_index).list("ranges", &l.ranges, range).done()
    };
    let locations: Map<String, Value> = s
        .locations
        .iter()
        .map(|(k, v)| (k.clone(), Object::default().list("locations", &v.locations, location).done()))
        .collect();
    let info = |i: &pb::SourceInfo| {
        Object::default()
            .text("filename", &i.filename)
            .text("data", &BASE64_STANDARD.encode(&i.data))
            .text("language", &i.language)
            .done()
    };
    let out = Object::default();
    let out = if locations.is_empty() { out } else { out.put("locations", Value::Object(locations)) };
    out.list("infos", &s.infos, info).done()
}
