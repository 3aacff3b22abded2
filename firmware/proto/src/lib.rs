//! Messages that device and phone exchange: protobuf and JSON shapes.
