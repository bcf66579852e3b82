//! An engine that a test may kill.

use super::run;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::{Engine, Home, Project};

/// A second daemon with the programs of a running one, and everything else its own.
pub(super) struct Private {
    folder: tempfile::TempDir,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    daemon: Child,
}

impl Private {
    /// Starts it as the engine was started, or says why it cannot be done.
    pub(super) fn start(like: &Engine) -> Result<Private, String> {
        let home = Home::from_env().daemon(&like.name);
        let read =
            |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
        let pid = read(&home.join("dockerd.pid"))?;
        let process = Path::new("/proc").join(pid.trim());
        let folder = tempfile::Builder::new()
            .prefix("eng")
            .tempdir_in("/var/tmp")
            .unwrap();
        let (old, new) = (home.display().to_string(), folder.path().display().to_string());
        // Its configuration is part of its folder, and what else is in there is not.
        let configuration = read(&home.join("daemon.json"))?;
        std::fs::write(folder.path().join("daemon.json"), configuration).unwrap();
        let mut command: Vec<String> = read(&process.join("cmdline"))?
            .trim_end_matches('\0')
            .split('\0')
            .map(|word| word.replace(&old, &new))
            .collect();
        let bridge = command
            .iter()
            .position(|word| word == "--bridge")
            .ok_or("no --bridge")?;
        command[bridge + 1] = "none".to_owned();
        let environment: Vec<(String, String)> = read(&process.join("environ"))?
            .split('\0')
            .filter_map(|entry| entry.split_once('='))
            .filter(|(name, _)| ["PATH", "LD_LIBRARY_PATH"].contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut private = Private {
            daemon: Self::spawn(&command, &environment, folder.path()),
            folder,
            command,
            environment,
        };
        private.wait();
        Ok(private)
    }

    fn spawn(command: &[String], environment: &[(String, String)], folder: &Path) -> Child {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        Command::new(&command[0])
            .args(&command[1..])
            .env_clear()
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("docker.sock")
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while Engine::probe("private", &self.socket()).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", log());
            assert!(self.daemon.try_wait().unwrap().is_none(), "{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn engine(&self) -> Engine {
        Engine::probe("private", &self.socket()).unwrap()
    }

    /// Gives it an image of another engine.
    pub(super) fn load(&self, like: &Engine, project: &Project, image: &str) {
        let saved = project.path().join("image.tar");
        let save = run(project
            .command(like, "docker")
            .args(["save", image, "-o"])
            .arg(&saved));
        assert_eq!(save.code, 0, "{}", save.stderr);
        let load = run(project
            .command(&self.engine(), "docker")
            .args(["load", "-i"])
            .arg(&saved));
        assert_eq!(load.code, 0, "{}", load.stderr);
        std::fs::remove_file(saved).unwrap();
    }

    /// Ends it as the kernel would.
    pub(super) fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.daemon = Self::spawn(&self.command, &self.environment, self.folder.path());
        self.wait();
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
        // After a kill, the daemon's containerd belongs to nobody.
        if let Ok(pid) = std::fs::read_to_string(self.folder.path().join("exec/containerd/containerd.pid")) {
            let _ = Command::new("kill")
                .args(["-9", pid.trim()])
                .stderr(Stdio::null())
                .status();
        }
        for mount in std::fs::read_to_string("/proc/self/mounts")
            .unwrap_or_default()
            .lines()
        {
            let point = mount.split(' ').nth(1).unwrap_or_default();
            if Path::new(point).starts_with(self.folder.path()) {
                let _ = Command::new("umount").args(["-l", point]).status();
            }
        }
    }
}
