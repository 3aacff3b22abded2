//! Authorities, certificate profiles and exports.
