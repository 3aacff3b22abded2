//! A phone on the host's own sockets.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use clock::Clock;
use phone::{BindError, Dial, HostDial, HttpError, ProvisioningClient, Settings, bind, check};
use proto::bind::{BindReply, BindRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use trace::Trace;

/// A server that answers one request with this body, and returns the request.
async fn serve_once(answer: &'static str) -> (SocketAddrV4, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(response.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, served)
}

fn request() -> BindRequest {
    BindRequest {
        account: "alice".into(),
        product_key: "a1GQc8iJOWI".into(),
        device_name: "gateway_test01".into(),
        token: "4786F0F6E1CC7BF86017FD4D1429EE4F".into(),
    }
}

#[tokio::test]
async fn a_bind_call_names_account_device_and_token() {
    let trace = Trace::in_memory(Clock::start(1000.0));
    let (cloud, served) =
        serve_once(r#"{"code":200,"message":"success","data":{"iotId":"x"}}"#).await;
    let reply = bind(cloud, &request(), &trace).await.unwrap();
    assert_eq!(
        reply,
        BindReply {
            code: 200,
            message: "success".into(),
            data: serde_json::json!({ "iotId": "x" }),
        }
    );
    let seen = served.await.unwrap();
    assert!(
        seen.starts_with("POST /awss/token/user/bind HTTP/1.1\r\n"),
        "{seen}"
    );
    assert!(
        seen.ends_with(
            r#"{"account":"alice","productKey":"a1GQc8iJOWI","deviceName":"gateway_test01","token":"4786F0F6E1CC7BF86017FD4D1429EE4F"}"#
        ),
        "{seen}"
    );
    assert!(
        trace
            .secrets()
            .name_of(request().token.as_bytes())
            .is_some()
    );
}

#[tokio::test]
async fn an_answer_that_is_none_of_the_clouds_is_an_error() {
    let trace = Trace::in_memory(Clock::start(1000.0));
    let (cloud, _served) = serve_once("<html>").await;
    let error = check(cloud, &request(), &trace).await.unwrap_err();
    assert!(
        matches!(error, BindError::Response { status: 200, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_cloud_that_is_not_there_is_an_error() {
    let trace = Trace::in_memory(Clock::start(1000.0));
    // Bound and dropped, so that nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    drop(listener);
    let error = bind(address, &request(), &trace).await.unwrap_err();
    assert!(
        matches!(error, BindError::Http(HttpError::Connect { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn datagrams_reach_another_port_of_the_host() {
    let clock = Clock::start(1000.0);
    let localhost = Ipv4Addr::LOCALHOST;
    let dial = HostDial::new(localhost, localhost, clock);
    let (one, other) = (dial.udp(0).await.unwrap(), dial.udp(0).await.unwrap());
    one.send(b"hello", SocketAddrV4::new(localhost, other.port()))
        .await
        .unwrap();
    let (bytes, from) = other.receive().await.unwrap();
    assert_eq!(bytes, b"hello");
    assert_eq!(from, SocketAddrV4::new(localhost, one.port()));
}

#[tokio::test]
async fn provisioning_runs_as_a_task_of_its_own() {
    let clock = Clock::start(1000.0);
    let trace = Trace::in_memory(clock.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let dial = Arc::new(HostDial::any(clock));
    let mut client = ProvisioningClient::new(dial, address, Settings::of("alice"), trace);
    let task = tokio::spawn(async move { client.version().await });
    // Accepted and hung up at once.
    drop(listener.accept().await.unwrap());
    let error = task.await.unwrap().unwrap_err();
    let told = trace::in_full(&error);
    assert!(
        told.contains("closed the connection without a response"),
        "{told}"
    );
}

#[tokio::test]
async fn a_phone_on_one_interface_has_its_address_and_reaches_what_is_there() {
    let clock = Clock::start(1.0);
    let dial = HostDial::on_interface("lo", clock.clone()).unwrap();
    assert_eq!(dial.address(), Ipv4Addr::LOCALHOST);
    assert_eq!(dial.broadcast(), Ipv4Addr::new(127, 255, 255, 255));
    let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let to: SocketAddrV4 = listener.local_addr().unwrap().to_string().parse().unwrap();
    let (dialled, accepted) = tokio::join!(dial.tcp(to), listener.accept());
    dialled.unwrap();
    assert_eq!(accepted.unwrap().1.ip(), Ipv4Addr::LOCALHOST);
    let nowhere = HostDial::on_interface("nowhere9", clock).unwrap_err();
    let said = nowhere.to_string();
    assert!(
        said.contains("nowhere9 is no interface of this host"),
        "{said}"
    );
}
