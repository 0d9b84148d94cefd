//! The one printer: messages, hints and exit codes.

use std::io::Write as _;

use platform_db::ParsePlatformError;

/// Why a tool stops: what failed, a next step, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed, lower case, one line. Empty when everything was said already.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Exit code of the process.
    pub code: u8,
    /// Whether the message goes to standard output, where the original of a drop-in tool writes it.
    pub on_stdout: bool,
}

impl Failure {
    /// Builds a failure with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1, on_stdout: false }
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Moves the message to standard output.
    #[must_use]
    pub fn on_stdout(mut self) -> Self {
        self.on_stdout = true;
        self
    }
}

impl From<ParsePlatformError> for Failure {
    fn from(mut error: ParsePlatformError) -> Self {
        let hint = match error.did_you_mean.take() {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write it as in `linux/arm64`; `xx-info list` has every platform".to_owned(),
        };
        Self::new(error.to_string()).hint(hint)
    }
}

/// Prints a failure and returns its exit code.
pub fn report(failure: &Failure) -> std::process::ExitCode {
    if !failure.message.is_empty() {
        let text = match &failure.hint {
            Some(hint) => format!("{}\nhint: {hint}\n", failure.message),
            None => format!("{}\n", failure.message),
        };
        if failure.on_stdout { out(&text) } else { err(&text) }
    }
    failure.code.into()
}

/// Writes data to standard output. A reader that has gone away is no error.
pub(crate) fn out(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let _ = std::io::stdout().lock().flush();
}

/// Writes words to standard error.
pub(crate) fn err(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
