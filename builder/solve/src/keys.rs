//! Cache keys: what has to be equal for a step not to run again.
//!
//! A vertex has up to two keys. The *definition key* covers its operation and the identities of its
//! inputs; it is known without looking at any file. The *content key* replaces the identity of an input
//! that is only copied from (or only mounted read-only) by a digest of the files it selects, so that a
//! rebuilt stage with unchanged output does not disturb what comes after it.
//!
//! Keys are BLAKE3 over length-prefixed fields and never leave the store of one machine; digests of
//! operations, blobs and images are sha256 and live elsewhere.

use std::fmt;

use xx_build_frontend::llb::pb;

/// A 32-byte cache key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// Names one result for good: the key under which it was first made.
///
/// Two vertices with the same identity have the same result. Later vertices are keyed by the identities
/// of their inputs, whichever key found them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Identity(pub Key);

impl Identity {
    /// The identity of a result made under `key`; `nonce` is set when caching was refused, so that
    /// nothing keyed by an earlier result is mistaken for a child of this one.
    #[must_use]
    pub fn new(key: Key, nonce: Option<u64>) -> Self {
        match nonce {
            None => Self(key),
            Some(nonce) => {
                let mut hasher = KeyHasher::new("xx-build identity 1");
                hasher.field(&key.0).field(&nonce.to_le_bytes());
                Self(hasher.finish())
            }
        }
    }
}

/// What an input contributes to the key of a vertex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InputKey {
    /// The whole result with this identity; `output` counts from 0.
    Identity {
        /// Which result.
        identity: Identity,
        /// Which of its outputs.
        output: usize,
    },
    /// Only files with this digest.
    Content(Key),
}

/// Hashes length-prefixed fields, so that no two lists of fields collide by concatenation.
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// Starts a key of the kind `domain`; keys of different kinds never collide.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(domain.len() as u64).to_le_bytes()).update(domain.as_bytes());
        Self(hasher)
    }

    /// Adds one field.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    /// The finished key.
    #[must_use]
    pub fn finish(&self) -> Key {
        Key(*self.0.finalize().as_bytes())
    }
}

/// The key of an operation with the given contributions of its inputs, in their order.
pub(super) fn vertex_key(operation: &Key, inputs: &[InputKey]) -> Key {
    let mut hasher = KeyHasher::new("xx-build vertex 1");
    hasher.field(&operation.0);
    for input in inputs {
        match input {
            InputKey::Identity { identity, output } => {
                hasher.number(0).field(&identity.0.0).number(*output as u64)
            }
            InputKey::Content(key) => hasher.number(1).field(&key.0),
        };
    }
    hasher.finish()
}

/// The part of the key that an operation has of itself.
///
/// Left out is what changes how a step runs but not what it means: the digests of its inputs (their keys
/// stand for them), worker constraints, proxy settings, names for hosts and the ids of cache mounts.
/// BuildKit leaves out the same.
pub(super) fn operation_key(op: &pb::Op) -> Key {
    use prost::Message as _;
    let mut op = op.clone();
    op.inputs.clear();
    op.constraints = None;
    if let Some(pb::op::Op::Exec(exec)) = &mut op.op {
        if let Some(meta) = &mut exec.meta {
            meta.proxy_env = None;
            meta.extra_hosts.clear();
            meta.ulimit.clear();
            meta.cgroup_parent.clear();
        }
        for mount in &mut exec.mounts {
            if let Some(cache) = &mut mount.cache_opt {
                cache.id.clear();
            }
        }
    }
    let mut hasher = KeyHasher::new("xx-build operation 1");
    hasher.field(&op.encode_to_vec());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key([byte; 32])
    }

    #[test]
    fn a_vertex_key_depends_on_each_input_and_its_order() {
        let a = InputKey::Identity { identity: Identity(key(1)), output: 0 };
        let b = InputKey::Content(key(1));
        let c = InputKey::Identity { identity: Identity(key(1)), output: 1 };
        let lists: [&[InputKey]; 6] = [&[], &[a], &[b], &[c], &[a, b], &[b, a]];
        for (i, left) in lists.iter().enumerate() {
            for (j, right) in lists.iter().enumerate() {
                assert_eq!(vertex_key(&key(9), left) == vertex_key(&key(9), right), i == j, "{i} {j}");
            }
        }
        assert_ne!(vertex_key(&key(8), &[a]), vertex_key(&key(9), &[a]));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let mut one = KeyHasher::new("t");
        let mut two = KeyHasher::new("t");
        assert_ne!(one.field(b"ab").field(b"c").finish(), two.field(b"a").field(b"bc").finish());
    }

    #[test]
    fn a_refused_cache_gives_another_identity() {
        assert_eq!(Identity::new(key(1), None), Identity(key(1)));
        assert_ne!(Identity::new(key(1), Some(0)), Identity::new(key(1), Some(1)));
    }

    #[test]
    fn proxies_hosts_and_cache_ids_do_not_count() {
        let mount = |id: &str| pb::Mount {
            dest: "/c".into(),
            input: -1,
            output: -1,
            mount_type: pb::MountType::Cache.into(),
            cache_opt: Some(pb::CacheOpt { id: id.into(), sharing: 0 }),
            ..Default::default()
        };
        let exec = |proxy: &str, id: &str, arg: &str| pb::Op {
            op: Some(pb::op::Op::Exec(pb::ExecOp {
                meta: Some(pb::Meta {
                    args: vec![arg.into()],
                    proxy_env: Some(pb::ProxyEnv { http_proxy: proxy.into(), ..Default::default() }),
                    ..Default::default()
                }),
                mounts: vec![mount(id)],
                ..Default::default()
            })),
            ..Default::default()
        };
        assert_eq!(operation_key(&exec("p", "a", "x")), operation_key(&exec("q", "b", "x")));
        assert_ne!(operation_key(&exec("p", "a", "x")), operation_key(&exec("p", "a", "y")));
    }
}
