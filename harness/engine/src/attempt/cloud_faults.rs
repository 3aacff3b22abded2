//! Faults of a scenario as those of the broker and the time server.

use cloud::{BadPacket, Down, Faults, Reply, SntpFaults, Unusable};

use language::{Answer, Fault, PromptAnswer, Sessions, TimeAnswer};

/// What the time server does wrong from now on; none if it is not about that. `now` is what it does wrong at
/// present.
pub fn of_time(fault: &Fault, on: bool, now: SntpFaults) -> Option<SntpFaults> {
    match fault {
        Fault::TimeSilent => Some(SntpFaults { silent: on, ..now }),
        Fault::TimeAnswer(answer) => {
            let sound = SntpFaults {
                silent: now.silent,
                ..SntpFaults::default()
            };
            Some(if on {
                time_answer(*answer, sound)
            } else {
                sound
            })
        }
        _ => None,
    }
}

/// What the broker does wrong from now on. `faults` are what it does wrong at present.
pub fn of_broker(fault: &Fault, on: bool, mut faults: Faults) -> Faults {
    match fault {
        Fault::ConnectRefused(code) => faults.connack = on.then_some(code.value),
        Fault::SubscribeRefused(filter) => {
            let refused = &mut faults.refuse_subscriptions;
            refused.retain(|refused| *refused != filter.value);
            if on {
                refused.push(filter.value.clone());
            }
        }
        Fault::BrokerDown(sessions) => {
            faults.down = on.then_some(match sessions {
                Sessions::SessionsKept => Down::KeepsSessions,
                Sessions::SessionsLost => Down::LosesSessions,
            });
        }
        Fault::HandshakeStalled => faults.stall_handshake = on,
        Fault::ConnectAnswer(answer) => faults.connect = prompt_reply(*answer, on),
        Fault::SubscribeAnswer(answer) => faults.subscribe = reply(*answer, on),
        Fault::PublishAnswer(answer) => faults.publish = reply(*answer, on),
        Fault::PingAnswer(answer) => faults.ping = prompt_reply(*answer, on),
        Fault::MessagesWithheld => faults.withhold_messages = on,
        Fault::SingleBytes => faults.single_bytes = on,
        Fault::BadPacket(packet) => faults.bad_packet = on.then(|| bad_packet(*packet)),
        _ => {}
    }
    faults
}

fn time_answer(answer: TimeAnswer, sound: SntpFaults) -> SntpFaults {
    let sent_away = |code: &[u8; 4]| SntpFaults {
        kiss_of_death: Some(*code),
        ..sound
    };
    let unusable = |why| SntpFaults {
        unusable: Some(why),
        ..sound
    };
    match answer {
        TimeAnswer::Rate => sent_away(b"RATE"),
        TimeAnswer::Deny => sent_away(b"DENY"),
        TimeAnswer::Unsynchronised => unusable(Unusable::Unsynchronised),
        TimeAnswer::AnotherRequest => unusable(Unusable::AnotherRequest),
        TimeAnswer::NoRequest => unusable(Unusable::NoRequest),
        TimeAnswer::AnotherMode => unusable(Unusable::AnotherMode),
        TimeAnswer::StratumSixteen => unusable(Unusable::StratumSixteen),
        TimeAnswer::CutShort => unusable(Unusable::CutShort),
        TimeAnswer::NoTime => unusable(Unusable::NoTime),
        TimeAnswer::LeapSecond => SntpFaults {
            announces_leap_second: true,
            ..sound
        },
        TimeAnswer::Wrong(offset_s) => SntpFaults { offset_s, ..sound },
    }
}

fn prompt_reply(answer: PromptAnswer, on: bool) -> Reply {
    reply(
        match answer {
            PromptAnswer::Never => Answer::Never,
            PromptAnswer::Reset => Answer::Reset,
            PromptAnswer::After(delay) => Answer::After(delay),
        },
        on,
    )
}

fn reply(answer: Answer, on: bool) -> Reply {
    match answer {
        _ if !on => Reply::AtOnce,
        Answer::Never => Reply::Never,
        Answer::Reset => Reply::Reset,
        Answer::WrongId => Reply::WrongId,
        Answer::After(delay) => Reply::After(delay),
    }
}

fn bad_packet(packet: language::BadPacket) -> BadPacket {
    match packet {
        language::BadPacket::BadLength => BadPacket::BadLength,
        language::BadPacket::UnknownType => BadPacket::UnknownType,
        language::BadPacket::CutTopic => BadPacket::CutTopic,
        language::BadPacket::QosThree => BadPacket::QosThree,
        language::BadPacket::Oversized => BadPacket::Oversized,
        language::BadPacket::SecondConnack => BadPacket::SecondConnack,
        language::BadPacket::UnaskedPuback => BadPacket::UnaskedPuback,
        language::BadPacket::UnaskedMessage => BadPacket::UnaskedMessage,
        language::BadPacket::UnaskedAtQosZero => BadPacket::UnaskedAtQosZero,
        language::BadPacket::UnaskedAgain => BadPacket::UnaskedAgain,
        language::BadPacket::UnaskedEmpty => BadPacket::UnaskedEmpty,
    }
}
