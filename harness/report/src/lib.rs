//! Readers of the trace that write for people and machines.
