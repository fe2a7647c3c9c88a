//! What abide asks of the operating system's own managers: to register a program as a service, to start
//! and stop it, to say how it is; and to keep what it logs.
//!
//! Architecture invariant: texts (unit files, scripts, messages) are made by pure functions; what is
//! written where, and which command is run, is a plan before it is done, so that it can be shown.
