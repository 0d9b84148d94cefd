//! Operations as bytes, in the order protobuf-go writes them.
//!
//! A vertex is addressed by the sha256 of its bytes, so two writers must agree on every byte. protobuf-go writes the
//! fields outside a oneof first, in ascending number, then the member of the oneof, and always both halves of a map
//! entry; prost writes strictly ascending and leaves out empty halves. The messages that differ are written here by
//! hand, all others through prost. Bytes that were received are kept and hashed as they are, never written again.

use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::pb;
use super::pb::file_action::Action;
use super::pb::op::Op as Kind;
use crate::oci::digest::Digest;

/// Bytes that are not an operation or a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {reason}")]
pub struct DecodeError {
    /// What the bytes should have been.
    pub what: &'static str,
    /// What the protobuf reader says.
    pub reason: String,
}

/// Writes an operation as BuildKit's clients do; the sha256 of the result is the vertex's digest.
#[must_use]
pub fn encode_op(op: &pb::Op) -> Vec<u8> {
    let mut out = Vec::new();
    for input in &op.inputs {
        bytes_field(&mut out, 1, &input.encode_to_vec());
    }
    if let Some(platform) = &op.platform {
        bytes_field(&mut out, 10, &platform.encode_to_vec());
    }
    if let Some(constraints) = &op.constraints {
        bytes_field(&mut out, 11, &constraints.encode_to_vec());
    }
    match &op.op {
        None => {}
        Some(Kind::Exec(exec)) => bytes_field(&mut out, 2, &exec.encode_to_vec()),
        Some(Kind::Source(source)) => bytes_field(&mut out, 3, &encode_source(source)),
        Some(Kind::File(file)) => bytes_field(&mut out, 4, &encode_file(file)),
        // Not written by this front end; the maps of a nested definition keep prost's form.
        Some(Kind::Build(build)) => bytes_field(&mut out, 5, &build.encode_to_vec()),
        Some(Kind::Merge(merge)) => bytes_field(&mut out, 6, &merge.encode_to_vec()),
        Some(Kind::Diff(diff)) => bytes_field(&mut out, 7, &diff.encode_to_vec()),
        Some(Kind::Passthrough(pass)) => bytes_field(&mut out, 8, &pass.encode_to_vec()),
    }
    out
}

/// The digest of an operation this program wrote.
#[must_use]
pub fn digest_op(op: &pb::Op) -> Digest {
    Digest::of(&encode_op(op))
}

/// Reads an operation.
///
/// # Errors
/// The bytes are not a protobuf `pb.Op`.
pub fn decode_op(bytes: &[u8]) -> Result<pb::Op, DecodeError> {
    pb::Op::decode(bytes).map_err(|error| DecodeError { what: "LLB operation", reason: error.to_string() })
}

/// Reads a definition, as `buildctl debug dump-llb` takes it and Go clients write it.
///
/// # Errors
/// The bytes are not a protobuf `pb.Definition`.
pub fn decode_definition(bytes: &[u8]) -> Result<pb::Definition, DecodeError> {
    pb::Definition::decode(bytes)
        .map_err(|error| DecodeError { what: "LLB definition", reason: error.to_string() })
}

/// Writes a definition. Its operations are bytes already and keep theirs; a definition has no digest of its own.
#[must_use]
pub fn encode_definition(definition: &pb::Definition) -> Vec<u8> {
    definition.encode_to_vec()
}

fn encode_source(source: &pb::SourceOp) -> Vec<u8> {
    let mut out = Vec::new();
    string_field(&mut out, 1, &source.identifier);
    for (key, value) in &source.attrs {
        let mut entry = Vec::new();
        bytes_field(&mut entry, 1, key.as_bytes());
        bytes_field(&mut entry, 2, value.as_bytes());
        bytes_field(&mut out, 2, &entry);
    }
    out
}

fn encode_file(file: &pb::FileOp) -> Vec<u8> {
    let mut out = Vec::new();
    for action in &file.actions {
        bytes_field(&mut out, 2, &encode_action(action));
    }
    out
}

fn encode_action(action: &pb::FileAction) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in [(1, action.input), (2, action.secondary_input), (3, action.output)] {
        prost_int64(&mut out, number, value);
    }
    match &action.action {
        None => {}
        Some(Action::Copy(copy)) => bytes_field(&mut out, 4, &copy.encode_to_vec()),
        Some(Action::Mkfile(mkfile)) => bytes_field(&mut out, 5, &mkfile.encode_to_vec()),
        Some(Action::Mkdir(mkdir)) => bytes_field(&mut out, 6, &mkdir.encode_to_vec()),
        Some(Action::Rm(rm)) => bytes_field(&mut out, 7, &rm.encode_to_vec()),
        Some(Action::Symlink(symlink)) => bytes_field(&mut out, 8, &symlink.encode_to_vec()),
    }
    out
}

fn bytes_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn string_field(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        bytes_field(out, number, text.as_bytes());
    }
}

fn prost_int64(out: &mut Vec<u8>, number: u32, value: i64) {
    if value != 0 {
        prost::encoding::int64::encode(number, &value, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image_source() -> pb::Op {
        pb::Op {
            platform: Some(pb::Platform {
                architecture: "amd64".into(),
                os: "linux".into(),
                ..Default::default()
            }),
            constraints: Some(pb::WorkerConstraints::default()),
            op: Some(Kind::Source(pb::SourceOp {
                identifier: "docker-image://localhost:5000/debian:bookworm@sha256:\
                             4128397152b6259128fc459210c5ef28d4b0bb85476061c4a2f59288aebe67cd"
                    .into(),
                ..Default::default()
            })),
            ..Default::default()
        }
    }

    /// Digests seen in a real buildkitd for these two operations.
    #[test]
    fn digests_are_buildkits() {
        let source = image_source();
        let digest = digest_op(&source).to_string();
        assert_eq!(digest, "sha256:403eb54954148c28f3f7dc3c1d0d1d4f515eed3e7f96a27803dc70b21318864f");
        let mkdir = pb::FileActionMkDir {
            path: "/w".into(),
            mode: 0o755,
            make_parents: true,
            timestamp: -1,
            ..Default::default()
        };
        let action =
            pb::FileAction { secondary_input: -1, action: Some(Action::Mkdir(mkdir)), ..Default::default() };
        let file = pb::Op {
            inputs: vec![pb::Input { digest, index: 0 }],
            constraints: Some(pb::WorkerConstraints::default()),
            op: Some(Kind::File(pb::FileOp { actions: vec![action] })),
            ..Default::default()
        };
        assert_eq!(
            digest_op(&file).to_string(),
            "sha256:aa9d7a6d497e79c70ed6a8ed5f690fc0deb6ba5acbc4757ba19adcfa58d6aa31"
        );
        assert_eq!(decode_op(&encode_op(&file)), Ok(file));
    }

    #[test]
    fn empty_map_values_are_written() {
        let source = pb::SourceOp { identifier: "x".into(), attrs: [("k".into(), String::new())].into() };
        assert_eq!(encode_source(&source), [10, 1, b'x', 18, 5, 10, 1, b'k', 18, 0]);
    }

    #[test]
    fn garbage_is_refused() {
        assert!(decode_op(&[0xff; 16]).is_err());
        assert!(decode_definition(&[10, 200]).is_err());
    }
}
