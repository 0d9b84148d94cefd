//! One module per tool: from the process and the machine to a plan.

pub mod apk;
pub mod apt;
pub mod binutils;
pub mod cargo;
pub mod cc;
pub mod dnf;
pub mod doctor;
pub mod go;
pub mod info;
mod mirrors;
pub mod pkg_config;
pub mod verify;
pub mod windres;
pub mod xcrun;
