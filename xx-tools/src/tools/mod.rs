//! One module per tool: from the process and the machine to a plan.

pub mod info;
