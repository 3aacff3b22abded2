//! The way from the air to services of the host.

use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::host;
use crate::world::World;
use lab::air::{
    AccessPointChange, ConnectionClosed, ConnectionEnd, ConnectionOpened, PhoneSeat, Protocol,
    SegmentFaults,
};
use phone::Dial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn alice(world: &World) -> PhoneSeat {
    world
        .air
        .join_access_point("alice", "home")
        .await
        .expect("a seat")
}

fn at(world: &World, host: &str, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(world.air.address_of(host).expect("a published name"), port)
}

async fn ends(world: &World, count: usize) -> Vec<ConnectionEnd> {
    world
        .soon("the ends of connections", async {
            loop {
                let length = world.trace.len();
                let ends = world.events::<ConnectionClosed>();
                if ends.len() >= count {
                    return ends.into_iter().map(|closed| closed.how).collect();
                }
                world.trace.longer_than(length).await;
            }
        })
        .await
}

#[tokio::test]
async fn bytes_come_back_from_a_service() {
    let world = World::new();
    let echo = host::serve(&world.clock, host::echo).await;
    world.air.publish("echo.test", 7, Protocol::Tcp, echo);
    let alice = alice(&world).await;
    let mut stream = alice.tcp(at(&world, "echo.test", 7)).await.expect("open");
    // More than all buffers on the way hold together.
    let sent: Vec<u8> = (0..2_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let mut received = vec![0; sent.len()];
    let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut received));
    written.expect("written");
    read.expect("read");
    assert!(sent == received);
    let opened = world.events::<ConnectionOpened>();
    assert_eq!((opened[0].host.as_str(), opened[0].port), ("echo.test", 7));
}

#[tokio::test]
async fn a_service_waits_in_lab_time_for_what_comes_from_the_air() {
    let world = World::new();
    let (listener, address) = host::listener().await;
    world.air.publish("broker.test", 7, Protocol::Tcp, address);
    let alice = alice(&world).await;
    let connecting = alice.tcp(at(&world, "broker.test", 7));
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let _silent = stream.expect("open");
    let (mut service, peer) = accepted.expect("accepted");
    let began = Instant::now();
    let limit = Duration::from_secs(60);
    let waited = world.clock.timeout_for(peer, limit, service.read_u8());
    assert!(waited.await.is_err(), "nothing was sent");
    assert!(began.elapsed() < limit / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn each_direction_closes_by_itself() {
    let world = World::new();
    let counter = host::serve(&world.clock, host::count_to_the_end).await;
    world.air.publish("count.test", 7, Protocol::Tcp, counter);
    let alice = alice(&world).await;
    let mut stream = alice.tcp(at(&world, "count.test", 7)).await.expect("open");
    stream.write_all(&[0; 5000]).await.expect("written");
    stream.shutdown().await.expect("closed");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    world.soon("the answer", read).await.expect("read");
    assert_eq!(answer, "5000");
    drop(stream);
    assert_eq!(ends(&world, 1).await, [ConnectionEnd::Closed]);
}

#[tokio::test]
async fn a_service_that_speaks_and_leaves_can_still_be_answered() {
    let world = World::new();
    let (listener, address) = host::listener().await;
    world.air.publish("first.test", 7, Protocol::Tcp, address);
    let alice = alice(&world).await;
    let connecting = alice.tcp(at(&world, "first.test", 7));
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let mut stream = stream.expect("open");
    let (mut service, _) = accepted.expect("accepted");
    service.write_all(b"bye").await.expect("written");
    service.shutdown().await.expect("closed");
    let mut said = Vec::new();
    world
        .soon("the end", stream.read_to_end(&mut said))
        .await
        .expect("read");
    assert_eq!(said, b"bye");
    stream.write_all(b"and you").await.expect("written");
    stream.shutdown().await.expect("closed");
    let mut heard = Vec::new();
    world
        .soon("the answer", service.read_to_end(&mut heard))
        .await
        .expect("read");
    assert_eq!(heard, b"and you");
}

#[tokio::test]
async fn what_nobody_offers_is_refused() {
    let world = World::new();
    let nobody = host::nobody().await;
    world.air.publish("gone.test", 7, Protocol::Tcp, nobody);
    let alice = alice(&world).await;
    for port in [7, 8] {
        let error = alice.tcp(at(&world, "gone.test", port)).await.err();
        let kind = error.expect("refused").kind();
        assert_eq!(kind, ErrorKind::ConnectionRefused, "port {port}");
    }
    // The host itself cannot be reached, neither by its address nor through the gateway's.
    for address in ["127.0.0.1", "192.168.43.1", "198.51.100.66"] {
        let to = SocketAddrV4::new(address.parse().expect("an address"), nobody.port());
        assert!(alice.tcp(to).await.is_err(), "{address}");
    }
    let ends = ends(&world, 2).await;
    assert_eq!(
        ends[..2],
        [ConnectionEnd::Refused, ConnectionEnd::NoService]
    );
}

#[tokio::test]
async fn a_reset_by_the_service_reaches_the_client() {
    let world = World::new();
    let (listener, address) = host::listener().await;
    world.air.publish("rude.test", 7, Protocol::Tcp, address);
    let alice = alice(&world).await;
    let connecting = alice.tcp(at(&world, "rude.test", 7));
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let mut stream = stream.expect("open");
    let (mut service, _) = accepted.expect("accepted");
    service.write_all(b"last words").await.expect("written");
    service.set_zero_linger().expect("set");
    drop(service);
    let mut said = vec![0; 10];
    stream.read_exact(&mut said).await.expect("the last words");
    let error = world.soon("the reset", stream.read_u8()).await;
    let kind = error.expect_err("reset").kind();
    assert_eq!(kind, ErrorKind::ConnectionReset);
    assert_eq!(ends(&world, 1).await, [ConnectionEnd::ResetByService]);
}

#[tokio::test]
async fn a_reset_by_the_client_reaches_the_service() {
    let world = World::new();
    let (listener, address) = host::listener().await;
    world.air.publish("broker.test", 7, Protocol::Tcp, address);
    let alice = alice(&world).await;
    let connecting = alice.tcp(at(&world, "broker.test", 7));
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let mut stream = stream.expect("open");
    let (mut service, _) = accepted.expect("accepted");
    service.write_all(b"unread").await.expect("written");
    // Something has arrived and is never read: dropping is a reset then.
    let mut first = [0];
    stream.read_exact(&mut first).await.expect("a byte");
    drop(stream);
    let error = world.soon("the reset", service.read_u8()).await;
    let kind = error.expect_err("reset").kind();
    assert_eq!(kind, ErrorKind::ConnectionReset);
    assert_eq!(ends(&world, 1).await, [ConnectionEnd::ResetByClient]);
}

#[tokio::test]
async fn a_service_that_dies_half_closed_resets_the_client() {
    let world = World::new();
    let (listener, address) = host::listener().await;
    world.air.publish("half.test", 7, Protocol::Tcp, address);
    let alice = alice(&world).await;
    let connecting = alice.tcp(at(&world, "half.test", 7));
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let mut stream = stream.expect("open");
    // Closed in order, but nobody is left to read.
    drop(accepted.expect("accepted"));
    let mut nothing = Vec::new();
    world
        .soon("the end", stream.read_to_end(&mut nothing))
        .await
        .expect("an end in order");
    stream.write_all(b"anybody?").await.expect("written");
    assert_eq!(ends(&world, 1).await, [ConnectionEnd::ResetByService]);
}

#[tokio::test]
async fn datagrams_find_their_way_back() {
    let world = World::new();
    let twice = host::udp_twice(&world.clock).await;
    world.air.publish("time.test", 123, Protocol::Udp, twice);
    let alice = alice(&world).await;
    let socket = alice.udp(0).await.expect("a port");
    let to = at(&world, "time.test", 123);
    for payload in [&b"first"[..], b"second"] {
        socket.send(payload, to).await.expect("sent");
        for _ in 0..2 {
            let received = world.soon("an answer", socket.receive()).await;
            assert_eq!(received.expect("received"), (payload.to_vec(), to));
        }
    }
    let opened = world.events::<ConnectionOpened>();
    assert_eq!(opened.len(), 1, "one flow: {opened:?}");
    world.clock.sleep(Duration::from_secs(200)).await;
    assert_eq!(ends(&world, 1).await, [ConnectionEnd::Closed]);
    socket.send(b"third", to).await.expect("sent");
    let received = world.soon("an answer", socket.receive()).await;
    assert_eq!(received.expect("received").0, b"third");
}

#[tokio::test]
async fn without_internet_there_is_no_way_out() {
    let world = World::new();
    let echo = host::serve(&world.clock, host::echo).await;
    world.air.publish("echo.test", 7, Protocol::Tcp, echo);
    let alice = alice(&world).await;
    let to = at(&world, "echo.test", 7);
    let mut open = alice.tcp(to).await.expect("open");
    let internet = |on| {
        world
            .air
            .set_access_point("home", AccessPointChange::Internet(on))
            .expect("it exists");
    };
    internet(false);
    let error = alice.tcp(to).await.err().expect("no way out");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    open.write_all(b"x").await.expect("buffered");
    let nothing = world.clock.timeout(Duration::from_secs(20), open.read_u8());
    assert!(nothing.await.is_err());
    internet(true);
    // What was open goes on where it stood.
    assert_eq!(
        world.soon("the echo", open.read_u8()).await.expect("read"),
        b'x'
    );
}

#[tokio::test]
async fn connections_survive_lost_and_late_frames() {
    let world = World::new();
    let echo = host::serve(&world.clock, host::echo).await;
    world.air.publish("echo.test", 7, Protocol::Tcp, echo);
    let alice = alice(&world).await;
    let faults = SegmentFaults {
        drop_per_mille: 100,
        seed: 7,
        delay: Duration::from_millis(20),
        cut: false,
        ..SegmentFaults::default()
    };
    world
        .air
        .set_access_point("home", AccessPointChange::Faults(faults))
        .expect("it exists");
    let transfer = async {
        let mut stream = alice.tcp(at(&world, "echo.test", 7)).await.expect("open");
        let sent = [7; 20_000];
        let mut received = vec![0; sent.len()];
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let (written, read) =
            tokio::join!(writer.write_all(&sent), reader.read_exact(&mut received));
        written.expect("written");
        read.expect("read");
        assert_eq!(received, sent);
    };
    let limit = Duration::from_secs(600);
    let began = world.clock.now();
    let done = world.clock.timeout(limit, transfer).await;
    assert!(done.is_ok(), "{:?}", world.clock.now() - began);
}

#[tokio::test]
async fn nothing_passes_a_cut_segment() {
    let world = World::new();
    let echo = host::serve(&world.clock, host::echo).await;
    world.air.publish("echo.test", 7, Protocol::Tcp, echo);
    let alice = alice(&world).await;
    let cut = SegmentFaults {
        cut: true,
        ..SegmentFaults::default()
    };
    world
        .air
        .set_access_point("home", AccessPointChange::Faults(cut))
        .expect("it exists");
    let error = alice.tcp(at(&world, "echo.test", 7)).await.err();
    assert_eq!(error.expect("no way").kind(), ErrorKind::TimedOut);
}
