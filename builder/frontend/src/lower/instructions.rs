//! Instructions that change the image configuration, and WORKDIR.

use super::env::set_in_image;
use super::gofmt;
use super::platforms::StagePlatform;
use super::stages::{StageState, Step, Target};
use crate::dockerfile::ast::{ArgPair, CommandLine, Healthcheck, Pair};
use crate::dockerfile::expand::{Rules, Variables as _};
use crate::dockerfile::node::Word;
use crate::dockerfile::{Diagnostic, duration};
use crate::llb::graph::{Node, NodeOp};
use crate::llb::pb;
use crate::llb::pb::file_action::Action;
use crate::oci::image::{Healthcheck as ImageHealthcheck, Image};
use serde_json::json;

use super::copy::owner;

/// Arguments that steer attestations and are no variables of steps.
const NOT_VARIABLES: [&str; 2] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/// Signals by name (Linux, signal(7)), without `SIG`.
const SIGNALS: [&str; 37] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX", "UNUSED",
];

impl<'a> Target<'a> {
    pub(super) fn env(&mut self, stage: &mut StageState<'a>, pairs: &[Pair]) -> Result<(), Diagnostic> {
        let mut message = String::from("ENV");
        let variables = self.expand_pairs(stage, pairs)?;
        set_in_image(&mut stage.image.config.env, &variables);
        for (key, value) in variables {
            message.push_str(&format!(" {key}={value}"));
            stage.state.env.set(key, value);
        }
        self.commit(stage, message, false, false);
        Ok(())
    }

    pub(super) fn label(&mut self, stage: &mut StageState<'a>, pairs: &[Pair]) -> Result<(), Diagnostic> {
        let mut message = String::from("LABEL");
        for (key, value) in self.expand_pairs(stage, pairs)? {
            message.push_str(&format!(" {key}={value}"));
            stage.image.config.labels.insert(key, value);
        }
        self.commit(stage, message, false, false);
        Ok(())
    }

    /// Every pair sees the variables from before the instruction.
    fn expand_pairs(
        &self,
        stage: &StageState<'a>,
        pairs: &[Pair],
    ) -> Result<Vec<(String, String)>, Diagnostic> {
        let expand = |text: &str, pair: &Pair| self.expand(text, &stage.state.env, pair.span).map(|e| e.text);
        pairs.iter().map(|pair| Ok((expand(&pair.key, pair)?, expand(&pair.value, pair)?))).collect()
    }

    pub(super) fn arg(&mut self, stage: &mut StageState<'a>, pairs: &[ArgPair]) -> Result<(), Diagnostic> {
        let mut message = String::from("ARG");
        for pair in pairs {
            let value = match (self.build_arg(&pair.key), &pair.value) {
                (Some(given), _) => Some(given),
                (None, Some(default)) => Some(self.expand(default, &stage.state.env, pair.span)?.text),
                (None, None) => self.args.get(&pair.key).map(str::to_owned),
            };
            message.push_str(&format!(" {}", pair.key));
            if let Some(value) = &value {
                message.push_str(&format!("={value}"));
                if !NOT_VARIABLES.contains(&pair.key.as_str()) {
                    stage.state.env.set(&pair.key, value);
                }
            }
            stage.build_args.push((pair.key.clone(), value));
        }
        self.commit(stage, message, false, false);
        Ok(())
    }

    pub(super) fn cmd(&mut self, stage: &mut StageState<'a>, line: &CommandLine) {
        stage.cmd_set = true;
        let args = with_shell(&stage.image, line);
        self.commit(stage, format!("CMD {}", gofmt::quote_list(&args)), false, false);
        stage.image.config.cmd = args;
        stage.image.config.args_escaped = true;
    }

    pub(super) fn entrypoint(&mut self, stage: &mut StageState<'a>, line: &CommandLine) {
        let args = with_shell(&stage.image, line);
        self.commit(stage, format!("ENTRYPOINT {}", gofmt::quote_list(&args)), false, false);
        stage.image.config.entrypoint = args;
        if !stage.cmd_set {
            stage.image.config.cmd.clear();
        }
    }

    pub(super) fn healthcheck(&mut self, stage: &mut StageState<'a>, health: &Healthcheck) {
        let [interval, timeout, start_period, start_interval] =
            [health.interval, health.timeout, health.start_period, health.start_interval]
                .map(duration::format);
        let message = format!(
            "HEALTHCHECK {{Test:{} Interval:{interval} Timeout:{timeout} StartPeriod:{start_period} StartInterval:{start_interval} Retries:{}}}",
            gofmt::list(&health.test),
            health.retries
        );
        self.commit(stage, message, false, false);
        stage.image.config.healthcheck = Some(ImageHealthcheck {
            test: health.test.clone(),
            interval: health.interval,
            timeout: health.timeout,
            start_period: health.start_period,
            start_interval: health.start_interval,
            retries: health.retries,
        });
    }

    pub(super) fn maintainer(&mut self, stage: &mut StageState<'a>, word: &Word) {
        stage.image.author.clone_from(&word.text);
        self.commit(stage, format!("MAINTAINER {}", word.text), false, false);
    }

    pub(super) fn shell(&mut self, stage: &mut StageState<'a>, args: &[String]) {
        stage.image.config.shell = args.to_vec();
        self.commit(stage, format!("SHELL {}", gofmt::list(args)), false, false);
    }

    pub(super) fn stopsignal(&mut self, stage: &mut StageState<'a>, word: &Word) -> Result<(), Diagnostic> {
        let signal = self.expand(&word.text, &stage.state.env, word.span)?.text;
        let upper = signal.to_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let realtime = name.strip_prefix("RTMIN+").or_else(|| name.strip_prefix("RTMAX-"));
        let known = match signal.parse::<i64>() {
            Ok(number) => number != 0,
            Err(_) => {
                SIGNALS.contains(&name) || realtime.is_some_and(|n| n.parse::<u8>().is_ok_and(|n| n <= 15))
            }
        };
        if !known {
            return Err(Diagnostic::error(word.span, format!("unknown signal `{signal}`"))
                .hint("use a number or a name such as `SIGTERM`"));
        }
        self.commit(stage, format!("STOPSIGNAL {signal}"), false, false);
        stage.image.config.stop_signal = signal;
        Ok(())
    }

    pub(super) fn user(&mut self, stage: &mut StageState<'a>, word: &Word) -> Result<(), Diagnostic> {
        let user = self.expand(&word.text, &stage.state.env, word.span)?.text;
        self.commit(stage, format!("USER {user}"), false, false);
        stage.state.user.clone_from(&user);
        stage.image.config.user = user;
        Ok(())
    }

    pub(super) fn volume(&mut self, stage: &mut StageState<'a>, words: &[Word]) -> Result<(), Diagnostic> {
        let mut volumes = Vec::with_capacity(words.len());
        for word in words {
            let path = self.expand(&word.text, &stage.state.env, word.span)?.text;
            if path.is_empty() {
                return Err(
                    Diagnostic::error(word.span, "VOLUME with an empty path").hint("write `VOLUME /path`")
                );
            }
            stage.image.config.volumes.insert(path.clone(), json!({}));
            volumes.push(path);
        }
        self.commit(stage, format!("VOLUME {}", gofmt::list(&volumes)), false, false);
        Ok(())
    }

    pub(super) fn expose(&mut self, stage: &mut StageState<'a>, words: &[Word]) -> Result<(), Diagnostic> {
        let mut ports = Vec::new();
        for word in words {
            for text in self.expand(&word.text, &stage.state.env, word.span)?.words {
                let parsed = super::expose::ports(&text);
                ports.extend(parsed.map_err(|problem| {
                    Diagnostic::error(word.span, format!("invalid port `{text}`: {problem}"))
                        .hint("write `80`, `53/udp` or `8000-8010/tcp`")
                })?);
            }
        }
        for port in &ports {
            stage.image.config.exposed_ports.insert(port.clone(), json!({}));
        }
        self.commit(stage, format!("EXPOSE {}", gofmt::list(&ports)), false, false);
        Ok(())
    }

    pub(super) fn workdir(
        &mut self,
        stage: &mut StageState<'a>,
        step: &Step<'a>,
        word: &Word,
    ) -> Result<(), Diagnostic> {
        let path = self.expand(&word.text, &stage.state.env, word.span)?.text;
        let platform = stage.platform.clone().unwrap_or_else(|| StagePlatform::of(self.platform.clone()));
        let dir = stage.enter_dir(&path, platform.value.os());
        let dir = dir.map_err(|e| e.at(word.span))?;
        if dir != "/" {
            let env = stage.state.env.clone();
            let shown = self.display(&step.instruction.node.code, &env, Rules::new(self.file.escape()));
            let label = self.step_name(stage, &shown, Some(&platform.value), &env);
            let user = stage.image.config.user.as_str();
            let mkdir = pb::FileActionMkDir {
                path: super::paths::in_operation(&stage.state.dir, &dir, false),
                mode: 0o755,
                make_parents: true,
                owner: (!user.is_empty()).then(|| owner(user)),
                timestamp: self.epoch.map_or(-1, |seconds| seconds.saturating_mul(1_000_000_000)),
            };
            let node = self.shared.graph.add(Node {
                op: NodeOp::File { base: stage.state.out, actions: vec![(Action::Mkdir(mkdir), None)] },
                platform: None,
                metadata: super::named::named(&label),
                lines: Some(step.instruction.node.lines),
            });
            stage.state.out = Some(node);
        }
        let layer = dir != "/";
        self.commit(stage, format!("WORKDIR {dir}"), layer, false);
        Ok(())
    }
}

/// The command with the image's shell in front when it is in shell form.
pub(super) fn with_shell(image: &Image, line: &CommandLine) -> Vec<String> {
    if !line.shell {
        return line.args.clone();
    }
    let mut args = image.config.shell.clone();
    if args.is_empty() {
        let shell: &[&str] = if image.os == "windows" { &["cmd", "/S", "/C"] } else { &["/bin/sh", "-c"] };
        args = shell.iter().map(|s| (*s).to_owned()).collect();
    }
    args.push(line.args.join(" "));
    args
}
