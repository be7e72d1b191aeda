//! A real nginx before a folder.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Client, Folder, eventually};

/// The HTML documentation of Debian's postgresql-doc-15.
pub const SITE: &str = "/usr/share/doc/postgresql-doc-15/html";

/// nginx, ended by its own handle.
pub struct Nginx {
    child: Child,
    pub port: u16,
    _folder: Folder,
}

impl Nginx {
    pub fn serve(root: &Path) -> Nginx {
        let folder = Folder::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = folder.0.display();
        folder.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {place}/pid; error_log stderr crit;\nevents {{}}\nhttp {{ access_log off; include /etc/nginx/mime.types; \
client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
server {{ listen 127.0.0.1:{port}; root {}; }} }}\n",
                root.display()
            ),
        );
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder.0)
            .arg("-c")
            .arg(folder.0.join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn();
        let nginx = Nginx { child: child.expect("nginx is installed: tests/run.sh does it"), port, _folder: folder };
        eventually("nginx listens", || Client::connect(([127, 0, 0, 1], port).into()).ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
