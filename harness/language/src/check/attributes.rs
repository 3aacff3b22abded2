//! Steps that send bytes of the Attribute Protocol.

use super::Checker;
use crate::mistake::Mistake;
use crate::raw::Attribute;
use crate::span::Span;
use crate::world::Over;

impl<'s> Checker<'s> {
    pub(super) fn attribute(&mut self, attribute: &'s Attribute, span: Span) {
        self.in_session(&attribute.phone);
        if let Some((span, message, help)) = attribute.mistake() {
            self.mistakes.push(Mistake::at(span, message).help(help));
        }
        if self
            .meant(attribute.device.as_ref())
            .is_some_and(|device| device.provisioning.over() != Over::Ble)
        {
            self.wrong(
                span,
                "only a device provisioned over `ble` has attributes: say `over: ble`",
            );
        }
    }
}
