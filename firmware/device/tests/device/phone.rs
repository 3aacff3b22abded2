//! Phones: a network stack on the SoftAP's hub, an HTTP client on it, and the requests of a
//! provisioning application without security.

use std::net::Ipv4Addr;

use device::apart::apart;
use device::board::RadioEvent;
use embassy_futures::select::{Either, select};
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, Stack};
use embassy_time::{Duration, with_timeout};
use proto::wifi_config::{
    CmdGetStatus, CmdSetConfig, Payload, RespGetStatus, WifiConfigMsgType, WifiConfigPayload,
};
use proto::{Message, Status};

use crate::network;
use crate::world::World;

const DEVICE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 168, 4, 1), 80);
const LIMIT: Duration = Duration::from_secs(10);

/// A phone that has joined the SoftAP and got its address from the device.
pub struct Phone {
    stack: Stack<'static>,
}

impl Phone {
    /// Plays a scenario with a phone on the SoftAP.
    pub async fn with<T>(world: &World, number: u8, scenario: impl AsyncFnOnce(&Self) -> T) -> T {
        let mac = [2, 0, 0, 0, 4, number];
        let plug = world.soft_ap.plug(mac);
        plug.set_link(true);
        world.air.tell(RadioEvent::StationJoined(mac));
        let (stack, mut runner) = network::stack(plug.clone(), Config::dhcpv4(Default::default()));
        let phone = Self { stack };
        let playing = async {
            with_timeout(LIMIT, stack.wait_config_up())
                .await
                .expect("the device gives addresses");
            scenario(&phone).await
        };
        let result = match select(apart(runner.run()), apart(playing)).await {
            Either::First(never) => never,
            Either::Second(result) => result,
        };
        plug.set_link(false);
        world.air.tell(RadioEvent::StationLeft(mac));
        result
    }

    pub fn address(&self) -> Ipv4Addr {
        self.stack.config_v4().unwrap().address.address()
    }

    /// The address that answers an mDNS query for services of this kind, if one does.
    pub async fn browse(&self, service: [&str; 3]) -> Option<Vec<u8>> {
        let mut question = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in service {
            question.push(label.len() as u8);
            question.extend_from_slice(label.as_bytes());
        }
        // The root, PTR, IN.
        question.extend_from_slice(&[0, 0, 12, 0, 1]);
        let mut meta = [[PacketMetadata::EMPTY; 2]; 2];
        let mut buffers = [[0; 1024]; 2];
        let ([receive_meta, send_meta], [receive, send]) = (&mut meta, &mut buffers);
        let mut socket = UdpSocket::new(self.stack, receive_meta, receive, send_meta, send);
        socket.bind(5000).expect("the port is free");
        let everybody = (Ipv4Addr::new(224, 0, 0, 251), 5353);
        socket.send_to(&question, everybody).await.expect("sent");
        let mut answer = [0; 1024];
        let (length, _) = with_timeout(LIMIT, socket.recv_from(&mut answer))
            .await
            .ok()?
            .ok()?;
        Some(answer[..length].to_vec())
    }

    /// A new connection.
    pub async fn connect(&self) -> Client {
        let receive = Box::leak(Box::new([0; 4096]));
        let send = Box::leak(Box::new([0; 8192]));
        let mut socket = TcpSocket::new(self.stack, receive, send);
        with_timeout(LIMIT, socket.connect(DEVICE))
            .await
            .expect("an answer")
            .expect("the device listens");
        Client {
            socket,
            cookie: None,
        }
    }
}

/// The connection was closed without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub cookie: Option<String>,
    pub body: Vec<u8>,
}

/// A connection to the device's HTTP server.
pub struct Client {
    socket: TcpSocket<'static>,
    /// Sent with every request.
    pub cookie: Option<String>,
}

impl Client {
    pub async fn post(&mut self, path: &str, body: &[u8]) -> Result<Response, Closed> {
        let cookie = self.cookie.iter();
        let cookie: String = cookie.map(|value| format!("Cookie: {value}\r\n")).collect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: {}\r\n{cookie}\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat()).await?;
        self.receive().await
    }

    pub async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Closed> {
        while !bytes.is_empty() {
            let sent = self.socket.write(bytes).await.map_err(|_| Closed)?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    pub async fn receive(&mut self) -> Result<Response, Closed> {
        let mut bytes = Vec::new();
        loop {
            let mut chunk = [0; 512];
            match with_timeout(LIMIT, self.socket.read(&mut chunk)).await {
                Ok(Ok(count @ 1..)) => bytes.extend_from_slice(&chunk[..count]),
                Ok(_) => return Err(Closed),
                Err(_) => panic!("the device neither answers nor closes"),
            }
            if let Some(response) = Response::parse(&bytes) {
                return Ok(response);
            }
        }
    }

    pub async fn version(&mut self) -> Result<Response, Closed> {
        self.post("/proto-ver", b"---").await
    }

    async fn config(&mut self, request: &WifiConfigPayload) -> Result<Payload, Closed> {
        let response = self.post("/prov-config", &request.encode_to_vec()).await?;
        let response = WifiConfigPayload::decode(&response.body[..]).unwrap();
        assert_eq!(response.msg, request.msg + 1);
        Ok(response.payload.unwrap())
    }

    pub async fn set(&mut self, ssid: &str, passphrase: &str) -> Status {
        self.set_raw(CmdSetConfig {
            ssid: ssid.into(),
            passphrase: passphrase.into(),
            ..CmdSetConfig::default()
        })
        .await
    }

    pub async fn set_raw(&mut self, config: CmdSetConfig) -> Status {
        let request = Payload::CmdSetConfig(config).into();
        match self.config(&request).await {
            Ok(Payload::RespSetConfig(response)) => response.status(),
            other => panic!("{other:?}"),
        }
    }

    /// A set without any credentials at all.
    pub async fn set_nothing(&mut self) -> Result<Status, Closed> {
        let request = WifiConfigPayload {
            msg: WifiConfigMsgType::CmdSetConfig.into(),
            payload: None,
        };
        match self.config(&request).await? {
            Payload::RespSetConfig(response) => Ok(response.status()),
            other => panic!("{other:?}"),
        }
    }

    pub async fn apply(&mut self) -> Status {
        // As esp_prov does: without a body of its own.
        let request = WifiConfigPayload {
            msg: WifiConfigMsgType::CmdApplyConfig.into(),
            payload: None,
        };
        match self.config(&request).await {
            Ok(Payload::RespApplyConfig(response)) => response.status(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn status(&mut self) -> RespGetStatus {
        // Without its content this request would have no bytes at all, which HTTP cannot carry.
        match self
            .config(&Payload::CmdGetStatus(CmdGetStatus {}).into())
            .await
        {
            Ok(Payload::RespGetStatus(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Sets and applies credentials, both with success.
    pub async fn provision(&mut self, ssid: &str, passphrase: &str) {
        assert_eq!(self.set(ssid, passphrase).await, Status::Success);
        assert_eq!(self.apply().await, Status::Success);
    }

    pub async fn close(mut self) {
        self.socket.close();
        with_timeout(LIMIT, self.socket.flush())
            .await
            .expect("the device closes too")
            .expect("the end was sent");
    }

    /// Waits until the device closes the connection without a word.
    pub async fn wait_closed(&mut self) {
        assert_eq!(self.receive().await, Err(Closed));
    }
}

impl Response {
    /// The response that `bytes` are, once they are all of it.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(head) = response.parse(bytes).unwrap() else {
            return None;
        };
        let status = response.code.unwrap();
        let field = |name: &str| {
            let mut fields = response.headers.iter();
            let field = fields.find(|field| field.name == name);
            field.map(|field| String::from_utf8(field.value.to_vec()).unwrap())
        };
        let length: usize = field("Content-Length").unwrap().parse().unwrap();
        assert_eq!(field("Content-Type").unwrap(), "text/html");
        let body = bytes[head..].to_vec();
        assert!(body.len() <= length, "more than the response");
        (body.len() == length).then(|| Self {
            status,
            cookie: field("Set-Cookie"),
            body,
        })
    }
}
