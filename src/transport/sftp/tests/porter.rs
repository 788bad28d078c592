//! A server that lets people in by password, for which OpenSSH's would need an account with one: SSH by the
//! library's server, files by OpenSSH's own `sftp-server`.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;

use russh::keys::PrivateKey;
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::io::{copy_bidirectional, join};
use tokio::net::TcpListener;
use tokio::process::Command;

/// Where Debian has it.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// Listens with this key, and lets in who says these words; every other way in is closed.
pub async fn open(key: PrivateKey, user: &'static str, password: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let porter = Porter { user, password, channel: None };
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(session) = server::run_stream(config, stream, porter).await {
                    session.await.unwrap_or_default();
                }
            });
        }
    });
    address
}

struct Porter {
    user: &'static str,
    password: &'static str,
    channel: Option<Channel<Msg>>,
}

impl server::Handler for Porter {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let is_known = (user, password) == (self.user, self.password);
        Ok(if is_known { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(channel) = self.channel.take().filter(|_| name == "sftp") else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let mut command = Command::new(SFTP_SERVER);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("OpenSSH's server of files starts");
        tokio::spawn(async move {
            let (out, into) = (child.stdout.take(), child.stdin.take());
            let mut files = join(out.expect("it is piped"), into.expect("it is piped"));
            let mut line = channel.into_stream();
            copy_bidirectional(&mut line, &mut files).await.map(|_| ()).unwrap_or_default();
            // Until here: it is killed where it is let go.
            child.kill().await.unwrap_or_default();
        });
        Ok(())
    }
}
