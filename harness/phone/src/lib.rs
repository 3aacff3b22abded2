//! The provisioning app's side: protocomm, CoAP and binding.
