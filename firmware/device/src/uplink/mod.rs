//! From a network to the cloud: clock, MQTT, binding and telemetry.
